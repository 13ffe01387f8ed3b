// The protocol client: one connection to the server, kept up (docs/protocol.md). No DOM in here.
//
// What always holds: every durable event is handed out once and in order per channel, or the channel is named in
// `stale` / `reload`; a call ends with its answer or with a CallError; nothing reconnects after a final verdict.
//
// Events, by `on(name, f)`:
//   state  {state, reason}             stopped | connecting | waiting | live | refused (reason: see `verdict`)
//   live   {account, badges, stale}    everything missed was handed out; `stale` channels are to be read by page
//   event  frame                       a durable or ephemeral push
//   reload {ch}                        read this channel anew by page

export const CLIENT = { name: "tsudoi-web", version: "0.1.0" };

const SILENCE_MS = 40_000;
const HANDSHAKE_MS = 15_000;
const CALL_MS = 30_000;
const PROBE_MS = 5_000;
const WATCH_MS = 5_000;
const STABLE_MS = 60_000;
const BACKOFF_MS = 500;
const BACKOFF_MAX_MS = 20_000;
const ONLINE_MS = 500;

/** Why a call did not succeed: a code of the server's table, or `offline`, `timeout` from here. */
export class CallError extends Error {
  constructor({ code, message = code, retry_ms = null, details = {}, request_id = "" }) {
    super(message);
    this.code = code;
    this.retryMs = retry_ms;
    this.details = details;
    this.requestId = request_id;
  }

  /** The same request may succeed later without being changed. */
  get temporary() {
    return ["offline", "timeout", "rate_limited", "unavailable", "internal"].includes(this.code);
  }
}

/** What a close code means: "again", or why connecting again would not help. The range is the verdict. */
export function verdict(code) {
  if ((code >= 4000 && code <= 4099) || [1002, 1003, 1007, 1009].includes(code)) return "fault";
  if (code === 4401) return "signed_out";
  if (code === 4403) return "suspended";
  if (code === 4409) return "retired";
  if (code >= 4400 && code <= 4499) return "not_allowed";
  return "again";
}

/** POST a JSON object with the cookie; the `ok` of the answer. Throws CallError. */
export async function post(path, body) {
  let response;
  try {
    response = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      credentials: "same-origin",
      cache: "no-store",
      signal: AbortSignal.timeout(HANDSHAKE_MS),
    });
  } catch {
    throw new CallError({ code: "offline" });
  }
  const answer = await response.json().catch(() => ({}));
  if (answer.ok !== undefined) return answer.ok;
  throw new CallError(answer.error ?? { code: response.status === 404 ? "not_found" : "unavailable" });
}

/** What the client needs of the world; tests may hand in their own. */
function browser() {
  return {
    ticket: async () => (await post("/api/v1/session.ticket", {})).ticket,
    socket: () => new WebSocket(location.origin.replace(/^http/, "ws") + "/gateway", "tsudoi.v1"),
    random: Math.random,
    now: Date.now,
  };
}

export class Client {
  #means;
  #listeners = new Map();
  #state = "stopped";
  #socket = null;
  #attempt = 0;
  #tries = 0;
  #timer = 0;
  #watch = 0;
  #fedAt = 0;
  #liveAt = 0;
  #joined = false;
  #rejected = 0;
  #calls = new Map();
  #lastId = 0;
  #epoch = "";
  #jitterMs = BACKOFF_MS;
  #offsetMs = 0;
  #positions = new Map();
  #held = new Map();
  #stale = new Set();
  #welcome = null;

  constructor(means = browser()) {
    this.#means = means;
  }

  get state() {
    return this.#state;
  }

  /** The server's time, as far as one can tell. */
  now() {
    return this.#means.now() + this.#offsetMs;
  }

