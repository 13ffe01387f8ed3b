"""What the commands of `./run bench` share: running a job, telling its figures, where it ran."""

from __future__ import annotations

import sys
from typing import Any

import click
import orjson
import uvloop

from loadtest.bench.figures import Runs
from loadtest.bench.home import Home

Outcome = tuple[dict[str, float], list[str], list[str]]


def finish(options: dict[str, Any], title: str, runs: Runs) -> None:
    """Print the table, write the file if one is wished; a broken promise ends the program with 1."""
    click.echo(f"\n{title}\n")
    click.echo("\n".join(runs.lines()))
    if options["path"] is not None:
        found = {"job": title, "values": runs.values, "doubts": runs.doubts, "faults": runs.faults}
        options["path"].write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2))
    if runs.faults:
        sys.exit(1)


def where(place: Home) -> str:
    """Which database and courier."""
    return "PostgreSQL and Redis" if place.settings.get("DATABASE_URL") else "SQLite, embedded"


def run(work: Any) -> Outcome:
    """Run a job's coroutine to its end."""
    outcome: Outcome = uvloop.run(work)
    return outcome
