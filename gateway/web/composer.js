// The place where one writes. What always holds: while a conversion is open, nothing here is sent, cleared, replaced
// or moved, and Enter belongs to the input method.

import { byId } from "./dom.js";

const touch = matchMedia("(pointer: coarse)");

export class Composer {
  #form = byId("composer");
  #field = byId("composer-text");
  #composing = false;
  #after = [];
  #drafts = new Map();
  #room = null;
  #send;

  /** `send(text)` is called with what was written. */
  constructor(send) {
    this.#send = send;
    this.#field.addEventListener("compositionstart", () => {
      this.#composing = true;
    });
    this.#field.addEventListener("compositionend", () => this.#converted());
    this.#field.addEventListener("keydown", (event) => this.#key(event));
    this.#field.addEventListener("input", () => this.#fit());
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#settled(() => this.#submit());
    });
  }

  /** Write in this room from now on; what was begun in another waits there. */
  open(room) {
    this.#settled(() => {
      if (this.#room !== null) this.#drafts.set(this.#room, this.#field.value);
      this.#room = room;
      this.#field.value = this.#drafts.get(room) ?? "";
      this.#fit();
    });
  }

  /** To the keyboard's place, where that does not raise an on-screen keyboard. */
  focus({ always = false } = {}) {
    if (!this.#composing && (always || !touch.matches)) this.#field.focus({ preventScroll: true });
  }

  #key(event) {
    // Key code 229 is what Safari sends for the Enter that ends a conversion.
    if (event.key !== "Enter" || event.isComposing || this.#composing || event.keyCode === 229) return;
    if (event.shiftKey || event.altKey || touch.matches) return;
    event.preventDefault();
    this.#submit();
  }

  #converted() {
    this.#composing = false;
    const after = this.#after;
    this.#after = [];
    // The browser writes the converted text first.
    if (after.length) setTimeout(() => after.forEach((act) => act()));
  }

  #settled(act) {
    if (this.#composing) this.#after.push(act);
    else act();
  }

  #submit() {
    const text = this.#field.value;
    if (!text.trim()) return;
    this.#field.value = "";
    this.#fit();
    this.#send(text);
  }

  // For browsers without `field-sizing`.
  #fit() {
    if (CSS.supports("field-sizing", "content")) return;
    this.#field.rows = Math.min(6, this.#field.value.split("\n").length);
  }
}
