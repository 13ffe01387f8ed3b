"""`./run loadtest SCENARIO`, `tsudoi loadtest SCENARIO`, `python -m loadtest SCENARIO`."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import orjson
import uvloop

from loadtest.bench.machine import allow_files, take_last_core
from loadtest.people import live, report
from loadtest.people.ground import Ground, spawned
from loadtest.people.run import Run
from loadtest.people.scenarios import SCENARIOS, Scenario, wish_of
from loadtest.serving import ServingError, read_circles

LISTED = "\n".join(f"  {each.name:<9} {each.summary} ({each.people:,} people)" for each in SCENARIOS.values())


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=f"""\b
Scenarios:
{LISTED}

\b
Examples:
  ./run loadtest match --spawn --people 5000 --rate 20 --seconds 60
  ./run loadtest chatter --spawn --nodes 2 --database-url postgresql://… --redis-url redis://… --kill
  tsudoi seed --people 500 --communities 1 > people.jsonl
  ./run loadtest chatter --url https://tsudoi.example --tokens people.jsonl --report out

\b
Ends with 0 if every promise held, 1 if one was broken, 3 if the load was busier than what it measured.
""",
)
@click.argument("scenario", type=click.Choice(list(SCENARIOS)))
@click.option("--spawn", is_flag=True, help="Start a server for this run, with data that is thrown away.")
@click.option("--url", help="Or play on this server; needs --tokens.")
@click.option(
    "--tokens",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What `tsudoi seed --people` printed there.",
)
@click.option("--people", type=click.IntRange(20, 50_000), help="How many.")
@click.option("--rate", type=click.FloatRange(0.1, 100_000), help="Lines a second, of all together.")
@click.option("--seconds", type=click.FloatRange(3, 86_400), help="How long.")
@click.option("--seed", default=1, show_default=True, help="The same seed is the same evening.")
@click.option(
    "--whole",
    type=click.IntRange(20, 10_000),
    default=200,
    show_default=True,
    help="match: so many watch with whole clients.",
)
@click.option(
    "--nodes",
    type=click.IntRange(1, 16),
    default=1,
    show_default=True,
    help="Processes to start; several need both URLs.",
)
@click.option("--database-url", default="", help="PostgreSQL for --spawn; the database should be empty.")
@click.option("--redis-url", default="", help="Redis or Valkey for --spawn.")
@click.option("--kill", is_flag=True, help="chatter, presence: kill -9 a node.")
@click.option(
    "--report",
    "place",
    type=click.Path(path_type=Path),
    help="Write report.html and report.json into this directory.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def main(scenario: str, **options: Any) -> None:
    """Simulated people talk on a Tsudoi server, and an oracle holds every word they were told against the server's history."""
    chosen = SCENARIOS[scenario]
    try:
        run = _play(chosen, options)
    except ServingError as error:
        raise click.ClickException(str(error)) from None
    title = f"{chosen.name}: {chosen.summary}"
    found = report.facts(run, title)
    if options["place"] is not None:
        click.echo(f"report: {report.write(run, title, options['place'])}", err=True)
    if options["as_json"]:
        click.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
    else:
        click.echo(_summary(found))
    sys.exit(1 if run.verdict.faults else 3 if run.verdict.void else 0)


def _play(chosen: Scenario, options: dict[str, Any]) -> Run:
    wish = wish_of(chosen, options["people"], options["rate"], options["seconds"], options["seed"])
    wish = replace(wish, whole=min(options["whole"], wish.people), kill_at=0.5 if options["kill"] else 0.0)
    with _ground(chosen, wish.people, options) as ground:
        there = sum(len(circle.tokens) for circle in ground.circles)
        if there < wish.people + chosen.besides:
            raise ServingError(
                f"{wish.people + chosen.besides:,} people are wished, and {there:,} are there."
            )
        if "communities" in chosen.ground and not ground.circles[0].communities:
            raise ServingError(
                f"{chosen.name} needs people who share a community: `tsudoi seed --communities 1`."
            )
        # Each of the people is an open file; the ordinary soft limit is 1,024.
        allow_files()
        if options["nodes"] == 1:
            take_last_core()
        run = Run(ground, wish)
        uvloop.run(_evening(run, chosen))
        return run


@contextlib.contextmanager
def _ground(chosen: Scenario, people: int, options: dict[str, Any]) -> Iterator[Ground]:
    if options["spawn"] == bool(options["url"]):
        raise ServingError("Say --spawn, or --url with --tokens.")
    if options["url"]:
        if options["tokens"] is None:
            raise ServingError(
                "--url needs --tokens: what `tsudoi seed --people` printed beside that server."
            )
        yield Ground(options["url"], read_circles(options["tokens"].read_text(encoding="utf-8")))
        return
    click.echo(f"making {people:,} people …", err=True)
    wish = chosen.spawn(
        people,
        nodes=options["nodes"],
        database_url=options["database_url"],
        redis_url=options["redis_url"],
    )
    with spawned(wish) as ground:
        yield ground


async def _evening(run: Run, chosen: Scenario) -> None:
    with live.shown(run) as show:
        ticking = asyncio.ensure_future(run.tick(show))
        try:
            await chosen.play(run)
        finally:
            ticking.cancel()
            await run.dismiss()


def _summary(found: dict[str, Any]) -> str:
    verdict = {"good": "every promise held", "void": "void", "faults": "PROMISES WERE BROKEN"}[
        found["verdict"]
    ]
    rows: list[tuple[str, Any]] = [
        ("verdict", verdict),
        ("people", f"{found['people']:,} ({found['whole clients']:,} whole clients)"),
        (
            "lines",
            f"{found['counts'].get('lines', 0):,} acknowledged, {found['deliveries']:,} deliveries measured",
        ),
        ("delivery ms", _quantiles(found["delivery_ms"])),
        ("acknowledged ms", _quantiles(found["acknowledgement_ms"])),
        *(
            (name, _quantiles(value) if isinstance(value, dict) else value)
            for name, value in found["figures"].items()
        ),
        *((name, count) for name, count in found["counts"].items() if name not in ("lines", "deliveries")),
        *(
            (f"target: {name}", "reached" if reached else "not reached")
            for name, reached in found["targets"].items()
        ),
        *((f"fault: {name}", count) for name, count in found["faults"].items()),
        *(("void", why) for why in found["void"]),
    ]
    lines = [f"{name:<34} {value}" for name, value in rows]
    shown = [
        f"  {each['kind']} {each['who']} {each['channel']} {each['seq']} {each['what']}"
        for each in found["first faults"][:10]
    ]
    return "\n".join([found["scenario"], *lines, *shown])


def _quantiles(found: dict[str, float]) -> str:
    return "  ".join(f"{name} {value:.1f}" for name, value in found.items()) or "nothing measured"
