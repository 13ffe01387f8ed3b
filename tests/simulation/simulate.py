"""One run from one seed: a cluster, people, what goes wrong, the calm after it, and the verdict."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import structlog

from channels import accounts, replays, requests, rooms
from channels import communities as places
from channels.accounts import hash_token
from channels.desk import Actor, Desk
from gateway import hearing
from realtime import hub, recent, recovery
from realtime.models import Reading
from realtime.posts import CommunityCreate, CommunityRef
from realtime.requests import RoomCreate, RoomOpen
from storage.accounts import insert_session
from tests.simulation import loop
from tests.simulation.cluster import Cluster
from tests.simulation.devices import Device
from tests.simulation.disk import empty_schema
from tests.simulation.ending import Ending
from tests.simulation.history import History, Judge
from tests.simulation.script import Nemesis, People, evening
from tests.simulation.world import World

NAMES = ("aoi", "ren", "yui", "sora", "mio", "haru")


# Constants that no run of a few hundred entries would reach. Odd seeds run with these.
SMALL = (
    (recovery, "CHANNEL_ENTRIES_MAX", 12),
    (recovery, "CONNECTION_ENTRIES_MAX", 40),
    (hearing, "CHANNEL_ENTRIES_MAX", 12),
    (hearing, "PORTION_ENTRIES", 7),
    (replays, "QUERY_ENTRIES_MAX", 30),
    (recent, "ENTRIES_MAX", 24),
    (hub, "HELD_MAX", 4),
)


@dataclass(slots=True)
class Verdict:
    """How a run ended. `trace` is kept if it was asked for."""

    seed: int
    violations: list[str]
    fired: Counter[str]
    trace_hash: str
    virtual_s: float
    frames: int
    trace: list[str] = field(default_factory=list)


@functools.cache
def schema() -> bytes:
    """The migrated database that every run begins with."""
    return empty_schema()


def simulate(seed: int, *, clocks: int = 1, keep_trace: bool = False) -> Verdict:
    """Run one seed. `clocks` 0 sets the nodes' wall clocks right."""
    found: list[Verdict] = []
    tight = seed % 2 == 1

    async def main() -> None:
        world = World(seed)
        world.lines = [] if keep_trace else None
        with quiet(world):
            found.append(await _run(world, clocks))

    with bounds(SMALL if tight else ()):
        loop.run(main())
    return found[0]


@contextlib.contextmanager
def bounds(small: Iterable[tuple[Any, str, int]]) -> Iterator[None]:
    """Other values for constants of production while a run lasts."""
    with contextlib.ExitStack() as stack:
        for where, name, value in small:
            stack.enter_context(patch.object(where, name, value))
        yield


async def _run(world: World, clocks: int) -> Verdict:
    began = world.now()
    cluster = Cluster(world, schema(), world.random.choice((1, 2, 2, 3)), clocks)
    history = History(world)
    await cluster.start()
    people = await settle_in(cluster, history)
    await evening(world, people, Nemesis(cluster))
    ending = Ending(cluster, people)
    await ending.calm_down()
    ending.compare()
    Judge(history, cluster.disk).all()
    ending.close()
    return Verdict(
        world.seed,
        world.violations,
        world.fired,
        world.trace_hash,
        world.now() - began,
        len(history.told),
        world.lines or [],
    )


async def settle_in(cluster: Cluster, history: History) -> People:
    """People who follow each other, their devices, groups and DMs."""
    world = cluster.world
    chance = random.Random(f"{world.seed}/people")
    node = cluster.nodes[0].node
    assert node is not None
    desk = node.desk
    names = NAMES[: chance.randint(3, 5)]
    actors: list[Actor] = []
    devices: list[Device] = []
    for name in names:
        made = await desk.db.write(lambda tx, name=name: accounts.create_account(tx, name, name, "first"))  # type: ignore[misc]  # bound now
        actors.append(Actor(made.account.id, made.session, name, name))
        for number in range(chance.choice((1, 1, 2))):
            devices.append(await _device(cluster, history, desk, made.account.id, f"{name}{number}"))
    for a in names:
        for b in names:
            if a != b:
                await desk.db.write(lambda tx, a=a, b=b: accounts.follow(tx, a, b))  # type: ignore[misc]  # bound now
    groups = []
    for number, reading in enumerate((Reading.FROM_JOIN, Reading.ALL)):
        inside = [actor.account for actor in actors[1:] if chance.random() < 0.8]
        wanted = RoomCreate(title=f"集い{number}", nonce=f"g{number}", accounts=inside, reading=reading)
        groups.append((await rooms.create(desk, actors[0], wanted)).id)
    communities = [await _community(desk, actors, number) for number in range(2)]
    people = People(cluster, history, devices, (groups, communities))
    for a, b in itertools.pairwise(actors):
        room = await requests.open_dm(desk, a, RoomOpen(account=b.account))
        people.pairs[a.account, b.account] = people.pairs[b.account, a.account] = room.id
    return people


async def _community(desk: Desk, actors: list[Actor], number: int) -> str:
    made = await places.create(desk, actors[0], CommunityCreate(name=f"窓{number}", nonce=f"c{number}"))
    for actor in actors[1 + number :]:
        await places.join(desk, actor, CommunityRef(community=made.id))
    return made.id


async def _device(cluster: Cluster, history: History, desk: Desk, account: str, token: str) -> Device:
    def unit(tx: Any) -> str:
        session: str = tx.new_id()
        insert_session(tx, session, account, hash_token(token), token)
        return session

    return Device(cluster, history, account, await desk.db.write(unit), token)


@contextlib.contextmanager
def quiet(world: World) -> Iterator[None]:
    """Logs go to the trace; what production calls an error is a violation."""

    def keep(logger: Any, method: str, event: dict[str, Any]) -> Any:
        if method in ("error", "exception"):
            cause = event.get("exc_info")
            world.violated("no faults", f"{event['event']}: {cause!r}")
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[keep], cache_logger_on_first_use=False)

    def failure(_: Any, context: dict[str, Any]) -> None:
        world.violated("no faults", f"{context.get('message')}: {context.get('exception')!r}")

    asyncio.get_running_loop().set_exception_handler(failure)
    try:
        yield
    finally:
        structlog.configure(**before)