  on(name, listener) {
    this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), listener]);
  }

  #emit(name, detail) {
    for (const listener of this.#listeners.get(name) ?? []) listener(detail);
  }

  #enter(state, reason = "") {
    if (state === this.#state && !reason) return;
    this.#state = state;
    this.#emit("state", { state, reason });
  }

  // Life

  /** Connect, and stay connected until `stop` or a final verdict. */
  start() {
    this.#tries = 0;
    this.#rejected = 0;
    clearInterval(this.#watch);
    this.#watch = setInterval(() => this.#look(), WATCH_MS);
    this.#open();
  }

  /** Leave for good; positions are forgotten, because the next start may be another person's. */
  stop() {
    this.#end("stopped");
    this.#positions.clear();
    this.#epoch = "";
  }

  /** The browser believes that there is a network again. */
  online() {
    if (this.#state === "waiting") this.#schedule(this.#means.random() * ONLINE_MS);
  }

  /** The page was woken or shown: timers may have slept, so ask whether the link still carries. */
  nudge() {
    if (this.#state === "waiting") this.online();
    if (this.#state !== "live") return;
    const socket = this.#socket;
    this.call("clock.read", { t: this.#means.now() }, PROBE_MS).catch(() => {
      if (socket === this.#socket) this.#drop();
    });
  }

  async #open() {
    clearTimeout(this.#timer);
    this.#let();
    const attempt = ++this.#attempt;
    this.#enter("connecting");
    try {
      const ticket = await this.#means.ticket();
      if (attempt === this.#attempt) this.#connect(ticket);
    } catch (error) {
      if (attempt !== this.#attempt) return;
      if (error.code === "unauthenticated") this.#end("refused", "signed_out");
      else if (error.code === "forbidden") this.#end("refused", "not_allowed");
      else this.#again(error.retryMs ?? 0);
    }
  }

  #connect(ticket) {
    const socket = this.#means.socket();
    this.#socket = socket;
    this.#fedAt = this.#means.now();
    socket.onclose = (event) => this.#lost(event.code);
    socket.onmessage = (event) => {
      this.#fedAt = this.#means.now();
      this.#frame(JSON.parse(event.data), ticket);
    };
  }

  #look() {
    const silent = this.#means.now() - this.#fedAt;
    if (this.#socket && silent > (this.#joined ? SILENCE_MS : HANDSHAKE_MS)) this.#drop();
    if (this.#liveAt && this.#means.now() - this.#liveAt > STABLE_MS) this.#tries = this.#rejected = 0;
  }

  /** Give the socket up from this side: its own close event may take minutes to come. */
  #drop() {
    this.#let();
    this.#lost(1006);
  }

  #let() {
    const socket = this.#socket;
    this.#socket = null;
    if (socket === null) return;
    socket.onclose = socket.onmessage = null;
    socket.close();
  }

  #lost(code) {
    this.#quiet();
    const reason = verdict(code);
    // A ticket that came too late is refused like a session that ended; a fresh ticket tells them apart.
    if (reason === "again") this.#again(0);
    else if (reason === "signed_out" && this.#rejected++ === 0) this.#askAgain();
    else this.#end("refused", reason);
  }

  #quiet() {
    this.#socket = null;
    this.#joined = false;
    this.#liveAt = 0;
    this.#held.clear();
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const call of calls) call.reject(new CallError({ code: "offline" }));
  }

  #end(state, reason) {
    this.#attempt++;
    clearTimeout(this.#timer);
    clearInterval(this.#watch);
    this.#let();
    this.#quiet();
    this.#enter(state, reason);
  }

  #again(leastMs) {
    const most = this.#tries === 0 ? this.#jitterMs : Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** this.#tries);
    this.#tries++;
    this.#enter("waiting");
    this.#schedule(Math.max(leastMs, this.#means.random() * most));
  }

  // Soon: whoever was signed out should not look at a dead page.
  #askAgain() {
    this.#tries++;
    this.#enter("waiting");
    this.#schedule(this.#means.random() * BACKOFF_MS);
  }

  #schedule(delayMs) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#open(), delayMs);
  }

  // Calls

  /** Run an operation over the socket; resolves with its result, rejects with CallError. */
  call(op, d = {}, timeoutMs = CALL_MS) {
    if (!this.#joined) return Promise.reject(new CallError({ code: "offline" }));
    return this.#ask(op, d, timeoutMs);
  }

  #ask(op, d, timeoutMs) {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#calls.delete(id);
        reject(new CallError({ code: "timeout" }));
      }, timeoutMs);
      const settle = (f) => (value) => {
        clearTimeout(timer);
        f(value);
      };
      this.#calls.set(id, { resolve: settle(resolve), reject: settle(reject) });
      this.#write({ id, op, d });
    });
  }

  #write(frame) {
    if (this.#socket?.readyState === 1) this.#socket.send(JSON.stringify(frame));
  }

  // Frames

  #frame(frame, ticket) {
    if ("id" in frame) this.#reply(frame);
    else if (frame.ch === undefined) this.#control(frame, ticket);
    else if (frame.seq === undefined) this.#emit("event", frame);
    else this.#durable(frame);
  }

  #reply(frame) {
    const call = this.#calls.get(frame.id);
    this.#calls.delete(frame.id);
    if (frame.error) call?.reject(new CallError(frame.error));
    else call?.resolve(frame.ok);
  }

  #control({ ev, d }, ticket) {
    if (ev === "hello") this.#hello(d, ticket);
    else if (ev === "live") this.#live();
    else if (ev === "ping") this.#write({ op: "pong" });
    else if (ev === "resync") this.#reload(d.ch, d.seq);
    else if (ev === "behind") this.#sync(d.ch);
    else if (ev === "reconnect") this.#move(d.after_ms);
  }

  #hello(hello, ticket) {
    this.#jitterMs = hello.reconnect_jitter_ms;
    this.#offsetMs = hello.server_time - this.#means.now();
    const positions = hello.epoch === this.#epoch ? Object.fromEntries(this.#positions) : {};
    this.#epoch = hello.epoch;
    const request = { client: CLIENT, ticket, epoch: hello.epoch, positions };
    const failed = (error) => {
      // The close code that follows is the verdict; only an answer that never came needs an end from here.
      if (error.code === "timeout") this.#drop();
    };
    this.#ask("connect", request, HANDSHAKE_MS).then((ok) => this.#join(ok), failed);
  }

  #join({ account, channels, badges }) {
    this.#joined = true;
    this.#welcome = { account, badges };
    const before = this.#positions;
    this.#positions = new Map();
    for (const { ch, seq, recovered } of channels) {
      const continued = recovered && before.has(ch);
      this.#positions.set(ch, continued ? before.get(ch) : seq);
      if (!continued) this.#stale.add(ch);
    }
  }

  #live() {
    this.#liveAt = this.#means.now();
    const stale = this.#stale;
    this.#stale = new Set();
    this.#enter("live");
    this.#emit("live", { ...this.#welcome, stale });
  }

  #move(afterMs) {
    const socket = this.#socket;
    setTimeout(() => {
      if (socket === this.#socket) this.#drop();
    }, afterMs);
  }

  #durable(frame) {
    const { ch, seq, ev, upto = seq } = frame;
    const last = this.#positions.get(ch);
    if (last !== undefined && upto <= last) return;
    if (last !== undefined && seq > last + 1) {
      this.#hole(frame);
      return;
    }
    this.#positions.set(ch, upto);
    if (ev === "skip") return;
    if (ev === "room.joined") this.#heard(`room:${frame.d.room}`, frame.d.seq);
    if (ev === "room.left") this.#positions.delete(`room:${frame.d.room}`);
    this.#emit("event", frame);
  }

  #heard(ch, seq) {
    this.#positions.set(ch, Math.max(seq, this.#positions.get(ch) ?? 0));
  }

  // Must not happen by the contract; whoever sees it asks for the rest instead of going on without.
  #hole(frame) {
    const held = this.#held.get(frame.ch);
    if (held) held.push(frame);
    else this.#sync(frame.ch, [frame]);
  }

  async #sync(ch, held = []) {
    if (this.#held.has(ch)) return;
    this.#held.set(ch, held);
    try {
      const positions = { [ch]: this.#positions.get(ch) ?? 0 };
      const { channels } = await this.call("channel.sync", { positions, epoch: this.#epoch });
      for (const { seq, recovered } of channels) if (!recovered) this.#reload(ch, seq);
    } catch (error) {
      if (error.code !== "offline") this.#drop();
      return;
    }
    this.#held.delete(ch);
    for (const frame of held) this.#durable(frame);
  }

  #reload(ch, seq) {
    this.#positions.set(ch, seq);
    if (this.#liveAt) this.#emit("reload", { ch });
    else this.#stale.add(ch);
  }
}
