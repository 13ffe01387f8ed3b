"""Recovery: from where a connection continues each of its channels, decided from positions alone (WIRE §3.3, §3.4).

Pure. Tops are compared first, so that only what is behind is read.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import NamedTuple

from realtime.models import ChannelPosition

CHANNEL_ENTRIES_MAX = 1_000
"""Entries of one channel that are replayed; the log keeps as many of each, however old."""
CONNECTION_ENTRIES_MAX = 5_000


class Stretch(NamedTuple):
    """The entries after + 1 … upto of a channel."""

    channel: str
    after: int
    upto: int


class Standing(NamedTuple):
    """How an account may hear a channel: its newest seq, and the seq before which nothing may be read."""

    top: int
    from_seq: int


class Plan(NamedTuple):
    """`whole`: channels to be heard from (name, seq) on. `stretches`: those of which something must be read first.
    `channels`: what the client is told."""

    whole: list[tuple[str, int]]
    stretches: list[Stretch]
    channels: list[ChannelPosition]

    def without(self, names: Container[str]) -> Plan:
        """The plan for all other channels."""
        return Plan(
            [each for each in self.whole if each[0] not in names],
            [each for each in self.stretches if each.channel not in names],
            [each for each in self.channels if each.ch not in names],
        )


def plan(standings: Mapping[str, Standing], positions: Mapping[str, int | None]) -> Plan:
    """Where each channel continues. A channel without a position, with one before its reader's `from_seq`, beyond its
    top, or too far behind is not recovered: it is heard from its top on. A position of None asks for just that, and
    has nothing to recover."""
    whole, stretches, channels = [], [], []
    left = CONNECTION_ENTRIES_MAX
    for name, (top, from_seq) in standings.items():
        at = positions.get(name)
        recovered = at is not None and from_seq <= at <= top and top - at <= min(CHANNEL_ENTRIES_MAX, left)
        if recovered and at is not None and at < top:
            stretches.append(Stretch(name, at, top))
            left -= top - at
        else:
            whole.append((name, top))
        channels.append(ChannelPosition(ch=name, seq=top, recovered=recovered))
    return Plan(whole, stretches, channels)


def continued(plan: Plan, names: Iterable[str]) -> dict[str, int | None]:
    """The positions by which some channels of a plan are asked for once more."""
    at: dict[str, int | None] = dict(plan.whole)
    at.update((stretch.channel, stretch.after) for stretch in plan.stretches)
    return {name: at[name] for name in names}
