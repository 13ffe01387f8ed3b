// Recovery codes: ways in for whoever cannot read their mail any more. Made in the settings and shown once; typed at the door.

import { copyFrom } from "./copying.js";
import { full } from "./dates.js";
import { ask } from "./dialogs.js";
import { byId, el } from "./dom.js";
import { Fault, device, field, form, why } from "./forms.js";
import { post } from "./http.js";
import { keep, recall } from "./kept.js";
import { lateWords } from "./words.js";
import { EN_RECOVERY } from "./words.en.recovery.js";
import { JA_RECOVERY } from "./words.ja.recovery.js";

const words = lateWords({ ja: JA_RECOVERY, en: EN_RECOVERY });

/** When somebody was last told here that they could make some: {account, at}. */
const TOLD = "tsudoi.recovery";
const AGAIN_MS = 30 * 86_400_000;
const NOTICE_MS = 20_000;
const FILE_MS = 60_000;

/** Their place in the settings. */
export class RecoveryCodes {
  #client;
  #changed;
  #state = null;
  #made = null;

  /** `changed()` is called when there is something else to draw, `changed(text)` when it went wrong. */
  constructor(client, changed) {
    this.#client = client;
    this.#changed = changed;
  }

  /** Begin anew: what was shown once is gone. */
  async load() {
    this.#made = this.#state = null;
    this.#state = await this.#client.call("recovery.get");
  }

  get title() {
    return words.recovery;
  }

  parts() {
    if (!this.#state) return [el("p", { class: "quiet" }, words.loading)];
    const { left, made_at } = this.#state;
    const now = left ? words.recovery_left(left, full(made_at)) : words.recovery_none;
    const make = el("button", { id: "recovery-make", class: "plain", type: "button", onclick: (event) => this.#make(event.currentTarget) }, left ? words.recovery_again : words.recovery_make);
    return [el("p", { class: "quiet" }, words.recovery_hint), el("p", { id: "recovery-now" }, now), el("p", { class: "acts" }, make), this.#made && this.#shown(this.#made)].filter(Boolean);
  }

  async #make(button) {
    if (this.#state.left && !(await ask(words.recovery_again_ask, words.recovery_again))) return;
    button.disabled = true;
    try {
      const { codes } = await this.#client.call("recovery.make");
      this.#made = codes;
      this.#state = { left: codes.length, made_at: this.#client.now() };
    } catch (error) {
      button.disabled = false;
      this.#changed(why(error));
      return;
    }
    this.#changed();
    byId("recovery-shown").focus();
  }

  #shown(codes) {
    const said = el("p", { role: "status", class: "quiet" });
    const list = el("textarea", { id: "recovery-codes", readonly: true, rows: codes.length, spellcheck: "false", "aria-label": words.recovery_codes }, codes.join("\n"));
    const copy = async () => (said.textContent = (await copyFrom(list)) ? words.copied : words.copy_failed);
    return el(
      "div",
      { id: "recovery-made", class: "asks" },
      el("h4", { id: "recovery-shown", tabindex: "-1" }, words.recovery_shown),
      el("p", {}, words.recovery_shown_hint),
      list,
      el("p", { class: "acts" }, el("button", { class: "plain", type: "button", onclick: copy }, words.copy), el("button", { class: "plain", type: "button", onclick: () => save(codes) }, words.recovery_save)),
      said,
    );
  }
}

function save(codes) {
  const text = `Tsudoi ${location.host}\n\n${codes.join("\n")}\n`;
  const url = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  el("a", { href: url, download: "tsudoi-recovery.txt" }).click();
  setTimeout(() => URL.revokeObjectURL(url), FILE_MS);
}

/** Tell somebody, once in a while, that they could make some; `app` has client, people and notice(text, ms). */
export async function offerRecovery(app) {
  const account = app.people.me.id;
  const told = recall(TOLD);
  if (told?.account === account && Date.now() - told.at < AGAIN_MS) return;
  const { due } = await app.client.call("recovery.get");
  if (!due || app.people.me?.id !== account) return;
  keep(TOLD, { account, at: Date.now() });
  app.notice(words.recovery_due, NOTICE_MS);
}

/** The card at the door to get in by one; `entered()` once this browser holds a session, `back()` to go on otherwise. */
export function recoveryCard({ entered, back }) {
  const enter = async ({ recovery_handle, recovery_code }) => {
    if (!recovery_handle.trim()) throw new Fault("recovery_handle", words.needed);
    if (!recovery_code.trim()) throw new Fault("recovery_code", words.needed);
    await post("/api/v1/session.recover", { handle: recovery_handle, code: recovery_code, label: device(), cookie: true });
    entered();
  };
  const place = (error) => {
    if (error.code === "text_invalid") return ["recovery_handle", words.handle_wrong];
    if (error.code === "code_wrong") return ["recovery_code", words.recovery_wrong];
    return ["recovery_code", error.code === "forbidden" ? words.suspended : why(error)];
  };
  return el(
    "section",
    { class: "card" },
    el("h2", {}, words.recovery_title),
    form(
      "recovery-form",
      { act: enter, button: words.login, place },
      field("recovery_handle", words.handle, { autocomplete: "username", autocapitalize: "none", spellcheck: "false" }, words.recovery_handle_hint),
      field("recovery_code", words.recovery_code, { autocapitalize: "characters", spellcheck: "false", placeholder: "XXXX-XXXX-XXXX-XXXX" }, words.recovery_code_hint),
    ),
    el("p", { class: "links" }, el("button", { class: "link", type: "button", onclick: back }, words.recovery_back)),
  );
}
