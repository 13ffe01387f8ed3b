// Around the lines of an open room: who of its people is here, and who is writing. What always holds: both lines have
// their place, so nothing moves when they change; a screen reader hears of somebody's writing once, not at each pause.

import { byId } from "./dom.js";
import { put } from "./dots.js";
import { nameOf } from "./lines.js";
import { words } from "./words.js";

const NAMED = 2;
const QUIET_MS = 30_000;

export class RoomHere {
  #app;
  #room = null;
  #heardAt = new Map();

  /** `app` has client, presence, people, rooms, marks, dots. */
  constructor(app) {
    this.#app = app;
  }

  /** Another room, or its people changed. */
  show(card) {
    if (card?.id !== this.#room) {
      this.#room = card?.id ?? null;
      this.#heardAt.clear();
      byId("room-here").replaceChildren();
      put(byId("typing-heard"), "");
    }
    this.#app.dots.look();
    this.paint();
  }

  paint() {
    const card = this.#app.rooms.get(this.#room);
    if (!card) return;
    if (card.kind === "group") put(byId("room-here"), this.#present(card));
    else this.#partner(card);
    this.#write(card);
  }

  /** The other one of a DM. */
  #partner({ peer }) {
    const place = byId("room-here");
    const shown = peer && !peer.gone && !this.#app.marks.folds(peer.id) ? peer.id : "";
    if ((place.firstElementChild?.dataset.presence ?? "") === shown) return;
    place.replaceChildren(...(shown ? [this.#app.dots.line(shown, { brief: true })] : []));
  }

  /** Who of a group looks at it now, else how many are online elsewhere. */
  #present({ id, people = [] }) {
    const { presence, marks } = this.#app;
    const me = this.#app.people.me?.id;
    const others = people.map(({ account }) => account.id).filter((each) => each !== me && !marks.folds(each));
    const here = presence.at(`room:${id}`, others).map((each) => nameOf(this.#app.people, each));
    const online = others.filter((each) => presence.view(each)?.state === "online").length;
    if (!here.length) return online ? words.presence_online(online) : "";
    return words.presence_here(words.and(here.slice(0, NAMED)), Math.max(0, here.length - NAMED));
  }

  #write({ id, kind }) {
    const { presence, people, marks } = this.#app;
    const writers = presence.writing(id).filter((each) => kind === "dm" || !marks.folds(each));
    const names = writers.map((each) => nameOf(people, each));
    const [first, second] = names;
    const told = names.length > NAMED ? words.writing_many(names.length) : second ? words.writing_two(first, second) : first ? words.writing_one(first) : "";
    put(byId("typing"), told);
    this.#tell(writers, told);
  }

  /** For whoever listens: when somebody begins who was not just told of. */
  #tell(writers, told) {
    const now = Date.now();
    const fresh = writers.filter((each) => now - (this.#heardAt.get(each) ?? -QUIET_MS) >= QUIET_MS);
    for (const each of writers) this.#heardAt.set(each, now);
    if (fresh.length) put(byId("typing-heard"), told);
    else if (!writers.length) put(byId("typing-heard"), "");
  }
}
