"""Token bucket: how often something may happen (WIRE §5). Pure; the caller passes the monotonic time."""

from __future__ import annotations


class TokenBucket:
    """Refills `rate` tokens a second up to `burst`. Starts full."""

    __slots__ = ("_at", "_tokens", "burst", "rate")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self.rate = rate
        self.burst = burst
        self._tokens = burst
        self._at = now

    def take(self, cost: float, now: float) -> int:
        """0 if `cost` tokens were there and are taken; else the milliseconds until they will be."""
        tokens = min(self.burst, self._tokens + (now - self._at) * self.rate)
        self._at = now
        if tokens >= cost:
            self._tokens = tokens - cost
            return 0
        self._tokens = tokens
        return int((cost - tokens) / self.rate * 1000) + 1
