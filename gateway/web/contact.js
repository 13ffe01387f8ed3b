// Words to the operators: a report of an account, a room or a message, and anything else.

import { fresh } from "./dialogs.js";
import { el } from "./dom.js";
import { Fault, area, field, form, lastFault, oneOf } from "./forms.js";
import { Sheet } from "./sheet.js";
import { words } from "./words.js";

export class Contact {
  #app;
  #sheet = new Sheet("contact");
  #nonce = fresh();

  /** `app` has client. */
  constructor(app) {
    this.#app = app;
  }

  /** Report something; `title()` would be too much, it is a sentence: what is reported. */
  report(kind, target, title) {
    const reasons = () => Object.entries(words.report_reasons);
    this.#open(() => ({
      title,
      parts: [
        el("p", { class: "quiet" }, words.report_hint),
        form(
          "report-form",
          { act: (values) => this.#report(kind, target, values), button: words.report_send },
          oneOf("reason", words.report_reason, reasons(), ""),
          el("p", { id: "reason-fault", class: "fault", role: "alert" }),
          area("report_words", words.report_words),
        ),
      ],
    }));
  }

  async #report(kind, target, { reason, report_words }) {
    if (!reason) throw new Fault("reason", words.needed);
    const { id } = await this.#send("report.create", { kind, target, reason, words: report_words });
    this.#thank(words.report, words.report_thanks(id));
  }

  /** Write to the operators; `id` is that of the error it is about. */
  write(id = lastFault()) {
    this.#open(() => ({
      title: words.contact,
      parts: [
        el("p", { class: "quiet" }, words.contact_hint),
        form(
          "contact-form",
          { act: (values) => this.#write(values), button: words.contact_send },
          area("contact_words", words.contact_words),
          field("contact_id", words.contact_id, { value: id, spellcheck: "false" }),
        ),
      ],
    }));
  }

  async #write({ contact_words, contact_id }) {
    if (!contact_words.trim()) throw new Fault("contact_words", words.needed);
    const { id } = await this.#send("support.open", { words: contact_words, request_id: contact_id.trim() });
    this.#thank(words.contact, words.contact_thanks(id));
  }

  #open(draw) {
    this.#nonce = fresh();
    this.#sheet.open(draw);
  }

  async #send(op, request) {
    try {
      return await this.#app.client.call(op, { ...request, nonce: this.#nonce });
    } catch (error) {
      // Sent again with other words, it is another act.
      if (!error.temporary) this.#nonce = fresh();
      throw error;
    }
  }

  #thank(title, text) {
    const close = el("p", { class: "acts" }, el("button", { class: "strong", type: "button", onclick: () => this.#sheet.close() }, words.close));
    this.#sheet.open(() => ({ title, parts: [el("p", { id: "contact-thanks", role: "status" }, text), close] }));
  }
}
