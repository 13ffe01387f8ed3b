// A score as pieces that the browser animates: one element for each grapheme and mark. Exact, and held to the reference in the tests;
// but an element for each letter is much for a browser, so only what is short is played like this.

import { el } from "./dom.js";
import { whole } from "./emotext.js";

const DRAWING = new DOMParser().parseFromString("<svg viewBox='0 0 24 24'><path></path></svg>", "text/html").querySelector("svg");

export class Pieces {
  #over;
  #score;
  #units;
  #marks;
  #ground = null;
  #plays = [];

  /** Everything that moves, inside `over`. */
  constructor(over, score, shapes) {
    this.#over = over;
    this.#score = score;
    const { ground, moving, graphemes, layers, marks } = score;
    if (ground) {
      this.#ground = el("span", { class: "emo-ground" });
      this.#ground.style.background = ground.color;
      over.append(this.#ground);
      this.#animate(this.#ground, framesOf(ground.movement, 1), ground.movement);
    }
    this.#units = moving.map((at) => el("span", { class: "emo-piece" }, graphemes[at]));
    over.append(...this.#units);
    layers.forEach(({ movement, delays, signs }, number) => {
      const steps = { 1: framesOf(movement, 1), [-1]: framesOf(movement, -1) };
      this.#units.forEach((unit, n) => this.#animate(unit, steps[signs[n]], movement, delays[n], number));
    });
    this.#marks = marks.map((mark) => {
      const made = drawing(shapes[mark.shape], mark);
      over.append(made);
      this.#animate(made, framesOf(mark.movement, 1), mark.movement, mark.delay_ms);
      return made;
    });
  }

  get plays() {
    return this.#plays;
  }

  /** Transforms of further layers come inside those of the first; how it looks has one owner alone. */
  #animate(element, { transform, look }, movement, delay = 0, number = 0) {
    const timing = { duration: movement.period_ms, iterations: movement.repeats, delay, fill: "both" };
    this.#plays.push(element.animate(transform, { ...timing, composite: number ? "add" : "replace" }));
    if (look) this.#plays.push(element.animate(look, timing));
  }

  /** Put every piece above the one that stands still: `spots` as they are, `box` around them, in px from the corner of `over`. */
  place(spots, box) {
    this.#units.forEach(({ style }, n) => {
      const { left, top, width, height, color } = spots[n];
      Object.assign(style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px`, lineHeight: `${height}px` });
      if (color && !this.#score.tint) style.color = color;
    });
    this.#marks.forEach(({ style }, n) => {
      const { x, y, dx, dy, size } = this.#score.marks[n];
      style.left = `calc(${box.left + x * box.width}px + ${dx - size / 2}em)`;
      style.top = `calc(${box.top + y * box.height}px + ${dy - size / 2}em)`;
    });
    if (!this.#ground) return;
    Object.assign(this.#ground.style, { left: `calc(${box.left}px - 0.4em)`, top: `calc(${box.top}px - 0.2em)`, width: `calc(${box.width}px + 0.8em)`, height: `calc(${box.height}px + 0.4em)` });
  }

  /** The browser draws by itself. */
  draw() {}
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

function drawing({ path, fill }, mark) {
  const svg = document.importNode(DRAWING, true);
  svg.firstChild.setAttribute("d", path);
  svg.firstChild.setAttribute("fill", fill);
  svg.style.width = svg.style.height = `${mark.size}em`;
  return svg;
}
