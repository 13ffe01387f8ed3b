// Where a client stands in each channel, and what of the arriving frames is handed out. Pure; used by protocol.js.
//
// What always holds: the durable events of a channel are handed out once, in order and without a hole, from its
// position on; where that cannot be, the channel is told by `reload` or is `stale`.

import { POSITIONS_MAX } from "./rules.js";

/** Entries of the inbox that tell what is heard: how the channel's name begins, and the field that ends it. */
export const PLACES = {
  "room.joined": ["room:", "room"],
  "room.left": ["room:", "room"],
  "community.joined": ["community:", "community"],
  "community.left": ["community:", "community"],
  "follow.began": ["author:", "account"],
  "follow.ended": ["author:", "account"],
};
export const LEAVING = new Set(["room.left", "community.left", "follow.ended"]);

/** The channel that such an entry speaks of. */
export function placeOf(ev, d) {
  const [begin, field] = PLACES[ev];
  return begin + d[field];
}

export class Streams {
  #stale = new Set();
  /** Per channel, how far the inbox was when an answer told where the channel stands: what the inbox said up to there is
   * in that answer already. */
  #known = new Map();
  positions = new Map();
  /** The channels heard without asking: not those that are only on the screen. */
  own = new Set();
  epoch = "";
  live = false;
  doubles = 0;
  holes = 0;
  /** The channels whose rest was asked for and not answered yet: what is ahead of it is dropped, because it comes
   * again after what is missing. */
  paused = new Set();

  /** Nothing is continued. */
  forget() {
    this.positions.clear();
    this.own.clear();
    this.#stale.clear();
    this.epoch = "";
  }

  /** The connection broke; positions stay. */
  lost() {
    this.paused.clear();
    this.live = false;
  }

  /** The server's epoch: positions of another one count as none. */
  greet(epoch) {
    if (epoch === this.epoch) return;
    this.positions.clear();
    this.epoch = epoch;
  }

  /** The positions to show, at most as many as the server takes. */
  asked() {
    return Object.fromEntries([...this.positions].slice(0, POSITIONS_MAX));
  }

  /** The answer to `connect`: what is heard, and from where. `same` account as before? */
  join(channels, same) {
    const before = new Map(this.positions);
    this.positions.clear();
    this.#known.clear();
    this.#note(channels);
    this.own = new Set(channels.map(({ ch }) => ch));
    for (const name of this.#stale) if (!this.own.has(name)) this.#stale.delete(name);
    for (const { ch, seq, recovered } of channels) {
      const continued = recovered && before.has(ch);
      this.positions.set(ch, continued ? before.get(ch) : seq);
      if (!continued || !same) this.#stale.add(ch);
    }
  }

  /** Everything missed was handed out; the channels that are to be read by page. */
  goLive() {
    const stale = [...this.#stale];
    this.#stale.clear();
    this.live = true;
    return stale;
  }

  /** A durable push. True if there is a hole before it: the rest of the channel must be asked for. */
  take(frame, told) {
    const { ch, seq, ev, d, upto = seq } = frame;
    const last = this.positions.get(ch);
    if (last !== undefined && upto <= last) {
      this.doubles++;
      return false;
    }
    if (last !== undefined && seq > last + 1) {
      this.holes++;
      return this.pause([ch]).length > 0;
    }
    this.positions.set(ch, upto);
    if (ev === "skip") {
      told.push(["skip", frame]);
      return false;
    }
    told.push(["event", frame]);
    if (PLACES[ev]) this.#move(frame, told);
    return false;
  }

  /**
   * The inbox says that a place is heard from now on, or no more. One that was heard before and is given anew from
   * further on has lines that never came: they are read by page.
   */
  #move({ ev, seq, d }, told) {
    const place = placeOf(ev, d);
    if (seq <= (this.#known.get(place) ?? 0)) return;
    const at = this.positions.get(place);
    if (LEAVING.has(ev)) this.own.delete(place);
    else this.own.add(place);
    if (LEAVING.has(ev)) this.#leave(place);
    else if (at === undefined) this.positions.set(place, d.seq);
    else if (at < d.seq) this.reload(place, d.seq, told);
  }

  /** An answer told where these channels stand. */
  #note(channels) {
    const inbox = Math.max(0, ...channels.filter(({ ch }) => ch.startsWith("user:")).map(({ seq }) => seq));
    if (inbox) for (const { ch } of channels) this.#known.set(ch, inbox);
  }

  /** The rest of these channels is asked for; those for which it is not yet. */
  pause(names) {
    const fresh = names.filter((name) => !this.paused.has(name));
    for (const name of fresh) this.paused.add(name);
    return fresh;
  }

  /** The server pauses a channel: what is to be asked for. A busy one goes on by itself, or when somebody opens it. */
  behind({ ch, seq, reason }, told) {
    if (reason !== "busy") return this.pause([ch]);
    told.push(["busy", ch, seq]);
    return [];
  }

  /** The channel goes on after `seq`; what lies before is to be read by page. */
  reload(name, seq, told) {
    this.positions.set(name, seq);
    if (this.live) told.push(["reload", name, seq]);
    else this.#stale.add(name);
  }

  /** The answer to `channel.sync` for `names`: what was missed follows, or is to be read by page. */
  synced(names, channels, told) {
    const answered = new Map(channels.map((channel) => [channel.ch, channel]));
    this.#note(channels);
    for (const name of names) {
      this.paused.delete(name);
      const channel = answered.get(name);
      // Not heard any more; the inbox tells why.
      if (!channel) this.#leave(name);
      else if (!channel.recovered) this.reload(name, channel.seq, told);
    }
  }

  #leave(name) {
    this.positions.delete(name);
    this.paused.delete(name);
    this.#stale.delete(name);
  }
}
