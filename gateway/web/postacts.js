// What one can do with a post, from wherever it is shown; and the two small sheets that this needs.

import { ask, fresh } from "./dialogs.js";
import { el, personRow } from "./dom.js";
import { why } from "./forms.js";
import { Sheet } from "./sheet.js";
import { words } from "./words.js";

export class PostActs {
  #app;
  #stamps = new Sheet("stamps");
  #who = new Sheet("who");
  #catalogue = null;

  /** `app` has client, book, dots, postbox, places, thread, contact, openProfile(id), openThread(id, how) and notice(text). */
  constructor(app) {
    this.#app = app;
  }

  /** As the cards use them. */
  get all() {
    const { thread, contact } = this.#app;
    return {
      face: (id, name) => this.#app.dots.face(id, name),
      person: (id) => this.#app.openProfile(id),
      handle: (handle) => this.#try(() => this.#handle(handle)),
      thread: (id) => this.#app.openThread(id),
      place: (id) => this.#app.places.openPlace(id),
      reply: (post) => this.#app.openThread(post.id, { reply: post }),
      quote: (post) => thread.use((screen) => screen.quote(post)),
      repost: (post) => this.#try(() => this.#repost(post)),
      like: (post, on) => this.#try(() => this.#app.book.like(post, on)),
      stamp: (post, id) => this.#try(() => this.#app.book.stamp(post, id)),
      stamps: (post) => this.#try(() => this.#choose(post)),
      stampName: (id) => this.#name(id),
      remove: (post) => this.#try(() => this.#remove(post)),
      report: (post) => contact.use((screen) => screen.report("post", post.id, words.report_post)),
      who: (post) => this.#try(() => this.#list(post)),
    };
  }

  /** Are the stamps' names known? */
  get named() {
    return this.#catalogue !== null;
  }

  /** The names of stamps, read once a visit. */
  async load() {
    if (this.#catalogue) return;
    const { stamps } = await this.#app.client.call("reaction.get");
    this.#catalogue = new Map(stamps.map((stamp) => [stamp.id, stamp]));
  }

  /** [id, name] of every stamp, as far as they are known. */
  get stampNames() {
    return [...(this.#catalogue?.keys() ?? [])].map((id) => [id, this.#name(id)]);
  }

  #name(id) {
    return this.#catalogue?.get(id)?.[words.lang] ?? id;
  }

  async #try(act) {
    try {
      await act();
    } catch (error) {
      this.#app.notice(why(error));
    }
  }

  async #handle(handle) {
    const account = await this.#app.client.call("account.get", { handle: handle.toLowerCase() });
    this.#app.people.put(account);
    this.#app.openProfile(account.id);
  }

  async #repost(post) {
    if (!(await ask(words.repost_ask(post.author.name), words.repost))) return;
    try {
      await this.#app.client.call("post.create", { repost_of: post.id, nonce: fresh() });
    } catch (error) {
      if (error.code !== "conflict") throw error;
      this.#app.notice(words.repost_already);
      return;
    }
    this.#app.notice(words.repost_done);
  }

  async #remove(post) {
    const question = post.repost_of ? words.repost_undo_ask : words.post_delete_ask;
    if (await ask(question, post.repost_of ? words.repost_undo : words.delete)) await this.#app.book.remove(post);
  }

  async #choose(post) {
    await this.load();
    const mine = () => this.#app.book.get(post.id)?.mine?.stamp;
    const pick = (id) => {
      this.#stamps.close();
      this.#try(() => this.#app.book.stamp(post, mine() === id ? null : id));
    };
    this.#stamps.open(() => ({
      title: words.stamp_add,
      parts: [
        el("p", { class: "quiet" }, words.stamp_hint),
        el("p", { class: "chips" }, ...[...this.#catalogue.keys()].map((id) => el("button", { class: "chip", type: "button", "aria-pressed": String(mine() === id), data: { stamp: id }, onclick: () => pick(id) }, this.#name(id)))),
      ],
    }));
  }

  /** Who left what under one's own post; nobody else is told. */
  async #list(post) {
    await this.load();
    const read = async (kind) => (await this.#app.client.call("reaction.list", { post: post.id, kind, limit: 100 })).reactions;
    const [stamps, likes] = [await read("stamp"), await read("like")];
    const row = ({ account, stamp }) => personRow(account, { open: () => this.#app.openProfile(account.id), note: stamp ? this.#name(stamp) : words.like });
    this.#who.open(() => ({
      title: words.reacted,
      parts: [
        el("p", { class: "quiet" }, words.reacted_hint),
        stamps.length + likes.length ? el("ul", { class: "people-list" }, ...stamps.map(row), ...likes.map(row)) : el("p", { class: "quiet" }, words.reacted_none),
      ],
    }));
  }
}
