// Communities: one's own, all that are open, and what is posted in one of them, live.
//
// What always holds: what somebody writes is never drawn anew while posts come and go; posts stand in the order of their
// seq, the newest first, each once; a place one only looks at is watched as long as it is on the screen.

import { ask, fresh } from "./dialogs.js";
import { brief, full } from "./dates.js";
import { el, face } from "./dom.js";
import { Fault, area, field, form, why } from "./forms.js";
import { cost, LIMIT } from "./short.js";
import { Sheet } from "./sheet.js";
import { words } from "./words.js";

const PAGE = 30;
const LISTS = ["mine", "open", "posts"];

export class Places {
  #app;
  #sheet = new Sheet("places");
  #which = "mine";
  #words = "";
  #cards = [];
  #found = [];
  #next = null;
  #loaded = false;
  #place = null;
  #posts = new Map();
  #gone = new Set();
  #more = false;
  #list = el("ol", { class: "posts" });
  #older = el("p", { class: "acts" });
  #left = el("small", { class: "quiet", "aria-live": "off" });
  #nonce = fresh();

  /** `app` has client, people, profile and contact. */
  constructor(app) {
    this.#app = app;
    this.#sheet.onClose(() => this.#leaveScreen());
  }

  open() {
    this.#place = null;
    this.#sheet.open(() => (this.#place ? this.#drawPlace() : this.#drawLists()));
    this.#choose("mine");
  }

