"""The jobs of the hot path: one event to many, many rooms, many events to few, two gateways (docs/benchmarks.md).

Used by `./run bench`. What always holds: where a limit or a peer is measured too, it is measured in the same round, a few
seconds apart, and what counts is the ratio of the round; absolute figures of two days do not compare.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from loadtest.bench.figures import Row
from loadtest.bench.home import Home
from loadtest.bench.loads import BLASTS, CALM, MANY, POST, ROOMS, SIGNAL, SPEAKERS, Load, Span, Target
from loadtest.bench.shots import Generator, Shot, spread
from loadtest.bench.subjects import Crowd, limit, tsudoi
from loadtest.serving import Circle

Outcome = tuple[dict[str, float], list[str], list[str]]

GROUP = 10
TWO_RATE_SHARE = 0.4
DURABLE = (
    replace(CALM, name="posts, 80/s to 1,000"),
    replace(BLASTS[1], name="posts, blast to 1,000"),
)


@dataclass(frozen=True, slots=True)
class Bench:
    """How the jobs measure: by which generator, how long, and against which limit, if any."""

    generator: Generator
    span: Span
    limit: Path | None = None

    def against(self, load: Load, target: Target, mode: str) -> tuple[Shot, Shot | None]:
        """The load put to a server and at once to the limit."""
        shot = self.generator.shoot(load, target, self.span)
        if self.limit is None:
            return shot, None
        with limit(self.limit, mode) as least:
            return shot, self.generator.shoot(load, least, self.span)


def _rate_rows(name: str, target: str = "") -> list[Row]:
    return [
        Row(f"{name}: CPU", "µs/delivery"),
        Row(f"{name}: CPU / C", "", target),
        Row(f"{name}: p50", "ms"),
        Row(f"{name}: p99", "ms"),
        Row(f"{name}: p50 / C", "", "<= 1.2" if target else ""),
        Row(f"{name}: p99 / C", "", "<= 1.2" if target else ""),
    ]


def _blast_rows(name: str, target: str = "") -> list[Row]:
    return [
        Row(f"{name}: a core", "deliveries/s"),
        Row(f"{name}: this run", "deliveries/s"),
        Row(f"{name}: a core / C", "", target),
        Row(f"{name}: a core, C", "deliveries/s"),
    ]


FANOUT = (
    *_rate_rows(CALM.name, "<= 1.25"),
    *(row for load in BLASTS for row in _blast_rows(load.name, ">= 0.65")),
    *_rate_rows(DURABLE[0].name),
    *_blast_rows(DURABLE[1].name),
)
ROOMS_ROWS = (*_blast_rows(ROOMS.name, ">= 0.65"), Row(f"{ROOMS.name}: p99", "ms"))
MANY_ROWS = (
    Row("deliveries, those to speakers included", "/s"),
    Row("CPU", "% of a core", "<= 70"),
    Row("CPU / C"),
    Row("p50", "ms"),
    Row("p99", "ms", "<= 3"),
    Row("generator", "% of a core"),
)
TWO_ROWS = (
    Row("events", "/s"),
    Row("one gateway", "µs/delivery"),
    Row("two gateways together", "µs/delivery"),
    Row("two / one", "", "<= 1.2"),
    Row("p99, one gateway", "ms"),
    Row("p99, two gateways", "ms"),
)


def rate_values(shot: Shot, least: Shot | None) -> dict[str, float]:
    """Figures of a load at a fixed rate."""
    name = shot.load
    found = {
        f"{name}: CPU": shot.cpu_us,
        f"{name}: p50": shot.delay_ms("p50"),
        f"{name}: p99": shot.delay_ms("p99"),
    }
    if least is not None:
        found[f"{name}: CPU / C"] = shot.cpu_us / least.cpu_us
        for share in ("p50", "p99"):
            found[f"{name}: {share} / C"] = shot.delay_ms(share) / least.delay_ms(share)
    return found


def blast_values(shot: Shot, least: Shot | None) -> dict[str, float]:
    """Figures of a load without a rate."""
    name = shot.load
    found = {f"{name}: a core": shot.per_core, f"{name}: this run": shot.deliveries}
    if least is not None:
        found[f"{name}: a core / C"] = shot.per_core / least.per_core
        found[f"{name}: a core, C"] = least.per_core
    return found


def values_of(load: Load, shot: Shot, least: Shot | None) -> dict[str, float]:
    """Figures of either kind."""
    return rate_values(shot, least) if load.rate else blast_values(shot, least)


def together(values: dict[str, float], pairs: Sequence[tuple[Shot, Shot | None]]) -> Outcome:
    """One round: the figures, and what is to be said of all its shots. The limit's faults are faults of the round, too."""
    doubts, faults = spread([shot for pair in pairs for shot in pair if shot is not None])
    return values, doubts, faults


