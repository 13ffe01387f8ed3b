// Sign-up after an invite was accepted: address, code, name, privacy. What always holds: the secret of the attempt and
// what was typed outlive a reload, the server says which step comes next, and the session's token never gets here.

import { post } from "./http.js";
import { el } from "./dom.js";
import { Fault, box, codeFault, device, field, form, oneOf, why } from "./forms.js";
import { ATTEMPT, INSIDE, forget, keep, recall } from "./kept.js";
import { mailField } from "./mailfield.js";
import { mailBox } from "./mails.js";
import { words } from "./words.js";

const STEPS = ["address", "code", "profile", "privacy"];
const RESEND_MS = 30_000;

function ask(op, request) {
  return post(`/api/v1/${op}`, request);
}

/** Begin by an invite's key. Throws CallError. */
export async function beginSignUp(key, follow) {
  const stands = await ask("account.begin", key);
  const { attempt, terms, invite, step } = stands;
  keep(ATTEMPT, { attempt, terms, invite, step, follow, mark: markOf(key), typed: {} });
}

/** True if the sign-up on its way began by another invite than this one. */
export function byAnother(key) {
  return recall(ATTEMPT)?.mark !== markOf(key);
}

// Enough to tell two invites apart, too little to use one.
function markOf({ token, code }) {
  return (token ?? code).slice(-4);
}

/** True if a sign-up is on its way and the server knows it; what it says is kept. Throws CallError. */
export async function resumeSignUp() {
  const record = recall(ATTEMPT);
  if (!record) return false;
  try {
    const { step, terms, address } = await ask("account.resume", { attempt: record.attempt });
    keep(ATTEMPT, { ...record, terms, address, step: step === "profile" && record.step === "privacy" ? "privacy" : step });
    return true;
  } catch (error) {
    if (error.code === "not_found") forget(ATTEMPT);
    throw error;
  }
}

export class SignUp {
  #place;
  #record;
  #on;
  #timer = 0;

  /** Draw into `place`; `on` has done() and lost(). */
  constructor(place, on) {
    this.#place = place;
    this.#on = on;
    this.#record = recall(ATTEMPT);
  }

  #keep(changes) {
    Object.assign(this.#record, changes);
    keep(ATTEMPT, this.#record);
  }

  #go(step, changes = {}) {
    this.#keep({ ...changes, step });
    this.draw();
  }

  /** The step one is at. */
  draw() {
    clearInterval(this.#timer);
    const { step, invite } = this.#record;
    const heading = el("h2", { tabindex: "-1" }, words[`${step}_title`]);
    const by = invite ? words.joining_by(invite.issuer.name) : "";
    const way = el("p", { class: "quiet way" }, el("span", {}, words.step(STEPS.indexOf(step) + 1, STEPS.length)), el("span", {}, by));
    this.#place.replaceChildren(...[way, heading, ...this[`_${step}`]()].filter(Boolean));
    heading.focus({ preventScroll: true });
    scrollTo(0, 0);
  }

  /** An operation of this attempt; one that is known no longer ends the sign-up. */
  async #call(op, request) {
    try {
      return await ask(op, { attempt: this.#record.attempt, ...request });
    } catch (error) {
      if (error.code === "not_found" || error.code === "invite_invalid") {
        clearInterval(this.#timer);
        forget(ATTEMPT);
        this.#on.lost(error);
      }
      throw error;
    }
  }

  #form(name, means, ...children) {
    const input = (values) => this.#keep({ typed: { ...this.#record.typed, ...values } });
    return form(name, { ...means, input }, ...children);
  }

  // Steps

  _address() {
    const { typed, terms, address } = this.#record;
    return [
      this.#form(
        "address-form",
        { act: (values) => this.#giveAddress(values), button: words.code_send, place: addressFault },
        mailField("address", words.address, { value: typed.address ?? address ?? "" }, words.address_hint),
        box("adult", words.adult, typed.adult),
        box("terms", words.terms(terms), typed.terms),
      ),
    ];
  }

  async #giveAddress({ address, adult, terms }) {
    if (!address.trim()) throw new Fault("address", words.needed);
    if (!adult) throw new Fault("adult", words.adult_needed);
    if (!terms) throw new Fault("terms", words.terms_needed);
    await this.#send(address);
    this.#go("code", { sent: Date.now(), typed: { ...this.#record.typed, code: "" } });
  }

  async #send(address) {
    try {
      const stands = await this.#call("account.address", { address, adult: true, terms: this.#record.terms });
      this.#keep({ address: stands.address });
    } catch (error) {
      // Whoever agreed to older terms is shown the new ones.
      if (error.code !== "conflict" || !error.details.terms) throw error;
      this.#go("address", { terms: error.details.terms, typed: { ...this.#record.typed, terms: false } });
      this.#tell("terms", words.terms_changed);
      throw error;
    }
  }

