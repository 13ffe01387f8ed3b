// A score as a picture drawn anew for every frame of the screen: much lighter than an element for each letter, so that a dozen long
// texts move smoothly. It draws what `sample` of emotext.js says; what a letter looks like is kept in small pictures, with hue and
// blur in steps too fine to be seen.

import { el } from "./dom.js";
import { frameAt } from "./emotext.js";

const STEP_MS = 8;
const HUE_STEP = 4;
const BLUR_STEP = 0.0125;
const AROUND_EM = 1.6;
// Letters are kept a little larger than they stand, because effects scale them.
const SHARP = 1.25;

const tables = new WeakMap();

/** A movement at every few ms of its period, made once. */
function tableOf(movement) {
  if (!tables.has(movement)) {
    const count = Math.ceil(movement.period_ms / STEP_MS);
    const once = { ...movement, repeats: 1 };
    tables.set(movement, Array.from({ length: count + 1 }, (_, n) => frameAt(once, n ? Math.min(n * STEP_MS, movement.period_ms) : 0)));
  }
  return tables.get(movement);
}

function at(movement, since) {
  const table = tableOf(movement);
  if (since <= 0) return table[0];
  if (since >= movement.period_ms * movement.repeats) return table.at(-1);
  return table[Math.round((since % movement.period_ms) / STEP_MS)];
}

export class Canvas {
  #score;
  #canvas = el("canvas");
  #context = this.#canvas.getContext("2d");
  #paths;
  #fills;
  #letters = new Map();
  #spots = [];
  #box = null;
  #em = 16;
  #font = "";
  #ink = "";
  #drawn = NaN;
  #over;
  plays = [];

  constructor(over, score, shapes) {
    this.#over = over;
    this.#score = score;
    this.#paths = score.marks.map(({ shape }) => new Path2D(shapes[shape].path));
    this.#fills = score.marks.map(({ shape }) => shapes[shape].fill);
    over.append(this.#canvas);
  }

  /** As `Pieces.place`. */
  place(spots, box) {
    const { fontStyle, fontWeight, fontSize, fontFamily, color } = getComputedStyle(this.#over);
    this.#em = parseFloat(fontSize);
    this.#font = `${fontStyle} ${fontWeight} ${fontSize} ${fontFamily}`;
    this.#ink = color;
    this.#spots = spots;
    this.#box = box;
    this.#letters.clear();
    const around = AROUND_EM * this.#em;
    const [width, height] = [box.width + 2 * around, box.height + 2 * around];
    const { style } = this.#canvas;
    Object.assign(style, { left: `${box.left - around}px`, top: `${box.top - around}px`, width: `${width}px`, height: `${height}px` });
    this.#canvas.width = Math.ceil(width * devicePixelRatio);
    this.#canvas.height = Math.ceil(height * devicePixelRatio);
    this.#drawn = NaN;
  }

  /** Everything at `t` ms. */
  draw(t) {
    if (t === this.#drawn || !this.#box) return;
    this.#drawn = t;
    const context = this.#context;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
    this.#ground(t);
    const { layers, moving, graphemes } = this.#score;
    for (let n = 0; n < moving.length; n++) {
      const spot = this.#spots[n];
      this.#to(spot.left + spot.width / 2, spot.top + spot.height / 2);
      let [hue, opacity, blur] = [0, 1, 0];
      for (const { movement, delays, signs } of layers) {
        const frame = at(movement, t - delays[n]);
        this.#by(frame, signs[n]);
        hue += frame.hue;
        opacity *= frame.opacity;
        blur += frame.blur;
      }
      const letter = this.#letter(graphemes[moving[n]], spot, Math.round(hue / HUE_STEP), Math.round(blur / BLUR_STEP));
      context.globalAlpha = opacity;
      context.drawImage(letter, -letter.across / 2, -letter.down / 2, letter.across, letter.down);
    }
    this.#marks(t);
  }

  /** The origin to a place that is given as spots are. */
  #to(x, y) {
    const scale = devicePixelRatio;
    const around = AROUND_EM * this.#em;
    this.#context.setTransform(scale, 0, 0, scale, (x - this.#box.left + around) * scale, (y - this.#box.top + around) * scale);
  }

  #by(frame, sign) {
    const context = this.#context;
    context.translate(frame.x * sign * this.#em, frame.y * this.#em);
    if (frame.rotate) context.rotate((frame.rotate * sign * Math.PI) / 180);
    if (frame.scale !== 1) context.scale(frame.scale, frame.scale);
  }

  #ground(t) {
    const { ground } = this.#score;
    if (!ground) return;
    const { left, top, width, height } = this.#box;
    const em = this.#em;
    this.#to(left - 0.4 * em, top - 0.2 * em);
    this.#context.globalAlpha = at(ground.movement, t).opacity;
    this.#context.fillStyle = ground.color;
    this.#context.beginPath();
    this.#context.roundRect(0, 0, width + 0.8 * em, height + 0.4 * em, 0.4 * em);
    this.#context.fill();
  }

  #marks(t) {
    const { left, top, width, height } = this.#box;
    this.#score.marks.forEach((mark, n) => {
      const frame = at(mark.movement, t - mark.delay_ms);
      if (!frame.opacity) return;
      this.#to(left + mark.x * width + mark.dx * this.#em, top + mark.y * height + mark.dy * this.#em);
      this.#by(frame, 1);
      const scale = (mark.size * this.#em) / 24;
      this.#context.scale(scale, scale);
      this.#context.translate(-12, -12);
      this.#context.globalAlpha = frame.opacity;
      this.#context.fillStyle = this.#fills[n];
      this.#context.fill(this.#paths[n]);
    });
  }

  /** A picture of a grapheme, with some room around it. */
  #letter(text, { width, height, color }, hue, blur) {
    const ink = (!this.#score.tint && color) || this.#ink;
    const key = `${text} ${ink} ${hue} ${blur}`;
    const known = this.#letters.get(key);
    if (known) return known;
    const room = 0.3 * this.#em;
    const [across, down] = [width + 2 * room, height + 2 * room];
    const scale = devicePixelRatio * SHARP;
    const made = Object.assign(new OffscreenCanvas(Math.ceil(across * scale), Math.ceil(down * scale)), { across, down });
    const context = made.getContext("2d");
    context.scale(made.width / across, made.height / down);
    context.font = this.#font;
    context.textAlign = "center";
    context.fillStyle = ink;
    if (hue || blur) context.filter = `hue-rotate(${hue * HUE_STEP}deg) blur(${blur * BLUR_STEP * this.#em * scale}px)`;
    const { fontBoundingBoxAscent: above, fontBoundingBoxDescent: below } = context.measureText(text);
    context.fillText(text, across / 2, down / 2 + (above - below) / 2);
    this.#letters.set(key, made);
    return made;
  }
}