def seed_big(place: Home) -> list[Circle]:
    """People of one community, enough for the largest load."""
    return place.seed(max(load.connections for load in BLASTS), 100, 0, community=True)


def fanout(bench: Bench, place: Home, circles: Sequence[Circle]) -> Outcome:
    """One round: ephemeral events to one channel, calmly and as fast as they go, then the durable ones."""
    values: dict[str, float] = {}
    pairs: list[tuple[Shot, Shot | None]] = []
    for load in (CALM, *BLASTS):
        # In a channel of its own size: a community is told to those who are here, and so many are.
        with signals(place, load, circles) as target:
            pair = bench.against(load, target, "write" if load.rate else "coal")
        values |= values_of(load, *pair)
        pairs.append(pair)
    for load in DURABLE:
        with tsudoi(place, Crowd(place.data, load, circles, bare=True), POST) as target:
            shot = bench.generator.shoot(load, target, bench.span)
        values |= values_of(load, shot, None)
        pairs.append((shot, None))
    return together(values, pairs)


def rooms(bench: Bench, place: Home, circles: Sequence[Circle]) -> Outcome:
    """One round: a random one of a thousand rooms each time."""
    with signals(place, ROOMS, circles) as target:
        pair = bench.against(ROOMS, target, "coal")
    values = blast_values(*pair)
    values[f"{ROOMS.name}: p99"] = pair[0].delay_ms("p99")
    return together(values, [pair])


def many(bench: Bench, place: Home, circles: Sequence[Circle]) -> Outcome:
    """One round: ten busy channels that everybody hears."""
    with signals(place, MANY, circles) as target:
        shot, least = bench.against(MANY, target, "coal")
    heard = (MANY.listeners + MANY.publishers) / MANY.listeners
    values = {
        "deliveries, those to speakers included": shot.deliveries * heard,
        "CPU": shot.cpu_share,
        "p50": shot.delay_ms("p50"),
        "p99": shot.delay_ms("p99"),
        "generator": float(shot.found["gen_cpu_pct"]),
    }
    if least is not None:
        values["CPU / C"] = shot.cpu_share / least.cpu_share
    return together(values, [(shot, least)])


def two_nodes(bench: Bench, place: Home, circles: Sequence[Circle], rate: float) -> Outcome:
    """One round: the rooms at a fixed rate through one gateway and through two on the same port and core."""
    load = ROOMS.at(rate)
    found = {}
    for count in (1, 2):
        with signals(place, load, circles, processes=count) as target:
            found[count] = bench.generator.shoot(load, target, bench.span)
    one, two = found[1], found[2]
    values = {
        "events": rate,
        "one gateway": one.cpu_us,
        "two gateways together": two.cpu_us,
        "two / one": two.cpu_us / one.cpu_us,
        "p99, one gateway": one.delay_ms("p99"),
        "p99, two gateways": two.delay_ms("p99"),
    }
    return together(values, [(one, two)])


def rate_for_two(bench: Bench, place: Home, circles: Sequence[Circle]) -> float:
    """Events per second at which one gateway uses 40 % of a core: from what a delivery costs at a low rate."""
    load = ROOMS.at(500)
    with signals(place, load, circles) as target:
        shot = bench.generator.shoot(load, target, replace(bench.span, seconds=3.0))
    return max(100.0, round(TWO_RATE_SHARE * 1e6 / shot.cpu_us / GROUP, -2))


@contextlib.contextmanager
def signals(place: Home, load: Load, circles: Sequence[Circle], *, processes: int = 1) -> Iterator[Target]:
    """Tsudoi with the people of a load, for ephemeral events."""
    words = SPEAKERS if load.group else SIGNAL
    with tsudoi(place, Crowd(place.data, load, circles), words, processes) as target:
        yield target
