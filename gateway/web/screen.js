// What is on the screen besides what is heard anyway: channels that the server is asked to tell while they are shown. No DOM
// in here. What always holds: a channel is watched as long as anybody shows it, also over lost links.

export class Screen {
  #client;
  #shown = new Map();

  constructor(client) {
    this.#client = client;
  }

  /** One more place shows this channel. Resolves once it is heard, or cannot be. */
  async watch(ch) {
    this.#shown.set(ch, (this.#shown.get(ch) ?? 0) + 1);
    await this.#ask("channel.watch", [ch]);
  }

  /** One fewer. */
  leave(ch) {
    const left = (this.#shown.get(ch) ?? 0) - 1;
    if (left > 0) this.#shown.set(ch, left);
    else if (this.#shown.delete(ch)) this.#ask("channel.unwatch", [ch]);
  }

  /** There is a link again. */
  live() {
    if (this.#shown.size) return this.#ask("channel.watch", [...this.#shown.keys()]);
    return Promise.resolve();
  }

  clear() {
    this.#shown.clear();
  }

  // Without a socket nothing can be watched; places are read when they are opened.
  #ask(op, channels) {
    return this.#client.call(op, { channels }).catch(() => {});
  }
}
