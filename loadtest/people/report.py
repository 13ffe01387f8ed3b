"""The report of a run: one HTML page with plots, for operators, and the same figures as JSON, for programs."""

from __future__ import annotations

import html
import io
from pathlib import Path
from typing import Any

import orjson

from loadtest.people.run import Run

FAULTS_SHOWN = 50
INK, FAINT, WARM, COOL = "#3d3a36", "#b9b2a8", "#d9653b", "#2f7f86"
STYLE = """
body{font:16px/1.6 system-ui,sans-serif;color:#3d3a36;background:#faf7f2;max-width:56rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}table{border-collapse:collapse}td{padding:.15rem 1.2rem .15rem 0;vertical-align:top}
td:last-child{font-variant-numeric:tabular-nums}.good{color:#2f6b3c}.bad{color:#a8321a}svg{max-width:100%;height:auto}
@media(prefers-color-scheme:dark){body{color:#e9e3d9;background:#211f1c}.good{color:#8fd19e}.bad{color:#ff9b80}svg{background:#faf7f2;border-radius:.5rem}}
"""


def facts(run: Run, title: str) -> dict[str, Any]:
    """Everything a program would want to know."""
    verdict = run.verdict
    return {
        "scenario": title,
        "verdict": "good" if verdict.good else "void" if not verdict.faults else "faults",
        "people": len(run.people) + len(run.watchers),
        "whole clients": len(run.people),
        "rate": run.wish.rate,
        "seed": run.wish.seed,
        "faults": verdict.kinds,
        "first faults": [fault._asdict() for fault in verdict.faults[:FAULTS_SHOWN]],
        "void": verdict.void,
        "targets": verdict.targets,
        "figures": run.figures,
        **run.meters.result(),
        "per second": run.meters.seconds,
        "curve": run.meters.delivery.curve(),
    }


def write(run: Run, title: str, place: Path) -> Path:
    """`report.html` and `report.json` in a directory that is made if it is not there; the page's path."""
    place.mkdir(parents=True, exist_ok=True)
    found = facts(run, title)
    (place / "report.json").write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2))
    page = place / "report.html"
    page.write_text(_page(found), encoding="utf-8")
    return page


def _page(found: dict[str, Any]) -> str:
    verdict = {
        "good": '<p class="good">Every promise held: nothing was lost, doubled, out of order, changed, or told to the wrong person.</p>',
        "void": '<p class="bad">The run is void: the load was busier than what it measured.</p>',
        "faults": '<p class="bad">Promises were broken; see the faults below.</p>',
    }[found["verdict"]]
    head = {
        "people": f"{found['people']:,} ({found['whole clients']:,} whole clients)",
        "seconds": found["seconds"],
        "wished lines/s": found["rate"],
        "lines acknowledged": f"{found['counts'].get('lines', 0):,}",
        "deliveries measured": f"{found['deliveries']:,}",
        "seed": found["seed"],
    }
    parts = [
        f"<h1>Load test: {html.escape(found['scenario'])}</h1>",
        verdict,
        _table(head),
        "<h2>How long it took, in ms</h2>",
        _table(
            {
                "on the others' screens": _quantiles(found["delivery_ms"]),
                "acknowledged": _quantiles(found["acknowledgement_ms"]),
            }
        ),
        _plot_seconds(found),
        _plot_curve(found["curve"]),
        "<h2>Figures to aim for</h2>",
        _table({name: "reached" if reached else "not reached" for name, reached in found["targets"].items()})
        or "<p>None.</p>",
        "<h2>What else was seen</h2>",
        _table(
            {
                **found["figures"],
                **found["counts"],
                "load's lag, ms": _quantiles(found["generator"]["lag_ms"]),
            }
        ),
        _faults(found),
    ]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Load test: {html.escape(found['scenario'])}</title><style>{STYLE}</style>{''.join(parts)}</html>"
    )


