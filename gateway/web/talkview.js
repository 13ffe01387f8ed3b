// The open room: its head, its lines, and what one is about to say there.

import { Announcer } from "./announcer.js";
import { Composer } from "./composer.js";
import { ask } from "./dialogs.js";
import { byId, el } from "./dom.js";
import { why } from "./forms.js";
import { contents, gist, nameOf, pendingRow, place, signature } from "./lines.js";
import { closePictures } from "./pictures.js";
import { Quotes } from "./quotes.js";
import { ownStamp } from "./reactions.js";
import { RoomHere } from "./roomhere.js";
import { Scroll } from "./scroll.js";
import { Stamps } from "./stamps.js";
import { Timeline } from "./timeline.js";
import { walkable } from "./walk.js";
import { words } from "./words.js";
import { Writing } from "./writing.js";

const READ_MS = 400;
const NEAR_SCREENS = 0.5;

export class TalkView {
  #app;
  #list = byId("lines");
  #pending = byId("pending");
  #log = byId("log");
  #nodes = new Map();
  #announcer = new Announcer(byId("heard"));
  #quotes;
  #here;
  #stamps;
  #unfolded = new Set();
  #scroll;
  #composer;
  #timeline = null;
  #replyTo = null;
  #markSeq = null;
  #fresh = 0;
  #readTimer = 0;

