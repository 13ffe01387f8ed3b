// When a room is told that one writes there (FEATURES §7). No DOM in here.
//
// What always holds: it is said at most once in three seconds, only for words that are there, and taken back when they
// are gone; what was sent ends it by itself.

const AGAIN_MS = 3_000;
const LEASE_MS = 12_000;

export class Writing {
  #say;
  #now;
  #room = null;
  #saidAt = -Infinity;
  #on = false;

  /** `say(room, on)` tells the room; `now()` is a time in ms. */
  constructor(say, now) {
    this.#say = say;
    this.#now = now;
  }

  /** Somebody edits; `text` is what stands there now, during a conversion too. */
  edited(room, text) {
    const now = this.#now();
    if (room !== this.#room) {
      this.left();
      this.#room = room;
      this.#saidAt = -Infinity;
    }
    if (!text.trim()) {
      this.left();
    } else if (now - this.#saidAt >= AGAIN_MS) {
      this.#saidAt = now;
      this.#on = true;
      this.#say(room, true);
    }
  }

  /** The words were sent: the room hears them instead. */
  sent() {
    this.#on = false;
  }

  /** Emptied, or gone from the room. */
  left() {
    // After the lease it is over anyway.
    if (this.#on && this.#now() - this.#saidAt < LEASE_MS) this.#say(this.#room, false);
    this.#on = false;
  }
}
