// What one calls others, for oneself: cards that come from the server get that name before anybody sees them. No DOM in here.
//
// What always holds: a card that is called otherwise keeps the name that its person chose, as `own_name`.

export class Nicknames {
  #client;
  #changed;
  #names = new Map();
  // Without a single one there is nothing to look through.
  #any = false;

  /** `changed()` is called when somebody is called otherwise. */
  constructor(client, changed) {
    this.#client = client;
    this.#changed = changed;
    client.through = (value) => {
      if (this.#any) this.#look(value);
      return value;
    };
    client.on("live", () => this.#load());
    client.on("event", ({ ev, d }) => {
      if (ev === "nickname.changed") this.#put(new Map(this.#names).set(d.account, d.name));
    });
  }

  clear() {
    this.#names.clear();
    this.#any = false;
  }

  async #load() {
    try {
      const { nicknames } = await this.#client.call("nickname.list");
      this.#put(new Map(nicknames.map(({ account, name }) => [account, name])));
    } catch {
      // Next time it is live.
    }
  }

  #put(names) {
    const before = this.#names;
    this.#names = new Map([...names].filter(([, name]) => name));
    this.#any ||= this.#names.size > 0;
    const same = before.size === this.#names.size && [...before].every(([id, name]) => this.#names.get(id) === name);
    if (!same) this.#changed();
  }

  #look(value) {
    if (value === null || typeof value !== "object") return;
    if (typeof value.handle === "string" && typeof value.name === "string") this.#call(value);
    for (const inner of Array.isArray(value) ? value : Object.values(value)) this.#look(inner);
  }

  #call(card) {
    const [own, nickname] = [card.own_name ?? card.name, this.#names.get(card.id)];
    card.name = nickname ?? own;
    if (nickname) card.own_name = own;
    else delete card.own_name;
  }
}
