"""Unread counts of rooms are others' visible messages after the read position, to 99, whatever happens (I13), on both databases:
held against the pages that the same account reads, and against the badge of `connect`."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels import messages, requests, rooms
from channels.desk import Actor
from realtime.errors import Refusal
from realtime.models import Message, RoomCard
from realtime.requests import MessageDelete, MessageList, RoomAdd, RoomList, RoomOpen, RoomRead, RoomRef
from storage.rooms import badges
from tests.support.relations import block, unblock
from tests.support.world import World

PEOPLE = 3
NUMBERS = itertools.count()
ACTS = (
    *["say"] * 6,
    *["dm"] * 3,
    *["read"] * 3,
    *["delete"] * 2,
    "leave",
    "add",
    "rename",
    "block",
    "unblock",
)
STEP = st.tuples(st.sampled_from(ACTS), st.integers(0, PEOPLE - 1), st.integers(0, 20))


async def cards(world: World, actor: Actor) -> list[RoomCard]:
    """The rooms an account is inside of, with what their list shows."""
    return list((await rooms.list_rooms(world.desk, actor, RoomList(limit=100))).rooms)


async def lines(world: World, actor: Actor, room: str) -> list[Message]:
    """All lines of a room that an account reads, by pages of seven."""
    found: list[Message] = []
    after = 0
    while True:
        got = await messages.list_messages(world.desk, actor, MessageList(room=room, after=after, limit=7))
        found += got.messages
        if not got.more_after:
            return found
        after = got.messages[-1].seq


async def check(world: World, people: list[Actor]) -> int:
    """Every count of everybody; the highest of them."""
    most = 0
    for actor in people:
        shown = await cards(world, actor)
        for card in shown:
            unread = [
                each
                for each in await lines(world, actor, card.id)
                if each.seq > card.read_seq
                and each.author != actor.account
                and each.system is None
                and not each.deleted
            ]
            assert card.unread == min(99, len(unread))
            most = max(most, card.unread)
        told, _, _ = await world.desk.db.read(lambda tx, a=actor: badges(tx, a.account))  # type: ignore[misc]  # bound now
        assert told == len([card for card in shown if card.unread])
    return most


class Talk:
    """A group and the DMs of some people."""

    def __init__(self, world: World, people: list[Actor], room: str) -> None:
        self.world, self.people, self.room = world, people, room
        self.said: list[tuple[Actor, str]] = []

    async def act(self, step: tuple[str, int, int]) -> None:
        """One step; refused, it changes nothing."""
        what, a, number = step
        me, other = self.people[a], self.people[(a + 1 + number % (PEOPLE - 1)) % PEOPLE]
        try:
            await getattr(self, f"_{what}")(me, other, number)
        except Refusal:
            return

    async def _say(self, me: Actor, other: Actor, number: int) -> None:
        sent = await self.world.say(me, self.room, f"{number}")
        self.said.append((me, sent.message))

    async def _dm(self, me: Actor, other: Actor, number: int) -> None:
        room = (await requests.open_dm(self.world.desk, me, RoomOpen(account=other.account))).id
        sent = await self.world.say(me, room, f"{number}")
        self.said.append((me, sent.message))

    async def _read(self, me: Actor, other: Actor, number: int) -> None:
        shown = await cards(self.world, me)
        if shown:
            card = shown[number % len(shown)]
            await messages.mark_read(
                self.world.desk, me, RoomRead(room=card.id, seq=max(0, card.seq - number // 3))
            )

    async def _delete(self, me: Actor, other: Actor, number: int) -> None:
        mine = [message for author, message in self.said if author == me]
        if mine:
            await messages.delete(self.world.desk, me, MessageDelete(message=mine[number % len(mine)]))

    async def _leave(self, me: Actor, other: Actor, number: int) -> None:
        await rooms.leave(self.world.desk, me, RoomRef(room=self.room))

    async def _add(self, me: Actor, other: Actor, number: int) -> None:
        request = RoomAdd(room=self.room, accounts=[other.account], nonce=self.world.nonce)
        await rooms.add(self.world.desk, me, request)

    async def _rename(self, me: Actor, other: Actor, number: int) -> None:
        request = rooms.RoomUpdate(room=self.room, title=f"集い{number}", nonce=self.world.nonce)
        await rooms.update(self.world.desk, me, request)

    async def _block(self, me: Actor, other: Actor, number: int) -> None:
        await block(self.world, me, other)

    async def _unblock(self, me: Actor, other: Actor, number: int) -> None:
        await unblock(self.world, me, other)


async def talk_of(world: World, handles: list[str]) -> Talk:
    """People in a group."""
    people = await world.people(*handles)
    return Talk(world, people, (await world.group(*people)).id)


@settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(STEP, min_size=3, max_size=24))
async def test_unread_is_what_was_not_read_of_others(world: World, steps: list[tuple[str, int, int]]) -> None:
    number = next(NUMBERS)
    talk = await talk_of(world, [f"p{i}_{number}" for i in range(PEOPLE)])
    for step in steps:
        await talk.act(step)
    most = await check(world, talk.people)
    told = [card.unread for each in talk.people for card in await cards(world, each)]
    assert most == max(told)


@pytest.mark.parametrize("seed", range(2))
async def test_unread_after_a_long_talk(world: World, seed: int) -> None:
    dice = random.Random(seed)
    talk = await talk_of(world, [f"p{i}" for i in range(PEOPLE)])
    most = 0
    for _ in range(150):
        await talk.act((dice.choice(ACTS), dice.randrange(PEOPLE), dice.randrange(21)))
        if dice.random() < 0.15:
            most = max(most, await check(world, talk.people))
    await check(world, talk.people)
    assert most > 3, "a talk in which something was unread"


async def test_unread_counts_to_99(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    room = (await world.group(aki, haru)).id
    for number in range(101):
        await world.say(aki, room, f"{number}")
    assert await check(world, [aki, haru]) == 99
