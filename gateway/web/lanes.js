// Durable requests on their way: kept until the server has acknowledged them or refused them for good. Pure; used by
// protocol.js alone.
//
// What always holds: a request never changes once it was given; of one lane (a room, else an operation) only the
// first is on its way, so that a lane's requests are kept by the server in the order in which they were given.

import { FAULTS_MAX, RETRY_MS, TEMPORARY, WAIT_MAX_MS, backoffMs } from "./rules.js";

export class Lanes {
  #lanes = new Map();

  /** One more at the end of its lane. */
  add(number, op, d) {
    const name = d.room ? `room:${d.room}` : op;
    if (!this.#lanes.has(name)) this.#lanes.set(name, []);
    this.#lanes.get(name).push({ number, op, d, sent: false, faults: 0, notBefore: 0 });
  }

  /** What is to be sent now; it counts as sent from here on. */
  ready(now) {
    const found = this.#heads().filter((item) => !item.sent && item.notBefore <= now);
    for (const item of found) item.sent = true;
    return found;
  }

  /** When something is to be tried again, or null. */
  nextAt() {
    const times = this.#heads().filter((item) => !item.sent).map((item) => item.notBefore);
    return times.length ? Math.min(...times) : null;
  }

  /** Acknowledged or refused for good: the next of its lane may go. */
  done(number) {
    for (const [name, lane] of this.#lanes) {
      if (lane[0].number !== number) continue;
      lane.shift();
      if (!lane.length) this.#lanes.delete(name);
      return;
    }
  }

  /** The server said no. True if it is for good, else the same request is tried again at its time. `chance` is a
   * random number of [0, 1): what is not told when to come back comes back spread out. */
  refused(number, { code, retry_ms }, now, chance) {
    const item = this.#heads().find((head) => head.number === number);
    item.faults++;
    const hopeless = code === "internal" && item.faults >= FAULTS_MAX;
    if (!TEMPORARY.includes(code) || hopeless || (retry_ms ?? 0) > WAIT_MAX_MS) {
      this.done(number);
      return true;
    }
    item.sent = false;
    item.notBefore = now + (retry_ms ?? RETRY_MS) + chance * backoffMs(item.faults - 1);
    return false;
  }

  /** The connection broke: what was on its way may or may not have happened, and goes again. */
  lost() {
    for (const head of this.#heads()) head.sent = false;
  }

  /** Give all of it up; the numbers, in order. */
  clear() {
    const numbers = [...this.#lanes.values()].flat().map((item) => item.number);
    this.#lanes.clear();
    return numbers.sort((a, b) => a - b);
  }

  #heads() {
    return [...this.#lanes.values()].map((lane) => lane[0]);
  }
}
