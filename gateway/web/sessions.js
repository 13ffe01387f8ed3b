// One's logins on all devices: see them, end one, end all others.

import { full } from "./dates.js";
import { ask } from "./dialogs.js";
import { byId, el } from "./dom.js";
import { why } from "./forms.js";
import { words } from "./words.js";

export class SessionsDialog {
  #app;

  constructor(app) {
    this.#app = app;
    byId("sessions-others").addEventListener("click", () => this.#endOthers());
  }

  async open() {
    byId("sessions-list").replaceChildren();
    byId("sessions-said").textContent = "";
    byId("sessions").showModal();
    await this.#act(() => this.#load());
  }

  /** A session began somewhere. */
  happened(text) {
    if (!byId("sessions").open) return;
    byId("sessions-said").textContent = text;
    this.#act(() => this.#load());
  }

  async #act(act) {
    byId("sessions-fault").textContent = "";
    try {
      await act();
    } catch (error) {
      byId("sessions-fault").textContent = why(error);
    }
  }

  async #load() {
    const { sessions } = await this.#app.client.call("session.list");
    byId("sessions-list").replaceChildren(...sessions.map((session) => this.#row(session)));
    byId("sessions-others").hidden = sessions.length < 2;
  }

  #row(session) {
    const label = session.label || words.session_unnamed;
    const end = el("button", { class: "plain", type: "button", onclick: () => this.#end(session.id, label) }, words.session_end);
    return el(
      "li",
      { class: "listed", data: { current: session.current } },
      el("p", {}, el("strong", {}, label), session.current ? ` (${words.session_here})` : ""),
      el("small", {}, words.session_used(full(session.used_at))),
      session.current ? null : el("p", { class: "acts" }, end),
    );
  }

  async #end(session, label) {
    if (await ask(words.session_end_ask(label), words.session_end)) await this.#ended("session.revoke", { session });
  }

  async #endOthers() {
    if (await ask(words.session_end_others_ask, words.session_end)) await this.#ended("session.revoke_all", { others: true });
  }

  #ended(op, request) {
    return this.#act(async () => {
      const { ended } = await this.#app.client.call(op, request);
      byId("sessions-said").textContent = words.session_ended(ended);
      await this.#load();
    });
  }
}
