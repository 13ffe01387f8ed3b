// One's logins on all devices: see them, let a further device in, end one, end all others.

import { full } from "./dates.js";
import { ask } from "./dialogs.js";
import { byId, el } from "./dom.js";
import { why } from "./forms.js";
import { whole } from "./invites.js";
import { words } from "./words.js";

export class SessionsDialog {
  #app;
  #over = 0;

  constructor(app) {
    this.#app = app;
    byId("sessions-others").addEventListener("click", () => this.#endOthers());
    byId("sessions-add").addEventListener("click", () => this.#act(() => this.#offer()));
    byId("sessions").addEventListener("close", () => this.#withdraw());
  }

  async open() {
    byId("sessions-list").replaceChildren();
    this.#withdraw();
    byId("sessions-said").textContent = "";
    byId("sessions").showModal();
    await this.#act(() => this.#load());
  }

  /** A session began somewhere. */
  happened(text) {
    if (!byId("sessions").open) return;
    byId("sessions-said").textContent = text;
    this.#withdraw();
    this.#act(() => this.#load());
  }

  /** Show by what a further device gets in. */
  async #offer() {
    const { link, qr, expires_at } = await this.#app.client.call("session.offer");
    if (!byId("sessions").open) return;
    this.#withdraw();
    const address = whole(link);
    // As a picture the drawing can run nothing. Of a link without a host it would lead nowhere.
    const drawn = { class: "qr", role: "img", alt: words.device_qr, width: 200, height: 200, src: `data:image/svg+xml,${encodeURIComponent(qr)}` };
    const heading = el("h3", { tabindex: "-1" }, words.device_add);
    const input = el("input", { id: "device-link", readonly: true, value: address, "aria-label": words.device_link, onfocus: ({ target }) => target.select() });
    const picture = link.startsWith("/") ? null : el("img", drawn);
    byId("sessions-offer").replaceChildren(...[heading, el("p", { class: "quiet" }, words.device_add_hint(full(expires_at))), picture, input].filter(Boolean));
    byId("sessions-offer").hidden = false;
    heading.focus();
    this.#over = setTimeout(() => this.#withdraw(), expires_at - this.#app.client.now());
  }

  #withdraw() {
    clearTimeout(this.#over);
    byId("sessions-offer").hidden = true;
    byId("sessions-offer").replaceChildren();
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
