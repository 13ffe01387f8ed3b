// The open room: its head, its lines, and what one is about to say there.

import { Composer } from "./composer.js";
import { ask } from "./dialogs.js";
import { byId, el } from "./dom.js";
import { contents, gist, nameOf, pendingRow, place, signature } from "./lines.js";
import { Scroll } from "./scroll.js";
import { Timeline } from "./timeline.js";
import { words, wordsOf } from "./words.js";

const READ_MS = 400;
const NEAR_SCREENS = 0.5;

export class TalkView {
  #app;
  #list = byId("lines");
  #pending = byId("pending");
  #log = byId("log");
  #nodes = new Map();
  #scroll;
  #composer;
  #timeline = null;
  #replyTo = null;
  #markSeq = null;
  #fresh = 0;
  #readTimer = 0;

  /** `app` has client, people, rooms, outbox and notice(text). */
  constructor(app) {
    this.#app = app;
    this.#scroll = new Scroll(this.#log, () => this.#moved());
    this.#composer = new Composer((text) => this.#say(text), app.shelf);
    byId("fresh").addEventListener("click", () => this.#toNewest());
    byId("reply-cancel").addEventListener("click", () => this.#answer(null));
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
    this.#nodes.clear();
    this.#list.replaceChildren();
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

  close() {
    this.#composer.close();
    this.#timeline = null;
    this.#nodes.clear();
    this.#list.replaceChildren();
    this.#pending.replaceChildren();
  }

  /** Title and number of people, and what there is to know before writing. */
  head() {
    const card = this.#app.rooms.get(this.room);
    if (!card) return;
    const title = this.#app.titleOf(card);
    byId("room-title").textContent = title;
    byId("room-members").textContent = card.kind === "group" ? words.members(card.members) : "";
    this.#log.setAttribute("aria-label", words.timeline(title));
    byId("people-button").hidden = card.kind !== "group";
    byId("people-button").setAttribute("aria-label", words.people_label(card.members));
    const waits = card.state === "request" && card.creator === this.#app.people.me?.id;
    const note = card.state === "draft" ? words.draft_note : waits ? words.request_note : "";
    byId("room-note").textContent = note;
    byId("room-note").hidden = !note;
  }

  /** A push of the open room. */
  apply(frame) {
    const changed = this.#timeline.apply(frame);
    if (frame.ev === "message.deleted" && frame.d.message === this.#replyTo?.id) this.#answer(null);
    const message = frame.d.message;
    if (frame.ev === "message.created" && message.author !== this.#app.people.me?.id && !this.#scroll.atEnd) {
      this.#fresh++;
    }
    if (changed) this.render();
    this.#moved();
  }

  /** One's own line was acknowledged: it stands in the room from now on. */
  sent(line, { message, seq, at }) {
    // The first word of a draft makes it a request, which only an answer tells of.
    if (this.#app.rooms.get(line.room)?.state === "draft") this.#app.rooms.refresh(line.room);
    if (line.room !== this.room) return;
    const { text, reply_to, written_at, room } = line;
    const author = this.#app.people.me.id;
    const own = { id: message, room, seq, author, at, text, reply_to, written_at, system: null, deleted: false };
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
    if (this.#timeline) this.#scroll.keep(() => this.#draw(), stick);
    this.#showFresh();
  }

  #draw() {
    const { people, outbox } = this.#app;
    const timeline = this.#timeline;
    const wanted = new Set(timeline.lines.map((message) => message.id));
    for (const [id, { node }] of this.#nodes) {
      if (wanted.has(id)) continue;
      node.remove();
      this.#nodes.delete(id);
    }
    const mark = this.#firstUnread();
    let before = null;
    let next = this.#list.firstElementChild;
    for (const message of timeline.lines) {
      const target = message.reply_to ? timeline.find(message.reply_to) : null;
      const node = this.#node({ message, target, where: place(message, before, message === mark), people });
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

  #node(line) {
    const sign = signature(line);
    const known = this.#nodes.get(line.message.id);
    if (known?.sign === sign) return known.node;
    const node = known?.node ?? el("li", { class: "line", data: { id: line.message.id, seq: line.message.seq } });
    node.replaceChildren(...contents(line, this.#acts));
    this.#nodes.set(line.message.id, { node, sign });
    return node;
  }

  #acts = {
    reply: (message) => {
      this.#answer(message);
      this.#composer.focus({ always: true });
    },
    remove: (message) => this.#remove(message),
    show: (id) => {
      const known = this.#nodes.get(id);
      if (known) this.#scroll.to(known.node);
    },
  };

  async #remove(message) {
    if (!(await ask(words.delete_ask, words.delete))) return;
    try {
      await this.#app.client.call("message.delete", { message: message.id });
    } catch (error) {
      this.#app.notice(wordsOf(error.code));
    }
  }

  #answer(message) {
    this.#replyTo = message;
    byId("reply").hidden = !message;
    if (!message) return;
    const { people } = this.#app;
    byId("reply-text").textContent = `${nameOf(people, message.author)}: ${gist(people, message)}`;
  }

  async #say(text) {
    const reply = this.#replyTo?.id ?? null;
    this.#answer(null);
    this.#markSeq = null;
    const timeline = this.#timeline;
    if (timeline.moreAfter) await timeline.newest();
    this.#scroll.toEnd();
    this.#app.outbox.add(timeline.room, text, reply);
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
    // History that comes in must neither be read aloud nor drag the reader to its end.
    this.#log.setAttribute("aria-busy", "true");
    const grew = await read();
    if (timeline === this.#timeline) {
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
    const seen = this.#scroll.lastSeen([...this.#list.children]);
    if (seen) this.#app.rooms.read(timeline.room, Number(seen.dataset.seq));
  }

  /** The page is shown again, or live again: days may have passed, and readings that failed may succeed. */
  async woken() {
    if (this.#timeline?.failed && this.#app.client.state === "live") await this.reload();
    this.render();
    this.#moved();
  }
}
