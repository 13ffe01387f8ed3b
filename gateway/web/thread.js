// One post with its answers, live, and the place to answer it; and the place to quote one.

import { el } from "./dom.js";
import { Feed } from "./feed.js";
import { FeedView } from "./feedview.js";
import { PostForm, reachOf } from "./postform.js";
import { contents, facts } from "./postcard.js";
import { Sheet } from "./sheet.js";
import { words } from "./words.js";

const GATHER_MS = 300;
const PAGES_MAX = 10;

export class ThreadSheet {
  #app;
  #sheet = new Sheet("thread");
  #list = el("ol", { class: "posts" });
  #view;
  #root = null;
  #asked = null;
  #quoted = null;
  #channel = null;
  #form = null;
  #replies = undefined;
  #timer = 0;

  /** `app` has client, book, acts, postbox, shelf, people and screen. */
  constructor(app) {
    this.#app = app;
    this.#sheet.onClose(() => this.#left());
  }

  get isOpen() {
    return this.#sheet.isOpen;
  }

  /** Show the thread of a post; with `reply` one is about to answer that post. */
  async open(id, { reply = null } = {}) {
    this.#left();
    this.#view ??= new FeedView(this.#app, this.#list, { answers: false, none: () => words.post_absent });
    this.#asked = id;
    // Where the post is known already, so is its thread, and what is told while it is read belongs to it.
    this.#root = rootOf(this.#app.book.get(id));
    this.#quoted = null;
    this.#form = null;
    const feed = new Feed(this.#app.client, this.#app.book, { which: "thread", post: id });
    this.#view.show(feed);
    this.#sheet.open(() => this.#draw());
    if (reply) this.#answer(reply);
    // Closed meanwhile, or opened anew, perhaps for the same post.
    const over = () => this.#asked !== id || this.#view.feed !== feed;
    await this.#view.read();
    // As far as the one that was asked for; of a very long thread the rest is one tap away.
    for (let page = 0; page < PAGES_MAX && !over() && !feed.ids.includes(id) && (await feed.further()); page++);
    if (over()) return;
    this.#view.render();
    const post = this.#app.book.get(id);
    if (!post) return;
    this.#root = rootOf(post);
    this.#replies = this.#app.book.get(this.#root)?.counts?.replies;
    this.#channel = this.#app.book.get(this.#root)?.channel ?? post.channel;
    this.#app.screen.watch(this.#channel);
    if (!this.#form) this.#answer(post);
    this.#mark(id);
  }

  /** Write about a post; it is shown beneath. */
  quote(post) {
    this.#left();
    this.#quoted = post;
    this.#form = new PostForm(this.#app, {
      name: "quote",
      place: "home",
      draft: `quote.${post.id}`,
      request: () => ({ quote_of: post.id }),
      reach: () => reachOf(this.#app.client, null),
      label: () => words.quote_text,
      after: () => {
        this.#sheet.close();
        this.#app.notice(words.post_states.held);
      },
    });
    this.#sheet.open(() => this.#draw());
    this.#form.field?.focus();
  }

  /** A push, after the book has heard it. */
  apply({ ev, d }) {
    if (!this.#sheet.isOpen || !this.#view?.feed || ev !== "post.created") return;
    if (this.#root && d.post.root === this.#root && this.#view.feed.add(d.post.id)) this.#view.render();
  }

  touched(ids) {
    if (!this.#sheet.isOpen || this.#quoted) return;
    this.#view?.touched(ids);
    // Who answers may be somebody one does not hear: then only the count tells that there is more.
    const { replies } = this.#app.book.get(this.#root)?.counts ?? {};
    if (replies === this.#replies) return;
    this.#replies = replies;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#goOn(), GATHER_MS);
  }

  async #goOn() {
    const { feed } = this.#view;
    if (!this.#channel || !feed?.loaded) return;
    const read = await feed.onward();
    if (feed !== this.#view.feed) return;
    this.#view.render();
    // Another page was on its way, which may be older than what the count told of.
    if (!read && !feed.more && !feed.failed) this.#timer = setTimeout(() => this.#goOn(), GATHER_MS);
  }

  /** Names have come or changed. */
  render() {
    if (this.#sheet.isOpen && !this.#quoted) this.#view?.render();
  }

  pending() {
    if (this.#sheet.isOpen) this.#form?.pending();
  }

  /** Pushes of the channel were missed, or there is a link again. */
  live() {
    if (!this.#sheet.isOpen || this.#quoted || !this.#view?.feed) return;
    this.#view.read();
  }

  reload(ch) {
    if (ch === this.#channel) this.live();
  }

  clear() {
    this.#sheet.close();
    this.#left();
    this.#form?.forget();
    this.#form = null;
    this.#quoted = null;
    this.#view?.show(null);
  }

  #answer(post) {
    this.#form = new PostForm(this.#app, {
      name: "reply",
      place: `reply.${post.id}`,
      request: () => ({ reply_to: post.id }),
      // An answer lives in the community of what it answers, or else with its own author.
      reach: () => reachOf(this.#app.client, post.community),
      label: () => words.reply_to_name(post.author.name),
    });
    this.#sheet.draw();
  }

  #mark(id) {
    this.#list.querySelector(`[data-id="${id}"]`)?.classList.add("shown");
  }

  #draw() {
    if (this.#quoted) {
      const card = el("div", { class: "post post-shown" }, ...contents(facts(this.#app, this.#quoted), { ...this.#app.acts.all, open: () => {} }).slice(0, 2));
      return { title: words.quote, parts: [...this.#form.parts(), card] };
    }
    return { title: words.thread, parts: [this.#list, ...(this.#form?.parts() ?? [])] };
  }

  #left() {
    clearTimeout(this.#timer);
    if (this.#channel) this.#app.screen.leave(this.#channel);
    this.#channel = null;
    this.#root = null;
    this.#asked = null;
  }
}

function rootOf(post) {
  return post?.root ?? post?.id ?? null;
}
