"""The node's memory of tickets: each is taken once here, until it has expired (WIRE §1)."""

from __future__ import annotations

from collections.abc import Callable

from channels import tickets


class TicketBook:
    """`clock_ms()` is Unix milliseconds; `life_ms` how long a new ticket is good."""

    def __init__(self, key: str, life_ms: int, clock_ms: Callable[[], int]) -> None:
        self._key = key
        self._life_ms = life_ms
        self._clock_ms = clock_ms
        self._used: dict[str, int] = {}

    def issue(self, session: str) -> tuple[str, int]:
        """A new ticket of a session and when it expires."""
        expires = self._clock_ms() + self._life_ms
        return tickets.make(self._key, session, expires), expires

    def use(self, ticket: str) -> str | None:
        """The session of a ticket that is good and was not used here, which it now is; else None."""
        now = self._clock_ms()
        session = tickets.check(self._key, ticket, now)
        if session is None or ticket in self._used:
            return None
        self._used = {known: expires for known, expires in self._used.items() if expires > now}
        self._used[ticket] = tickets.expiry(ticket)
        return session
