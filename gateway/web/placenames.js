// What communities are called, asked for once each. No DOM in here.

export class PlaceNames {
  #client;
  #names = new Map();
  #asked = new Set();
  #changed;

  /** `changed()` is called when a name came that was asked for. */
  constructor(client, changed) {
    this.#client = client;
    this.#changed = changed;
    client.on("live", () => this.#asked.clear());
  }

  clear() {
    this.#names.clear();
    this.#asked.clear();
  }

  put({ id, name }) {
    this.#names.set(id, name);
  }

  /** The name, or undefined now and `changed()` later. */
  want(id) {
    if (!this.#names.has(id) && !this.#asked.has(id)) this.#ask(id);
    return this.#names.get(id);
  }

  async #ask(community) {
    this.#asked.add(community);
    try {
      this.put(await this.#client.call("community.get", { community }));
      this.#changed();
    } catch {
      // A plain word stands for it until then.
    }
  }
}
