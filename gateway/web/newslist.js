// The list of notifications: what others did, by day, read as one goes down. It is fetched once somebody is inside. What
// always holds: what is on the screen counts as read on every device, and stays marked until the list is closed.

import { clock, day, dayKey, full } from "./dates.js";
import { byId, el, face } from "./dom.js";
import { why } from "./forms.js";
import { Sheet } from "./sheet.js";
import { words } from "./words.js";

const PAGE = 30;
const FACES = 3;

export class NewsList {
  #app;
  #owner;
  #sheet = new Sheet("notifications");
  #list = el("div", { id: "news" });
  #lines = [];
  #fresh = new Set();
  #next = null;
  #loaded = false;
  #reading = false;
  #seen;

  /** `app` has client, people, places, ties, settings and openProfile(id); `owner` has openPost(id), region, page(limit) and count(n). */
  constructor(app, owner) {
    this.#app = app;
    this.#owner = owner;
    // What is outside an open dialog is silent.
    byId("notifications").append(owner.region);
    this.#seen = new IntersectionObserver((seen) => seen.some((each) => each.isIntersecting) && this.#older());
    document.addEventListener("visibilitychange", () => this.isOpen && this.#shown() && this.newest());
    this.#sheet.onClose(() => this.#fresh.clear());
  }

  get isOpen() {
    return this.#sheet.isOpen;
  }

  open() {
    this.#lines = [];
    this.#next = null;
    this.#loaded = false;
    this.#list.replaceChildren();
    this.#sheet.open(() => this.#draw());
    this.newest();
  }

  clear() {
    this.#sheet.close();
    this.#lines = [];
    this.#list.replaceChildren();
    this.#fresh.clear();
  }

  #shown() {
    return document.visibilityState === "visible";
  }

  /** The newest page, of a list that is open. */
  async newest() {
    try {
      const page = await this.#owner.page(PAGE);
      if (!this.isOpen) return;
      this.#merge(page);
      this.#render();
      if (this.#shown()) await this.#read();
    } catch (error) {
      this.#sheet.fail(why(error));
    }
  }

  async #older() {
    if (this.#reading || this.#next === null) return;
    this.#reading = true;
    const before = this.#next;
    try {
      const page = await this.#app.client.call("notification.list", { limit: PAGE, before });
      // Begun anew meanwhile.
      if (before !== this.#next) return;
      const known = new Set(this.#lines.map(({ id }) => id));
      this.#lines.push(...this.#noted(page.notifications.filter(({ id }) => !known.has(id))));
      this.#next = page.next;
      this.#render();
    } catch (error) {
      this.#sheet.fail(why(error));
    } finally {
      this.#reading = false;
    }
  }

  /** What stood above the end of the newest page stands in it, or is gone; if the two do not meet, the page stands alone. */
  #merge({ notifications, next }) {
    const end = next ?? 0;
    if (this.#lines.length && this.#lines[0].place < end) this.#lines = [];
    const known = new Set(notifications.map(({ id }) => id));
    const older = this.#lines.filter(({ id, place }) => place < end && !known.has(id));
    this.#lines = [...this.#noted(notifications), ...older];
    if (!this.#loaded || !older.length) this.#next = next;
    this.#loaded = true;
  }

  /** What was unread when it came stays marked until the list is closed. */
  #noted(lines) {
    for (const { place, unread, actors } of lines) {
      if (unread) this.#fresh.add(place);
      for (const card of actors) this.#app.people.put(card);
    }
    return lines;
  }

  async #read() {
    const newest = this.#lines.find(({ unread }) => unread);
    if (!newest) return;
    const { notifications } = await this.#app.client.call("notification.read", { upto: newest.place });
    this.#owner.count(notifications);
  }

  #draw() {
    const settings = el("button", { class: "link", type: "button", id: "news-settings", onclick: () => this.#app.settings.use((settings) => settings.open()) }, words.news_settings);
    this.#render();
    return { title: words.news, parts: [this.#list, el("p", { class: "acts" }, settings)] };
  }

  /** Only the lines; whoever stands on one stands there afterwards. */
  #render() {
    const here = this.#list.contains(document.activeElement) ? document.activeElement.closest("li")?.dataset.id : null;
    this.#seen.disconnect();
    const days = [];
    for (const line of this.#lines) {
      const key = dayKey(line.at);
      if (days.at(-1)?.key !== key) days.push({ key, at: line.at, lines: [] });
      days.at(-1).lines.push(line);
    }
    const none = el("p", { class: "quiet" }, this.#loaded ? words.news_none : words.loading);
    const more = this.#next !== null && el("button", { class: "plain", type: "button", onclick: () => this.#older() }, words.more);
    this.#list.replaceChildren(...(days.length ? days.map((each, nth) => this.#day(each, nth)) : [none]), ...(more ? [more] : []));
    if (more) this.#seen.observe(more);
    const again = here && [...this.#list.querySelectorAll("li")].find((row) => row.dataset.id === here);
    again?.querySelector("button").focus({ preventScroll: true });
  }

  #day({ at, lines }, nth) {
    const id = `news-day-${nth}`;
    return el("section", { "aria-labelledby": id }, el("h3", { id, class: "news-day" }, day(at)), el("ul", { class: "news-list" }, ...lines.map((line) => this.#row(line))));
  }

  #row(line) {
    const fresh = this.#fresh.has(line.place);
    const faces = line.actors.slice(0, FACES).map((card) => face(card.id, card.name));
    const text = line.mask ? words.news_masked : line.text;
    return el(
      "li",
      { class: `news-line${fresh ? " fresh" : ""}`, data: { id: line.id, kind: line.kind } },
      el(
        "button",
        { class: "news-open", type: "button", onclick: () => this.#follow(line) },
        el("span", { class: "news-faces" }, ...faces),
        el(
          "span",
          { class: "news-words" },
          fresh && el("span", { class: "unseen" }, `${words.news_fresh} `),
          el("span", {}, sentence(line)),
          text && el("small", { class: "news-text" }, text),
          el("time", { datetime: new Date(line.at).toISOString(), title: full(line.at) }, clock(line.at)),
        ),
      ),
    );
  }

  /** To what a line is about. */
  #follow({ kind, post, community, room, actors }) {
    const { places, ties } = this.#app;
    if (post) this.#owner.openPost(post);
    else if (kind === "follow_request") ties.use((screen) => screen.open("requests"));
    else if (community) places.openPlace(community);
    else if (room) {
      this.#sheet.close();
      byId("way-rooms").click();
      byId("requested").querySelector("button")?.focus();
    } else if (actors.length) this.#app.openProfile(actors[0].id);
  }
}

/** Who did what; a kind that a newer server knows is told by its people alone. */
function sentence({ kind, actors, count, name }) {
  const [first, second] = actors.map((card) => words.call_name(card.name));
  const others = count - 1;
  const who = !others ? first : others === 1 && second ? words.news_two(first, second) : words.news_many(first, others);
  return words.news_kinds[kind]?.(who, name) ?? who;
}
