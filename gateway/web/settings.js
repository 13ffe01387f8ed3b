// One's own account: profile, language, who sees what, the data, the end.

import { AddressForm } from "./addressform.js";
import { post } from "./http.js";
import { full } from "./dates.js";
import { ask } from "./dialogs.js";
import { el } from "./dom.js";
import { Fault, area, box, field, form, oneOf, why } from "./forms.js";
import { languageSwitch } from "./language.js";
import { letters } from "./letters.js";
import { RecoveryCodes, offerRecovery } from "./recovery.js";
import { Sheet } from "./sheet.js";
import { Switches } from "./switches.js";
import { ExceptionList } from "./visibility.js";
import { words } from "./words.js";

const LINKS = 4;
const LIMITED = ["name", "bio", "status"];
const EXPORT_MS = 60_000;

export class Settings {
  #app;
  #sheet = new Sheet("settings");
  #profile = null;
  #switches;
  #exceptions;
  #address;
  #recovery;
  #offered = null;

  /** `app` has client, people, profile, contact, renamed(profile) and gone(text). */
  constructor(app) {
    this.#app = app;
    this.#switches = new Switches(app.client);
    this.#exceptions = new ExceptionList(app.client, (text) => this.#sheet.fail(text));
    this.#address = new AddressForm(app.client, (step) => this.#moved(step));
    this.#recovery = new RecoveryCodes(app.client, (fault) => (fault ? this.#sheet.fail(fault) : this.#sheet.draw()));
  }

  /** Somebody is inside. */
  live() {
    const id = this.#app.people.me?.id;
    if (!id || this.#offered === id) return;
    this.#offered = id;
    offerRecovery(this.#app).catch(() => (this.#offered = null));
  }

  /** Language, privacy, data. */
  open() {
    this.#begin(() => this.#all());
  }

  /** Name, handle, words about oneself. */
  editProfile() {
    this.#begin(() => this.#own());
  }

  async #begin(parts) {
    this.#profile = null;
    this.#address.reset();
    this.#sheet.open(parts);
    try {
      this.#profile = await this.#app.client.call("account.get", { account: this.#app.people.me.id });
      await this.#switches.load();
      await this.#exceptions.load();
      await this.#recovery.load();
    } catch (error) {
      this.#sheet.fail(why(error));
      return;
    }
    this.#sheet.draw();
  }

  async #update(changes) {
    this.#sheet.say("");
    this.#profile = await this.#app.client.call("account.update", changes);
    this.#app.renamed(this.#profile);
    this.#sheet.say(words.saved);
  }

  // The profile

  #own() {
    const loading = el("p", { class: "quiet" }, words.loading);
    return { title: words.profile_edit, parts: [this.#profile ? this.#profileForm() : loading] };
  }

  #profileForm() {
    const { name, handle, status, bio, links, settings } = this.#profile;
    const later = settings.handle_after > Date.now();
    const hint = later ? words.handle_until(full(settings.handle_after)) : words.handle_hint;
    const rows = Array.from({ length: LINKS }, (_, at) =>
      field(`link_${at}`, words.link_nth(at + 1), { value: links[at] ?? "", inputmode: "url", autocapitalize: "none", spellcheck: "false", placeholder: "https://" }, at ? "" : words.link_hint),
    );
    return form(
      "own-form",
      { act: (values) => this.#keepProfile(values), button: words.save, place: (error) => profileFault(error, this.#typed()) },
      field("name", words.name, { value: name, autocomplete: "nickname" }, words.name_hint),
      field("handle", words.handle, { value: handle, autocapitalize: "none", spellcheck: "false", readonly: later }, hint),
      field("status", words.status, { value: status }, words.status_hint),
      area("bio", words.bio, { value: bio, rows: 4 }, words.bio_hint),
      ...rows,
    );
  }

  #typed() {
    const form = this.#sheet.body.querySelector("#own-form");
    return Object.fromEntries(LIMITED.map((name) => [name, form.elements[name].value]));
  }

  async #keepProfile(values) {
    const { name, handle, status, bio } = values;
    if (!name.trim()) throw new Fault("name", words.needed);
    const links = [];
    for (let at = 0; at < LINKS; at++) {
      const link = values[`link_${at}`].trim();
      if (link && !/^https:\/\/[^\s@]+$/.test(link)) throw new Fault(`link_${at}`, words.link_wrong);
      if (link) links.push(link);
    }
    const changes = { name, status, bio, links };
    // A handle changes once a year: only what was meant to change is sent.
    if (handle.normalize("NFKC").trim().replace(/^@/, "").toLowerCase() !== this.#profile.handle) changes.handle = handle;
    await this.#update(changes);
    this.#app.profile.made?.refresh();
    this.#sheet.close();
  }

  // The rest

