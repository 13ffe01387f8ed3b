"""Who is writing in which room: leases of twelve seconds (FEATURES §7). Pure.

Owned by the presence service. What always holds: nobody writes longer than their lease without saying so again; a line
that was sent ends it.
"""

from __future__ import annotations

import math


class Typists:
    """See the module. Times are monotonic seconds. Methods return what changed."""

    def __init__(self, lease_s: float) -> None:
        self._lease_s = lease_s
        self._rooms: dict[str, dict[str, float]] = {}

    def began(self, room: str, account: str, now: float) -> bool:
        """Somebody writes, or still does."""
        people = self._rooms.setdefault(room, {})
        fresh = account not in people
        people[account] = now + self._lease_s
        return fresh

    def ended(self, room: str, account: str) -> bool:
        """Somebody writes no more."""
        people = self._rooms.get(room)
        if people is None or people.pop(account, None) is None:
            return False
        if not people:
            del self._rooms[room]
        return True

    def rooms_of(self, account: str) -> list[str]:
        """Where somebody writes."""
        return [room for room, people in self._rooms.items() if account in people]

    def gone(self, account: str) -> list[str]:
        """Somebody is not here any more."""
        return [room for room in self.rooms_of(account) if self.ended(room, account)]

    def lapsed(self, now: float) -> list[tuple[str, str]]:
        """Leases that are over: (room, account)."""
        over = [
            (room, account)
            for room, people in self._rooms.items()
            for account, until in people.items()
            if until <= now
        ]
        for room, account in over:
            self.ended(room, account)
        return over

    def said_at(self, room: str, account: str) -> float:
        """When somebody last said so; minus infinity if they do not write."""
        until = self._rooms.get(room, {}).get(account)
        return -math.inf if until is None else until - self._lease_s

    def writing(self, room: str) -> list[str]:
        """Who writes there, those who began first in front."""
        return list(self._rooms.get(room, ()))

    def anybody(self, room: str) -> bool:
        """True if somebody writes there."""
        return room in self._rooms
