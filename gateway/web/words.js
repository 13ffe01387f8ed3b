// Which language the page speaks, and its words. Every sentence stands in a table; both tables have the same names.
//
// `words` is a live binding: whoever reads `words.x` when drawing gets the language of that moment.

import { keep, recall } from "./kept.js";
import { EN } from "./words.en.js";
import { EN_NOTICES } from "./words.en.notices.js";
import { EN_PEOPLE } from "./words.en.people.js";
import { EN_PICTURES } from "./words.en.pictures.js";
import { EN_PRESENCE } from "./words.en.presence.js";
import { EN_POSTS } from "./words.en.posts.js";
import { JA } from "./words.ja.js";
import { JA_NOTICES } from "./words.ja.notices.js";
import { JA_PEOPLE } from "./words.ja.people.js";
import { JA_PICTURES } from "./words.ja.pictures.js";
import { JA_PRESENCE } from "./words.ja.presence.js";
import { JA_POSTS } from "./words.ja.posts.js";

const KEPT = "tsudoi.language";
const TABLES = {
  ja: { ...JA, ...JA_PEOPLE, ...JA_PICTURES, ...JA_POSTS, ...JA_NOTICES, ...JA_PRESENCE },
  en: { ...EN, ...EN_PEOPLE, ...EN_PICTURES, ...EN_POSTS, ...EN_NOTICES, ...EN_PRESENCE },
};

export const LANGUAGES = Object.keys(TABLES);

/** The words of the page's language. */
export let words = TABLES[wished()];
document.documentElement.lang = words.lang;

/** What was chosen here before, else the first of the browser's languages that there is a table for. */
function wished() {
  const chosen = recall(KEPT);
  if (TABLES[chosen]) return chosen;
  const own = navigator.languages.map((each) => each.slice(0, 2).toLowerCase());
  return own.find((each) => TABLES[each]) ?? "en";
}

/** Speak another language from now on; what is drawn already is its owner's to draw again. */
export function speak(language) {
  words = TABLES[language];
  document.documentElement.lang = language;
  keep(KEPT, language);
}

/** As `words`, with tables ({ja, en}) that came later. */
export function lateWords(tables) {
  return new Proxy({}, { get: (_, name) => tables[words.lang][name] ?? words[name] });
}

/** An error's code or reason → a short sentence. */
export function wordsOf(code) {
  return words.errors[code] ?? words.picture_errors[code] ?? words.errors.other;
}
