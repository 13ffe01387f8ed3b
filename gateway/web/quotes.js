// Lines that replies lead to and that are on no page the reader has; each is asked for once. No DOM in here.

export class Quotes {
  #client;
  #changed;
  #known = new Map();
  #asked = new Set();

  /** `changed()` is called when one came. */
  constructor(client, changed) {
    this.#client = client;
    this.#changed = changed;
    // What was asked of a lost link may be asked again.
    client.on("live", () => this.#asked.clear());
  }

  clear() {
    this.#known.clear();
    this.#asked.clear();
  }

  /** The line, or undefined now and `changed()` later. */
  want(id) {
    if (!this.#known.has(id) && !this.#asked.has(id)) this.#ask(id);
    return this.#known.get(id);
  }

  /** A line was deleted. */
  gone(id) {
    const known = this.#known.get(id);
    if (known) this.#known.set(id, { ...known, text: null, deleted: true });
  }

  async #ask(id) {
    this.#asked.add(id);
    try {
      this.#known.set(id, await this.#client.call("message.get", { message: id }));
      this.#changed();
    } catch {
      // Said before one came, or no link: the reply says that there was a line, and no more.
    }
  }
}
