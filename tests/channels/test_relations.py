"""Follow, mute, report, hide on both back ends: one table of who reaches whom (FEATURES §2, §9)."""

from __future__ import annotations

import orjson
import pytest

from channels import moderation, profiles, relations, requests, rooms
from realtime import relations as n
from realtime.errors import Refusal
from realtime.relations import FollowLists, FollowState
from realtime.requests import (
    AccountGet,
    Empty,
    RoomList,
    RoomOpen,
    RoomRef,
)
from tests.support import places
from tests.support.relations import NOBODY, asks, block, code, inbox, people, profile
from tests.support.world import World

# Follow


async def test_following_is_told_to_the_followed_alone(world: World) -> None:
    aki, ken = await world.people("aki", "ken", mutual=False)
    assert await asks(world, aki, ken) is FollowState.FOLLOWING
    assert await asks(world, aki, ken) is FollowState.FOLLOWING
    assert inbox(world, ken) == ["follow.added"]
    # What the follower hears from now on is for the own devices.
    assert inbox(world, aki) == ["follow.began"]
    seen = await profile(world, aki, ken)
    assert (seen.relation.following, seen.relation.followed_by) == (True, False)
    assert (await profile(world, ken, aki)).relation.followed_by
    await relations.follow_remove(world.desk, aki, n.AccountRef(account=ken.account))
    assert not (await profile(world, aki, ken)).relation.following
    assert inbox(world, ken) == ["follow.added"]
    assert inbox(world, aki) == ["follow.began", "follow.ended"]


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
    assert relation.following is accepts
    assert inbox(world, aki) == (["follow.began", "follow.accepted"] if accepts else [])


async def test_a_declined_request_to_follow_looks_like_one_that_waits(world: World) -> None:
    aki, mio, ken = await world.people("aki", "mio", "ken", mutual=False)
    await profiles.update(world.desk, ken, n.AccountUpdate(private=True))
    for one in (aki, mio):
        await asks(world, one, ken)
    await relations.follow_decline(world.desk, ken, n.AccountRef(account=mio.account))
    for one in (aki, mio):
        assert (await profile(world, one, ken)).relation == n.Relation(requested=True)
        assert await asks(world, one, ken) is FollowState.REQUESTED
        assert inbox(world, one) == []
    # Whoever declined is not asked again by asking again.
    assert inbox(world, ken) == ["follow.requested"] * 2
    assert await people(world, ken, FollowLists.REQUESTS) == {"aki"}
    accepted = relations.follow_accept(world.desk, ken, n.AccountRef(account=mio.account))
    assert await code(accepted) == "not_found"


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


async def test_a_report_of_a_post_keeps_it_and_what_it_speaks_of(world: World) -> None:
    aki, ken, mio = await world.people("aki", "ken", "mio")
    place = await places.found(world, mio, aki, ken)
    first = await places.post(world, mio, None, "見て")
    answer = await places.post(world, ken, None, "へた", reply_to=first.post)
    hidden = await places.post(world, mio, place.id, "消える")
    await places.take_back(world, mio, hidden.post)
    closed = await world.person("yui")
    await profiles.update(world.desk, closed, n.AccountUpdate(private=True))
    unseen = await places.post(world, closed, None, "フォロワーへ")

    async def report(kind: str, target: str) -> n.Filed:
        request = n.ReportCreate(
            kind=n.ReportKind(kind), target=target, reason=n.ReportReason.OFFENSIVE, nonce=world.nonce
        )
        return await moderation.report(world.desk, aki, request)

    made = await report("post", answer.post)
    whole = await report("community", place.id)
    for kind, target in (
        ("post", hidden.post),
        ("post", unseen.post),
        ("post", NOBODY),
        ("community", NOBODY),
    ):
        assert await code(report(kind, target)) == "not_found"
    from storage.moderation import report_by_id

    rows = [
        await world.desk.db.read(lambda tx, each=each: report_by_id(tx, each.id)) for each in (made, whole)
    ]
    evidence = [orjson.loads(row.evidence) for row in rows if row is not None]
    assert [each["body"] for each in evidence[0]["posts"]] == ["へた", "見て"]
    assert evidence[1]["community"]["id"] == place.id


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
