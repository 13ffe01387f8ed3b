// Changing the language while the page runs. What always holds: nobody's conversion is disturbed (the change waits for
// its end), and what was typed stays where it was.

import { el } from "./dom.js";
import { LANGUAGES, speak, words } from "./words.js";

const listeners = [];
let composing = false;
let waiting = null;

document.addEventListener("compositionstart", () => (composing = true), true);
document.addEventListener("compositionend", () => {
  composing = false;
  const language = waiting;
  waiting = null;
  // The browser writes the converted text first.
  if (language) setTimeout(() => choose(language));
}, true);

/** `listener()` is called after the language changed, to draw again. */
export function onLanguage(listener) {
  listeners.push(listener);
}

/** True while an input method is at work somewhere on the page. */
export function converting() {
  return composing;
}

/** Speak another language as soon as no conversion is open. */
export function choose(language) {
  if (composing) {
    waiting = language;
    return;
  }
  if (language === words.lang) return;
  speak(language);
  for (const listener of listeners) listener();
}

/** Draw the contents of `place` anew and put back what was typed, chosen, focused (by the fields' ids and names) and unfolded. */
export function keepTyped(place, draw) {
  const key = (input) => input.id || `${input.name}=${input.value}`;
  const before = new Map();
  for (const input of place.querySelectorAll("input, textarea, select")) {
    before.set(key(input), { value: input.value, checked: input.checked });
  }
  const unfolded = [...place.querySelectorAll("details")].map((each) => each.open);
  const focused = place.contains(document.activeElement) ? key(document.activeElement) : null;
  draw();
  [...place.querySelectorAll("details")].forEach((each, at) => (each.open ||= unfolded[at] ?? false));
  for (const input of place.querySelectorAll("input, textarea, select")) {
    const kept = before.get(key(input));
    if (!kept) continue;
    if (input.type === "checkbox" || input.type === "radio") input.checked = kept.checked;
    else input.value = kept.value;
    if (focused && key(input) === focused) input.focus({ preventScroll: true });
  }
}

/** One button for each language, each in its own words. */
export function languageSwitch() {
  const group = el("div", { class: "languages", role: "group" });
  const draw = () => {
    group.setAttribute("aria-label", words.language);
    for (const button of group.children) button.setAttribute("aria-pressed", String(button.lang === words.lang));
  };
  for (const language of LANGUAGES) {
    const act = () => choose(language);
    group.append(el("button", { type: "button", class: "language", lang: language, onclick: act }, words.languages[language]));
  }
  onLanguage(draw);
  draw();
  return group;
}
