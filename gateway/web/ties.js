// Lists of people: who follows whom, who asks to, whom one blocks and mutes; read by page.

import { el, personRow } from "./dom.js";
import { why } from "./forms.js";
import { Sheet } from "./sheet.js";
import { words } from "./words.js";

const OWN = ["requests", "following", "followers", "blocked", "muted"];
const THEIRS = ["following", "followers"];
const OPS = { blocked: "block.list", muted: "mute.list" };

export class Ties {
  #app;
  #sheet = new Sheet("ties");
  #owner = null;
  #which = "following";
  #cards = [];
  #next = null;
  #loaded = false;

  /** `app` has client, marks, people, dots and openProfile(id). */
  constructor(app) {
    this.#app = app;
  }

  /** One's own lists, or those of `owner`, a card. */
  open(which, owner = null) {
    this.#owner = owner;
    this.#which = which;
    this.#cards = [];
    this.#sheet.open(() => this.#draw());
    this.#choose(which);
  }

  /** A tie changed: what is shown is read again. */
  changed() {
    if (this.#sheet.isOpen) this.#choose(this.#which);
  }

  async #choose(which) {
    this.#which = which;
    this.#next = null;
    this.#loaded = false;
    await this.#read([]);
  }

  async #read(before) {
    const which = this.#which;
    const request = { after: this.#next, ...(OPS[which] ? {} : { which, account: this.#owner?.id ?? null }) };
    this.#sheet.fail("");
    try {
      const { accounts, next } = await this.#app.client.call(OPS[which] ?? "follow.list", request);
      if (which !== this.#which) return;
      this.#cards = [...before, ...accounts];
      this.#next = next;
      this.#loaded = true;
      for (const card of accounts) this.#app.people.put(card);
    } catch (error) {
      this.#sheet.fail(why(error));
    }
    this.#sheet.draw();
  }

  #draw() {
    const rows = this.#cards.map((card) => this.#row(card));
    const none = this.#loaded ? words.tie_none[this.#which] : words.loading;
    return {
      title: this.#owner ? words.ties_of(this.#owner.name) : words.ties,
      parts: [
        this.#tabs(),
        rows.length ? el("ul", { class: "people-list" }, ...rows) : el("p", { class: "quiet" }, none),
        this.#next && el("p", { class: "acts" }, el("button", { class: "plain", type: "button", onclick: () => this.#read(this.#cards) }, words.more)),
      ],
    };
  }

  #row(card) {
    const acts = this.#acts(card);
    if (card.gone) return personRow({ ...card, name: words.gone_person }, { acts });
    return personRow(card, { ...(this.#which === "blocked" ? {} : this.#app.dots.row(card)), open: () => this.#app.openProfile(card.id), acts });
  }

  #tabs() {
    const tab = (which) => {
      const n = which === "requests" && this.#app.marks.requests.length;
      const text = words.tie_lists[which] + (n ? ` (${n})` : "");
      return el("button", { class: "tab", type: "button", "aria-pressed": String(which === this.#which), data: { which }, onclick: () => this.#switch(which) }, text);
    };
    return el("div", { class: "tabs", role: "group", "aria-label": words.ties }, ...(this.#owner ? THEIRS : OWN).map(tab));
  }

  async #switch(which) {
    this.#cards = [];
    await this.#choose(which);
    // The buttons were drawn anew.
    this.#sheet.body.querySelector(`[data-which=${which}]`)?.focus();
  }

  #acts(card) {
    if (this.#owner) return [];
    const act = (text, kind, run) => el("button", { class: kind, type: "button", onclick: () => this.#do(run) }, text);
    const { marks } = this.#app;
    if (this.#which === "requests") {
      return [
        act(words.follow_accept, "strong", () => marks.answer(card, true)),
        act(words.follow_decline, "plain", () => marks.answer(card, false)),
      ];
    }
    if (this.#which === "blocked") return [act(words.unblock, "plain", () => marks.set("block", card, false))];
    return this.#which === "muted" ? [act(words.unmute, "plain", () => marks.set("mute", card, false))] : [];
  }

  async #do(run) {
    try {
      // What changed is told to `changed()`, which reads the list again.
      await run();
    } catch (error) {
      this.#sheet.fail(why(error));
    }
  }
}
