"""Pictures of the figures, as SVG that reads on white and on dark pages.

Used by `./run bench --plot`. The ground is transparent and every ink is of middling lightness, so that one file serves both;
letters are drawn as letters, not as shapes, which keeps the files small.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loadtest.bench.contest import LIMIT, TSUDOI, Contest

INK = "#7d8590"
OURS = "#2f81f7"
THEIRS = "#8b949e"
LEAST = "#3fb950"
WIDTH_IN = 7.6
BAR_IN = 0.34
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "tsudoi",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


@dataclass(frozen=True, slots=True)
class Bars:
    """One picture: a bar per name, on a logarithmic scale."""

    title: str
    unit: str
    values: Sequence[tuple[str, float]]


def _color(name: str) -> str:
    return OURS if name.startswith(TSUDOI) else LEAST if name == LIMIT else THEIRS


def draw(bars: Bars, path: Path) -> None:
    """Write one picture. Values that are no number have no bar."""
    values = [(name, value) for name, value in bars.values if math.isfinite(value) and value > 0]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_IN, 1.0 + BAR_IN * len(values)), layout="constrained")
        axes: Axes = figure.subplots()
        places = range(len(values))
        axes.barh(
            places, [value for _, value in values], color=[_color(name) for name, _ in values], height=0.66
        )
        axes.set_yticks(places, [name for name, _ in values])
        axes.invert_yaxis()
        axes.set_xscale("log")
        axes.set_title(bars.title, loc="left", fontsize=11, fontweight="bold")
        axes.set_xlabel(bars.unit)
        if values:
            axes.set_xlim(right=max(value for _, value in values) * 3)
        for place, (_, value) in zip(places, values, strict=True):
            axes.annotate(f" {_said(value)}", (value, place), va="center", color=INK)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        axes.tick_params(axis="y", length=0)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Without a date the same figures make the same file.
        figure.savefig(path, format="svg", transparent=True, metadata={"Date": None})


def _said(value: float) -> str:
    if value >= 1e6:
        return f"{value / 1e6:.2f} M"
    return f"{value / 1e3:.0f} k" if value >= 1e4 else f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def draw_contest(found: Contest, directory: Path) -> list[Path]:
    """A picture per load, best first; the files."""
    paths = []
    for load, servers in found.shots.items():
        values = [(name, found.per_core(load, name)) for name in servers]
        values.sort(key=lambda pair: -pair[1])
        stem = "".join(letter if letter.isalnum() else "-" for letter in load.replace(",", ""))
        path = directory / f"bench-{stem}.svg"
        draw(Bars(load, "deliveries per second and core", values), path)
        paths.append(path)
    return paths
