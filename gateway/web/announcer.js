// What a screen reader hears of an open room. The lines themselves are silent, because drawing history would read it
// all aloud; what others say is gathered for a moment and told at once.

import { words } from "./words.js";

const GATHER_MS = 1_000;
const TOLD_MAX = 3;

export class Announcer {
  #place;
  #waiting = [];
  #timer = 0;

  /** `place` is a polite live region. */
  constructor(place) {
    this.#place = place;
  }

  /** Somebody said something. */
  tell(text) {
    this.#waiting.push(text);
    this.#timer ||= setTimeout(() => this.#speak(), GATHER_MS);
  }

  /** Another room: what waits belongs to the last one. */
  clear() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#waiting = [];
    this.#place.textContent = "";
  }

  #speak() {
    this.#timer = 0;
    const told = this.#waiting.slice(-TOLD_MAX);
    const many = this.#waiting.length > TOLD_MAX ? `${words.fresh(this.#waiting.length)}. ` : "";
    this.#waiting = [];
    this.#place.textContent = many + told.join(" / ");
  }
}
