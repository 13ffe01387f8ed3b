// Where one writes a post. What always holds: nothing is sent, cleared or moved while a conversion is open; what was begun
// is kept on the shelf; a post waits some seconds before it leaves, in which it can be taken back.

import { fresh } from "./dialogs.js";
import { el } from "./dom.js";
import { Fault, area, form } from "./forms.js";
import { EffectsKey, PicturePicker } from "./picker.js";
import { gallery } from "./pictures.js";
import { LIMIT, cost } from "./short.js";
import { words, wordsOf } from "./words.js";

const KEEP_MS = 500;

export class PostForm {
  #app;
  #name;
  #place;
  #draft;
  #request;
  #label;
  #reaches;
  #after;
  #left = el("small", { class: "quiet post-left", "aria-live": "off" });
  #reach = el("small", { class: "quiet post-reach" });
  #asked = 0;
  #pending = el("ol", { class: "post-pending" });
  #keepTimer = 0;
  #picker = new PicturePicker(() => this.#pictured());
  #effects;
  #form = null;
  #waits = false;
  #whose = null;

  /** `name` begins the fields' ids; `place` is where it waits to leave, `draft` where it is kept before; `request()` is what
   * the post is to besides its text; `channel` where one may cheer
   * together; `label()` what the field is called; `reach(): Promise<string>` whom the words reach;
   * `after()` is called when it was given. */
  constructor(app, { name, place, draft = place, channel = null, request, reach, label = () => words.post_text, after = () => {} }) {
    this.#app = app;
    this.#name = name;
    this.#place = place;
    this.#effects = new EffectsKey(() => this.field?.value ?? "", () => channel);
    this.#draft = draft;
    this.#request = request;
    this.#reaches = reach;
    this.#label = label;
    this.#after = after;
  }

  get place() {
    return this.#place;
  }

