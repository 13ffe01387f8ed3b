// How much a short text costs, as the server counts it (the 149.3 rule). No DOM in here.

import { letters } from "./letters.js";

export const LIMIT = 149.3;
const URL_MAX = 23;
const URLS = /https?:\/\/[^\s<>"'、。」』）\]]+/g;

/** 1.0 for each character as people see it; a URL costs what is shown of it, at most 23. */
export function cost(text) {
  const plain = text.replace(/\r\n?/g, "\n").normalize("NFC");
  let total = 0;
  let at = 0;
  for (const found of plain.matchAll(URLS)) {
    total += letters(plain.slice(at, found.index)).length + Math.min(URL_MAX, letters(found[0]).length);
    at = found.index + found[0].length;
  }
  return total + letters(plain.slice(at)).length;
}
