"""Whom the connections of this node show: mutuals by default, and whom they watch besides (FEATURES §7). Pure.

Owned by the presence service. What always holds: a connection is told only of people it shows and its account may see;
whose right ends is told so once, and of nothing after it; the cost of one person's change is that of those who show them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol, TypeVar

from realtime.sendqueue import Piece

T = TypeVar("T")
_NONE: tuple[str, ...] = ()
_NOBODY: frozenset[str] = frozenset()
"""Shared: an empty set of one's own is 200 bytes, and most people may see all whom they show."""


class Ear(Protocol):
    """A connection that is told. `choked` while its peer takes nothing."""

    @property
    def account(self) -> str:
        """Whose it is."""

    @property
    def choked(self) -> bool:
        """True while its peer takes nothing."""

    def write(self, piece: Piece) -> None:
        """Take whole WebSocket frames."""


class _Viewer:
    """One account with connections here. `dark` are those of its people whom it may not see."""

    __slots__ = ("dark", "ears", "mutuals")

    def __init__(self) -> None:
        self.ears: tuple[Ear, ...] = ()
        self.mutuals: tuple[str, ...] = _NONE
        self.dark: frozenset[str] = _NOBODY


class Circles:
    """See the module."""

    def __init__(self) -> None:
        self._viewers: dict[str, _Viewer] = {}
        self._shown_to: dict[str, list[_Viewer]] = {}
        self._watched: dict[Ear, frozenset[str]] = {}
        self._watchers: dict[str, list[Ear]] = {}
        self._places: dict[Ear, tuple[str, ...]] = {}
        self._lookers: dict[str, list[Ear]] = {}

    def add(self, ear: Ear) -> bool:
        """A connection whose account is known. True if it is the first of its account."""
        viewer = self._viewers.get(ear.account)
        if viewer is None:
            viewer = self._viewers[ear.account] = _Viewer()
        first = not viewer.ears
        viewer.ears = (*viewer.ears, ear)
        return first

    def remove(self, ear: Ear) -> None:
        """A connection is gone."""
        self.watch(ear, {})
        self.look(ear, ())
        viewer = self._viewers.get(ear.account)
        if viewer is None or ear not in viewer.ears:
            return
        viewer.ears = tuple(each for each in viewer.ears if each is not ear)
        if not viewer.ears:
            self._settle(viewer, _NONE)
            del self._viewers[ear.account]

    def ears_of(self, account: str) -> tuple[Ear, ...]:
        """The connections of an account here."""
        viewer = self._viewers.get(account)
        return viewer.ears if viewer is not None else ()

    # Whom an account shows

    def settle(self, account: str, sights: Mapping[str, bool]) -> list[str]:
        """An account's circle, read anew: its mutuals (and itself) → may it see them. Returns those who look different to
        it from now on."""
        viewer = self._viewers.get(account)
        if viewer is None:
            return []
        watched = self._watched_by(viewer)
        before = {each for each in (*viewer.mutuals, *watched) if each not in viewer.dark}
        self._settle(viewer, tuple(sys.intern(each) for each in sights))
        dark = {each for each in viewer.dark if each in watched and each not in sights}
        dark |= {each for each, live in sights.items() if not live}
        viewer.dark = frozenset(dark) if dark else _NOBODY
        after = {each for each in (*viewer.mutuals, *watched) if each not in viewer.dark}
        return sorted(before ^ after)

    def judge(self, account: str, target: str, *, live: bool) -> bool:
        """Whether an account may see somebody it shows. True if that is new."""
        viewer = self._viewers.get(account)
        if viewer is None or (target in viewer.dark) != live:
            return False
        viewer.dark = (viewer.dark - {target} or _NOBODY) if live else viewer.dark | {target}
        return True

    def watch(self, ear: Ear, sights: Mapping[str, bool]) -> list[str]:
        """Whom a connection shows besides its account's mutuals, instead of before → may it see them. Returns those who
        look different to the account from now on."""
        for target in self._watched.pop(ear, ()):
            _drop(self._watchers, target, ear)
        if sights:
            self._watched[ear] = frozenset(sys.intern(each) for each in sights)
            for target in self._watched[ear]:
                self._watchers.setdefault(target, []).append(ear)
        return [target for target, live in sights.items() if self.judge(ear.account, target, live=live)]

    def look(self, ear: Ear, places: Iterable[str]) -> None:
        """The communities whose crowd a connection shows, instead of before."""
        for place in self._places.pop(ear, ()):
            _drop(self._lookers, place, ear)
        if wanted := tuple(dict.fromkeys(places)):
            self._places[ear] = wanted
            for place in wanted:
                self._lookers.setdefault(place, []).append(ear)

    def watched_by(self, ear: Ear) -> frozenset[str]:
        """Whom a connection shows besides its account's mutuals."""
        return self._watched.get(ear, _NOBODY)

    def dark(self, account: str) -> frozenset[str]:
        """Whom an account shows and may not see."""
        viewer = self._viewers.get(account)
        return viewer.dark if viewer is not None else _NOBODY

    # Who is to be told

    def told_of(self, target: str) -> Iterator[Ear]:
        """The connections that show somebody and may see them; one may come twice."""
        for viewer in self._shown_to.get(target, ()):
            if target not in viewer.dark:
                yield from viewer.ears
        for ear in self._watchers.get(target, ()):
            if target not in self._viewers[ear.account].dark:
                yield ear

    def lookers(self, place: str) -> list[Ear]:
        """The connections that show a community's crowd."""
        return self._lookers.get(place, [])

    def interested(self, target: str) -> list[str]:
        """The accounts that show somebody, whether they may see them or not."""
        found = [ear.account for ear in self._watchers.get(target, ())]
        for viewer in self._shown_to.get(target, ()):
            found += [ear.account for ear in viewer.ears[:1]]
        return list(dict.fromkeys(found))

    def shown_by(self, account: str, ear: Ear) -> Iterator[str]:
        """Everybody whom a connection shows and may see; one may come twice."""
        viewer = self._viewers.get(account)
        if viewer is not None:
            for target in (*viewer.mutuals, *self._watched.get(ear, ())):
                if target not in viewer.dark:
                    yield target

    def interests(self, ear: Ear, target: str) -> bool:
        """Whether a connection shows somebody, seen or not."""
        viewer = self._viewers.get(ear.account)
        return viewer is not None and (target in self._watched.get(ear, ()) or target in viewer.mutuals)

    def shows(self, ear: Ear, target: str) -> bool:
        """Whether a connection shows somebody and may see them."""
        return target not in self.dark(ear.account) and self.interests(ear, target)

    # Inside

    def _watched_by(self, viewer: _Viewer) -> set[str]:
        found: set[str] = set()
        return found.union(*(self._watched.get(ear, ()) for ear in viewer.ears))

    def _settle(self, viewer: _Viewer, mutuals: tuple[str, ...]) -> None:
        gone = set(viewer.mutuals).difference(mutuals)
        fresh = set(mutuals).difference(viewer.mutuals)
        for target in gone:
            _drop(self._shown_to, target, viewer)
        for target in fresh:
            self._shown_to.setdefault(sys.intern(target), []).append(viewer)
        viewer.mutuals = mutuals


def _drop(table: dict[str, list[T]], key: str, value: T) -> None:
    left = table.get(key)
    if left is not None and value in left:
        left.remove(value)
        if not left:
            del table[key]
