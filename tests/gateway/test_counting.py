"""Counts live: at most one frame per channel and second, however often people react; the last word is right (FEATURES §3)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from channels.desk import Desk
from gateway import counting
from gateway.counting import Counting
from loadtest.client import Client
from realtime.parcels import Parcel
from realtime.reactions import Stamp
from tests.channels.test_reactions import like, stamp
from tests.gateway.test_authors_live import FREE, says, two_nodes
from tests.gateway.test_places import founded, settled
from tests.support.nodes import Start
from tests.support.places import found, post
from tests.support.valkey import Shared
from tests.support.waiting import until
from tests.support.world import World


def counts(client: Client) -> list[dict[str, Any]]:
    """The counts heard, in order."""
    return [push["d"]["counts"] for push in client.heard("post.counts")]


async def test_many_reactions_are_one_frame_on_every_node(
    postgres_url: str, valkey: Shared, start_node: Start
) -> None:
    one, two = await two_nodes(start_node, postgres_url, valkey)
    people = await one.friends(*(f"p{i}" for i in range(8)))
    clients = [one.client(account) for account in people]
    async with two.client(people[0]) as author:
        said = (await says(author, "どう?"))["post"]
        for client in clients[1:]:
            async with client:
                await client.call("reaction.add", post=said, kind="like")
                await client.call("reaction.add", post=said, stamp=Stamp.SUTEKI)
        await author.until(lambda: bool(counts(author)) and counts(author)[-1][said]["likes"] == 7)
        await author.until(lambda: counts(author)[-1][said]["stamps"] == {"suteki": 7})
        assert "seq" not in author.heard("post.counts")[0]


class Rounds:
    """A counting whose seconds pass when the test says so, and what it told."""

    def __init__(self, desk: Desk) -> None:
        self.told: list[Parcel] = []
        self.counting = Counting(desk, self.told.append, lambda work: work)

    async def second(self) -> list[tuple[str, set[str]]]:
        """A round; the channels and posts it told of."""
        before = len(self.told)
        await self.counting._round()
        return [(parcel.channel, posts_of(parcel)) for parcel in self.told[before:]]

    def note(self, parcels: Sequence[Parcel]) -> None:
        """What a commit changed."""
        for parcel in parcels:
            self.counting.note(parcel.channel, parcel.target)


def posts_of(parcel: Parcel) -> set[str]:
    """The posts a frame tells of."""
    return set(orjson.loads(parcel.frame)["d"]["counts"])


async def test_a_channel_is_told_once_a_round_with_all_that_changed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    aki, haru = await world.people("aki", "haru")
    place = await found(world, aki, haru)
    said = [(await post(world, aki, place.id, str(i))).post for i in range(3)]
    own = await post(world, haru, None)
    rounds = Rounds(world.desk)
    world.parcels.clear()
    for post_id in (said[0], said[1], own.post):
        await like(world, haru, post_id)
        await stamp(world, aki, post_id)
    rounds.note([each for each in world.parcels if each.kind == "post.touched"])
    assert await rounds.second() == [
        (place.channel, {said[0], said[1]}),
        (f"author:{haru.account}", {own.post}),
    ]
    assert [parcel.key for parcel in rounds.told] == ["post.counts"] * 2
    assert await rounds.second() == [], "nothing has changed"
    # A slow reader may be left with the last frame alone: it says all of what changed lately.
    rounds.counting.note(place.channel, said[2])
    assert await rounds.second() == [(place.channel, set(said))]
    monkeypatch.setattr(counting, "LATELY_S", -1.0)
    await rounds.second()
    rounds.counting.note(place.channel, said[2])
    assert await rounds.second() == [(place.channel, {said[2]})]
    monkeypatch.setattr(counting, "POSTS_TOLD_MAX", 2)
    monkeypatch.setattr(counting, "LATELY_S", 100.0)
    for post_id in said:
        rounds.counting.note(place.channel, post_id)
    assert await rounds.second() == [(place.channel, set(said[1:]))], "the youngest changes"
    rounds.counting._timer.cancel()  # type: ignore[union-attr]  # a round has begun the next


async def test_counts_do_not_pass_between_people_who_are_apart(start_node: Start) -> None:
    server = await start_node(FREE)
    people = await server.friends("aki", "ken", "mio")
    async with (
        server.client(people[0]) as aki,
        server.client(people[1]) as ken,
        server.client(people[2]) as mio,
    ):
        place = await founded(mio, aki, ken)
        await settled(server, f"community:{place}", 3)
        await aki.call("block.add", account=people[1].account.id)
        said = (await ken.call("post.create", community=place, text="やあ", nonce="1"))["post"]
        await mio.call("reaction.add", post=said, kind="like")
        for client in (mio, ken):
            await client.until(lambda c=client: bool(counts(c)))
        await asyncio.sleep(0)
        await aki.call("clock.read")
        assert counts(aki) == []


async def test_a_round_is_not_told_all_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    people = await world.people(*(f"p{i}" for i in range(4)))
    said = [await post(world, one, None, "どう?") for one in people]
    rounds = Rounds(world.desk)
    for one, each in zip(people, said, strict=True):
        rounds.counting.note(f"author:{one.account}", each.post)
    monkeypatch.setattr(counting, "SPREAD_S", 0.0)
    assert len(await rounds.second()) == 4
    for one, each in zip(people, said, strict=True):
        rounds.counting.note(f"author:{one.account}", each.post)
    monkeypatch.setattr(counting, "SPREAD_S", 4 * 3_600.0)
    rest = asyncio.ensure_future(rounds.counting._round())
    await until(lambda: len(rounds.told) == 5)
    # What is said meanwhile goes first: the next channel's turn is an hour away here.
    await asyncio.sleep(0.05)
    assert len(rounds.told) == 5
    rest.cancel()
