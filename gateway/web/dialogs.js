// What opens above the page: questions and new talks. Native dialogs, closed by Esc.

import { byId, el, face } from "./dom.js";
import { guardEnter, why } from "./forms.js";
import { codeEntry } from "./login.js";
import { returnFocus } from "./sheet.js";
import { words } from "./words.js";

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
export function choices(box, people, none) {
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

export function chosen(box) {
  return [...box.querySelectorAll("input:checked")].map((input) => input.value);
}

export class Dialogs {
  #app;
  #nonce = "";

  /** `app` has client, people, rooms, marks and go(room). */
  constructor(app) {
    this.#app = app;
    this.#form("group-form", "new-fault", () => this.#createGroup());
    this.#form("dm-form", "new-fault", () => this.#openDm());
    for (const dialog of document.querySelectorAll("dialog")) dialog.addEventListener("close", returnFocus);
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
    const others = this.#app.people.others().filter((other) => !this.#app.marks.folds(other.id));
    choices(byId("group-people"), others, words.group_nobody);
    byId("code-place").replaceChildren(codeEntry());
    byId("new").showModal();
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
        byId(fault).textContent = why(error);
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
    const handle = byId("dm-handle").value.trim().replace(/^[@＠]/, "");
    const account = await this.#app.client.call("account.get", { handle: handle.normalize("NFKC").toLowerCase() });
    this.#app.people.put(account);
    const room = await this.#app.client.call("room.open", { account: account.id });
    this.#app.rooms.put(room);
    this.#app.go(room.id);
  }
}

/** A new nonce. */
export function fresh() {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join("");
}
