// What this browser keeps between pages, by name. No DOM in here. Sessions are not among it: only the cookie has them.

/** Scripts cannot see the cookie, so the page notes that it was given one. */
export const INSIDE = "tsudoi.inside";
/** A sign-up on its way: outlives the tab, because the mail app may end it. */
export const ATTEMPT = "tsudoi.attempt";
/** A log-in on its way. */
export const LOGIN = "tsudoi.login";
/** The key of a demo, for its mails. */
export const DEMO = "tsudoi.demo";
/** The invite that this tab holds: {token} or {code}. */
export const INVITE = "tsudoi.invite";
/** The room to open on arrival. */
export const OPEN = "tsudoi.open";

const TAB = new Set([INVITE, OPEN]);

function store(name) {
  return TAB.has(name) ? sessionStorage : localStorage;
}

/** The value kept under a name, or null. */
export function recall(name) {
  try {
    return JSON.parse(store(name).getItem(name));
  } catch {
    return null;
  }
}

export function keep(name, value) {
  store(name).setItem(name, JSON.stringify(value));
}

export function forget(name) {
  store(name).removeItem(name);
}
