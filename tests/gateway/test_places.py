"""Communities, watched channels and signals on live sockets: who hears what, from when, until when (WIRE §3, §4)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from channels import relations
from channels.accounts import NewAccount
from channels.desk import Actor
from gateway.offline import with_desk
from loadtest.client import Client, ServerRefusal
from realtime import relations as n
from realtime.settings import Limits
from tests.support.nodes import RunningNode, Start
from tests.support.valkey import Shared
from tests.support.waiting import until

FREE = Limits(operations_per_s=1e6, operations_burst=1e6)


async def founded(client: Client, *others: Client) -> str:
    """A community of the first, that the others join and hear."""
    place = (await client.call("community.create", name="電車", nonce="c"))["id"]
    for other in others:
        await other.call("community.join", community=place)
    for each in (client, *others):
        await each.until(lambda e=each: f"community:{place}" in e.ear.positions)
    return str(place)


async def settled(server: RunningNode, channel: str, listeners: int) -> None:
    """Wait until so many connections hear the channel: what is fleeting reaches nobody who is only about to."""
    hub = server.node.hub
    await until(lambda: channel in hub.names() and len(hub._channels[channel].listeners) == listeners)


async def post(client: Client, place: str, text: str) -> dict[str, Any]:
    """Post it."""
    return await client.call("post.create", community=place, text=text, nonce=text)  # type: ignore[no-any-return]  # JSON


def posts(client: Client) -> list[str]:
    """The posts heard, in order."""
    return [push["d"]["post"]["text"] for push in client.heard("post.created")]


def signals(client: Client) -> list[Any]:
    """What was signalled, in order."""
    return [push["d"]["data"]["n"] for push in client.heard("channel.signal")]


async def refused(work: Any) -> str:
    """The code of a refusal."""
    with pytest.raises(ServerRefusal) as error:
        await work
    return error.value.code


async def part(server: RunningNode, blocker: NewAccount, blocked: NewAccount) -> None:
    """One blocks the other, beside the server."""
    actor = Actor(blocker.account.id, blocker.session)
    request = n.AccountRef(account=blocked.account.id)
    await asyncio.to_thread(
        with_desk, server.node.settings, lambda desk: relations.block_add(desk, actor, request)
    )


async def test_who_joins_hears_from_then_on_until_they_leave(start_node: Start) -> None:
    server = await start_node(FREE)
    people = [await server.account(name) for name in ("aki", "haru", "ken")]
    async with (
        server.client(people[0]) as aki,
        server.client(people[1]) as haru,
        server.client(people[2]) as ken,
    ):
        place = await founded(aki)
        await post(aki, place, "ひとり")
        await haru.call("community.join", community=place)
        await haru.until(lambda: f"community:{place}" in haru.ear.positions)
        await post(haru, place, "ふたり")
        await post(aki, place, "うん")
        await haru.until(lambda: posts(haru) == ["ふたり", "うん"])
        await haru.call("community.leave", community=place)
        await post(aki, place, "またひとり")
        await haru.until(lambda: bool(haru.heard("community.left")))
        await aki.until(lambda: posts(aki)[-1:] == ["またひとり"])
        assert posts(haru) == ["ふたり", "うん"]
        assert posts(ken) == []
        assert f"community:{place}" not in haru.ear.positions


async def test_posts_that_were_missed_come_after_a_reconnect(start_node: Start) -> None:
    server = await start_node(FREE)
    aki_, haru_ = await server.account("aki"), await server.account("haru")
    async with server.client(aki_) as aki, server.client(haru_) as haru:
        place = await founded(aki, haru)
        ear, epoch = haru.ear, haru.epoch
        await haru.close()
        gone = (await post(aki, place, "きえる"))["post"]
        for number in range(20):
            await post(aki, place, f"{number}")
        await aki.call("post.delete", post=gone)
    async with Client(server.ws_url, haru_.token, ear, epoch) as haru:
        assert posts(haru) == [f"{number}" for number in range(20)]
        assert [push["d"]["post"] for push in haru.heard("post.deleted")] == [gone]


async def test_a_signal_reaches_who_hears_the_channel_now_and_is_kept_nowhere(start_node: Start) -> None:
    server = await start_node(FREE)
    people = await server.friends("aki", "haru", "ken")
    async with (
        server.client(people[0]) as aki,
        server.client(people[1]) as haru,
        server.client(people[2]) as ken,
    ):
        place = await founded(aki, haru)
        room = (await aki.call("room.create", title="集い", accounts=[people[1].account.id], nonce="r"))["id"]
        await settled(server, f"room:{room}", 2)
        await settled(server, f"community:{place}", 2)
        for number, channel in enumerate((f"community:{place}", f"room:{room}") * 3):
            await aki.call("channel.signal", ch=channel, data={"n": number})
        for client in (aki, haru):
            await client.until(lambda c=client: signals(c) == list(range(6)))
        told = haru.heard("channel.signal")[0]
        assert (told["ch"], told["d"]["account"]) == (f"community:{place}", people[0].account.id)
        assert "seq" not in told
        assert await refused(ken.call("channel.signal", ch=f"community:{place}", data={})) == "not_member"
        assert await refused(ken.call("channel.signal", ch=f"room:{room}", data={})) == "not_found"
        assert (
            await refused(aki.call("channel.signal", ch=f"user:{people[0].account.id}", data={}))
            == "not_found"
        )
        await ken.call("community.join", community=place)
        await ken.until(lambda: f"community:{place}" in ken.ear.positions)
        assert signals(ken) == []
    # Nothing of it is in the log.
    rows = await server.node.desk.db.read(
        lambda tx: tx.rows("select count(*) from log where kind = 'channel.signal'")
    )
    assert rows == [(0,)]


async def test_a_signal_has_a_bound_and_is_an_object_any_client_can_read(start_node: Start) -> None:
    server = await start_node(FREE)
    async with server.client(await server.account("aki")) as aki:
        channel = f"community:{await founded(aki)}"
        await settled(server, channel, 1)
        fits = "x" * (4 * 1024 - len('{"a":""}'))
        await aki.call("channel.signal", ch=channel, data={"a": fits})
        assert await refused(aki.call("channel.signal", ch=channel, data={"a": fits + "x"})) == "too_large"
        frame = '{"id":77,"op":"channel.signal","d":{"ch":"%s","data":%s}}'
        frame = frame.replace('"id":77,', "")
        for data in ('{"a":1%s}' % ("0" * 400), '{"a":"\\ud800"}', "[1]", '"a"', "null"):
            await aki.send_raw(frame % (channel, data))
        await aki.until(lambda: len(aki.heard("error")) == 5)
        assert {push["d"]["code"] for push in aki.heard("error")} == {"bad_request"}
        assert len(aki.heard("channel.signal")) == 1
        assert aki.state == "live"


async def test_who_hides_signals_no_more(start_node: Start) -> None:
    server = await start_node(FREE)
    async with server.client(await server.account("aki")) as aki:
        channel = f"community:{await founded(aki)}"
        await settled(server, channel, 1)
        await aki.call("channel.signal", ch=channel, data={"n": 1})
        await aki.call("account.hide")
        assert await refused(aki.call("channel.signal", ch=channel, data={"n": 2})) == "forbidden"
        await aki.call("account.show")
        await aki.call("channel.signal", ch=channel, data={"n": 3})
        await aki.until(lambda: signals(aki) == [1, 3])


async def test_who_was_removed_signals_no_more(start_node: Start) -> None:
    server = await start_node(FREE)
    people = [await server.account(name) for name in ("aki", "haru")]
    async with server.client(people[0]) as aki, server.client(people[1]) as haru:
        place = await founded(aki, haru)
        await settled(server, f"community:{place}", 2)
        await haru.call("channel.signal", ch=f"community:{place}", data={"n": 1})
        await haru.call("channel.signal", ch=f"community:{place}", data={"n": 2})
        await haru.call("community.leave", community=place)
        ended = haru.call("channel.signal", ch=f"community:{place}", data={"n": 3})
        assert await refused(ended) == "not_member"
        await aki.until(lambda: signals(aki) == [1, 2])


async def test_who_left_and_watches_on_signals_no_more(start_node: Start) -> None:
    server = await start_node(FREE)
    people = [await server.account(name) for name in ("aki", "haru")]
    async with server.client(people[0]) as aki, server.client(people[1]) as haru:
        channel = f"community:{await founded(aki, haru)}"
        await haru.call("channel.watch", channels=[channel])
        await settled(server, channel, 2)
        await haru.call("channel.signal", ch=channel, data={"n": 1})
        (socket,) = [each for each in server.node.sockets if each.account == people[1].account.id]
        assert socket.writable == {channel}
        await haru.call("community.leave", community=channel.partition(":")[2])
        await haru.until(lambda: bool(haru.heard("community.left")))
        await settled(server, channel, 2)
        assert await refused(haru.call("channel.signal", ch=channel, data={"n": 2})) == "not_member"
        await aki.call("channel.signal", ch=channel, data={"n": 3})
        await aki.until(lambda: signals(aki)[-1:] == [3])
        assert signals(aki) == [1, 3]


async def test_a_block_is_obeyed_live_by_posts_and_signals_and_its_end_too(start_node: Start) -> None:
    server = await start_node(FREE)
    people = [await server.account(name) for name in ("aki", "ken", "mio")]
    a, k, m = people
    async with server.client(a) as aki, server.client(k) as ken, server.client(m) as mio:
        place = await founded(mio, aki, ken)
        channel = f"community:{place}"
        await settled(server, channel, 3)
        await ken.call("channel.signal", ch=channel, data={"n": 0})
        await aki.until(lambda: signals(aki) == [0])
        await aki.call("block.add", account=k.account.id)
        await ken.call("channel.signal", ch=channel, data={"n": 1})
        await post(ken, place, "kenより")
        await post(aki, place, "akiより")
        await post(mio, place, "終わり")
        for client in (aki, ken, mio):
            await client.until(lambda c=client: posts(c)[-1:] == ["終わり"])
        assert (posts(aki), signals(aki)) == (["akiより", "終わり"], [0])
        assert (posts(ken), signals(ken)) == (["kenより", "終わり"], [0, 1])
        assert (posts(mio), signals(mio)) == (["kenより", "akiより", "終わり"], [0, 1])
        # Whoever connects now is told the same.
        async with server.client(a) as other_device:
            await settled(server, channel, 4)
            await ken.call("channel.signal", ch=channel, data={"n": 2})
            await mio.call("channel.signal", ch=channel, data={"n": 3})
            await other_device.until(lambda: signals(other_device) == [3])
        await aki.call("block.remove", account=k.account.id)
        await until(lambda: not server.node.hub.apart.of(a.account.id))
        await ken.call("channel.signal", ch=channel, data={"n": 4})
        await aki.until(lambda: signals(aki) == [0, 3, 4])


async def test_a_block_on_another_node_is_obeyed_also_without_a_courier(
    postgres_url: str, valkey: Shared, start_node: Start
) -> None:
    common: dict[str, Any] = {
        "database_url": postgres_url,
        "redis_url": valkey.url,
        "redis_prefix": valkey.prefix,
    }
    one, two = await start_node(FREE, **common), await start_node(FREE, **common)
    a, k = await one.account("aki"), await one.account("ken")
    async with one.client(k) as ken, one.client(a) as aki:
        place = await founded(ken, aki)
        await aki.close()
        # The blocker is connected nowhere: only the notice tells the node of the blocked one.
        await part(one, a, k)
        async with two.client(a) as elsewhere:
            assert set(two.node.hub.apart.of(a.account.id)) == {k.account.id}
            await until(lambda: set(one.node.hub.apart.of(k.account.id)) == {a.account.id})
            await elsewhere.call("channel.signal", ch=f"community:{place}", data={"n": 1})
            await post(elsewhere, place, "akiより")
            await post(ken, place, "kenより")
            await ken.until(lambda: posts(ken) == ["kenより"])
            await elsewhere.until(lambda: posts(elsewhere) == ["akiより"])
            assert signals(ken) == []
    # What no courier brings, the sweep finds.
    await one.node.fanout._sweep_once()
    async with one.client(k) as ken:
        one.node.hub.apart.rejoin(a.account.id, k.account.id)
        assert not one.node.hub.apart.of(k.account.id)
        one.node.fanout._swept, one.node.fanout._swept_notices = 0, set()
        await one.node.fanout._sweep_once()
        assert set(one.node.hub.apart.of(k.account.id)) == {a.account.id}


async def test_signals_and_posts_cross_nodes(postgres_url: str, valkey: Shared, start_node: Start) -> None:
    common: dict[str, Any] = {
        "database_url": postgres_url,
        "redis_url": valkey.url,
        "redis_prefix": valkey.prefix,
    }
    one, two = await start_node(FREE, **common), await start_node(FREE, **common)
    a, h = await one.account("aki"), await one.account("haru")
    async with one.client(a) as aki, two.client(h) as haru:
        place = await founded(aki, haru)
        for server in (one, two):
            await settled(server, f"community:{place}", 1)
        for number in range(10):
            await aki.call("channel.signal", ch=f"community:{place}", data={"n": number})
            await post(haru, place, f"{number}")
        for client in (aki, haru):
            await client.until(lambda c=client: len(signals(c)) >= 10 and len(posts(c)) >= 10)
        assert signals(aki) == signals(haru) == list(range(10))
        assert posts(aki) == posts(haru) == [f"{number}" for number in range(10)]


async def test_what_is_on_the_screen_is_heard_until_it_is_not(start_node: Start) -> None:
    server = await start_node(FREE)
    a, k = await server.account("aki"), await server.account("ken")
    async with server.client(a) as aki, server.client(k) as ken:
        place = await founded(aki)
        channel = f"community:{place}"
        await post(aki, place, "まえ")
        watched = await ken.call("channel.watch", channels=[channel])
        assert [(row["ch"], row["recovered"]) for row in watched["channels"]] == [(channel, False)]
        await post(aki, place, "みえる")
        await ken.until(lambda: posts(ken) == ["みえる"])
        # To hear is not to be inside.
        assert (
            await refused(ken.call("post.create", community=place, text="わたしも", nonce="x"))
            == "not_member"
        )
        assert await refused(ken.call("channel.signal", ch=channel, data={})) == "not_member"
        at = watched["channels"][0]["seq"]
        again = await ken.call("channel.watch", channels=[channel], positions={channel: at - 1})
        assert again["channels"][0]["recovered"]
        await ken.until(lambda: "まえ" in posts(ken))
        synced = await ken.call("channel.sync", positions={channel: at + 1})
        assert synced["channels"] == [{"ch": channel, "seq": at + 1, "recovered": True}]
        await ken.call("channel.unwatch", channels=[channel, "community:none"])
        await post(aki, place, "みえない")
        await aki.until(lambda: posts(aki)[-1:] == ["みえない"])
        await ken.call("clock.read")
        assert "みえない" not in posts(ken)
        assert not server.node.hub.hears(
            next(s for s in server.node.sockets if s.account == k.account.id), channel
        )
        # What one is inside of is heard whether or not it is on the screen.
        await aki.call("channel.watch", channels=[channel])
        await aki.call("channel.unwatch", channels=[channel])
        await post(aki, place, "まだいる")
        await aki.until(lambda: posts(aki)[-1:] == ["まだいる"])


async def test_only_what_may_be_read_is_watched_and_not_too_much(start_node: Start) -> None:
    server = await start_node(Limits(watched_max=2))
    people = await server.friends("aki", "haru", "ken")
    async with server.client(people[0]) as aki, server.client(people[2]) as ken:
        room = (await aki.call("room.create", title="集い", accounts=[people[1].account.id], nonce="r"))["id"]
        for name in (f"room:{room}", f"user:{people[0].account.id}", "community:none", "x"):
            assert await refused(ken.call("channel.watch", channels=[name])) == "not_found"
        channels = [
            f"community:{(await aki.call('community.create', name='所', nonce=str(i)))['id']}"
            for i in range(3)
        ]
        assert await refused(ken.call("channel.watch", channels=channels)) == "full"
        await ken.call("channel.watch", channels=channels[:2])
        assert await refused(ken.call("channel.watch", channels=channels[2:])) == "full"
        await ken.call("channel.unwatch", channels=channels[:1])
        await ken.call("channel.watch", channels=channels[2:])
