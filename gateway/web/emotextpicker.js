// Where one chooses how words move: a sheet with at most one effect of each category, and the words themselves, moving as they will.
// What always holds: what is chosen is chosen at once, and closing the sheet keeps it.

import { together } from "./cheers.js";
import { el } from "./dom.js";
import { book, calm, words } from "./emotextbook.js";
import { put } from "./emotextplayer.js";
import { why } from "./forms.js";
import { Sheet } from "./sheet.js";

const LETTERS_MAX = 300;

let sheet = null;

/** Choose for `key` (an `EffectsKey`); `text` is what was written so far, `channel` where one may cheer, if it is somewhere. */
export async function pick(key, text, channel = null) {
  sheet ??= new Sheet("emotext");
  sheet.open(() => ({ title: words.emotext, parts: [el("p", { class: "quiet" }, words.loading)] }));
  try {
    const { effects } = await book();
    if (sheet.isOpen) sheet.open(() => drawn(key, text.trim().slice(0, LETTERS_MAX), effects, channel));
  } catch (error) {
    sheet.fail(why(error));
  }
}

function drawn(key, text, effects, channel) {
  const place = el("div", { class: "emo-stage emo-loose" });
  const show = () => act(place, text || words.emotext_sample, key.chosen);
  const change = () => {
    key.choose([...form.querySelectorAll("input:checked")].map(({ value }) => value).filter(Boolean));
    show();
  };
  const form = el("form", { class: "emo-form", onchange: change, onsubmit: (event) => event.preventDefault() }, ...Object.entries(words.emotext_categories).map(([category, label]) => choices(category, label, effects, key.chosen)));
  const see = el("button", { class: "plain", type: "button", data: { act: "see" }, onclick: show }, el("span", { "aria-hidden": "true" }, "👁 "), words.emotext_see);
  const done = el("button", { class: "strong", type: "button", data: { act: "done" }, onclick: () => sheet.close() }, words.emotext_done);
  show();
  return { title: words.emotext, parts: [place, calm.matches && el("p", { class: "quiet" }, words.emotext_calm), form, el("p", { class: "acts" }, see, done), channel && together(channel, effects, () => sheet.close())] };
}

function choices(category, label, effects, chosen) {
  const mine = effects.filter((effect) => effect.category === category);
  const one = (value, name, checked) => el("label", {}, el("input", { type: "radio", name: `emotext_${category}`, value, checked }), name);
  const none = one("", words.emotext_none, !mine.some(({ id }) => chosen.includes(id)));
  return el("fieldset", { data: { category } }, el("legend", {}, label), el("div", { class: "emo-choices" }, none, ...mine.map((effect) => one(effect.id, effect[words.lang] ?? effect.en, chosen.includes(effect.id)))));
}

/** The words as they will move, from their beginning. */
function act(place, text, emotext) {
  const still = el("p", {}, text);
  place.replaceChildren(still);
  if (emotext.length) put(still, { id: "", emotext }, true).catch(() => {});
}
