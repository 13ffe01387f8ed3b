// What this browser keeps of one account: lines that are not acknowledged, drafts. Shared by its tabs. No DOM in here.
//
// What always holds: every line and every draft has a key of its own, so that no tab overwrites what another one
// keeps; a draft gives way only to a newer one; after `forget` nothing of the account is left.

const LINE = "tsudoi.line.";
const DRAFT = "tsudoi.draft.";
const EMPTY_KEPT_MS = 24 * 3_600_000;

export class Shelf {
  #account = null;
  #listeners = { line: [], draft: [] };

  constructor() {
    globalThis.addEventListener("storage", (event) => this.#changed(event));
  }

  /** Whose things these are from now on. */
  open(account) {
    this.#account = account;
    for (const [key, draft] of this.#all(DRAFT)) {
      if (!draft.text && draft.at < Date.now() - EMPTY_KEPT_MS) localStorage.removeItem(key);
    }
  }

  /** Another tab changed something: `f(nonce, line or null)` for "line", `f(room, draft)` for "draft". */
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
    for (const kind of [LINE, DRAFT]) {
      for (const key of keys(kind + whose)) localStorage.removeItem(key);
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
    localStorage.removeItem(LINE + this.#key(nonce));
  }

  /** {text, at} of a room; `at` is when it was last edited. */
  draft(room) {
    return (this.#account && parsed(localStorage.getItem(DRAFT + this.#key(room)))) || { text: "", at: 0 };
  }

  /** Keep a draft, unless a newer one is there. */
  putDraft(room, text, at) {
    if (this.#account && this.draft(room).at < at) this.#put(DRAFT + this.#key(room), { text, at });
  }

  #key(name) {
    return `${this.#account}.${name}`;
  }

  #put(key, value) {
    try {
      localStorage.setItem(key, JSON.stringify(value));
    } catch {
      // Full, or not allowed here: it lives as long as this page.
    }
  }

  #all(kind) {
    if (this.#account === null) return [];
    return keys(`${kind}${this.#account}.`)
      .map((key) => [key, parsed(localStorage.getItem(key))])
      .filter(([, value]) => value);
  }

  #changed({ key, newValue }) {
    if (!key || this.#account === null) return;
    for (const [what, kind] of [["line", LINE], ["draft", DRAFT]]) {
      const mine = `${kind}${this.#account}.`;
      if (!key.startsWith(mine)) continue;
      for (const f of this.#listeners[what]) f(key.slice(mine.length), parsed(newValue));
    }
  }
}

function keys(prefix) {
  return Array.from({ length: localStorage.length }, (_, n) => localStorage.key(n)).filter((key) => key.startsWith(prefix));
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
