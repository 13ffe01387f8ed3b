// Lines on their way: kept until the server has acknowledged them, sent again under the same nonce. No DOM in here.
//
// What always holds: a line's content never changes once it has a nonce (the server would refuse it); the lines of
// a room leave in the order they were written; a line goes away only when it is acknowledged or taken back.

const RETRY_MS = 1_000;
const FAULTS_MAX = 5;
// Longer than this is for the person to decide, not for a loop.
const WAIT_MAX_MS = 60_000;

export class Outbox {
  #client;
  #keep;
  #busy = new Set();
  #faults = new Map();
  #changed;
  #sent;
  lines = [];

  /** `keep` has load() → lines and save(lines); `changed(room)`; `sent(line, {message, seq, at})`. */
  constructor(client, { keep, changed, sent }) {
    this.#client = client;
    this.#keep = keep;
    this.#changed = changed;
    this.#sent = sent;
    client.on("live", () => this.flush());
    client.on("state", ({ state }) => this.#stateIs(state));
  }

  /** Take up what an earlier visit of this tab left behind. */
  open() {
    this.lines = this.#keep.load().map((line) => ({ ...line, state: "waiting", error: "" }));
  }

  /** The lines of a room that are not acknowledged, in order. `state`: sending, waiting or refused. */
  of(room) {
    return this.lines.filter((line) => line.room === room);
  }

  add(room, text, replyTo = null) {
    const offline = this.#client.state !== "live";
    const written = offline ? Math.round(this.#client.now()) : null;
    const line = { nonce: newNonce(), room, text, reply_to: replyTo, written_at: written };
    this.lines.push({ ...line, state: offline ? "waiting" : "sending", error: "" });
    this.#note(room);
    this.#pump(room);
  }

  /** Try a refused or waiting line again. */
  retry(nonce) {
    const line = this.#find(nonce);
    if (!line) return;
    line.state = "waiting";
    this.#faults.delete(nonce);
    this.#pump(line.room);
    this.#changed(line.room);
  }

  /** Take back a line that was refused. */
  discard(nonce) {
    const line = this.#find(nonce);
    if (line?.state === "refused") this.#remove(line);
  }

  flush() {
    for (const room of new Set(this.lines.map((line) => line.room))) this.#pump(room);
  }

  #find(nonce) {
    return this.lines.find((line) => line.nonce === nonce);
  }

  #remove(line) {
    this.lines = this.lines.filter((other) => other !== line);
    this.#faults.delete(line.nonce);
    this.#note(line.room);
  }

  #note(room) {
    this.#keep.save(this.lines);
    this.#changed(room);
  }

  #stateIs(state) {
    if (state === "live") return;
    for (const line of this.lines) if (line.state === "sending") line.state = "waiting";
    for (const room of new Set(this.lines.map((line) => line.room))) this.#changed(room);
  }

  async #pump(room) {
    if (this.#busy.has(room)) return;
    this.#busy.add(room);
    try {
      while (this.#client.state === "live") {
        const line = this.lines.find((other) => other.room === room && other.state !== "refused");
        if (!line) break;
        await this.#try(line);
      }
    } finally {
      this.#busy.delete(room);
    }
    // The link may have come back between the last look and the end of the loop.
    const left = this.lines.some((other) => other.room === room && other.state === "waiting");
    if (left && this.#client.state === "live") this.#pump(room);
  }

  async #try(line) {
    line.state = "sending";
    this.#changed(line.room);
    const { room, text, nonce, reply_to, written_at } = line;
    try {
      const sent = await this.#client.call("room.send", { room, text, nonce, reply_to, written_at });
      this.#sent(line, sent);
      this.#remove(line);
    } catch (error) {
      await this.#failed(line, error);
    }
  }

  async #failed(line, error) {
    const faults = (this.#faults.get(line.nonce) ?? 0) + 1;
    if (error.code === "internal") this.#faults.set(line.nonce, faults);
    line.state = "waiting";
    const hopeless = (error.code === "internal" && faults >= FAULTS_MAX) || error.retryMs > WAIT_MAX_MS;
    if (!error.temporary || hopeless) {
      line.state = "refused";
      line.error = error.details?.reason ?? error.code;
    }
    this.#changed(line.room);
    if (line.state === "waiting" && error.code !== "offline") await pause(error.retryMs ?? RETRY_MS);
  }
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

// Not randomUUID, which browsers withhold on a plain-http LAN.
function newNonce() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
