// Forms made of labelled fields. What always holds: Enter never submits during a conversion, what was typed stays
// whatever goes wrong, and every fault is told in words beside its field.

import { el } from "./dom.js";
import { words, wordsOf } from "./words.js";

const MINUTE_MS = 60_000;

let fault = "";

/** The number of the last fault of the server, for a word to the operators. */
export function lastFault() {
  return fault;
}

/** Something is wrong with one field. */
export class Fault extends Error {
  constructor(field, text) {
    super(text);
    this.field = field;
  }
}

/** An error of a call in words; waits are told in minutes. */
export function why(error) {
  if (error.code === "rate_limited" && error.retryMs > MINUTE_MS) return words.wait_minutes(Math.ceil(error.retryMs / MINUTE_MS));
  if (error.code === "rate_limited" && error.retryMs) return words.wait_seconds(Math.ceil(error.retryMs / 1000));
  if (error.code === "internal" && error.requestId) {
    fault = error.requestId;
    return words.fault_id(words.errors.other, error.requestId);
  }
  return wordsOf(error.code);
}

/** A labelled input with a hint and a place for its fault. */
export function field(name, label, properties = {}, hint = "") {
  return labelled(name, label, hint, el("input", { ...common(name), autocomplete: "off", ...properties }));
}

/** The same for words of several lines. */
export function area(name, label, { value = "", ...properties } = {}, hint = "") {
  return labelled(name, label, hint, el("textarea", { ...common(name), rows: 4, ...properties }, value));
}

function common(name) {
  return { id: name, name, "aria-describedby": `${name}-hint ${name}-fault` };
}

function labelled(name, label, hint, input) {
  return el(
    "div",
    { class: "field" },
    el("label", { for: name }, label),
    input,
    el("small", { id: `${name}-hint` }, hint),
    el("p", { id: `${name}-fault`, class: "fault", role: "alert" }),
  );
}

/** A box to tick. */
export function box(name, label, checked = false) {
  return el(
    "div",
    { class: "tick" },
    el("label", { class: "choice" }, el("input", { id: name, name, type: "checkbox", checked, "aria-describedby": `${name}-fault` }), el("span", {}, label)),
    el("p", { id: `${name}-fault`, class: "fault", role: "alert" }),
  );
}

/** One of several; `choices` are [value, label]. */
export function oneOf(name, legend, choices, chosen) {
  const rows = choices.map(([value, label]) =>
    el("label", { class: "choice" }, el("input", { type: "radio", name, value, checked: value === chosen }), el("span", {}, label)),
  );
  return el("fieldset", { class: "one-of" }, el("legend", {}, legend), ...rows);
}

/** Keep the Enter that ends a conversion from submitting. Key code 229 is what Safari sends for it. */
export function guardEnter(form) {
  let composing = false;
  form.addEventListener("compositionstart", () => (composing = true));
  form.addEventListener("compositionend", () => (composing = false));
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (composing || event.isComposing || event.keyCode === 229)) event.preventDefault();
  });
}

/**
 * A form that runs `act(values)` and tells what it throws: a Fault beside its field, an error of a call beside what
 * `place(error)` names ([field, text], or nothing for the form's own line).
 */
export function form(name, { act, button, place = () => null, input = () => {} }, ...children) {
  const submit = el("button", { class: "strong", type: "submit" }, button);
  const own = el("p", { class: "fault", role: "alert" });
  const made = el("form", { id: name, class: "gate-form", novalidate: true }, ...children, own, el("p", { class: "acts" }, submit));
  guardEnter(made);
  made.addEventListener("input", () => input(values(made)));
  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (submit.disabled) return;
    submit.disabled = true;
    clear(made);
    try {
      await act(values(made));
    } catch (error) {
      const [at, text] = error instanceof Fault ? [error.field, error.message] : (place(error) ?? ["", why(error)]);
      tell(made, own, at, text);
    }
    submit.disabled = false;
  });
  return made;
}

/** The values of a form's fields, by name; boxes are true or false. */
function values(made) {
  const found = {};
  for (const input of made.elements) {
    if (!input.name) continue;
    if (input.type === "checkbox") found[input.name] = input.checked;
    else if (input.type !== "radio" || input.checked) found[input.name] = input.value;
  }
  return found;
}

function clear(made) {
  for (const each of made.querySelectorAll(".fault")) each.textContent = "";
  for (const each of made.querySelectorAll("[aria-invalid]")) each.removeAttribute("aria-invalid");
}

function tell(made, own, at, text) {
  const named = at ? made.elements[at] : null;
  const input = named instanceof RadioNodeList ? named[0] : named;
  const line = at ? made.querySelector(`#${at}-fault`) : null;
  (line ?? own).textContent = text;
  input?.setAttribute("aria-invalid", "true");
  input?.focus();
}

/** Which field a refused code from a mail is about. */
export function codeFault(error) {
  return ["code_wrong", "rate_limited", "bad_request"].includes(error.code) ? ["code", why(error)] : null;
}

/** What this device is called in the list of one's sessions. */
export function device() {
  const agent = navigator.userAgent;
  const first = (...pairs) => pairs.find(([mark]) => agent.includes(mark))?.[1];
  const browser = first(["Edg", "Edge"], ["Firefox", "Firefox"], ["FxiOS", "Firefox"], ["CriOS", "Chrome"], ["Chrome", "Chrome"], ["Safari", "Safari"]);
  const system = first(["Android", "Android"], ["iPhone", "iPhone"], ["iPad", "iPad"], ["Windows", "Windows"], ["Mac OS", "Mac"], ["Linux", "Linux"]);
  return [browser ?? words.browser, system].filter(Boolean).join(" / ");
}
