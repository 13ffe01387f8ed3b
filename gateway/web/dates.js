// Times as people write them, in the reader's own time zone.

import { words } from "./words.js";

/** 21:04 */
export function clock(ms) {
  const at = new Date(ms);
  return `${at.getHours()}:${String(at.getMinutes()).padStart(2, "0")}`;
}

/** A day as a key: equal for times of the same day. */
export function dayKey(ms) {
  const at = new Date(ms);
  return `${at.getFullYear()}-${at.getMonth()}-${at.getDate()}`;
}

/** きょう, きのう, 11月20日(木), 2024年11月20日(水); today, yesterday, Thu 20 Nov, Wed 20 Nov 2024 */
export function day(ms, nowMs = Date.now()) {
  const now = new Date(nowMs);
  const yesterday = new Date(now.getFullYear(), now.getMonth(), now.getDate() - 1, 12);
  if (dayKey(ms) === dayKey(nowMs)) return words.today;
  if (dayKey(ms) === dayKey(yesterday.getTime())) return words.yesterday;
  const at = new Date(ms);
  const parts = [words.months[at.getMonth()], at.getDate(), words.weekdays[at.getDay()]];
  return at.getFullYear() === now.getFullYear() ? words.date(...parts) : words.date_year(at.getFullYear(), ...parts);
}

/** For lists: 21:04, きのう 21:04, 11月20日(木) */
export function brief(ms, nowMs = Date.now()) {
  const name = day(ms, nowMs);
  if (name === words.today) return clock(ms);
  return name === words.yesterday ? `${name} ${clock(ms)}` : name;
}

/** For one line read alone: きょう 21:04, 11月20日(木) 21:04 */
export function full(ms, nowMs = Date.now()) {
  return `${day(ms, nowMs)} ${clock(ms)}`;
}
