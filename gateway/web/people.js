// Who is who: cards of the accounts this page has met, by the names one calls them. No DOM in here.

import { Nicknames } from "./nicknames.js";

export class People {
  #client;
  #cards = new Map();
  #asked = new Set();
  #changed;
  me = null;
  nicknames;

  /** `changed()` is called when a name came that was asked for. */
  constructor(client, changed) {
    this.#client = client;
    this.#changed = changed;
    // What was asked of a lost link may be asked again.
    client.on("live", () => this.#asked.clear());
    this.nicknames = new Nicknames(client, () => {
      for (const card of this.#cards.values()) client.through(card);
      changed();
    });
  }

  clear() {
    this.me = null;
    this.nicknames.clear();
    this.#cards.clear();
    this.#asked.clear();
  }

  put(card) {
    if (card) this.#cards.set(card.id, card);
  }

  /** A card that was just read; whoever was shown by an older one is drawn again. */
  met({ id, handle, name, own_name, gone }) {
    const known = this.#cards.get(id);
    this.put({ id, handle, name, gone, ...(own_name && { own_name }) });
    if (this.me?.id === id) this.me = { ...this.me, handle, name };
    if (known && (known.name !== name || known.handle !== handle)) this.#changed();
  }

  get(id) {
    return this.#cards.get(id);
  }

  /** The card, or undefined now and `changed()` later. */
  want(id) {
    const card = this.#cards.get(id);
    if (!card && !this.#asked.has(id)) {
      this.#asked.add(id);
      this.#ask(id);
    }
    return card;
  }

  /** Everybody met but oneself and those who are gone, by name. */
  others() {
    const found = [...this.#cards.values()].filter((card) => card.id !== this.me?.id && !card.gone);
    return found.sort((a, b) => a.name.localeCompare(b.name));
  }

  async #ask(id) {
    try {
      this.put(await this.#client.call("account.get", { account: id }));
      this.#changed();
    } catch {
      // The line shows a plain word for the name until then.
    }
  }
}
