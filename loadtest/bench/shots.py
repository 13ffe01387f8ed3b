"""One load put to one server by a generator that is a process of its own, and what to think of the figures.

Used by the jobs of the hot path. What always holds: a shot in which the generator had no time left is void and says so;
what was missing or doubled is a fault, whoever's it was.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from loadtest.bench.loads import Load, Span, Target, arguments
from loadtest.bench.machine import BUSY_MAX, FOREIGN_MAX
from loadtest.serving import CHECKOUT

PATIENCE_S = 300.0


class ShotFailed(RuntimeError):
    """The generator did not come to an end, or nobody came in."""


@dataclass(frozen=True, slots=True)
class Shot:
    """What one run found: rates per second, CPU in µs per delivery (of the server), delays in ms, shares of a core in %."""

    load: str
    found: dict[str, Any]
    doubts: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def deliveries(self) -> float:
        """Deliveries a second."""
        return float(self.found["deliv_per_s"])

    @property
    def cpu_us(self) -> float:
        """The server's CPU per delivery."""
        return float(self.found["srv_us_per_deliv"])

    @property
    def per_core(self) -> float:
        """Deliveries per second of the server's CPU: what a core carries, whoever else was on it meanwhile."""
        return 1e6 / self.cpu_us if self.cpu_us else float("nan")

    @property
    def cpu_share(self) -> float:
        """The server's CPU, % of a core."""
        return float(self.found["srv_cpu_pct"])

    def delay_ms(self, share: str) -> float:
        """A percentile of the delays, "p50" or "p99"."""
        return float(self.found["lat_us"][share]) / 1e3


@dataclass(frozen=True, slots=True)
class Generator:
    """Ours, or the program at `path`, called with the same arguments."""

    path: Path | None = None

    @property
    def command(self) -> list[str]:
        """How it is started."""
        if self.path is not None:
            return [str(self.path)]
        return [sys.executable, "-P", "-m", "loadtest.bench.generator"]

    def shoot(self, load: Load, target: Target, span: Span) -> Shot:
        """One run. Raises `ShotFailed`."""
        command = [*self.command, *arguments(load, target, span)]
        try:
            done = subprocess.run(  # noqa: S603  # our own program, or the one the operator named
                command,
                env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
                capture_output=True,
                check=False,
                timeout=PATIENCE_S + span.seconds,
            )
        except subprocess.TimeoutExpired as error:
            raise ShotFailed(f"{load.name}: the generator did not end") from error
        lines = done.stdout.splitlines()
        if done.returncode not in (0, 4) or not lines:
            said = (done.stderr or done.stdout).decode(errors="replace").strip()
            raise ShotFailed(f"{load.name}: {said[-300:]}")
        return judged(load, orjson.loads(lines[-1]), target.name)


def judged(load: Load, found: dict[str, Any], server: str = "") -> Shot:
    """A shot from the generator's line of JSON."""
    what = f"{load.name}, {server}" if server else load.name
    doubts = []
    if found["gen_cpu_pct"] > BUSY_MAX * 100:
        doubts.append(f"void: {what}: the generator used {found['gen_cpu_pct']:.0f} % of its core")
    if load.rate and found["msgs_per_s"] < 0.97 * load.rate:
        doubts.append(f"void: {what}: {found['msgs_per_s']:.0f} of {load.rate:.0f} events/s were sent")
    if found["foreign_pct"] > FOREIGN_MAX * 100:
        doubts.append(f"{what}: others used {found['foreign_pct']:.0f} % of a core")
    kinds = ("missing", "dup", "wrong", "dead", "stalls")
    faults = [f"{what}: {found[kind]} {kind}" for kind in kinds if found.get(kind)]
    return Shot(load.name, found, doubts, faults)


def spread(shots: Sequence[Shot]) -> tuple[list[str], list[str]]:
    """All doubts and all faults, each once."""
    doubts = dict.fromkeys(text for shot in shots for text in shot.doubts)
    return list(doubts), list(dict.fromkeys(text for shot in shots for text in shot.faults))
