"""Durable requests on their way: kept until the server has acknowledged them or refused them for good (WIRE §4).

Used by `loadtest.protocol` alone; pure, times are milliseconds of whatever clock the caller has. What always holds:
a request never changes once it was given; of one lane (a room, else an operation) only the first is on its way, so
that a lane's requests are kept by the server in the order in which they were given.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

from loadtest import rules


@dataclass(slots=True)
class Item:
    """One request. `not_before` is the time (ms) of the next try, `faults` how often it was refused for a while."""

    number: int
    op: str
    d: dict[str, Any]
    sent: bool = False
    faults: int = 0
    not_before: float = 0.0


class Lanes:
    """See the module."""

    __slots__ = ("_lanes",)

    def __init__(self) -> None:
        self._lanes: dict[str, deque[Item]] = {}

    def add(self, number: int, op: str, d: dict[str, Any]) -> None:
        """One more at the end of its lane."""
        self._lanes.setdefault(_lane(op, d), deque()).append(Item(number, op, d))

    def ready(self, now: float) -> list[Item]:
        """What is to be sent now; it counts as sent from here on."""
        found = [lane[0] for lane in self._lanes.values() if not lane[0].sent and lane[0].not_before <= now]
        for item in found:
            item.sent = True
        return found

    def next_at(self) -> float | None:
        """When something is to be tried again, if anything waits for its time."""
        times = [lane[0].not_before for lane in self._lanes.values() if not lane[0].sent]
        return min(times) if times else None

    def done(self, number: int) -> None:
        """Acknowledged or refused for good: the next of its lane may go."""
        for name, lane in self._lanes.items():
            if lane[0].number == number:
                lane.popleft()
                if not lane:
                    del self._lanes[name]
                return

    def refused(self, number: int, error: dict[str, Any], now: float, chance: float) -> bool:
        """The server said no. True if it is for good, else the same request is tried again at its time.

        `chance` is a random number of [0, 1): what is not told when to come back comes back spread out.
        """
        code, retry_ms = error["code"], error["retry_ms"]
        item = next(lane[0] for lane in self._lanes.values() if lane[0].number == number)
        item.faults += 1
        hopeless = code == "internal" and item.faults >= rules.FAULTS_MAX
        if code not in rules.TEMPORARY or hopeless or (retry_ms or 0) > rules.WAIT_MAX_MS:
            self.done(number)
            return True
        item.sent = False
        least = rules.RETRY_MS if retry_ms is None else retry_ms
        item.not_before = now + least + chance * rules.backoff_ms(item.faults - 1)
        return False

    def lost(self) -> None:
        """The connection broke: what was on its way may or may not have happened, and goes again."""
        for lane in self._lanes.values():
            lane[0].sent = False

    def clear(self) -> list[int]:
        """Give all of it up; the numbers, in order."""
        numbers = sorted(item.number for lane in self._lanes.values() for item in lane)
        self._lanes.clear()
        return numbers


def _lane(op: str, d: dict[str, Any]) -> str:
    room = d.get("room")
    return f"room:{room}" if room else op
