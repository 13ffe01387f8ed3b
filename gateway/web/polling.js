// A link for places where WebSockets do not get through: asks by HTTP every few seconds, and tells what it hears in
// the frames of the socket. A link as wiresocket.js describes it. No DOM in here.
//
// What always holds: the frames it tells are those of `channel.sync`, once and in order; a poll that fails ends the
// link, so that the state that is shown is true; pings go out only after a poll that succeeded.

import { currentSession, operate } from "./http.js";
import { PROTOCOL } from "./rules.js";
import { LEAVING, PLACES, placeOf } from "./streams.js";
import { socketWorks } from "./wiresocket.js";

const SHOWN_MS = 3_000;
const HIDDEN_MS = 30_000;
const JITTER = 0.15;
const SOON_MS = 100;
const TRY_SOCKET_MS = 60_000;
const SOCKET_WITHIN_MS = 8_000;

export class PolledSocket {
  #ear;
  #means;
  #over = false;
  #epoch = "";
  #heard = [];
  #missed = [];
  #positions = {};
  #timer = 0;
  #trial = 0;
  #polling = false;
  #trying = false;

  /** `means` has random() and shown(): does anybody look at the page? */
  constructor(ear, means) {
    this.#ear = ear;
    this.#means = means;
    this.#greet();
  }

  close() {
    this.#over = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#trial);
  }

  send({ id, op, d }) {
    if (op === "pong" || this.#over) return;
    if (op === "connect") this.#do(id, () => this.#join(d), () => this.#begin());
    else if (op === "channel.sync") this.#do(id, () => this.#sync(d));
    else this.#do(id, () => this.#operate(op, d));
  }

  /** The page is looked at again, or the network is another one. */
  hurry() {
    if (!this.#timer) return;
    this.#next(0);
    this.#trySocket();
  }

  async #greet() {
    try {
      const { epoch, channels } = await operate("channel.sync", { positions: {} });
      if (this.#over) return;
      this.#epoch = epoch;
      this.#heard = channels;
      this.#ear.opened({});
      const hello = { protocol: PROTOCOL, server_time: Date.now(), epoch, reconnect_jitter_ms: 500, via: "polling" };
      this.#tell({ ev: "hello", d: hello });
    } catch (error) {
      if (this.#over) return;
      this.close();
      this.#ear.failed(error.code, error.retryMs);
    }
  }

  #tell(frame) {
    if (!this.#over) this.#ear.frame(frame);
  }

  #end(code) {
    if (this.#over) return;
    this.close();
    this.#ear.closed(code);
  }

  async #do(id, work, after = () => {}) {
    try {
      const ok = await work();
      this.#tell({ id, ok });
      after();
    } catch (error) {
      if (error.code === "offline") this.#end(1006);
      else if (error.code === "unauthenticated") this.#end(4401);
      else if (error.told) this.#tell({ id, error: error.told });
      else throw error;
    }
  }

  async #operate(op, d) {
    const ok = await operate(op, d);
    // Whoever did something wants to see it.
    if (d.nonce && this.#timer) this.#next(SOON_MS);
    return ok;
  }

  async #join({ positions, epoch }) {
    const inbox = this.#heard.find(({ ch }) => ch.startsWith("user:")).ch;
    const account = await operate("account.get", { account: inbox.slice("user:".length) });
    const session = await currentSession();
    this.#missed = [];
    if (Object.keys(positions).length && epoch === this.#epoch) {
      const synced = await operate("channel.sync", { epoch, positions });
      const continued = new Map(synced.channels.map((channel) => [channel.ch, channel]));
      this.#heard = this.#heard.map((channel) => continued.get(channel.ch) ?? channel);
      this.#missed = synced.frames;
    }
    return { account, session, channels: this.#heard, badges: {} };
  }

  #begin() {
    for (const frame of this.#missed) this.#push(frame);
    for (const { ch, seq } of this.#heard) this.#positions[ch] = seq;
    this.#tell({ ev: "live", d: {} });
    this.#next(this.#pause());
    this.#trySocketLater();
  }

  async #sync(d) {
    const synced = await operate("channel.sync", d);
    for (const frame of synced.frames) this.#push(frame);
    return { epoch: synced.epoch, channels: synced.channels, frames: [] };
  }

  #push(frame) {
    const { ch, seq, ev, d, upto = seq } = frame;
    this.#positions[ch] = Math.max(upto, this.#positions[ch] ?? 0);
    if (LEAVING.has(ev)) delete this.#positions[placeOf(ev, d)];
    else if (PLACES[ev]) this.#positions[placeOf(ev, d)] ??= d.seq;
    this.#tell(frame);
  }

  #pause() {
    const least = this.#means.shown() ? SHOWN_MS : HIDDEN_MS;
    return least * (1 + JITTER * (2 * this.#means.random() - 1));
  }

  #next(delayMs) {
    clearTimeout(this.#timer);
    if (!this.#over) this.#timer = setTimeout(() => this.#poll(), delayMs);
  }

  async #poll() {
    if (this.#polling) return;
    this.#polling = true;
    let wait = null;
    try {
      const asked = { ...this.#positions };
      this.#heed(asked, await operate("channel.sync", { epoch: this.#epoch, positions: asked }));
    } catch (error) {
      if (error.code === "unauthenticated") this.#end(4401);
      else if (error.code === "rate_limited") wait = error.retryMs;
      else this.#end(1006);
    }
    this.#polling = false;
    this.#next(Math.max(wait ?? 0, this.#pause()));
  }

  #heed(asked, { epoch, channels, frames }) {
    if (this.#over) return;
    if (epoch !== this.#epoch) {
      this.#end(1006);
      return;
    }
    const answered = new Set(channels.map(({ ch }) => ch));
    for (const ch of Object.keys(asked)) if (!answered.has(ch)) delete this.#positions[ch];
    for (const frame of frames) this.#push(frame);
    for (const { ch, seq, recovered } of channels) {
      if (recovered) continue;
      this.#positions[ch] = seq;
      this.#tell({ ev: "resync", d: { ch, seq, reason: "too much was missed" } });
    }
    this.#tell({ ev: "ping", d: {} });
  }

  // Now and then the way may be free after all.
  #trySocketLater() {
    const delay = TRY_SOCKET_MS * (1 + JITTER * (2 * this.#means.random() - 1));
    clearTimeout(this.#trial);
    if (!this.#over) this.#trial = setTimeout(() => this.#trySocket(), delay);
  }

  async #trySocket() {
    if (this.#trying) return;
    this.#trying = true;
    const works = await socketWorks(SOCKET_WITHIN_MS);
    this.#trying = false;
    if (works) this.#free();
    else this.#trySocketLater();
  }

  #free() {
    if (this.#over) return;
    this.#means.free();
    this.#tell({ ev: "reconnect", d: { after_ms: 0 } });
  }
}
