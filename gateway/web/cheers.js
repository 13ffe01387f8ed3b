// All together in a room or a community: taps on effects, shown as counts, and a countdown to one moment by the server's clock.
// What always holds: nothing of it moves what is being read or written; who wants less motion sees the same, standing still.

import { byId, el } from "./dom.js";
import { book, serverClock, words } from "./emotextbook.js";
import { put } from "./emotextplayer.js";
import { operate } from "./http.js";

const SHOWN_MS = 2_500;
const STEP_MS = 1_000;

const counted = new Map();
let list = null;

/** What was heard in a channel; shown if it is the one that is `open`. */
export async function apply({ ch, ev, d }, open) {
  if (ch !== open) return;
  const { effects } = await book();
  if (ev === "channel.cheered") for (const [id, n] of Object.entries(d.counts)) cheered(effects, id, n);
  if (ev === "channel.toasted") toasted(d, await serverClock());
}

/** Everything one can do together here; `act()` is called before it is done. */
export function together(ch, effects, act) {
  // A tap too many is not missed.
  const send = (op, d) => operate(op, { ch, ...d }).catch(() => {});
  const chip = (effect) => {
    const name = effect[words.lang] ?? effect.en;
    return el("button", { class: "chip", type: "button", "aria-label": words.emotext_cheer(name), data: { cheer: effect.id }, onclick: () => send("channel.cheer", { effect: effect.id }) }, name);
  };
  const toast = ([what, name]) => el("button", { class: "plain", type: "button", data: { toast: what }, onclick: () => (act(), send("channel.toast", { what })) }, name);
  return el(
    "section",
    { class: "emo-together" },
    el("h3", {}, words.emotext_together),
    el("p", { class: "quiet" }, words.emotext_together_hint),
    el("div", { class: "chips" }, ...effects.filter(({ category }) => category === "mood").map(chip)),
    el("p", { class: "acts" }, ...Object.entries(words.emotext_toasts).map(toast)),
  );
}

/** More taps on an effect: one place for each, with what came lately. */
function cheered(effects, id, n) {
  const effect = effects.find((each) => each.id === id);
  if (!effect) return;
  // Ten numbers a second are for the eye alone.
  list ??= el("ol", { class: "cheers", "aria-hidden": "true" });
  if (list.parentElement !== above()) above().append(list);
  const known = counted.get(id) ?? { n: 0, node: el("li", { data: { cheered: id } }) };
  known.n += n;
  known.node.textContent = words.emotext_cheered(effect[words.lang] ?? effect.en, known.n);
  counted.set(id, known);
  if (!known.node.isConnected) list.append(known.node);
  clearTimeout(known.timer);
  known.timer = setTimeout(() => {
    counted.delete(id);
    known.node.remove();
  }, SHOWN_MS);
}

/** Three, two, one, and the word at the moment itself, on all screens at once. */
function toasted({ what, play_at }, now) {
  const word = words.emotext_toasts[what];
  const left = play_at - now();
  // What is over is not begun again.
  if (!word || left < 0) return;
  const shown = el("div", { class: "toast emo-loose", role: "status", data: { toasted: what } });
  above().append(shown);
  const say = (text) => {
    const still = el("p", {}, text);
    shown.replaceChildren(still);
    return still;
  };
  for (let step = 1; step * STEP_MS <= left + STEP_MS / 2; step++) setTimeout(() => say(String(step)), Math.max(0, left - step * STEP_MS));
  setTimeout(() => put(say(word), { id: "", emotext: ["super_big", "shine"] }, true).catch(() => {}), left);
  setTimeout(() => shown.remove(), left + 2 * SHOWN_MS);
}

/** What is open above everything else: the sheet of effects, a community, another sheet, or the room itself. */
function above() {
  const mine = ["emotext", "places"].map(byId).find((each) => each?.open);
  return mine ?? document.querySelector("dialog[open]") ?? byId("talk");
}
