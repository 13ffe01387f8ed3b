// A group's people and its settings: who is here, bring people in, rename, what newcomers read, leave, report.

import { ask, choices, chosen, fresh } from "./dialogs.js";
import { el, personRow } from "./dom.js";
import { Fault, field, form, oneOf, why } from "./forms.js";
import { Sheet } from "./sheet.js";
import { words } from "./words.js";

export class GroupSheet {
  #app;
  #sheet = new Sheet("people");
  #room = null;
  #nonce = fresh();
  #drawn = "";

  /** `app` has client, people, rooms, dots, menu, contact and openProfile(id). */
  constructor(app) {
    this.#app = app;
  }

  get #card() {
    return this.#app.rooms.get(this.#room);
  }

  /** Show a group's people and settings. */
  async open(room) {
    this.#room = room;
    this.#nonce = fresh();
    await this.#app.rooms.refresh(room);
    if (this.#card) this.#sheet.open(() => this.#draw());
  }

  /** Somebody came or went, or the group has another name. */
  changed() {
    if (!this.#sheet.isOpen) return;
    if (!this.#card) this.#sheet.close();
    else if (this.#drawn !== this.#sign()) this.#sheet.renew();
  }

  #sign() {
    const { people, title, reading, creator } = this.#card;
    return JSON.stringify([people, title, reading, creator]);
  }

  #draw() {
    const card = this.#card;
    if (!card) return { title: words.people, parts: [] };
    this.#drawn = this.#sign();
    return {
      title: words.people,
      parts: [
        el("ul", { id: "people-list", class: "people-list" }, ...(card.people ?? []).map((each) => this.#person(card, each))),
        this.#addForm(card),
        el("section", { class: "setting" }, el("h3", {}, words.group_settings), this.#titleForm(card), ...this.#acts(card)),
      ],
    };
  }

  #person(card, { account, state }) {
    const notes = [state === "invited" && words.invited, account.id === card.creator && words.group_creator].filter(Boolean);
    const shown = account.gone ? { ...account, name: words.gone_person } : account;
    return personRow(shown, { ...this.#app.dots.row(account), note: notes.join(" / "), open: account.gone ? null : () => this.#app.openProfile(account.id) });
  }

  #addForm(card) {
    const here = new Set((card.people ?? []).map(({ account }) => account.id));
    const others = this.#app.people.others().filter((other) => !here.has(other.id) && !this.#app.marks.folds(other.id));
    const fieldset = el("fieldset", {}, el("legend", {}, words.people_add), el("div", { id: "add-people" }));
    choices(fieldset.lastElementChild, others, words.people_all);
    if (!others.length) return fieldset;
    const made = form("add-form", { act: () => this.#add(fieldset), button: words.people_add }, fieldset);
    made.querySelector("[type=submit]").id = "add-do";
    return made;
  }

  async #add(fieldset) {
    const accounts = chosen(fieldset);
    if (accounts.length) await this.#act("room.add", { accounts, nonce: this.#nonce });
    this.#sheet.close();
  }

  #titleForm(card) {
    const own = card.creator === this.#app.people.me?.id;
    const readings = ["from_join", "all"].map((each) => [each, words[`reading_${each}`]]);
    return form(
      "room-form",
      { act: (values) => this.#change(card, values), button: words.save },
      field("room_title", words.group_title, { value: card.title }),
      own && oneOf("reading", words.reading, readings, card.reading),
    );
  }

  async #change(card, { room_title, reading }) {
    if (!room_title.trim()) throw new Fault("room_title", words.needed);
    const changes = {};
    if (room_title !== card.title) changes.title = room_title;
    if (reading && reading !== card.reading) changes.reading = reading;
    if (Object.keys(changes).length) this.#app.rooms.put(await this.#act("room.update", { ...changes, nonce: this.#nonce }));
    this.#sheet.close();
  }

  /** An operation of this room, under a nonce that is new for each act. */
  async #act(op, request) {
    try {
      const done = await this.#app.client.call(op, { room: this.#room, ...request });
      this.#nonce = fresh();
      await this.#app.rooms.refresh(this.#room);
      return this.#card ?? done;
    } catch (error) {
      if (!error.temporary) this.#nonce = fresh();
      throw error;
    }
  }

  #acts(card) {
    const button = (id, kind, text, act) => el("button", { id, class: kind, type: "button", onclick: act }, text);
    return [
      el(
        "p",
        { class: "profile-more" },
        button("group-invite", "link", words.group_invite, () => this.#invite()),
        button("group-leave", "link", words.group_leave, () => this.#leave(card)),
        button("group-report", "link", words.report, () => this.#report(card)),
      ),
    ];
  }

  #report({ id, title }) {
    this.#app.contact.use((screen) => screen.report("room", id, words.report_room(title)));
  }

  #invite() {
    this.#sheet.close();
    this.#app.menu.openInvites();
  }

  async #leave(card) {
    if (!(await ask(words.group_leave_ask(card.title), words.group_leave))) return;
    try {
      await this.#app.client.call("room.leave", { room: card.id });
      this.#sheet.close();
      await this.#app.rooms.load();
    } catch (error) {
      this.#sheet.fail(why(error));
    }
  }
}
