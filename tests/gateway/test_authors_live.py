"""Authors heard on live sockets: a follow begins and ends it at once, on every node; so does what an author becomes."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import Any

import pytest

from channels.accounts import NewAccount
from gateway import hearing
from loadtest.client import Client
from realtime.ids import author_channel
from realtime.settings import Limits
from tests.gateway.test_places import founded, post, posts, refused
from tests.support.nodes import RunningNode, Start
from tests.support.stalled import Reader, stalled
from tests.support.valkey import Shared
from tests.support.waiting import until

FREE = Limits(operations_per_s=1e6, operations_burst=1e6)


async def says(client: Client, text: str) -> dict[str, Any]:
    """A post of no community."""
    return await client.call("post.create", text=text, nonce=text)  # type: ignore[no-any-return]  # JSON


def heard(server: RunningNode, account: NewAccount, author: NewAccount) -> bool:
    """Whether connections of an account hear an author on this node now."""
    name = author_channel(author.account.id)
    channel = server.node.hub._channels.get(name)
    mine = server.node.hub.of_account(account.account.id)
    return channel is not None and any(each in channel.listeners for each in mine)


async def two_nodes(start_node: Start, postgres_url: str, valkey: Shared) -> tuple[RunningNode, RunningNode]:
    """Two nodes of one installation."""
    common: dict[str, Any] = {
        "database_url": postgres_url,
        "redis_url": valkey.url,
        "redis_prefix": valkey.prefix,
    }
    return await start_node(FREE, **common), await start_node(FREE, **common)


async def test_a_follow_is_heard_at_once_and_ends_at_once_on_another_node(
    postgres_url: str, valkey: Shared, start_node: Start
) -> None:
    one, two = await two_nodes(start_node, postgres_url, valkey)
    a, h = await one.account("aki"), await one.account("haru")
    async with one.client(a) as aki, two.client(h) as haru, one.client(h) as other_device:
        await says(aki, "まえ")
        await haru.call("follow.add", account=a.account.id)
        await until(lambda: heard(two, h, a) and heard(one, h, a))
        await says(aki, "みえる")
        for client in (haru, other_device, aki):
            await client.until(lambda c=client: posts(c)[-1:] == ["みえる"])
        assert posts(haru) == posts(other_device) == ["みえる"]
        assert haru.ear.positions[author_channel(a.account.id)] == 2
        await haru.call("follow.remove", account=a.account.id)
        await until(lambda: not (heard(two, h, a) or heard(one, h, a)))
        await haru.until(lambda: bool(haru.heard("follow.ended")))
        await says(aki, "みえない")
        await aki.until(lambda: posts(aki)[-1:] == ["みえない"])
        await haru.call("clock.read")
        assert posts(haru) == ["みえる"]
        assert author_channel(a.account.id) not in haru.ear.positions


async def test_what_was_missed_of_an_author_comes_after_a_reconnect(start_node: Start) -> None:
    server = await start_node(FREE)
    a, h = await server.friends("aki", "haru")
    async with server.client(a) as aki, server.client(h) as haru:
        await says(aki, "はじめ")
        await haru.until(lambda: posts(haru) == ["はじめ"])
        ear, epoch = haru.ear, haru.epoch
        await haru.close()
        gone = (await says(aki, "きえる"))["post"]
        for number in range(20):
            await says(aki, f"{number}")
        await aki.call("post.delete", post=gone)
    async with Client(server.ws_url, h.token, ear, epoch) as haru:
        assert posts(haru) == ["はじめ", *(f"{number}" for number in range(20))]


async def test_who_watches_a_person_hears_until_the_person_is_private(start_node: Start) -> None:
    server = await start_node(FREE)
    a, h, k = [await server.account(name) for name in ("aki", "haru", "ken")]
    async with server.client(a) as aki, server.client(h) as haru, server.client(k) as ken:
        channel = author_channel(a.account.id)
        for client in (haru, ken):
            await client.call("channel.watch", channels=[channel])
        await haru.call("follow.add", account=a.account.id)
        await says(aki, "ひろく")
        for client in (haru, ken):
            await client.until(lambda c=client: posts(c) == ["ひろく"])
        await aki.call("account.update", private=True)
        # Whoever follows goes on; whoever only watched does not.
        await until(lambda: heard(server, h, a) and not heard(server, k, a))
        await says(aki, "うちわ")
        await haru.until(lambda: posts(haru) == ["ひろく", "うちわ"])
        await ken.call("clock.read")
        assert posts(ken) == ["ひろく"]
        assert await refused(ken.call("channel.watch", channels=[channel])) == "not_found"
        # The end of a follow does not end what one may watch.
        await aki.call("account.update", private=False)
        await haru.call("follow.remove", account=a.account.id)
        await haru.until(lambda: bool(haru.heard("follow.ended")))
        await until(lambda: heard(server, h, a))
        await says(aki, "また")
        await haru.until(lambda: posts(haru)[-1:] == ["また"])


async def test_a_slow_beginning_tells_nothing_again_that_was_heard_and_taken_meanwhile(
    start_node: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two ways lead to one author: while the follow is still being judged, what was watched ends and begins anew."""
    server = await start_node(FREE)
    a, h = [await server.account(name) for name in ("aki", "haru")]
    judged, asked, answered = hearing.rehear, [], []
    late = (asyncio.Event(), asyncio.Event())

    async def slow(*args: Any) -> Any:
        asked.append(args[2])
        await late[len(asked) - 1].wait()
        answered.append(await judged(*args))
        return answered[-1]

    async with server.client(a) as aki, server.client(h) as haru:
        channel = author_channel(a.account.id)
        await haru.call("channel.watch", channels=[channel])
        monkeypatch.setattr(hearing, "rehear", slow)
        await haru.call("follow.add", account=a.account.id)
        await until(lambda: asked == [{channel: 0}])
        await says(aki, "ひろく")
        await haru.until(lambda: posts(haru) == ["ひろく"])
        await aki.call("account.update", private=True)
        await until(lambda: len(asked) == 2)
        late[0].set()
        await until(lambda: len(answered) == 1)
        await haru.call("clock.read")
        late[1].set()
        await until(lambda: heard(server, h, a))
        await says(aki, "うちわ")
        await haru.until(lambda: posts(haru) == ["ひろく", "うちわ"])
        assert asked == [{channel: 0}, {channel: 2}]
        assert all(socket.wishes is None for socket in server.node.sockets)


