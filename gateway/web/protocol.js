// The protocol of a client as a silent core: no DOM, no socket, no timer, no randomness of its own (docs/clients.md).
//
// Its shell is client.js; loadtest/protocol.py is the same core in Python, and tests/golden/ holds what both must do,
// step by step. Times are milliseconds of a clock that never goes back. The shell tells what happened, then empties
// `out`, in order, and calls `tick` at `deadline`:
//
//   to do  ["open"], ["send", frame], ["close", code]
//   told   ["state", state, reason], ["hello", d], ["live", {account, badges, stale}], ["event", frame],
//          ["skip", frame], ["reload", channel, seq], ["ok", number, result], ["error", number, error]
//
// What always holds: the durable events of a channel are handed out once and in order, or the channel is named in
// `stale` or `reload`; every call ends in one `ok` or `error`; after a final verdict nothing opens again.

import { Lanes } from "./lanes.js";
import * as rules from "./rules.js";
import { ownError, verdict } from "./rules.js";
import { Streams } from "./streams.js";

export class Protocol {
  #client;
  #random;
  #stay;
  // off, wait (until #openAt), opening, greeting (hello is awaited), asking (connect was sent), joining (it was
  // answered, what was missed comes), live
  #phase = "off";
  #account = "";
  #credential = {};
  // Number → {kind, due, names}: what it is for, when its answer is overdue, the channels it is about.
  #calls = new Map();
  #lanes = new Lanes();
  #last = 0;
  #tries = 0;
  #rejected = 0;
  #jitterMs = 0;
  #leastMs = 0;
  #fedAt = 0;
  #openAt = 0;
  #liveAt = null;
  #moveAt = null;
  #probeAt = null;
  out = [];
  state = "stopped";
  streams = new Streams();
  connected = {};

  /** `client` is {name, version}; `random()` a number of [0, 1). With `stay` it opens again by itself. */
  constructor(client, random, { stay = true } = {}) {
    this.#client = client;
    this.#random = random;
    this.#stay = stay;
  }

