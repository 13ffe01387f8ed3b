"""Cheers: taps of many people on an effect, added up for a moment and told as counts (FEATURES §4).

Pure: the engine of `gateway.cheering`. What always holds: who is apart from somebody is counted by name, so that a viewer's counts
never hold a tap of somebody the viewer is apart from; everybody else is counted without one. Bounded: `NAMED_MAX` names a channel
and moment, of whom more tap nothing is told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum

from msgspec import Struct, field

from realtime.models import Shape
from realtime.operations import Request
from realtime.requests import ChannelName, EffectId

NAMED_MAX = 200
Counts = dict[str, int]


class Cheer(Request, frozen=True, kw_only=True):
    """One tap on an effect (its id, as in `emotext.list`), for whoever hears the channel now."""

    ch: ChannelName
    effect: EffectId


class Cheered(Shape, frozen=True, kw_only=True):
    """How often each effect was tapped since a moment ago, by all whom one may hear together."""

    counts: dict[str, int]


class ToastKind(StrEnum):
    """せーの! (all together now) or 乾杯 (cheers)."""

    SENO = "seno"
    KANPAI = "kanpai"


class Toast(Request, frozen=True, kw_only=True):
    """Count down together with whoever hears the channel now."""

    ch: ChannelName
    what: ToastKind = ToastKind.SENO


class Toasting(Shape, frozen=True, kw_only=True):
    """The moment that is counted down to, by the server's clock."""

    play_at: int


class Toasted(Shape, frozen=True, kw_only=True):
    """`account` counts down to `play_at`, by the server's clock, with all who hear the channel now."""

    account: str
    what: ToastKind
    play_at: int


class Tally(Struct, kw_only=True):
    """Taps of a moment in one channel, as nodes tell each other. `plain` are those of people who are apart from nobody."""

    plain: Counts = field(default_factory=dict)
    named: dict[str, Counts] = field(default_factory=dict)

    def add(self, account: str, effect: str) -> None:
        """One tap; with '' of somebody who is apart from nobody."""
        if account:
            if account not in self.named and len(self.named) >= NAMED_MAX:
                return
            counts = self.named.setdefault(account, {})
        else:
            counts = self.plain
        counts[effect] = counts.get(effect, 0) + 1

    def merge(self, other: Tally) -> None:
        """What another node counted."""
        _sum(self.plain, other.plain)
        for account, counts in other.named.items():
            if account in self.named or len(self.named) < NAMED_MAX:
                _sum(self.named.setdefault(account, {}), counts)

    def seen(self, may: Callable[[str], bool]) -> Counts:
        """The counts for a viewer: of those with a name, only whom they `may` hear."""
        counts = dict(self.plain)
        for account, theirs in self.named.items():
            if may(account):
                _sum(counts, theirs)
        return counts


def _sum(into: Counts, more: Mapping[str, int]) -> None:
    for effect, count in more.items():
        into[effect] = into.get(effect, 0) + count
