"""Notifications on live sockets: told at once on every node, once a second however much comes, and found by who was away
(FEATURES §8)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from channels import notifications
from channels.desk import Desk
from channels.telling import BADGE_TOUCHED
from gateway import badging
from gateway.badging import Badging
from loadtest.client import Client
from realtime import notifications as n
from realtime.parcels import Parcel
from storage.database import StorageUnavailable
from tests.channels.test_reactions import like
from tests.gateway.test_authors_live import FREE, says, two_nodes
from tests.support.nodes import RunningNode, Start
from tests.support.places import post
from tests.support.valkey import Shared
from tests.support.world import World


def badge(client: Client) -> int | None:
    """Unread notifications by the newest badge heard; None before there was one."""
    heard = client.heard(n.BADGE)
    return max(heard, key=lambda push: push["at"])["d"]["notifications"] if heard else None


async def shown(client: Client) -> list[tuple[str, bool]]:
    """(kind, unread) of the list."""
    page = await client.call("notification.list")
    return [(each["kind"], each["unread"]) for each in page["notifications"]]


async def test_what_concerns_one_is_told_on_every_node_and_read_on_all_devices(
    postgres_url: str, valkey: Shared, start_node: Start
) -> None:
    one, two = await two_nodes(start_node, postgres_url, valkey)
    assert await told_and_read(one, two) == [("reply", False)]


async def test_what_concerns_one_is_told_embedded(start_node: Start) -> None:
    server = await start_node(FREE)
    assert await told_and_read(server, server) == [("reply", False)]


async def told_and_read(one: RunningNode, two: RunningNode) -> list[tuple[str, bool]]:
    """Haru acts on one node; aki has a device on each, of which one reads. The other one's list."""
    people = await one.friends("aki", "haru")
    async with one.client(people[0]) as phone, two.client(people[0]) as desk, one.client(people[1]) as haru:
        said = (await says(phone, "どう?"))["post"]
        await haru.call("post.create", text="うん", reply_to=said, nonce="1")
        for device in (phone, desk):
            await device.until(lambda d=device: bool(d.heard(n.CREATED)) and badge(d) == 1)
            assert device.heard(n.CREATED)[0]["d"]["kind"] == "reply"
            assert "seq" not in device.heard(n.BADGE)[0]
        page = await desk.call("notification.list")
        assert [each["text"] for each in page["notifications"]] == ["うん"]
        read = await desk.call("notification.read", upto=page["notifications"][0]["place"])
        assert read["notifications"] == 0
        for device in (phone, desk):
            await device.until(lambda d=device: badge(d) == 0)
        assert haru.heard(n.CREATED) == haru.heard(n.BADGE) == []
        return await shown(phone)


async def test_who_was_away_finds_what_came_without_hole_or_double(start_node: Start) -> None:
    server = await start_node(FREE)
    a, h = await server.friends("aki", "haru")
    async with server.client(a) as aki, server.client(h) as haru:
        said = (await says(aki, "どう?"))["post"]
        await haru.call("reaction.add", post=said, kind="like")
        await aki.until(lambda: bool(aki.heard(n.CREATED)))
        ear, epoch = aki.ear, aki.epoch
        await aki.close()
        gone = (await haru.call("post.create", text="きえる", reply_to=said, nonce="1"))["post"]
        await haru.call("follow.remove", account=a.account.id)
        await haru.call("follow.add", account=a.account.id)
        await haru.call("post.delete", post=gone)
    async with Client(server.ws_url, a.token, ear, epoch) as aki:
        assert all(each["recovered"] for each in aki.connected["channels"])
        assert aki.connected["badges"]["notifications"] == 2
        assert await shown(aki) == [("follow", True), ("like", True)]
        # The answer that was deleted since is a skip.
        assert [push["d"]["kind"] for push in aki.heard(n.CREATED)] == ["like"]
        assert aki.heard("follow.added")


