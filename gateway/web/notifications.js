// Notifications: the button with the number of what is unread, and what a screen reader hears of it. The list behind it is
// another module, fetched once somebody is inside. What always holds: the number is the server's.

import { Announcer } from "./announcer.js";
import { byId, el } from "./dom.js";
import { words } from "./words.js";

const MANY = 99;
const SOON_MS = 150;
// Entries of the inbox that stand in the list too.
const TOLD = new Set(["notification.created", "invite.redeemed", "follow.added", "follow.requested", "follow.accepted", "room.requested"]);

export class Notifications {
  #app;
  #announcers;
  #news = null;
  #coming = null;
  #again = 0;
  #unread = 0;
  #at = 0;
  region = el("p", { class: "unseen", "aria-live": "polite" });

  /** `app` has client and list, and what the list of notifications needs; `openPost(id)` shows a post. */
  constructor(app, { openPost }) {
    this.#app = app;
    this.openPost = openPost;
    const far = el("p", { class: "unseen", "aria-live": "polite" });
    document.body.append(far);
    this.#announcers = { near: new Announcer(this.region), far: new Announcer(far) };
    byId("news-button").addEventListener("click", () => this.open());
  }

  /** How many lines are unread, to 99. */
  get unread() {
    return this.#unread;
  }

  async open() {
    await this.#fetch();
    this.#news?.open();
  }

  /** The list, once; a link that is gone leaves it for the next time. */
  #fetch() {
    this.#coming ??= import("./newslist.js").then(
      ({ NewsList }) => (this.#news = new NewsList(this.#app, this)),
      () => (this.#coming = null),
    );
    return this.#coming;
  }

  clear() {
    clearTimeout(this.#again);
    this.#news?.clear();
    this.#announcers.near.clear();
    this.#announcers.far.clear();
    this.#at = 0;
    this.count(0);
  }

  /** The link is live, perhaps after a while: the number as it is now, and the list if it is on the screen. */
  live() {
    this.#fetch();
    this.#newest();
  }

  /** A push of the wire. */
  apply({ ev, at, d }) {
    if (ev === "notification.badge") this.#badge(d, at);
    if (ev !== "notification.badge" ? !TOLD.has(ev) : !this.#news?.isOpen) return;
    // Once, for whatever comes within a moment.
    clearTimeout(this.#again);
    this.#again = setTimeout(() => this.#newest(), SOON_MS);
  }

  /** Another language. */
  respoken() {
    this.count(this.#unread);
  }

  /** The newest lines and the number with them. Throws CallError. */
  async page(limit) {
    const before = this.#at;
    const page = await this.#app.client.call("notification.list", { limit });
    // A push that came meanwhile knows better.
    if (this.#at === before) this.#badge(page.badge, before);
    return page;
  }

  #newest() {
    if (this.#news?.isOpen) this.#news.newest();
    else this.page(1).catch(() => {});
  }

  /** Of two badges the later one is right. */
  #badge({ notifications }, at) {
    if (at < this.#at) return;
    this.#at = at;
    const more = notifications - this.#unread;
    this.count(notifications);
    if (more > 0) this.#announcers[this.#news?.isOpen ? "near" : "far"].tell(words.news_came(more));
  }

  /** So many are unread. */
  count(n) {
    this.#unread = n;
    const told = n >= MANY ? `${MANY}+` : String(n);
    byId("news-badge").hidden = n === 0;
    byId("news-badge").textContent = told;
    const label = n ? `${words.news} (${words.news_unread(told)})` : words.news;
    byId("news-button").setAttribute("aria-label", label);
    byId("news-button").title = label;
    this.#app.list.title();
  }
}
