// Which kinds of notifications one wants: a box for each, kept on the server as soon as it is ticked.

import { box, why } from "./forms.js";
import { el } from "./dom.js";
import { words } from "./words.js";

export class Switches {
  #client;
  #states = null;

  constructor(client) {
    this.#client = client;
  }

  /** Read them anew; throws CallError. */
  async load() {
    this.#states = null;
    this.#states = (await this.#client.call("notification.get")).switches;
  }

  /** The boxes; `fail(text)` tells what went wrong. */
  boxes(fail) {
    if (!this.#states) return el("p", { class: "quiet" }, words.loading);
    const made = this.#states.filter(({ kind }) => words.news_switch[kind]).map(({ kind, on }) => box(`news_${kind}`, words.news_switch[kind], on));
    const group = el("div", { id: "news-switches", role: "group", "aria-label": words.news_settings }, ...made);
    group.addEventListener("change", (event) => this.#change(event.target, fail));
    return group;
  }

  async #change(input, fail) {
    fail("");
    try {
      const { switches } = await this.#client.call("notification.update", { kind: input.name.slice("news_".length), on: input.checked });
      this.#states = switches;
    } catch (error) {
      // What is shown is what is kept.
      input.checked = !input.checked;
      fail(why(error));
    }
  }
}
