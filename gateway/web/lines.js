// How one line of a room looks. Each function makes a fresh element; who calls decides when.

import { clock, day, dayKey, full } from "./dates.js";
import { el, face } from "./dom.js";
import { letters } from "./letters.js";
import { gallery, pictureGist } from "./pictures.js";
import { chips } from "./stamps.js";
import { words, wordsOf } from "./words.js";

const TOGETHER_MS = 5 * 60_000;
const LATE_MS = 60_000;
const QUOTE_CHARS = 80;

const JAPANESE = /[\u3040-\u30ff\u4e00-\u9fff]/;

/** The language that words of people are read aloud in, where it is not the page's. */
export function tongue(text) {
  return words.lang !== "ja" && JAPANESE.test(text) ? "ja" : null;
}

/** Let `text` move as `said` (a line or post) does; `late`: however old it is. What plays it comes when there is something to play. */
export function moving(text, said, late) {
  if (text && said.emotext?.length) {
    text.dataset.emotext = said.emotext.join(" ");
    import("./emotextplayer.js").then(({ put }) => put(text, said, late), () => {});
  }
  return text;
}

/** A person's name for a sentence; `people` knows oneself. `within`: not at its beginning. */
export function nameOf(people, id, within = false) {
  if (id === people.me?.id) return within ? words.me_within : words.me;
  const card = people.want(id);
  if (card?.gone) return words.gone_person;
  return card ? words.call_name(card.name) : words.someone;
}

/** A system line as a sentence. */
export function sentence(people, message) {
  const { what, accounts = [], title = "" } = message.system;
  const tell = words.system[what] ?? words.system.other;
  const names = words.and(accounts.map((id) => nameOf(people, id, true)));
  return tell({ by: nameOf(people, message.author, true), names, title });
}

/** What a list or a quote shows of a line. */
export function gist(people, message) {
  if (message.deleted) return words.deleted;
  if (message.system) return sentence(people, message);
  const text = message.text ? message.text.replace(/\s+/g, " ") : pictureGist(message.pictures);
  const chars = letters(text.slice(0, 8 * QUOTE_CHARS));
  return chars.length > QUOTE_CHARS ? chars.slice(0, QUOTE_CHARS).join("") + "…" : text;
}

/** What depends on the line before: does a day begin, does the same person go on? `mark`: is it the first unread one? */
export function place(message, before, mark) {
  const newDay = !before || dayKey(before.at) !== dayKey(message.at);
  const same = before && !before.system && !message.system && before.author === message.author;
  const follows = Boolean(same && !newDay && !mark && message.at - before.at < TOGETHER_MS);
  return { newDay: newDay ? day(message.at) : "", mark, follows };
}

/** Everything that a line's look depends on, as one string: equal means nothing to do. */
export function signature(line) {
  const { message, target, where, people, fold, quoteFold } = line;
  const names = [message.author, ...(message.system?.accounts ?? []), target?.author];
  const known = names.map((id) => id && nameOf(people, id));
  return JSON.stringify([words.lang, message, line.stamps, where, fold, quoteFold, target && [target.text, target.deleted], known]);
}

/**
 * The contents of a line's list item. `acts` has reply, stamp, react, remove, report, person, unfold and show. `fold` says why the
 * line is folded, `quoteFold` why what it quotes is.
 */
export function contents(line, acts) {
  const { message, where } = line;
  const parts = [];
  if (where.newDay) parts.push(el("p", { class: "day" }, el("span", {}, where.newDay)));
  if (where.mark) parts.push(el("p", { class: "mark" }, el("span", {}, words.unread_mark)));
  if (message.system) parts.push(el("p", { class: "told" }, sentence(line.people, message)));
  else if (line.fold) parts.push(folded(line, acts));
  else parts.push(said(line, acts));
  return parts;
}

function folded({ message, fold }, acts) {
  const show = el("button", { class: "tool", type: "button", tabindex: "-1", onclick: () => acts.unfold(message) }, words.fold_show);
  return el("p", { class: "folded" }, words.folded[fold], " ", show);
}

/** Face and name lead to the profile; the face is the same way once more, for the thumb. */
function person(card, sign, acts) {
  if (!card || card.gone) return sign;
  return el("button", { class: "face-open", type: "button", tabindex: "-1", "aria-hidden": "true", onclick: () => acts.person(card.id) }, sign);
}

