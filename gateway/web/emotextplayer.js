// Plays text that moves. What always holds: the words themselves stay where they are, whole, as if they stood still, and only become
// unseen while pieces of them move above; so lines break where they always break, and a screen reader reads the words once. At most
// twelve move at once, nothing moves where it is not seen or not wanted, and after five seconds everything is as it was.

import { el } from "./dom.js";
import { compile, effectsOf, seedOf } from "./emotext.js";
import { book, calm, serverClock, words } from "./emotextbook.js";
import { Canvas } from "./emotextcanvas.js";
import { Pieces } from "./emotextpieces.js";
import { onLanguage } from "./language.js";

const MOST = 12;
// More elements than this at once are too much for a browser; what comes then is drawn.
const PIECES_MAX = 60;

// Whose first time was; texts drawn anew go on where they were.
const begun = new Map();
const stages = new WeakMap();
// Those that move, those that were begun and are out of sight, and those for which too many move.
const active = new Set();
const held = new Set();
const waiting = new Set();

const watch = new IntersectionObserver((seen) => {
  for (const { target, isIntersecting } of seen) stages.get(target)?.inSight(isIntersecting);
});
const sizes = new ResizeObserver((changed) => {
  for (const { target } of changed) stages.get(target)?.place();
});

calm.addEventListener("change", () => [...active, ...held].forEach((stage) => stage.rest()));
onLanguage(() => [...active, ...held].forEach((stage) => stage.label()));

/** Let the words in `text` move: of the line or post `id`, by the effects `emotext`, from `play_at` on. `late`: also if that is over. */
export async function put(text, { id, emotext, play_at = null }, late = false) {
  const [catalogue, now] = await Promise.all([book(), serverClock()]);
  const effects = effectsOf(catalogue, emotext);
  // What is not known here is plain text.
  if (!effects.length || !text.isConnected || calm.matches) return null;
  stages.get(text)?.leave();
  const stage = new Stage(text, { id, effects, shapes: catalogue.shapes, since: () => (play_at === null ? 0 : now() - play_at), late });
  stages.set(text, stage);
  watch.observe(text);
  return stage;
}

class Stage {
  #text;
  #id;
  #score;
  #shapes;
  #since;
  #late;
  #words;
  #key;
  #over = null;
  #painter = null;
  #clock = null;
  #plays = [];
  pieces = 0;

