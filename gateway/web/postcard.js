// How one post looks. Each function makes a fresh element; who calls decides when.

import { brief, full } from "./dates.js";
import { el } from "./dom.js";
import { moving, tongue } from "./lines.js";
import { gallery, pictureGist } from "./pictures.js";
import { words } from "./words.js";

const PARTS = /(https?:\/\/[^\s<>"'、。」』）\]]+|(?<![\w@])@[A-Za-z0-9_]{1,20})/;
const URL_CHARS = 40;

/** What else a post's look depends on: its targets, whether it is unmasked, where it stands, who is who. */
export function facts(app, post, { open, place = true, answers = true } = {}) {
  const { book, people, placeNames, marks } = app;
  const passed = post.repost_of ? book.want(post.repost_of) : undefined;
  const shown = passed ?? post;
  const quoted = shown.quote_of ? book.want(shown.quote_of) : undefined;
  return {
    post,
    passed,
    quoted,
    own: post.author.id === people.me?.id,
    answers,
    named: app.acts.named,
    fold: marks.folds(shown.author.id),
    open: open?.has(shown.id) ?? false,
    openQuote: quoted ? (open?.has(quoted.id) ?? false) : false,
    place: place && shown.community ? (placeNames.want(shown.community) ?? "") : null,
    people,
  };
}

/** Equal means nothing to do. */
export function signature({ people, ...rest }) {
  const names = [rest.post, rest.passed, rest.quoted].filter(Boolean).map(({ author }) => people.get(author.id)?.name);
  return JSON.stringify([words.lang, rest, names]);
}

/** The contents of a post's list item; `acts` are those of postacts.js. */
export function contents(seen, acts) {
  const { post, passed } = seen;
  const parts = [];
  if (post.repost_of) {
    parts.push(el("p", { class: "post-passed" }, el("span", { "aria-hidden": "true" }, "⟳ "), words.post_passed(name(seen.people, post.author)), seen.own && act("remove", words.repost_undo, words.repost_undo, () => acts.remove(post))));
    if (!passed) return [...parts, el("p", { class: "post-absent" }, passed === null ? words.post_absent : words.loading)];
  }
  const shown = passed || post;
  if (seen.fold && !seen.open) {
    return [...parts, el("p", { class: "folded" }, words.folded[seen.fold], " ", act("open", words.fold_show, words.fold_show, () => acts.open(shown.id)))];
  }
  parts.push(head(shown, seen, acts));
  if (shown.reply_to && seen.answers) parts.push(el("p", { class: "post-answers" }, el("button", { class: "link", type: "button", tabindex: "-1", onclick: () => acts.thread(shown.id) }, words.post_answers)));
  parts.push(...body(shown, seen.open, acts));
  if (shown.quote_of) parts.push(quote(seen, acts));
  parts.push(stamps(shown, acts), foot(shown, seen, acts));
  return parts.filter(Boolean);
}

function name(people, author) {
  return (people.get(author.id) ?? author).name;
}

function head(post, seen, acts) {
  const called = name(seen.people, post.author);
  const who = el("button", { class: "post-who", type: "button", tabindex: "-1", onclick: () => acts.person(post.author.id) }, acts.face(post.author.id, called), called, el("small", {}, ` @${post.author.handle}`));
  const when = el("time", { datetime: new Date(post.at).toISOString(), title: full(post.at) }, brief(post.at));
  const open = el("button", { class: "post-when", type: "button", tabindex: "-1", title: words.post_open, data: { act: "thread" }, onclick: () => acts.thread(post.id) }, when, el("span", { class: "unseen" }, ` ${words.post_open}`));
  const place = seen.place !== null && el("button", { class: "post-place", type: "button", tabindex: "-1", onclick: () => acts.place(post.community) }, seen.place || words.places);
  return el("p", { class: "post-head" }, who, open, place);
}

/** The words, or what stands before them. */
function body(post, open, acts) {
  if (post.mask && !open) {
    return [el("p", { class: "post-masked" }, words.masks[post.mask], " ", act("open", words.mask_show, words.mask_show, () => acts.open(post.id)))];
  }
  const text = post.text && el("p", { class: "post-text", lang: tongue(post.text) }, ...spoken(post, acts));
  return [moving(text, post, true), gallery(post.pictures, { of: post.id, stop: false })];
}

/** Text with links to the outside and to people; everything else stays text. */
function spoken(post, acts) {
  return post.text.split(PARTS).filter(Boolean).map((part) => {
    if (part.startsWith("http")) {
      const shown = part.replace(/^https?:\/\//, "");
      return el("a", { href: part, target: "_blank", rel: "noopener noreferrer nofollow", tabindex: "-1" }, shown.length > URL_CHARS ? `${shown.slice(0, URL_CHARS)}…` : shown, el("span", { class: "unseen" }, ` ${words.profile_new_tab}`));
    }
    if (part.startsWith("@") && post.mentions.length && PARTS.test(part)) return el("button", { class: "mention", type: "button", tabindex: "-1", onclick: () => acts.handle(part.slice(1)) }, part);
    return part;
  });
}

function quote({ quoted, people, openQuote }, acts) {
  if (!quoted) return el("p", { class: "post-quoted post-absent" }, quoted === null ? words.post_absent : words.loading);
  const said = [quoted.text, quoted.pictures?.length ? pictureGist(quoted.pictures) : ""].filter(Boolean).join(" · ");
  const text = quoted.mask && !openQuote ? words.masks[quoted.mask] : said;
  return el(
    "button",
    { class: "post-quoted", type: "button", tabindex: "-1", onclick: () => acts.thread(quoted.id) },
    el("span", { class: "quote-who" }, name(people, quoted.author)),
    " ",
    el("span", { lang: tongue(text) }, text),
  );
}

function stamps(post, acts) {
  const left = Object.entries(post.counts?.stamps ?? {}).filter(([, n]) => n > 0);
  if (!left.length) return null;
  const chips = left.map(([id, n]) => {
    const own = post.mine?.stamp === id;
    const label = words.stamp_count(acts.stampName(id), n);
    return el("button", { class: "chip", type: "button", tabindex: "-1", "aria-pressed": String(own), "aria-label": label, data: { act: `stamp-${id}` }, onclick: () => acts.stamp(post, own ? null : id) }, acts.stampName(id), el("small", {}, ` ${n}`));
  });
  return el("p", { class: "chips" }, ...chips);
}

function foot(post, { people }, acts) {
  const { replies = 0, reposts = 0, quotes = 0, likes = 0 } = post.counts ?? {};
  const mine = post.author.id === people.me?.id;
  const liked = Boolean(post.mine?.liked);
  return el(
    "p",
    { class: "post-acts" },
    counted("reply", "↩", words.post_reply, replies, () => acts.reply(post)),
    !post.community && counted("repost", "⟳", words.repost, reposts, () => acts.repost(post)),
    !post.community && counted("quote", "❞", words.quote, quotes, () => acts.quote(post)),
    counted("like", liked ? "♥" : "♡", liked ? words.unlike : words.like, likes, () => acts.like(post, !liked), liked),
    counted("stamp", "☺", words.stamp_add, 0, () => acts.stamps(post)),
    mine && counted("who", "☰", words.reacted, 0, () => acts.who(post)),
    mine ? counted("remove", "🗑", words.delete, 0, () => acts.remove(post)) : counted("report", "⚑", words.report, 0, () => acts.report(post)),
  );
}

function counted(what, sign, label, n, onclick, pressed = null) {
  const told = n ? `${label} (${n})` : label;
  return el("button", { class: `tool act-${what}`, type: "button", tabindex: "-1", "aria-label": told, title: label, "aria-pressed": pressed === null ? null : String(pressed), data: { act: what }, onclick }, el("span", { "aria-hidden": "true" }, sign, n ? ` ${n}` : ""));
}

function act(what, text, label, onclick) {
  return el("button", { class: "tool", type: "button", tabindex: "-1", "aria-label": label, data: { act: what }, onclick }, text);
}
