// Another mail address for one's account: where to, the code that went there, done.

import { el } from "./dom.js";
import { Fault, codeFault, field, form, why } from "./forms.js";
import { mailField } from "./mailfield.js";
import { mailBox } from "./mails.js";
import { words } from "./words.js";

export class AddressForm {
  #client;
  #moved;
  /** The change that waits for its code: {attempt, address}, or null. */
  #asked = null;

  /** `moved(changed)` is called after each step; `changed` is {address, undo_until} after the last one, else null. */
  constructor(client, moved) {
    this.#client = client;
    this.#moved = moved;
  }

  /** Begin anew. */
  reset() {
    this.#asked = null;
  }

  /** What stands in the settings; `address` is the one in use, or empty. */
  parts(address) {
    return this.#asked ? this.#code(this.#asked) : this.#where(address);
  }

  #where(address) {
    const place = (error) => {
      if (error.code === "conflict") return ["mail_new", words.mail_same];
      return ["mail_new", error.code === "text_invalid" ? words.address_wrong : why(error)];
    };
    return [
      el("p", { id: "mail-now" }, address ? words.mail_now(address) : words.mail_none),
      form("mail-form", { act: ({ mail_new }) => this.#ask(mail_new.trim()), button: words.code_send, place }, mailField("mail_new", words.mail_new, {}, words.mail_new_hint)),
    ];
  }

  async #ask(address) {
    if (!address) throw new Fault("mail_new", words.needed);
    const { attempt } = await this.#client.call("address.change", { address });
    this.#asked = { attempt, address };
    this.#moved(null);
  }

  #code({ attempt, address }) {
    const place = (error) => {
      if (error.code === "not_found") return ["mail_code", words.login_lost];
      const found = codeFault(error);
      return found && ["mail_code", found[1]];
    };
    const back = () => {
      this.reset();
      this.#moved(null);
    };
    return [
      el("p", { role: "status" }, words.code_sent(address)),
      form(
        "mail-code-form",
        { act: ({ mail_code }) => this.#confirm(attempt, mail_code), button: words.mail_do, place },
        field("mail_code", words.code, { inputmode: "numeric", autocomplete: "one-time-code" }, words.mail_code_hint),
      ),
      el("p", { class: "links" }, el("button", { class: "link", type: "button", onclick: back }, words.mail_other)),
      mailBox(address),
    ].filter(Boolean);
  }

  async #confirm(attempt, code) {
    if (!code.trim()) throw new Fault("mail_code", words.needed);
    const changed = await this.#client.call("address.confirm", { attempt, code });
    this.reset();
    this.#moved(changed);
  }
}
