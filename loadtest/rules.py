"""The numbers and verdicts that every client keeps (WIRE §3, §6; docs/clients.md). Pure; times in milliseconds."""

from __future__ import annotations

from typing import Any

PROTOCOL = "tsudoi.v1"
POSITIONS_MAX = 1_000

# From the wish to connect to `live`, counted from the last frame; a live link that carries nothing for as long as
# `SILENCE_MS` is dead, because the server pings more often.
HANDSHAKE_MS = 15_000
SILENCE_MS = 40_000
CALL_MS = 30_000

# Waking up: an answer to the probe must come within `PROBE_MS`; a link fed nothing for `ASLEEP_MS` may have missed
# something; a tick that comes `LATE_MS` late says that the clock stood still.
PROBE_MS = 5_000
ASLEEP_MS = 30_000
LATE_MS = 2_000

BACKOFF_MS = 500
BACKOFF_MAX_MS = 20_000
SOON_MS = 500
STABLE_MS = 60_000

# Durable requests that were refused for a while. Longer than `WAIT_MAX_MS` is for a person to decide, not for a loop.
RETRY_MS = 1_000
WAIT_MAX_MS = 60_000
FAULTS_MAX = 5
TEMPORARY = frozenset({"rate_limited", "unavailable", "internal", "timeout"})


def backoff_ms(tries: int) -> float:
    """The most to wait before the try number `tries`: min(20 s, 0.5 s · 2ⁿ)."""
    return float(min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** min(tries, 10)))


def verdict(code: int) -> str:
    """What a close code means: `again`, or why another try would not help. The range is the verdict."""
    named = {4401: "signed_out", 4403: "suspended", 4409: "retired"}
    if code in named:
        return named[code]
    if 4000 <= code <= 4099 or code in (1002, 1003, 1007, 1009):
        return "fault"
    return "not_allowed" if 4400 <= code <= 4499 else "again"


def own_error(code: str) -> dict[str, Any]:
    """An error that comes from here and not from the server: `offline` or `timeout`."""
    return {"code": code, "message": code, "retry_ms": None, "details": {}}
