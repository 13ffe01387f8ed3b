// One's invites: make one, hand it on as link, code or QR, see what became of the others.

import { copyFrom } from "./copying.js";
import { full } from "./dates.js";
import { ask, fresh } from "./dialogs.js";
import { demoKey } from "./door.js";
import { byId, el } from "./dom.js";
import { Fault, field, guardEnter, oneOf, why } from "./forms.js";
import { words } from "./words.js";

export class InvitesDialog {
  #app;
  #nonce = fresh();
  #made = null;

  constructor(app) {
    this.#app = app;
    guardEnter(byId("invite-make"));
    byId("invite-print").addEventListener("click", () => print());
    byId("invites").addEventListener("close", () => this.clear());
    byId("invite-make").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#act(() => this.#make());
    });
    byId("invite-copy").addEventListener("click", () => this.#copy(byId("invite-link")));
    byId("invite-link").addEventListener("focus", () => byId("invite-link").select());
  }

  async open() {
    this.clear();
    const card = this.#app.rooms.get(this.#app.room);
    const choices = [["", words.invite_to_service]];
    if (card?.kind === "group") choices.push([card.id, words.invite_to_room(this.#app.titleOf(card))]);
    byId("invite-to").replaceChildren(oneOf("invite_room", words.invite_to, choices, ""));
    byId("invite-to").hidden = choices.length < 2;
    byId("invites").showModal();
    await this.#act(() => this.#load());
  }

  /** Links and codes are shown once, and to nobody who comes after. */
  clear() {
    this.#made = null;
    byId("paper").replaceChildren();
    byId("invite-many").replaceChildren();
    byId("invite-made").hidden = true;
    byId("invite-link").value = "";
    byId("invite-code").textContent = "";
    byId("invite-qr").removeAttribute("src");
    byId("invites-list").replaceChildren();
    byId("invites-left").textContent = byId("invites-said").textContent = byId("invites-fault").textContent = "";
  }

  /** Something became of an invite. */
  happened(text) {
    if (!byId("invites").open) return;
    byId("invites-said").textContent = text;
    this.#act(() => this.#load());
  }

  async #act(act) {
    const button = byId("invite-make-do");
    button.disabled = true;
    byId("invites-fault").textContent = "";
    try {
      await act();
    } catch (error) {
      byId("invites-fault").textContent = error instanceof Fault ? error.message : why(error);
    }
    button.disabled = false;
  }

  async #make() {
    const room = byId("invite-make").elements.invite_room?.value || null;
    const request = { nonce: this.#nonce, kind: room ? "room" : "service", room, ...howMany() };
    try {
      this.#show(await this.#app.client.call("invite.create", request));
    } catch (error) {
      if (!error.temporary) this.#nonce = fresh();
      throw error;
    }
    await this.#load();
  }

  #show(made) {
    const { link, code, qr } = made;
    this.#nonce = fresh();
    this.#made = made;
    this.#drawPaper();
    byId("invite-link").value = whole(link);
    byId("invite-code").textContent = code;
    // As a picture the drawing can run nothing. Of a link without a host it would lead nowhere.
    if (link.startsWith("/")) byId("invite-qr").removeAttribute("src");
    else byId("invite-qr").src = `data:image/svg+xml,${encodeURIComponent(qr)}`;
    byId("invite-qr").hidden = link.startsWith("/");
    byId("invite-print").hidden = link.startsWith("/");
    byId("invite-made").hidden = false;
    byId("invites-said").textContent = "";
    byId("invite-made").querySelector("h3").focus();
    byId("invite-made").scrollIntoView({ block: "nearest" });
  }

  /** The sheet that is printed instead of the page: to hang up where people come together. */
  #drawPaper() {
    const { link, code, qr, room, expires_at } = this.#made;
    const title = this.#app.rooms.get(room)?.title;
    const parts = [
      el("p", { class: "paper-name" }, `${words.app_sub} ${words.app}`),
      el("h1", {}, words.paper_title),
      title && el("p", { class: "paper-room" }, title),
      el("img", { src: `data:image/svg+xml,${encodeURIComponent(qr)}`, alt: "" }),
      el("p", {}, words.paper_how),
      el("p", { class: "paper-code" }, code),
      el("p", {}, new URL(link, location.href).host + "/i"),
      el("p", { class: "quiet" }, words.paper_until(full(expires_at))),
    ];
    byId("paper").replaceChildren(...parts.filter(Boolean));
  }

  async #copy(input) {
    byId("invites-said").textContent = (await copyFrom(input)) ? words.copied : words.copy_failed;
  }

  async #load() {
    const { invites, left, uses_max, days_max } = await this.#app.client.call("invite.list");
    // Who may issue many at once has no quota.
    byId("invites-left").textContent = uses_max > 1 ? "" : words.invites_left(left);
    askHowMany(uses_max, days_max);
    const rows = invites.map((invite) => this.#row(invite));
    byId("invites-list").replaceChildren(...(rows.length ? rows : [el("li", { class: "quiet" }, words.invites_none)]));
  }

  #row(invite) {
    const title = invite.room && (this.#app.rooms.get(invite.room)?.title ?? words.someone);
    const facts = [full(invite.created_at), words.invite_ends(full(invite.expires_at))];
    if (invite.uses_max > 1) facts.push(words.invite_uses(invite.uses, invite.uses_max));
    const living = ["live", "paused"].includes(invite.state);
    const button = (text, act) => el("button", { class: "plain", type: "button", onclick: act }, text);
    return el(
      "li",
      { class: "listed", data: { state: invite.state } },
      el("p", {}, el("strong", {}, words.invite_state[invite.state]), ` ${invite.room ? words.invite_to_room(title) : words.invite_to_service}`),
      el("small", {}, facts.join(" / ")),
      living &&
        el(
          "p",
          { class: "acts" },
          button(words.invite_revoke, () => this.#revoke(invite)),
          button(words.invite_reissue, () => this.#reissue(invite)),
        ),
    );
  }

  async #revoke({ id }) {
    if (!(await ask(words.invite_revoke_ask, words.invite_revoke))) return;
    await this.#act(async () => {
      await this.#app.client.call("invite.revoke", { invite: id });
      byId("invite-made").hidden = true;
      await this.#load();
    });
  }

  async #reissue({ id }) {
    if (!(await ask(words.invite_reissue_ask, words.invite_reissue))) return;
    await this.#act(async () => {
      this.#show(await this.#app.client.call("invite.reissue", { invite: id, nonce: this.#nonce }));
      await this.#load();
    });
  }
}

/** For those who may: how often the invite may be used, and for how long. */
function askHowMany(usesMax, daysMax) {
  const place = byId("invite-many");
  if (usesMax < 2 || place.childElementCount) return;
  const number = { inputmode: "numeric", autocomplete: "off" };
  place.replaceChildren(
    field("invite_uses", words.invite_uses_max(usesMax), { value: "1", ...number }),
    field("invite_days", words.invite_days(daysMax), { value: "7", ...number }),
  );
}

function howMany() {
  const { invite_uses, invite_days } = byId("invite-make").elements;
  if (!invite_uses) return {};
  return { uses: numberOf(invite_uses), days: numberOf(invite_days) };
}

function numberOf(input) {
  const number = Number(input.value.normalize("NFKC").trim());
  input.setAttribute("aria-invalid", String(!(Number.isInteger(number) && number > 0)));
  if (input.getAttribute("aria-invalid") === "true") throw new Fault(input.name, words.invite_number_wrong);
  return number;
}

/** The link as it is handed on. In the demo it carries the demo's key, so that its guest can read the demo's mails. */
export function whole(link) {
  const full = link.startsWith("/") ? location.origin + link : link;
  return demoKey() ? `${full}&demo=${demoKey()}` : full;
}