  /** When `tick` is due at the latest; null while nothing is awaited. */
  get deadline() {
    if (this.#phase === "off") return null;
    if (this.#phase === "wait") return this.#openAt;
    const times = [this.#probeAt ?? this.#fedAt + this.#silenceMs()];
    if (this.#moveAt !== null) times.push(this.#moveAt);
    for (const { due } of this.#calls.values()) {
      times.push(due);
      break;
    }
    const waits = this.#phase === "live" ? this.#lanes.nextAt() : null;
    if (waits !== null) times.push(waits);
    return Math.min(...times);
  }

  // Life

  /** Connect; with `stay`, until `stop` or a final verdict. */
  start(now) {
    this.#tries = this.#rejected = 0;
    this.#open(now);
  }

  /** Leave. Positions are kept for whoever goes on from them. */
  stop(now) {
    this.#end("stopped", "", now);
  }

  /** Another account may come: nothing of this one is continued. */
  forget() {
    this.streams.forget();
    this.#account = "";
  }

  /** The socket is open. `credential` is {token} or {ticket}, shown in `connect`. */
  opened(credential, now) {
    if (this.#phase !== "opening") return;
    this.#phase = "greeting";
    this.#credential = credential;
    this.#fedAt = now;
  }

  /** The socket could not be opened: an error code of the server's table for the ticket, else `offline`. */
  failed(code, retryMs, now) {
    if (this.#phase !== "opening") return;
    const final = { unauthenticated: "signed_out", forbidden: "not_allowed" }[code];
    this.#leastMs = retryMs ?? 0;
    if (final) {
      this.#quiet();
      this.#end("refused", final, now);
    } else {
      this.#again(now);
    }
  }

  /** The socket is closed, by whomever; 1006 where no code came. */
  lost(code, now) {
    if (this.#phase === "off" || this.#phase === "wait") return;
    const reason = verdict(code);
    // A ticket that came too late is refused like a session that ended; a fresh ticket tells them apart.
    const lateTicket = reason === "signed_out" && "ticket" in this.#credential && !this.#rejected;
    if (lateTicket && this.#stay) {
      this.#rejected++;
      this.#again(now, true);
    } else if (reason === "again") {
      this.#again(now);
    } else {
      this.#quiet();
      this.#end("refused", reason, now);
    }
  }

  /** The system believes that there is a network again: the next try comes within half a second. */
  online(now) {
    if (this.#phase === "wait") this.#openAt = Math.min(this.#openAt, now + this.#random() * rules.SOON_MS);
    else this.woke(now);
  }

  /** Clocks may have stood still: ask whether the link still carries, and whether anything was missed. */
  woke(now) {
    if (this.#phase === "wait") this.online(now);
    if (this.#phase !== "live" || this.#probeAt !== null) return;
    this.#probeAt = now + rules.PROBE_MS;
    const asked = Object.keys(this.streams.asked());
    if (asked.length && now - this.#fedAt >= rules.ASLEEP_MS) this.#askRest(this.streams.pause(asked), now);
    else this.#ask("probe", "clock.read", { t: Math.floor(now) }, now);
  }

  /** Time has passed. */
  tick(now) {
    if (this.#phase === "wait" && now >= this.#openAt) this.#open(now);
    else if (this.#phase !== "off" && this.#phase !== "wait") this.#look(now);
  }

  #look(now) {
    const silent = now - this.#fedAt - this.#silenceMs();
    if (this.#moveAt !== null && now >= this.#moveAt) {
      this.#drop();
      this.#quiet();
      this.#open(now);
      return;
    }
    if (this.#probeAt !== null) {
      if (now >= this.#probeAt) {
        this.#drop();
        this.#again(now, true);
        return;
      }
    } else if (silent >= rules.LATE_MS && this.#phase === "live") {
      // The clock stood still with us: what came meanwhile may only be unread.
      this.woke(now);
    } else if (silent >= 0) {
      this.#drop();
      this.#again(now);
      return;
    }
    this.#overdue(now);
    this.#flush(now);
  }

  #overdue(now) {
    // All wait equally long, so the first one given is the first one due.
    for (const [number, { kind, due }] of this.#calls) {
      if (now < due) return;
      this.#calls.delete(number);
      this.#refused(number, kind, ownError("timeout"), now);
      if (this.#phase === "wait") return;
    }
  }

  #silenceMs() {
    return this.#phase === "live" ? rules.SILENCE_MS : rules.HANDSHAKE_MS;
  }

  #open(now) {
    if (this.#phase !== "off" && this.#phase !== "wait") {
      this.#drop();
      this.#quiet();
    }
    this.#phase = "opening";
    this.#fedAt = now;
    this.#enter("connecting");
    this.out.push(["open"]);
  }

  #drop() {
    this.out.push(["close", 1000]);
  }

  /** Open again after a random time: full jitter. */
  #again(now, soon = false) {
    const lived = this.#liveAt !== null;
    if (lived && now - this.#liveAt >= rules.STABLE_MS) this.#tries = 0;
    this.#quiet();
    if (!this.#stay) {
      this.#end("stopped", "lost", now);
      return;
    }
    const most = Math.max(rules.backoffMs(this.#tries), lived ? this.#jitterMs : 0);
    this.#phase = "wait";
    this.#tries++;
    this.#openAt = now + this.#leastMs + this.#random() * (soon ? rules.SOON_MS : most);
    this.#leastMs = 0;
    this.#enter("waiting");
  }

  #end(state, reason) {
    if (this.#phase !== "off" && this.#phase !== "wait") this.#drop();
    this.#quiet();
    this.#phase = "off";
    this.#giveUp();
    this.#enter(state, reason);
  }

  #giveUp() {
    for (const number of this.#lanes.clear()) this.out.push(["error", number, ownError("offline")]);
  }

  /** Nothing is awaited of this connection any more. */
  #quiet() {
    this.#phase = "off";
    this.#liveAt = this.#moveAt = this.#probeAt = null;
    this.streams.lost();
    this.#lanes.lost();
    const calls = this.#calls;
    this.#calls = new Map();
    for (const [number, { kind }] of calls) {
      if (kind === "call") this.out.push(["error", number, ownError("offline")]);
    }
  }

  #enter(state, reason = "") {
    if (state === this.state && !reason) return;
    this.state = state;
    this.out.push(["state", state, reason]);
  }

  // Calls

  /** Run an operation now or not at all; the number under which `ok` or `error` will tell of it. */
  call(op, d, now) {
    if (this.#phase === "live") return this.#ask("call", op, d, now);
    this.out.push(["error", ++this.#last, ownError("offline")]);
    return this.#last;
  }

  /** Run a durable operation, whose `d` has a `nonce`, surely: again under the same nonce, over lost connections and
   * refusals for a while, until it is acknowledged or refused for good. What names a `room` keeps its order. */
  send(op, d, now) {
    const number = ++this.#last;
    if (this.#phase === "off") {
      this.out.push(["error", number, ownError("offline")]);
      return number;
    }
    this.#lanes.add(number, op, d);
    this.#flush(now);
    return number;
  }

  #ask(kind, op, d, now, names = []) {
    const id = ++this.#last;
    this.#calls.set(id, { kind, due: now + rules.CALL_MS, names });
    this.out.push(["send", { id, op, d }]);
    return id;
  }

  #askRest(names, now) {
    if (!names.length) return;
    const positions = Object.fromEntries(names.map((name) => [name, this.streams.positions.get(name) ?? 0]));
    this.#ask("sync", "channel.sync", { positions, epoch: this.streams.epoch }, now, names);
  }

  #flush(now) {
    if (this.#phase !== "live") return;
    for (const { number, op, d } of this.#lanes.ready(now)) {
      this.#calls.set(number, { kind: "line", due: now + rules.CALL_MS, names: [] });
      this.out.push(["send", { id: number, op, d }]);
    }
  }

  // Frames

  /** One frame of the server, parsed. */
  frame(frame, now) {
    if (this.#phase === "off" || this.#phase === "wait" || this.#phase === "opening") return;
    this.#fedAt = now;
    this.#probeAt = null;
    if (frame.ch === undefined) {
      if (frame.ev !== undefined) this.#control(frame.ev, frame.d, now);
      else if (frame.id !== undefined) this.#reply(frame, now);
    } else if (!this.#joined) {
      // Before the answer to `connect` nobody knows where a channel begins.
    } else if (frame.seq === undefined) {
      this.out.push(["event", frame]);
    } else if (this.streams.take(frame, this.out)) {
      this.#askRest([frame.ch], now);
    }
  }

  get #joined() {
    return this.#phase === "joining" || this.#phase === "live";
  }

  #control(ev, d, now) {
    if (ev === "ping") this.out.push(["send", { op: "pong" }]);
    else if (ev === "hello" && this.#phase === "greeting") this.#hello(d, now);
    else if (ev === "live" && this.#phase === "joining") this.#live(now);
    else if (!this.#joined) return;
    else if (ev === "resync") this.streams.reload(d.ch, d.seq, this.out);
    else if (ev === "behind") this.#askRest(this.streams.behind(d, this.out), now);
    else if (ev === "reconnect" && this.#stay) this.#moveAt = now + d.after_ms;
  }

  #hello(hello, now) {
    this.out.push(["hello", hello]);
    if (hello.protocol !== rules.PROTOCOL) {
      this.#end("refused", "fault");
      return;
    }
    this.#jitterMs = hello.reconnect_jitter_ms;
    this.streams.greet(hello.epoch);
    const request = { client: this.#client, epoch: hello.epoch, positions: this.streams.asked() };
    this.#phase = "asking";
    this.#ask("connect", "connect", { ...this.#credential, ...request }, now);
  }

  #live(now) {
    this.#phase = "live";
    this.#liveAt = now;
    this.#rejected = 0;
    const stale = this.streams.goLive();
    this.#enter("live");
    this.out.push(["live", { account: this.connected.account, badges: this.connected.badges, stale }]);
    this.#flush(now);
  }

  #reply(frame, now) {
    const call = this.#calls.get(frame.id);
    if (!call) return;
    this.#calls.delete(frame.id);
    const { kind, names } = call;
    if (frame.error) {
      this.#refused(frame.id, kind, frame.error, now);
      return;
    }
    if (kind === "connect") this.#join(frame.ok);
    else if (kind === "sync") this.streams.synced(names, frame.ok.channels, this.out);
    else if (kind !== "probe") this.out.push(["ok", frame.id, frame.ok]);
    if (kind === "line") {
      this.#lanes.done(frame.id);
      this.#flush(now);
    }
  }

  #join(connected) {
    this.#phase = "joining";
    const same = ["", connected.account.id].includes(this.#account);
    this.#account = connected.account.id;
    this.connected = connected;
    this.streams.join(connected.channels, same);
    // What one account was to say is never said by another.
    if (!same) this.#giveUp();
  }

  #refused(number, kind, error, now) {
    if (kind === "call") {
      this.out.push(["error", number, error]);
    } else if (kind === "line") {
      if (this.#lanes.refused(number, error, now, this.#random())) this.out.push(["error", number, error]);
      this.#flush(now);
    } else if (kind === "connect") {
      // The close code that follows is the verdict; this says how soon another try makes sense.
      this.#leastMs = error.retry_ms ?? 0;
    } else if (kind === "sync") {
      // What is missing is missing still: a new connection continues from the positions.
      this.#leastMs = error.retry_ms ?? 0;
      this.#drop();
      this.#again(now);
    }
  }
}
