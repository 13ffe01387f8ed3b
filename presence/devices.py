"""The people of one node: what their connections here say, and the grace of those that were lost. Pure.

Owned by the presence service. What always holds: somebody has a mark while one of their connections is here, and for the
grace after the last one was lost; whoever is not admitted (nothing is known of them yet, or they are hidden) has none.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import NamedTuple

from presence.marks import Mark, best, mark
from realtime.ids import COMMUNITY


class Device(NamedTuple):
    """One connection of a person. The latest to say where it is stands last."""

    connection: object
    active: bool
    place: str


class Rules(NamedTuple):
    """What an account's own settings say about its marks: whether it has any, whether it counts in crowds, and whether
    everybody may know which community it looks at."""

    admitted: bool = True
    counted: bool = True
    open: bool = False


@functools.cache
def shared(admitted: bool, counted: bool, open_: bool) -> Rules:
    """Rules as one object for all who have the same."""
    return Rules(admitted, counted, open_)


class Person:
    """One account with connections here, or lately."""

    __slots__ = ("devices", "leaves_at", "rules", "said")

    def __init__(self) -> None:
        self.devices: tuple[Device, ...] = ()
        # When the grace is over, in monotonic seconds; 0 while there are connections.
        self.leaves_at = 0.0
        self.rules: Rules | None = None
        self.said: Mark | None = None


class Devices:
    """See the module. Methods that may change a person's mark return True if they did: `mark_of` tells it."""

    def __init__(self, grace_s: float) -> None:
        self._grace_s = grace_s
        self._people: dict[str, Person] = {}
        self._leaving: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._people)

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._people))

    def joined(self, connection: object, account: str, *, active: bool) -> bool:
        """A connection came; it counts for its account."""
        person = self._people.get(account)
        if person is None:
            person = self._people[account] = Person()
        person.devices = (*self._others(person, connection), Device(connection, active, ""))
        person.leaves_at = 0.0
        self._leaving.pop(account, None)
        return self._settle(person)

    def said(self, connection: object, account: str, *, active: bool, place: str) -> bool:
        """What a connection says of its person. Without effect for one that does not count."""
        person = self._people.get(account)
        if person is None or not any(each.connection is connection for each in person.devices):
            return False
        person.devices = (*self._others(person, connection), Device(connection, active, place))
        return self._settle(person)

    def displaced(self, connection: object, account: str, place: str) -> bool:
        """A connection hears a channel no more."""
        person = self._people.get(account)
        devices = person.devices if person is not None else ()
        if not any(each.connection is connection and each.place == place for each in devices):
            return False
        active = any(each.active for each in devices if each.connection is connection)
        return self.said(connection, account, active=active, place="")

    def left(self, connection: object, account: str, now: float) -> bool:
        """A connection is gone. The last one of a person leaves them a grace."""
        person = self._people.get(account)
        if person is None:
            return False
        rest = self._others(person, connection)
        if len(rest) == len(person.devices):
            return False
        if rest:
            person.devices = rest
            return self._settle(person)
        # What they last said stands for the grace.
        person.devices = ()
        person.leaves_at = now + self._grace_s
        self._leaving[account] = None
        return False

    def expired(self, now: float) -> list[tuple[str, Mark | None]]:
        """The accounts whose grace is over, and what was last said about them: they have no mark any more."""
        gone = []
        for account in self._leaving:
            # All graces are of one length, so whoever was lost first leaves first.
            if self._people[account].leaves_at > now:
                break
            gone.append(account)
        return [(account, self.forget(account)) for account in gone]

    def forget(self, account: str) -> Mark | None:
        """Somebody is gone at once; what was last said about them."""
        self._leaving.pop(account, None)
        person = self._people.pop(account, None)
        return person.said if person is not None else None

    def gone(self, account: str) -> bool:
        """True if somebody has no connection here any more."""
        person = self._people.get(account)
        return person is None or not person.devices

    def ruled(self, account: str, rules: Rules) -> bool:
        """What the account's settings say, as of now."""
        person = self._people.get(account)
        if person is None:
            return False
        person.rules = rules
        return self._settle(person)

    def rules_of(self, account: str) -> Rules | None:
        """What is known of an account's settings, or None."""
        person = self._people.get(account)
        return person.rules if person is not None else None

    def mark_of(self, account: str) -> Mark | None:
        """What this node says about somebody now."""
        person = self._people.get(account)
        return person.said if person is not None else None

    def _settle(self, person: Person) -> bool:
        rules = person.rules
        if rules is None or not rules.admitted:
            now = None
        elif person.devices:
            now = best(
                mark(
                    each.active,
                    each.place,
                    # Who is inside a room is for its members; only communities may be known to others.
                    open_=rules.open and each.place.startswith(COMMUNITY),
                    counted=rules.counted,
                )
                for each in reversed(person.devices)
            )
        elif person.said is not None:
            before = person.said
            now = mark(before.active, before.place, open_=before.open and rules.open, counted=rules.counted)
        else:
            now = None
        changed = now != person.said
        person.said = now
        return changed

    @staticmethod
    def _others(person: Person, connection: object) -> tuple[Device, ...]:
        return tuple(each for each in person.devices if each.connection is not connection)
