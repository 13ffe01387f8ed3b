// Small helpers for making elements. People's words go in as text only, never as markup.

import { letters } from "./letters.js";

/** An element with properties (`class`, `on…` listeners, `data`, attributes) and children (elements or text). */
export function el(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key === "data") Object.assign(made.dataset, value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

export function byId(id) {
  return document.getElementById(id);
}

/** Fill `data-words` (text), `data-hint` (placeholder) and `data-label` (accessible name) of the static page from the table. */
export function fillWords(root, words) {
  for (const each of root.querySelectorAll("[data-words]")) each.textContent = words[each.dataset.words];
  for (const each of root.querySelectorAll("[data-hint]")) each.placeholder = words[each.dataset.hint];
  for (const each of root.querySelectorAll("[data-label]")) {
    each.setAttribute("aria-label", words[each.dataset.label]);
    each.title = words[each.dataset.label];
  }
}

/** The round sign of a person or room: the first character, in one of six tints that stays the same. */
export function face(id, name, kind = "") {
  let sum = 0;
  for (const char of id) sum = (sum * 31 + char.codePointAt(0)) % 6;
  const sign = letters(name)[0] ?? "·";
  return el("span", { class: `face tint-${sum} ${kind}`, "aria-hidden": "true" }, sign);
}

/** A person in a list: face (or `sign` in its place), name, perhaps a note and a `label`; opens their profile, if `open` is given. */
export function personRow(card, { open = null, note = "", acts = [], sign = face(card.id, card.name), label = null } = {}) {
  const name = el("span", { class: "person-name" }, card.name, card.handle && el("small", {}, ` @${card.handle}`), label, note && el("small", { class: "note" }, note));
  const who = open
    ? el("button", { class: "person-open", type: "button", data: { account: card.id }, onclick: open }, sign, name)
    : el("span", { class: "person-open" }, sign, name);
  return el("li", { class: "person-row" }, who, acts.length ? el("span", { class: "acts" }, ...acts) : null);
}
