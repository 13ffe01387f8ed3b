// The place where one writes. What always holds: while a conversion is open, nothing here is sent, cleared, replaced
// or moved, and Enter belongs to the input method. What was begun in a room is kept on the shelf, while it is written
// and when the page goes, and is found again in any tab.

import { byId } from "./dom.js";
import { onLanguage } from "./language.js";
import { EffectsKey, PicturePicker } from "./picker.js";
import { words } from "./words.js";

const KEEP_MS = 500;
const touch = matchMedia("(pointer: coarse)");

export class Composer {
  #form = byId("composer");
  #field = byId("composer-text");
  #composing = false;
  #after = [];
  #shelf;
  #editedAt = 0;
  #keepTimer = 0;
  #room = null;
  #waits = false;
  #picker = new PicturePicker(() => this.#pictured());
  #effects = new EffectsKey(() => this.#field.value, () => this.#room && `room:${this.#room}`);
  #send;
  #writing;

  /** `send(text, pictures, more)` is called with what was written and chosen; `shelf` keeps drafts; `writing` tells the
   * room that somebody writes. */
  constructor(send, shelf, writing) {
    this.#send = send;
    this.#shelf = shelf;
    this.#writing = writing;
    byId("picks").append(this.#picker.view);
    this.#field.before(this.#picker.button, this.#effects.button);
    this.#picker.listen(this.#field, byId("talk"));
    onLanguage(() => {
      this.#picker.speak();
      this.#effects.choose(this.#effects.chosen);
    });
    shelf.on("draft", (room, draft) => this.#elsewhere(room, draft));
    addEventListener("pagehide", () => this.#keep());
    document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && this.#keep());
    this.#field.addEventListener("compositionstart", () => {
      this.#composing = true;
    });
    this.#field.addEventListener("compositionend", () => this.#converted());
    this.#field.addEventListener("keydown", (event) => this.#key(event));
    this.#field.addEventListener("input", () => {
      // Whoever writes on is not done.
      this.#waits = false;
      this.#edited();
      if (this.#room !== null) this.#writing.edited(this.#room, this.#field.value);
    });
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#settled(() => this.#submit());
    });
  }

  /** Write in this room from now on; what was begun in another waits there. */
  open(room) {
    this.#settled(() => {
      this.#keep();
      if (room !== this.#room) this.#writing.left();
      this.#room = room;
      const draft = this.#shelf.draft(room);
      this.#show(draft);
      this.#picker.open(room, draft.pictures);
    });
  }

  /** Write nowhere. */
  close() {
    this.#settled(() => {
      this.#keep();
      this.#writing.left();
      this.#room = null;
      this.#show({ text: "", at: 0 });
      this.#picker.open(null);
    });
  }

  /** To the keyboard's place, where that does not raise an on-screen keyboard. */
  focus({ always = false } = {}) {
    if (!this.#composing && (always || !touch.matches)) this.#field.focus({ preventScroll: true });
  }

  /** Nobody writes here any more. */
  forget() {
    this.#picker.forget();
  }

  #show({ text, at }) {
    this.#waits = false;
    this.#effects.choose();
    this.#field.value = text;
    this.#editedAt = at;
    this.#fit();
  }

  #edited() {
    this.#editedAt = Date.now();
    this.#fit();
    this.#keepTimer ||= setTimeout(() => this.#keep(), KEEP_MS);
  }

  #keep() {
    clearTimeout(this.#keepTimer);
    this.#keepTimer = 0;
    // With the time of the last edit: a tab that only looks on never overwrites what was written elsewhere since.
    if (this.#room === null || !this.#editedAt) return;
    this.#shelf.putDraft(this.#room, this.#field.value, this.#editedAt, this.#picker.kept);
  }

  /** Another tab wrote on, or sent it: follow, unless somebody writes here. */
  #elsewhere(room, draft) {
    const writing = document.activeElement === this.#field && document.hasFocus();
    if (room !== this.#room || !draft || draft.at <= this.#editedAt || this.#composing || writing) return;
    this.#show(draft);
    this.#picker.follow(draft.pictures);
  }

  /** A picture came, went, or was described. */
  #pictured() {
    this.#edited();
    if (!this.#waits || this.#picker.busy) return;
    this.#waits = false;
    this.#settled(() => this.#submit());
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
    if (this.#picker.busy) {
      this.#waits = true;
      this.#picker.tell(words.picture_send_waits);
      return;
    }
    // What failed says so beside itself.
    if (this.#picker.failed || (!text.trim() && !this.#picker.kept.length)) return;
    const pictures = this.#picker.take();
    this.#writing.sent();
    const more = this.#effects.take();
    this.#show({ text: "", at: Date.now() });
    this.#keep();
    this.#send(text.trim() ? text : "", pictures, more);
  }

  // For browsers without `field-sizing`.
  #fit() {
    if (CSS.supports("field-sizing", "content")) return;
    this.#field.rows = Math.min(6, this.#field.value.split("\n").length);
  }
}