  constructor(text, { id, effects, shapes, since, late }) {
    this.#text = text;
    this.#id = id;
    this.#shapes = shapes;
    this.#since = since;
    this.#late = late;
    text.classList.add("emo");
    this.#words = el("span", { class: "emo-words" }, ...text.childNodes);
    this.#key = el("button", { class: "emo-key", type: "button", tabindex: text.closest("li")?.querySelector("[tabindex='-1']") ? "-1" : null, onclick: () => (this.#over ? this.#end() : this.#start(0)) });
    text.append(this.#words, this.#key);
    this.#score = compile(letters(this.#words).map(({ char }) => char).join(""), effects, seedOf(id));
    const size = effects.reduce((most, { program }) => most * program.size, 1);
    if (size !== 1) text.style.fontSize = `${size}em`;
    this.label();
  }

  /** What the key does now. */
  label() {
    const moves = Boolean(this.#over);
    this.#key.textContent = moves ? "■" : "▶";
    this.#key.ariaLabel = this.#key.title = moves ? words.emotext_stop : words.emotext_again;
  }

  /** It came into sight, or left it. */
  inSight(seen) {
    if (!this.#text.isConnected) return this.leave();
    if (this.#over) seen ? this.#resume() : this.#pause();
    else if (seen && this.#score) this.#first();
    if (!seen) waiting.delete(this);
  }

  /** What is said now begins with everybody else's; what was said before is at rest, or has its first time when it is seen. */
  #first() {
    const since = this.#since();
    const mine = performance.now() - (begun.get(this.#id) ?? Infinity);
    if (mine > -Infinity) {
      if (mine < this.#score.duration_ms) this.#start(mine);
    } else if (since < this.#score.duration_ms && (since || !this.#late)) this.#start(since);
    else if (this.#late) this.#start(0);
  }

  #start(since) {
    if (this.#over || !this.#score || calm.matches) return;
    if (!this.#text.isConnected) return this.leave();
    if (active.size >= MOST) {
      waiting.add(this);
      return;
    }
    waiting.delete(this);
    active.add(this);
    if (this.#id) begun.set(this.#id, performance.now() - since);
    this.#draw();
    const zero = document.timeline.currentTime - since;
    for (const play of this.#plays) play.startTime = zero;
    sizes.observe(this.#text);
    this.label();
  }

  /** Everything as it was before. */
  rest() {
    waiting.delete(this);
    if (!this.#over) return;
    sizes.unobserve(this.#text);
    for (const play of this.#plays) play.cancel();
    this.#over.remove();
    this.#over = null;
    this.#painter = null;
    this.#plays = [];
    this.pieces = 0;
    this.#text.classList.remove("emo-moving");
    active.delete(this);
    held.delete(this);
    this.label();
    this.#makeWay();
  }

  /** Who waits begins, as far as there is room. */
  #makeWay() {
    for (const next of waiting) {
      if (active.size >= MOST) break;
      const since = next.#since();
      next.#start(since > 0 && since < next.#score.duration_ms ? since : 0);
    }
  }

  /** It was seen, or was stopped: drawn anew, it stays at rest. */
  #end() {
    if (this.#id) begun.set(this.#id, -Infinity);
    this.rest();
  }

  /** This text is shown no more. */
  leave() {
    watch.unobserve(this.#text);
    this.rest();
  }

  /** Once more from the beginning. */
  again() {
    this.rest();
    this.#start(0);
  }

  /** For whoever wants to look closely: everything at this moment, and no further. */
  freeze(ms) {
    for (const play of this.#plays) {
      play.pause();
      play.currentTime = ms;
    }
  }

  /** Out of sight it stands still, and takes no room from those that are seen. */
  #pause() {
    if (!active.delete(this)) return;
    // What was taken out of the page while it was out of sight is not seen to go.
    for (const other of held) if (!other.#text.isConnected) other.leave();
    held.add(this);
    for (const play of this.#plays) play.pause();
    this.#makeWay();
  }

  /** Back in sight it goes on, or shows its words and waits for its turn. */
  #resume() {
    if (!held.has(this)) return;
    if (active.size >= MOST) {
      this.rest();
      waiting.add(this);
      return;
    }
    held.delete(this);
    active.add(this);
    for (const play of this.#plays) play.play();
    turn();
  }

  #draw() {
    const { tint, moving, duration_ms } = this.#score;
    this.#over = el("span", { class: "emo-over", "aria-hidden": "true", data: tint ? { tint: "" } : {} });
    if (tint) this.#over.style.setProperty("--tint", tint);
    this.#text.append(this.#over);
    const light = moving.length <= PIECES_MAX - pieces();
    this.#painter = new (light ? Pieces : Canvas)(this.#over, this.#score, this.#shapes);
    this.pieces = light ? moving.length : 0;
    this.place();
    this.#text.classList.add("emo-moving");
    // One that moves nothing is the clock, and tells when all is over.
    this.#clock = this.#over.animate([], { duration: duration_ms });
    this.#clock.onfinish = () => this.#end();
    this.#plays = [this.#clock, ...this.#painter.plays];
    if (!light) turn();
  }

  /** The next frame of the screen. */
  frame() {
    this.#painter?.draw(this.#clock.currentTime ?? 0);
  }

  /** Put everything above the words as they stand now. */
  place() {
    if (!this.#over) return;
    // What was taken out of the page changes its size before it is told to be out of sight.
    if (!this.#text.isConnected) return this.leave();
    const { left, top } = this.#over.getBoundingClientRect();
    const spots = spotsOf(this.#words, this.#score).map(({ rect, color }) => ({ left: rect.left - left, top: rect.top - top, width: rect.width, height: rect.height, color }));
    const [west, north] = [Math.min(...spots.map((each) => each.left)), Math.min(...spots.map((each) => each.top))];
    const [east, south] = [Math.max(...spots.map((each) => each.left + each.width)), Math.max(...spots.map((each) => each.top + each.height))];
    this.#painter.place(spots, { left: west, top: north, width: east - west, height: south - north });
  }
}

/** How many elements there are now that move, or will again. */
function pieces() {
  return [...active, ...held].reduce((sum, stage) => sum + stage.pieces, 0);
}

let turning = false;

/** Everything that is drawn is drawn once for each frame of the screen, for as long as something moves. */
function turn() {
  if (turning) return;
  turning = true;
  requestAnimationFrame(() => {
    turning = false;
    for (const stage of active) stage.frame();
    if (active.size) turn();
  });
}

/** Every UTF-16 unit of the words as they are shown, with its text node. */
function letters(words) {
  const walker = document.createTreeWalker(words, NodeFilter.SHOW_TEXT);
  const found = [];
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (node.parentElement.closest(".unseen")) continue;
    for (let at = 0; at < node.length; at++) found.push({ node, at, char: node.data[at] });
  }
  return found;
}

/** Where every piece that moves stands in the still text, and in which colour where that is its own. */
function spotsOf(words, { graphemes, moving }) {
  const all = letters(words);
  const range = document.createRange();
  const own = getComputedStyle(words).color;
  const wanted = new Set(moving);
  const found = [];
  let at = 0;
  graphemes.forEach((grapheme, place) => {
    const [first, last] = [all[at], all[at + grapheme.length - 1]];
    at += grapheme.length;
    if (!wanted.has(place)) return;
    range.setStart(first.node, first.at);
    range.setEnd(last.node, last.at + 1);
    const rects = [...range.getClientRects()].filter(({ width }) => width > 0);
    const { color } = getComputedStyle(first.node.parentElement);
    found.push({ rect: rects.at(-1) ?? range.getBoundingClientRect(), color: color === own ? "" : color });
  });
  return found;
}
