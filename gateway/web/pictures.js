// Pictures of a line or post: small ones in their place, large ones in a dialog. What always holds: the place is reserved before a
// byte has come, so nothing moves; who saves data gets a picture by asking for it.

import { el } from "./dom.js";
import { words } from "./words.js";

const asked = new Set();
let viewer = null;

/** Where a picture's bytes are. */
export function addressOf({ id }, preview = false) {
  return `/media/${id}${preview ? "/preview" : ""}`;
}

/** What a picture is called for whoever does not see it. */
export function nameOf(pictures, at) {
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
  button.addEventListener("click", () => (waits() ? show() : enlarge(pictures, at, of)));
  return button;
}

/** What shows the large ones comes when somebody wants to see one; without a network there would be nothing to show. */
async function enlarge(pictures, at, of) {
  try {
    const { Viewer } = await import("./viewer.js");
    viewer ??= new Viewer();
    viewer.open(pictures, at, of);
  } catch {
    // Asked for again with the next tap.
  }
}

/** A line or post is gone: whoever looks at its pictures sees them no more. */
export function closePictures(of) {
  viewer?.gone(of);
}
