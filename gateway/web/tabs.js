// Tabs of one browser share one link: the one that holds the lock leads and has the link, the others follow. No DOM.
//
// To its followers the leader is a small server that speaks the same protocol, so that each tab has a core of its own
// with positions of its own: when the leader goes, the next one continues from them. What always holds: at most one
// tab leads at a time, as the browser's lock says; a follower is told everything from the positions it showed on, or
// told to reload; where there are no locks (plain http), every tab is alone with a link of its own.

const NAME = "tsudoi.link";
const HI_MS = 3_000;
const KEPT_FRAMES = 100;
const DOWN = 1006;

function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export class Tabs {
  #changed;
  #heard;
  #channel = null;
  #release = null;
  #waiting = null;
  #generation = 0;
  me = newId();
  /** alone, leader, follower; none before `enter` */
  role = "none";

  /** `changed(role)` when this tab begins to lead or is led again; `heard(message)` for what other tabs say. */
  constructor({ changed, heard }) {
    this.#changed = changed;
    this.#heard = heard;
  }

  /** Take part. Resolves with the role to begin with. */
  async enter() {
    if (this.role !== "none") return this.role;
    const generation = ++this.#generation;
    this.role = "alone";
    if (!navigator.locks || !globalThis.BroadcastChannel) return this.role;
    this.#channel = new BroadcastChannel(NAME);
    this.#channel.onmessage = ({ data }) => {
      if (data.from !== this.me && (data.to === this.me || data.to === "all" || data.to === this.role)) this.#heard(data);
    };
    this.role = "follower";
    await this.#tryNow(generation);
    if (this.role === "follower" && generation === this.#generation) this.#queue(generation);
    return this.role;
  }

  /** Take part no longer: the next tab may lead. */
  leave() {
    if (this.role === "none") return;
    this.#generation++;
    this.role = "none";
    this.#waiting?.abort();
    this.#release?.();
    this.#channel?.close();
    this.#waiting = this.#release = this.#channel = null;
  }

  /** Say something to a tab, to "leader", or to "all". */
  say(to, kind, what = {}) {
    this.#channel?.postMessage({ to, from: this.me, kind, ...what });
  }

  /** Lead in the place of a leader that does not answer. */
  steal() {
    if (this.role !== "follower") return;
    this.#waiting?.abort();
    this.#hold({ steal: true }, this.#generation);
  }

  #tryNow(generation) {
    return new Promise((resolve) => {
      this.#hold({ ifAvailable: true }, generation, resolve);
    });
  }

  #queue(generation) {
    this.#waiting = new AbortController();
    this.#hold({ signal: this.#waiting.signal }, generation);
  }

  async #hold(options, generation, tried = null) {
    try {
      await navigator.locks.request(NAME, options, (lock) => {
        if (!lock || generation !== this.#generation) {
          tried?.();
          return null;
        }
        this.role = "leader";
        if (tried) tried();
        else this.#changed(this.role);
        return new Promise((resolve) => (this.#release = resolve));
      });
    } catch {
      // Where the browser keeps locks from us, we are alone.
      if (tried && this.role === "follower") {
        this.role = "alone";
        tried();
      }
      // Given up by `leave` or `steal`, or stolen from us.
      if (generation !== this.#generation || this.role !== "leader") return;
      this.#release = null;
      this.role = "follower";
      this.#queue(generation);
      this.#changed(this.role);
    }
  }
}

/** A follower's link, by way of the leader; a link as wiresocket.js describes it. */
export class TabSocket {
  #ear;
  #tabs;
  #mine;
  #over = false;
  #joined = false;
  #timer = 0;
  /** Who answers us, once somebody does. */
  leader = "";

  /** `mine()` resolves with the session that the cookie stands for, null if that is known to be the leader's;
   * `unanswered()` if no leader answers in time. */
  constructor(ear, tabs, { mine, unanswered }) {
    this.#ear = ear;
    this.#tabs = tabs;
    this.#mine = mine;
    this.#timer = setTimeout(() => !this.#over && unanswered(), HI_MS);
    tabs.say("leader", "hi");
  }

  send(frame) {
    if (frame.op !== "pong") this.#tabs.say("leader", "up", { frame });
  }

  close() {
    this.#over = true;
    clearTimeout(this.#timer);
  }

  /** What the leader said. */
  take({ kind, from, to, frame, code }) {
    if (this.#over || (this.leader && from !== this.leader)) return;
    if (kind === "hello") {
      this.leader = from;
      clearTimeout(this.#timer);
      this.#greeted(frame);
    } else if (kind === "frame" && (to !== "all" || this.#joined)) {
      this.#joined = true;
      this.#ear.frame(frame);
    } else if (kind === "down") {
      this.close();
      this.#ear.closed(code);
    }
  }

  async #greeted(hello) {
    try {
      const session = this.#mine ? await this.#mine() : hello.d.session;
      if (this.#over) return;
      if (session !== hello.d.session) {
        // Somebody else came in by another tab: the leader is to come in anew, with the cookie as it is now.
        this.#tabs.say("leader", "anew");
        return;
      }
      this.#ear.opened({});
      this.#ear.frame(hello);
    } catch (error) {
      if (this.#over) return;
      this.close();
      this.#ear.failed(error.code, error.retryMs ?? null);
    }
  }
}

/** The leader's side: answers followers, and passes on what its own core handed out. */
export class TabHub {
  #tabs;
  #core;
  #ask;
  #recent = new Map();
  #joined = new Set();
  #hello = null;

  /** `core` is the leader's; `ask(op, d, tab)` runs an operation for a tab and resolves with {ok} or {error}. */
  constructor(tabs, core, ask) {
    this.#tabs = tabs;
    this.#core = core;
    this.#ask = ask;
  }

  /** The link is live: `hello` is what followers are greeted with. */
  up(hello) {
    this.#hello = hello;
    this.#joined.clear();
    this.#tabs.say("all", "leader");
  }

  /** The link is lost, or was refused with this code. */
  down(code = DOWN) {
    this.#hello = null;
    this.#tabs.say("all", "down", { code });
  }

  /** Another tab leads. */
  retire() {
    this.#hello = null;
    this.#recent.clear();
  }

  /** One durable event or skip that the core handed out, one ephemeral event, a ping. */
  pass(frame) {
    if (frame.seq !== undefined) this.#keep(frame);
    if (this.#hello) this.#tabs.say("all", "frame", { frame });
  }

  /** The core was told to read a channel anew. */
  reload(ch, seq) {
    this.#recent.delete(ch);
    if (this.#hello) this.#tabs.say("all", "frame", { frame: { ev: "resync", d: { ch, seq, reason: "the leading tab was told so" } } });
  }

  /** A channel pauses. */
  busy(ch, seq) {
    if (this.#hello) this.#tabs.say("all", "frame", { frame: { ev: "behind", d: { ch, seq, reason: "busy" } } });
  }

  /** What a follower said. */
  take({ kind, from, frame }) {
    if (kind === "hi") {
      if (this.#hello) this.#tabs.say(from, "hello", { frame: { ev: "hello", d: this.#hello() } });
      else this.#tabs.say(from, "down", { code: DOWN });
    } else if (kind === "up" && this.#hello) {
      this.#up(from, frame);
    }
  }

  async #up(from, { id, op, d }) {
    const tell = (frame) => this.#tabs.say(from, "frame", { frame });
    if (op === "connect") this.#joined.add(from);
    // Somebody who was connected to the link before this one may mean another account.
    if (!this.#joined.has(from)) return;
    if (op === "connect" || op === "channel.sync") {
      const { channels, missed } = this.#continued(d, op === "connect");
      const { account, session, badges } = this.#core.connected;
      const reply = { id, ok: op === "connect" ? { account, session, badges, channels } : { channels } };
      const live = op === "connect" ? [{ ev: "live", d: {} }] : [];
      [reply, ...missed, ...live].forEach(tell);
    } else {
      tell({ id, ...(await this.#ask(op, d, from)) });
    }
  }

  #continued({ positions, epoch }, all) {
    const { streams } = this.#core;
    const channels = [];
    const missed = [];
    for (const [ch, seq] of streams.positions) {
      const at = epoch === streams.epoch ? positions[ch] : undefined;
      // What is only on the leader's screen is not the account's.
      if (all ? !streams.own.has(ch) : at === undefined) continue;
      const rest = (this.#recent.get(ch) ?? []).filter((frame) => (frame.upto ?? frame.seq) > at);
      const recovered = at === seq || (at < seq && rest.length > 0 && rest[0].seq <= at + 1);
      channels.push({ ch, seq, recovered });
      if (recovered) missed.push(...rest);
    }
    return { channels, missed };
  }

  #keep(frame) {
    const known = this.#recent.get(frame.ch) ?? [];
    const end = known.at(-1);
    // Without a hole, or it is of no use to anybody.
    const kept = end && (end.upto ?? end.seq) + 1 === frame.seq ? known : [];
    kept.push(frame);
    if (kept.length > KEPT_FRAMES) kept.splice(0, kept.length - KEPT_FRAMES);
    this.#recent.set(frame.ch, kept);
  }
}
