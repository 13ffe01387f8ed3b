// Emotext: a catalogue, a text and its effects become a score, and a score becomes positions. Silent: no element, no clock. It is
// the twin of `realtime/emotext_score.py`, and `tests/golden/emotext` holds both to the same. docs/emotext.md has the rules.

const MOVING_MAX = 160;
const DURATION_MS_MAX = 5000;
const WORD_MAX = 24;
const BISECTIONS = 48;
const REST = { x: 0, y: 0, scale: 1, rotate: 0, hue: 0, opacity: 1, blur: 0 };
const CHANNELS = Object.keys(REST);
const JOINED =
  /^[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}\p{Script=Mongolian}]/u;
const BLANK = /^\p{White_Space}+$/u;
const CATEGORIES = ["size", "motion", "mood"];

/** The ids of effects that the catalogue knows, as effects; those it does not know, or that do not fit together, are left out. */
export function effectsOf(catalogue, ids) {
  const found = new Map();
  for (const id of ids) {
    const effect = catalogue.effects.find((each) => each.id === id);
    if (effect && CATEGORIES.includes(effect.category) && !found.has(effect.category)) found.set(effect.category, effect);
  }
  return CATEGORIES.filter((each) => found.has(each)).map((each) => found.get(each));
}

/** The id of a message or post → the seed of its score. */
export function seedOf(name) {
  let value = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) value = Math.imul(value ^ byte, 0x01000193) >>> 0;
  return value;
}

/** The first graphemes of a text, and where they end; letters that join, or run from right to left, are one piece. */
function beginning(text) {
  const found = [];
  let end = 0;
  let letters = 0;
  for (const { segment, index } of new Intl.Segmenter("und", { granularity: "grapheme" }).segment(text)) {
    letters = JOINED.test(segment) ? letters + 1 : 0;
    if (letters > 1 && letters <= WORD_MAX) found.push(found.pop() + segment);
    else if (found.length === MOVING_MAX) break;
    else {
      letters = Math.min(letters, 1);
      found.push(segment);
    }
    end = index + segment.length;
  }
  return [found, end];
}

/** A text and effects → their score; null where there is nothing to move. */
export function compile(text, effects, seed) {
  const [graphemes, end] = beginning(text);
  const moving = [...graphemes.keys()].filter((place) => !BLANK.test(graphemes[place]));
  if (!moving.length || !effects.length) return null;
  const programs = effects.map((effect) => effect.program);
  const layers = effects.map((effect, number) => layer(effect, number, seed, moving));
  const marks = programs.flatMap((program) => program.marks);
  const ground = programs.find((program) => program.ground)?.ground ?? null;
  const ends = [
    ...layers.map((each) => Math.max(...each.delays) + length(each.movement)),
    ...marks.map((each) => each.delay_ms + length(each.movement)),
    ...(ground ? [length(ground.movement)] : []),
  ];
  return {
    effects: effects.map((effect) => effect.id),
    seed,
    duration_ms: Math.min(Math.max(...ends), DURATION_MS_MAX),
    size: programs.reduce((size, program) => size * program.size, 1),
    tint: programs.find((program) => program.tint)?.tint ?? null,
    graphemes,
    rest: text.slice(end),
    moving,
    layers,
    marks,
    ground,
  };
}

function layer(effect, number, seed, moving) {
  const program = effect.program;
  const drawn = program.scatter_ms || program.mirror === "random";
  const draws = moving.map((place) => (drawn ? draw(seed, number, place) : 0));
  return {
    effect: effect.id,
    movement: program.movement,
    delays: moving.map((place, n) => delay(program, place, draws[n])),
    signs: moving.map((place, n) => sign(program.mirror, place, draws[n])),
  };
}

function delay(program, place, drawn) {
  const waits = program.spread_ms ? (place * program.stagger_ms) % program.spread_ms : 0;
  return waits + ((drawn >>> 1) % (program.scatter_ms + 1));
}

function sign(mirror, place, drawn) {
  if (mirror === "alternate") return place % 2 ? -1 : 1;
  return mirror === "random" && drawn & 1 ? -1 : 1;
}

function draw(seed, number, place) {
  let value = seed ^ Math.imul(place + 1, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 16), 0x7feb352d);
  value = Math.imul(value ^ (value >>> 15), 0x846ca68b);
  return (value ^ (value >>> 16)) >>> 0;
}

function length(movement) {
  return movement.period_ms * movement.repeats;
}

/** Everything at `t` ms: as `Positions` of the twin. */
export function sample(score, t) {
  const graphemes = score.moving.map((_, n) =>
    pose(score.layers.map((each) => [frameAt(each.movement, t - each.delays[n]), each.signs[n]])),
  );
  const marks = score.marks.map((mark) => pose([[frameAt(mark.movement, t - mark.delay_ms), 1]]));
  return { graphemes, marks, ground: score.ground ? frameAt(score.ground.movement, t).opacity : 0 };
}

/** The frame in which a movement is, so many ms after it began. */
export function frameAt(movement, since) {
  const frames = movement.frames;
  if (since <= 0) return whole(frames[0]);
  if (since >= length(movement)) return whole(frames.at(-1));
  const progress = (since % movement.period_ms) / movement.period_ms;
  const next = frames.findIndex((frame) => progress < frame.at);
  const [a, b] = [frames[next - 1], frames[next]];
  return between(whole(a), whole(b), eased(a.ease, (progress - a.at) / (b.at - a.at)));
}

/** A frame with all its channels. */
export function whole(frame) {
  return { ...REST, ...frame };
}

function between(a, b, part) {
  return Object.fromEntries(CHANNELS.map((name) => [name, a[name] + (b[name] - a[name]) * part]));
}

function eased(ease, part) {
  if (!ease) return part;
  const [x1, y1, x2, y2] = ease;
  let [low, high] = [0, 1];
  for (let n = 0; n < BISECTIONS; n++) {
    const middle = (low + high) / 2;
    if (bezier(x1, x2, middle) < part) low = middle;
    else high = middle;
  }
  return bezier(y1, y2, (low + high) / 2);
}

function bezier(a, b, s) {
  const rest = 1 - s;
  return 3 * a * s * rest * rest + 3 * b * s * s * rest + s * s * s;
}

/** Frames and their signs, the outermost first → [a, b, c, d, e, f, hue, opacity, blur]. */
function pose(frames) {
  let [a, b, c, d, e, f] = [1, 0, 0, 1, 0, 0];
  let [hue, opacity, blur] = [0, 1, 0];
  for (const [frame, turned] of frames) {
    const x = frame.x * turned;
    const turn = (frame.rotate * turned * Math.PI) / 180;
    [e, f] = [a * x + c * frame.y + e, b * x + d * frame.y + f];
    const cos = Math.cos(turn) * frame.scale;
    const sin = Math.sin(turn) * frame.scale;
    [a, b, c, d] = [a * cos + c * sin, b * cos + d * sin, c * cos - a * sin, d * cos - b * sin];
    hue += frame.hue;
    opacity *= frame.opacity;
    blur += frame.blur;
  }
  return [a, b, c, d, e, f, hue, opacity, blur];
}
