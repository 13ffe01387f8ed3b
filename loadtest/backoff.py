"""When to come back after a connection was lost or not made (WIRE §3.8). Used by `loadtest.protocol` alone; pure."""

from __future__ import annotations

from collections.abc import Callable

from loadtest import rules


class Backoff:
    """Full jitter. `jitter_ms` is the `reconnect_jitter_ms` of the last `hello`, `least_ms` what the server said about
    the next try, which holds for that one only."""

    __slots__ = ("_random", "jitter_ms", "least_ms", "tries")

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self.tries = 0
        self.jitter_ms = 0.0
        self.least_ms = 0.0

    def wait_ms(self, lived_ms: float | None, *, soon: bool) -> float:
        """How long to wait now. `lived_ms`: for how long the connection was live; None if it never was. `soon`: there
        is a network, and somebody waits."""
        if lived_ms is not None and lived_ms >= rules.STABLE_MS:
            self.tries = 0
        most = max(rules.backoff_ms(self.tries), 0 if lived_ms is None else self.jitter_ms)
        self.tries += 1
        least, self.least_ms = self.least_ms, 0.0
        return least + self._random() * (rules.SOON_MS if soon else most)
