"""The commands of the hot path: `fanout`, `rooms`, `many`, `two-nodes`, `peers`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click
import orjson

from loadtest.bench import contest, hot
from loadtest.bench.console import finish, where
from loadtest.bench.figures import Row, Runs
from loadtest.bench.home import Home, home
from loadtest.bench.hot import Bench, Outcome
from loadtest.bench.loads import MANY, ROOMS, Load, Span
from loadtest.bench.peering import peers_home
from loadtest.bench.shots import Generator
from loadtest.serving import Circle

Round = Callable[[Bench, Home, Sequence[Circle]], Outcome]


def add_to(group: click.Group) -> None:
    """Make the commands known."""
    for command in (run_fanout, run_rooms, run_many, run_two_nodes, run_peers):
        group.add_command(command)


def _bench(options: dict[str, Any]) -> Bench:
    return Bench(Generator(options["generator"]), Span(options["seconds"]), options["limit"])


def _rounds(options: dict[str, Any], runs: Runs, one: Callable[[], Outcome]) -> None:
    for number in range(options["runs"]):
        click.echo(f"run {number + 1} of {options['runs']} …", err=True)
        runs.add(*one())


def _job(options: dict[str, Any], place: Home, rows: Sequence[Row], one: Callable[[], Outcome]) -> Runs:
    runs = Runs(rows)
    _rounds(options, runs, one)
    finish(options, f"{click.get_current_context().info_name}, {where(place)}", runs)
    return runs


@click.command("fanout")
@click.pass_obj
def run_fanout(options: dict[str, Any]) -> None:
    """One event to 100, 1,000 and 5,000 people."""
    with home(options["settings"]) as place:
        circles = hot.seed_big(place)
        _job(options, place, hot.FANOUT, lambda: hot.fanout(_bench(options), place, circles))


@click.command("rooms")
@click.pass_obj
def run_rooms(options: dict[str, Any]) -> None:
    """Events to random ones of 1,000 rooms of 10."""
    with home(options["settings"]) as place:
        circles = _room_people(place)
        _job(options, place, hot.ROOMS_ROWS, lambda: hot.rooms(_bench(options), place, circles))


def _room_people(place: Home) -> list[Circle]:
    return place.seed(ROOMS.connections, hot.GROUP)


@click.command("many")
@click.pass_obj
def run_many(options: dict[str, Any]) -> None:
    """10,000 events a second to 50 connections that hear them all."""
    with home(options["settings"]) as place:
        circles = place.seed(MANY.connections, MANY.connections, MANY.channels)
        _job(options, place, hot.MANY_ROWS, lambda: hot.many(_bench(options), place, circles))


@click.command("two-nodes")
@click.option("--rate", type=float, help="Events a second; without it, what uses 40 % of a core.")
@click.pass_obj
def run_two_nodes(options: dict[str, Any], rate: float | None) -> None:
    """The rooms through Redis: what two gateways cost together, against one. Needs both URLs."""
    with home(options["settings"]) as place:
        if len(place.settings) < 2:
            raise click.UsageError("two nodes need --database-url and --redis-url")
        bench, circles = _bench(options), _room_people(place)
        chosen = rate or hot.rate_for_two(bench, place, circles)
        _job(options, place, hot.TWO_ROWS, lambda: hot.two_nodes(bench, place, circles, chosen))


@click.command("peers")
@click.option("--only", default="", help="Only peers whose names contain this.")
@click.pass_obj
def run_peers(options: dict[str, Any], only: str) -> None:
    """The same loads on Tsudoi and on other people's servers, in turn.

    The first time, each is installed into an environment of its own under the data directory; Node and nats-server are
    used if they are there.
    """
    with home(options["settings"]) as place:
        big, small = hot.seed_big(place), _room_people(place)

        def circles(load: Load) -> Sequence[Circle]:
            return small if load.group else big

        found = contest.Contest(only=only)
        bench = _bench(options)
        for number in range(options["runs"]):
            click.echo(f"round {number + 1} of {options['runs']} …", err=True)
            contest.run_round(found, bench, place, circles, peers_home())
            if options["path"] is not None:
                # A round takes minutes: what is there, is there.
                options["path"].write_bytes(orjson.dumps(found.report(), option=orjson.OPT_INDENT_2))
        click.echo("\n".join(found.lines()))
        if options["plot"] is not None:
            from loadtest.bench.plots import draw_contest

            draw_contest(found, options["plot"])
