// The gallery: every effect there is, each on a stage of its own. Asks for the catalogue, and for nothing else.

import { byId, el, fillWords } from "./dom.js";
import { book, calm, words } from "./emotextbook.js";
import { put } from "./emotextplayer.js";
import { why } from "./forms.js";
import { languageSwitch, onLanguage } from "./language.js";

const ALL_MS = 450;

/** Fill the page in the language of the moment. */
async function draw() {
  fillWords(document, words);
  document.title = words.emotext_gallery;
  byId("calm").textContent = calm.matches ? words.emotext_calm : "";
  try {
    const { effects } = await book();
    const made = effects.map((effect) => card(effect));
    byId("gallery").replaceChildren(...made.map(({ node }) => node));
    byId("all").onclick = () => made.forEach(({ play }, n) => setTimeout(play, n * ALL_MS));
  } catch (error) {
    byId("gallery").replaceChildren(el("p", { class: "fault", role: "alert" }, why(error)));
  }
}

function card(effect) {
  const name = effect[words.lang] ?? effect.en;
  const place = el("div", { class: "emo-stage emo-loose" });
  const play = () => {
    const still = el("p", {}, name);
    place.replaceChildren(still);
    put(still, { id: "", emotext: [effect.id] }, true).catch(() => {});
  };
  place.append(el("p", {}, name));
  const button = el("button", { class: "link", type: "button", data: { effect: effect.id }, onclick: play }, name);
  return { node: el("li", { data: { id: effect.id } }, place, el("small", {}, button, ` ${words.emotext_categories[effect.category]} · ${effect.id}`)), play };
}

byId("languages").replaceChildren(languageSwitch());
onLanguage(draw);
draw();
