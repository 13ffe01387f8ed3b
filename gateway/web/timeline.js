// A stretch of one room's history: read by page both ways, continued by pushes. No DOM in here.
//
// What always holds: `lines` ascend by seq without a hole between them that the reader may see, and are never more than
// a few hundred; a line that was deleted stays deleted, whichever answer comes late; one reading at a time, and only for
// the room it was begun for.

import { reacted } from "./reactions.js";

const PAGE = 50;
const RELOAD_PAGE = 100;
const RELOAD_PAGES_MAX = 5;
const BEFORE_UNREAD = 20;
const AROUND = 30;
// More than this is not kept: what lies farther away is read again when one goes there.
const KEPT_MAX = 300;
const SLACK = 50;

export class Timeline {
  #client;
  #gone = new Set();
  #reading = false;
  #stale = false;
  #pushed = new Map();
  #reacted = [];
  lines = [];
  moreBefore = false;
  moreAfter = false;
  loaded = false;
  failed = false;

  constructor(client, room) {
    this.#client = client;
    this.room = room;
  }

  get first() {
    return this.lines[0];
  }

  get last() {
    return this.lines[this.lines.length - 1];
  }

  /** The line with this id, if it is in the stretch. */
  find(id) {
    return this.lines.find((line) => line.id === id);
  }

  /** Begin at the first unread line, or at the newest. */
  open(readSeq, unread) {
    return this.#once(async () => {
      if (unread === 0) {
        this.#replace(await this.#page({ limit: PAGE }));
        return;
      }
      const after = await this.#page({ after: readSeq, limit: PAGE });
      const before = await this.#page({ before: readSeq + 1, limit: BEFORE_UNREAD });
      this.#replace({ ...after, messages: [...before.messages, ...after.messages], more_before: before.more_before });
    });
  }

  /** Go to the newest lines; what lies between is read when one goes there. */
  newest() {
    return this.#once(async () => this.#replace(await this.#page({ limit: PAGE })));
  }

  /** Go to where a line stands, with what was said before and after it. */
  around(seq) {
    return this.#once(async () => {
      const before = await this.#page({ before: seq + 1, limit: AROUND });
      const after = await this.#page({ after: seq, limit: AROUND });
      this.#replace({ ...after, messages: [...before.messages, ...after.messages], more_before: before.more_before });
    });
  }

  /** Let go of lines far from the one with this seq, when there are more than anybody reads at once. */
  tidy(seq) {
    const { length } = this.lines;
    if (length <= KEPT_MAX + SLACK || this.#reading) return;
    const at = this.lines.findIndex((line) => line.seq >= seq);
    const from = Math.min(Math.max(0, (at < 0 ? length : at) - KEPT_MAX / 2), length - KEPT_MAX);
    this.lines = this.lines.slice(from, from + KEPT_MAX);
    this.moreBefore ||= from > 0;
    this.moreAfter ||= from + KEPT_MAX < length;
  }

  older() {
    return this.#once(async () => {
      const page = await this.#page({ before: this.first?.seq ?? 0, limit: PAGE });
      this.#merge(page.messages);
      this.moreBefore = page.more_before;
    });
  }

  newer() {
    return this.#once(async () => {
      const page = await this.#page({ after: this.last?.seq ?? 0, limit: PAGE });
      this.#merge(page.messages);
      this.moreAfter = page.more_after;
    });
  }

  /** Pushes were missed: read the same stretch again and what came after it, as far as is sensible. */
  reload() {
    if (!this.loaded) return this.newest();
    this.#stale = true;
    return this.#once(async () => {
      this.#stale = false;
      const end = this.last?.seq ?? 0;
      let after = Math.max(0, (this.first?.seq ?? 1) - 1);
      const lines = [];
      let more = true;
      for (let pages = 0; more && (pages < RELOAD_PAGES_MAX || after < end); pages++) {
        const page = await this.#page({ after, limit: RELOAD_PAGE });
        lines.push(...page.messages);
        after = page.messages.at(-1)?.seq ?? after;
        more = page.more_after;
      }
      this.lines = [];
      this.#merge(lines);
      this.moreAfter = more;
    });
  }

  /** A push of this room. True if a line changed or came. */
  apply({ ev, d }) {
    if (ev === "message.created") return this.add(d.message);
    if (ev === "message.reacted") return this.#react(d);
    if (ev !== "message.deleted") return false;
    this.#gone.add(d.message);
    const line = this.find(d.message);
    if (line) this.#merge([line]);
    return line !== undefined;
  }

  /** A line that is certain, from a push or from the answer to one's own sending. */
  add(message) {
    if (this.#reading || !this.loaded) this.#pushed.set(message.id, message);
    const beyond = this.moreAfter && message.seq > (this.last?.seq ?? 0);
    if (beyond || !this.loaded) return false;
    this.#merge([message]);
    return true;
  }

  /** Somebody's stamp under a line changed; a page that is being read may not know yet. */
  #react(d) {
    if (this.#reading) this.#reacted.push(d);
    const line = this.find(d.message);
    if (line && !line.deleted) this.#merge([{ ...line, reactions: reacted(line.reactions, d.account, d.stamp) }]);
    return line !== undefined;
  }

  #page(where) {
    return this.#client.call("message.list", { room: this.room, ...where });
  }

  /** True if it was read; a reading that fails leaves everything as it was. */
  async #once(read) {
    if (this.#reading) return false;
    this.#reading = true;
    try {
      await read();
      this.loaded = true;
      this.failed = false;
    } catch {
      this.failed = true;
    }
    this.#reading = false;
    const pushed = [...this.#pushed.values()];
    this.#pushed.clear();
    const changes = this.#reacted;
    this.#reacted = [];
    if (this.loaded) for (const message of pushed) this.add(message);
    for (const change of changes) this.#react(change);
    if (this.#stale && !this.failed) return this.reload();
    return !this.failed;
  }

  #replace(page) {
    this.lines = [];
    this.#merge(page.messages);
    this.moreBefore = page.more_before;
    this.moreAfter = page.more_after;
  }

  #merge(messages) {
    const bySeq = new Map(this.lines.map((line) => [line.seq, line]));
    for (const message of messages) {
      const gone = message.deleted || this.#gone.has(message.id);
      // Pushes tell a line without what stands under it.
      const reactions = message.reactions ?? bySeq.get(message.seq)?.reactions ?? {};
      bySeq.set(message.seq, gone ? { ...message, text: null, system: null, deleted: true, reactions: {} } : { ...message, reactions });
    }
    this.lines = [...bySeq.values()].sort((a, b) => a.seq - b.seq);
  }
}
