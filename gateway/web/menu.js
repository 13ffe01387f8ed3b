// The menu: invites, sessions, log-out; and the notices of the gate.

import { ask } from "./dialogs.js";
import { byId } from "./dom.js";
import { InvitesDialog } from "./invites.js";
import { SessionsDialog } from "./sessions.js";
import { words } from "./words.js";

const LONG_MS = 12_000;

export class Menu {
  #app;
  #invites;
  #sessions;

  /** `app` has client, people, rooms, room, titleOf(card), notice(text, ms) and logOut(). */
  constructor(app) {
    this.#app = app;
    this.#invites = new InvitesDialog(app);
    this.#sessions = new SessionsDialog(app);
    byId("menu-button").addEventListener("click", () => byId("menu").showModal());
    this.#entry("menu-invites", () => this.#invites.open());
    this.#entry("menu-sessions", () => this.#sessions.open());
    this.#entry("log-out", () => this.#logOut());
  }

  #entry(id, act) {
    byId(id).addEventListener("click", () => {
      byId("menu").close();
      act();
    });
  }

  async #logOut() {
    if (await ask(words.log_out_ask, words.log_out)) this.#app.logOut();
  }

  /** Nothing of one person's stays on the screen for the next. */
  close() {
    for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
    this.#invites.clear();
  }

  /** What happened at the gate is said at once, and shown where it is listed. */
  apply({ ev, d }) {
    if (ev === "invite.redeemed") {
      this.#app.people.put(d.account);
      this.#say(words.invite_redeemed(d.account.name), this.#invites);
    } else if (ev === "invite.paused") this.#say(words.invite_paused, this.#invites);
    else if (ev === "session.created") this.#say(words.session_created(d.label || words.session_unnamed), this.#sessions);
  }

  #say(text, dialog) {
    this.#app.notice(text, LONG_MS);
    dialog.happened(text);
  }
}