  #all() {
    const title = words.settings;
    const language = this.#section(words.language, languageSwitch());
    if (!this.#profile) return { title, parts: [language, el("p", { class: "quiet" }, words.loading)] };
    return {
      title,
      parts: [language, this.#section(words.privacy, this.#privacyForm(), this.#exceptions.draw()), this.#news(), this.#mail(), this.#section(this.#recovery.title, ...this.#recovery.parts()), this.#section(words.data, ...this.#data())],
    };
  }

  #news() {
    const hint = el("p", { class: "quiet" }, words.news_switches_hint);
    return this.#section(words.news_settings, hint, this.#switches.boxes((text) => this.#sheet.fail(text)));
  }

  #mail() {
    return this.#section(words.mail, ...this.#address.parts(this.#profile.settings.address));
  }

  /** A step of changing the address is done; with `changed`, the last one. */
  #moved(changed) {
    if (changed) this.#profile = { ...this.#profile, settings: { ...this.#profile.settings, address: changed.address } };
    this.#sheet.draw();
    if (changed) this.#sheet.say(words.mail_done(changed.address, full(changed.undo_until)));
    else this.#sheet.body.querySelector("#mail_code, #mail_new").focus();
  }

  #section(title, ...parts) {
    return el("section", { class: "setting" }, el("h3", {}, title), ...parts);
  }

  #privacyForm() {
    const { private: closed, settings } = this.#profile;
    const presence = ["mutuals", "everyone", "nobody"].map((to) => [to, words[`presence_${to}`]]);
    const write = ["followed", "everyone"].map((from) => [from, words[`write_${from}`]]);
    return form(
      "privacy-settings",
      { act: (values) => this.#update(values), button: words.save },
      box("private", words.private, closed),
      oneOf("presence_to", words.presence_to, presence, settings.presence_to),
      oneOf("write_from", words.write_from, write, settings.write_from),
      box("communities_shown", words.communities_shown, settings.communities_shown),
    );
  }

  #data() {
    const { hidden } = this.#profile.settings;
    return [
      el("p", { class: "quiet" }, words.export_hint),
      this.#act("export", "plain", words.export, () => this.#export()),
      el("p", { class: "quiet" }, hidden ? words.hidden_now : words.hide_hint),
      hidden ? this.#act("show-again", "strong", words.show_again, () => this.#hide(false)) : this.#act("hide", "plain", words.hide, () => this.#hide(true)),
      el("p", { class: "quiet" }, words.delete_account_hint),
      this.#act("delete-account", "plain danger", words.delete_account, () => this.#delete()),
    ];
  }

  #act(id, kind, text, run) {
    const act = async ({ currentTarget }) => {
      currentTarget.disabled = true;
      this.#sheet.say("");
      this.#sheet.fail("");
      try {
        await run();
      } catch (error) {
        this.#sheet.fail(why(error));
      }
      currentTarget.disabled = false;
    };
    return el("p", { class: "acts" }, el("button", { id, class: kind, type: "button", onclick: act }, text));
  }

  /** The zip comes by the cookie, so it is fetched here and handed to the browser as a file. */
  async #export() {
    const answer = await fetch("/export", { method: "POST", credentials: "same-origin", signal: AbortSignal.timeout(EXPORT_MS) }).catch(() => null);
    if (!answer?.ok) {
      const { error } = (await answer?.json().catch(() => null)) ?? {};
      throw Object.assign(new Error("export"), { code: error?.code ?? "offline", retryMs: error?.retry_ms });
    }
    const url = URL.createObjectURL(await answer.blob());
    el("a", { href: url, download: "tsudoi-export.zip" }).click();
    setTimeout(() => URL.revokeObjectURL(url), EXPORT_MS);
    this.#sheet.say(words.export_done);
  }

  async #hide(on) {
    if (on && !(await ask(words.hide_ask, words.hide))) return;
    await this.#app.client.call(on ? "account.hide" : "account.show");
    this.#profile = { ...this.#profile, settings: { ...this.#profile.settings, hidden: on } };
    this.#sheet.draw();
  }

  async #delete() {
    if (!(await ask(words.delete_account_ask, words.delete_account))) return;
    const { erase_at } = await post("/api/v1/account.delete", {});
    this.#app.gone(words.delete_account_done(full(erase_at)));
  }
}

/** Which field a refused profile is about. */
function profileFault(error, typed) {
  const at = error.details?.at ?? "";
  if (error.code === "handle_taken") return ["handle", why(error)];
  if (at === "$.handle") return ["handle", words.handle_wrong];
  if (at === "$.links") return ["link_0", words.link_wrong];
  if (error.code === "text_too_long") {
    const { limit, used } = error.details;
    const long = LIMITED.find((name) => letters(typed[name].trim()).length === used) ?? "bio";
    return [long, words.too_long(limit, used)];
  }
  return error.code === "text_invalid" ? ["name", words.name_wrong] : null;
}
