// Somebody's profile, and what one can do about them: follow, talk, mute, block, report. One's own leads to editing.

import { ask } from "./dialogs.js";
import { el } from "./dom.js";
import { Feed } from "./feed.js";
import { FeedView } from "./feedview.js";
import { field, form, why } from "./forms.js";
import { PlaceOrder } from "./placeorder.js";
import { Sheet } from "./sheet.js";
import { words } from "./words.js";

export class ProfileSheet {
  #app;
  #sheet = new Sheet("profile");
  #id = null;
  #profile = null;
  #missing = false;
  #naming = false;
  #places = [];
  #morePlaces = null;
  /** While one puts one's own into another order. */
  #order = null;
  #list = el("ol", { class: "posts", id: "profile-list" });
  #view;
  #channel = null;

  /** `app` has client, people, rooms, marks, dots, ties, settings, visibility, contact, menu, places, go(room) and notice(text). */
  constructor(app) {
    this.#app = app;
    this.#view = new FeedView(app, this.#list, { place: false });
    this.#sheet.onClose(() => this.#left());
  }

  /** Show an account. */
  open(id) {
    this.#left();
    this.#id = id;
    this.#view.show(new Feed(this.#app.client, this.#app.book, { which: "profile", account: id }));
    this.#profile = null;
    this.#missing = false;
    this.#naming = false;
    this.#places = [];
    this.#morePlaces = null;
    this.#order = null;
    this.#sheet.open(() => this.#draw());
    this.refresh();
  }

