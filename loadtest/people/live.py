"""What a run shows while it lasts: a table in the terminal, or a line each ten seconds where there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.table import Table

from loadtest.people.run import Run

PLAIN_EVERY = 10


def _table(run: Run, row: dict[str, float]) -> Table:
    table = Table(
        title=f"{run.phase} · {row.get('at', 0):.0f} s", title_justify="left", show_header=False, box=None
    )
    table.add_column(style="dim", min_width=22)
    table.add_column(justify="right", min_width=12)

    def line(name: str, value: str) -> None:
        table.add_row(name, value)

    line("people live", f"{run.meters.gauges.get('live', 0):,.0f}")
    line("lines/s", f"{row.get('lines', 0):,.1f}")
    line("deliveries/s", f"{row.get('deliveries', 0):,.0f}")
    line("delivered p50 / p99", f"{row.get('p50', 0):,.1f} / {row.get('p99', 0):,.1f} ms")
    line("holes and the like", f"{faults(run):,}")
    line(
        "told to reload",
        f"{sum(p.ledger.reloads for p in run.people) + sum(w.reloads for w in run.watchers):,}",
    )
    line("the load's own core", f"{row.get('busy', 0):.0%}")
    for name, count in sorted(run.meters.counts.items()):
        if name.startswith(("refused", "lost", "given up")):
            line(name, f"{count:,}")
    return table


def faults(run: Run) -> int:
    """Broken promises seen on the wire so far."""
    return sum(len(p.ledger.faults()) for p in run.people) + sum(len(w.faults) for w in run.watchers)


def _plain(run: Run, row: dict[str, float]) -> str:
    return (
        f"{row['at']:6.0f} s  {run.phase}: {run.meters.gauges.get('live', 0):.0f} live, {row.get('lines', 0):.1f} lines/s,"
        f" {row.get('deliveries', 0):.0f} deliveries/s, p99 {row.get('p99', 0):.1f} ms, faults {faults(run)},"
        f" load {row.get('busy', 0):.0%}"
    )


@contextmanager
def shown(run: Run) -> Iterator[Callable[[dict[str, float]], None]]:
    """Something to call once a second with the row of that second."""
    console = Console(stderr=True)
    if not console.is_terminal:

        def plainly(row: dict[str, float]) -> None:
            if len(run.meters.seconds) % PLAIN_EVERY == 0:
                console.print(_plain(run, row), highlight=False, soft_wrap=True)

        yield plainly
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        yield lambda row: live.update(_table(run, row), refresh=True)
