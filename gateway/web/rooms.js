// The list of one's rooms, kept right by pushes. No DOM in here.

const UNREAD_MAX = 99;
const PAGE = 100;

export class RoomBook {
  #client;
  #people;
  #changed;
  #loading = null;
  #again = false;
  #rooms = new Map();
  requested = [];
  invited = [];
  /** False until the first load succeeded; `failed` after one that did not. */
  loaded = false;
  failed = false;

  constructor(client, people, changed) {
    this.#client = client;
    this.#people = people;
    this.#changed = changed;
  }

  get(id) {
    return this.#rooms.get(id);
  }

  /** The rooms to show, the newest talk first. */
  list() {
    const shown = [...this.#rooms.values()].filter((card) => card.kind === "group" || card.last);
    const key = (card) => card.last?.id ?? card.id;
    return shown.sort((a, b) => (key(a) < key(b) ? 1 : -1));
  }

  clear() {
    this.#rooms.clear();
    this.requested = [];
    this.invited = [];
    this.loaded = false;
  }

  /** A card (or a room with its people) as the server just told it. */
  put(card) {
    this.#people.put(card.peer);
    for (const { account } of card.people ?? []) this.#people.put(account);
    const known = this.#rooms.get(card.id);
    // An answer that was read before the newest push tells less than is known.
    const older = known !== undefined && known.seq > card.seq;
    const people = card.people ?? known?.people;
    this.#rooms.set(card.id, older ? { ...known, people } : { ...card, people });
    return this.#rooms.get(card.id);
  }

  /** Read all of it anew. Calls made while one is under way become one more. */
  load() {
    if (this.#loading) {
      this.#again = true;
      return this.#loading;
    }
    this.#loading = this.#load().finally(() => {
      this.#loading = null;
      if (this.#again) {
        this.#again = false;
        this.load();
      }
    });
    return this.#loading;
  }

  async #load() {
    try {
      const inside = await this.#pages("inside");
      const requested = await this.#pages("requested");
      const invited = await this.#pages("invited");
      const kept = new Set(inside.map((card) => card.id));
      // A DM in which nothing was said yet is in no list.
      const silent = (card) => card.kind === "dm" && !card.last;
      for (const [id, card] of this.#rooms) if (!kept.has(id) && !silent(card)) this.#rooms.delete(id);
      for (const card of inside) this.put(card);
      for (const card of [...requested, ...invited]) this.#people.put(card.peer);
      this.requested = requested;
      this.invited = invited;
      this.loaded = true;
      this.failed = false;
    } catch {
      this.failed = true;
    }
    this.#changed();
  }

  async #pages(standing) {
    const found = [];
    let after = null;
    do {
      const page = await this.#client.call("room.list", { standing, after, limit: PAGE });
      found.push(...page.rooms);
      after = page.next;
    } while (after !== null);
    return found;
  }

  /** Read one room with its people; the card, or null if it is not there (any more). */
  async refresh(id) {
    try {
      const card = this.put(await this.#client.call("room.get", { room: id }));
      this.#changed();
      return card;
    } catch {
      return null;
    }
  }

  /** Move one's read position, here at once and on the server. */
  async read(id, seq) {
    const card = this.#rooms.get(id);
    if (!card || seq <= card.read_seq) return;
    try {
      this.#readIs(id, await this.#client.call("room.read", { room: id, seq }));
    } catch {
      // Seen again later, told again later.
    }
  }

  #readIs(id, { read_seq, unread }) {
    const card = this.#rooms.get(id);
    if (!card || read_seq < card.read_seq) return;
    card.read_seq = read_seq;
    card.unread = unread;
    this.#changed();
  }

  /** One push of the wire. */
  apply(frame) {
    const { ev, d } = frame;
    if (ev === "room.read") this.#readIs(d.room, d);
    // Whatever else is fleeting moves nothing here.
    else if (frame.seq === undefined) return;
    else if (frame.ch.startsWith("user:")) ev.startsWith("notification.") || this.load();
    else if (frame.ch.startsWith("room:")) this.#roomEvent(frame, this.#rooms.get(frame.ch.slice("room:".length)));
  }

  #roomEvent({ ev, seq, d }, card) {
    if (!card) {
      this.load();
      return;
    }
    if (seq <= card.seq) return;
    card.seq = seq;
    if (ev === "message.created") this.#said(card, d.message);
    else if (ev === "room.updated") Object.assign(card, { state: d.state, title: d.title, reading: d.reading });
    else if (ev === "message.deleted") this.refresh(card.id);
    this.#changed();
  }

  #said(card, message) {
    card.last = message;
    const others = message.author !== this.#people.me?.id && !message.system;
    if (others && message.seq > card.read_seq) card.unread = Math.min(UNREAD_MAX, card.unread + 1);
    if (message.system) this.refresh(card.id);
  }
}
