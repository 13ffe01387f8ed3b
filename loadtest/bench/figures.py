"""Figures of a benchmark: percentiles, medians of runs, and the table that people read."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field


def percentile(sorted_values: Sequence[float], share: float) -> float:
    """The value below which `share` (0 … 1) of the values lie; they must be sorted. NaN without values."""
    if not sorted_values:
        return float("nan")
    return sorted_values[min(len(sorted_values) - 1, int(share * len(sorted_values)))]


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: what, its unit, and the target if there is one (`<=` or `>=` and a number)."""

    name: str
    unit: str = ""
    target: str = ""


@dataclass(slots=True)
class Runs:
    """The same job several times. `doubts` say why not to believe it; `faults` are broken promises."""

    rows: Sequence[Row]
    values: dict[str, list[float]] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def add(self, values: dict[str, float], doubts: Sequence[str], faults: Sequence[str]) -> None:
        """One run."""
        for name, value in values.items():
            self.values.setdefault(name, []).append(value)
        self.doubts += doubts
        self.faults += faults

    def median(self, name: str) -> float:
        """The middle of the runs."""
        return statistics.median(self.values[name])

    def lines(self) -> list[str]:
        """A Markdown table: median, smallest, largest, target and whether the median reaches it."""
        found = ["| figure | median | runs | target |", "|---|---|---|---|"]
        for row in self.rows:
            values = self.values.get(row.name, [])
            if not values:
                continue
            spread = f"{_said(min(values))} – {_said(max(values))}"
            verdict = (
                f"{row.target} {row.unit}: {'reached' if self.reaches(row) else 'not reached'}"
                if row.target
                else ""
            )
            found.append(f"| {row.name} | {_said(self.median(row.name))} {row.unit} | {spread} | {verdict} |")
        found += [f"- {doubt}" for doubt in self.doubts]
        found += [f"- BROKEN: {fault}" for fault in self.faults[:10]]
        return found

    def reaches(self, row: Row) -> bool:
        """True if the median is on the right side of the target."""
        relation, _, bound = row.target.partition(" ")
        value = self.median(row.name)
        return (
            value <= float(bound.replace(",", ""))
            if relation == "<="
            else value >= float(bound.replace(",", ""))
        )


def _said(value: float) -> str:
    if math.isnan(value):
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.2f}".rstrip("0").rstrip(".")