  /** A push of any channel. */
  apply({ ch, ev, d }) {
    if (ev.startsWith("community.") && this.#sheet.isOpen && !this.#place) this.#choose(this.#which);
    if (!this.#place || ch !== this.#place.channel) return;
    if (ev === "post.created") this.#put([d.post]);
    else if (ev === "post.deleted") this.#drop(d.post);
    this.#render();
  }

  /** Pushes of the place on the screen were missed. */
  reload(ch) {
    if (this.#place?.channel === ch) this.#read();
  }

  /** There is a link again: what is on the screen is watched again. */
  live() {
    if (!this.#place) return;
    this.#watch();
    this.#read();
  }

  clear() {
    this.#sheet.close();
    this.#place = null;
    this.#cards = [];
    this.#found = [];
    this.#posts.clear();
  }

  // Lists

  async #choose(which) {
    this.#which = which;
    this.#next = null;
    this.#loaded = false;
    this.#cards = [];
    this.#found = [];
    await this.#load();
  }

  async #load() {
    const [which, sought, after] = [this.#which, this.#words, this.#next];
    this.#sheet.fail("");
    try {
      const answer = await this.#ask(which, sought, after);
      if (which !== this.#which || sought !== this.#words || this.#place) return;
      this.#cards.push(...(answer.communities ?? []));
      this.#found.push(...(answer.posts ?? []));
      this.#next = answer.next;
      this.#loaded = true;
    } catch (error) {
      this.#sheet.fail(why(error));
    }
    this.#sheet.renew();
  }

  #ask(which, sought, after) {
    const { client } = this.#app;
    if (which === "posts") return sought ? client.call("post.search", { words: sought, after }) : { posts: [], next: null };
    if (sought && which === "open") return client.call("community.search", { words: sought, after });
    return client.call("community.list", { joined: which === "mine", after });
  }

  #drawLists() {
    const rows = this.#which === "posts" ? this.#found.map((post) => this.#foundRow(post)) : this.#cards.map((card) => this.#row(card));
    const none = this.#loaded ? words.place_none[this.#words ? "open" : this.#which] : words.loading;
    const list = rows.length ? el("ul", { class: "people-list" }, ...rows) : el("p", { class: "quiet" }, none);
    return {
      title: words.places,
      parts: [
        el("div", { class: "tabs", role: "group", "aria-label": words.places }, ...LISTS.map((which) => this.#tab(which))),
        this.#which !== "mine" && this.#seek(),
        list,
        this.#next && el("p", { class: "acts" }, el("button", { class: "plain", type: "button", onclick: () => this.#load() }, words.more)),
        this.#which === "mine" && this.#founding(),
      ],
    };
  }

  #tab(which) {
    const go = async () => {
      this.#words = "";
      await this.#choose(which);
      this.#sheet.body.querySelector(`[data-which=${which}]`)?.focus();
    };
    return el("button", { class: "tab", type: "button", "aria-pressed": String(which === this.#which), data: { which }, onclick: go }, words.place_lists[which]);
  }

  #seek() {
    const act = async ({ place_words }) => {
      this.#words = place_words.trim();
      await this.#choose(this.#which);
    };
    return form("place-search", { act, button: words.search }, field("place_words", words.search_words, { value: this.#words, type: "search", enterkeyhint: "search" }));
  }

  #founding() {
    const act = async ({ place_name, place_purpose }) => {
      if (!place_name.trim()) throw new Fault("place_name", words.needed);
      const made = await this.#durably("community.create", { name: place_name, purpose: place_purpose });
      await this.#show(made);
    };
    const made = form("place-form", { act, button: words.place_found }, field("place_name", words.place_name), area("place_purpose", words.place_purpose));
    return el("details", {}, el("summary", {}, words.place_new), el("p", { class: "quiet" }, words.place_new_hint), made);
  }

  #row(card) {
    const note = [words.place_members(card.members), card.purpose].filter(Boolean).join(" · ");
    const name = el("span", { class: "person-name" }, card.name, el("small", { class: "note" }, note));
    return el(
      "li",
      { class: "person-row" },
      el("button", { class: "person-open", type: "button", data: { place: card.id }, onclick: () => this.#show(card) }, face(card.id, card.name, "square"), name),
    );
  }

  #foundRow(post) {
    const told = el("span", { class: "person-name" }, post.text, el("small", { class: "note" }, `${post.author.name} · ${brief(post.at)}`));
    // What stands in no community stands with its author.
    const open = () => (post.community ? this.#showById(post.community) : this.#app.profile.open(post.author.id));
    return el("li", { class: "person-row" }, el("button", { class: "person-open", type: "button", onclick: open }, told));
  }

  // One place

  async #showById(community) {
    try {
      await this.#show(await this.#app.client.call("community.get", { community }));
    } catch (error) {
      this.#sheet.fail(why(error));
    }
  }

  async #show(card) {
    this.#place = card;
    this.#posts.clear();
    this.#gone.clear();
    this.#more = false;
    this.#sheet.fail("");
    this.#list.replaceChildren(el("li", { class: "quiet" }, words.loading));
    this.#older.replaceChildren();
    this.#sheet.draw();
    this.#sheet.focusTitle();
    await this.#watch();
    await this.#read();
  }

  #leaveScreen() {
    const place = this.#place;
    this.#place = null;
    if (place) this.#app.client.call("channel.unwatch", { channels: [place.channel] }).catch(() => {});
  }

  /** Also a place one is inside of: a busy one is told whole only to who watches it. Without a socket nothing can be
   * watched; the place is read when it is opened. */
  async #watch() {
    await this.#app.client.call("channel.watch", { channels: [this.#place.channel] }).catch(() => {});
  }

  /** The newest posts, or those before a seq. */
  async #read(before = null) {
    const place = this.#place;
    try {
      const page = await this.#app.client.call("timeline.list", { community: place.id, limit: PAGE, ...(before ? { before } : {}) });
      if (place !== this.#place) return;
      // Between the newest page and what was read before it, more may have been missed than the page holds.
      if (before === null) for (const [id, { seq }] of this.#posts) if (seq <= page.seq) this.#posts.delete(id);
      this.#more = page.more_before;
      this.#put(page.posts);
    } catch (error) {
      this.#sheet.fail(why(error));
    }
    this.#render();
  }

  #put(posts) {
    for (const post of posts) {
      if (this.#gone.has(post.id)) continue;
      this.#posts.set(post.id, post);
      this.#app.people.put(post.author);
    }
  }

  #drop(id) {
    this.#gone.add(id);
    this.#posts.delete(id);
  }

  #drawPlace() {
    const place = this.#place;
    const back = el("button", { class: "link", type: "button", onclick: () => this.#back() }, words.places_back);
    return {
      title: place.name,
      parts: [
        el("p", { class: "acts" }, back, this.#standing()),
        place.purpose && el("p", { class: "bio" }, place.purpose),
        el("p", { class: "quiet", id: "place-members" }, words.place_members(place.members)),
        place.role ? this.#composer() : el("p", { class: "quiet" }, words.place_reading),
        this.#list,
        this.#older,
      ],
    };
  }

  async #back() {
    this.#leaveScreen();
    this.#sheet.draw();
    this.#sheet.focusTitle();
    await this.#choose(this.#which);
  }

  #standing() {
    const joined = Boolean(this.#place.role);
    return el("button", { class: joined ? "plain" : "strong", type: "button", id: "place-standing", onclick: () => this.#move(joined) }, joined ? words.place_leave : words.place_join);
  }

  async #move(joined) {
    const { client } = this.#app;
    const community = this.#place.id;
    try {
      await client.call(joined ? "community.leave" : "community.join", { community });
      this.#place = await client.call("community.get", { community });
      this.#sheet.draw();
      this.#sheet.focusTitle();
      await this.#watch();
      await this.#read();
    } catch (error) {
      this.#sheet.fail(why(error));
    }
  }

  #composer() {
    const act = async ({ post_text }) => {
      if (!post_text.trim()) throw new Fault("post_text", words.needed);
      if (cost(post_text) > LIMIT) throw new Fault("post_text", words.post_too_long);
      await this.#durably("post.create", { community: this.#place.id, text: post_text });
      this.#sheet.body.querySelector("#post_text").value = "";
      this.#count("");
    };
    const place = (error) => (error.code === "text_too_long" ? ["post_text", words.post_too_long] : null);
    this.#count("");
    return form("post-form", { act, button: words.post, place, input: ({ post_text }) => this.#count(post_text) }, area("post_text", words.post_text, { rows: 2 }, ""), this.#left);
  }

  #count(text) {
    const left = LIMIT - cost(text.trim());
    this.#left.textContent = words.post_left(left.toFixed(1));
    this.#left.classList.toggle("over", left < 0);
  }

  /** What is asked again is the same act until it is answered. */
  async #durably(op, request) {
    try {
      const answer = await this.#app.client.call(op, { ...request, nonce: this.#nonce });
      this.#nonce = fresh();
      return answer;
    } catch (error) {
      if (!error.temporary) this.#nonce = fresh();
      throw error;
    }
  }

  /** Only the posts, so that what is being written stays as it is. */
  #render() {
    if (!this.#place) return;
    const posts = [...this.#posts.values()].sort((a, b) => b.seq - a.seq);
    const known = new Map([...this.#list.children].map((node) => [node.dataset.id, node]));
    const rows = posts.map((post) => known.get(post.id) ?? this.#postRow(post));
    this.#list.replaceChildren(...(rows.length ? rows : [el("li", { class: "quiet" }, words.place_no_posts)]));
    const more = el("button", { class: "plain", type: "button", onclick: () => this.#read(posts.at(-1).seq) }, words.more);
    this.#older.replaceChildren(...(this.#more && posts.length ? [more] : []));
  }

  #postRow(post) {
    const mine = post.author.id === this.#app.people.me?.id;
    const who = el("button", { class: "post-who", type: "button", onclick: () => this.#app.profile.open(post.author.id) }, face(post.author.id, post.author.name), post.author.name, el("small", {}, ` @${post.author.handle}`));
    const when = el("time", { datetime: new Date(post.at).toISOString(), title: full(post.at) }, brief(post.at));
    const act = mine && el("button", { class: "tool", type: "button", onclick: () => this.#remove(post) }, words.delete);
    return el("li", { class: "post", data: { id: post.id } }, el("p", { class: "post-head" }, who, when, act), el("p", { class: "post-text" }, post.text));
  }

  async #remove(post) {
    if (!(await ask(words.post_delete_ask, words.delete))) return;
    try {
      await this.#app.client.call("post.delete", { post: post.id });
      this.#drop(post.id);
      this.#render();
      this.#sheet.focusTitle();
    } catch (error) {
      this.#sheet.fail(why(error));
    }
  }
}