  _code() {
    const { address } = this.#record;
    const said = el("p", { role: "status" }, words.code_sent(address));
    const again = el("button", { id: "code-again", class: "link", type: "button" }, words.code_again);
    again.addEventListener("click", () => this.#resend(again, said));
    this.#countDown(again);
    return [
      said,
      this.#form(
        "code-form",
        { act: ({ code }) => this.#verify(code), button: words.code_check, place: codeFault },
        field("code", words.code, { value: this.#record.typed.code ?? "", inputmode: "numeric", autocomplete: "one-time-code" }, words.code_hint),
      ),
      el("p", { class: "links" }, again, el("button", { class: "link", type: "button", onclick: () => this.#go("address") }, words.address_change)),
      mailBox(address),
    ];
  }

  #countDown(button) {
    const tick = () => {
      const left = Math.ceil(((this.#record.sent ?? 0) + RESEND_MS - Date.now()) / 1000);
      button.disabled = left > 0;
      button.textContent = left > 0 ? words.code_again_in(left) : words.code_again;
      if (left <= 0) clearInterval(this.#timer);
    };
    clearInterval(this.#timer);
    this.#timer = setInterval(tick, 1000);
    tick();
  }

  async #resend(button, said) {
    button.disabled = true;
    try {
      await this.#send(this.#record.address);
      said.textContent = words.code_resent;
      this.#keep({ sent: Date.now() });
      this.#countDown(button);
    } catch (error) {
      said.textContent = why(error);
      button.disabled = false;
    }
  }

  async #verify(code) {
    if (!code.trim()) throw new Fault("code", words.needed);
    await this.#call("account.verify", { code });
    this.#go("profile");
  }

  _profile() {
    const { typed } = this.#record;
    return [
      this.#form(
        "profile-form",
        { act: (values) => this.#named(values), button: words.next },
        field("handle", words.handle, { value: typed.handle ?? "", autocapitalize: "none", spellcheck: "false", autocomplete: "username", placeholder: "haru_2" }, words.handle_hint),
        field("name", words.name, { value: typed.name ?? "", autocomplete: "nickname" }, words.name_hint),
      ),
    ];
  }

  #named({ handle, name }) {
    if (!handle.trim()) throw new Fault("handle", words.needed);
    // The server decides; what it would surely refuse is told here, where it can be changed.
    if (!/^@?[a-z0-9_]{1,20}$/i.test(handle.normalize("NFKC").trim())) throw new Fault("handle", words.handle_wrong);
    if (!name.trim()) throw new Fault("name", words.needed);
    this.#go("privacy", { typed: { ...this.#record.typed, handle, name } });
  }

  _privacy() {
    const { typed } = this.#record;
    const presence = ["mutuals", "everyone", "nobody"].map((to) => [to, words[`presence_${to}`]]);
    const write = ["followed", "everyone"].map((from) => [from, words[`write_${from}`]]);
    return [
      el("p", { class: "quiet" }, words.privacy_hint),
      this.#form(
        "privacy-form",
        { act: (values) => this.#create(values), button: words.begin },
        oneOf("presence_to", words.presence_to, presence, typed.presence_to ?? "mutuals"),
        oneOf("write_from", words.write_from, write, typed.write_from ?? "followed"),
        box("communities_shown", words.communities_shown, typed.communities_shown),
      ),
      el("p", { class: "links" }, el("button", { class: "link", type: "button", onclick: () => this.#go("profile") }, words.before)),
    ];
  }

  async #create({ presence_to, write_from, communities_shown }) {
    const { typed, follow } = this.#record;
    const chosen = { presence_to, write_from, communities_shown, follow_inviter: follow };
    try {
      await this.#call("account.create", { handle: typed.handle, name: typed.name, ...chosen, label: device(), cookie: true });
    } catch (error) {
      this.#nameFault(error);
      throw error;
    }
    forget(ATTEMPT);
    localStorage.setItem(INSIDE, "yes");
    this.#on.done();
  }

  /** What is wrong with the names is told where they are. */
  #nameFault(error) {
    const at = error.details?.at ?? "";
    let fault = null;
    if (error.code === "handle_taken") fault = ["handle", why(error)];
    else if (error.code === "text_invalid") fault = at === "$.handle" ? ["handle", words.handle_wrong] : ["name", words.name_wrong];
    else if (error.code === "text_too_long" || at === "$.name") fault = ["name", words.name_long];
    if (fault === null) return;
    this.#go("profile");
    this.#tell(...fault);
  }

  /** A fault of a step that was left for it. */
  #tell(name, text) {
    const input = this.#place.querySelector(`#${name}`);
    this.#place.querySelector(`#${name}-fault`).textContent = text;
    input.setAttribute("aria-invalid", "true");
    input.focus();
  }
}

function addressFault(error) {
  if (error.code === "text_invalid" || error.details?.at === "$.address") return ["address", words.address_wrong];
  if (error.code === "rate_limited") return ["address", why(error)];
  return error.code === "underage" ? ["adult", why(error)] : null;
}