@pytest.mark.parametrize("blocker", [0, 1])
async def test_a_block_ends_hearing_on_every_node_and_a_late_notice_ends_no_later_follow(
    postgres_url: str, valkey: Shared, start_node: Start, blocker: int
) -> None:
    one, two = await two_nodes(start_node, postgres_url, valkey)
    people = await one.friends("aki", "haru")
    a, h = people
    async with one.client(a) as aki, two.client(h) as haru:
        clients = (aki, haru)
        assert heard(one, a, h)
        assert heard(two, h, a)
        await clients[blocker].call("block.add", account=people[1 - blocker].account.id)
        await until(lambda: not (heard(one, a, h) or heard(two, h, a)))
        for client in clients:
            await says(client, "だれに")
            await client.until(lambda c=client: posts(c) == ["だれに"])
        await clients[blocker].call("block.remove", account=people[1 - blocker].account.id)
        await until(lambda: not (one.node.hub.apart.of(a.account.id) or two.node.hub.apart.of(h.account.id)))
        await haru.call("follow.add", account=a.account.id)
        await until(lambda: heard(two, h, a))
        # The sweep may find the old notice once more.
        two.node.fanout._notices._unhear(h.account.id, a.account.id)
        await until(lambda: heard(two, h, a))
        await says(aki, "また")
        await haru.until(lambda: posts(haru)[-1:] == ["また"])


