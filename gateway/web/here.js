// Whether somebody is at this tab, and what they look at: told to the tabs' attendance when it changes. What always holds:
// nothing here touches what is being written; input of every kind counts, that of an input method too.

import { Attention } from "./attendance.js";

const LOOK_MS = 30_000;
const SETTLE_MS = 250;
const INPUT = ["pointerdown", "pointermove", "wheel", "touchmove", "keydown", "input", "compositionupdate"];

export class Here {
  #app;
  #attention;
  #active;
  #moving = 0;

  /** `app` has client and place (the channel that is looked at, or null). */
  constructor(app) {
    this.#app = app;
    this.#attention = new Attention(shown(), Date.now());
    for (const kind of INPUT) document.addEventListener(kind, () => this.#used(), { capture: true, passive: true });
    for (const kind of ["focus", "blur"]) addEventListener(kind, () => this.#tell());
    document.addEventListener("visibilitychange", () => this.#shown(shown()));
    addEventListener("pageshow", () => this.#shown(shown()));
    addEventListener("pagehide", () => this.#shown(false));
    setInterval(() => this.#tell({ again: true }), LOOK_MS);
    this.#tell();
  }

  /** Another room or community is open. On the way through several, only where one stops is told. */
  moved() {
    clearTimeout(this.#moving);
    this.#moving = setTimeout(() => this.#tell(), SETTLE_MS);
  }

  #used() {
    this.#attention.used(Date.now());
    if (!this.#active) this.#tell();
  }

  #shown(on) {
    this.#attention.shown(on, Date.now());
    this.#tell();
  }

  #tell(how = {}) {
    this.#active = this.#attention.active(Date.now());
    const place = this.#active ? this.#app.place : null;
    this.#app.client.attendance.say({ active: this.#active, place, front: this.#active && document.hasFocus() }, how);
  }
}

function shown() {
  return document.visibilityState === "visible";
}
