"""`./run bench JOB`: run a benchmark on this machine and print its figures as a table for docs/benchmarks.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import uvloop

from loadtest.bench import crowd, durable, hot_commands, latency, resume
from loadtest.bench.console import finish, run, where
from loadtest.bench.figures import Runs
from loadtest.bench.home import home
from loadtest.bench.machine import allow_files, take_last_core


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--runs", default=3, show_default=True, help="How often; the median counts.")
@click.option("--seconds", default=8.0, show_default=True, help="How long a run measures.")
@click.option(
    "--database-url", default="", help="PostgreSQL instead of SQLite; the database should be empty."
)
@click.option("--redis-url", default="", help="Redis or Valkey instead of the in-process courier.")
@click.option(
    "--generator",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Another load generator for the hot path (docs/benchmarks.md).",
)
@click.option(
    "--limit",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The least a server can do, measured beside it.",
)
@click.option("--plot", type=click.Path(file_okay=False, path_type=Path), help="Draw the figures into there.")
@click.option("--json", "path", type=click.Path(path_type=Path), help="Write the figures there too.")
@click.pass_context
def cli(context: click.Context, /, **options: Any) -> None:
    """Benchmarks of this checkout, on this machine.

    \b
    Each starts a server of its own on the first core, with data that is thrown away, and the load on the last core. A
    run in which the load had no time left is void and says so; strangers' work is reported.

    \b
    Examples:
      ./run bench durable
      ./run bench --runs 5 latency
      ./run bench --database-url postgresql://… --redis-url redis://… durable
      ./run bench fanout
      ./run bench --plot docs/images peers
    """
    settings = {"DATABASE_URL": options["database_url"], "REDIS_URL": options["redis_url"]}
    context.obj = {**options, "settings": {name: value for name, value in settings.items() if value}}
    take_last_core()
    allow_files()


@cli.command("durable")
@click.pass_obj
def run_durable(options: dict[str, Any]) -> None:
    """Messages acknowledged after fsync, 64 senders, groups of 10."""
    with home(options["settings"]) as place:
        clustered = bool(place.settings.get("DATABASE_URL"))
        runs = Runs(durable.CLUSTERED if clustered else durable.EMBEDDED)
        circles = place.seed(durable.SENDERS * durable.GROUP, durable.GROUP)
        for number in range(options["runs"]):
            click.echo(f"run {number + 1} of {options['runs']} …", err=True)
            with place.server() as server:
                runs.add(*run(durable.run(server, circles, options["seconds"])))
        finish(options, f"durable, {where(place)}", runs)


@cli.command("latency")
@click.option("--nodes", type=click.IntRange(1, 2), default=1, show_default=True, help="Two need both URLs.")
@click.pass_obj
def run_latency(options: dict[str, Any], nodes: int) -> None:
    """From send to the other one's socket, on an idle server."""
    with home(options["settings"]) as place:
        if nodes == 2 and len(place.settings) < 2:
            raise click.UsageError("two nodes need --database-url and --redis-url")
        runs = Runs(latency.TWO_NODES if nodes == 2 else latency.SAME_NODE)
        (circle,) = place.seed(2, 2)
        for _ in range(options["runs"]):
            with place.server() as one:
                if nodes == 2:
                    with place.server() as two:
                        runs.add(*run(latency.run([one, two], circle, options["seconds"])))
                else:
                    runs.add(*run(latency.run([one], circle, options["seconds"])))
        finish(options, f"latency, {where(place)}, {nodes} node(s)", runs)


@cli.command("resume")
@click.pass_obj
def run_resume(options: dict[str, Any]) -> None:
    """10,000 positions of 20 people at once, something missed in every room."""
    with home(options["settings"]) as place:
        memory, log = Runs(resume.ROWS), Runs(resume.ROWS)
        for _ in range(options["runs"]):
            (circle,) = place.seed(resume.PEOPLE, resume.PEOPLE, resume.ROOMS)
            with place.server() as server:
                epoch, positions = uvloop.run(resume.positions_of(server, circle))
                uvloop.run(resume.speak(server, circle))
                memory.add(*run(resume.run(server, circle, epoch, positions)))
            with place.server() as server:
                log.add(*run(resume.run(server, circle, epoch, positions)))
        finish(options, f"resume from memory, {where(place)}", memory)
        finish(options, f"resume from the log, {where(place)}", log)


@cli.command("connect")
@click.option("--people", default=4_000, show_default=True)
@click.pass_obj
def run_connect(options: dict[str, Any], people: int) -> None:
    """Connections with authentication and the answer to `connect`, per second."""
    with home(options["settings"]) as place:
        runs = Runs(crowd.CONNECT)
        circles = place.seed(people, 10)
        for _ in range(options["runs"]):
            with place.server() as server:
                runs.add(*run(crowd.connect(server, circles)))
        finish(options, f"connect, {where(place)}", runs)


@cli.command("idle")
@click.option("--people", default=5_000, show_default=True)
@click.option("--channels", default=20, show_default=True, help="What each hears: groups, and the inbox.")
@click.option("--circle", default=10, show_default=True, help="People in each group.")
@click.option("--minutes", type=float, help="How long to watch, instead of --seconds.")
@click.pass_obj
def run_idle(options: dict[str, Any], people: int, channels: int, circle: int, minutes: float | None) -> None:
    """What a connection costs that says nothing."""
    with home(options["settings"]) as place:
        runs = Runs(crowd.IDLE if channels <= 20 else crowd.IDLE_WIDE)
        circles = place.seed(people, circle, channels - 1)
        seconds = options["seconds"] if minutes is None else minutes * 60
        for _ in range(options["runs"]):
            with place.server() as server:
                runs.add(*run(crowd.idle(server, circles, seconds)))
        finish(options, f"idle, {where(place)}", runs)


@cli.command("stampede")
@click.option("--people", default=5_000, show_default=True)
@click.pass_obj
def run_stampede(options: dict[str, Any], people: int) -> None:
    """Everybody comes back at once."""
    with home(options["settings"]) as place:
        runs = Runs(crowd.STAMPEDE)
        circles = place.seed(people + 10, 10)
        for _ in range(options["runs"]):
            with place.server() as server:
                runs.add(*run(crowd.stampede(server, circles)))
        finish(options, f"stampede, {where(place)}", runs)


hot_commands.add_to(cli)

if __name__ == "__main__":
    cli()
