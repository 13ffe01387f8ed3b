"""Follow, block, mute on both back ends: one table of who reaches whom, and nothing told to the blocked (FEATURES §9)."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from channels import messages, moderation, profiles, relations, requests, rooms
from channels.desk import Actor
from realtime import relations as n
from realtime.errors import Refusal
from realtime.hub import seen_by
from realtime.models import MemberState
from realtime.relations import FollowLists, FollowState
from realtime.requests import (
    AccountGet,
    Empty,
    MessageDelete,
    MessageList,
    RoomAdd,
    RoomList,
    RoomOpen,
    RoomRef,
)
from tests.support.world import World

NOBODY = "0" * 26


async def block(world: World, actor: Actor, other: Actor) -> None:
    await relations.block_add(world.desk, actor, n.AccountRef(account=other.account))


async def unblock(world: World, actor: Actor, other: Actor) -> None:
    await relations.block_remove(world.desk, actor, n.AccountRef(account=other.account))


async def asks(world: World, actor: Actor, other: Actor) -> FollowState:
    return (await relations.follow_add(world.desk, actor, n.AccountRef(account=other.account))).state


async def profile(world: World, actor: Actor, other: Actor) -> n.Profile:
    return await profiles.get(world.desk, actor, AccountGet(account=other.account))


async def code(work: object) -> str:
    """The code of a refusal."""
    with pytest.raises(Refusal) as refused:
        await work  # type: ignore[misc]  # any use case
    return refused.value.code


async def people(world: World, actor: Actor, which: FollowLists, of: Actor | None = None) -> set[str]:
    request = n.FollowList(which=which, account=of.account if of else None)
    return {card.handle for card in (await relations.follow_list(world.desk, actor, request)).accounts}


def inbox(world: World, actor: Actor) -> list[str]:
    return [parcel.kind for parcel in world.of(f"user:{actor.account}")]


# Follow


async def test_following_is_told_to_the_followed_alone(world: World) -> None:
    aki, ken = await world.people("aki", "ken", mutual=False)
    assert await asks(world, aki, ken) is FollowState.FOLLOWING
    assert await asks(world, aki, ken) is FollowState.FOLLOWING
    assert inbox(world, ken) == ["follow.added"]
    assert inbox(world, aki) == []
    seen = await profile(world, aki, ken)
    assert (seen.relation.following, seen.relation.followed_by) == (True, False)
    assert (await profile(world, ken, aki)).relation.followed_by
    await relations.follow_remove(world.desk, aki, n.AccountRef(account=ken.account))
    assert not (await profile(world, aki, ken)).relation.following
    assert inbox(world, ken) == ["follow.added"]


@pytest.mark.parametrize("accepts", [True, False])
async def test_a_private_account_is_asked(world: World, accepts: bool) -> None:
    aki, ken = await world.people("aki", "ken", mutual=False)
    await profiles.update(world.desk, ken, n.AccountUpdate(private=True))
    assert await asks(world, aki, ken) is FollowState.REQUESTED
    assert await asks(world, aki, ken) is FollowState.REQUESTED
    assert inbox(world, ken) == ["follow.requested"]
    assert (await profile(world, aki, ken)).relation.requested
    assert await people(world, ken, FollowLists.REQUESTS) == {"aki"}
    answer = relations.follow_accept if accepts else relations.follow_decline
    await answer(world.desk, ken, n.AccountRef(account=aki.account))
    assert await code(answer(world.desk, ken, n.AccountRef(account=aki.account))) == "not_found"
    relation = (await profile(world, aki, ken)).relation
    assert (relation.following, relation.requested) == (accepts, False)
    assert inbox(world, aki) == (["follow.accepted"] if accepts else [])


async def test_lists_are_for_mutuals_in_an_order_that_tells_nothing(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    ken = await world.person("ken")
    fans = [await world.person(f"p{number}") for number in range(12)]
    for fan in fans:
        await world.follow(fan.handle, "haru")
    assert await people(world, aki, FollowLists.FOLLOWERS, haru) == {"aki", *(fan.handle for fan in fans)}
    request = n.FollowList(which=FollowLists.FOLLOWERS, account=haru.account)
    assert await code(relations.follow_list(world.desk, ken, request)) == "forbidden"
    theirs = n.FollowList(which=FollowLists.REQUESTS, account=haru.account)
    assert await code(relations.follow_list(world.desk, aki, theirs)) == "forbidden"
    paged: list[str] = []
    after: str | None = None
    while True:
        page = await relations.follow_list(
            world.desk, haru, n.FollowList(which=FollowLists.FOLLOWERS, after=after, limit=5)
        )
        paged += [card.id for card in page.accounts]
        after = page.next
        if after is None:
            break
    assert sorted(paged) == sorted([aki.account, *(fan.account for fan in fans)])
    assert paged != sorted(paged)


# Block


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


# Who may ask, mute, report


async def test_requests_of_strangers_arrive_where_they_are_wanted(world: World) -> None:
    aki, ken, mio = await world.people("aki", "ken", "mio", mutual=False)
    await profiles.update(world.desk, aki, n.AccountUpdate(write_from="followed"))  # type: ignore[arg-type]  # by value
    for one in ("aki", "mio"):
        await world.follow(one, {"aki": "mio", "mio": "aki"}[one])
    await world.group(aki, mio)
    await relations.follow_remove(world.desk, aki, n.AccountRef(account=mio.account))
    traces = []
    for actor in (ken, mio):
        room = await requests.open_dm(world.desk, actor, RoomOpen(account=aki.account))
        await world.say(actor, room.id, "はじめまして")
        refused = await code(world.say(actor, room.id, "ねえ"))
        traces.append((refused, [parcel.kind for parcel in world.of(f"room:{room.id}")]))
    assert traces[0] == traces[1]
    waiting = (await rooms.list_rooms(world.desk, aki, RoomList(standing="requested"))).rooms
    assert [room.peer.handle for room in waiting if room.peer] == ["mio"]


async def test_a_mute_is_a_private_note(world: World) -> None:
    aki, ken = await world.people("aki", "ken")
    await relations.mute_add(world.desk, aki, n.AccountRef(account=ken.account))
    assert [c.handle for c in (await relations.mute_list(world.desk, aki, n.PeopleList())).accounts] == [
        "ken"
    ]
    assert (await profile(world, aki, ken)).relation.muted
    assert (await profile(world, ken, aki)).relation == n.Relation(following=True, followed_by=True)
    room = (await requests.open_dm(world.desk, ken, RoomOpen(account=aki.account))).id
    await world.say(ken, room)
    assert (await rooms.get(world.desk, aki, RoomRef(room=room))).unread == 1
    await relations.mute_remove(world.desk, aki, n.AccountRef(account=ken.account))
    assert (await relations.mute_list(world.desk, aki, n.PeopleList())).accounts == []


async def test_own_lists_are_paged(world: World) -> None:
    aki = await world.person("aki")
    others = [await world.person(f"p{number}") for number in range(5)]
    for other in others:
        await block(world, aki, other)
    first = await relations.block_list(world.desk, aki, n.PeopleList(limit=3))
    second = await relations.block_list(world.desk, aki, n.PeopleList(limit=3, after=first.next))
    assert [c.id for c in first.accounts + second.accounts] == sorted(o.account for o in others)
    assert second.next is None


@pytest.mark.parametrize(
    "use_case",
    [relations.follow_add, relations.block_add, relations.mute_add],
    ids=["follow", "block", "mute"],
)
async def test_oneself_and_nobody_are_refused(world: World, use_case: object) -> None:
    aki = await world.person("aki")
    for account, expected in ((aki.account, "forbidden"), (NOBODY, "not_found")):
        assert await code(use_case(world.desk, aki, n.AccountRef(account=account))) == expected  # type: ignore[operator]  # a use case


async def test_a_report_keeps_what_the_reporter_may_see(world: World) -> None:
    aki, ken = await world.people("aki", "ken")
    room = (await requests.open_dm(world.desk, ken, RoomOpen(account=aki.account))).id
    lines = [await world.say(ken, room, f"{number}行") for number in range(25)]
    await block(world, aki, ken)
    unseen = await world.say(ken, room, "見えない")

    async def report(kind: str, target: str) -> n.Filed:
        request = n.ReportCreate(
            kind=n.ReportKind(kind),
            target=target,
            reason=n.ReportReason.OFFENSIVE,
            nonce=world.nonce,
            words="ひどい",
        )
        return await moderation.report(world.desk, aki, request)

    made = await report("message", lines[12].message)
    await report("account", ken.account)
    await report("room", room)
    for kind, target in (
        ("message", unseen.message),
        ("message", NOBODY),
        ("account", NOBODY),
        ("room", NOBODY),
    ):
        assert await code(report(kind, target)) == "not_found"
    from storage.moderation import open_reports, report_by_id

    row = await world.desk.db.read(lambda tx: report_by_id(tx, made.id))
    assert row is not None
    evidence = orjson.loads(row.evidence)
    assert [line["text"] for line in evidence["lines"]] == [f"{number}行" for number in range(2, 23)]
    kept = await world.desk.db.read(lambda tx: open_reports(tx, 10))
    assert all("見えない" not in report.evidence for report in kept)
    assert orjson.loads(kept[1].evidence)["account"]["handle"] == "ken"


async def test_words_reach_the_operators_once_per_nonce(world: World) -> None:
    aki = await world.person("aki")
    request = n.SupportOpen(words="たすけて", nonce="s", request_id="x-1")
    first = await moderation.open_support(world.desk, aki, request)
    assert await moderation.open_support(world.desk, aki, request) == first
    with pytest.raises(Refusal) as refused:
        for _ in range(world.desk.settings.limits.reports_per_day_max):
            again = n.SupportOpen(words="たすけて", nonce=world.nonce)
            await moderation.open_support(world.desk, aki, again)
    assert refused.value.code == "rate_limited"


async def test_the_hidden_are_found_by_nobody_and_keep_everything(world: World) -> None:
    aki, ken, mio = await world.people("aki", "ken", "mio")
    room = await world.group(aki, ken)
    await profiles.hide(world.desk, aki, Empty())
    assert await code(profile(world, mio, aki)) == "not_found"
    gone = await profile(world, ken, aki)
    assert (gone.gone, gone.id, gone.handle, gone.name) == (True, aki.account, "", "")
    assert await code(profiles.get(world.desk, ken, AccountGet(handle="aki"))) == "not_found"
    assert await code(requests.open_dm(world.desk, mio, RoomOpen(account=aki.account))) == "not_found"
    assert await code(world.group(mio, aki)) == "not_found"
    assert await people(world, mio, FollowLists.FOLLOWERS) == {"ken"}
    seen = await rooms.get(world.desk, ken, RoomRef(room=room.id))
    assert [person.account.gone for person in seen.people if person.account.id == aki.account] == [True]
    own = await profile(world, aki, aki)
    assert own.settings is not None
    assert own.settings.hidden
    assert not own.gone
    await profiles.show(world.desk, aki, Empty())
    assert (await profile(world, mio, aki)).handle == "aki"
    assert (await profile(world, mio, aki)).relation.following
