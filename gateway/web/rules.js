// The numbers and verdicts that every client keeps (docs/clients.md). Pure; times in milliseconds.

export const PROTOCOL = "tsudoi.v1";
export const POSITIONS_MAX = 1_000;

// From the wish to connect to `live`, counted from the last frame; a live link that carries nothing for as long as
// SILENCE_MS is dead, because the server pings more often.
export const HANDSHAKE_MS = 15_000;
export const SILENCE_MS = 40_000;
export const CALL_MS = 30_000;

// Waking up: an answer to the probe must come within PROBE_MS; a link fed nothing for ASLEEP_MS may have missed
// something; a tick that comes LATE_MS late says that the clock stood still.
export const PROBE_MS = 5_000;
export const ASLEEP_MS = 30_000;
export const LATE_MS = 2_000;

export const BACKOFF_MS = 500;
export const BACKOFF_MAX_MS = 20_000;
export const SOON_MS = 500;
export const STABLE_MS = 60_000;

// Durable requests that were refused for a while. Longer than WAIT_MAX_MS is for the person to decide, not for a loop.
export const RETRY_MS = 1_000;
export const WAIT_MAX_MS = 60_000;
export const FAULTS_MAX = 5;
export const TEMPORARY = ["rate_limited", "unavailable", "internal", "timeout"];

/** The most to wait before the try number `tries`: min(20 s, 0.5 s · 2ⁿ). */
export function backoffMs(tries) {
  return Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** Math.min(tries, 10));
}

/** What a close code means: "again", or why another try would not help. The range is the verdict. */
export function verdict(code) {
  if (code === 4401) return "signed_out";
  if (code === 4403) return "suspended";
  if (code === 4409) return "retired";
  if ((code >= 4000 && code <= 4099) || [1002, 1003, 1007, 1009].includes(code)) return "fault";
  return code >= 4400 && code <= 4499 ? "not_allowed" : "again";
}

/** An error that comes from here and not from the server: `offline` or `timeout`. */
export function ownError(code) {
  return { code, message: code, retry_ms: null, details: {} };
}
