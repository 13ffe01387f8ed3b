// Posts that this page has met: their words, how often they were answered and liked, and what one left under them oneself.
// No DOM in here.
//
// What always holds: a post that was deleted is never shown again, whichever answer comes late; counts are the server's,
// the last ones win; what one may not see is asked for once in a connection.

const ASKED_MAX = 50;
const GATHER_MS = 20;
const KEPT_MAX = 4_000;
const SLACK = 500;
const NO_COUNTS = { replies: 0, reposts: 0, quotes: 0, likes: 0, stamps: {} };

export class PostBook {
  #client;
  #people;
  #posts = new Map();
  #gone = new Set();
  #unseen = new Set();
  #asked = new Set();
  #queue = new Set();
  #timer = 0;
  #listeners = [];
  #shown = [];

  constructor(client, people) {
    this.#client = client;
    this.#people = people;
    // What was hidden from one may be open now, and what was asked of a lost link may be asked again.
    client.on("live", () => {
      this.#unseen.clear();
      this.#asked.clear();
    });
  }

  /** `f(ids)`: these posts have changed, or are gone. */
  on(f) {
    this.#listeners.push(f);
  }

  /** `f()` gives the ids of posts that are on some screen and must not be forgotten. */
  keeps(f) {
    this.#shown.push(f);
  }

  clear() {
    for (const each of [this.#posts, this.#gone, this.#unseen, this.#asked, this.#queue]) each.clear();
  }

  get(id) {
    return this.#posts.get(id);
  }

  gone(id) {
    return this.#gone.has(id);
  }

  /** The post; null if it is gone or not for one's eyes; undefined now and a change later. */
  want(id) {
    if (this.#gone.has(id) || this.#unseen.has(id)) return null;
    const known = this.#posts.get(id);
    if (!known && !this.#asked.has(id)) {
      this.#asked.add(id);
      this.#queue.add(id);
      this.#timer ||= setTimeout(() => this.#ask(), GATHER_MS);
    }
    return known;
  }

  /** Posts of a page, with their counts. */
  put(posts) {
    for (const post of posts) this.#keep(post);
    this.#told(posts.map(({ id }) => id));
  }

  /** A push of any channel; true if it was about posts. */
  apply({ ev, d }) {
    if (ev === "post.created") {
      // A push bears no counts: what is known of a post stays.
      const { counts, mine } = this.#posts.get(d.post.id) ?? {};
      this.put([{ ...d.post, counts: counts ?? NO_COUNTS, mine: mine ?? {} }]);
    } else if (ev === "post.deleted") this.drop(d.post);
    else if (ev === "post.counts") this.#counted(d.counts);
    else return false;
    return true;
  }

  drop(id) {
    this.#gone.add(id);
    this.#posts.delete(id);
    this.#told([id]);
  }

  // What one does

  /** Like it or take the like back. Throws CallError. */
  async like(post, on) {
    await this.#react(post.id, { kind: "like" }, on);
    this.#mine(post.id, { liked: on }, { likes: on ? 1 : -1 });
  }

  /** Leave a stamp in the place of an earlier one, or with null take it back. Throws CallError. */
  async stamp(post, stamp) {
    const before = this.get(post.id)?.mine?.stamp ?? null;
    await this.#react(post.id, stamp ? { stamp } : {}, stamp !== null);
    this.#mine(post.id, { stamp }, {}, { ...(before && { [before]: -1 }), ...(stamp && stamp !== before && { [stamp]: 1 }), ...(stamp && stamp === before && { [stamp]: 0 }) });
  }

  /** Take one's own post back. Throws CallError. */
  async remove(post) {
    await this.#client.call("post.delete", { post: post.id });
    this.drop(post.id);
  }

  #react(post, what, on) {
    return this.#client.call(on ? "reaction.add" : "reaction.remove", { post, ...what });
  }

  /** Until the server tells the counts, which it does within a second to whoever hears the post's channel. */
  #mine(id, own, by, stamps = {}) {
    const post = this.#posts.get(id);
    if (!post) return;
    const counts = { ...NO_COUNTS, ...post.counts, stamps: { ...post.counts?.stamps } };
    const already = own.liked !== undefined && own.liked === Boolean(post.mine?.liked);
    if (!already) for (const [name, n] of Object.entries(by)) counts[name] = Math.max(0, counts[name] + n);
    for (const [name, n] of Object.entries(stamps)) counts.stamps[name] = Math.max(0, (counts.stamps[name] ?? 0) + n);
    this.#keep({ ...post, counts, mine: { ...post.mine, ...own } });
    this.#told([id]);
  }

  #counted(all) {
    const known = Object.entries(all).filter(([id]) => this.#posts.has(id));
    for (const [id, counts] of known) this.#posts.set(id, { ...this.#posts.get(id), counts });
    this.#told(known.map(([id]) => id));
  }

  #keep(post) {
    if (this.#gone.has(post.id)) return;
    this.#people.put(post.author);
    // Last met, last forgotten.
    this.#posts.delete(post.id);
    this.#posts.set(post.id, post);
    if (this.#posts.size > KEPT_MAX + SLACK) this.#prune();
  }

  #prune() {
    const shown = new Set(this.#shown.flatMap((f) => f()));
    for (const id of [...this.#posts.keys()].slice(0, this.#posts.size - KEPT_MAX)) {
      if (!shown.has(id)) this.#posts.delete(id);
    }
  }

  #told(ids) {
    if (ids.length) for (const f of this.#listeners) f(ids);
  }

  async #ask() {
    const ids = [...this.#queue].slice(0, ASKED_MAX);
    for (const id of ids) this.#queue.delete(id);
    this.#timer = this.#queue.size ? setTimeout(() => this.#ask(), GATHER_MS) : 0;
    try {
      const { posts } = await this.#client.call("post.get", { posts: ids });
      const seen = new Set(posts.map(({ id }) => id));
      for (const id of ids) if (!seen.has(id)) this.#unseen.add(id);
      this.put(posts);
      this.#told(ids);
    } catch {
      // Asked again by whoever shows it, once there is a link.
      for (const id of ids) this.#asked.delete(id);
    }
  }
}
