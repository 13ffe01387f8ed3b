// What this browser keeps of one account: lines and posts that are not acknowledged, drafts. Shared by its tabs. No DOM in here.
//
// What always holds: every line and every draft has a key of its own, so that no tab overwrites what another one
// keeps; a draft gives way only to a newer one; after `forget` nothing of the account is left.

const LINE = "tsudoi.line.";
const POST = "tsudoi.post.";
const DRAFT = "tsudoi.draft.";
const EMPTY_KEPT_MS = 24 * 3_600_000;

export class Shelf {
  #account = null;
  // What the browser did not take lives as long as this page.
  #memory = new Map();
  #listeners = { line: [], post: [], draft: [] };

  constructor() {
    globalThis.addEventListener("storage", (event) => this.#changed(event));
  }

  /** Whose things these are from now on. */
  open(account) {
    this.#account = account;
    for (const [key, draft] of this.#all(DRAFT)) {
      if (!draft.text && draft.at < Date.now() - EMPTY_KEPT_MS) this.#remove(key);
    }
  }

  /** Another tab changed something: `f(nonce, line or null)` for "line", the same for "post", `f(room, draft)` for "draft". */
  on(what, f) {
    this.#listeners[what].push(f);
  }

  /** Nobody's; what is kept waits for its owner. */
  close() {
    this.#account = null;
  }

  /** Forget this account's things, or everybody's if nobody is here. */
  forget() {
    const whose = this.#account === null ? "" : `${this.#account}.`;
    for (const kind of [LINE, POST, DRAFT]) {
      for (const key of this.#keys(kind + whose)) this.#remove(key);
    }
    this.#account = null;
  }

  /** The lines, in the order in which they were written. */
  lines() {
    return this.#all(LINE)
      .map(([, line]) => line)
      .sort((a, b) => a.order - b.order || (a.nonce < b.nonce ? -1 : 1));
  }

  putLine(line) {
    this.#put(LINE + this.#key(line.nonce), line);
  }

  dropLine(nonce) {
    this.#remove(LINE + this.#key(nonce));
  }

  /** Posts on their way. */
  posts() {
    return this.#all(POST).map(([, post]) => post);
  }

  putPost(post) {
    this.#put(POST + this.#key(post.nonce), post);
  }

  dropPost(nonce) {
    this.#remove(POST + this.#key(nonce));
  }

  /** {text, at, pictures} of a room or another place; `at` is when it was last edited, `pictures` those that are up already. */
  draft(room) {
    return (this.#account && this.#read(DRAFT + this.#key(room))) || { text: "", at: 0 };
  }

  /** Keep a draft, unless a newer one is there. */
  putDraft(room, text, at, pictures = []) {
    if (this.#account && this.draft(room).at < at) this.#put(DRAFT + this.#key(room), { text, at, pictures });
  }

  #key(name) {
    return `${this.#account}.${name}`;
  }

  #put(key, value) {
    this.#memory.delete(key);
    try {
      localStorage.setItem(key, JSON.stringify(value));
    } catch {
      // Full, or not allowed here.
      this.#memory.set(key, value);
    }
  }

  #read(key) {
    return this.#memory.get(key) ?? parsed(localStorage.getItem(key));
  }

  #remove(key) {
    this.#memory.delete(key);
    localStorage.removeItem(key);
  }

  #keys(prefix) {
    const kept = Array.from({ length: localStorage.length }, (_, n) => localStorage.key(n));
    return [...new Set([...kept, ...this.#memory.keys()])].filter((key) => key.startsWith(prefix));
  }

  #all(kind) {
    if (this.#account === null) return [];
    return this.#keys(`${kind}${this.#account}.`)
      .map((key) => [key, this.#read(key)])
      .filter(([, value]) => value);
  }

  #changed({ key, newValue }) {
    if (!key || this.#account === null) return;
    for (const [what, kind] of [["line", LINE], ["post", POST], ["draft", DRAFT]]) {
      const mine = `${kind}${this.#account}.`;
      if (!key.startsWith(mine)) continue;
      for (const f of this.#listeners[what]) f(key.slice(mine.length), parsed(newValue));
    }
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
