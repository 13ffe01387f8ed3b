// Who is here as far as one may see them: people, crowds of communities, who is writing in a room. No DOM in here.
//
// What always holds: nothing is shown that this link did not tell, so whoever was known is unknown while there is none;
// "last here within" is a bound that grows with the time since it was heard, and is never older than the newest words of
// theirs that were met here (FEATURES §7).

const MINUTE_MS = 60_000;
const WITHIN = [["5m", 5], ["15m", 15], ["30m", 30], ["1h", 60], ["3h", 180], ["6h", 360], ["12h", 720], ["24h", 1_440], ["2d", 2_880], ["3d", 4_320]];
const BOUND_MS = new Map(WITHIN.map(([name, minutes]) => [name, minutes * MINUTE_MS]));
// The end of somebody's writing is told; if that was lost, it is over after this at the latest.
const WRITING_MS = 2 * MINUTE_MS;
// A bucket that was just told stands as it is for a while, else it would be another one at once.
const FRESH_MS = MINUTE_MS;
const UNKNOWN = { state: "unknown", seen: null, doing: null };
const OFFLINE = { state: "offline", seen: null, doing: null };
const HERE = new Set(["online", "idle"]);

/** Milliseconds since somebody was last here → the name of the bucket, as `Seen` on the wire. */
export function seenWithin(ageMs) {
  return WITHIN.find(([name]) => ageMs <= BOUND_MS.get(name))?.[0] ?? "longer";
}

export class PresenceBook {
  #now;
  #changed;
  #people = new Map();
  #places = new Map();
  #writing = new Map();
  #wrote = new Map();

  /** `now()` is the server's time in ms; `changed()` is called after something is not as it was. */
  constructor(now, changed) {
    this.#now = now;
    this.#changed = changed;
  }

  /** Somebody as they may be seen now: {state, seen, doing}; null if nothing was told of them yet. */
  view(id) {
    const known = this.#people.get(id);
    if (!known) return null;
    const { state, seen, doing } = known;
    return { state, seen: seen && seenWithin(this.#age(id, known)), doing };
  }

  /** How long ago somebody was here at most, in ms. */
  #age(id, { seen, at, left }) {
    const now = this.#now();
    const age = left ? now - at : (BOUND_MS.get(seen) ?? Infinity) + Math.max(0, now - at - FRESH_MS);
    return Math.min(age, now - (this.#wrote.get(id) ?? -Infinity));
  }

  /** Those of `ids` who look at this channel now. */
  at(ch, ids) {
    return ids.filter((id) => this.#people.get(id)?.doing === ch);
  }

  /** The crowd of a community: {count, few, people}; null while it is not known. */
  crowd(ch) {
    return this.#places.get(ch) ?? null;
  }

  /** Who writes in a room, those who began first in front. */
  writing(room) {
    const told = this.#writing.get(room);
    return told && this.#now() - told.at < WRITING_MS ? told.accounts : [];
  }

  /** Words of somebody were met: they were here then. */
  wrote(id, at) {
    if (at > (this.#wrote.get(id) ?? -Infinity)) this.#wrote.set(id, at);
  }

  /** One push; true if it was about presence alone. */
  apply({ ev, d }) {
    if (ev === "presence.changed") this.#told(d);
    else if (ev === "room.typing") this.#writes(d.room, d.accounts);
    else {
      if (ev === "message.created") this.#said(d.message);
      else if (ev === "post.created") this.wrote(d.post.author.id, d.post.at);
      return false;
    }
    this.#changed();
    return true;
  }

  /** The answer to `presence.watch` or `presence.get`. */
  take({ people, places, known }) {
    this.#told({ people, places, known, whole: false });
    this.#changed();
  }

  /** The link is gone: nobody knows what has become of anybody. */
  lost() {
    for (const id of this.#people.keys()) this.#people.set(id, UNKNOWN);
    this.#places.clear();
    this.#writing.clear();
    this.#changed();
  }

  clear() {
    for (const each of [this.#people, this.#places, this.#writing, this.#wrote]) each.clear();
  }

  #told({ people, places, known, whole }) {
    if (whole) {
      // Of whoever is not named one may have been told more already than that they are offline.
      for (const [id, { state }] of this.#people) if (!people[id] && state !== "offline") this.#people.set(id, OFFLINE);
    }
    const at = this.#now();
    for (const [id, view] of Object.entries(people)) {
      // Whoever goes before one's eyes went now.
      const left = view.seen === "5m" && HERE.has(this.#people.get(id)?.state);
      this.#people.set(id, { ...view, at, left });
      if (view.state === "offline") for (const room of this.#writing.keys()) this.#ends(room, id);
    }
    for (const [ch, here] of Object.entries(places)) {
      // A count of what one node can see is no count.
      if (known) this.#places.set(ch, here);
      else this.#places.delete(ch);
    }
  }

  #said({ room, author, at, system }) {
    if (!system) this.wrote(author, at);
    if (this.#ends(room, author)) this.#changed();
  }

  #writes(room, accounts) {
    if (accounts.length) this.#writing.set(room, { accounts, at: this.#now() });
    else this.#writing.delete(room);
  }

  #ends(room, id) {
    const told = this.#writing.get(room);
    if (!told?.accounts.includes(id)) return false;
    this.#writes(room, told.accounts.filter((other) => other !== id));
    return true;
  }
}