async def test_a_block_a_mute_and_a_deletion_move_the_badge(start_node: Start) -> None:
    server = await start_node(FREE)
    people = await server.friends("aki", "haru", "ken", "mio")
    clients = [server.client(each) for each in people]
    async with clients[0] as aki, clients[1] as haru, clients[2] as ken, clients[3] as mio:
        said = (await says(aki, "どう?"))["post"]
        answers = [
            (await each.call("post.create", text="うん", reply_to=said, nonce="1"))["post"]
            for each in (haru, ken, mio)
        ]
        await aki.until(lambda: badge(aki) == 3)
        await aki.call("block.add", account=people[1].account.id)
        await aki.until(lambda: badge(aki) == 2)
        await aki.call("mute.add", account=people[2].account.id)
        await aki.until(lambda: badge(aki) == 1)
        await mio.call("post.delete", post=answers[2])
        await aki.until(lambda: badge(aki) == 0)
        assert await shown(aki) == []


async def test_a_flood_is_few_pushes_and_the_last_word_is_right(start_node: Start) -> None:
    server = await start_node(FREE)
    people = await server.friends(*(f"p{i}" for i in range(6)))
    async with server.client(people[0]) as author:
        said = [(await says(author, f"{i}"))["post"] for i in range(20)]
        likers = [server.client(each) for each in people[1:]]
        loop = asyncio.get_running_loop()
        for liker in likers:
            await liker.open()
        began = loop.time()
        await asyncio.gather(
            *(liker.call("reaction.add", post=each, kind="like") for liker in likers for each in said)
        )
        await author.until(lambda: badge(author) == 20)
        seconds = loop.time() - began
        for liker in likers:
            await liker.close()
        # A hundred likes: one entry and one badge a second, whatever the machine takes for them; and one for a beginning.
        assert 1 <= len(author.heard(n.CREATED)) <= 2 + seconds
        assert 1 <= len(author.heard(n.BADGE)) <= 2 + seconds


class Rounds:
    """A badging whose seconds pass when the test says so, and what it told."""

    def __init__(self, desk: Desk) -> None:
        self.told: list[Parcel] = []
        self.badging = Badging(desk, self.told.append, lambda work: work.close())

    async def second(self) -> list[tuple[str, int]]:
        """A round; the accounts it told, and their numbers."""
        before = len(self.told)
        await self.badging._round()
        return [(each.channel, orjson.loads(each.frame)["d"]["notifications"]) for each in self.told[before:]]


async def test_an_account_is_told_once_a_round_and_those_who_waited_longest_first(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    aki, haru, ken = await world.people("aki", "haru", "ken", mutual=False)
    for who in (aki, haru):
        said = (await post(world, who, None)).post
        await like(world, ken, said)
    rounds = Rounds(world.desk)
    for parcel in world.parcels:
        if parcel.kind == BADGE_TOUCHED:
            rounds.badging.note(parcel.target)
            rounds.badging.note(parcel.target)
    told = {(f"user:{aki.account}", 1), (f"user:{haru.account}", 1)}
    assert set(await rounds.second()) == told
    assert {each.key for each in rounds.told} == {n.BADGE}
    assert await rounds.second() == [], "nothing has changed"
    monkeypatch.setattr(badging, "READ_MAX", 1)
    rounds.badging.note(haru.account)
    rounds.badging.note(aki.account)
    assert await rounds.second() == [(f"user:{haru.account}", 1)]
    assert await rounds.second() == [(f"user:{aki.account}", 1)]


async def test_a_database_in_trouble_ends_no_badges(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    (aki,) = await world.people("aki")
    rounds = Rounds(world.desk)
    read: Callable[..., Any] = notifications.badges_now

    async def down(*_: Any) -> Any:
        raise StorageUnavailable("away")

    monkeypatch.setattr(badging, "badges_now", down)
    rounds.badging.note(aki.account)
    assert await rounds.second() == []
    monkeypatch.setattr(badging, "badges_now", read)
    rounds.badging.note(aki.account)
    assert await rounds.second() == [(f"user:{aki.account}", 0)]
