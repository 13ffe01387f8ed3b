"""The online table: what every living node says about its people, and what that makes of each person. Pure.

Owned by the presence service; filled by the own devices, by batches of other nodes, and by what the leases hold. What
always holds: a batch of an older generation, or one that does not follow the last, changes nothing; a node's people go all
at once when its lease is over; while a node is in doubt, whoever is known through it alone is unknown, never offline.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum, auto
from typing import Final

from presence.marks import Mark, best


class Doubt(Enum):
    """What is said of somebody whose node is out of sight."""

    UNKNOWN = auto()


UNKNOWN: Final = Doubt.UNKNOWN
Standing = Mark | Doubt | None
"""A person now: what their nodes say, in doubt, or (None) offline."""
Changes = list[tuple[str, Standing]]
"""Who changed, and what they were before."""


class Taken(Enum):
    """What became of a batch."""

    APPLIED = auto()
    OLD = auto()
    AHEAD = auto()
    """Something before it is missing: the node's people are to be read from the leases."""


class _Node:
    __slots__ = ("doubtful", "generation", "number", "people")

    def __init__(self, generation: int, number: int, people: dict[str, Mark]) -> None:
        self.generation = generation
        self.number = number
        self.people = people
        self.doubtful = False


class Roster:
    """See the module. Whatever changes people returns who changed, and what they were before."""

    def __init__(self, own: str) -> None:
        self._own = own
        self._nodes: dict[str, _Node] = {own: _Node(0, 0, {})}
        self._merged: dict[str, Mark | Doubt] = {}
        self._places: dict[str, dict[str, None]] = {}
        self._crowds: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._merged)

    # One person, one place

    def standing(self, account: str) -> Standing:
        """What is known about somebody now."""
        return self._merged.get(account)

    def at(self, place: str) -> Mapping[str, None]:
        """Who looks at a channel now."""
        return self._places.get(place, {})

    def crowd(self, place: str) -> int:
        """How many of those who look at a channel count in its crowd."""
        return self._crowds.get(place, 0)

    # The own node

    def own(self, account: str, value: Mark | None) -> Changes:
        """What this node says about one of its people. It is never in doubt about itself."""
        people = self._nodes[self._own].people
        if value is None:
            people.pop(account, None)
        else:
            people[account] = value
        return self._merge((account,))

    def own_people(self) -> Mapping[str, Mark]:
        """Everybody of this node."""
        return self._nodes[self._own].people

    # Other nodes

    def others(self) -> dict[str, tuple[int, int]]:
        """Other nodes, with the generation and number up to which each is known."""
        return {
            name: (node.generation, node.number) for name, node in self._nodes.items() if name != self._own
        }

    def apply(
        self, node: str, generation: int, number: int, changes: Mapping[str, Mark | None]
    ) -> tuple[Taken, Changes]:
        """A batch of another node."""
        known = self._nodes.get(node)
        if known is None or generation > known.generation:
            return Taken.AHEAD, []
        if generation < known.generation or number <= known.number:
            return Taken.OLD, []
        if number > known.number + 1:
            return Taken.AHEAD, []
        known.number = number
        for account, value in changes.items():
            if value is None:
                known.people.pop(account, None)
            else:
                known.people[account] = value
        return Taken.APPLIED, self._merge(changes)

    def replace(self, node: str, generation: int, number: int, people: dict[str, Mark]) -> Changes:
        """All that another node says, as the leases hold it. An older state than the known one changes nothing."""
        known = self._nodes.get(node)
        if known is not None and (generation, number) < (known.generation, known.number):
            return []
        self._nodes[node] = _Node(generation, number, people)
        before = known.people if known is not None else {}
        return self._merge({**before, **people})

    def drop(self, node: str) -> Changes:
        """Its lease is over."""
        known = self._nodes.pop(node, None)
        return self._merge(known.people) if known is not None else []

    def doubt(self, node: str, *, doubtful: bool) -> Changes:
        """It is out of sight, or in sight again."""
        known = self._nodes.get(node)
        if known is None or known.doubtful == doubtful:
            return []
        known.doubtful = doubtful
        return self._merge(known.people)

    @property
    def known(self) -> bool:
        """False while any node is in doubt."""
        return not any(node.doubtful for node in self._nodes.values())

    # Inside

    def _merge(self, accounts: Iterable[str]) -> Changes:
        changed: Changes = []
        for account in accounts:
            now = self._judge(account)
            before = self._merged.get(account)
            if now == before:
                continue
            changed.append((account, before))
            if now is None:
                del self._merged[account]
            else:
                self._merged[account] = now
            self._count(_place_of(before), -int(_counted(before)))
            self._count(_place_of(now), int(_counted(now)))
            self._move(account, _place_of(before), _place_of(now))
        return changed

    def _count(self, place: str, change: int) -> None:
        if place and change:
            self._crowds[place] = self._crowds.get(place, 0) + change
            if not self._crowds[place]:
                del self._crowds[place]

    def _judge(self, account: str) -> Standing:
        sure, doubtful = [], False
        for node in self._nodes.values():
            value = node.people.get(account)
            if value is None:
                continue
            if node.doubtful:
                doubtful = True
            else:
                sure.append(value)
        found = best(sure)
        return UNKNOWN if found is None and doubtful else found

    def _move(self, account: str, before: str, now: str) -> None:
        if before == now:
            return
        if before:
            there = self._places[before]
            there.pop(account, None)
            if not there:
                del self._places[before]
        if now:
            self._places.setdefault(now, {})[account] = None


def _place_of(standing: Standing) -> str:
    return standing.place if isinstance(standing, Mark) else ""


def _counted(standing: Standing) -> bool:
    return isinstance(standing, Mark) and standing.counted
