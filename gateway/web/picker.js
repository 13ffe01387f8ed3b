// What goes along with words that somebody is about to send: pictures, chosen, pasted or dropped, on their way up, described, taken
// out again; and how the words move. What always holds: what was chosen for one place stays with it; a description that is being
// written is never drawn anew.

import { el } from "./dom.js";
import { addressOf } from "./pictures.js";
import { words, wordsOf } from "./words.js";

export const PICTURES_MAX = 4;
// What the server takes; phones that have other kinds convert what is chosen.
const KINDS = "image/jpeg,image/png,image/webp,image/gif,image/avif";
const TRIES_MAX = 5;
const AGAIN_MS = 2_000;

const pickers = [];

/** Somebody else may come in next: nothing of anybody goes up any more, also of places that are closed already. */
export function forgetPictures() {
  for (const picker of pickers) picker.deref()?.forget();
  pickers.length = 0;
}

function faultOf(code) {
  return words.picture_errors[code] ?? wordsOf(code);
}

export class PicturePicker {
  #field = el("input", { type: "file", accept: KINDS, multiple: true, hidden: true });
  #list = el("ul", { class: "picks" });
  #said = el("p", { class: "picks-said", role: "status" });
  #places = new Map();
  #place = null;
  #items = [];
  #changed;
  #going = false;

