// Whom one blocks and mutes, and who asks to follow: read whenever the link is live again. No DOM in here.

const PAGE = 100;

export class Marks {
  #client;
  #changed;
  #lists = { block: new Map(), mute: new Map() };
  /** Cards of those who ask to follow. */
  requests = [];

  /** `changed()` is called after any of it changed. */
  constructor(client, changed) {
    this.#client = client;
    this.#changed = changed;
    client.on("live", () => this.load());
  }

  clear() {
    for (const list of Object.values(this.#lists)) list.clear();
    this.requests = [];
  }

  /** Read all of it anew; what cannot be read now stays as it was. */
  async load() {
    try {
      const block = await this.#all("block.list");
      const mute = await this.#all("mute.list");
      this.requests = await this.#all("follow.list", { which: "requests" });
      this.#lists = { block: byId(block), mute: byId(mute) };
    } catch {
      return;
    }
    this.#changed();
  }

  /** Why somebody's lines are folded: "blocked", "muted" or "". */
  folds(id) {
    if (this.#lists.block.has(id)) return "blocked";
    return this.#lists.mute.has(id) ? "muted" : "";
  }

  /** Block or mute somebody (`kind`: block, mute), or end it. Throws CallError. */
  async set(kind, card, on) {
    await this.#client.call(`${kind}.${on ? "add" : "remove"}`, { account: card.id });
    if (on) this.#lists[kind].set(card.id, card);
    else this.#lists[kind].delete(card.id);
    // Blocking ends what was asked as well.
    if (kind === "block") this.requests = this.requests.filter((other) => other.id !== card.id);
    this.#changed();
  }

  /** Somebody asks to follow. */
  asked(card) {
    this.requests = [card, ...this.requests.filter((other) => other.id !== card.id)];
    this.#changed();
  }

  /** Let somebody follow, or let the request go. Throws CallError. */
  async answer(card, accept) {
    await this.#client.call(accept ? "follow.accept" : "follow.decline", { account: card.id });
    this.requests = this.requests.filter((other) => other.id !== card.id);
    this.#changed();
  }

  async #all(op, request = {}) {
    const found = [];
    let after = null;
    do {
      const page = await this.#client.call(op, { ...request, after, limit: PAGE });
      found.push(...page.accounts);
      after = page.next;
    } while (after !== null);
    return found;
  }
}

function byId(cards) {
  return new Map(cards.map((card) => [card.id, card]));
}
