// The menu: where everything is that is not talk; and the notices of what happened to oneself.

import { ask } from "./dialogs.js";
import { byId } from "./dom.js";
import { Later } from "./later.js";
import { words } from "./words.js";

const LONG_MS = 12_000;

export class Menu {
  #app;
  #invites;
  #sessions;
  #later;

  /** `app` has client, people, marks, places, profile, openProfile(id), ties, settings, visibility, contact, notice(text, ms) and logOut(). */
  constructor(app) {
    this.#app = app;
    const missing = () => app.notice(words.errors.offline);
    this.#invites = new Later(() => import("./invites.js").then(({ InvitesDialog }) => new InvitesDialog(app)), missing);
    this.#sessions = new Later(() => import("./sessions.js").then(({ SessionsDialog }) => new SessionsDialog(app)), missing);
    this.#later = [app.group, app.profile, app.thread, app.ties, app.visibility, app.settings, app.contact, this.#invites, this.#sessions];
    byId("menu-button").addEventListener("click", () => byId("menu").showModal());
    this.#entry("menu-me", () => app.openProfile(app.people.me.id));
    this.#entry("menu-ties", () => app.ties.use((ties) => ties.open(app.marks.requests.length ? "requests" : "following")));
    this.#entry("menu-places", () => app.places.open());
    this.#entry("menu-invites", () => this.openInvites());
    this.#entry("menu-settings", () => app.settings.use((settings) => settings.open()));
    this.#entry("menu-sessions", () => this.#sessions.use((sessions) => sessions.open()));
    this.#entry("menu-contact", () => app.contact.use((contact) => contact.write()));
    this.#entry("log-out", () => this.#logOut());
  }

  #entry(id, act) {
    byId(id).addEventListener("click", () => {
      byId("menu").close();
      act();
    });
  }

  /** Somebody is inside: what they may open next is fetched. */
  live() {
    for (const screen of this.#later) screen.fetch();
    this.#app.settings.fetch().then((settings) => settings?.live());
  }

  openInvites() {
    this.#invites.use((invites) => invites.open());
  }

  async #logOut() {
    if (await ask(words.log_out_ask, words.log_out)) this.#app.logOut();
  }

  /** How many ask to follow, where one finds it. */
  badge() {
    const n = this.#app.marks.requests.length;
    for (const id of ["menu-badge", "ties-badge"]) {
      byId(id).hidden = n === 0;
      byId(id).textContent = String(n);
    }
    const label = n ? `${words.menu} (${words.ties_badge(n)})` : words.menu;
    byId("menu-button").setAttribute("aria-label", label);
    byId("menu-button").title = label;
  }

  /** Close whatever stands above the page. */
  shut() {
    for (const dialog of [...document.querySelectorAll("dialog[open]")].reverse()) dialog.close();
  }

  /** Nothing of one person's stays on the screen for the next. */
  close() {
    this.shut();
    this.#invites.made?.clear();
  }

  /** What happened to oneself is said at once, and shown where it is listed. */
  apply({ ev, d }) {
    const { people, marks, ties, profile } = this.#app;
    if (d.account?.id) people.put(d.account);
    if (ev === "invite.redeemed") this.#say(words.invite_redeemed(d.account.name), this.#invites);
    else if (ev === "invite.paused") this.#say(words.invite_paused, this.#invites);
    else if (ev === "session.created") this.#say(words.session_created(d.label || words.session_unnamed), this.#sessions);
    else if (ev === "address.changed") this.#app.notice(words.mail_changed, LONG_MS);
    else if (ev.startsWith("follow.")) {
      if (ev === "follow.requested") marks.asked(d.account);
      const told = { "follow.added": words.follow_added, "follow.requested": words.follow_requested, "follow.accepted": words.follow_accepted }[ev];
      if (told) this.#app.notice(told(d.account.name), LONG_MS);
      ties.made?.changed();
      profile.made?.refresh();
    }
  }

  #say(text, dialog) {
    this.#app.notice(text, LONG_MS);
    dialog.made?.happened(text);
  }
}
