// Draws a timeline into a list. What always holds: only what changed is drawn anew, and it keeps the focus it had; nothing
// moves under the thumb of somebody who reads.

import { el } from "./dom.js";
import { contents, facts, signature } from "./postcard.js";
import { why } from "./forms.js";
import { words } from "./words.js";

const AHEAD = "600px";

export class FeedView {
  #app;
  #acts = {};
  #options;
  #open = new Set();
  #signs = new Map();
  #end = el("li", { class: "feed-end" });
  #ended = "";
  #watch;
  feed = null;
  list;

  /** `options`: {place: say where a post stands, answers: say that it answers one, none(): words for an empty
   * list, changed(), walked: by arrow keys}. */
  constructor(app, list, options = {}) {
    this.#app = app;
    this.list = list;
    app.book.keeps(() => (this.feed ? [...this.feed.ids, ...this.feed.fresh] : []));
    this.#options = options;
    // Before the end comes into sight, what lies beyond it is read.
    this.#watch = new IntersectionObserver((seen) => seen.some(({ isIntersecting }) => isIntersecting) && this.#further(), { rootMargin: AHEAD });
    this.#watch.observe(this.#end);
  }

  /** Show this feed from now on, or none. */
  show(feed) {
    this.feed = feed;
    // What one person uncovered is covered for the next.
    if (!feed) this.#open.clear();
    this.#signs.clear();
    this.list.replaceChildren();
    this.render();
  }

  async read() {
    const feed = this.feed;
    const read = feed.read();
    this.render();
    await read;
    if (feed === this.feed) this.render();
  }

  /** Something about these posts changed. */
  touched(ids) {
    if (!this.feed?.loaded) return;
    this.feed.dropWhere((id) => this.#app.book.gone(id));
    const shown = new Set(this.feed.ids);
    const uses = (id) => {
      const post = this.#app.book.get(id);
      const passed = post?.repost_of && this.#app.book.get(post.repost_of);
      return [id, post?.repost_of, post?.quote_of, passed?.quote_of];
    };
    const wanted = new Set(ids);
    if (ids.some((id) => shown.has(id) || this.#signs.has(id)) || [...shown].some((id) => uses(id).some((each) => wanted.has(each)))) this.render();
  }

  render() {
    const { feed, list } = this;
    if (!feed) return;
    this.#acts = { ...this.#app.acts.all, open: (id) => this.#unmask(id) };
    const wanted = [];
    let mark = feed.readAt !== null && feed.where.which === "follow";
    const { book } = this.#app;
    for (const id of feed.ids) {
      const post = book.get(id);
      if (!post) continue;
      if (mark && post.at <= feed.readAt) {
        if (wanted.length) wanted.push(this.#mark());
        mark = false;
      }
      wanted.push(this.#row(post));
    }
    const kept = new Set(feed.ids);
    for (const id of this.#signs.keys()) if (!kept.has(id)) this.#signs.delete(id);
    this.#drawEnd(wanted.length);
    wanted.push(this.#end);
    still(list, () => {
      const keep = new Set(wanted);
      for (const node of [...list.children]) if (!keep.has(node)) node.remove();
      wanted.forEach((node, at) => list.children[at] !== node && list.insertBefore(node, list.children[at] ?? null));
    });
    this.#options.changed?.();
  }

  #mark() {
    const known = this.list.querySelector(":scope > .mark");
    if (known?.dataset.lang === words.lang) return known;
    return el("li", { class: "mark", data: { lang: words.lang } }, el("span", {}, words.unread_from_here));
  }

  #row(post) {
    const seen = facts(this.#app, post, { ...this.#options, open: this.#open });
    const sign = signature(seen);
    const known = this.#signs.get(post.id);
    if (known?.sign === sign) return known.row;
    const row = known?.row ?? el("li", { class: "post", data: { id: post.id } });
    const act = row.contains(document.activeElement) ? document.activeElement.dataset.act : null;
    row.replaceChildren(...contents(seen, this.#acts));
    const focus = act && (row.querySelector(`[data-act="${act}"]`) ?? row);
    if (focus) {
      if (focus === row) row.tabIndex = -1;
      focus.focus({ preventScroll: true });
    }
    if (!this.#options.walked || row.contains(document.activeElement)) for (const each of row.querySelectorAll("[tabindex='-1']")) each.removeAttribute("tabindex");
    this.#signs.set(post.id, { row, sign });
    return row;
  }

  /** What stands there stays, with the focus it may have, as long as it says the same. */
  #drawEnd(shown) {
    const [kind, text, label, act] = this.#ending(shown);
    const sign = JSON.stringify([kind, text, label]);
    if (sign === this.#ended) return;
    this.#ended = sign;
    const said = text ? [el("p", { class: kind }, text)] : [];
    const button = label ? [el("button", { class: "plain", type: "button", onclick: act }, label)] : [];
    this.#end.replaceChildren(...said, ...button);
  }

  /** [how it is said, what is said, what the button is called, what it does] */
  #ending(shown) {
    const { feed } = this;
    if (feed.failed) return ["fault", why(feed.error), words.again, () => this.#again()];
    if (!feed.loaded) return ["quiet", words.loading];
    if (feed.more) return ["more", "", words.more, () => this.#further()];
    return ["quiet", shown ? "" : (this.#options.none?.() ?? words.place_no_posts)];
  }

  async #again() {
    const { feed } = this;
    await feed.again();
    if (feed === this.feed) this.render();
  }

  async #further() {
    const { feed } = this;
    if (!feed?.loaded || feed.failed || !feed.more || !this.list.isConnected) return;
    await feed.further();
    if (feed === this.feed) this.render();
  }

  #unmask(id) {
    this.#open.add(id);
    this.render();
  }
}

/** Change a list so that what the reader has before their eyes stays there. */
export function still(list, change) {
  const box = list.closest("[data-scrolls], dialog");
  if (!box || box.scrollTop < 4) {
    change();
    return;
  }
  const top = box.getBoundingClientRect().top;
  const anchor = [...list.children].find((node) => node.getBoundingClientRect().bottom > top);
  const before = anchor?.getBoundingClientRect().bottom ?? 0;
  change();
  if (anchor?.isConnected) box.scrollTop += anchor.getBoundingClientRect().bottom - before;
}
