// How people's presence looks: a dot on their face and words beside it, wherever they stand. Whoever draws a person takes
// the elements from here; they are painted in place when something changes, so nothing moves and nothing is drawn anew.
// What always holds: never by colour alone; whoever is on the screen is watched, with the crowd of the open community.

import { again } from "./attendance.js";
import { el, face } from "./dom.js";
import { onLanguage } from "./language.js";
import { words } from "./words.js";

const AGE_MS = 30_000;
const GATHER_MS = 200;
const EVERY_MS = 1_000;

/** What is said of a view of the presence book; "" while nothing is known. */
export function presenceWords(view) {
  if (!view) return "";
  return view.seen ? words.seen_within[`s${view.seen}`] : words.presence_states[view.state];
}

export class Dots {
  #app;
  #timer = 0;
  #asked = "";
  #askedAt = 0;

  /** `app` has client, presence, people, rooms, room, talk, places, placeNames, menu, titleOf(card) and go(room). */
  constructor(app) {
    this.#app = app;
    setInterval(() => this.#grown(), AGE_MS);
    document.addEventListener("visibilitychange", () => {
      this.#grown();
      this.look();
    });
    onLanguage(() => this.paint());
    app.client.on("state", ({ state }) => state === "live" || app.presence.lost());
    app.client.on("live", () => this.again());
  }

  /** A face with its dot. `told`: a screen reader hears what the dot shows. */
  face(id, name, { kind = "", told = true } = {}) {
    const dot = this.#made(el("span", { class: "dot", "aria-hidden": told ? null : "true" }, el("span", { class: "unseen" })), "dot", id);
    return el("span", { class: "seat" }, face(id, name, kind), dot);
  }

  /** What a row of a list of people shows of this one. */
  row(card) {
    return card.gone ? {} : { sign: this.face(card.id, card.name, { told: false }), label: this.label(card.id) };
  }

  /** One line of words: online, away, last here within. */
  label(id) {
    return this.#made(el("small", { class: "presence" }), "label", id);
  }

  /** The same, and where they are, with the way there; `brief`: where they are instead, which says that they are here. */
  line(id, { brief = false } = {}) {
    return this.#made(el("p", { class: "presence" }), brief ? "brief" : "line", id);
  }

  /** Bring everything that is shown in line with what is known. */
  paint() {
    for (const node of document.querySelectorAll("[data-presence]")) this.#paint(node);
  }

  /** Somebody else is on the screen, or nobody any more. */
  look() {
    this.#timer ||= setTimeout(() => this.#watch(), Math.max(GATHER_MS, this.#askedAt + EVERY_MS - Date.now()));
  }

  /** Ask again for everybody on the screen. */
  again() {
    this.#asked = "";
    this.look();
  }

  #made(node, as, id) {
    Object.assign(node.dataset, { presence: id, as });
    this.#paint(node);
    this.look();
    return node;
  }

  #paint(node) {
    const view = this.#app.presence.view(node.dataset.presence);
    if (node.dataset.as === "dot") {
      const state = view?.state ?? "";
      if (node.dataset.state !== state) node.dataset.state = state;
      put(node.firstElementChild, state === "offline" ? "" : presenceWords(view && { ...view, seen: null }));
    } else if (node.dataset.as === "label") put(node, presenceWords(view));
    else this.#paintLine(node, view);
  }

  #paintLine(node, view) {
    const place = view?.doing ? this.#place(view.doing) : null;
    const label = place && node.dataset.as === "brief" ? "" : presenceWords(view);
    const sign = JSON.stringify([label, place?.text]);
    if (node.dataset.sign === sign) return;
    node.dataset.sign = sign;
    const focused = node.contains(document.activeElement);
    const way = place?.go ? el("button", { class: "link", type: "button", onclick: place.go }, place.text) : place?.text;
    node.replaceChildren(...[label, way && label && " · ", way].filter(Boolean));
    if (focused) (node.querySelector("button") ?? node.closest("dialog")?.querySelector("h2"))?.focus({ preventScroll: true });
  }

  /** Where somebody is, in words, and how one gets there oneself. */
  #place(ch) {
    const { rooms, places, placeNames, room } = this.#app;
    const [kind, id] = ch.split(":");
    if (kind === "community") {
      const go = () => places.openPlace(id);
      return { text: words.presence_at(placeNames.want(id) ?? words.places), go };
    }
    if (id === room) return { text: words.presence_with_you };
    const card = rooms.get(id);
    if (!card) return null;
    return { text: card.kind === "dm" ? words.presence_in_dm : words.presence_at(this.#app.titleOf(card)), go: () => this.#goTo(id) };
  }

  #goTo(room) {
    this.#app.menu.shut();
    this.#app.go(room);
  }

  /** Time has passed: bounds grew. Where pushes do not come, people are asked for again. */
  #grown() {
    if (!shown()) return;
    this.paint();
    this.#app.talk.present();
    if (this.#app.client.via) this.again();
  }

  async #watch() {
    this.#timer = 0;
    const { client, presence } = this.#app;
    if (client.state !== "live" || !shown()) return;
    const screen = this.#screen();
    const asked = JSON.stringify([[...screen.accounts].sort(), screen.places]);
    if (asked === this.#asked) return;
    this.#asked = asked;
    this.#askedAt = Date.now();
    try {
      presence.take(await client.attendance.show(screen));
    } catch (error) {
      if (this.#asked === asked) this.#asked = "";
      setTimeout(() => this.look(), again(error));
    }
  }

  /** Who is on the screen, those first who matter most where there are too many. */
  #screen() {
    const { people, rooms, room, places } = this.#app;
    const inside = rooms.get(room)?.people?.filter(({ state }) => state === "inside").map(({ account }) => account.id) ?? [];
    const nodes = [...document.querySelectorAll("[data-presence]")].filter((node) => !node.closest("dialog:not([open])"));
    const accounts = [people.me?.id, ...inside, ...nodes.map((node) => node.dataset.presence)].filter(Boolean);
    return { accounts: [...new Set(accounts)], places: places.channel ? [places.channel] : [] };
  }
}

function shown() {
  return document.visibilityState === "visible";
}

/** Words, if they are others than before: a screen reader is not told the same thing twice. */
export function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
