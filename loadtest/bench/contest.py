"""The same loads put to Tsudoi and to other people's servers, in turn (docs/benchmarks.md, "Beside others").

Used by `./run bench peers`. What always holds: a round has everybody in it, and the ratio to Tsudoi is that of the round.
Tsudoi authenticates, authorises and validates in it; the others do nothing but fan out.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loadtest.bench.home import Home
from loadtest.bench.hot import Bench, signals
from loadtest.bench.loads import BLASTS, CALM, ROOMS, Load
from loadtest.bench.peering import PEERS, Peer, Unavailable
from loadtest.bench.shots import Shot, ShotFailed
from loadtest.bench.subjects import limit
from loadtest.serving import Circle

TSUDOI = "Tsudoi"
LIMIT = "C, the least"
LOADS = (CALM, *BLASTS, ROOMS)
# (load, peer's name): Tsudoi's deliveries per core over the peer's, at least.
TARGETS = {
    **{(load.name, "nats-server"): 1.0 for load in BLASTS},
    **{(load.name, "socketify (uWebSockets)"): 0.6 for load in BLASTS},
    (ROOMS.name, "Node ws"): 1.4,
    (ROOMS.name, "websockets.broadcast"): 1.5,
    (ROOMS.name, "socket.io"): 2.0,
    (ROOMS.name, "Starlette"): 2.0,
    (ROOMS.name, "nats-server"): 1.4,
    (CALM.name, "python-socketio"): 20.0,
    (CALM.name, "Django Channels"): 100.0,
}


@dataclass(slots=True)
class Contest:
    """All shots by load and server, in the order of the rounds; `absent` says who could not be had, and why."""

    only: str = ""
    shots: dict[str, dict[str, list[Shot]]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)

    def add(self, name: str, load: Load, shot: Shot) -> None:
        """One shot."""
        self.shots.setdefault(load.name, {}).setdefault(name, []).append(shot)
        self.doubts += [*shot.doubts, *shot.faults]

    def per_core(self, load: str, name: str) -> float:
        """Median of deliveries/s per core; NaN if there are none."""
        values = [shot.per_core for shot in self.shots[load].get(name, ())]
        return statistics.median(values) if values else float("nan")

    def ratio(self, load: str, name: str) -> float:
        """Median over the rounds of Tsudoi's deliveries per core over this server's."""
        pairs = zip(self.shots[load].get(TSUDOI, ()), self.shots[load].get(name, ()), strict=False)
        values = [ours.per_core / theirs.per_core for ours, theirs in pairs]
        return statistics.median(values) if values else float("nan")

    def names(self) -> list[str]:
        """Everybody who was measured, Tsudoi first."""
        return list(dict.fromkeys(name for found in self.shots.values() for name in found))

    def report(self) -> dict[str, Any]:
        """Everything measured, as JSON knows it."""
        shots = {
            load: {name: [shot.found for shot in found] for name, found in servers.items()}
            for load, servers in self.shots.items()
        }
        return {"job": "peers", "shots": shots, "absent": self.absent, "doubts": self.doubts}

    def lines(self) -> list[str]:
        """Markdown: a table per load, then who is missing, then the doubts."""
        found: list[str] = []
        for load, servers in self.shots.items():
            found += [
                f"\n{load}\n",
                "| server | deliveries/s a core | µs a delivery | p99 ms | Tsudoi / it | target |",
            ]
            found.append("|---|---|---|---|---|---|")
            for name, shots in servers.items():
                bound = TARGETS.get((load, name))
                ratio = self.ratio(load, name)
                word = (
                    "" if bound is None else f">= {bound:g}: {'reached' if ratio >= bound else 'not reached'}"
                )
                p99 = statistics.median(shot.delay_ms("p99") for shot in shots)
                cpu = statistics.median(shot.cpu_us for shot in shots)
                core = self.per_core(load, name)
                found.append(f"| {name} | {core:,.0f} | {cpu:.2f} | {p99:,.1f} | {ratio:,.2f} | {word} |")
        found += [f"- {name} is not in it: {why}" for name, why in self.absent.items()]
        found += [f"- {text}" for text in dict.fromkeys(self.doubts)]
        return found


def run_round(
    contest: Contest, bench: Bench, place: Home, circles: Callable[[Load], Sequence[Circle]], base: Path
) -> None:
    """Every load to everybody once."""
    for load in LOADS:
        with signals(place, load, circles(load)) as target:
            contest.add(TSUDOI, load, bench.generator.shoot(load, target, bench.span))
        if bench.limit is not None:
            with limit(bench.limit, "write" if load.rate else "coal") as least:
                contest.add(LIMIT, load, bench.generator.shoot(load, least, bench.span))
        for peer in PEERS:
            if contest.only.lower() in peer.name.lower() and peer.name not in contest.absent:
                _shoot(contest, bench, peer, load, base)


def _shoot(contest: Contest, bench: Bench, peer: Peer, load: Load, base: Path) -> None:
    if any(shot.faults for shot in contest.shots.get(load.name, {}).get(peer.name, ())):
        # It lost people or events: another round would only take its time.
        return
    fit = load.at(min(load.rate, peer.calm_rate)) if load.rate else load
    try:
        with peer.running(base) as target:
            contest.add(peer.name, load, bench.generator.shoot(fit, target, bench.span))
    except Unavailable as error:
        contest.absent[peer.name] = str(error)
    except ShotFailed as error:
        contest.doubts.append(f"{peer.name}: {error}")
