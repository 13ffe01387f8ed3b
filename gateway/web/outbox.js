// Lines on their way: kept until the server has acknowledged them, over reloads and restarts of the browser, seen by
// all tabs and sent by one of them. No DOM in here.
//
// What always holds: a line's content never changes once it has a nonce (the server would refuse it); the lines of a
// room leave in the order in which they were written; a line goes away only when it is acknowledged or taken back.

import { solely } from "./only.js";

export class Outbox {
  #client;
  #shelf;
  #changed;
  #sent;
  #given = new Set();
  #sending = false;
  #account = null;
  #giveUp = null;
  #order = 0;
  #lines = new Map();

  /** `shelf` keeps the lines; `changed(room)`; `sent(line, {message, seq, at})`. */
  constructor(client, { shelf, changed, sent }) {
    this.#client = client;
    this.#shelf = shelf;
    this.#changed = changed;
    this.#sent = sent;
    shelf.on("line", (nonce, line) => this.#told(nonce, line));
    // Before anything else: lines of one account are never given to the session of another.
    client.on("live", ({ account }) => (account.id === this.#account ? this.#give() : this.close()));
    client.on("state", () => this.#allChanged());
  }

  /** Take up what this account has on the shelf; `account` names it. */
  open(account) {
    this.close();
    this.#account = account;
    for (const line of this.#shelf.lines()) {
      if (line.sent) this.#shelf.dropLine(line.nonce);
      else this.#lines.set(line.nonce, line);
    }
    this.#giveUp = solely(`tsudoi.outbox.${account}`, () => {
      this.#sending = true;
      this.#give();
    });
  }

  /** Show and send nothing any more. */
  close() {
    this.#giveUp?.();
    this.#giveUp = null;
    this.#sending = false;
    this.#account = null;
    this.#lines.clear();
    this.#given.clear();
  }

  /** The lines of a room that are not acknowledged, in order. `state`: sending, waiting or refused. */
  of(room) {
    const moving = this.#client.state === "live" ? "sending" : "waiting";
    return [...this.#lines.values()]
      .filter((line) => line.room === room)
      .sort((a, b) => a.order - b.order)
      .map((line) => ({ ...line, state: line.error ? "refused" : moving }));
  }

  /** `pictures` are up already: {id, width, height, type, alt}; `more` goes with the request. */
  add(room, text, replyTo = null, pictures = [], more = null) {
    const offline = this.#client.state !== "live";
    const written = offline ? Math.round(this.#client.now()) : null;
    this.#order = Math.max(this.#order + 1, Date.now());
    const line = { nonce: newNonce(), room, text, pictures, more, reply_to: replyTo, written_at: written, order: this.#order, error: "" };
    this.#keep(line);
    this.#give();
  }

  /** Try a refused line again. */
  retry(nonce) {
    const line = this.#lines.get(nonce);
    if (!line?.error) return;
    this.#keep({ ...line, error: "" });
    this.#give();
  }

  /** Take back a line that was refused. */
  discard(nonce) {
    const line = this.#lines.get(nonce);
    if (!line?.error) return;
    this.#shelf.dropLine(nonce);
    this.#gone(line);
  }

  #keep(line) {
    this.#lines.set(line.nonce, line);
    this.#shelf.putLine(line);
    this.#changed(line.room);
  }

  #gone(line) {
    this.#lines.delete(line.nonce);
    this.#given.delete(line.nonce);
    this.#changed(line.room);
  }

  // What another tab did.
  #told(nonce, line) {
    const known = this.#lines.get(nonce);
    if (line?.sent) {
      if (!known) return;
      this.#sent(known, line.sent);
      this.#gone(known);
    } else if (line) {
      this.#lines.set(nonce, line);
      this.#changed(line.room);
      this.#give();
    } else if (known) {
      this.#gone(known);
    }
  }

  #allChanged() {
    for (const room of new Set([...this.#lines.values()].map((line) => line.room))) this.#changed(room);
  }

  /** Hand to the client what it does not have yet; it keeps the order, and tries for as long as it lives. */
  #give() {
    if (!this.#sending || this.#client.state === "refused" || this.#client.state === "stopped") return;
    for (const line of [...this.#lines.values()].sort((a, b) => a.order - b.order)) {
      if (!line.error && !this.#given.has(line.nonce)) this.#send(line);
    }
  }

  async #send(line) {
    const { nonce, room, text, reply_to, written_at, pictures, more } = line;
    // Lines without pictures are said as they always were: a repeated nonce must mean the same.
    const shown = pictures?.length ? { pictures: pictures.map(({ id, alt }) => ({ id, alt })) } : {};
    this.#given.add(nonce);
    try {
      const sent = await this.#client.send("room.send", { room, text, nonce, reply_to, written_at, ...shown, ...more });
      if (!this.#lines.has(nonce)) return;
      this.#shelf.putLine({ ...line, sent });
      this.#shelf.dropLine(nonce);
      this.#sent(line, sent);
      this.#gone(line);
    } catch (error) {
      this.#given.delete(nonce);
      // Without a client it waits for the next one; anything else is the server's last word.
      if (error.code !== "offline" && this.#lines.has(nonce)) this.#keep({ ...line, error: error.details?.reason ?? error.code });
    }
  }
}

// Not randomUUID, which browsers withhold on a plain-http LAN.
function newNonce() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
