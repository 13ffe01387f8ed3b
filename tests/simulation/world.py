"""The simulated world: one seed, one clock, what may go wrong and how often it did.

Shared by everything that is simulated. What always holds: each thing that happens by chance is asked for by name and
counted by name, and every draw comes from the seed.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import Any

EPOCH_MS = 1_800_000_000_000
TOLD_MAX = 4
"""Violations of one invariant that are told; one fault breaks many promises many times."""

CRASHES = (
    "before commit",
    "after commit, before the reply",
    "after the reply, before publishing",
    "before a read is answered",
)
MISHAPS = (
    "database busy",
    "database read error",
    "database full",
    "queue full",
    "slow read",
    "parcel lost",
    "parcel doubled",
    "parcel late",
    "slow link",
)
"""What happens by chance at each opportunity, with a probability of the seed's."""
EVENTS = (
    "database away",
    "courier dead",
    "courier hung",
    "courier emptied",
    "subscriber dropped",
    "leases away",
    "link cut",
    "link silent",
    "reader stalled",
    "node drained",
    "clock jumped",
)
"""What somebody does to the world at a time of the seed's choosing."""
FAULTS = (*CRASHES, *MISHAPS, *EVENTS)


class Crash(BaseException):
    """The process ends here."""


class Process:
    """A process that may end at any moment. `ends` is called once when it does."""

    def __init__(self, name: str, ends: Callable[[], None]) -> None:
        self.name = name
        self.alive = True
        self._ends = ends

    def die(self) -> None:
        """End, as by kill -9."""
        if self.alive:
            self.alive = False
            self._ends()


class World:
    """See the module. `chances` are the probabilities of this run; a fault without one never happens by chance."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.chances: dict[str, float] = {}
        self.fired: Counter[str] = Counter()
        self._times: dict[str, list[float]] = defaultdict(list)
        self.calm = True
        self.skew_ms = 0
        self.armed: dict[str, int] = {}
        self.lines: list[str] | None = None
        self.violations: list[str] = []
        self._broken: Counter[str] = Counter()
        self._digest = hashlib.blake2b(digest_size=16)
        self._loop = asyncio.get_running_loop()

    # Time and chance

    def now(self) -> float:
        """Virtual seconds."""
        return self._loop.time()

    def database_ms(self) -> int:
        """The database's clock, which may be set forward and back."""
        return EPOCH_MS + self.skew_ms + int(self.now() * 1000)

    def between(self, bounds: tuple[float, float]) -> float:
        """A duration."""
        low, high = bounds
        return low + (high - low) * self.random.random()

    def happens(self, name: str) -> bool:
        """Whether a mishap takes place now; counted if so."""
        chance = self.chances.get(name, 0.0)
        if self.calm or not chance or self.random.random() >= chance:
            return False
        self.count(name)
        return True

    def count(self, name: str) -> None:
        """A fault took place."""
        self.fired[name] += 1
        self._times[name].append(self.now())
        self.note("fault", name)

    def took_place(self, names: Iterable[str], since: float, until: float) -> bool:
        """Whether any of these faults took place (or began) between two times."""
        return any(since <= at <= until for name in names for at in self._times.get(name, ()))

    def crash_point(self, name: str, process: Process) -> None:
        """Raises `Crash` if this process is to end at this point. It is armed by how often it is passed before."""
        left = self.armed.get(name)
        if self.calm or left is None or not process.alive:
            return
        if left:
            self.armed[name] = left - 1
            return
        del self.armed[name]
        self.count(name)
        raise Crash(name)

    # What is seen of it

    def note(self, *words: Any) -> None:
        """One line of the trace."""
        line = f"{self.now():.6f} " + " ".join(map(str, words))
        self._digest.update(line.encode())
        if self.lines is not None:
            self.lines.append(line)

    def violated(self, invariant: str, text: str) -> None:
        """Something that must always hold does not."""
        self.note("VIOLATION", invariant, text)
        self._broken[invariant] += 1
        if self._broken[invariant] <= TOLD_MAX:
            self.violations.append(f"{invariant}: {text} (at {self.now():.3f})")

    @property
    def trace_hash(self) -> str:
        """Of everything noted so far."""
        return self._digest.hexdigest()
