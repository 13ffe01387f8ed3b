"""Replays: reads that come together are read together, and nobody gets half a stretch."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Coroutine
from typing import Any

import orjson
import pytest

from channels.replays import QUERY_ENTRIES_MAX, Replays
from realtime.channel import Replay
from realtime.recovery import Stretch
from storage.database import StorageUnavailable
from tests.support.waiting import until
from tests.support.world import World


class Reads:
    """Replays over a world's desk, with the tasks it started."""

    def __init__(self, world: World) -> None:
        self.tasks: list[asyncio.Task[Any]] = []
        self.replays = Replays(world.desk, self._spawn)

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        self.tasks.append(asyncio.create_task(work))


async def spoken(world: World, lines: int) -> str:
    """A group with so many lines; the channel's name."""
    aki = await world.person("aki")
    room = await world.group(aki)
    for _ in range(lines):
        await world.say(aki, room.id)
    return room.channel


def seqs(replay: Replay | None) -> list[int]:
    """The seqs among a replay's frames."""
    assert replay is not None
    data, found = replay.seen_by("anyone", frozenset()), []
    while data:
        size, start = data[1], 2
        if size == 126:
            size, start = int.from_bytes(data[2:4], "big"), 4
        found.append(orjson.loads(data[start : start + size])["seq"])
        data = data[start + size :]
    return found


async def test_equal_and_overlapping_wishes_of_a_moment_are_one_query(world: World) -> None:
    channel = await spoken(world, 9)
    reads = Reads(world)
    wishes = [Stretch(channel, 3, 6), Stretch(channel, 3, 6), Stretch(channel, 5, 9)]
    found = await asyncio.gather(*(reads.replays.read([wish]) for wish in wishes))
    assert reads.replays.queries == 1
    assert reads.replays.shared == 1
    assert found[0][0] is found[1][0]
    assert seqs(found[0][0]) == [4, 5, 6]
    assert seqs(found[2][0]) == [6, 7, 8, 9]


async def test_a_stretch_that_the_log_does_not_hold_whole_is_none(world: World) -> None:
    channel = await spoken(world, 2)
    reads = Reads(world)
    assert await reads.replays.read([Stretch(channel, 0, 99), Stretch("room:none", 0, 1)]) == [None, None]


async def test_who_comes_while_a_query_runs_is_served_by_the_next(world: World) -> None:
    channel = await spoken(world, 5)
    reads = Reads(world)
    first = asyncio.create_task(reads.replays.read([Stretch(channel, 0, 2)]))
    await until(lambda: reads.replays.queries == 1)
    later = await asyncio.gather(*(reads.replays.read([Stretch(channel, 0, 2)]) for _ in range(20)))
    await first
    assert reads.replays.queries == 2
    assert all(replay is not None for (replay,) in later)


async def test_a_long_queue_is_read_in_bounded_queries(world: World) -> None:
    channel = await spoken(world, 1)
    reads = Reads(world)
    half = QUERY_ENTRIES_MAX // 2 + 1
    await reads.replays.read([Stretch(channel, 0, half), Stretch(channel, 1, half + 1)])
    assert reads.replays.queries == 2


async def test_trouble_of_the_database_reaches_everyone_who_waits(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise StorageUnavailable("gone")

    monkeypatch.setattr("channels.replays.entries_between", broken)
    reads = Reads(world)
    outcomes = await asyncio.gather(
        *(reads.replays.read([Stretch("room:r", 0, n)]) for n in (1, 1, 2)), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [StorageUnavailable] * 3


async def test_who_gives_up_waiting_takes_nothing_from_the_others(world: World) -> None:
    channel = await spoken(world, 3)
    reads = Reads(world)
    impatient = asyncio.create_task(reads.replays.read([Stretch(channel, 0, 3)]))
    patient = asyncio.create_task(reads.replays.read([Stretch(channel, 0, 3)]))
    await asyncio.sleep(0)
    impatient.cancel()
    (replay,) = await patient
    assert replay is not None


async def test_trouble_with_several_stretches_leaves_nothing_unlooked_at(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise StorageUnavailable("gone")

    monkeypatch.setattr("channels.replays.entries_between", broken)
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    reads = Reads(world)
    with pytest.raises(StorageUnavailable):
        await reads.replays.read([Stretch("room:r", 0, n) for n in (1, 2, 3)])
    gc.collect()
    assert complaints == []