  /** The form and what waits to leave, made anew. */
  parts() {
    const text = `${this.#name}_text`;
    const draft = this.#app.shelf.draft(`post.${this.#draft}`);
    const field = area(text, this.#label(), { rows: 1, value: draft.text, placeholder: this.#label() }, "");
    const mask = el("select", { id: `${this.#name}_mask`, name: `${this.#name}_mask`, "aria-label": words.mask }, ...Object.entries(words.mask_choices).map(([value, label]) => el("option", { value }, label)));
    const place = (error) => (error.code === "text_too_long" ? [text, words.post_too_long] : null);
    this.#count(draft.text);
    this.#picker.speak();
    this.#effects.choose();
    // Whoever comes in next has a place of their own.
    this.#whose = this.#app.people.me?.id;
    this.#picker.open(`${this.#whose}.${this.#draft}`, draft.pictures);
    this.#picker.view.classList.add("post-extra");
    const made = (this.#form = form(
      `${this.#name}-form`,
      { act: (values) => this.#submit(values), button: words.post, place, input: (values) => this.#typed(values[text]) },
      field,
      this.#picker.view,
      this.#left,
      this.#reach,
      el("span", { class: "post-tools" }, this.#picker.button, this.#effects.button, mask),
    ));
    this.#picker.listen(field.querySelector("textarea"), made);
    made.classList.add("post-form");
    // What belongs to writing shows once somebody writes, and stays: nothing moves away from under a finger.
    made.classList.toggle("begun", Boolean(draft.text || this.#picker.kept.length));
    made.addEventListener("focusin", ({ relatedTarget }) => {
      made.classList.add("begun");
      if (!made.contains(relatedTarget)) this.#tellReach();
    });
    this.pending();
    return [made, this.#pending];
  }

  /** What waits to leave has changed. */
  pending() {
    const shown = this.#app.postbox.of(this.#place);
    const focused = this.#pending.contains(document.activeElement);
    this.#pending.replaceChildren(...shown.map((post) => this.#waiting(post)));
    if (focused && !this.#pending.contains(document.activeElement)) this.field?.focus({ preventScroll: true });
  }

  /** Somebody else may come in next. */
  forget() {
    clearTimeout(this.#keepTimer);
    this.#keepTimer = 0;
    this.#asked++;
    this.#reach.textContent = "";
    this.#picker.forget();
    this.#form = null;
  }

  /** This form's own: another thread's has the same name. */
  get field() {
    return this.#form?.elements[`${this.#name}_text`] ?? null;
  }

  #typed(text) {
    this.#count(text);
    this.#keepTimer ||= setTimeout(() => {
      this.#keepTimer = 0;
      if (this.field) this.#keep(this.field.value);
    }, KEEP_MS);
  }

  #keep(text) {
    this.#app.shelf.putDraft(`post.${this.#draft}`, text, Date.now(), this.#picker.kept);
  }

  /** A picture came, went, or was described; perhaps after the sheet was closed. */
  #pictured() {
    if (this.#whose !== this.#app.people.me?.id) return;
    this.#keep(this.field?.value ?? this.#app.shelf.draft(`post.${this.#draft}`).text);
    this.#form?.classList.add("begun");
    if (!this.#waits || this.#picker.busy) return;
    this.#waits = false;
    if (this.#form?.isConnected) this.#form.requestSubmit();
  }

  #count(text) {
    const left = LIMIT - cost(text.trim());
    this.#left.textContent = words.post_left(left.toFixed(1));
    this.#left.classList.toggle("over", left < 0);
  }

  /** Whom the words will reach, before they are said: asked whenever one comes to write, since it changes. */
  async #tellReach() {
    const asked = ++this.#asked;
    try {
      const told = await this.#reaches();
      if (asked === this.#asked) this.#reach.textContent = told;
    } catch {
      // Not known now; asked again when one comes back to the field.
    }
  }

  #submit(values) {
    const text = values[`${this.#name}_text`];
    if (cost(text) > LIMIT) throw new Fault(`${this.#name}_text`, words.post_too_long);
    if (this.#picker.busy) {
      this.#waits = true;
      this.#picker.tell(words.picture_send_waits);
      return;
    }
    // What failed says so beside itself.
    if (this.#picker.failed) return;
    if (!text.trim() && !this.#picker.kept.length) throw new Fault(`${this.#name}_text`, words.needed);
    const mask = values[`${this.#name}_mask`] || null;
    this.#app.postbox.add(this.#place, { ...this.#request(), text, mask, ...this.#effects.take() }, fresh(), this.#picker.take());
    clearTimeout(this.#keepTimer);
    this.#keepTimer = 0;
    this.#fill("", "");
    this.#after();
  }

  #fill(text, mask) {
    if (!this.field) return;
    this.field.value = text;
    this.#form.elements[`${this.#name}_mask`].value = mask;
    this.#keep(text);
    this.#count(text);
  }

  #waiting(post) {
    const { nonce, request, state, pictures } = post;
    const told = state === "refused" ? wordsOf(post.error) : words.post_states[state];
    const acts = [];
    if (state === "held") acts.push(button("hurry", words.post_now, () => this.#app.postbox.hurry(nonce)));
    if (state === "refused") acts.push(button("hurry", words.again, () => this.#app.postbox.hurry(nonce)));
    if (state === "held" || state === "refused") acts.push(button("undo", words.post_undo, () => this.#undo(nonce)));
    return el("li", { data: { state } }, request.text && el("p", { class: "post-text" }, request.text), gallery(pictures), el("p", { class: state === "refused" ? "fault" : "quiet", role: "status" }, told), el("p", { class: "acts" }, ...acts));
  }

  #undo(nonce) {
    const post = this.#app.postbox.undo(nonce);
    if (!post || !this.field) return;
    // What was begun meanwhile stays.
    this.#picker.giveBack(post.pictures);
    if (!this.field.value.trim()) {
      this.#fill(post.request.text, post.request.mask ?? "");
      this.#effects.choose(post.request.emotext);
    }
    this.field.focus();
  }
}

function button(what, text, onclick) {
  return el("button", { class: "plain", type: "button", data: { act: what }, onclick }, text);
}

/** The sentence on whom a post would reach: of a community, or one's own. */
export async function reachOf(client, community) {
  const reach = await client.call("post.audience", { community });
  return community ? words.reach_place(reach.members) : words.reach(reach.followers, reach.open);
}
