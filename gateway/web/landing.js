// What the pages share to which a link with a secret leads: the secret stands in the fragment only and leaves the address bar at once.

import { byId, fillWords } from "./dom.js";
import { DEMO, keep, recall } from "./kept.js";
import { keepTyped, languageSwitch, onLanguage } from "./language.js";
import { words } from "./words.js";

/** The secret of the link, or "" where there is none (any more). */
export function takeSecret() {
  const [secret, ...rest] = location.hash.slice(1).split("&");
  const demo = new URLSearchParams(rest.join("&")).get("demo");
  if (demo) keep(DEMO, demo);
  if (location.hash) history.replaceState(null, "", location.pathname);
  return secret;
}

/** Into the app; the demo's link stays the demo's link. */
export function home() {
  const demo = recall(DEMO);
  location.replace(demo ? `/#demo=${demo}` : "/");
}

/** Begin, and again with another link that is pasted into the same tab; `draw()` draws what is shown in another language. */
export function land(begin, draw) {
  fillWords(document, words);
  byId("languages").replaceChildren(languageSwitch());
  onLanguage(() => {
    fillWords(document, words);
    keepTyped(byId("gate"), draw);
  });
  addEventListener("hashchange", () => location.hash && begin());
  begin();
}
