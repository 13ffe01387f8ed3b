// The page's client: the shell around the silent core (protocol.js), with the clock, the timer and a link. No DOM.
//
// Links: a WebSocket of one's own (wiresocket.js), the one of the leading tab (tabs.js), or polling where sockets do
// not get through (polling.js).
//
// Events, by `on(name, f)`:
//   state  {state, reason, via}        stopped | connecting | waiting | live | refused; via: polling, or ""
//   live   {account, badges, stale}    everything missed was handed out; `stale` channels are to be read by page
//   event  frame                       a durable or ephemeral push
//   reload {ch}                        read this channel anew by page
//   busy   {ch}                        so much is said there that it pauses for whoever does not watch it

import { Attendance } from "./attendance.js";
import { CallError, currentSession, post } from "./http.js";
import { PolledSocket } from "./polling.js";
import { Protocol } from "./protocol.js";
import { TabHub, TabSocket, Tabs } from "./tabs.js";
import { WITHOUT, WireSocket } from "./wiresocket.js";

export const CLIENT = { name: "tsudoi-web", version: "0.1.0" };

// So many handshakes that got a ticket by HTTP and then no greeting say that sockets do not get through here.
const MUTE_MAX = 3;

export class Client {
  #core = new Protocol(CLIENT, Math.random);
  #listeners = new Map();
  #calls = new Map();
  #tabs = new Tabs({ changed: () => this.#ledAnew(), heard: (message) => this.#heard(message) });
  #hub = new TabHub(this.#tabs, this.#core, (op, d, from) => this.#forAnother(op, d, from));
  #link = null;
  #timer = 0;
  #draining = false;
  #running = false;
  #checked = false;
  #mute = 0;
  #greeting = null;
  #offsetMs = 0;
  #last = 0;
  #skew = 0;
  #shown;
  #coming = "";
  /** What this browser's tabs say of the person at them. */
  attendance;
  /** What is answered and told goes through this before anybody sees it. */
  through = (value) => value;

  /** `shown()`: does anybody look at the page? */
  constructor({ shown = () => true } = {}) {
    this.#shown = shown;
    const client = this;
    this.attendance = new Attendance({
      me: this.#tabs.me,
      now: () => this.#clock(),
      later: (act, ms) => setTimeout(act, ms),
      call: (op, d) => this.call(op, d),
      get live() {
        return client.state === "live";
      },
      get follows() {
        return client.role === "follower";
      },
      get polls() {
        return client.via !== "";
      },
    });
  }

  get state() {
    return this.#core.state;
  }

  /** The way by which it is live: "" or polling. */
  get via() {
    return this.#greeting?.via ?? "";
  }

  /** leader, follower or alone, for the curious. */
  get role() {
    return this.#tabs.role;
  }

  /** Is this channel heard without being on the screen? */
  hears(ch) {
    return this.#core.streams.own.has(ch);
  }

  /** The server's time, as far as one can tell. */
  now() {
    return Date.now() + this.#offsetMs;
  }

