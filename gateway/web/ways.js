// Where one is: at home, in the list of rooms, or in a room. The browser's way back leads out of a room.

import { byId } from "./dom.js";

export class Ways {
  #app;
  #base = "home";

  /** `app` has rooms, talk, list, home and here. */
  constructor(app) {
    this.#app = app;
    byId("way-home").addEventListener("click", () => this.#to("home"));
    byId("way-rooms").addEventListener("click", () => this.#to("rooms"));
    byId("back").addEventListener("click", () => history.back());
    addEventListener("popstate", ({ state }) => (state?.room ? this.#show(state.room) : this.base()));
    history.replaceState(null, "");
    this.#view(this.#base);
  }

  /** Open a room. */
  go(room) {
    if (history.state?.room) history.replaceState({ room }, "");
    else history.pushState({ room }, "");
    this.#show(room);
  }

  /** Out of the room one is in. */
  base() {
    this.#app.talk.close();
    this.#view(this.#base);
    this.#app.list.render();
  }

  /** Somebody else may come. */
  forget() {
    this.#base = "home";
    this.base();
    history.replaceState(null, "");
  }

  #to(base) {
    this.#base = base;
    if (history.state?.room) history.back();
    else this.base();
    if (base === "home") this.#app.home.focus();
  }

  #show(room) {
    const { rooms, talk, list } = this.#app;
    const card = rooms.get(room);
    if (!card) {
      this.base();
      return;
    }
    this.#base = "rooms";
    this.#view("talk");
    if (room === talk.room) return;
    talk.open(card);
    list.render();
    if (!card.people) rooms.refresh(room);
  }

  #view(name) {
    document.body.dataset.view = name;
    this.#app.here.moved();
    byId("way-home").setAttribute("aria-current", String(name === "home"));
    byId("way-rooms").setAttribute("aria-current", String(name !== "home"));
    if (name === "home") this.#app.home.woken();
  }
}
