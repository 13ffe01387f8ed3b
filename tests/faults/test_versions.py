"""Versions that meet: a client of yesterday, and a newer gateway beside one of today (F31)."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.faults import newer
from tests.faults.cluster import Cluster, cluster, resumed
from tests.faults.evening import FULL, Evening, Gateway, evening
from tests.support.valkey import Shared
from tests.support.waiting import until

OLD_CLIENT = Path(__file__).parent / "old_client.json"


@pytest.mark.parametrize("server", ["of today", "newer"])
async def test_f31_a_client_of_yesterday_is_still_understood(server: str, tmp_path: Path) -> None:
    """The transcript is never edited: what stands there was once promised. Answers may have grown new fields."""
    gateway = Gateway({}, tmp_path / "faults")
    try:
        if server == "newer":
            gateway.harms.on("newer")
        await asyncio.to_thread(gateway.start)
        (aki,) = await gateway.people("aki")
        known: dict[str, Any] = {"$token": aki.token, "$account": aki.account.id}
        async with connect(gateway.ws_url, compression=None, subprotocols=["tsudoi.v1"]) as socket:  # type: ignore[list-item]
            await yesterday(socket, known)
        for name in ("field", "wave", "hum", "weather"):
            assert (gateway.harms.struck(name) > 0) == (server == "newer"), name
        assert gateway.complaints() == []
    finally:
        gateway.close()


async def yesterday(socket: ClientConnection, known: dict[str, Any]) -> None:
    """Play the transcript."""
    backlog: list[dict[str, Any]] = []
    for step in json.loads(OLD_CLIENT.read_text(encoding="utf-8")):
        if "send" in step:
            await socket.send(json.dumps(filled(step["send"], known)))
            continue
        async with asyncio.timeout(10):
            while not any(fits(step["gets"], frame, known) for frame in backlog):
                backlog.append(json.loads(await socket.recv()))
        backlog = [frame for frame in backlog if not fits(step["gets"], frame, known)]


async def upgrade(pair: Cluster, *, on: bool) -> None:
    """The second gateway is restarted as the newer version, or as today's again."""
    (pair.two.harms.on if on else pair.two.harms.off)("newer")
    await asyncio.to_thread(pair.two.stop)
    await asyncio.to_thread(pair.two.start)


async def everybody_moves(spent: Evening, pair: Cluster, *to: int) -> None:
    """Behind each door another gateway answers from now on, and whoever was there continues with it."""
    lives = spent.lives
    for door, number in zip(pair.doors, to, strict=True):
        door.there = pair.both[number].port
    moved = sum(door.reset() for door in pair.doors)
    await until(lambda: spent.lives >= lives + moved, "everybody continues elsewhere", 30)


async def test_f31_a_newer_gateway_beside_one_of_today(
    postgres_url: str, valkey: Shared, tmp_path: Path
) -> None:
    """Nothing that today's gateway does not know of breaks it, makes a hole, or keeps its people from theirs."""
    more = {"TSUDOI_REDIS_PREFIX": valkey.prefix}
    async with (
        cluster(tmp_path, postgres_url, valkey.url, **more) as pair,
        evening(pair.both, pair.urls(0, 1, 0), tmp_path) as spent,
    ):
        await spent.acked(20)
        await upgrade(pair, on=True)
        await spent.acked(60 if FULL else 30)
        for to in ((1, 0), (0, 1)):
            # Positions in the midst of what is unknown are continued at either.
            await everybody_moves(spent, pair, *to)
            await spent.acked(30)
        # Today's gateway begins anew with streams in which parcels of another format lie.
        await asyncio.to_thread(pair.one.stop)
        await asyncio.to_thread(pair.one.start)
        await spent.acked(30)
        for name in newer.NAMES:
            assert pair.two.harms.struck(name) > 0, name
        await pair.one.counted("tsudoi_courier_malformed_total")
        await pair.one.counted("tsudoi_healed_entries_total")
        kinds = Counter(push["ev"] for person in spent.people for push in person.client.ear.pushes)
        assert all(kinds[kind] for kind in (newer.SUNG, newer.HUMMED, newer.WAVED, "skip")), kinds
        await upgrade(pair, on=False)
        await spent.acked(30)
        assert resumed(await spent.end())
        assert [person.holes for person in spent.people] == [0, 0, 0]
        for gateway in pair.both:
            assert gateway.complaints() == []


def filled(shape: Any, known: dict[str, Any]) -> Any:
    """A shape with what is known in the places of its names."""
    if isinstance(shape, dict):
        return {filled(key, known): filled(value, known) for key, value in shape.items()}
    if isinstance(shape, list):
        return [filled(each, known) for each in shape]
    if isinstance(shape, str):
        for name in sorted(known, key=len, reverse=True):
            shape = known[name] if shape == name else shape.replace(name, str(known[name]))
            if not isinstance(shape, str):
                break
    return shape


def fits(shape: Any, frame: Any, known: dict[str, Any]) -> bool:
    """Whether a frame holds all that a shape wants; `$name` is learnt where it is met first, `*` is anything."""
    if isinstance(shape, str) and shape.startswith("$") and shape not in known:
        known[shape] = frame
        return True
    if isinstance(shape, dict):
        return isinstance(frame, dict) and all(
            key in frame and fits(value, frame[key], known)
            for key, value in filled_keys(shape, known).items()
        )
    return shape == "*" or bool(filled(shape, known) == frame)


def filled_keys(shape: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """Names among the keys."""
    return {filled(key, known): value for key, value in shape.items()}
