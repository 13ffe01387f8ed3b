"""When each connection is told what has changed for it: soon, and then at most each half second (FEATURES §7). Pure.

Owned by the presence service. What always holds: whatever was noted for a connection is handed out once, after at most
`every_s` and the time that those before it take; however much is noted meanwhile, it is one telling.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable
from typing import Generic, TypeVar

Ear = TypeVar("Ear")


class Coalescing(Generic[Ear]):
    """See the module. Times are monotonic seconds; `gather_s` is waited for more to come."""

    def __init__(self, every_s: float, gather_s: float) -> None:
        self._every_s = every_s
        self._gather_s = gather_s
        self._noted: dict[Ear, dict[str, None]] = {}
        self._due: list[tuple[float, int, Ear]] = []
        self._told_at: dict[Ear, float] = {}
        self._order: deque[tuple[float, Ear]] = deque()
        self._count = 0

    def __len__(self) -> int:
        return len(self._noted)

    def note(self, ear: Ear, what: str, now: float) -> None:
        """Something has changed for a connection."""
        noted = self._noted.get(ear)
        if noted is not None:
            noted[what] = None
            return
        self._noted[ear] = {what: None}
        told_at = self._told_at.get(ear)
        soon = now + self._gather_s
        self._push(ear, soon if told_at is None else max(soon, told_at + self._every_s))

    def later(self, ear: Ear, what: Iterable[str], now: float) -> None:
        """A connection does not take anything now: hand it out again in a while, with what comes until then."""
        left = dict.fromkeys(what)
        if left:
            self._noted[ear] = {**left, **self._noted.get(ear, {})}
            self._push(ear, now + self._every_s)

    def take(self, now: float) -> tuple[Ear, list[str]] | None:
        """The next connection that is due, and what has changed for it; it is told now."""
        while self._due and self._due[0][0] <= now:
            _, _, ear = heapq.heappop(self._due)
            what = self._noted.pop(ear, None)
            if what is not None:
                self._remember(ear, now)
                return ear, list(what)
        return None

    def next_due(self) -> float | None:
        """When `take` has something to hand out."""
        return self._due[0][0] if self._due else None

    def forget(self, ear: Ear) -> None:
        """A connection is gone."""
        self._noted.pop(ear, None)
        self._told_at.pop(ear, None)

    def _push(self, ear: Ear, at: float) -> None:
        self._count += 1
        heapq.heappush(self._due, (at, self._count, ear))

    def _remember(self, ear: Ear, now: float) -> None:
        self._told_at[ear] = now
        self._order.append((now, ear))
        while self._order and self._order[0][0] + self._every_s <= now:
            at, old = self._order.popleft()
            if self._told_at.get(old) == at:
                del self._told_at[old]
