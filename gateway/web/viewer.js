// The large picture: one at a time, the others a key, a stroke or a button away. Loaded when somebody wants to see one.

import { el } from "./dom.js";
import { addressOf, nameOf } from "./pictures.js";
import { returnFocus } from "./sheet.js";
import { words } from "./words.js";

const SWIPE_PX = 40;

export class Viewer {
  #dialog = null;
  #parts = {};
  #pictures = [];
  #at = 0;
  #of = "";
  #from = 0;

  open(pictures, at, of) {
    this.#make();
    this.#pictures = pictures;
    this.#of = of;
    this.#dialog.setAttribute("aria-label", words.picture_view);
    for (const [name, label] of [["close", words.close], ["before", words.picture_before], ["next", words.picture_next]]) {
      this.#parts[name].setAttribute("aria-label", label);
      this.#parts[name].title = label;
    }
    this.#show(at);
    this.#dialog.showModal();
  }

  gone(of) {
    if (this.#dialog?.open && of && this.#of === of) this.#dialog.close();
  }

  #show(at) {
    const picture = this.#pictures[at];
    this.#at = at;
    const { image, alt, before, next } = this.#parts;
    image.alt = nameOf(this.#pictures, at);
    image.width = picture.width;
    image.height = picture.height;
    image.src = addressOf(picture);
    alt.textContent = picture.alt;
    before.hidden = at === 0;
    next.hidden = at === this.#pictures.length - 1;
    if (document.activeElement === document.body) this.#parts.close.focus();
  }

  #step(by) {
    if (this.#pictures[this.#at + by]) this.#show(this.#at + by);
  }

  #make() {
    if (this.#dialog) return;
    const button = (sign, act) => el("button", { class: "icon", type: "button", onclick: act }, el("span", { "aria-hidden": "true" }, sign));
    const image = el("img", { draggable: "false" });
    const alt = el("p", { "aria-hidden": "true" });
    const close = button("×", () => this.#dialog.close());
    const before = button("‹", () => this.#step(-1));
    const next = button("›", () => this.#step(1));
    image.addEventListener("error", () => (alt.textContent = words.picture_gone));
    this.#parts = { image, alt, close, before, next };
    this.#dialog = el("dialog", { id: "picture-view" }, el("div", { class: "picture-acts" }, before, next, close), image, alt);
    this.#dialog.addEventListener("close", () => {
      image.removeAttribute("src");
      returnFocus();
    });
    this.#dialog.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (by) this.#step(by);
    });
    // A tap beside the picture leaves; a stroke goes on.
    this.#dialog.addEventListener("pointerdown", ({ clientX }) => (this.#from = clientX));
    this.#dialog.addEventListener("pointerup", ({ clientX, target }) => {
      const way = clientX - this.#from;
      if (Math.abs(way) > SWIPE_PX) this.#step(way < 0 ? 1 : -1);
      else if (target === this.#dialog) this.#dialog.close();
    });
    document.body.append(this.#dialog);
  }
}