  /** `app` has client, people, presence, dots, rooms, outbox, marks, contact, openProfile(id) and notice(text). */
  constructor(app) {
    this.#app = app;
    this.#quotes = new Quotes(app.client, () => this.render());
    this.#stamps = new Stamps(app, () => this.render());
    this.#scroll = new Scroll(this.#log, this.#list, () => this.#moved());
    walkable(this.#log, this.#list);
    this.#here = new RoomHere(app);
    const writing = new Writing((room, on) => this.#writes(room, on), Date.now);
    const say = (text, pictures, more) => this.#say(text, pictures, more);
    this.#composer = new Composer(say, app.shelf, writing);
    byId("fresh").addEventListener("click", () => this.#toNewest());
    byId("reply-cancel").addEventListener("click", () => this.#answer(null));
    byId("talk").addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !event.isComposing && this.#replyTo) this.#answer(null);
    });
    // On touch there is no hovering: a tap on a line shows what can be done with it.
    this.#list.addEventListener("click", (event) => {
      const line = event.target.closest("button") ? null : event.target.closest(".line");
      for (const other of this.#list.querySelectorAll(".chosen")) if (other !== line) other.classList.remove("chosen");
      line?.classList.toggle("chosen");
    });
  }

  get room() {
    return this.#timeline?.room ?? null;
  }

  /** Show a room, from its first unread line or its end. */
  async open(card) {
    const timeline = new Timeline(this.#app.client, card.id);
    this.#timeline = timeline;
    this.#fresh = 0;
    this.#markSeq = card.unread > 0 ? card.read_seq : null;
    this.#answer(null);
    this.#empty();
    this.#scroll.toEnd();
    this.#composer.open(card.id);
    this.head();
    this.render();
    await timeline.open(card.read_seq, card.unread);
    if (timeline !== this.#timeline) return;
    this.render();
    const mark = this.#list.querySelector(".mark");
    if (mark) this.#scroll.to(mark.closest(".line"));
    this.#composer.focus();
    this.#moved();
  }

  /** Nobody is here any more. */
  forget() {
    this.#composer.forget();
  }

  close() {
    this.#composer.close();
    this.#timeline = null;
    this.#empty();
    this.#here.show(null);
  }

  #empty() {
    this.#nodes.clear();
    this.#quotes.clear();
    this.#unfolded.clear();
    this.#announcer.clear();
    this.#list.replaceChildren();
    this.#pending.replaceChildren();
  }

  /** To the place to write, if a room is open. */
  focus() {
    if (this.#timeline) this.#composer.focus({ always: true });
    return this.#timeline !== null;
  }

  /** Title and number of people, and what there is to know before writing. */
  head() {
    const card = this.#app.rooms.get(this.room);
    if (!card) return;
    const title = this.#app.titleOf(card);
    byId("room-title").textContent = title;
    const group = card.kind === "group";
    this.#log.setAttribute("aria-label", words.timeline(title));
    byId("people-button").hidden = !group && (!card.peer || card.peer.gone);
    byId("people-button").textContent = group ? words.members(card.members) : words.profile;
    byId("people-button").setAttribute("aria-label", group ? words.people_label(card.members) : words.profile_open(title));
    const waits = card.state === "request" && card.creator === this.#app.people.me?.id;
    const blocked = !group && card.peer && this.#app.marks.folds(card.peer.id) === "blocked";
    const note = blocked ? words.blocked_note : card.state === "draft" ? words.draft_note : waits ? words.request_note : "";
    byId("room-note").textContent = note;
    byId("room-note").hidden = !note;
    this.#here.show(card);
  }

  /** Somebody came, went or writes. */
  present() {
    this.#here.paint();
  }

  /** Another language: what stands around the lines is said again as well. */
  respoken() {
    this.head();
    this.#answer(this.#replyTo);
    this.render();
  }

  /** A push of the open room. */
  apply(frame) {
    const changed = this.#timeline.apply(frame);
    if (frame.ev === "message.deleted") {
      this.#quotes.gone(frame.d.message);
      closePictures(frame.d.message);
      if (frame.d.message === this.#replyTo?.id) this.#answer(null);
    }
    if (frame.ev === "message.created") this.#heard(frame.d.message);
    if (changed) this.render();
    this.#moved();
  }

  /** Somebody else's line: counted for whoever reads elsewhere, told to whoever listens. */
  #heard(message) {
    const { people } = this.#app;
    if (message.author === people.me?.id || this.#folds(message.author)) return;
    if (!this.#scroll.atEnd) this.#fresh++;
    const text = gist(people, message);
    this.#announcer.tell(message.system ? text : `${nameOf(people, message.author)}: ${text}`);
  }

  /** One's own line was acknowledged: it stands in the room from now on. */
  sent(line, { message, seq, at }) {
    // The first word of a draft makes it a request, which only an answer tells of.
    if (this.#app.rooms.get(line.room)?.state === "draft") this.#app.rooms.refresh(line.room);
    if (line.room !== this.room) return;
    const { text, reply_to, written_at, room, pictures = [] } = line;
    const author = this.#app.people.me.id;
    const own = { id: message, room, seq, author, at, text, pictures, reply_to, written_at, system: null, deleted: false };
    if (!this.#timeline.find(message)) this.#timeline.add(own);
    this.render();
  }

  /** Pushes were missed. */
  async reload() {
    const timeline = this.#timeline;
    await timeline?.reload();
    if (timeline === this.#timeline) this.render();
  }

  /** Bring the elements in line with what is known, without moving what is being read. */
  render({ stick = true } = {}) {
    if (this.#timeline) {
      const near = stick && this.#scroll.atEnd ? this.#timeline.last?.seq : this.#scroll.firstSeen()?.dataset.seq;
      this.#timeline.tidy(Number(near ?? 0));
      this.#scroll.keep(() => this.#draw(), stick);
    }
    this.#showFresh();
  }

  #draw() {
    const { outbox } = this.#app;
    const timeline = this.#timeline;
    const wanted = new Set(timeline.lines.map((message) => message.id));
    for (const [id, { node }] of this.#nodes) {
      if (wanted.has(id)) continue;
      if (node.contains(document.activeElement)) this.#log.focus({ preventScroll: true });
      node.remove();
      this.#nodes.delete(id);
    }
    const mark = this.#firstUnread();
    let before = null;
    let next = this.#list.firstElementChild;
    for (const message of timeline.lines) {
      if (!message.system) this.#app.presence.wrote(message.author, message.at);
      const node = this.#node(this.#line(message, place(message, before, message === mark)));
      if (node !== next) this.#list.insertBefore(node, next);
      else next = next.nextElementSibling;
      before = message;
    }
    this.#pending.replaceChildren(...outbox.of(timeline.room).map((line) => pendingRow(line, outbox)));
    byId("history-start").hidden = !timeline.loaded || timeline.moreBefore;
    byId("history-wait").hidden = timeline.loaded && !timeline.failed;
    byId("history-wait").textContent = timeline.failed ? words.older_failed : words.loading;
  }

  /** The first line of another person after the read position, if what comes before it is here too. */
  #firstUnread() {
    const { lines, first, moreBefore } = this.#timeline;
    if (this.#markSeq === null || (moreBefore && first?.seq > this.#markSeq)) return undefined;
    const me = this.#app.people.me?.id;
    return lines.find((line) => line.seq > this.#markSeq && line.author !== me && !line.system && !line.deleted);
  }

  /** All that decides how a line looks. */
  #line(message, where) {
    const { people } = this.#app;
    const target = message.reply_to ? (this.#timeline.find(message.reply_to) ?? this.#quotes.want(message.reply_to)) : null;
    const fold = message.system || message.deleted || this.#unfolded.has(message.id) ? "" : this.#folds(message.author);
    const stamps = this.#stamps.seen(message, people, (account) => !this.#folds(account));
    return { message, target, where, people, fold, stamps, quoteFold: target ? this.#folds(target.author) : "" };
  }

  /** Why somebody's lines are folded here; whoever opens a DM wants to read it. */
  #folds(author) {
    return this.#app.rooms.get(this.room)?.kind === "group" ? this.#app.marks.folds(author) : "";
  }

  #node(line) {
    const sign = signature(line);
    const known = this.#nodes.get(line.message.id);
    if (known?.sign === sign) return known.node;
    const node = known?.node ?? el("li", { class: "line", data: { id: line.message.id, seq: line.message.seq } });
    // Whoever stands on a button of this line stands on the line from now on.
    const within = node !== document.activeElement && node.contains(document.activeElement);
    node.replaceChildren(...contents(line, this.#acts));
    if (within) {
      node.tabIndex = -1;
      node.focus({ preventScroll: true });
    }
    this.#nodes.set(line.message.id, { node, sign });
    return node;
  }

  #acts = {
    reply: (message) => {
      this.#answer(message);
      this.#composer.focus({ always: true });
    },
    stamp: (message) => this.#stamps.pick(ownStamp(message, this.#app.people.me?.id), (stamp) => this.#react(message, stamp)),
    react: (message, stamp) => this.#react(message, stamp),
    remove: (message) => this.#remove(message),
    report: (message) => this.#app.contact.use((screen) => screen.report("message", message.id, words.report_message)),
    person: (id) => this.#app.openProfile(id),
    unfold: (message) => {
      this.#unfolded.add(message.id);
      this.render({ stick: false });
    },
    show: (message) => this.#show(message),
  };

  /** Go to a line, wherever in the room it stands. */
  async #show({ id, seq }) {
    const timeline = this.#timeline;
    if (!this.#nodes.has(id)) {
      if (!(await timeline.around(seq)) || timeline !== this.#timeline) return;
      this.render({ stick: false });
    }
    const known = this.#nodes.get(id);
    if (!known) return;
    this.#scroll.to(known.node);
    known.node.tabIndex = -1;
    known.node.focus({ preventScroll: true });
    for (const other of this.#list.querySelectorAll(".shown")) other.classList.remove("shown");
    known.node.classList.add("shown");
  }

  async #remove(message) {
    if (!(await ask(words.delete_ask, words.delete))) return;
    try {
      await this.#app.client.call("message.delete", { message: message.id });
    } catch (error) {
      this.#app.notice(why(error));
    }
  }

  /** Leave a stamp under a line, or take it back; the room tells when it is there. */
  async #react(message, stamp) {
    try {
      await this.#app.client.call("message.react", { message: message.id, stamp });
    } catch (error) {
      this.#app.notice(why(error));
    }
  }

  #answer(message) {
    this.#replyTo = message;
    byId("reply").hidden = !message;
    if (!message) return;
    const { people } = this.#app;
    byId("reply-text").textContent = `${nameOf(people, message.author)}: ${gist(people, message)}`;
  }

  /** A letter that nobody asked for yet is not seen being written. */
  #writes(room, on) {
    const { client, rooms } = this.#app;
    if (rooms.get(room)?.state === "open" && !client.via) client.call("room.typing", { room, on }).catch(() => {});
  }

  async #say(text, pictures, more) {
    const reply = this.#replyTo?.id ?? null;
    this.#answer(null);
    this.#markSeq = null;
    const timeline = this.#timeline;
    if (timeline.moreAfter) await timeline.newest();
    this.#scroll.toEnd();
    this.#app.outbox.add(timeline.room, text, reply, pictures, more);
  }

  async #toNewest() {
    const timeline = this.#timeline;
    if (timeline.moreAfter) await timeline.newest();
    if (timeline !== this.#timeline) return;
    this.#scroll.toEnd();
    this.render();
    this.#moved();
  }

  // What follows from where the reader is

  #moved() {
    const timeline = this.#timeline;
    if (!timeline) return;
    if (this.#scroll.atEnd && !timeline.moreAfter) this.#fresh = 0;
    this.#showFresh();
    clearTimeout(this.#readTimer);
    this.#readTimer = setTimeout(() => this.#see(), READ_MS);
    if (!timeline.loaded || timeline.failed) return;
    const near = this.#scroll.height * NEAR_SCREENS;
    if (timeline.moreBefore && this.#scroll.above < near) this.#more(() => timeline.older());
    else if (timeline.moreAfter && this.#scroll.beneath < near) this.#more(() => timeline.newer());
  }

  async #more(read) {
    const timeline = this.#timeline;
    this.#log.setAttribute("aria-busy", "true");
    const grew = await read();
    if (timeline === this.#timeline) {
      // History must not drag the reader to its end.
      this.render({ stick: false });
      if (grew) this.#moved();
    }
    this.#log.removeAttribute("aria-busy");
  }

  #showFresh() {
    const button = byId("fresh");
    const far = this.#scroll.beneath > this.#scroll.height || this.#timeline?.moreAfter;
    button.hidden = !this.#timeline?.loaded || !(this.#fresh > 0 || far);
    const text = this.#fresh > 0 ? words.fresh(this.#fresh) : words.to_newest;
    if (button.textContent !== text) button.textContent = text;
  }

  /** What was in view of a page that is shown counts as read. */
  #see() {
    const timeline = this.#timeline;
    if (!timeline?.last || document.visibilityState !== "visible") return;
    const seen = this.#scroll.lastSeen();
    if (seen) this.#app.rooms.read(timeline.room, Number(seen.dataset.seq));
  }

  /** The page is shown again, or live again: days may have passed, and readings that failed may succeed. */
  async woken() {
    if (this.#timeline?.failed && this.#app.client.state === "live") await this.reload();
    this.render();
    this.#moved();
  }
}
