// One's own sign at the top: one's face as others see it now, and the way to change that.

import { byId } from "./dom.js";
import { presenceWords } from "./dots.js";
import { words } from "./words.js";

export class OwnSign {
  #app;
  #button = byId("own");

  /** `app` has people, presence, dots and visibility. */
  constructor(app) {
    this.#app = app;
    this.#button.addEventListener("click", () => app.visibility.use((screen) => screen.open()));
  }

  /** Somebody came in, or is called otherwise. */
  draw() {
    const { dots, people } = this.#app;
    this.#button.replaceChildren(dots.face(people.me.id, people.me.name, { told: false }));
    this.paint();
  }

  paint() {
    const { people, presence, visibility } = this.#app;
    const label = words.visibility_own(presenceWords(presence.view(people.me?.id)));
    if (this.#button.title === label) return;
    this.#button.title = label;
    this.#button.setAttribute("aria-label", label);
    visibility.made?.changed();
  }
}
