// Communities: one's own, all that are open, and what is posted in one of them, live.
//
// What always holds: what somebody writes is never drawn anew while posts come and go; posts stand in the order of their
// seq, the newest first, each once; a place one only looks at is watched as long as it is on the screen.

import { fresh } from "./dialogs.js";
import { put } from "./dots.js";
import { el, face } from "./dom.js";
import { Feed } from "./feed.js";
import { FeedView } from "./feedview.js";
import { Fault, area, field, form, why } from "./forms.js";
import { PostForm, reachOf } from "./postform.js";
import { nameOf } from "./lines.js";
import { Sheet } from "./sheet.js";
import { words } from "./words.js";

const LISTS = ["mine", "open"];

export class Places {
  #app;
  #sheet = new Sheet("places");
  #which = "mine";
  #words = "";
  #cards = [];
  #next = null;
  #loaded = false;
  #place = null;
  #list = el("ol", { class: "posts", id: "place-posts" });
  #view;
  #form = null;
  #crowd = el("p", { class: "presence", id: "place-here" });
  #nonce = fresh();

  /** `app` has client, book, acts, people, presence, dots, here, placeNames, postbox, screen and shelf. */
  constructor(app) {
    this.#app = app;
    this.#view = new FeedView(app, this.#list, { place: false });
    this.#sheet.onClose(() => this.#leaveScreen());
  }

  /** The channel of the community on the screen, or null. */
  get channel() {
    return this.#place?.channel ?? null;
  }

  open() {
    this.#leaveScreen();
    this.#sheet.open(() => (this.#place ? this.#drawPlace() : this.#drawLists()));
    this.#choose("mine");
  }

  /** Show one community. */
  async openPlace(community) {
    this.#leaveScreen();
    const cards = (this.#cards = []);
    this.#loaded = false;
    this.#sheet.open(() => (this.#place ? this.#drawPlace() : this.#drawLists()));
    try {
      const card = await this.#app.client.call("community.get", { community });
      // Closed meanwhile, or gone on to something else.
      if (this.#sheet.isOpen && cards === this.#cards && !this.#place) await this.#show(card);
    } catch (error) {
      this.#sheet.fail(why(error));
    }
  }

  /** A push, after the book has heard it. */
  apply({ ch, ev, d }) {
    if (ev.startsWith("community.") && this.#sheet.isOpen && !this.#place) this.#choose(this.#which);
    if (ev === "post.created" && ch === this.#place?.channel && this.#view.feed?.add(d.post.id)) this.#view.render();
  }

  render() {
    if (this.#place) this.#view.render();
  }

  /** Who looks at it now: how many, and those one may see. */
  crowd() {
    const { presence, people } = this.#app;
    const here = presence.crowd(this.channel);
    const many = !here ? "" : here.few ? words.crowd_few : here.count ? words.crowd(here.count) : "";
    const names = words.and((here?.people ?? []).map((id) => nameOf(people, id)));
    put(this.#crowd, many && names ? words.crowd_named(many, names) : many);
  }

  touched(ids) {
    if (this.#place) this.#view.touched(ids);
  }

  pending() {
    if (this.#place) this.#form?.pending();
  }

  /** Pushes of the place on the screen were missed. */
  reload(ch) {
    if (this.#place?.channel === ch) this.#view.read();
  }

  /** There is a link again. */
  live() {
    if (this.#place) this.#view.read();
  }

  clear() {
    this.#sheet.close();
    this.#leaveScreen();
    this.#cards = [];
    this.#words = "";
    this.#view.show(null);
    this.#form?.forget();
    this.#form = null;
  }

  // Lists

  async #choose(which) {
    this.#which = which;
    this.#next = null;
    this.#loaded = false;
    this.#cards = [];
    await this.#load();
  }

  async #load() {
    const [cards, which, sought, after] = [this.#cards, this.#which, this.#words, this.#next];
    // Asked anew meanwhile, or asked twice for the same rows.
    const over = () => cards !== this.#cards || after !== this.#next || Boolean(this.#place);
    this.#sheet.fail("");
    try {
      const answer = await this.#ask(which, sought, after);
      if (over()) return;
      cards.push(...answer.communities);
      this.#next = answer.next;
      this.#loaded = true;
    } catch (error) {
      if (over()) return;
      this.#sheet.fail(why(error));
    }
    this.#sheet.renew();
  }

  #ask(which, sought, after) {
    const { client } = this.#app;
    if (sought && which === "open") return client.call("community.search", { words: sought, after });
    return client.call("community.list", { joined: which === "mine", after });
  }

  #drawLists() {
    const rows = this.#cards.map((card) => this.#row(card));
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
      if (this.#sheet.isOpen) await this.#show(made);
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

  // One place

  async #show(card) {
    this.#leaveScreen();
    this.#place = card;
    this.#moved();
    this.#app.placeNames.put(card);
    this.#form = new PostForm(this.#app, {
      name: "post",
      place: `place.${card.id}`,
      channel: card.channel,
      request: () => ({ community: card.id }),
      reach: () => reachOf(this.#app.client, card.id),
    });
    this.#view.show(new Feed(this.#app.client, this.#app.book, { which: "community", community: card.id }));
    this.#sheet.fail("");
    this.#sheet.draw();
    this.#sheet.focusTitle();
    // Also a place one is inside of: a busy one is told whole only to who watches it.
    await this.#app.screen.watch(card.channel);
    if (this.#place === card) await this.#view.read();
  }

  #leaveScreen() {
    if (!this.#place) return;
    this.#app.screen.leave(this.#place.channel);
    this.#place = null;
    this.#moved();
  }

  #moved() {
    put(this.#crowd, "");
    this.#app.here.moved();
    this.#app.dots.look();
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
        this.#crowd,
        ...(place.role ? this.#form.parts() : [el("p", { class: "quiet" }, words.place_reading)]),
        this.#list,
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
      const card = await client.call("community.get", { community });
      if (this.#place?.id !== community) return;
      this.#place = card;
      this.#sheet.draw();
      this.#sheet.focusTitle();
      await this.#view.read();
    } catch (error) {
      if (this.#place?.id === community) this.#sheet.fail(why(error));
    }
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
}
