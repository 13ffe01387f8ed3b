// Text that moves; what it takes comes when it is needed.

import { el } from "./dom.js";
import { words } from "./words.js";

/** Let `text` move as `said` (a line or post) does; `late`: however old it is. */
export function moving(text, said, late) {
  if (text && said.emotext?.length) {
    text.dataset.emotext = said.emotext.join(" ");
    import("./emotextplayer.js").then(({ put }) => put(text, said, late), () => {});
  }
  return text;
}

/** The key beside a field; `room()`: of which one. */
export class EffectsKey {
  constructor(text, room) {
    const open = () => import("./emotextpicker.js").then(({ pick }) => pick(this, text(), room?.()), () => {});
    this.button = el("button", { class: "icon pick", type: "button", onclick: open }, "Aa");
    this.choose();
  }

  choose(ids = []) {
    this.chosen = ids;
    this.button.ariaPressed = ids.length > 0;
    this.button.ariaLabel = this.button.title = words.emotext;
  }

  /** For a request, once. */
  take() {
    const emotext = this.chosen;
    this.choose();
    return emotext.length && { emotext };
  }
}
