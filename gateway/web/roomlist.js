// The list of rooms, with requests and invitations above it.

import { brief } from "./dates.js";
import { byId, el, face } from "./dom.js";
import { gist, nameOf } from "./lines.js";
import { words } from "./words.js";

export class RoomList {
  #app;
  #rows = new Map();

  /** `app` has people, rooms, marks, dots, openProfile(id), go(room), answer(op, room), titleOf(card) and room (the open one). */
  constructor(app) {
    this.#app = app;
  }

  render() {
    const { rooms } = this.#app;
    const shown = rooms.list();
    this.#section("requested", rooms.requested, "room.accept", words.accept);
    this.#section("invited", rooms.invited, "room.join", words.join);
    const list = byId("rooms");
    const wanted = shown.map((card) => this.#row(card));
    // Only what changed its place is moved, so that a focused row keeps its focus.
    wanted.forEach((row, at) => {
      if (list.children[at] !== row) list.insertBefore(row, list.children[at] ?? null);
    });
    while (list.children.length > wanted.length) list.lastElementChild.remove();
    for (const id of this.#rows.keys()) if (!shown.some((card) => card.id === id)) this.#rows.delete(id);
    const none = byId("rooms-none");
    none.hidden = shown.length > 0;
    none.textContent = rooms.loaded ? words.rooms_none : rooms.failed ? words.rooms_failed : words.loading;
    const unread = this.#unread;
    byId("rooms-badge").hidden = unread === 0;
    byId("rooms-badge").textContent = String(unread);
    byId("way-rooms").setAttribute("aria-label", unread ? `${words.rooms} (${words.unread_label(unread)})` : words.rooms);
    this.title();
  }

  /** How many rooms have unread lines. */
  get #unread() {
    return this.#app.rooms.list().filter((card) => card.unread > 0).length;
  }

  /** What waits, where one sees it from another tab: rooms with unread lines, and notifications. */
  title() {
    const waiting = this.#unread + (this.#app.notifications?.unread ?? 0);
    document.title = waiting ? `(${waiting}) ${words.app}` : words.app;
  }

  #row(card) {
    const known = this.#rows.get(card.id);
    const open = card.id === this.#app.room;
    const sign = JSON.stringify([this.#app.titleOf(card), card.last, this.#gist(card), card.unread, open, this.#time(card), words.lang]);
    if (known?.sign === sign) return known.row;
    const row = known?.row ?? el("li");
    const focused = row.contains(document.activeElement);
    row.replaceChildren(this.#button(card, open));
    if (focused) row.firstElementChild.focus();
    this.#rows.set(card.id, { row, sign });
    return row;
  }

  #button(card, open) {
    const title = this.#app.titleOf(card);
    const unread = card.unread
      ? el("span", { class: "unread" }, el("span", { "aria-hidden": "true" }, words.unread(card.unread)), el("span", { class: "unseen" }, words.unread_label(card.unread)))
      : null;
    return el(
      "button",
      { type: "button", class: "room", "aria-current": open ? "true" : null, data: { room: card.id }, onclick: () => this.#app.go(card.id) },
      this.#sign(card, title),
      el("span", { class: "room-name" }, title),
      el("span", { class: "room-time" }, this.#time(card)),
      el("span", { class: "room-last" }, this.#gist(card)),
      unread,
    );
  }

  #sign({ id, kind, peer }, title) {
    return kind === "dm" && peer && !peer.gone ? this.#app.dots.face(peer.id, title, { kind }) : face(peer?.id ?? id, title, kind);
  }

  #time(card) {
    return card.last ? brief(card.last.at) : "";
  }

  #gist(card) {
    const { people, marks } = this.#app;
    if (!card.last) return "";
    const fold = card.kind === "group" && !card.last.system && marks.folds(card.last.author);
    if (fold) return words.folded[fold];
    const text = gist(people, card.last);
    const said = card.kind === "group" && !card.last.system && !card.last.deleted;
    return said ? `${nameOf(people, card.last.author)}: ${text}` : text;
  }

  /** Who asks: a person whose profile can be seen before one answers, or a group. */
  #who(card) {
    const title = this.#app.titleOf(card);
    const parts = [face(card.peer?.id ?? card.id, title, card.kind), el("b", {}, title)];
    if (!card.peer || card.peer.gone) return el("p", { class: "asked-who" }, ...parts);
    return el("button", { type: "button", class: "asked-who", "aria-label": words.profile_open(title), onclick: () => this.#app.openProfile(card.peer.id) }, ...parts);
  }

  #section(id, cards, op, label) {
    const section = byId(id);
    section.hidden = cards.length === 0;
    const act = (operation, card, text, kind) =>
      el("button", { type: "button", class: kind, onclick: () => this.#app.answer(operation, card.id) }, text);
    const rows = cards.map((card) =>
      el(
        "li",
        { class: "asked" },
        this.#who(card),
        card.last ? el("p", { class: "asked-text" }, gist(this.#app.people, card.last)) : null,
        el("p", { class: "asked-acts" }, act(op, card, label, "strong"), act("room.decline", card, words.decline, "plain")),
      ),
    );
    section.querySelector("ul").replaceChildren(...rows);
  }
}
