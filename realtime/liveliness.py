"""How lively places are: which are too busy to be told whole to whoever is not looking (FEATURES §3). Pure.

A place is busy from the moment more than `most` posts came within a minute, until fewer than half of that did for five
minutes on end. Times are Unix milliseconds of the entries themselves, so that what is read late does not look like a crowd.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

MINUTE_MS = 60_000
CALM_MS = 5 * MINUTE_MS


class Place:
    """The last posts of one place, and since when it has been calm while it is busy."""

    __slots__ = ("busy", "calm_since", "times")

    def __init__(self) -> None:
        self.times: deque[int] = deque()
        self.busy = False
        self.calm_since = 0


class Liveliness:
    """See the module. `most` is posts per minute; 0 means that no place is ever too busy."""

    __slots__ = ("_most", "_places")

    def __init__(self, most: int) -> None:
        self._most = most
        self._places: dict[str, Place] = {}

    def note(self, name: str, at_ms: int) -> bool:
        """A post. True if the place is busy from now on and was not before."""
        if not self._most:
            return False
        place = self._places.setdefault(name, Place())
        place.times.append(at_ms)
        self._forget(place, at_ms)
        if self._lively(place):
            place.calm_since = at_ms
        if place.busy or len(place.times) <= self._most:
            return False
        place.busy = True
        place.calm_since = at_ms
        return True

    def forgotten(self, names: Iterable[str]) -> list[str]:
        """Those of some places of which nothing is remembered."""
        return [name for name in names if name not in self._places]

    def calmed(self, now_ms: int) -> list[str]:
        """The places that are not busy any more. Those where nothing happens are forgotten."""
        found = []
        for name, place in list(self._places.items()):
            if self._lively(place):
                # Until the first moment at which it was not: when enough of its posts are a minute old.
                place.calm_since = place.times[-self._half()] + MINUTE_MS
            self._forget(place, now_ms)
            if place.busy and not self._lively(place) and now_ms - place.calm_since >= CALM_MS:
                place.busy = False
                found.append(name)
            if not place.busy and not place.times:
                del self._places[name]
        return found

    def _half(self) -> int:
        """As many posts within a minute are not calm."""
        return max(1, self._most // 2)

    def _lively(self, place: Place) -> bool:
        return len(place.times) >= self._half()

    def _forget(self, place: Place, now_ms: int) -> None:
        """Posts of more than a minute ago, and more than decide anything."""
        times = place.times
        while times and (times[0] <= now_ms - MINUTE_MS or len(times) > self._most + 1):
            times.popleft()