  /** `changed()` is called when there is something else to send or to keep. */
  constructor(changed) {
    this.#changed = changed;
    pickers.push(new WeakRef(this));
    this.#field.addEventListener("change", () => {
      this.add([...this.#field.files]);
      this.#field.value = "";
    });
    // The parts, for the owner to put where they belong.
    this.button = el("button", { class: "icon pick", type: "button", onclick: () => this.#field.click() }, el("span", { "aria-hidden": "true" }, "📷"));
    this.view = el("div", { class: "picks-place", hidden: true }, this.#list, this.#said, this.#field);
    this.speak();
  }

  /** Take what is pasted into `field` and dropped onto `ground`. */
  listen(field, ground) {
    const images = (data) => [...(data?.files ?? [])].filter(({ type }) => type.startsWith("image/"));
    field.addEventListener("paste", (event) => {
      const found = images(event.clipboardData);
      if (!found.length) return;
      event.preventDefault();
      this.add(found);
    });
    ground.addEventListener("dragover", (event) => {
      if ([...event.dataTransfer.types].includes("Files")) event.preventDefault();
    });
    ground.addEventListener("drop", (event) => {
      if (!event.dataTransfer.files.length) return;
      event.preventDefault();
      if (this.#place !== null) this.add(images(event.dataTransfer));
    });
  }

  /** Another language, perhaps. */
  speak() {
    this.button.setAttribute("aria-label", words.picture_add);
    this.button.title = words.picture_add;
    this.#items.forEach((item, at) => this.#label(item, at));
  }

  /** Choose for this place from now on; `kept` is what `kept` said there before, perhaps long ago. */
  open(place, kept = []) {
    this.#place = place;
    if (!this.#places.has(place)) this.#places.set(place, this.#taken(kept));
    this.#items = this.#places.get(place);
    this.#tell(this.#items.length < kept.length ? words.picture_expired : "");
    this.#draw();
  }

  /** What is chosen here is what another tab says. */
  follow(kept = []) {
    const same = kept.map(({ id, alt }) => id + alt).join() === this.kept.map(({ id, alt }) => id + alt).join();
    if (same || this.busy) return;
    this.#places.delete(this.#place);
    this.open(this.#place, kept);
  }

  /** What is here and can be sent, as it is kept: {id, width, height, type, alt, expires_at}. */
  get kept() {
    return this.#items.filter((item) => item.here).map(({ here, alt }) => ({ ...here, alt: alt.value.trim() }));
  }

  /** Is something on its way? */
  get busy() {
    return this.#items.some((item) => item.state === "up");
  }

  /** Has something failed? It must be tried again or taken out first. */
  get failed() {
    return this.#items.some((item) => item.state === "failed");
  }

  /** What is here, which is nobody's any more afterwards. */
  take() {
    const { kept } = this;
    this.clear();
    return kept;
  }

  /** What was taken comes back, if nothing was chosen since. */
  giveBack(pictures) {
    if (!this.#items.length) this.follow(pictures);
  }

  clear() {
    for (const item of this.#items) this.#leave(item);
    this.#items.length = 0;
    this.#tell("");
    this.#draw();
  }

  /** Everywhere: somebody else may come in next. */
  forget() {
    for (const item of [...this.#places.values()].flat()) this.#leave(item);
    this.#places.clear();
    this.#items = [];
    this.#draw();
  }

  /** Say something about the pictures. */
  tell(text) {
    this.#tell(text);
  }

  /** Choose these files too, as far as there is room. */
  add(files) {
    const room = PICTURES_MAX - this.#items.length;
    for (const file of files.slice(0, room)) this.#items.push(this.#item({ file }));
    this.#tell(files.length > room ? words.pictures_most(PICTURES_MAX) : files.length ? words.pictures_up : "");
    this.#draw();
    this.#go();
    this.#changed();
  }

  /** What was kept and has not expired. */
  #taken(kept) {
    const now = Date.now();
    return kept.filter(({ expires_at }) => expires_at > now).map(({ alt, ...here }) => this.#item({ here, alt }));
  }

  #item({ file = null, here = null, alt = "" }) {
    const item = { file, here, state: here ? "here" : "up", url: file ? URL.createObjectURL(file) : addressOf(here, true) };
    item.image = el("img", { alt: "", width: 56, height: 56 });
    item.image.addEventListener("error", () => item.image.classList.add("blank"));
    item.image.src = item.url;
    item.alt = el("textarea", { rows: "1", oninput: () => this.#changed() });
    item.alt.value = alt;
    item.share = el("progress", { max: "1", value: "0", hidden: Boolean(here) });
    item.fault = el("span", { class: "pick-fault", role: "alert", hidden: true });
    item.again = el("button", { class: "tool", type: "button", hidden: true, onclick: () => this.#again(item) });
    item.remove = el("button", { class: "icon", type: "button", onclick: () => this.#remove(item) }, el("span", { "aria-hidden": "true" }, "×"));
    item.node = el("li", {}, item.image, el("div", {}, item.alt, item.share, item.fault, item.again), item.remove);
    return item;
  }

  #label(item, at) {
    item.alt.placeholder = words.picture_alt;
    item.alt.setAttribute("aria-label", words.picture_alt_of(at + 1));
    item.remove.setAttribute("aria-label", words.picture_remove(at + 1));
    item.remove.title = words.picture_remove(at + 1);
    item.again.textContent = words.picture_again;
    item.share.setAttribute("aria-label", words.pictures_up);
    if (item.error) item.fault.textContent = faultOf(item.error);
  }

  #draw() {
    const wanted = this.#items.map((item) => item.node);
    for (const node of [...this.#list.children]) if (!wanted.includes(node)) node.remove();
    wanted.forEach((node) => node.isConnected || this.#list.append(node));
    this.#items.forEach((item, at) => this.#label(item, at));
    this.#list.hidden = !wanted.length;
    this.view.hidden = !wanted.length && !this.#said.textContent;
  }

  #tell(text) {
    this.#said.textContent = text;
    this.view.hidden = !this.#items.length && !text;
  }

  // One after the other: on a slow line the first one arrives sooner.
  async #go() {
    if (this.#going) return;
    this.#going = true;
    for (;;) {
      const item = [...this.#places.values()].flat().find(({ state, begun }) => state === "up" && !begun);
      if (!item) break;
      item.begun = true;
      await this.#up(item);
    }
    this.#going = false;
  }

  async #up(item) {
    try {
      // Loaded when there is something to send.
      const { putUp, smaller } = await import("./uploads.js");
      const blob = await smaller(item.file);
      if (item.state !== "up") return;
      item.here = await this.#tried(item, () => putUp(blob, (share) => (item.share.value = share)));
      item.state = "here";
    } catch (error) {
      if (item.state !== "up") return;
      item.state = "failed";
      item.error = error.code ?? "offline";
    }
    this.#settled(item);
  }

  /** Where the server has no room just now, it is tried again by itself. */
  async #tried(item, begin) {
    for (let tries = 1; ; tries++) {
      const way = begin();
      item.stop = way.stop;
      try {
        return await way.done;
      } catch (error) {
        const later = ["rate_limited", "unavailable"].includes(error.code) && tries < TRIES_MAX;
        if (!later || item.state !== "up") throw error;
        await new Promise((resolve) => setTimeout(resolve, error.retryMs ?? AGAIN_MS));
        if (item.state !== "up") throw error;
      }
    }
  }

  #settled(item) {
    item.share.hidden = item.state !== "up";
    item.fault.hidden = item.again.hidden = item.state !== "failed";
    if (!this.#items.includes(item)) return;
    this.#items.forEach((each, at) => this.#label(each, at));
    // What failed says so beside itself.
    if (!this.busy) this.#tell(this.failed ? "" : words.pictures_ready);
    this.#changed();
  }

  #again(item) {
    Object.assign(item, { state: "up", error: "", begun: false });
    this.#settled(item);
    this.#tell(words.pictures_up);
    this.#go();
  }

  #remove(item) {
    this.#leave(item);
    this.#items.splice(this.#items.indexOf(item), 1);
    this.#tell("");
    this.#draw();
    this.button.focus({ preventScroll: true });
    this.#changed();
  }

  #leave(item) {
    item.state = "left";
    item.stop?.();
    if (item.file) URL.revokeObjectURL(item.url);
  }
}

/** The key to the effects by which words move, and which were chosen. `text()` is what was written, `channel()` where
 * one may cheer and count down together, if it is somewhere. */
export class EffectsKey {
  constructor(text, channel) {
    const open = () => import("./emotextpicker.js").then(({ pick }) => pick(this, text(), channel?.()), () => {});
    this.button = el("button", { class: "icon pick", type: "button", onclick: open }, "Aa");
    this.choose();
  }

  choose(ids = []) {
    this.chosen = ids;
    this.button.ariaPressed = ids.length > 0;
    this.button.ariaLabel = this.button.title = words.emotext;
  }

  /** What a request says of it, once. */
  take() {
    const emotext = this.chosen;
    this.choose();
    return emotext.length && { emotext };
  }
}
