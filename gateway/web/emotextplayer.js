// Plays text that moves. What always holds: the words themselves stay where they are, whole, as if they stood still, and only become
// unseen while pieces of them move above; so lines break where they always break, and a screen reader reads the words once. At most
// twelve move at once, nothing moves where it is not seen or not wanted, and after five seconds everything is as it was.

import { el } from "./dom.js";
import { compile, effectsOf, seedOf, whole } from "./emotext.js";
import { book, calm, serverClock, words } from "./emotextbook.js";
import { onLanguage } from "./language.js";

const MOST = 12;
const DRAWING = new DOMParser().parseFromString("<svg viewBox='0 0 24 24'><path></path></svg>", "text/html").querySelector("svg");

// Whose first time was; texts drawn anew go on where they were.
const begun = new Map();
const stages = new WeakMap();
const active = new Set();
const waiting = new Set();

const watch = new IntersectionObserver((seen) => {
  for (const { target, isIntersecting } of seen) stages.get(target)?.inSight(isIntersecting);
});
const sizes = new ResizeObserver((changed) => {
  for (const { target } of changed) stages.get(target)?.place();
});

calm.addEventListener("change", () => [...active].forEach((stage) => stage.rest()));
onLanguage(() => [...active].forEach((stage) => stage.label()));

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
  #units = [];
  #plays = [];
  #paused = false;
  seen = false;

  constructor(text, { id, effects, shapes, since, late }) {
    this.#text = text;
    this.#id = id;
    this.#shapes = shapes;
    this.#since = since;
    this.#late = late;
    text.classList.add("emo");
    this.#words = el("span", { class: "emo-words" }, ...text.childNodes);
    this.#key = el("button", { class: "emo-key", type: "button", tabindex: text.closest("li, .emo-loose")?.matches("li") ? "-1" : null, onclick: () => (this.#over ? this.rest() : this.#start(0)) });
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
    this.seen = seen;
    if (this.#over) this.#hold(!seen);
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
    if (!this.#over) return;
    sizes.unobserve(this.#text);
    for (const play of this.#plays) play.cancel();
    this.#over.remove();
    this.#over = null;
    this.#plays = [];
    this.#units = [];
    this.#paused = false;
    this.#text.classList.remove("emo-moving");
    active.delete(this);
    this.label();
    for (const next of waiting) {
      if (active.size >= MOST) break;
      next.#start(0);
    }
  }

  /** This text is shown no more. */
  leave() {
    watch.unobserve(this.#text);
    waiting.delete(this);
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

  get score() {
    return this.#score;
  }

  #hold(pause) {
    if (pause === this.#paused) return;
    this.#paused = pause;
    for (const play of this.#plays) pause ? play.pause() : play.play();
  }

  // What moves

  #draw() {
    const { layers, marks, ground, moving, graphemes, tint } = this.#score;
    this.#over = el("span", { class: "emo-over", "aria-hidden": "true", data: tint ? { tint: "" } : {} });
    if (tint) this.#over.style.setProperty("--tint", tint);
    if (ground) {
      const made = el("span", { class: "emo-ground" });
      made.style.background = ground.color;
      this.#over.append(made);
      this.#animate(made, framesOf(ground.movement, 1), { movement: ground.movement, delay: 0, number: 0 });
    }
    this.#units = moving.map((at) => el("span", {}, graphemes[at]));
    this.#over.append(...this.#units);
    layers.forEach(({ movement, delays, signs }, number) => {
      const steps = { 1: framesOf(movement, 1), [-1]: framesOf(movement, -1) };
      this.#units.forEach((unit, n) => this.#animate(unit, steps[signs[n]], { movement, delay: delays[n], number }));
    });
    for (const [number, mark] of marks.entries()) {
      const made = drawing(this.#shapes[mark.shape], mark, number);
      this.#over.append(made);
      this.#animate(made, framesOf(mark.movement, 1), { movement: mark.movement, delay: mark.delay_ms, number: 0 });
    }
    this.#text.append(this.#over);
    this.place();
    this.#text.classList.add("emo-moving");
    // One that moves nothing tells when all is over.
    const last = this.#over.animate([], { duration: this.#score.duration_ms });
    last.onfinish = () => this.rest();
    this.#plays.push(last);
  }

  /** Transforms of further layers come inside those of the first; the rest has one owner alone. */
  #animate(element, { transform, look }, { movement, delay, number }) {
    const timing = { duration: movement.period_ms, iterations: movement.repeats, delay, fill: "both" };
    this.#plays.push(element.animate(transform, { ...timing, composite: number ? "add" : "replace" }));
    if (look) this.#plays.push(element.animate(look, timing));
  }

  /** Put every piece above the one that stands still. */
  place() {
    if (!this.#over) return;
    const from = this.#text.getBoundingClientRect();
    const { clientLeft, clientTop } = this.#text;
    const spots = spotsOf(this.#words, this.#score);
    const box = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
    spots.forEach(({ rect }) => {
      box.left = Math.min(box.left, rect.left);
      box.top = Math.min(box.top, rect.top);
      box.right = Math.max(box.right, rect.right);
      box.bottom = Math.max(box.bottom, rect.bottom);
    });
    this.#units.forEach(({ style }, n) => {
      const { rect, color } = spots[n];
      style.left = `${rect.left - from.left - clientLeft}px`;
      style.top = `${rect.top - from.top - clientTop}px`;
      style.width = `${rect.width}px`;
      style.height = style.lineHeight = `${rect.height}px`;
      if (color && !this.#score.tint) style.color = color;
    });
    const [x, y] = [box.left - from.left - clientLeft, box.top - from.top - clientTop];
    const [width, height] = [box.right - box.left, box.bottom - box.top];
    for (const svg of this.#over.querySelectorAll("svg")) {
      const mark = this.#score.marks[svg.dataset.mark];
      svg.style.left = `calc(${x + mark.x * width}px + ${mark.dx - mark.size / 2}em)`;
      svg.style.top = `calc(${y + mark.y * height}px + ${mark.dy - mark.size / 2}em)`;
    }
    const ground = this.#over.querySelector(".emo-ground");
    if (!ground) return;
    Object.assign(ground.style, { left: `calc(${x}px - 0.4em)`, top: `calc(${y}px - 0.2em)`, width: `calc(${width}px + 0.8em)`, height: `calc(${height}px + 0.4em)` });
  }
}

/** Frames as the browser takes them: how it stands, and how it looks if that changes. */
function framesOf({ frames }, sign) {
  const all = frames.map(whole);
  const timing = ({ at, ease }) => ({ offset: at, easing: ease ? `cubic-bezier(${ease.join(",")})` : "linear" });
  const transform = all.map((frame) => ({
    ...timing(frame),
    transform: `translate(${frame.x * sign}em, ${frame.y}em) rotate(${frame.rotate * sign}deg) scale(${frame.scale})`,
  }));
  const fades = all.some(({ opacity }) => opacity !== 1);
  const turns = all.some(({ hue, blur }) => hue || blur);
  const look = all.map((frame) => ({
    ...timing(frame),
    ...(fades && { opacity: frame.opacity }),
    ...(turns && { filter: `hue-rotate(${frame.hue}deg) blur(${frame.blur}em)` }),
  }));
  return { transform, look: fades || turns ? look : null };
}

function drawing({ path, fill }, mark, number) {
  const svg = document.importNode(DRAWING, true);
  svg.dataset.mark = number;
  svg.firstChild.setAttribute("d", path);
  svg.firstChild.setAttribute("fill", fill);
  svg.style.width = svg.style.height = `${mark.size}em`;
  return svg;
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