def _faults(found: dict[str, Any]) -> str:
    if not found["faults"]:
        return "<h2>Faults</h2><p class='good'>None.</p>"
    kinds = _table({name: f"{count:,}" for name, count in found["faults"].items()})
    rows = "".join(
        f"<tr><td>{html.escape(each['kind'])}</td><td>{html.escape(each['who'])}</td><td>{html.escape(each['channel'])}"
        f"</td><td>{each['seq']}</td><td>{html.escape(each['what'])}</td></tr>"
        for each in found["first faults"]
    )
    return f"<h2>Faults</h2>{kinds}<table>{rows}</table>"


def _table(rows: dict[str, Any]) -> str:
    if not rows:
        return ""
    cells = "".join(
        f"<tr><td>{html.escape(str(name))}</td><td>{html.escape(_value(value))}</td></tr>"
        for name, value in rows.items()
    )
    return f"<table>{cells}</table>"


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return _quantiles(value)
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def _quantiles(found: dict[str, float]) -> str:
    return " · ".join(f"{name} {value:,.1f}" for name, value in found.items()) or "nothing measured"


def _figure(height: float) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, height), facecolor="#faf7f2", layout="constrained")
    axes = figure.subplots()
    axes.set_facecolor("#faf7f2")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=INK)
    return figure, axes


def _svg(figure: Any) -> str:
    from matplotlib import rc_context

    data = io.StringIO()
    with rc_context({"svg.fonttype": "none", "font.family": "sans-serif"}):
        figure.savefig(data, format="svg", metadata={"Date": None})
    text = data.getvalue()
    return text[text.index("<svg") :]


def _plain(axis: Any) -> None:
    """Milliseconds as people write them."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    axis.set_minor_formatter(NullFormatter())


def _plot_seconds(found: dict[str, Any]) -> str:
    rows = found["per second"]
    if len(rows) < 2:
        return ""
    figure, axes = _figure(3.6)
    at = [row["at"] for row in rows]
    for name, colour in (("p50", COOL), ("p99", WARM)):
        axes.plot(
            at,
            [row.get(name, float("nan")) for row in rows],
            color=colour,
            label=f"{name}, ms",
            linewidth=1.6,
        )
    axes.set_yscale("log")
    _plain(axes.yaxis)
    axes.set_xlabel("seconds")
    axes.set_ylabel("ms to the others' screens")
    for when, what in found["marks"]:
        axes.axvline(when, color=INK, linewidth=0.8, linestyle=":")
        axes.annotate(
            what, (when, 1), xycoords=("data", "axes fraction"), rotation=90, va="top", ha="right", fontsize=8
        )
    twin = axes.twinx()
    twin.set_facecolor("#faf7f2")
    twin.spines["top"].set_visible(False)
    twin.fill_between(at, [row.get("deliveries", 0) for row in rows], color=FAINT, alpha=0.35, linewidth=0)
    twin.set_ylabel("deliveries/s")
    axes.set_zorder(twin.get_zorder() + 1)
    axes.patch.set_visible(False)
    axes.legend(loc="upper left", frameon=False)
    return "<h2>Second by second</h2>" + _svg(figure)


def _plot_curve(curve: list[tuple[float, float]]) -> str:
    if not curve:
        return ""
    figure, axes = _figure(3.0)
    axes.plot(
        [1 / max(1e-6, 1 - share) for share, _ in curve], [ms for _, ms in curve], color=COOL, linewidth=1.8
    )
    axes.set_xscale("log")
    axes.set_yscale("log")
    _plain(axes.yaxis)
    ticks = [
        (1, "all"),
        (2, "p50"),
        (10, "p90"),
        (100, "p99"),
        (1_000, "p99.9"),
        (10_000, "p99.99"),
        (100_000, "p99.999"),
    ]
    axes.set_xticks([tick for tick, _ in ticks], [name for _, name in ticks])
    axes.set_ylabel("ms to the others' screens")
    return "<h2>How many waited how long</h2>" + _svg(figure)
