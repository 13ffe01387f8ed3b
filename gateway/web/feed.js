// A stretch of one timeline: read by page, continued by pushes. No DOM in here.
//
// What always holds: `ids` stand in one order (the newest first; a thread from its beginning), each once, without a gap
// that the reader could not know of: what was missed and is more than a page makes the list begin anew. Newer posts wait
// in `fresh` until they are shown. One reading at a time.

const PAGE = 30;
const KEPT_MAX = 1_200;

export class Feed {
  #client;
  #book;
  #where;
  #rising;
  #waits;
  #reading = false;
  #stale = false;
  /** What was told while a page was on its way, which may be older. */
  #pushed = new Map();
  /** What was let go of meanwhile, which the page may bring again. */
  #dropped = [];
  #again = () => this.read();
  ids = [];
  fresh = [];
  more = false;
  loaded = false;
  failed = false;
  error = null;
  /** Up to when one has read (Follow alone): set once, by the first page. */
  readAt = null;

  /** `where` is what `timeline.list` is asked: {which, …}. With `waits`, newer posts wait until they are shown. */
  constructor(client, book, where, { waits = false } = {}) {
    this.#waits = waits;
    this.#client = client;
    this.#book = book;
    this.#where = where;
    this.#rising = where.which === "thread";
  }

  get where() {
    return this.#where;
  }

  /** The newest post that is known, shown or not. */
  get newest() {
    return this.#rising ? this.ids.at(-1) : (this.fresh[0] ?? this.ids[0]);
  }

  /** Read the first page, or after a loss of pushes what is new. */
  read() {
    this.#stale = this.#reading;
    return this.#once(async () => {
      const page = await this.#page({});
      const before = this.readAt === null && !this.loaded;
      if (before) this.readAt = page.read_at ?? null;
      if (this.#rising) await this.#anew(page);
      else this.#join(page);
    }, () => this.read());
  }

  /** Once more what failed. */
  again() {
    return this.#again();
  }

  /** Go on at the end of what is shown. */
  further() {
    const last = this.ids.at(-1);
    if (!last || !this.more) return Promise.resolve(false);
    return this.#once(async () => {
      const page = await this.#page(this.#beyond(last));
      this.#book.put(page.posts);
      this.ids = this.#sorted([...this.ids, ...page.posts.map(({ id }) => id)]);
      this.more = this.#rising ? page.more_after : page.more_before;
    }, () => this.further());
  }

  /** A thread that was read to its end: is there more by now? */
  onward() {
    if (this.more) return Promise.resolve(false);
    return this.#once(async () => {
      const page = await this.#page(this.#beyond(this.ids.at(-1) ?? "0".repeat(26)));
      this.#book.put(page.posts);
      this.ids = this.#sorted([...this.ids, ...page.posts.map(({ id }) => id)]);
      this.more = page.more_after;
    }, () => this.onward());
  }

  /** A post that was just told; `now`: it need not wait. True if anything changed. */
  add(id, now = false) {
    if (this.#reading || !this.loaded) this.#pushed.set(id, now);
    if (!this.loaded || this.ids.includes(id) || this.fresh.includes(id)) return false;
    // What lies behind the end of what was read is read when one goes there.
    if (this.#rising && this.more) return false;
    if (now || !this.#waits) this.ids = this.#sorted([id, ...this.ids]);
    else this.fresh = this.#sorted([id, ...this.fresh]);
    this.#trim();
    return true;
  }

  /** Show what waits. */
  show() {
    this.ids = this.#sorted([...this.fresh, ...this.ids]);
    this.fresh = [];
    this.#trim();
  }

  /** Let go of what `is` true of. True if there was any. */
  dropWhere(is) {
    if (this.#reading) this.#dropped.push(is);
    const before = this.ids.length + this.fresh.length;
    this.ids = this.ids.filter((id) => !is(id));
    this.fresh = this.fresh.filter((id) => !is(id));
    return this.ids.length + this.fresh.length < before;
  }

  #beyond(last) {
    if (this.#where.which === "community") return { before: this.#book.get(last)?.seq ?? 0 };
    return this.#rising ? { after_post: last } : { before_post: last };
  }

  #page(from) {
    return this.#client.call("timeline.list", { ...this.#where, limit: PAGE, ...from });
  }

  /** A thread from its beginning, as far as it had been read. */
  async #anew(first) {
    const had = this.ids.length;
    const posts = [...first.posts];
    let more = first.more_after;
    while (more && posts.length < had) {
      const page = await this.#page(this.#beyond(posts.at(-1).id));
      posts.push(...page.posts);
      more = page.more_after;
    }
    this.#begin({ posts }, more);
  }

  #begin(page, more) {
    this.#book.put(page.posts);
    this.ids = this.#sorted(page.posts.map(({ id }) => id));
    this.fresh = [];
    this.more = more;
  }

  /** The newest page and what was read before it; if they do not meet, the page alone. */
  #join(page) {
    this.#book.put(page.posts);
    const got = this.#sorted(page.posts.map(({ id }) => id));
    const known = new Set([...this.ids, ...this.fresh]);
    const meets = !this.loaded || !page.more_before || got.some((id) => known.has(id));
    if (!meets || !this.loaded) {
      this.#begin(page, page.more_before);
      return;
    }
    // Of the stretch that the page speaks of, it is right.
    const end = got.at(-1);
    const behind = (id) => page.more_before && (end === undefined || this.#before(end, id));
    const rest = this.ids.filter(behind);
    const waiting = new Set(this.fresh);
    const newest = this.ids[0];
    const isNew = (id) => waiting.has(id) || (newest && !this.ids.includes(id) && this.#before(id, newest));
    const fresh = this.#waits ? got.filter(isNew) : [];
    this.fresh = this.#sorted([...fresh, ...this.fresh.filter(behind)]);
    this.ids = this.#sorted([...got.filter((id) => !fresh.includes(id)), ...rest]);
    if (!page.more_before) this.more = false;
  }

  /** Does `a` stand before `b`? */
  #before(a, b) {
    return this.#rank(a, b) < 0;
  }

  #rank(a, b) {
    if (this.#where.which === "community") {
      const [one, other] = [this.#book.get(a)?.seq ?? 0, this.#book.get(b)?.seq ?? 0];
      if (one !== other) return other - one;
    }
    const order = a < b ? 1 : a > b ? -1 : 0;
    return this.#rising ? -order : order;
  }

  #sorted(ids) {
    return [...new Set(ids)].filter((id) => !this.#book.gone(id)).sort((a, b) => this.#rank(a, b));
  }

  #trim() {
    // Whatever lies behind so many that wait will not be kept when they are shown.
    if (this.fresh.length > KEPT_MAX) this.fresh = this.fresh.slice(0, KEPT_MAX);
    if (this.#rising || this.ids.length <= KEPT_MAX) return;
    this.ids = this.ids.slice(0, KEPT_MAX);
    this.more = true;
  }

  /** True if it was read; a reading that fails leaves everything as it was. */
  async #once(read, again) {
    if (this.#reading) return false;
    this.#reading = true;
    try {
      await read();
      this.loaded = true;
      this.failed = false;
      this.error = null;
    } catch (error) {
      this.failed = true;
      this.error = error;
      this.#again = again;
    }
    this.#reading = false;
    for (const is of this.#dropped.splice(0)) this.dropWhere(is);
    const pushed = [...this.#pushed];
    this.#pushed.clear();
    if (this.loaded) for (const [id, now] of pushed) this.add(id, now);
    if (this.#stale && !this.failed) return this.read();
    return !this.failed;
  }
}
