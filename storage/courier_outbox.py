"""The courier's outbox: own parcels that wait to leave, bounded by count and by bytes.

Filled by `publish`, emptied by an adapter's writer. What always holds: order is kept; the bounds are never
exceeded; what is dropped to keep them is the oldest, and it is counted.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

from storage.courier import CourierCounters

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Waiting(Generic[_T]):
    """One parcel in the form its adapter sends, and what is needed to choose among those waiting."""

    partition: int
    durable: bool
    size: int
    item: _T


class Outbox(Generic[_T]):
    """A queue of `Waiting`; plain and synchronous."""

    def __init__(self, parcels_max: int, bytes_max: int, counters: CourierCounters) -> None:
        self._parcels_max = parcels_max
        self._bytes_max = bytes_max
        self._counters = counters
        self._queue: deque[Waiting[_T]] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, waiting: Waiting[_T]) -> None:
        """Append, then drop from the old end until the bounds hold again."""
        self._queue.append(waiting)
        self._bytes += waiting.size
        while len(self._queue) > self._parcels_max or self._bytes > self._bytes_max:
            self._bytes -= self._queue.popleft().size
            self._counters.dropped += 1

    def take(self, parcels_max: int, bytes_max: int) -> list[Waiting[_T]]:
        """The oldest parcels up to both bounds, at least one if any waits; they leave the outbox."""
        taken: list[Waiting[_T]] = []
        size = 0
        while self._queue and len(taken) < parcels_max and (not taken or size < bytes_max):
            waiting = self._queue.popleft()
            size += waiting.size
            taken.append(waiting)
        self._bytes -= size
        return taken

    def drop_ephemeral(self) -> None:
        """Give up the ephemeral: while the way was blocked they became old news."""
        kept = [waiting for waiting in self._queue if waiting.durable]
        self._counters.dropped += len(self._queue) - len(kept)
        self._queue = deque(kept)
        self._bytes = sum(waiting.size for waiting in kept)

    def drop_all(self) -> None:
        """Give up everything."""
        self._counters.dropped += len(self._queue)
        self._queue.clear()
        self._bytes = 0