function author(card, name, acts) {
  if (!card || card.gone) return el("p", { class: "who" }, name);
  return el("p", { class: "who" }, el("button", { type: "button", tabindex: "-1", title: words.profile_open(name), onclick: () => acts.person(card.id) }, name));
}

function said(line, acts) {
  const { message, where, people } = line;
  const own = message.author === people.me?.id;
  const card = people.want(message.author);
  const name = card?.gone ? words.said_by_gone : (card?.name ?? words.someone);
  const shown = own || where.follows ? null : author(card, name, acts);
  const heard = own ? el("span", { class: "unseen" }, words.me) : where.follows ? el("span", { class: "unseen" }, name) : null;
  return el(
    "div",
    { class: `row${own ? " own" : ""}${where.follows ? " follows" : ""}` },
    own ? null : where.follows ? el("span", { class: "face-room" }) : person(card, face(message.author, name), acts),
    el("div", { class: "said" }, shown, heard, bubble(line, acts), chips(line.stamps, (stamp) => acts.react(message, stamp))),
    el("div", { class: "beside" }, message.deleted ? null : tools(message, own, acts), times(message)),
  );
}

function bubble(line, acts) {
  const { message } = line;
  if (message.deleted) return el("p", { class: "bubble gone" }, words.deleted);
  return el(
    "div",
    { class: "bubble" },
    message.reply_to ? quote(line, acts) : null,
    message.text ? moving(el("p", { class: "text", lang: tongue(message.text) }, message.text), message) : null,
    gallery(message.pictures, { of: message.id, stop: false }),
  );
}

function quote({ target, people, quoteFold }, acts) {
  if (!target) return el("p", { class: "quote" }, words.quote_unknown);
  const shown = quoteFold ? [words.folded[quoteFold]] : [el("span", { class: "quote-who" }, nameOf(people, target.author)), " ", gist(people, target)];
  return el("button", { class: "quote", type: "button", tabindex: "-1", onclick: () => acts.show(target) }, ...shown);
}

function tools(message, own, acts) {
  const tool = (text, act) => el("button", { type: "button", class: "tool", tabindex: "-1", onclick: () => act(message) }, text);
  const other = own ? tool(words.delete, acts.remove) : tool(words.report, acts.report);
  return el("div", { class: "tools" }, tool(words.reply, acts.reply), stampTool(message, acts), other);
}

function stampTool(message, acts) {
  const sign = el("span", { "aria-hidden": "true" }, "☺");
  return el("button", { type: "button", class: "tool", tabindex: "-1", "aria-label": words.stamp, title: words.stamp, onclick: () => acts.stamp(message) }, sign);
}

function times({ at, written_at }) {
  const time = el("time", { datetime: new Date(at).toISOString(), title: full(at) }, clock(at));
  if (!written_at || at - written_at < LATE_MS) return time;
  const text = words.written_and_came(dayKey(written_at) === dayKey(at) ? clock(written_at) : full(written_at), clock(at));
  time.textContent = text;
  time.classList.add("late");
  return time;
}

/** A line that is not acknowledged yet. */
export function pendingRow(line, outbox) {
  const refused = line.state === "refused";
  const act = (what, label) => el("button", { type: "button", class: "tool", onclick: () => what(line.nonce) }, label);
  const buttons = refused
    ? [act((nonce) => outbox.retry(nonce), words.retry), act((nonce) => outbox.discard(nonce), words.discard)]
    : [];
  return el(
    "li",
    { class: `line pending ${line.state}`, data: { nonce: line.nonce } },
    el(
      "div",
      { class: "row own" },
      el(
        "div",
        { class: "said" },
        el("div", { class: "bubble" }, line.text ? el("p", { class: "text" }, line.text) : null, gallery(line.pictures)),
      ),
      el(
        "div",
        { class: "beside" },
        el("span", { class: "fate" }, line.state === "sending" ? words.sending : words.waiting),
        line.written_at ? el("time", { datetime: new Date(line.written_at).toISOString(), title: full(line.written_at) }, clock(line.written_at)) : null,
      ),
    ),
    refused
      ? el("div", { class: "refusal" }, el("span", {}, words.refused(wordsOf(line.error))), el("div", { class: "tools" }, ...buttons))
      : null,
  );
}
