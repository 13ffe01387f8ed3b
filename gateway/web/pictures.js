// Pictures of a line or post: small ones in their place, large ones in a dialog. What always holds: the place is reserved before a
// byte has come, so nothing moves; who saves data gets a picture by asking for it.

import { el } from "./dom.js";
import { returnFocus } from "./sheet.js";
import { words } from "./words.js";

const SWIPE_PX = 40;
const asked = new Set();

/** Where a picture's bytes are. */
export function addressOf({ id }, preview = false) {
  return `/media/${id}${preview ? "/preview" : ""}`;
}

/** What a picture is called for whoever does not see it. */
function nameOf(pictures, at) {
  return pictures[at].alt || words.picture_nameless(at + 1, pictures.length);
}

function sparing() {
  const link = navigator.connection;
  return Boolean(link?.saveData || /(^|-)[23]g$/.test(link?.effectiveType ?? ""));
}

/** In a list or a quote: how many there are, and what the first one shows. */
export function pictureGist(pictures) {
  const alt = pictures[0].alt.replace(/\s+/g, " ");
  return alt ? `${words.pictures_gist(pictures.length)}: ${alt}` : words.pictures_gist(pictures.length);
}

/**
 * The pictures ({id, width, height, alt}) of a line or a post, whose id is `of`, or null if there are none. `stop` false: its
 * buttons are no stops of the Tab key by themselves.
 */
export function gallery(pictures, { of = "", stop = true } = {}) {
  if (!pictures?.length) return null;
  const items = pictures.map((_, at) => tile(pictures, at, { of, stop }));
  const place = el("div", { class: "pictures", data: { count: pictures.length } }, ...items);
  // A single one keeps its shape; how large it gets is the style's to say.
  place.style.setProperty("--width", pictures[0].width);
  place.style.setProperty("--height", pictures[0].height);
  return place;
}

function tile(pictures, at, { of, stop }) {
  const picture = pictures[at];
  const button = el("button", { class: "picture", type: "button", tabindex: stop ? null : "-1" });
  const show = () => {
    asked.add(picture.id);
    const { width, height } = picture;
    const image = el("img", { alt: nameOf(pictures, at), width, height, loading: "lazy", decoding: "async", draggable: "false" });
    image.addEventListener("error", () => button.replaceChildren(el("span", { class: "picture-word" }, words.picture_gone)));
    image.src = addressOf(picture, true);
    button.replaceChildren(image);
  };
  const waits = () => sparing() && !asked.has(picture.id);
  if (waits()) button.append(el("span", { class: "picture-word" }, words.picture_show, el("small", {}, nameOf(pictures, at))));
  else show();
  button.addEventListener("click", () => (waits() ? show() : viewer.open(pictures, at, of)));
  return button;
}

/** A line or post is gone: whoever looks at its pictures sees them no more. */
export function closePictures(of) {
  viewer.gone(of);
}

/** The large picture: one at a time, the others a key, a swipe or a button away. */
class Viewer {
  #dialog = null;
  #parts = {};
  #pictures = [];
  #at = 0;
  #of = "";
  #from = 0;

  open(pictures, at, of) {
    this.#make();
    this.#pictures = pictures;
    this.#of = of;
    this.#dialog.setAttribute("aria-label", words.picture_view);
    for (const [name, label] of [["close", words.close], ["before", words.picture_before], ["next", words.picture_next]]) {
      this.#parts[name].setAttribute("aria-label", label);
      this.#parts[name].title = label;
    }
    this.#show(at);
    this.#dialog.showModal();
  }

  gone(of) {
    if (this.#dialog?.open && of && this.#of === of) this.#dialog.close();
  }

  #show(at) {
    const picture = this.#pictures[at];
    this.#at = at;
    const { image, alt, before, next } = this.#parts;
    image.alt = nameOf(this.#pictures, at);
    image.width = picture.width;
    image.height = picture.height;
    image.src = addressOf(picture);
    alt.textContent = picture.alt;
    before.hidden = at === 0;
    next.hidden = at === this.#pictures.length - 1;
    if (document.activeElement === document.body) this.#parts.close.focus();
  }

  #step(by) {
    if (this.#pictures[this.#at + by]) this.#show(this.#at + by);
  }

  #make() {
    if (this.#dialog) return;
    const button = (sign, act) => el("button", { class: "icon", type: "button", onclick: act }, el("span", { "aria-hidden": "true" }, sign));
    const image = el("img", { draggable: "false" });
    const alt = el("p", { "aria-hidden": "true" });
    const close = button("×", () => this.#dialog.close());
    const before = button("‹", () => this.#step(-1));
    const next = button("›", () => this.#step(1));
    image.addEventListener("error", () => (alt.textContent = words.picture_gone));
    this.#parts = { image, alt, close, before, next };
    this.#dialog = el("dialog", { id: "picture-view" }, el("div", { class: "picture-acts" }, before, next, close), image, alt);
    this.#dialog.addEventListener("close", () => {
      image.removeAttribute("src");
      returnFocus();
    });
    this.#dialog.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (by) this.#step(by);
    });
    // A tap beside the picture leaves; a stroke goes on.
    this.#dialog.addEventListener("pointerdown", ({ clientX }) => (this.#from = clientX));
    this.#dialog.addEventListener("pointerup", ({ clientX, target }) => {
      const way = clientX - this.#from;
      if (Math.abs(way) > SWIPE_PX) this.#step(way < 0 ? 1 : -1);
      else if (target === this.#dialog) this.#dialog.close();
    });
    document.body.append(this.#dialog);
  }
}

const viewer = new Viewer();
