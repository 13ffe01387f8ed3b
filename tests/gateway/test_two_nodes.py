"""Two nodes on one PostgreSQL and one Redis: one conversation, whatever the courier does (WIRE §4, FAULTS F3–F7)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from channels.oversight import suspend
from gateway import fanout
from gateway.offline import with_desk
from loadtest.client import Client
from storage import log
from storage.log import Draft
from tests.support.nodes import RunningNode, Start
from tests.support.valkey import Shared, ValkeyServer
from tests.support.waiting import until

Pair = tuple[RunningNode, RunningNode]
StartPair = Callable[..., Awaitable[Pair]]


@pytest.fixture
def start_pair(postgres_url: str, start_node: Start) -> StartPair:
    async def start(redis_url: str, prefix: str = "tsudoi", **fields: float) -> Pair:
        common = {"database_url": postgres_url, "redis_url": redis_url, "redis_prefix": prefix, **fields}
        return await start_node(**common), await start_node(**common)

    return start


@pytest.fixture
async def pair(start_pair: StartPair, valkey: Shared) -> Pair:
    return await start_pair(valkey.url, valkey.prefix)


async def test_friends_on_two_nodes_hear_the_same_in_the_same_order(pair: Pair) -> None:
    one, two = pair
    aki, haru = await one.friends("aki", "haru")
    async with one.client(aki) as a, two.client(haru) as h:
        room = await a.call("room.create", title="集い", accounts=[haru.account.id], nonce="1")
        await h.until(lambda: f"room:{room['id']}" in h.ear.positions)
        await asyncio.gather(*(client.say(room["id"], f"{n}") for n in range(25) for client in (a, h)))
        for client in (a, h):
            await client.until(lambda c=client: len(c.texts(room["id"])) == 50)
        channel = f"room:{room['id']}"
        heard = [
            [p for p in c.ear.pushes if p.get("ch") == channel and p["ev"] != "skip"][-50:] for c in (a, h)
        ]
        assert heard[0] == heard[1]
        assert one.node.keeper.generation != two.node.keeper.generation


async def test_what_the_command_line_does_is_carried_to_nodes_that_do_not_sweep(
    start_pair: StartPair, valkey: Shared
) -> None:
    one, _ = await start_pair(valkey.url, valkey.prefix, sweep_s=3600.0)
    ken = await one.account("ken")
    async with one.client(ken) as client:
        act = with_desk_suspend(one)
        await asyncio.to_thread(act)
        async with asyncio.timeout(1.0):
            assert await client.ended() == 4403


def with_desk_suspend(node: RunningNode) -> Callable[[], str]:
    """`account suspend`, as the command line does it beside the node."""
    return lambda: with_desk(
        node.node.settings, lambda desk: desk.db.write(lambda tx: suspend(tx, "cli", "ken", "spam"))
    )


async def test_who_leaves_on_one_node_hears_nothing_more_on_the_other(pair: Pair) -> None:
    one, two = pair
    aki, haru = await one.friends("aki", "haru")
    async with one.client(aki) as a, two.client(haru) as h, one.client(haru) as other_device:
        room = await a.call("room.create", title="集い", accounts=[haru.account.id], nonce="1")
        for client in (h, other_device):
            await client.until(lambda c=client: f"room:{room['id']}" in c.ear.positions)
        await a.say(room["id"], "before")
        await h.until(lambda: h.texts(room["id"]) == ["before"])
        await other_device.call("room.leave", room=room["id"])
        await a.say(room["id"], "after")
        await h.until(lambda: bool(h.heard("room.left")))
        await a.until(lambda: a.texts(room["id"])[-1:] == ["after"])
        await until(lambda: two.node.hub.names().count(f"room:{room['id']}") == 0)
        assert h.texts(room["id"]) == ["before"]
        assert other_device.texts(room["id"]) == ["before"]


async def test_who_comes_back_to_another_node_continues(pair: Pair) -> None:
    one, two = pair
    aki, haru = await one.friends("aki", "haru")
    async with one.client(aki) as a:
        async with one.client(haru) as h:
            room = await a.call("room.create", title="集い", accounts=[haru.account.id], nonce="1")
            await h.until(lambda: f"room:{room['id']}" in h.ear.positions)
        for n in range(10):
            await a.say(room["id"], str(n))
        async with Client(two.ws_url, haru.token, h.ear, h.epoch) as again:
            assert all(channel["recovered"] for channel in again.connected["channels"])
            await a.say(room["id"], "10")
            await again.until(lambda: len(again.texts(room["id"])) == 11)
            assert again.texts(room["id"]) == [str(n) for n in range(11)]


async def test_parcels_that_never_come_are_found_by_the_sweep(start_pair: StartPair, valkey: Shared) -> None:
    one, two = await start_pair(valkey.url, valkey.prefix, sweep_s=0.2)
    aki, haru = await one.friends("aki", "haru")
    async with one.client(aki) as a, two.client(haru) as h:
        room = await a.call("room.create", title="集い", accounts=[haru.account.id], nonce="1")
        await h.until(lambda: f"room:{room['id']}" in h.ear.positions)
        await until(lambda: f"room:{room['id']}" in two.node.hub.names())
        publish = one.node.courier.publish
        one.node.courier.publish = lambda parcel: None  # type: ignore[method-assign]
        for n in range(5):
            await a.say(room["id"], f"lost {n}")
        await h.until(lambda: len(h.texts(room["id"])) == 5)
        # A hole in the middle: the next parcel that does come reveals it.
        await a.say(room["id"], "lost too")
        one.node.courier.publish = publish  # type: ignore[method-assign]
        await a.say(room["id"], "comes")
        await h.until(lambda: len(h.texts(room["id"])) == 7)
        assert h.texts(room["id"]) == [*(f"lost {n}" for n in range(5)), "lost too", "comes"]
        assert two.node.hub.gaps >= 1
        assert two.node.fanout.healed >= 6


async def test_what_is_written_for_an_unknown_audience_is_a_skip(
    start_pair: StartPair, valkey: Shared
) -> None:
    """A newer node writes it (FAULTS F31); what comes after it is heard."""
    one, two = await start_pair(valkey.url, valkey.prefix, sweep_s=0.2)
    aki, haru = await one.friends("aki", "haru")
    async with one.client(aki) as a, two.client(haru) as h:
        room = await a.call("room.create", title="集い", accounts=[haru.account.id], nonce="1")
        name = f"room:{room['id']}"
        await h.until(lambda: name in h.ear.positions)
        draft = Draft(name, "room.updated", room["id"], aki.account.id, "z", "whom nobody knows")
        await one.node.desk.db.write(lambda tx: log.append(tx, [draft]))
        await a.say(room["id"], "after it")
        for client in (a, h):
            await client.until(lambda c=client: c.texts(room["id"]) == ["after it"])
            assert [push["ev"] for push in client.ear.pushes if push.get("ch") == name][-2:] == [
                "skip",
                "message.created",
            ]


async def test_a_fault_while_a_hole_is_read_is_tried_again(
    start_pair: StartPair, valkey: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = await start_pair(valkey.url, valkey.prefix, sweep_s=0.2)
    aki, haru = await one.friends("aki", "haru")
    async with one.client(aki) as a, two.client(haru) as h:
        room = await a.call("room.create", title="集い", accounts=[haru.account.id], nonce="1")
        await h.until(lambda: f"room:{room['id']}" in h.ear.positions)
        await until(lambda: f"room:{room['id']}" in two.node.hub.names())
        faults = [RuntimeError("a fault of ours"), RuntimeError("again")]
        entries_between = fanout.entries_between

        async def broken(*args: Any) -> Any:
            if faults:
                raise faults.pop()
            return await entries_between(*args)

        monkeypatch.setattr(fanout, "entries_between", broken)
        monkeypatch.setattr(one.node.courier, "publish", lambda parcel: None)
        await a.say(room["id"], "found all the same")
        await h.until(lambda: h.texts(room["id"]) == ["found all the same"])
        assert faults == []


async def test_redis_may_die_and_come_back_empty(start_pair: StartPair, own_valkey: ValkeyServer) -> None:
    one, two = await start_pair(own_valkey.url, sweep_degraded_s=0.1)
    aki, haru = await one.friends("aki", "haru")
    async with one.client(aki) as a, two.client(haru) as h, one.client(haru) as near:
        room = await a.call("room.create", title="集い", accounts=[haru.account.id], nonce="1")
        for client in (h, near):
            await client.until(lambda c=client: f"room:{room['id']}" in c.ear.positions)
        await asyncio.to_thread(own_valkey.kill)
        for n in range(10):
            await a.say(room["id"], f"down {n}")
        await near.until(lambda: near.texts(room["id"])[-1:] == ["down 9"], 1)
        await h.until(lambda: len(h.texts(room["id"])) == 10)
        await until(lambda: not two.node.courier.healthy)
        report = await two.node.readiness.look()
        assert report["status"] == "degraded"
        await asyncio.to_thread(own_valkey.restart_empty)
        await until(lambda: one.node.courier.healthy and two.node.courier.healthy, deadline_s=10)
        await a.say(room["id"], "back")
        await h.until(lambda: h.texts(room["id"])[-1:] == ["back"])
        assert h.texts(room["id"]) == [*(f"down {n}" for n in range(10)), "back"]


async def test_a_frozen_redis_holds_nobody_up(start_pair: StartPair, own_valkey: ValkeyServer) -> None:
    one, two = await start_pair(own_valkey.url, sweep_degraded_s=0.1)
    aki, haru = await one.friends("aki", "haru")
    async with one.client(aki) as a, two.client(haru) as h:
        room = await a.call("room.create", title="集い", accounts=[haru.account.id], nonce="1")
        await h.until(lambda: f"room:{room['id']}" in h.ear.positions)
        await asyncio.to_thread(own_valkey.pause)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for n in range(20):
            await a.say(room["id"], str(n))
        assert loop.time() - begun < 2
        await h.until(lambda: len(h.texts(room["id"])) == 20)
        await asyncio.to_thread(own_valkey.resume)
        await a.say(room["id"], "20")
        await h.until(lambda: len(h.texts(room["id"])) == 21)
        assert h.texts(room["id"]) == [str(n) for n in range(21)]


async def test_a_node_knows_its_peers(start_pair: StartPair, valkey: Shared) -> None:
    one, two = await start_pair(valkey.url, valkey.prefix, lease_renew_s=0.1)
    await until(lambda: one.node.keeper.peers and two.node.keeper.peers)
    assert (one.node.keeper.peers, two.node.keeper.peers) == (1, 1)


async def test_who_was_away_continues_on_either_node(pair: Pair) -> None:
    one, two = pair
    aki, haru = await one.friends("aki", "haru")
    async with one.client(aki) as a:
        made = await a.call("room.create", title="集い", accounts=[haru.account.id], nonce="1")
        room, positions = made["id"], {f"room:{made['id']}": made["seq"]}
        for n in range(30):
            await a.say(room, str(n))
        for node in (two, one, two):
            client = Client(node.ws_url, haru.token, epoch=node.node.epoch)
            client.ear.positions.update(positions)
            async with client:
                assert client.texts(room) == [str(n) for n in range(30)]
