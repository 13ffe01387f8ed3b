// The order in which one's profile shows one's communities: rows that go up and down, kept with each step.

import { el } from "./dom.js";
import { words } from "./words.js";

export class PlaceOrder {
  #client;
  #places;
  #acts;
  // One and the same, so that it is read out whenever its words change.
  #said = el("p", { class: "unseen", role: "status" });
  /** Ends when what was moved is kept, or could not be; null while there is nothing to keep. */
  #keeping = null;
  #moved = false;

  /** `acts`: draw() when something changed, fail(error), done(). */
  constructor(client, places, acts) {
    this.#client = client;
    this.#places = [...places];
    this.#acts = acts;
  }

  /** It stands on the screen for the first time. */
  begin() {
    document.querySelector("#place-order button:enabled").focus();
  }

  parts() {
    const rows = this.#places.map(({ id, name }, at) => el("li", { data: { place: id } }, el("span", {}, name), this.#step(name, at, -1), this.#step(name, at, 1)));
    const done = el("button", { id: "place-order-done", class: "plain", type: "button", onclick: () => this.#done() }, words.arrange_done);
    return [el("p", { class: "quiet" }, words.arrange_hint), el("ol", { id: "place-order" }, ...rows), this.#said, el("p", { class: "acts" }, done)];
  }

  #step(name, at, by) {
    const to = at + by;
    const label = by < 0 ? words.arrange_up(name) : words.arrange_down(name);
    return el("button", { class: "tool", type: "button", "aria-label": label, disabled: to < 0 || to >= this.#places.length, onclick: () => this.#move(at, to) }, by < 0 ? "↑" : "↓");
  }

  #move(at, to) {
    const [one] = this.#places.splice(at, 1);
    this.#places.splice(to, 0, one);
    this.#acts.draw();
    const row = document.querySelector(`#place-order [data-place="${one.id}"]`);
    const [up, down] = row.querySelectorAll("button");
    const same = to < at ? up : down;
    (same.disabled ? (to < at ? down : up) : same).focus();
    this.#said.textContent = words.arranged(one.name, to + 1);
    this.#moved = true;
    this.#keeping ??= this.#keep().finally(() => (this.#keeping = null));
  }

  async #done() {
    await this.#keeping;
    this.#acts.done();
  }

  /** One request at a time, and the last one is how it stands. */
  async #keep() {
    try {
      while (this.#moved) {
        this.#moved = false;
        await this.#client.call("community.arrange", { communities: this.#places.map(({ id }) => id) });
      }
    } catch (error) {
      this.#acts.fail(error);
    }
  }
}
