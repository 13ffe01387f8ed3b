// Home: what is shared now by whom one follows, what there is to discover, and search.
//
// What always holds: newer posts wait above while somebody reads, and come by one tap; how far one has read is kept by the
// server, and only while somebody looks at the newest.

import { byId, el, face, personRow } from "./dom.js";
import { Feed } from "./feed.js";
import { FeedView } from "./feedview.js";
import { Fault, field, form, why } from "./forms.js";
import { keepTyped, onLanguage } from "./language.js";
import { PostForm, reachOf } from "./postform.js";
import { walkable } from "./walk.js";
import { words } from "./words.js";

const TABS = ["follow", "discover", "search"];
const KINDS = { posts: "post.search", people: "account.search", places: "community.search" };
const READ_MS = 1_200;
const TOP_PX = 24;

export class Home {
  #app;
  #box = byId("feed");
  #list = byId("feed-posts");
  #view;
  #form;
  #tab = "follow";
  #busy = new Set();
  #discovered = null;
  #readTimer = 0;
  #read = 0;
  #found = { kind: "posts", sought: "", rows: [], next: null, asked: false };

  /** `app` has client, book, acts, people, dots, placeNames, places, postbox, shelf and openProfile(id). */
  constructor(app) {
    this.#app = app;
    this.#view = new FeedView(app, this.#list, { walked: true, none: () => words.follow_none, changed: () => this.#drawn() });
    this.#form = new PostForm(app, { name: "home", place: "home", label: () => words.post_home, request: () => ({}), reach: () => reachOf(app.client, null) });
    walkable(this.#list, this.#list);
    this.#box.addEventListener("scroll", () => this.#atTop() && this.#seen(), { passive: true });
    byId("feed-fresh").addEventListener("click", () => this.#showFresh());
    byId("home-tabs").append(...TABS.map((tab) => el("button", { class: "tab", type: "button", data: { tab }, onclick: () => this.#go(tab) })));
    onLanguage(() => this.respoken());
    this.respoken();
  }

  /** Somebody came in, or the link is back. */
  live(stale) {
    this.#busy.clear();
    if (!this.#view.feed) {
      this.#view.show(new Feed(this.#app.client, this.#app.book, { which: "follow" }, { waits: true }));
      this.#write();
      this.#view.read();
    } else if (this.#view.feed.failed || [...stale].some((ch) => ch.startsWith("author:") || ch.startsWith("community:"))) this.#view.read();
    else this.#view.render();
    this.#drawBusy();
    this.#nameStamps();
  }

  async #nameStamps() {
    if (this.#app.acts.named) return;
    // Without their names they go by their ids; asked again with the next link.
    await this.#app.acts.load().catch(() => {});
    this.#view.render();
  }

  clear() {
    clearTimeout(this.#readTimer);
    this.#readTimer = 0;
    this.#view.show(null);
    this.#form.forget();
    this.#busy.clear();
    this.#drawBusy();
    this.#discovered = null;
    this.#read = 0;
    this.#found = { kind: "posts", sought: "", rows: [], next: null, asked: false };
    for (const id of ["home-write", "home-discover", "home-search"]) byId(id).replaceChildren();
    this.#tab = "follow";
    this.#draw();
  }

  /** A push, after the book has heard it. */
  apply({ ch, ev, d }) {
    const { feed } = this.#view;
    if (!feed) return;
    const { book, client } = this.#app;
    if (ev === "nickname.changed" && this.#found.rows.length) {
      client.through(this.#found.rows);
      keepTyped(byId("home-search"), () => this.#drawSearch());
    }
    if (ev === "post.created" && client.hears(ch)) {
      if (this.#busy.delete(ch)) this.#drawBusy();
      // What one said oneself is shown at once, and so is all that comes while nobody has scrolled away.
      const now = d.post.author.id === this.#app.people.me?.id || this.#idle();
      if (feed.add(d.post.id, now)) this.#view.render();
    } else if (ev === "follow.began" || ev === "community.joined") {
      this.#view.read();
    } else if (ev === "follow.ended" || ev === "community.left") {
      const left = ev === "follow.ended" ? `author:${d.account}` : `community:${d.community}`;
      this.#busy.delete(left);
      this.#drawBusy();
      if (feed.dropWhere((id) => book.get(id)?.channel === left)) this.#view.render();
    }
  }

  touched(ids) {
    this.#view.touched(ids);
  }

  pending() {
    this.#form.pending();
  }

  reload(ch) {
    if (this.#view.feed && this.#app.client.hears(ch) && !ch.startsWith("room:") && !ch.startsWith("user:")) this.#view.read();
  }

  /** So much is said there that it stands here as one card. */
  paused(ch) {
    if (!ch.startsWith("community:")) return;
    this.#busy.add(ch);
    this.#drawBusy();
  }

  render() {
    if (this.#tab === "discover") this.#drawDiscovered();
    this.#view.render();
    this.#drawBusy();
  }

  /** The page was looked at again. */
  woken() {
    if (this.#atTop()) this.#seen();
  }

  focus() {
    this.#list.focus({ preventScroll: true });
  }

  respoken() {
    for (const button of byId("home-tabs").children) button.textContent = words.home_tabs[button.dataset.tab];
    if (this.#view?.feed) {
      keepTyped(byId("home-write"), () => this.#write());
      this.render();
    }
    keepTyped(byId("home-search"), () => this.#draw());
  }

  // Follow

  #write() {
    byId("home-write").replaceChildren(...this.#form.parts());
  }

  #atTop() {
    return this.#box.scrollTop <= TOP_PX;
  }

  /** Does somebody look at the newest without holding anything of it? */
  #idle() {
    const held = document.activeElement.closest("#feed-posts > li");
    return this.#atTop() && document.visibilityState === "visible" && !held;
  }

  #showFresh() {
    this.#view.feed.show();
    this.#box.scrollTop = 0;
    this.#view.render();
    this.#seen();
    this.#list.firstElementChild?.querySelector("button")?.focus({ preventScroll: true });
  }

  #drawn() {
    const { feed } = this.#view;
    const waits = feed?.fresh.length ?? 0;
    byId("feed-fresh").hidden = waits === 0 || this.#tab !== "follow";
    byId("feed-fresh").textContent = waits ? words.fresh(waits) : "";
    if (waits && feed.loaded && this.#tab === "follow" && this.#idle()) {
      feed.show();
      this.#view.render();
      return;
    }
    if (this.#atTop()) this.#seen();
  }

  /** The newest is before somebody's eyes: after a moment it counts as read, on every device. However often something is
   * drawn meanwhile, the moment ends. */
  #seen() {
    this.#readTimer ||= setTimeout(() => this.#mark(), READ_MS);
  }

  async #mark() {
    this.#readTimer = 0;
    const newest = this.#app.book.get(this.#view.feed?.ids[0]);
    const looks = document.visibilityState === "visible" && this.#box.checkVisibility() && this.#tab === "follow" && !document.querySelector("dialog[open]");
    if (!newest || !looks || !this.#atTop() || newest.at <= this.#read) return;
    const before = this.#read;
    this.#read = newest.at;
    try {
      await this.#app.client.call("timeline.read", { at: newest.at });
    } catch {
      this.#read = before;
    }
  }

  /** Communities in which more is said than anybody reads along: one card each. */
  #drawBusy() {
    const cards = [...this.#busy].map((ch) => {
      const id = ch.slice("community:".length);
      return el("button", { class: "busy-place", type: "button", data: { place: id }, onclick: () => this.#app.places.openPlace(id) }, words.place_busy(this.#app.placeNames.want(id) ?? words.places));
    });
    byId("feed-busy").replaceChildren(...cards);
  }

  // Tabs

  #go(tab) {
    this.#tab = tab;
    this.#draw();
    if (tab === "discover") this.#discover();
    byId("home-tabs").querySelector(`[data-tab=${tab}]`).focus();
  }

  #draw() {
    for (const button of byId("home-tabs").children) button.setAttribute("aria-pressed", String(button.dataset.tab === this.#tab));
    for (const [id, tab] of [["home-follow", "follow"], ["home-discover", "discover"], ["home-search", "search"]]) byId(id).hidden = tab !== this.#tab;
    byId("feed-fresh").hidden = this.#tab !== "follow" || !this.#view?.feed?.fresh.length;
    if (this.#tab === "search") this.#drawSearch();
  }

  async #discover() {
    const place = byId("home-discover");
    place.replaceChildren(el("p", { class: "quiet" }, words.loading));
    try {
      this.#discovered = (await this.#app.client.call("timeline.list", { which: "discover" })).found;
      for (const { community } of this.#discovered) this.#app.placeNames.put(community);
      this.#drawDiscovered();
    } catch (error) {
      this.#discovered = null;
      place.replaceChildren(el("p", { class: "fault", role: "alert" }, why(error)), el("p", { class: "acts" }, el("button", { class: "plain", type: "button", onclick: () => this.#discover() }, words.again)));
    }
  }

  #drawDiscovered() {
    if (!this.#discovered) return;
    const rows = this.#discovered.map(({ community, because }) => {
      const names = because.map((id) => this.#app.people.want(id)?.name ?? words.someone);
      return placeRow(community, words.discovered(names), () => this.#app.places.openPlace(community.id));
    });
    byId("home-discover").replaceChildren(el("p", { class: "quiet" }, words.discover_hint), rows.length ? el("ul", { class: "people-list" }, ...rows) : el("p", { class: "quiet" }, words.discover_none));
  }

  #drawSearch() {
    const { kind, sought, rows, next, asked } = this.#found;
    const act = async ({ home_words }) => {
      if (!home_words.trim()) throw new Fault("home_words", words.needed);
      this.#found = { kind: this.#found.kind, sought: home_words.trim(), rows: [], next: null, asked: false };
      await this.#look();
    };
    const kinds = Object.keys(KINDS).map((name) => el("button", { class: "tab", type: "button", "aria-pressed": String(name === kind), data: { kind: name }, onclick: () => this.#kind(name) }, words.search_kinds[name]));
    byId("home-search").replaceChildren(
      form("home-seek", { act, button: words.search }, field("home_words", words.search_words, { value: sought, type: "search", enterkeyhint: "search" })),
      el("div", { class: "tabs", role: "group", "aria-label": words.search }, ...kinds),
      rows.length ? el("ul", { class: kind === "posts" ? "posts" : "people-list", id: "home-found" }, ...rows.map((row) => this.#row(row))) : el("p", { class: "quiet", role: "status" }, asked ? words.place_none.open : words.place_none.posts),
      ...(next ? [el("p", { class: "acts" }, el("button", { class: "plain", type: "button", onclick: () => this.#more() }, words.more))] : []),
    );
  }

  #row(found) {
    const { kind } = this.#found;
    if (kind === "people") return personRow(found, { ...this.#app.dots.row(found), open: () => this.#app.openProfile(found.id) });
    if (kind === "places") return placeRow(found, found.purpose, () => this.#app.places.openPlace(found.id));
    const gist = el("span", { class: "post-text" }, found.mask ? words.masks[found.mask] : found.text);
    return el("li", { class: "person-row" }, el("button", { class: "person-open", type: "button", onclick: () => this.#app.openThread(found.id) }, face(found.author.id, found.author.name), el("span", { class: "person-name" }, found.author.name, el("small", { class: "note" }, gist))));
  }

  async #kind(kind) {
    // What stands in the field is what is meant, sent off or not.
    const sought = byId("home_words").value.trim();
    this.#found = { kind, sought, rows: [], next: null, asked: false };
    try {
      await this.#look();
    } catch (error) {
      this.#app.notice(why(error));
    }
    byId("home-search").querySelector(`[data-kind=${kind}]`)?.focus();
  }

  async #more() {
    try {
      await this.#look();
    } catch (error) {
      this.#app.notice(why(error));
    }
  }

  async #look() {
    const asked = this.#found;
    if (asked.sought) {
      const page = await this.#app.client.call(KINDS[asked.kind], { words: asked.sought, after: asked.next });
      if (asked !== this.#found) return;
      const rows = page.posts ?? page.accounts ?? page.communities;
      if (page.posts) this.#app.book.put(page.posts);
      this.#found = { ...asked, rows: [...asked.rows, ...rows], next: page.next, asked: true };
    }
    this.#drawSearch();
  }
}

function placeRow(card, note, open) {
  const told = [words.place_members(card.members), note].filter(Boolean).join(" · ");
  return el("li", { class: "person-row" }, el("button", { class: "person-open", type: "button", data: { place: card.id }, onclick: open }, face(card.id, card.name, "square"), el("span", { class: "person-name" }, card.name, el("small", { class: "note" }, told))));
}
