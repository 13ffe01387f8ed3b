// How others see one: for everybody in one tap, for one person by an exception, and what that looks like to them. It is
// fetched once somebody is inside. What always holds: what is shown is the server's answer, not what this page believes.

import { presenceWords } from "./dots.js";
import { el, face, personRow } from "./dom.js";
import { why } from "./forms.js";
import { Sheet } from "./sheet.js";
import { words } from "./words.js";

const AUDIENCES = ["everyone", "mutuals", "nobody"];
const PAGE = 100;

export class Visibility {
  #app;
  #own = new Sheet("visibility");
  #one = new Sheet("exception");
  #to = null;
  #seen = null;
  #card = null;
  #shown = undefined;

  /** `app` has client, people and openProfile(id). */
  constructor(app) {
    this.#app = app;
  }

  /** One's own, for everybody. */
  async open() {
    this.#to = this.#seen = null;
    this.#own.open(() => this.#draw());
    await this.#do(this.#own, async () => {
      const { settings } = await this.#app.client.call("account.get", { account: this.#app.people.me.id });
      this.#to = settings.presence_to;
      await this.#preview();
    });
  }

  /** Something about presence has changed: what is open tells how it is now. */
  async changed() {
    if (this.#own.isOpen && this.#seen) await this.#do(this.#own, () => this.#preview());
  }

  async #preview() {
    this.#seen = await this.#app.client.call("presence.preview");
  }

  async #choose(to) {
    await this.#do(this.#own, async () => {
      const profile = await this.#app.client.call("account.update", { presence_to: to });
      this.#to = profile.settings.presence_to;
      await this.#preview();
    });
  }

  /** Run something and draw what came of it; what goes wrong is said, and what was tapped keeps the focus. */
  async #do(sheet, act) {
    sheet.fail("");
    try {
      await act();
    } catch (error) {
      sheet.fail(why(error));
    }
    const held = document.activeElement?.dataset.to;
    sheet.renew();
    if (held) sheet.body.querySelector(`[data-to="${held}"]`)?.focus({ preventScroll: true });
  }

  #draw() {
    return {
      title: words.visibility,
      parts: [
        this.#choices(words.presence_to, AUDIENCES.map((to) => [to, words.visibility_to[to]]), this.#to, (to) => this.#choose(to)),
        this.#seenBy(["mutuals", words.visibility_as.mutuals], ["others", words.visibility_as.others]),
        el("p", { class: "quiet" }, words.visibility_words),
        el("p", { class: "quiet" }, words.visibility_one_hint),
        el("p", { class: "acts" }, el("button", { class: "link", type: "button", onclick: () => this.#app.openProfile(this.#app.people.me.id) }, words.profile_own)),
      ],
    };
  }

  #choices(label, choices, now, act) {
    const button = ([to, text]) => el("button", { class: "tab", type: "button", "aria-pressed": String(to === now), disabled: now === null, data: { to }, onclick: () => act(to) }, text);
    return el("div", { class: "tabs", role: "group", "aria-label": label }, ...choices.map(button));
  }

  /** How each of these sees one now. */
  #seenBy(...viewers) {
    const row = ([who, called]) => el("p", {}, `${called} `, el("b", { data: { as: who } }, presenceWords(this.#seen?.[who]) || "…"));
    return el("div", { class: "seen-by", role: "status" }, ...viewers.map(row));
  }

  // One person

  /** How one is seen by this one (a card). */
  async openOne(card) {
    this.#card = card;
    this.#shown = undefined;
    this.#seen = null;
    this.#one.open(() => this.#drawOne());
    await this.#do(this.#one, async () => {
      const found = await exceptions(this.#app.client);
      this.#shown = found.find(({ account }) => account.id === card.id)?.shown ?? null;
      await this.#previewOne();
    });
  }

  async #previewOne() {
    this.#seen = await this.#app.client.call("presence.preview", { account: this.#card.id });
  }

  async #except(shown) {
    await this.#do(this.#one, async () => {
      await this.#app.client.call("presence.except", { account: this.#card.id, shown });
      this.#shown = shown;
      await this.#previewOne();
    });
  }

  #drawOne() {
    const now = this.#shown === undefined ? null : String(this.#shown);
    const choices = ["true", "false", "null"].map((to) => [to, words.exception_to[to]]);
    return {
      title: words.exception_of(this.#card.name),
      parts: [
        this.#choices(words.exception, choices, now, (to) => this.#except(JSON.parse(to))),
        this.#seenBy(["account", words.visibility_from(this.#card.name)]),
        el("p", { class: "quiet" }, words.exception_hint),
        el("p", { class: "quiet" }, words.visibility_words),
      ],
    };
  }
}

/** All of one's own exceptions. Throws CallError. */
async function exceptions(client) {
  const found = [];
  let after = null;
  do {
    const page = await client.call("presence.exceptions", { after, limit: PAGE });
    found.push(...page.exceptions);
    after = page.next;
  } while (after !== null);
  return found;
}

/** One's own exceptions in the settings, drawn into a place of their own; each can be taken back. */
export class ExceptionList {
  #client;
  #failed;
  #found = null;
  view = el("div", { id: "exceptions" });

  /** `failed(text)` says what went wrong. */
  constructor(client, failed) {
    this.#client = client;
    this.#failed = failed;
  }

  /** Read them. Throws CallError. */
  async load() {
    this.#found = await exceptions(this.#client);
    this.draw();
  }

  draw() {
    const { view } = this;
    const rows = (this.#found ?? []).map((each) => this.#row(each));
    const none = this.#found ? words.exceptions_none : words.loading;
    view.replaceChildren(el("h4", { tabindex: "-1" }, words.exceptions), rows.length ? el("ul", { class: "people-list" }, ...rows) : el("p", { class: "quiet" }, none));
    return view;
  }

  #row({ account, shown }) {
    const card = account.gone ? { ...account, name: words.gone_person } : account;
    const back = el("button", { class: "plain", type: "button", onclick: () => this.#end(account.id) }, words.exception_to.null);
    return personRow(card, { note: words.exception_to[shown], acts: [back], sign: face(card.id, card.name) });
  }

  async #end(id) {
    this.#failed("");
    try {
      await this.#client.call("presence.except", { account: id, shown: null });
      this.#found = this.#found.filter(({ account }) => account.id !== id);
    } catch (error) {
      this.#failed(why(error));
    }
    this.draw();
    this.view.querySelector("h4").focus({ preventScroll: true });
  }
}
