// The way in. In the demo: choose one of its people with the key of the printed link. Else: a sentence that says why
// nothing can be done here yet.

import { post } from "./client.js";
import { byId, el, face } from "./dom.js";
import { words } from "./words.js";

/** The key of the printed link; it stays in the fragment, which browsers never send. */
export function demoKey() {
  return new URLSearchParams(location.hash.slice(1)).get("demo") ?? "";
}

/** Show the door. Resolves once this browser holds somebody's session. */
export async function knock() {
  const key = demoKey();
  say(words.loading);
  let people = [];
  try {
    ({ people } = await post("/demo/people", { key }));
  } catch (error) {
    return closed(error, key);
  }
  say(words.door_choose, words.door_choose_hint);
  return new Promise((resolve) => {
    const rows = people.map((card) =>
      el(
        "li",
        {},
        el("button", { type: "button", class: "person", data: { handle: card.handle }, onclick: () => enter(key, card, resolve) }, face(card.id, card.name), el("span", {}, card.name, el("small", {}, ` @${card.handle}`))),
      ),
    );
    byId("door-people").replaceChildren(...rows);
  });
}

async function enter(key, card, resolve) {
  try {
    await post("/demo/session", { key, handle: card.handle });
    resolve();
  } catch {
    say(words.door_offline, "", () => enter(key, card, resolve));
  }
}

// Stays pending for good where there is no way in; a new link in the address bar begins anew.
function closed({ code }, key) {
  if (code === "not_found") say(words.door_closed);
  else if (code === "forbidden") say(key ? words.door_wrong_key : words.door_no_key);
  else return new Promise((resolve) => say(words.door_offline, "", () => resolve(knock())));
  return new Promise(() => {});
}

/** One sentence at the door, perhaps with a way to try again. */
export function say(text, hint = "", again = null) {
  byId("door-text").textContent = text;
  byId("door-hint").textContent = hint;
  byId("door-people").replaceChildren();
  const button = byId("door-again");
  button.hidden = again === null;
  button.onclick = again;
}