  on(name, listener) {
    this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), listener]);
  }

  // Life

  /** Connect, and stay connected until `stop` or a final verdict. */
  async start() {
    this.#running = true;
    this.#checked = false;
    await this.#tabs.enter();
    if (!this.#running) return;
    this.#core.start(this.#clock());
    this.#drain();
  }

  /** Leave for good; positions are forgotten, because the next start may be another person's. */
  stop() {
    this.#running = false;
    this.#core.stop(this.#clock());
    this.#core.forget();
    this.#drain();
    this.#tabs.leave();
  }

  /** The browser believes that there is a network again. */
  online() {
    this.#hurry();
    this.#core.online(this.#clock());
    this.#drain();
  }

  /** The page was woken or shown: timers may have slept, so ask whether the link still carries. */
  nudge() {
    this.#hurry();
    this.#core.woke(this.#clock());
    this.#drain();
  }

  #hurry() {
    this.#link?.hurry?.();
    // The leading tab may be hidden, where nobody wakes it.
    if (this.role === "follower") this.#tabs.say("leader", "nudge");
  }

  // Calls

  /** Run an operation, now or not at all; resolves with its result, rejects with CallError. */
  call(op, d = {}) {
    return this.#result(this.#core.call(op, d, this.#clock()));
  }

  /** Run a durable operation surely, over lost links, in order within its room; rejects once it is refused for good,
   * or with `offline` when the client ends before. */
  send(op, d) {
    return this.#result(this.#core.send(op, d, this.#clock()));
  }

  #result(number) {
    const result = new Promise((resolve, reject) => this.#calls.set(number, { resolve, reject }));
    this.#drain();
    return result;
  }

  // The core's time never goes back, whatever somebody does to the clock.
  #clock() {
    const now = Date.now() + this.#skew;
    if (now < this.#last) this.#skew += this.#last - now;
    this.#last = Math.max(now, this.#last);
    return this.#last;
  }

  // What the core says

  #drain() {
    if (this.#draining) return;
    this.#draining = true;
    while (this.#core.out.length) {
      const out = this.#core.out;
      this.#core.out = [];
      for (const item of out) this.#do(item);
    }
    this.#draining = false;
    clearTimeout(this.#timer);
    const due = this.#core.deadline;
    if (due !== null) this.#timer = setTimeout(() => this.#tick(), Math.max(0, due - this.#clock()));
  }

  #tick() {
    this.#core.tick(this.#clock());
    this.#drain();
  }

  #do([what, a, b]) {
    if (what === "event" || what === "skip") this.#event(what, a);
    else if (what === "send") this.#link?.send(a);
    else if (what === "ok") this.#settle(a, (call) => call.resolve(this.through(b)));
    else if (what === "error") this.#settle(a, (call) => call.reject(new CallError(b)));
    else if (what === "open") this.#dial();
    else if (what === "close") this.#hangUp();
    else if (what === "hello") this.#greeted(a);
    else if (what === "live") this.#live(a);
    else if (what === "state") this.#state(a, b);
    else if (what === "busy") this.#busy(a, b);
    else if (what === "reload") {
      this.#hub.reload(a, b);
      this.#emit("reload", { ch: a });
    }
  }

  #emit(name, detail) {
    for (const listener of this.#listeners.get(name) ?? []) {
      try {
        listener(detail);
      } catch (error) {
        // One listener's fault is told, and keeps nothing from the others.
        reportError(error);
      }
    }
  }

  #settle(number, tell) {
    const call = this.#calls.get(number);
    this.#calls.delete(number);
    if (call) tell(call);
  }

  #event(what, frame) {
    if (this.role === "leader") this.#hub.pass(frame);
    if (what === "event") this.#emit("event", this.through(frame));
  }

  #busy(ch, seq) {
    if (this.role === "leader") this.#hub.busy(ch, seq);
    this.#emit("busy", { ch });
  }

  #greeted(hello) {
    this.#mute = 0;
    this.#checked = true;
    this.#greeting = hello;
    this.#offsetMs = hello.server_time - Date.now();
  }

  #live({ account, badges, stale }) {
    if (this.role === "leader") {
      for (const ch of stale) this.#hub.reload(ch, 0);
      this.#hub.up(() => this.#greet());
    }
    this.attendance.begun(this.#coming);
    this.#emit("live", { account, badges, stale: new Set(stale) });
  }

  /** What the leader greets its followers with. */
  #greet() {
    return {
      ...this.#greeting,
      server_time: this.now(),
      reconnect_jitter_ms: 0,
      session: this.#core.connected.session,
    };
  }

  #state(state, reason) {
    if (this.role === "leader" && state !== "live") this.#hub.down(DOWN_CODES[reason]);
    // Who was refused leads nobody: the next tab may have another cookie.
    if (state === "refused") this.#tabs.leave();
    this.#emit("state", { state, reason, via: state === "live" ? this.via : "" });
  }

  // Links

  #dial() {
    this.#hangUp();
    let heard = false;
    let mine = null;
    const told = (f) => (...args) => {
      // A link that was given up has no say any more.
      if (mine !== null && mine !== this.#link) return;
      f(...args);
      this.#drain();
    };
    const ear = {
      opened: told((credential) => {
        this.#coming = this.attendance.coming;
        this.#core.opened({ ...credential, presence: this.#coming }, this.#clock());
      }),
      frame: told((frame) => {
        heard = true;
        if (frame.ev === "ping" && this.role === "leader") this.#hub.pass(frame);
        this.#core.frame(frame, this.#clock());
      }),
      closed: told((code) => {
        if (!heard && this.#link instanceof WireSocket) this.#mute++;
        this.#link = null;
        this.#core.lost(code, this.#clock());
      }),
      failed: told((code, retryMs) => {
        if (code === WITHOUT) this.#mute = MUTE_MAX;
        this.#link = null;
        this.#core.failed(code, retryMs, this.#clock());
      }),
    };
    mine = this.#link = this.#newLink(ear);
  }

  #newLink(ear) {
    if (this.role === "follower") {
      const mine = this.#checked ? null : currentSession;
      return new TabSocket(ear, this.#tabs, { mine, unanswered: () => this.#leaderSilent() });
    }
    if (this.#mute < MUTE_MAX) return new WireSocket(ear);
    return new PolledSocket(ear, { random: Math.random, shown: this.#shown, free: () => (this.#mute = 0) });
  }

  #hangUp() {
    const link = this.#link;
    this.#link = null;
    link?.close();
  }

  // Other tabs

  #ledAnew() {
    if (this.role !== "leader") this.#hub.retire();
    if (!this.#running || this.state === "refused") return;
    this.#core.start(this.#clock());
    this.#drain();
  }

  // A page that is shown does not wait for one that the system may have put to sleep.
  #leaderSilent() {
    if (this.#shown()) this.#tabs.steal();
  }

  #heard(message) {
    if (this.role === "leader") {
      if (message.kind === "anew") this.#ledAnew();
      else if (message.kind === "nudge") this.#core.woke(this.#clock());
      else {
        // In a hidden tab timers are late: those who ask are a clock too.
        this.#core.tick(this.#clock());
        this.#hub.take(message);
      }
    } else if (message.kind === "leader") {
      if (this.state !== "live" || this.#link?.leader !== message.from) this.#ledAnew();
    } else if (this.#link instanceof TabSocket) {
      this.#link.take(message);
    }
    this.#drain();
  }

  async #forAnother(op, d, from) {
    try {
      return { ok: await (this.attendance.forAnother(from, op, d) ?? this.call(op, d)) };
    } catch (error) {
      return { error: error.told };
    }
  }
}

/** What followers are told when the leader was refused: the code with the same verdict. */
const DOWN_CODES = { signed_out: 4401, suspended: 4403, retired: 4409, not_allowed: 4400, fault: 4000 };
