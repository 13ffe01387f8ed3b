"""Blocks on both back ends: neither reaches the other, at once, and the blocked is told nothing (FEATURES §6, §9)."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from channels import invites, messages, profiles, relations, requests, rooms
from channels.desk import Actor
from channels.send import SEND, SendItem
from realtime import gate as g
from realtime import relations as n
from realtime.errors import Refusal
from realtime.hub import seen_by
from realtime.models import MemberState
from realtime.relations import FollowLists
from realtime.requests import (
    AccountGet,
    MessageDelete,
    MessageList,
    RoomAdd,
    RoomList,
    RoomOpen,
    RoomRef,
    RoomSend,
)
from storage.database import Row, Tx, Unit
from tests.support.relations import NOBODY, asks, block, code, inbox, people, profile, unblock
from tests.support.world import World


async def test_after_a_block_neither_finds_the_other(world: World) -> None:
    aki, ken = await world.people("aki", "ken")
    haru = await world.person("haru")
    await block(world, aki, ken)
    told = []
    for account in (aki.account, NOBODY):
        with pytest.raises(Refusal) as refused:
            await profiles.get(world.desk, ken, AccountGet(account=account))
        told.append((refused.value.code, refused.value.message, refused.value.details))
    assert told[0] == told[1]
    assert await code(profiles.get(world.desk, ken, AccountGet(handle="aki"))) == "not_found"
    assert await code(asks(world, ken, aki)) == "not_found"
    assert await code(asks(world, aki, ken)) == "blocked"
    seen = (await profile(world, aki, ken)).relation
    assert (seen.blocked, seen.following, seen.followed_by) == (True, False, False)
    for follower in ("aki", "ken"):
        await world.follow(follower, "haru")
        await world.follow("haru", follower)
    assert await people(world, ken, FollowLists.FOLLOWERS, haru) == {"ken"}
    assert await people(world, aki, FollowLists.FOLLOWERS, haru) == {"aki"}
    mine = await relations.block_list(world.desk, aki, n.PeopleList())
    assert [card.handle for card in mine.accounts] == ["ken"]
    assert (await relations.block_list(world.desk, ken, n.PeopleList())).accounts == []
    assert inbox(world, ken) == []


async def test_whoever_is_blocked_may_block_back_and_learns_nothing(world: World) -> None:
    aki, ken = await world.people("aki", "ken")
    await block(world, aki, ken)
    await block(world, ken, aki)
    (card,) = (await relations.block_list(world.desk, ken, n.PeopleList())).accounts
    assert (card.id, card.handle, card.name, card.gone) == (aki.account, "", "", True)


async def test_requests_to_follow_go_with_a_block_and_nothing_comes_back(world: World) -> None:
    aki, ken = await world.people("aki", "ken", mutual=False)
    await profiles.update(world.desk, aki, n.AccountUpdate(private=True))
    await asks(world, ken, aki)
    await block(world, aki, ken)
    await unblock(world, aki, ken)
    assert await people(world, aki, FollowLists.REQUESTS) == set()
    relation = (await profile(world, ken, aki)).relation
    assert (relation.following, relation.requested) == (False, False)


async def test_an_open_dm_goes_on_for_the_blocked_one_alone(world: World) -> None:
    aki, ken = await world.people("aki", "ken")
    room = (await requests.open_dm(world.desk, aki, RoomOpen(account=ken.account))).id
    await world.say(aki, room, "前の話")
    await block(world, aki, ken)
    assert await code(world.say(aki, room, "ねえ")) == "blocked"
    assert await code(requests.open_dm(world.desk, aki, RoomOpen(account=ken.account))) == "blocked"
    sent = await world.say(ken, room, "おーい")
    parcel = world.of(f"room:{room}")[-1]
    assert orjson.loads(seen_by(parcel, ken.account))["d"]["message"]["text"] == "おーい"
    assert orjson.loads(seen_by(parcel, aki.account))["ev"] == "skip"
    page = await messages.list_messages(world.desk, aki, MessageList(room=room))
    assert [line.text for line in page.messages] == ["前の話"]
    seen = await rooms.get(world.desk, aki, RoomRef(room=room))
    assert (seen.unread, seen.last.text if seen.last else None) == (0, "前の話")
    await messages.delete(world.desk, ken, MessageDelete(message=sent.message))
    assert orjson.loads(seen_by(world.of(f"room:{room}")[-1], aki.account))["ev"] == "skip"
    await unblock(world, aki, ken)
    await world.say(aki, room, "また")
    await world.say(ken, room, "うん")
    page = await messages.list_messages(world.desk, aki, MessageList(room=room))
    assert [line.text for line in page.messages] == ["前の話", "また", "うん"]


async def test_a_batch_judges_each_line_by_its_own_pair(world: World) -> None:
    aki, ken, mio = await world.people("aki", "ken", "mio")
    await block(world, aki, ken)
    for fan in ("aki", "ken"):
        await world.follow("mio", fan)
    with_ken = await requests.open_dm(world.desk, mio, RoomOpen(account=ken.account))
    with_aki = await requests.open_dm(world.desk, mio, RoomOpen(account=aki.account))
    group = await world.group(mio, aki, ken)
    work = [world.say(mio, room.id) for room in (with_ken, with_aki, group)]
    work += [world.say(ken, room.id) for room in (with_ken, group)]
    work += [world.say(aki, room.id) for room in (with_aki, group)]
    await asyncio.gather(*work)
    for room, lines in ((with_ken, 2), (with_aki, 2), (group, 3)):
        page = await messages.list_messages(world.desk, mio, MessageList(room=room.id))
        assert len([line for line in page.messages if line.text]) == lines


async def test_a_request_of_the_blocked_never_arrives(world: World) -> None:
    aki, ken = await world.people("aki", "ken", mutual=False)
    await block(world, aki, ken)
    room = await requests.open_dm(world.desk, ken, RoomOpen(account=aki.account))
    await world.say(ken, room.id, "はじめまして")
    assert await code(world.say(ken, room.id, "ねえ")) == "forbidden"
    for standing in ("inside", "requested"):
        assert (await rooms.list_rooms(world.desk, aki, RoomList(standing=standing))).rooms == []
    assert await code(rooms.get(world.desk, aki, RoomRef(room=room.id))) == "not_found"
    assert inbox(world, aki) == []
    await unblock(world, aki, ken)
    assert (await rooms.list_rooms(world.desk, aki, RoomList(standing="requested"))).rooms == []
    opened = await requests.open_dm(world.desk, aki, RoomOpen(account=ken.account))
    await world.say(aki, opened.id, "こんにちは")
    page = await messages.list_messages(world.desk, aki, MessageList(room=room.id))
    assert [line.text for line in page.messages] == ["こんにちは"]


async def test_a_waiting_request_is_put_away_by_a_block(world: World) -> None:
    aki, ken = await world.people("aki", "ken", mutual=False)
    room = await requests.open_dm(world.desk, ken, RoomOpen(account=aki.account))
    await world.say(ken, room.id, "はじめまして")
    before = len(world.of(f"room:{room.id}"))
    await block(world, aki, ken)
    assert (await rooms.list_rooms(world.desk, aki, RoomList(standing="requested"))).rooms == []
    assert inbox(world, aki)[-1] == "room.left"
    assert len(world.of(f"room:{room.id}")) == before
    assert await code(requests.accept(world.desk, aki, RoomRef(room=room.id))) == "blocked"


async def test_an_answer_to_an_old_request_opens_one_side_only(world: World) -> None:
    aki, ken = await world.people("aki", "ken", mutual=False)
    room = await requests.open_dm(world.desk, aki, RoomOpen(account=ken.account))
    await world.say(aki, room.id, "はじめまして")
    await block(world, aki, ken)
    before = len(world.of(f"room:{room.id}"))
    await world.say(ken, room.id, "どうも")
    later = world.of(f"room:{room.id}")[before:]
    assert [parcel.kind for parcel in later] == ["room.updated", "message.created"]
    assert all(orjson.loads(seen_by(parcel, aki.account))["ev"] == "skip" for parcel in later)


@pytest.mark.parametrize("way", ["add", "create"])
async def test_an_invitation_of_the_blocked_looks_like_one_that_is_ignored(world: World, way: str) -> None:
    aki, ken = await world.people("aki", "ken", mutual=False)
    mio = await world.person("mio")
    await block(world, aki, ken)
    if way == "create":
        room = await world.group(ken, aki, mio)
    else:
        room = await world.group(ken)
        request = RoomAdd(room=room.id, accounts=[aki.account, mio.account], nonce="a")
        added = await rooms.add(world.desk, ken, request)
        assert (added.added, added.invited) == ([], [aki.account, mio.account])
    seen = await rooms.get(world.desk, ken, RoomRef(room=room.id))
    states = {person.account.handle: person.state for person in seen.people}
    assert states == {"ken": MemberState.INSIDE, "aki": MemberState.INVITED, "mio": MemberState.INVITED}
    assert (await rooms.list_rooms(world.desk, aki, RoomList(standing="invited"))).rooms == []
    assert inbox(world, aki) == []
    for use_case in (rooms.get, rooms.join, rooms.leave, requests.decline):
        assert await code(use_case(world.desk, aki, RoomRef(room=room.id))) == "not_found"
    await rooms.join(world.desk, mio, RoomRef(room=room.id))
    await world.follow("mio", "aki")
    await world.follow("aki", "mio")
    request = RoomAdd(room=room.id, accounts=[aki.account], nonce="b")
    assert (await rooms.add(world.desk, mio, request)).added == [aki.account]


async def test_the_blocker_adds_nobody_whom_they_block(world: World) -> None:
    aki, ken = await world.people("aki", "ken")
    await block(world, aki, ken)
    assert await code(world.group(aki, ken)) == "blocked"
    assert (await rooms.list_rooms(world.desk, aki, RoomList())).rooms == []


async def test_a_shared_group_stays_whole_for_both(world: World) -> None:
    aki, ken, *others = await world.people("aki", "ken", *(f"p{number}" for number in range(10)))
    room = await world.group(aki, ken, *others)
    before = len(world.of(f"room:{room.id}"))
    await block(world, aki, ken)
    assert len(world.of(f"room:{room.id}")) == before
    said = [
        await world.say(actor, room.id, text) for actor, text in ((ken, "一"), (aki, "二"), (others[0], "三"))
    ]
    for actor in (aki, ken, others[1]):
        page = await messages.list_messages(world.desk, actor, MessageList(room=room.id))
        assert [line.text for line in page.messages if line.text] == ["一", "二", "三"]
        view = await rooms.get(world.desk, actor, RoomRef(room=room.id))
        assert len(view.people) == 12
        assert {person.account.handle for person in view.people} >= {"aki", "ken"}
    assert [sent.seq for sent in said] == list(range(said[0].seq, said[0].seq + 3))


async def test_a_block_that_is_acknowledged_is_obeyed(world: World) -> None:
    aki, ken = await world.people("aki", "ken")
    room = (await requests.open_dm(world.desk, ken, RoomOpen(account=aki.account))).id
    stop = asyncio.Event()

    async def talk() -> None:
        while not stop.is_set():
            await world.say(ken, room)

    talking = [asyncio.create_task(talk()) for _ in range(4)]
    while len(world.of(f"room:{room}")) < 20:
        await world.say(ken, room)
    await block(world, aki, ken)
    top = len(world.of(f"room:{room}"))
    seen = [parcel for parcel in world.of(f"room:{room}") if seen_by(parcel, aki.account) == parcel.frame]
    await world.say(ken, room)
    stop.set()
    await asyncio.gather(*talking)
    later = [parcel for parcel in world.of(f"room:{room}") if seen_by(parcel, aki.account) == parcel.frame]
    assert len(world.of(f"room:{room}")) > top
    assert later == seen


async def test_two_who_follow_and_block_at_once_end_apart(world: World) -> None:
    aki, ken = await world.people("aki", "ken", mutual=False)
    for _ in range(10):
        await asyncio.gather(
            block(world, aki, ken), asks(world, ken, aki), asks(world, aki, ken), return_exceptions=True
        )
        relation = (await profile(world, aki, ken)).relation
        assert (relation.blocked, relation.following, relation.followed_by) == (True, False, False)
        await unblock(world, aki, ken)


@pytest.mark.parametrize("issuer_blocks", [True, False])
async def test_an_invite_does_not_cross_a_block(world: World, issuer_blocks: bool) -> None:
    aki, ken = await world.people("aki", "ken", mutual=False)
    room = await world.group(aki)
    made = await invites.create(
        world.desk, aki, g.InviteCreate(nonce="i", kind=g.InviteKind.ROOM, room=room.id)
    )
    await block(world, *((aki, ken) if issuer_blocks else (ken, aki)))
    token = made.link.partition("#")[2]
    assert await code(invites.redeem(world.desk, ken, g.InviteKey(token=token))) == "invite_invalid"
    assert inbox(world, aki) == ["room.joined"]


class Counting:
    """A transaction that counts its statements."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self.statements = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._tx, name)

    def rows(self, sql: str, **params: object) -> list[Row]:
        """As the transaction's."""
        self.statements += 1
        return self._tx.rows(sql, **params)


async def test_a_batch_asks_once_who_blocks_whom_and_only_for_dms(world: World) -> None:
    aki, *others = await world.people("aki", *(f"p{number}" for number in range(8)))
    dms = [await requests.open_dm(world.desk, aki, RoomOpen(account=other.account)) for other in others]
    groups = [await world.group(aki, other) for other in others]

    def said(actors: list[Actor], places: list[str]) -> Unit[int]:
        items = [
            SendItem(actor.account, RoomSend(room=room, text="やあ", nonce=world.nonce), "やあ")
            for actor, room in zip(actors, places, strict=True)
        ]

        def unit(tx: Tx) -> int:
            counting = Counting(tx)
            outcomes = SEND.run(counting, items)  # type: ignore[arg-type]  # it is one in all it does
            assert not [each for each in outcomes if isinstance(each, Exception)]
            return counting.statements

        return unit

    counts = [
        await world.desk.db.write(said(actors, [room.id for room in places]))
        for actors, places in (
            ([aki] * 8, groups),
            ([aki] * 8, dms),
            (others, dms),
            ([aki], dms[:1]),
            ([aki] * 8, [*groups[:4], *dms[:4]]),
        )
    ]
    assert counts == [counts[0], *[counts[0] + 1] * 4]
