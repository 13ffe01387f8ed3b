// Posts on their way: held back for some seconds, in which they can be taken back unseen, then kept until the server has
// acknowledged them, over reloads; seen by all tabs and sent by one of them. No DOM in here.
//
// What always holds: what a post says never changes once it has a nonce; it goes away only when it is acknowledged or
// taken back.

import { solely } from "./only.js";

export const HOLD_MS = 5_000;

export class PostBox {
  #client;
  #shelf;
  #changed;
  #given = new Set();
  #sending = false;
  #giveUp = null;
  #account = null;
  #posts = new Map();
  #timer = 0;

  /** `shelf` keeps the posts; `changed()` after any of it changed. */
  constructor(client, { shelf, changed }) {
    this.#client = client;
    this.#shelf = shelf;
    this.#changed = changed;
    shelf.on("post", (nonce, post) => this.#told(nonce, post));
    client.on("live", ({ account }) => (account.id === this.#account ? this.#give() : this.close()));
    client.on("state", () => this.#changed());
  }

  /** Take up what this account has on the shelf. */
  open(account) {
    this.close();
    this.#account = account;
    for (const post of this.#shelf.posts()) this.#posts.set(post.nonce, post);
    this.#giveUp = solely(`tsudoi.posts.${account}`, () => {
      this.#sending = true;
      this.#give();
    });
  }

  /** Show and send nothing any more. */
  close() {
    clearTimeout(this.#timer);
    this.#giveUp?.();
    this.#giveUp = null;
    this.#sending = false;
    this.#account = null;
    this.#posts.clear();
    this.#given.clear();
  }

  /** What was written at a place and is not acknowledged, in order. `state`: held, sending, waiting or refused. */
  of(place) {
    const moving = this.#client.state === "live" ? "sending" : "waiting";
    return [...this.#posts.values()]
      .filter((post) => post.place === place)
      .sort((a, b) => a.order - b.order)
      .map((post) => ({ ...post, state: post.error ? "refused" : post.due > Date.now() ? "held" : moving }));
  }

  /** Post it in some seconds. `request` is what `post.create` takes but for the nonce; `pictures` are those it shows, as the
   * picker has them. */
  add(place, request, nonce, pictures = []) {
    const shown = pictures.length ? { pictures: pictures.map(({ id, alt }) => ({ id, alt })) } : {};
    this.#keep({ nonce, place, request: { ...request, ...shown }, pictures, order: Date.now(), due: Date.now() + HOLD_MS, error: "" });
    this.#give();
  }

  /** Post it now, or again. */
  hurry(nonce) {
    const post = this.#posts.get(nonce);
    if (!post || this.#given.has(nonce)) return;
    this.#keep({ ...post, due: 0, error: "" });
    this.#give();
  }

  /** Take it back, if it has not left yet; it, or null. */
  undo(nonce) {
    const post = this.#posts.get(nonce);
    if (!post || this.#given.has(nonce) || (!post.error && post.due <= Date.now())) return null;
    this.#gone(nonce);
    return post;
  }

  #keep(post) {
    this.#posts.set(post.nonce, post);
    this.#shelf.putPost(post);
    this.#changed();
  }

  #gone(nonce) {
    this.#posts.delete(nonce);
    this.#given.delete(nonce);
    this.#shelf.dropPost(nonce);
    this.#changed();
  }

  // What another tab did.
  #told(nonce, post) {
    if (post) this.#posts.set(nonce, post);
    else {
      this.#posts.delete(nonce);
      this.#given.delete(nonce);
    }
    this.#changed();
    this.#give();
  }

  #give() {
    clearTimeout(this.#timer);
    if (!this.#posts.size) return;
    const now = Date.now();
    const open = [...this.#posts.values()].filter((post) => !post.error && !this.#given.has(post.nonce)).sort((a, b) => a.order - b.order);
    const able = this.#sending && !["refused", "stopped"].includes(this.#client.state);
    if (able) for (const post of open) if (post.due <= now) this.#send(post);
    const next = Math.min(...open.map(({ due }) => due).filter((due) => due > now));
    if (Number.isFinite(next)) this.#timer = setTimeout(() => this.#ripe(), next - now + 5);
  }

  #ripe() {
    this.#give();
    this.#changed();
  }

  async #send({ nonce, request }) {
    this.#given.add(nonce);
    try {
      await this.#client.send("post.create", { ...request, nonce });
      if (this.#posts.has(nonce)) this.#gone(nonce);
    } catch (error) {
      this.#given.delete(nonce);
      // Without a client it waits for the next one; anything else is the server's last word.
      const post = this.#posts.get(nonce);
      if (error.code !== "offline" && post) this.#keep({ ...post, error: error.details?.reason ?? error.code });
    }
  }
}