  /** A push, after the book has heard it. */
  apply({ ch, ev, d }) {
    if (ev === "post.created" && ch === this.#channel && this.#view.feed?.add(d.post.id)) this.#view.render();
  }

  render() {
    if (this.#channel) this.#view.render();
  }

  touched(ids) {
    if (this.#channel) this.#view.touched(ids);
  }

  live() {
    if (this.#channel) this.#view.read();
  }

  reload(ch) {
    if (ch === this.#channel) this.#view.read();
  }

  clear() {
    this.#sheet.close();
    this.#view.show(null);
  }

  #left() {
    if (this.#channel) this.#app.screen.leave(this.#channel);
    this.#channel = null;
  }

  /** The posts of who may be read, as long as they are on the screen. */
  async #watch({ id, gone, relation, private: closed }) {
    const open = !gone && !relation.blocked && (!closed || relation.following || id === this.#app.people.me?.id);
    if (!open) this.#left();
    if (!open || this.#channel) return;
    this.#channel = `author:${id}`;
    await this.#app.screen.watch(this.#channel);
    if (this.#channel === `author:${id}`) await this.#view.read();
  }

  /** Something about people changed: read again what is shown. */
  async refresh() {
    const id = this.#id;
    if (!this.#sheet.isOpen) return;
    try {
      const profile = await this.#app.client.call("account.get", { account: id });
      if (id !== this.#id) return;
      this.#profile = profile;
      this.#app.people.met(profile);
      this.#watch(profile);
      if (!profile.gone) await this.#readPlaces(null);
    } catch (error) {
      if (id !== this.#id) return;
      this.#missing = error.code === "not_found";
      if (!this.#missing) this.#sheet.fail(why(error));
    }
    this.#sheet.draw();
  }

  /** The communities that this one shows, from the beginning or further on. */
  async #readPlaces(after) {
    const id = this.#id;
    const { communities, next } = await this.#app.client.call("community.list", { account: id, after });
    if (id !== this.#id) return;
    this.#places = after ? [...this.#places, ...communities] : communities;
    this.#morePlaces = next;
  }

  #draw() {
    const profile = this.#profile;
    if (this.#missing || profile?.gone) return { title: words.profile, parts: [el("p", { class: "quiet" }, this.#missing ? words.profile_none : words.gone_person)] };
    if (!profile) return { title: words.profile, parts: [el("p", { class: "quiet" }, words.loading)] };
    const own = profile.id === this.#app.people.me?.id;
    return {
      title: own ? words.profile_own : words.profile,
      parts: [
        this.#head(profile, own),
        profile.bio && el("p", { class: "bio" }, profile.bio),
        profile.links.length > 0 && el("ul", { class: "profile-links" }, ...profile.links.map((link) => el("li", {}, outward(link)))),
        ...(own ? this.#ownActs() : this.#acts(profile)),
        ...this.#shownPlaces(),
        ...this.#posts(profile, own),
      ],
    };
  }

  #head({ id, name, own_name, handle, status, private: closed, relation }, own) {
    const mutual = relation.following && relation.followed_by;
    const notes = own ? [] : [mutual ? words.mutual : relation.followed_by && words.follows_you];
    if (closed) notes.push(words.profile_private);
    if (relation.muted) notes.push(words.muted_now);
    if (relation.blocked) notes.push(words.blocked_now);
    return el(
      "div",
      { class: "profile-head" },
      this.#app.dots.face(id, name, { told: false }),
      el(
        "div",
        {},
        el("p", { class: "profile-name" }, name),
        own_name && el("p", { class: "quiet", id: "own-name" }, words.nickname_of(own_name)),
        el("p", { class: "quiet" }, `@${handle}`),
        this.#app.dots.line(id),
        status && el("p", { class: "profile-status" }, status),
        notes.filter(Boolean).length > 0 && el("p", { class: "notes" }, ...notes.filter(Boolean).map((note) => el("span", { class: "note" }, note))),
      ),
    );
  }

  #shownPlaces() {
    if (!this.#places.length) return [];
    const chips = this.#places.map(({ id, name }) => el("button", { class: "chip", type: "button", data: { place: id }, onclick: () => this.#app.places.openPlace(id) }, name));
    const more = this.#morePlaces && button("link", words.more, () => this.#readPlaces(this.#morePlaces).then(() => this.#sheet.draw(), (error) => this.#sheet.fail(why(error))));
    const own = this.#id === this.#app.people.me?.id && (this.#places.length > 1 || this.#morePlaces);
    if (own && this.#order) return [el("h3", {}, words.places), ...this.#order.parts()];
    const arrange = own && button("link", words.arrange, () => this.#arrange().catch((error) => this.#sheet.fail(why(error))));
    return [el("h3", {}, words.places), el("p", { class: "chips", id: "profile-places" }, ...chips, more), arrange && el("p", { class: "links" }, arrange)].filter(Boolean);
  }

  /** Put one's communities into another order: all of them, so none is left behind. */
  async #arrange() {
    while (this.#morePlaces) await this.#readPlaces(this.#morePlaces);
    const { client } = this.#app;
    const done = () => {
      this.#order = null;
      this.refresh();
    };
    this.#order = new PlaceOrder(client, this.#places, { draw: () => this.#sheet.draw(), fail: (error) => this.#sheet.fail(why(error)), done });
    this.#sheet.draw();
    this.#order.begin();
  }

  #posts({ relation, private: closed }, own) {
    if (relation.blocked) return [];
    const shut = closed && !relation.following && !own;
    return [el("h3", {}, words.profile_posts), shut ? el("p", { class: "quiet" }, words.profile_posts_private) : this.#list];
  }

  #ownActs() {
    const { settings, ties } = this.#app;
    return [
      el(
        "p",
        { class: "profile-acts" },
        button("strong", words.profile_edit, () => settings.use((screen) => screen.editProfile())),
        button("plain", words.tie_lists.following, () => ties.use((screen) => screen.open("following"))),
        button("plain", words.tie_lists.followers, () => ties.use((screen) => screen.open("followers"))),
      ),
    ];
  }

  #acts(profile) {
    const { relation } = profile;
    const asks = this.#app.marks.requests.some((card) => card.id === profile.id);
    const mutual = relation.following && relation.followed_by;
    return [
      asks &&
        el(
          "div",
          { class: "asks" },
          el("p", {}, words.asks_you),
          el("p", { class: "acts" }, this.#button("strong", words.follow_accept, () => this.#app.marks.answer(profile, true)), this.#button("plain", words.follow_decline, () => this.#app.marks.answer(profile, false))),
        ),
      !relation.blocked && el("p", { class: "profile-acts" }, this.#followButton(profile), this.#button("plain", words.write_message, () => this.#write(profile))),
      mutual && el("p", { class: "profile-acts" }, ...["following", "followers"].map((which) => button("plain", words.tie_lists[which], () => this.#app.ties.use((screen) => screen.open(which, profile))))),
      this.#naming && this.#nameForm(profile),
      el(
        "p",
        { class: "profile-more" },
        this.#button("link", relation.muted ? words.unmute : words.mute, () => this.#app.marks.set("mute", profile, !relation.muted)),
        !relation.blocked && button("link", words.exception, () => this.#app.visibility.use((screen) => screen.openOne(profile))),
        button("link", words.nickname_give, () => this.#name(!this.#naming)),
        this.#button("link", relation.blocked ? words.unblock : words.block, () => this.#block(profile)),
        button("link", words.report, () => this.#app.contact.use((screen) => screen.report("account", profile.id, words.report_account(profile.name)))),
      ),
    ];
  }

  /** What one calls them, for oneself. */
  #nameForm({ id, name, own_name }) {
    const place = (error) => (error.code.startsWith("text_") ? ["nickname", error.code === "text_too_long" ? words.too_long(error.details.limit, error.details.used) : words.name_wrong] : null);
    const act = async ({ nickname }) => {
      await this.#app.client.call("nickname.put", { account: id, name: nickname });
      this.#name(false);
      await this.refresh();
    };
    return form("nickname-form", { act, button: words.save, place }, field("nickname", words.nickname, { value: own_name ? name : "" }, words.nickname_hint));
  }

  #name(on) {
    this.#naming = on;
    this.#sheet.draw();
    if (on) this.#sheet.body.querySelector("#nickname").focus();
  }

  #followButton(profile) {
    const { following, requested } = profile.relation;
    if (following) return this.#button("plain", words.unfollow, () => this.#unfollow(profile, words.unfollow_ask(profile.name)));
    if (requested) return this.#button("plain", words.follow_cancel, () => this.#unfollow(profile, ""));
    return this.#button("strong", profile.private ? words.follow_ask : words.follow, () => this.#follow(profile));
  }

  /** A button whose act is followed by reading the profile again. */
  #button(kind, text, act) {
    return button(kind, text, async ({ currentTarget }) => {
      currentTarget.disabled = true;
      this.#sheet.fail("");
      try {
        await act();
        await this.refresh();
      } catch (error) {
        this.#sheet.fail(why(error));
        currentTarget.disabled = false;
      }
    });
  }

  async #follow({ id, name }) {
    const { state } = await this.#app.client.call("follow.add", { account: id });
    this.#sheet.say(state === "following" ? words.follow_done(name) : words.follow_asked(name));
  }

  async #unfollow({ id }, question) {
    if (question && !(await ask(question, words.unfollow))) return;
    await this.#app.client.call("follow.remove", { account: id });
    this.#sheet.say("");
  }

  async #block(profile) {
    const on = !profile.relation.blocked;
    const question = on ? words.block_ask(profile.name) : words.unblock_ask(profile.name);
    if (!(await ask(question, on ? words.block : words.unblock))) return;
    await this.#app.marks.set("block", profile, on);
    this.#sheet.say("");
  }

  async #write({ id }) {
    const room = await this.#app.client.call("room.open", { account: id });
    this.#app.rooms.put(room);
    this.#app.menu.shut();
    this.#app.go(room.id);
  }
}

function button(kind, text, act) {
  return el("button", { class: kind, type: "button", onclick: act }, text);
}

/** A link out of the house: it tells the other site nothing of this one. */
function outward(link) {
  if (!link.startsWith("https://")) return link;
  const shown = link.replace(/^https:\/\//, "").replace(/\/$/, "");
  return el("a", { href: link, target: "_blank", rel: "noopener noreferrer nofollow" }, shown, el("span", { class: "unseen" }, ` ${words.profile_new_tab}`));
}
