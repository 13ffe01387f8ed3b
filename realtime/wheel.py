"""One timer wheel for all connections of a process, instead of a timer object each (HOUSE §4).

The owner calls `advance(now)` every tick. An entry is (who, why): it costs one tuple and fires once.
"""

from __future__ import annotations

from typing import Protocol

STALL_TICKS = 8
"""So many ticks late, the process was held up."""
GRACE_TICKS = 4
"""After that what is due waits so long."""


class Timed(Protocol):
    """What a wheel can wake. A late or stale wake-up must be harmless: the woken looks at its own state."""

    def on_timer(self, why: int) -> None:
        """Called once: not before the delay has passed since the wheel last advanced, and less than two ticks
        later than asked, unless the loop stalls: then as soon as what came meanwhile had time to be read."""


class Wheel:
    """A hashed wheel: `tick_s` is its grain; delays longer than one turn wait further rounds."""

    __slots__ = ("_put_off", "_reached", "_slots", "_started", "_tick", "tick_s")

    def __init__(self, now: float, tick_s: float = 0.25, slots: int = 512) -> None:
        self.tick_s = tick_s
        self._slots: list[list[tuple[int, Timed, int]]] = [[] for _ in range(slots)]
        self._started = now
        self._tick = 0
        # Ahead of `_tick` while that catches up: what begins then begins now.
        self._reached = 0
        self._put_off = False

    def add(self, delay_s: float, who: Timed, why: int) -> None:
        """Wake `who` with `why` after at least `delay_s` seconds."""
        due = self._reached + 1 + max(0, int(delay_s / self.tick_s + 0.999999))
        self._slots[due % len(self._slots)].append((due, who, why))

    def advance(self, now: float) -> int:
        """Fire everything due by `now` (monotonic seconds); returns how many fired. A loop that stalled fires nothing yet: what
        others did in time lies unread, and they would be judged by our own sleep. The next time it catches up."""
        target = int((now - self._started) / self.tick_s)
        self._reached = max(self._reached, target)
        self._put_off = target - self._tick > STALL_TICKS and not self._put_off
        if self._put_off:
            self._wait_until(target + GRACE_TICKS, target)
            return 0
        fired = 0
        while self._tick < target:
            self._tick += 1
            index = self._tick % len(self._slots)
            entries = self._slots[index]
            if not entries:
                continue
            self._slots[index] = [entry for entry in entries if entry[0] > self._tick]
            for due, who, why in entries:
                if due <= self._tick:
                    who.on_timer(why)
                    fired += 1
        return fired

    def _wait_until(self, later: int, target: int) -> None:
        """Pass the ticks up to `target`; what is due before `later` waits until then."""
        late: list[tuple[int, Timed, int]] = []
        for index, entries in enumerate(self._slots):
            late += [(later, who, why) for due, who, why in entries if due <= later]
            self._slots[index] = [entry for entry in entries if entry[0] > later]
        self._slots[later % len(self._slots)] += late
        self._tick = target
