// The way in: log in by mail, type an invite's code; in the demo, also choose one of its people with the key of the
// printed link.

import { post } from "./http.js";
import { byId, el, face } from "./dom.js";
import { DEMO, keep } from "./kept.js";
import { keepTyped, onLanguage } from "./language.js";
import { Ways } from "./login.js";
import { words } from "./words.js";

/** The key of the printed link; it stays in the fragment, which browsers never send. */
export function demoKey() {
  return new URLSearchParams(location.hash.slice(1)).get("demo") ?? "";
}

// The demo listens on loopback only, so nobody else is asked for it.
function mayBeDemo() {
  return demoKey() !== "" || ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
}

// What stands at the door, to be said again in another language.
let again = () => {};
let opened = null;

onLanguage(() => again());

/**
 * Show the door, with a word (its name in the table) on why one stands before it. Resolves once this browser holds
 * somebody's session.
 */
export function knock(told = "") {
  return new Promise((resolve) => {
    const entered = () => {
      opened = null;
      again = () => {};
      byId("door-forms").replaceChildren();
      resolve();
    };
    say("loading");
    if (mayBeDemo()) people(told, entered);
    else ways(told || "door_welcome", "", entered);
  });
}

function ways(text, hint, resolve) {
  say(text, hint);
  byId("door-ways").hidden = false;
  opened = new Ways(byId("door-forms"), resolve);
}

async function people(told, resolve) {
  const key = demoKey();
  let cards = [];
  try {
    ({ people: cards } = await post("/demo/people", { key }));
  } catch (error) {
    if (error.code === "not_found") ways(told || "door_welcome", "", resolve);
    else if (error.code === "forbidden") ways(key ? "door_wrong_key" : "door_no_key", "", resolve);
    else say("door_offline", "", () => people(told, resolve));
    return;
  }
  keep(DEMO, key);
  ways(told || "door_choose", "door_choose_hint", resolve);
  byId("door-ways").open = false;
  byId("door-people").replaceChildren(...cards.map((card) => person(key, card, resolve)));
}

function person(key, card, resolve) {
  const enter = async () => {
    try {
      await post("/demo/session", { key, handle: card.handle });
      resolve();
    } catch {
      say("door_offline", "", enter);
    }
  };
  const name = el("span", {}, card.name, el("small", {}, ` @${card.handle}`));
  return el("li", {}, el("button", { type: "button", class: "person", data: { handle: card.handle }, onclick: enter }, face(card.id, card.name), name));
}

/** One sentence at the door (names of words), perhaps with a way to try again. */
export function say(text, hint = "", retry = null) {
  again = () => {
    tell(text, hint);
    const place = byId("door-forms");
    if (opened) keepTyped(place, () => opened.draw());
  };
  tell(text, hint);
  byId("door-people").replaceChildren();
  byId("door-ways").hidden = true;
  byId("door-ways").open = true;
  const button = byId("door-again");
  button.hidden = retry === null;
  button.onclick = retry;
}

function tell(text, hint) {
  byId("door-text").textContent = words[text];
  byId("door-hint").textContent = hint && words[hint];
}
