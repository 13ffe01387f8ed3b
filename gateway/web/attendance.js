// What one's own tabs say of one: is somebody at this tab, where, and whom does it show? No DOM in here.
//
// What always holds: the tabs of a browser say one thing, because they share one link: one is here if one of the tabs is
// used, where that tab is, and all that any of them shows is asked for. It is said once for each change, one word after
// the other. A tab that speaks no more is not used after a while.

const AWAY_MS = 5 * 60_000;
const LEASE_MS = 150_000;
// Whoever loads the page anew, or goes from one tab to another, does not go away in between.
const REST_MS = 1_000;
const SOON_MS = 5_000;
const ACCOUNTS_MAX = 500;
const PLACES_MAX = 20;

/** One tab: used as long as it is shown and somebody did something lately. */
export class Attention {
  #usedAt;
  #shown;

  constructor(shown, now) {
    this.#shown = shown;
    this.#usedAt = shown ? now : -Infinity;
  }

  /** Somebody did something. */
  used(now) {
    this.#usedAt = now;
  }

  /** The tab came into sight, or went. */
  shown(shown, now) {
    this.#shown = shown;
    if (shown) this.used(now);
  }

  active(now) {
    return this.#shown && now - this.#usedAt < AWAY_MS;
  }
}

/** All tabs that share a link, as seen from one of them. */
export class Attendance {
  #link;
  #claims = new Map();
  #screens = new Map();
  #told = null;
  #telling = false;
  #resting = false;
  #asking = Promise.resolve();

  /** `link` has me (the name of this tab), now(), later(act, ms), call(op, d), live, follows (another tab leads) and polls. */
  constructor(link) {
    this.#link = link;
  }

  /** How a connection begins. */
  get coming() {
    return this.#person().active ? "online" : "idle";
  }

  /** The link is live; it began with `coming`, unless it is another tab's. */
  begun(coming) {
    this.#told = this.#link.follows ? null : { active: coming === "online", place: null };
    this.#tell();
  }

  /** What this tab says of itself: {active, place, front (it has the focus)}. Said `again`, it tells the leading tab that it lives. */
  say(claim, { again = false } = {}) {
    this.#claim(this.#link.me, claim);
    if (again && this.#link.follows) this.#told = null;
    this.#tell();
  }

  /** Whom and which communities this tab shows from now on; resolves with how they are. Rejects with CallError. */
  show(screen) {
    return this.#show(this.#link.me, screen);
  }

  /** An operation of a following tab: the answer, or null if it is not about this. */
  forAnother(tab, op, d) {
    if (op === "presence.watch") return this.#show(tab, d);
    if (op !== "presence.set") return null;
    this.#claim(tab, d);
    this.#tell();
    return Promise.resolve({});
  }

  #claim(tab, { active, place = null, front = false }) {
    // The last to change stands last.
    const same = this.#claims.get(tab);
    if (same?.active !== active || same.place !== place || same.front !== front) this.#claims.delete(tab);
    this.#claims.set(tab, { active, place, front, at: this.#link.now() });
  }

  #person() {
    const now = this.#link.now();
    const used = [...this.#claims].filter(([tab, { active, at }]) => active && (tab === this.#link.me || now - at < LEASE_MS));
    const [, at] = used.findLast(([, { front }]) => front) ?? used.at(-1) ?? [];
    return { active: used.length > 0, place: at?.place ?? null };
  }

  async #tell({ rested = false } = {}) {
    if (!this.#link.live || this.#link.polls || this.#telling) return;
    const said = this.#link.follows ? this.#own() : this.#person();
    if (JSON.stringify(said) === JSON.stringify(this.#told)) return;
    if (!said.active && this.#told?.active && !this.#link.follows && !rested) return this.#rest();
    this.#told = said;
    this.#telling = true;
    try {
      await this.#link.call("presence.set", said);
    } catch (error) {
      this.#refused(error, said);
    }
    this.#telling = false;
    this.#tell();
  }

  #rest() {
    if (this.#resting) return;
    this.#resting = true;
    this.#link.later(() => {
      this.#resting = false;
      this.#tell({ rested: true });
    }, REST_MS);
  }

  #own() {
    const { active = false, place = null, front = false } = this.#claims.get(this.#link.me) ?? {};
    return { active, place, front };
  }

  #refused(error, said) {
    if (error.code === "not_found" && said.place) {
      // A place that was closed meanwhile; that one is here is true all the same.
      this.#link.call("presence.set", { ...said, place: null }).catch(() => {});
    } else if (error.retryMs) {
      this.#link.later(() => {
        this.#told = null;
        this.#tell();
      }, error.retryMs);
    }
  }

  #show(tab, { accounts = [], places = [] }) {
    this.#screens.delete(tab);
    this.#screens.set(tab, { accounts, places });
    // One after the other: the last one asked is the one that counts.
    this.#asking = this.#asking.then(
      () => this.#watch(),
      () => this.#watch(),
    );
    return this.#asking;
  }

  #watch() {
    // What came last is before somebody's eyes.
    const screens = [...this.#screens.values()].reverse();
    const accounts = distinct(screens.flatMap((each) => each.accounts)).slice(0, ACCOUNTS_MAX);
    const places = distinct(screens.flatMap((each) => each.places)).slice(0, PLACES_MAX);
    if (this.#link.polls) return this.#link.call("presence.get", { accounts });
    return this.#link.call("presence.watch", { accounts, places }).catch((error) => {
      if (error.code !== "not_found" || !places.length) throw error;
      return this.#link.call("presence.watch", { accounts, places: [] });
    });
  }
}

/** When to ask again for what was refused, in ms. */
export function again(error) {
  return error.retryMs ?? SOON_MS;
}

function distinct(values) {
  return [...new Set(values)];
}
