"""What a run measures: delays as an HdrHistogram, a line of figures for each second, the generator's own CPU and lag."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from hdrh.histogram import HdrHistogram  # type: ignore[import-untyped]  # it has no types

LOWEST_US, HIGHEST_US, DIGITS = 1, 120_000_000, 3
QUANTILES = (50.0, 90.0, 99.0, 99.9, 100.0)


class Delays:
    """Delays in seconds, kept to three digits up to two minutes."""

    def __init__(self) -> None:
        self._whole = HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS)
        self._second = HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS)

    def add(self, delays_s: Iterable[float]) -> None:
        """Many at once: equal ones are counted before they are recorded, because recording costs."""
        counted = Counter(_rounded(delay) for delay in delays_s)
        for value, count in counted.items():
            self._whole.record_value(value, count)
            self._second.record_value(value, count)

    @property
    def count(self) -> int:
        """How many."""
        return int(self._whole.get_total_count())

    def quantiles_ms(self) -> dict[str, float]:
        """`p50` … `p99.9`, `max` in milliseconds; nothing where nothing was measured."""
        return _quantiles(self._whole)

    def turn_second(self) -> dict[str, float]:
        """The same of the second that ends now."""
        found = _quantiles(self._second)
        self._second = HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS)
        return found

    def curve(self) -> list[tuple[float, float]]:
        """(share of all, milliseconds) at even steps of nines, for a plot."""
        if not self.count:
            return []
        steps = [1 - 10 ** (-number / 8) for number in range(1, 41)]
        return [(share, self._whole.get_value_at_percentile(100 * share) / 1000) for share in steps]


def _rounded(delay_s: float) -> int:
    us = min(HIGHEST_US, max(LOWEST_US, int(delay_s * 1e6)))
    # Three digits are kept anyway.
    step = 10 ** max(0, len(str(us)) - 3)
    return us - us % step or us


def _quantiles(histogram: HdrHistogram) -> dict[str, float]:
    if not histogram.get_total_count():
        return {}
    names = {100.0: "max"}
    return {
        names.get(each, f"p{each:g}"): histogram.get_value_at_percentile(each) / 1000 for each in QUANTILES
    }


@dataclass(slots=True)
class Meters:
    """The figures of a run. `seconds` holds one row per second; `marks` what happened when (a node killed, everybody cut)."""

    delivery: Delays = field(default_factory=Delays)
    acknowledgement: Delays = field(default_factory=Delays)
    counts: Counter[str] = field(default_factory=Counter)
    gauges: dict[str, float] = field(default_factory=dict)
    seconds: list[dict[str, float]] = field(default_factory=list)
    marks: list[tuple[float, str]] = field(default_factory=list)
    begun: float = field(default_factory=time.perf_counter)
    _cpu: float = field(default_factory=time.process_time)
    _before: Counter[str] = field(default_factory=Counter)
    _lags: Delays = field(default_factory=Delays)
    _second_cpu: float = field(default_factory=time.process_time)
    _second_at: float = field(default_factory=time.perf_counter)

    @property
    def now(self) -> float:
        """Seconds since the run began."""
        return time.perf_counter() - self.begun

    def mark(self, what: str) -> None:
        """Something happened."""
        self.marks.append((round(self.now, 2), what))

    def lag(self, seconds: float) -> None:
        """The generator was late by so much."""
        self._lags.add((seconds,))

    @property
    def busy(self) -> float:
        """The share of a core that the generator used."""
        return (time.process_time() - self._cpu) / max(1e-9, self.now)

    @property
    def lags_ms(self) -> dict[str, float]:
        """How late the generator was."""
        return self._lags.quantiles_ms()

    def turn_second(self) -> dict[str, float]:
        """Close a second; its row."""
        now, cpu = time.perf_counter(), time.process_time()
        length = max(1e-9, now - self._second_at)
        rates = {name: (value - self._before[name]) / length for name, value in self.counts.items()}
        row = {"at": round(self.now, 2), **rates, **self.gauges, **self.delivery.turn_second()}
        row["busy"] = (cpu - self._second_cpu) / length
        self.acknowledgement.turn_second()
        self._before = Counter(self.counts)
        self._second_at, self._second_cpu = now, cpu
        self.seconds.append(row)
        return row

    def result(self) -> dict[str, Any]:
        """Everything, for a report."""
        return {
            "seconds": round(self.now, 2),
            "counts": dict(self.counts),
            "delivery_ms": self.delivery.quantiles_ms(),
            "deliveries": self.delivery.count,
            "acknowledgement_ms": self.acknowledgement.quantiles_ms(),
            "generator": {"busy": round(self.busy, 3), "lag_ms": self.lags_ms},
            "marks": self.marks,
        }


async def beat(meters: Meters, every_s: float = 0.05) -> None:
    """Ask the generator's own loop how late it is, for as long as the task lives."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + every_s
        await asyncio.sleep(every_s)
        meters.lag(max(0.0, loop.time() - due))
