// The landing page of an invite. What always holds: the token is in the fragment only, leaves the address bar at once,
// and nothing is asked of the server before a person taps.

import { post } from "./http.js";
import { full } from "./dates.js";
import { byId, el, face } from "./dom.js";
import { box, form, why } from "./forms.js";
import { ATTEMPT, INSIDE, INVITE, OPEN, forget, keep, recall } from "./kept.js";
import { home, land, takeSecret } from "./landing.js";
import { codeEntry } from "./login.js";
import { SignUp, beginSignUp, byAnother, resumeSignUp } from "./signup.js";
import { words } from "./words.js";

const place = byId("gate");
// Draws what is shown once more, in the language of that moment.
let draw = () => {};

/** Show what `parts()` returns, and again when the language changes. */
function show(parts) {
  draw = () => place.replaceChildren(...parts().filter(Boolean));
  draw();
  place.querySelector("h2")?.focus({ preventScroll: true });
}

function heading(text) {
  return el("h2", { tabindex: "-1" }, text);
}

function link(text, href) {
  return el("p", { class: "links" }, el("a", { href }, text));
}

async function begin() {
  const token = takeSecret();
  // The tab keeps it over reloads.
  if (token) keep(INVITE, { token });
  const key = recall(INVITE);
  // Its own hold on the invite makes the link look used, so a sign-up on its way goes first.
  if (recall(ATTEMPT)) return goOn();
  if (key === null) return show(() => [heading(words.invite_came), el("p", {}, words.invite_none), codeEntry(), link(words.invite_login, "/")]);
  // A typed code was an act of its own; a link may have been opened by a machine.
  if (key.code) return open(key);
  show(() => [
    heading(words.invite_came),
    el("p", { class: "quiet" }, words.invite_came_hint),
    el("p", { class: "acts" }, el("button", { id: "open", class: "strong", type: "button", onclick: (event) => busy(event, () => open(key)) }, words.invite_open)),
  ]);
}

async function busy({ currentTarget: button }, act) {
  button.disabled = true;
  await act();
  button.disabled = false;
}

async function goOn() {
  try {
    await resumeSignUp();
    signUp();
  } catch (error) {
    if (error.code === "not_found") lost(error);
    else failed(error, goOn);
  }
}

function signUp() {
  const inside = el("div", {});
  const key = recall(INVITE);
  const another = key && byAnother(key);
  const steps = new SignUp(inside, { done, lost });
  show(() => {
    steps.draw();
    return [inside, another && el("p", { class: "links" }, el("button", { class: "link", type: "button", onclick: () => anew() }, words.other_invite))];
  });
}

function anew() {
  forget(ATTEMPT);
  begin();
}

function done() {
  forget(INVITE);
  home();
}

function failed(error, again) {
  show(() => [
    heading(words.invite_came),
    el("p", { class: "fault", role: "alert" }, why(error)),
    el("p", { class: "acts" }, el("button", { class: "strong", type: "button", onclick: again }, words.door_again)),
  ]);
}

function lost(error) {
  if (error.code === "invite_invalid") return dead(error);
  return show(() => [
    heading(words.invite_came),
    el("p", { role: "alert" }, words.attempt_lost),
    recall(INVITE) && el("p", { class: "acts" }, el("button", { class: "strong", type: "button", onclick: begin }, words.door_again)),
    link(words.invite_login, "/"),
  ]);
}

function dead(error) {
  forget(INVITE);
  const reason = () => words.invite_dead_why[error.details.reason] ?? words.invite_dead_why.other;
  show(() => [
    heading(words.invite_dead),
    el("p", { id: "dead", role: "alert" }, reason()),
    el("p", {}, words.invite_dead_ask),
    codeEntry(),
    link(words.invite_login, "/"),
  ]);
}

async function open(key) {
  try {
    const [preview, member] = await Promise.all([post("/api/v1/invite.get", key), isMember()]);
    invited(key, preview, member);
  } catch (error) {
    if (error.code === "invite_invalid") dead(error);
    else failed(error, () => open(key));
  }
}

/** Whether this browser's cookie is somebody's session; asked only where it may be. */
async function isMember() {
  if (!localStorage.getItem(INSIDE)) return false;
  return post("/api/v1/session.list", {}).then(
    () => true,
    (error) => error.temporary,
  );
}

function invited(key, { kind, issuer, room_title, expires_at }, member) {
  show(() => [
    heading(words.invite_from(issuer.name)),
    el("p", { class: "issuer" }, face(issuer.id, issuer.name), el("span", {}, issuer.name, el("small", {}, ` @${issuer.handle}`))),
    el("p", { id: "what" }, kind === "room" ? words.invite_room(room_title) : words.invite_service),
    el("p", { class: "quiet" }, words.invite_until(full(expires_at))),
    member && kind !== "room" ? el("p", {}, words.invite_member) : joinForm(key, issuer, member),
    link(member ? words.invite_home : words.invite_login, "/"),
  ]);
}

function joinForm(key, issuer, member) {
  const told = el("p", { class: "quiet" }, words.invite_told);
  const place = (error) => {
    if (error.code !== "invite_invalid") return null;
    dead(error);
    return null;
  };
  if (member) return form("join-form", { act: () => redeem(key), button: words.invite_enter, place }, told);
  const act = async ({ follow }) => {
    await beginSignUp(key, follow);
    signUp();
  };
  return form("join-form", { act, button: words.invite_join, place }, told, box("follow", words.invite_follow(issuer.name), true));
}

async function redeem(key) {
  const { room } = await post("/api/v1/invite.redeem", key);
  keep(OPEN, room);
  done();
}

land(begin, () => draw());