@pytest.mark.parametrize("embedded", [True, False])
async def test_who_hides_is_heard_no_more_and_again_when_they_are_back(
    request: pytest.FixtureRequest, start_node: Start, embedded: bool
) -> None:
    if embedded:
        one = two = await start_node(FREE)
    else:
        one, two = await two_nodes(
            start_node, request.getfixturevalue("postgres_url"), request.getfixturevalue("valkey")
        )
    a, h = await one.friends("aki", "haru")
    async with one.client(a) as aki, two.client(h) as haru:
        place = await founded(aki, haru)
        await aki.call("account.hide")
        await until(lambda: not heard(two, h, a))
        assert heard(one, a, a), "one's own devices hear on"
        await aki.call("account.show")
        await until(lambda: heard(two, h, a))
        await says(aki, "ただいま")
        await post(aki, place, "ここにも")
        await haru.until(lambda: set(posts(haru)) == {"ただいま", "ここにも"})


async def seqs_until_the_end(reader: Reader, channel: str) -> list[int]:
    """What still arrives of a channel until the connection ends."""
    seqs = []
    with contextlib.suppress(ConnectionError, EOFError):
        while True:
            frame = await reader.frame()
            if frame.get("ch") == channel and "seq" in frame:
                seqs.append(frame["seq"])
    return seqs


@pytest.mark.parametrize("reason", ["unfollow", "hide", "block", "private"])
async def test_who_loses_an_author_gets_none_of_what_is_unsent(start_node: Start, reason: str) -> None:
    patient = {"queue_age_s": 60.0, "close_wait_s": 60.0, "tcp_user_timeout_s": 60.0}
    server = await start_node(replace(FREE, socket_send_buffer_bytes=8 * 1024, **patient))  # type: ignore[arg-type]  # fields of the limits
    a, h = await server.friends("aki", "haru")
    name = author_channel(a.account.id)
    async with server.client(a) as aki, server.client(h) as other_device:
        before = set(server.node.sockets)
        reader = Reader(*await stalled(server, h.token))
        with contextlib.closing(reader.raw):
            (slow,) = server.node.sockets - before
            if reason == "private":
                await other_device.call("follow.remove", account=a.account.id)
                await reader.say("channel.watch", 9, channels=[name])
                await until(lambda: slow.watches(name) and server.node.hub.hears(slow, name))
            number = 0
            while slow._slow is None or not slow._slow.queue.holds(name):
                number += 1
                await aki.call("post.create", text="あ" * 149, nonce=str(number))
            unsent = min(held.piece.first for held in slow._slow.queue._pieces if held.piece.channel == name)
            match reason:
                case "unfollow":
                    await other_device.call("follow.remove", account=a.account.id)
                case "hide":
                    await aki.call("account.hide")
                case "block":
                    await aki.call("block.add", account=h.account.id)
                case _:
                    await aki.call("account.update", private=True)
            await until(lambda: slow not in server.node.sockets)
            arrived = await seqs_until_the_end(reader, name)
            assert max(arrived, default=0) < unsent, "what had not left this process came after the end"


@pytest.mark.parametrize("reason", ["hide", "block"])
async def test_who_fell_behind_in_an_author_gets_none_of_it_after_the_end(
    start_node: Start, reason: str
) -> None:
    patient = {"queue_age_s": 60.0, "close_wait_s": 60.0, "tcp_user_timeout_s": 60.0, "queue_frames_max": 20}
    server = await start_node(replace(FREE, socket_send_buffer_bytes=8 * 1024, **patient))  # type: ignore[arg-type]  # fields of the limits
    a, h = await server.friends("aki", "haru")
    name = author_channel(a.account.id)
    async with server.client(a) as aki:
        before = set(server.node.sockets)
        reader = Reader(*await stalled(server, h.token))
        with contextlib.closing(reader.raw):
            (slow,) = server.node.sockets - before
            number = 0
            while not slow.fell_behind(name):
                number += 1
                await aki.call("post.create", text="あ" * 149, nonce=str(number))
            assert not server.node.hub.hears(slow, name)
            if reason == "hide":
                await aki.call("account.hide")
            else:
                await aki.call("block.add", account=h.account.id)
            await until(lambda: slow not in server.node.sockets)
