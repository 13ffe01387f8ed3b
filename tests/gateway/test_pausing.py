"""Busy communities pause for who is not looking, live: told, opened by `channel.sync`, going on when calm (WIRE §3.5)."""

from __future__ import annotations

from loadtest.client import Client
from realtime.liveliness import CALM_MS, MINUTE_MS
from realtime.settings import Limits
from tests.gateway.test_places import founded, post, posts, settled
from tests.support.nodes import RunningNode, Start
from tests.support.waiting import until

FEW = Limits(operations_per_s=1e6, operations_burst=1e6, busy_posts_per_min=5)


def behinds(client: Client) -> list[tuple[str, int, str]]:
    """What it was told to pause."""
    return [(frame["d"]["ch"], frame["d"]["seq"], frame["d"]["reason"]) for frame in client.heard("behind")]


async def crowd(client: Client, place: str, count: int, begin: int = 0) -> None:
    """So many posts."""
    for number in range(begin, begin + count):
        await post(client, place, f"{number}")


def calm(server: RunningNode) -> None:
    """Minutes pass in which nothing is said."""
    pausing = server.node.fanout.pausing
    pausing._clock_ms = lambda: server.node.clock_ms() + MINUTE_MS + CALM_MS + 1_000
    assert pausing._timer is not None
    pausing._timer.cancel()
    pausing._look()


async def test_who_does_not_watch_is_told_once_and_continued_when_it_is_calm(start_node: Start) -> None:
    server = await start_node(FEW)
    people = [await server.account(name) for name in ("aki", "haru", "ken", "mio")]
    a, h, k, m = (server.client(account) for account in people)
    async with a as aki, h as haru, k as ken, m as mio:
        place = await founded(aki, haru, ken, mio)
        channel = f"community:{place}"
        await settled(server, channel, 4)
        await aki.call("channel.watch", channels=[channel])
        await ken.call("channel.watch", channels=[channel])
        await crowd(aki, place, 12)
        for client in (aki, ken):
            await client.until(lambda c=client: posts(c) == [f"{n}" for n in range(12)])
            assert behinds(client) == []
        for client in (haru, mio):
            await client.until(lambda c=client: bool(behinds(c)))
            ((told, at, reason),) = behinds(client)
            assert (told, reason) == (channel, "busy")
            assert at == client.ear.positions[channel], "the last seq that was sent"
            assert len(posts(client)) < 12
        # Opening it brings what was missed, and from then on everything.
        await mio.call("channel.sync", positions={channel: mio.ear.positions[channel]}, epoch=mio.epoch)
        await crowd(aki, place, 3, 12)
        await mio.until(lambda: posts(mio) == [f"{n}" for n in range(15)])
        heard_before = len(posts(haru))
        calm(server)
        await haru.until(lambda: posts(haru) == [f"{n}" for n in range(15)])
        assert heard_before < 15
        await post(aki, place, "静か")
        for client in (aki, haru, ken, mio):
            await client.until(lambda c=client: posts(c)[-1] == "静か")
        assert [len(behinds(client)) for client in (haru, mio)] == [1, 1]


async def test_who_comes_while_it_is_busy_pauses_too_and_who_left_hears_no_more(start_node: Start) -> None:
    server = await start_node(FEW)
    people = [await server.account(name) for name in ("aki", "haru", "ken")]
    a, h, k = (server.client(account) for account in people)
    async with a as aki, h as haru:
        place = await founded(aki, haru)
        channel = f"community:{place}"
        await aki.call("channel.watch", channels=[channel])
        await crowd(aki, place, 8)
        await haru.until(lambda: bool(behinds(haru)))
        async with k as ken:
            await ken.call("community.join", community=place)

            def looked() -> bool:
                """The node looks again, as it does every few seconds."""
                server.node.fanout.pausing._pause_all(channel)
                return bool(behinds(ken))

            await until(looked)
            await haru.call("community.leave", community=place)
            said = len(posts(haru))
            calm(server)
            await until(lambda: len(server.node.hub._channels[channel].listeners) == 2)
            await post(aki, place, "だれに")
            await ken.until(lambda: posts(ken)[-1:] == ["だれに"])
            await haru.call("clock.read")
            assert len(posts(haru)) == said


async def test_pauses_for_busyness_do_not_count_as_slowness(start_node: Start) -> None:
    server = await start_node(FEW)
    people = [await server.account(name) for name in ("aki", "haru")]
    a, h = (server.client(account) for account in people)
    async with a as aki, h as haru:
        for number in range(5):
            place = (await aki.call("community.create", name="電車", nonce=f"c{number}"))["id"]
            await haru.call("community.join", community=place)
            await until(lambda p=place: f"community:{p}" in haru.ear.positions)
            await aki.call("channel.watch", channels=[f"community:{place}"])
            for line in range(7):
                await aki.call("post.create", community=place, text="x", nonce=f"{number}.{line}")
        await haru.until(lambda: len(behinds(haru)) == 5)
        assert haru.state == "live"
