// Work that one tab of this browser does for all of them. No DOM in here.

const TURN_MS = 2_000;
const LEASE_MS = 6_000;

/** Call `begin` once this tab is the one for `name`; the answer is a function that gives it up. Where there are no
 * locks (plain http), a lease among the tabs decides: two may hold it for a moment, so the work must bear that. */
export function solely(name, begin) {
  return navigator.locks ? byLock(name, begin) : byLease(name, begin);
}

function byLock(name, begin) {
  const wait = new AbortController();
  let release = null;
  const held = () => {
    begin();
    return new Promise((resolve) => (release = resolve));
  };
  let instead = null;
  navigator.locks.request(name, { signal: wait.signal }, held).catch(() => {
    // Not given up by us: the browser keeps locks from this page.
    if (!wait.signal.aborted) instead = byLease(name, begin);
  });
  return () => {
    wait.abort();
    release?.();
    instead?.();
  };
}

function byLease(what, begin) {
  const name = `${what}.lease`;
  const me = String(Math.random());
  let mine = false;
  const turn = () => {
    const lease = JSON.parse(localStorage.getItem(name) ?? "null");
    if (lease && lease.me !== me && lease.until > Date.now()) {
      mine = false;
      return;
    }
    localStorage.setItem(name, JSON.stringify({ me, until: Date.now() + LEASE_MS }));
    if (!mine) begin();
    mine = true;
  };
  const giveUp = () => {
    if (mine) localStorage.removeItem(name);
    mine = false;
  };
  const timer = setInterval(turn, TURN_MS);
  globalThis.addEventListener("pagehide", giveUp);
  turn();
  return () => {
    clearInterval(timer);
    globalThis.removeEventListener("pagehide", giveUp);
    giveUp();
  };
}
