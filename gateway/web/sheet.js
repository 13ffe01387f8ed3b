// A dialog that is made when it is needed: a title, a way to close it, and what its owner draws into it. What always
// holds: Escape closes it, and the focus goes back to where it came from, or near it if that is gone.

import { byId, el } from "./dom.js";
import { converting, keepTyped, onLanguage } from "./language.js";
import { words } from "./words.js";

export class Sheet {
  #dialog;
  #title;
  #close;
  #body = el("div", { class: "sheet-body" });
  #said = el("p", { class: "said-there", role: "status" });
  #fault = el("p", { class: "fault", role: "alert" });
  #draw = () => ({ title: "", parts: [] });

  constructor(id) {
    this.#title = el("h2", { id: `${id}-title`, tabindex: "-1" });
    this.#close = el("button", { class: "icon", type: "button", onclick: () => this.close() }, el("span", { "aria-hidden": "true" }, "×"));
    this.#dialog = el(
      "dialog",
      { id, class: "sheet", "aria-labelledby": `${id}-title` },
      el("header", {}, this.#title, this.#close),
      this.#said,
      this.#fault,
      this.#body,
    );
    document.body.append(this.#dialog);
    this.#dialog.addEventListener("close", returnFocus);
    onLanguage(() => this.renew());
  }

  /** Call `act` when it was closed, however. */
  onClose(act) {
    // Opened again at once, to come above others, it was not closed for anybody.
    this.#dialog.addEventListener("close", () => this.isOpen || act());
  }

  /** To the beginning of what is shown. */
  focusTitle() {
    this.#title.focus({ preventScroll: true });
    this.#dialog.scrollTop = 0;
  }

  get isOpen() {
    return this.#dialog.open;
  }

  get body() {
    return this.#body;
  }

  /** Open with what `draw()` returns: {title, parts}; it is called again whenever this is to be drawn anew. */
  open(draw) {
    this.#draw = draw;
    this.say("");
    this.fail("");
    this.draw();
    // Opened from something above it, it comes above that.
    if (this.isOpen) this.#dialog.close();
    this.#dialog.showModal();
    this.#title.focus({ preventScroll: true });
    this.#dialog.scrollTop = 0;
  }

  draw() {
    const { title, parts } = this.#draw();
    this.#title.textContent = title;
    this.#close.setAttribute("aria-label", words.close);
    this.#close.title = words.close;
    this.#body.replaceChildren(...parts.filter(Boolean));
  }

  /** Draw anew around what was typed and chosen, unless a conversion is open: then what is shown stays as it is. */
  renew() {
    if (!this.isOpen || converting()) return;
    const within = this.#body.contains(document.activeElement);
    keepTyped(this.#body, () => this.draw());
    if (within && !this.#body.contains(document.activeElement)) this.#title.focus({ preventScroll: true });
  }

  close() {
    if (this.isOpen) this.#dialog.close();
  }

  /** What went well. */
  say(text) {
    this.#said.textContent = text;
    if (text) this.#dialog.scrollTop = 0;
  }

  /** What went wrong. */
  fail(text) {
    this.#fault.textContent = text;
  }
}

/** Browsers give the focus back to who had it; a line drawn anew meanwhile is another element. */
export function returnFocus() {
  if (document.activeElement !== document.body || document.querySelector("dialog[open]")) return;
  const near = { talk: "log", home: "feed-posts", rooms: "new-button" }[document.body.dataset.view];
  byId(near).focus({ preventScroll: true });
}
