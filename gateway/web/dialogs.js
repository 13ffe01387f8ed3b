// What opens above the page: questions, new talks, the people of a room. Native dialogs, closed by Esc.

import { byId, el, face } from "./dom.js";
import { guardEnter } from "./forms.js";
import { words, wordsOf } from "./words.js";

/** A question with one way to do it and one to leave it. Resolves with true or false. */
export function ask(question, action) {
  const dialog = byId("ask");
  byId("ask-text").textContent = question;
  byId("ask-do").textContent = action;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "do"), { once: true });
  });
}

/** Check boxes for people; the fieldset's checked values are account ids. */
function choices(box, people, none) {
  const rows = people.map((card) =>
    el(
      "label",
      { class: "choice" },
      el("input", { type: "checkbox", value: card.id }),
      face(card.id, card.name),
      el("span", {}, card.name, el("small", {}, ` @${card.handle}`)),
    ),
  );
  box.replaceChildren(...(rows.length ? rows : [el("p", { class: "quiet" }, none)]));
}

function chosen(box) {
  return [...box.querySelectorAll("input:checked")].map((input) => input.value);
}

export class Dialogs {
  #app;
  #nonce = "";
  #room = null;

  /** `app` has client, people, rooms and go(room). */
  constructor(app) {
    this.#app = app;
    this.#form("group-form", "new-fault", () => this.#createGroup());
    this.#form("dm-form", "new-fault", () => this.#openDm());
    this.#form("add-form", "people-fault", () => this.#add());
    for (const button of document.querySelectorAll("dialog [data-close]")) {
      button.addEventListener("click", () => button.closest("dialog").close());
    }
  }

  /** Begin a group or a DM. */
  openNew() {
    this.#nonce = fresh();
    byId("group-title").value = "";
    byId("dm-handle").value = "";
    byId("new-fault").textContent = "";
    choices(byId("group-people"), this.#app.people.others(), words.group_nobody);
    byId("new").showModal();
  }

  /** Who is in a room, and who could be. */
  async openPeople(room) {
    this.#nonce = fresh();
    this.#room = room;
    byId("people-fault").textContent = "";
    const card = (await this.#app.rooms.refresh(room)) ?? this.#app.rooms.get(room);
    const here = new Set();
    const rows = (card.people ?? []).map(({ account, state }) => {
      here.add(account.id);
      const name = account.name + (state === "invited" ? ` (${words.invited})` : "");
      return el("li", { class: "choice" }, face(account.id, account.name), el("span", {}, name, el("small", {}, ` @${account.handle}`)));
    });
    byId("people-list").replaceChildren(...rows);
    const others = this.#app.people.others().filter((other) => !here.has(other.id));
    choices(byId("add-people"), others, words.people_all);
    byId("add-do").hidden = others.length === 0;
    byId("people").showModal();
  }

  #form(id, fault, act) {
    const form = byId(id);
    guardEnter(form);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const button = form.querySelector("[type=submit]");
      button.disabled = true;
      byId(fault).textContent = "";
      try {
        await act();
        form.closest("dialog").close();
      } catch (error) {
        byId(fault).textContent = wordsOf(error.code);
      }
      button.disabled = false;
    });
  }

  async #createGroup() {
    const request = { title: byId("group-title").value, accounts: chosen(byId("group-people")), nonce: this.#nonce };
    const room = await this.#app.client.call("room.create", request).catch((error) => {
      // Asked again with other content, it is another act.
      if (!error.temporary) this.#nonce = fresh();
      throw error;
    });
    this.#app.rooms.put(room);
    this.#app.go(room.id);
  }

  async #openDm() {
    const handle = byId("dm-handle").value.trim().replace(/^@/, "");
    const account = await this.#app.client.call("account.get", { handle });
    this.#app.people.put(account);
    const room = await this.#app.client.call("room.open", { account: account.id });
    this.#app.rooms.put(room);
    this.#app.go(room.id);
  }

  async #add() {
    const accounts = chosen(byId("add-people"));
    if (accounts.length) {
      await this.#app.client.call("room.add", { room: this.#room, accounts, nonce: this.#nonce });
    }
    await this.#app.rooms.refresh(this.#room);
  }
}

/** A new nonce. */
export function fresh() {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join("");
}
