// The page a further device of one's own lands on when it has scanned what another one shows. What always holds:
// whoever is let in sees first as whom.

import { post } from "./http.js";
import { byId, el, face } from "./dom.js";
import { device, form, why } from "./forms.js";
import { INSIDE } from "./kept.js";
import { home, land, takeSecret } from "./landing.js";
import { words } from "./words.js";

const place = byId("gate");
let token = "";
// Draws what is shown once more, in the language of that moment.
let draw = () => {};

/** Show what `parts()` returns, and again when the language changes. */
function show(parts) {
  draw = () => place.replaceChildren(el("h2", { tabindex: "-1" }, words.device_title), ...parts());
  draw();
  place.querySelector("h2").focus({ preventScroll: true });
}

function gone() {
  show(() => [
    el("p", { id: "device-gone", role: "alert" }, words.device_gone),
    el("p", { class: "links" }, el("a", { href: "/" }, words.device_login)),
  ]);
}

async function begin() {
  token = takeSecret() || token;
  if (!token) return gone();
  try {
    offered((await post("/api/v1/session.look", { token })).account);
  } catch (error) {
    if (error.code === "not_found" || error.code === "bad_request") gone();
    else
      show(() => [
        el("p", { class: "fault", role: "alert" }, why(error)),
        el("p", { class: "acts" }, el("button", { class: "strong", type: "button", onclick: begin }, words.door_again)),
      ]);
  }
}

function offered({ id, name, handle }) {
  const fault = (error) => {
    if (error.code !== "not_found") return error.code === "forbidden" ? ["", words.suspended] : null;
    gone();
    return null;
  };
  show(() => [
    el("p", { class: "issuer" }, face(id, name), el("span", {}, name, el("small", {}, ` @${handle}`))),
    el("p", { id: "device-as" }, words.device_as(name)),
    form("device-form", { act: enter, button: words.device_do, place: fault }, el("p", { class: "quiet" }, words.device_wary)),
  ]);
}

async function enter() {
  await post("/api/v1/session.take", { token, label: device(), cookie: true });
  localStorage.setItem(INSIDE, "yes");
  home();
}

land(begin, () => draw());
