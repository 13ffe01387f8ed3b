// Stamps under lines: the sheet one picks from, and the chips under a line. Their names are those of posts.

import { el } from "./dom.js";
import { nameOf } from "./lines.js";
import { Sheet } from "./sheet.js";
import { words } from "./words.js";

export class Stamps {
  #app;
  #changed;
  #sheet = new Sheet("line-stamps");
  #asked = false;

  /** `app` has client and acts; `changed()` is called when the names came. */
  constructor(app, changed) {
    this.#app = app;
    this.#changed = changed;
    // What was asked of a lost link may be asked again.
    app.client.on("live", () => (this.#asked = false));
  }

  async #load() {
    this.#asked = true;
    try {
      await this.#app.acts.load();
      this.#changed();
      this.#sheet.renew();
    } catch {
      // Stamps are shown by their ids until then.
    }
  }

  /** Let somebody pick one, `own` is what they left: `act(stamp)`, null to take it back. */
  pick(own, act) {
    if (!this.#app.acts.named) this.#load();
    const choose = (stamp) => {
      this.#sheet.close();
      act(stamp);
    };
    this.#sheet.open(() => this.#draw(own, choose));
  }

  #draw(own, choose) {
    const one = ([id, name]) =>
      el("button", { class: "chip", type: "button", "aria-pressed": String(id === own), data: { stamp: id }, onclick: () => choose(id === own ? null : id) }, name);
    const names = this.#app.acts.stampNames;
    const list = names.length ? el("div", { class: "chips", role: "group", "aria-label": words.stamps }, ...names.map(one)) : el("p", { class: "quiet" }, words.loading);
    const back = own && el("p", { class: "acts" }, el("button", { class: "plain", type: "button", onclick: () => choose(null) }, words.stamp_back));
    return { title: words.stamps, parts: [list, back] };
  }

  /** What stands under a line, as it is shown: [{id, name, own, count, names}]. `shown(account)` leaves people out. */
  seen({ reactions = {} }, people, shown) {
    const told = [];
    for (const [id, all] of Object.entries(reactions)) {
      if (!this.#app.acts.named && !this.#asked) this.#load();
      const accounts = all.filter(shown);
      const names = accounts.map((account) => nameOf(people, account)).join(words.stamp_and);
      const name = this.#app.acts.all.stampName(id);
      if (accounts.length) told.push({ id, name, own: accounts.includes(people.me?.id), count: accounts.length, names });
    }
    return told;
  }
}

/** Under a line: each stamp with how many left it; one's own is pressed. `react(stamp)` leaves one, null takes it back. */
export function chips(seen, react) {
  if (!seen.length) return null;
  const made = seen.map(({ id, name, own, count, names }) => {
    const label = words.stamp_by(name, names);
    return el(
      "button",
      { class: "chip", type: "button", tabindex: "-1", "aria-pressed": String(own), "aria-label": label, title: label, data: { stamp: id }, onclick: () => react(own ? null : id) },
      `${name} ${count}`,
    );
  });
  return el("div", { class: "chips", role: "group", "aria-label": words.stamps }, ...made);
}
