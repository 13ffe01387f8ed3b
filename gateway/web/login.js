// Log-in at the door: address, code, in. And the place to type an invite's code.

import { full } from "./dates.js";
import { post } from "./http.js";
import { el } from "./dom.js";
import { Fault, codeFault, device, field, form, why } from "./forms.js";
import { ATTEMPT, INVITE, LOGIN, forget, keep, recall } from "./kept.js";
import { mailBox } from "./mails.js";
import { words } from "./words.js";

const KEPT_MS = 30 * 60_000;

/** The ways in, drawn into `place`; `entered()` is called once this browser holds a session. */
export class Ways {
  #place;
  #entered;
  /** Makes the card of another way in, while that is chosen. */
  #other = null;

  constructor(place, entered) {
    this.#place = place;
    this.#entered = entered;
    this.draw();
  }

  /** Where one is: the code is awaited, or an address. */
  draw() {
    const kept = recall(LOGIN);
    if (this.#other) this.#place.replaceChildren(this.#other());
    else if (kept && Date.now() < kept.until) this.#code(kept);
    else this.#begin();
  }

  #begin(address = "") {
    forget(LOGIN);
    this.#other = null;
    const more = recall(ATTEMPT) && el("p", {}, el("a", { href: "/i" }, words.door_continue));
    this.#place.replaceChildren(...[more, this.#login(address), codeEntry()].filter(Boolean));
  }

  #login(address) {
    return el(
      "section",
      { class: "card" },
      el("h2", {}, words.login_title),
      form(
        "login-form",
        { act: (values) => this.#send(values.address), button: words.code_send, place: (error) => ["address", error.code === "text_invalid" ? words.address_wrong : why(error)] },
        field("address", words.address, { value: address, inputmode: "email", autocomplete: "email", autocapitalize: "none", spellcheck: "false" }),
      ),
      el("p", { class: "links" }, el("button", { class: "link", type: "button", onclick: ({ target }) => this.#recover(target) }, words.recovery_door)),
    );
  }

  async #recover(button) {
    try {
      const { recoveryCard } = await import("./recovery.js");
      this.#other = () => recoveryCard({ entered: () => this.#inside(), back: () => this.#begin() });
      this.draw();
      this.#place.querySelector("input").focus();
    } catch {
      button.textContent = words.errors.offline;
    }
  }

  async #send(address) {
    if (!address.trim()) throw new Fault("address", words.needed);
    const { attempt } = await post("/api/v1/session.begin", { address });
    const kept = { attempt, address, until: Date.now() + KEPT_MS };
    keep(LOGIN, kept);
    this.#code(kept);
    this.#place.querySelector("#code").focus();
  }

  #code({ attempt, address }) {
    const card = el(
      "section",
      { class: "card" },
      el("h2", {}, words.code_title),
      el("p", { role: "status" }, words.code_sent(address)),
      form(
        "code-form",
        { act: ({ code }) => this.#enter(attempt, code), button: words.login, place: loginFault },
        field("code", words.code, { inputmode: "numeric", autocomplete: "one-time-code" }, words.code_login_hint),
      ),
      el("p", { class: "links" }, el("button", { class: "link", type: "button", onclick: () => this.#begin(address) }, words.address_change)),
    );
    this.#place.replaceChildren(...[card, mailBox(address)].filter(Boolean));
  }

  async #enter(attempt, code) {
    if (!code.trim()) throw new Fault("code", words.needed);
    try {
      await post("/api/v1/session.create", { attempt, code, label: device(), cookie: true });
    } catch (error) {
      if (error.details?.reason !== "address_changed") throw error;
      this.#changed(attempt, code, error.details.until);
      return;
    }
    this.#inside();
  }

  /** The right code of an address that was in use until lately: what it can do is undo that. */
  #changed(attempt, code, until) {
    const heading = el("h2", { tabindex: "-1" }, words.undo_title);
    const undo = async () => {
      await post("/api/v1/address.undo", { attempt, code, label: device(), cookie: true });
      this.#inside();
    };
    const place = (error) => (["conflict", "code_wrong", "not_found"].includes(error.code) ? ["", words.undo_late] : loginFault(error));
    const card = el(
      "section",
      { class: "card" },
      heading,
      el("p", { role: "alert" }, words.undo_text(full(until))),
      form("undo-form", { act: undo, button: words.undo_do, place }, el("p", { class: "quiet" }, words.undo_hint)),
      el("p", { class: "links" }, el("button", { class: "link", type: "button", onclick: () => this.#begin() }, words.undo_other)),
    );
    this.#place.replaceChildren(card);
    heading.focus();
  }

  #inside() {
    forget(LOGIN);
    this.#other = null;
    this.#place.replaceChildren();
    this.#entered();
  }
}

function loginFault(error) {
  if (error.code === "not_found") return ["code", words.login_lost];
  return error.code === "forbidden" ? ["code", words.suspended] : codeFault(error);
}

/** The place to type an invite's code; a right one leads on to the invite's page. */
export function codeEntry() {
  return el(
    "section",
    { class: "card" },
    form(
      "invite-form",
      { act: ({ invite_code }) => lookUp(invite_code), button: words.invite_code_do, place: (error) => ["invite_code", why(error)] },
      field("invite_code", words.invite_code, { autocapitalize: "characters", spellcheck: "false", placeholder: "XXXX-XXXX-XXXX" }, words.invite_code_hint),
    ),
  );
}

async function lookUp(code) {
  if (!code.trim()) throw new Fault("invite_code", words.needed);
  await post("/api/v1/invite.get", { code });
  keep(INVITE, { code });
  location.assign("/i");
}
