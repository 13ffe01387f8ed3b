"""Public communities and their posts, on both databases (FEATURES §3, §5)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import orjson
import pytest
from msgspec import structs

from channels import arrival, communities, oversight, profiles
from channels.desk import Actor
from channels.signals import may_signal
from realtime import posts as p
from realtime import relations as n
from realtime.channel import seen_by
from realtime.errors import Refusal
from realtime.parcels import Parcel
from realtime.requests import Empty, RoomOpen
from storage.relations import apart_of
from tests.support.places import found, got, join, leave, post, take_back, texts, timeline
from tests.support.relations import block, code, inbox, unblock
from tests.support.world import World


def told(parcels: list[Parcel], viewer: Actor, apart: frozenset[str] = frozenset()) -> list[str]:
    """What a viewer makes of a channel's entries: texts, `-seq` of deletions, `skip`."""
    seen = []
    for parcel in parcels:
        frame = orjson.loads(seen_by(parcel, viewer.account, apart))
        match frame["ev"]:
            case "post.created":
                seen.append(frame["d"]["post"]["text"])
            case "post.deleted":
                seen.append(f"-{frame['d']['post_seq']}")
            case other:
                seen.append(other)
    return seen


async def replayed(world: World, viewer: Actor, channel: str) -> list[str]:
    """The channel as a viewer who missed all of it is told it by the log."""
    polled = await arrival.poll(world.desk, viewer.account, {channel: 0}, same_epoch=True)
    return told(polled.missed, viewer, polled.apart)


async def test_found_find_join_post_and_read(world: World) -> None:
    aki, haru, ken = await world.people("aki", "haru", "ken", mutual=False)
    place = await found(world, aki)
    assert (place.name, place.purpose, place.members, place.role) == ("電車", "窓から見る", 1, p.Role.CREATOR)
    everything = p.CommunityList(joined=False)
    seen = (await communities.list_communities(world.desk, ken, everything)).communities
    assert [(each.id, each.role) for each in seen] == [(place.id, None)]
    joined = await join(world, haru, place.id)
    assert (joined.members, joined.role) == (2, p.Role.MEMBER)
    assert await join(world, haru, place.id) == joined, "twice is once"
    assert inbox(world, haru) == ["community.joined"]
    said = await post(world, haru, place.id)
    assert said.seq == joined.seq + 1
    # Whoever is outside reads, and is not heard.
    assert await texts(world, ken, place.id) == ["海が見えた"]
    assert await got(world, ken, said.post, said.post) == [said.post]
    assert await code(post(world, ken, place.id)) == "not_member"
    mine = (await communities.list_communities(world.desk, ken, p.CommunityList())).communities
    assert mine == []
    shown = (await timeline(world, ken, place.id)).posts[0]
    assert (shown.author.handle, shown.channel, shown.seq, shown.at) == (
        "haru",
        place.channel,
        said.seq,
        said.at,
    )


async def test_lists_go_on_where_they_ended(world: World) -> None:
    (aki,) = await world.people("aki")
    made = [(await found(world, aki, name=f"場所{number}")).id for number in range(5)]
    seen: list[str] = []
    after = None
    while True:
        page = await communities.list_communities(
            world.desk, aki, p.CommunityList(joined=True, after=after, limit=2)
        )
        seen += [each.id for each in page.communities]
        after = page.next
        if after is None:
            break
    assert seen == made[::-1]


async def test_what_is_not_there_is_not_found(world: World) -> None:
    (aki,) = await world.people("aki")
    nowhere = aki.session
    for work in (
        communities.get(world.desk, aki, p.CommunityRef(community=nowhere)),
        join(world, aki, nowhere),
        leave(world, aki, nowhere),
        post(world, aki, nowhere),
        timeline(world, aki, nowhere),
        take_back(world, aki, nowhere),
        may_signal(world.desk, aki, f"community:{nowhere}"),
        may_signal(world.desk, aki, f"room:{nowhere}"),
        may_signal(world.desk, aki, f"user:{aki.account}"),
        may_signal(world.desk, aki, "elsewhere"),
    ):
        assert await code(work) == "not_found"
    assert await got(world, aki, nowhere) == []
    place = await found(world, aki)
    assert await code(timeline(world, aki, place.id, before=3, after=1)) == "bad_request"


async def test_a_post_is_made_once_however_often_and_together(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    place = await found(world, aki, haru)
    first, *others = await asyncio.gather(*(post(world, aki, place.id, nonce="same") for _ in range(5)))
    assert others == [first] * 4
    assert await post(world, aki, place.id, nonce="same") == first
    assert (await post(world, haru, place.id, nonce="same")).post != first.post
    assert await code(post(world, aki, place.id, "ちがう", nonce="same")) == "conflict"
    assert await texts(world, aki, place.id) == ["海が見えた", "海が見えた"]


async def test_one_batch_judges_each_and_numbers_without_holes(world: World) -> None:
    aki, haru, ken = await world.people("aki", "haru", "ken")
    places = [await found(world, aki, haru) for _ in range(3)]
    work = [post(world, actor, place.id) for actor in (aki, haru, ken) for place in places for _ in range(4)]
    outcomes = await asyncio.gather(*work, return_exceptions=True)
    refused = [each for each in outcomes if isinstance(each, Refusal)]
    assert [each.code for each in refused] == ["not_member"] * 12
    for place in places:
        seqs = [each.seq for each in (await timeline(world, aki, place.id)).posts]
        assert seqs == list(range(seqs[0], seqs[0] + 8))
        assert seqs[-1] == (await communities.get(world.desk, aki, p.CommunityRef(community=place.id))).seq


@pytest.mark.parametrize(("text", "expected"), [("あ" * 150, "text_too_long"), (" \n ", "text_invalid")])
async def test_the_rule_of_149_3_holds(world: World, text: str, expected: str) -> None:
    (aki,) = await world.people("aki")
    place = await found(world, aki)
    assert await code(post(world, aki, place.id, text)) == expected
    await post(world, aki, place.id, "あ" * 149)
    assert await texts(world, aki, place.id) == ["あ" * 149]


async def test_pages_go_both_ways(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    place = await found(world, aki)
    said = [await post(world, aki, place.id, str(number)) for number in range(10)]
    await take_back(world, aki, said[4].post)
    newest = await timeline(world, haru, place.id, limit=4)
    assert [each.text for each in newest.posts] == list("6789")
    assert (newest.more_before, newest.more_after, newest.seq) == (True, False, said[-1].seq + 1)
    before = await timeline(world, haru, place.id, before=newest.posts[0].seq, limit=4)
    assert [each.text for each in before.posts] == list("1235")
    assert (before.more_before, before.more_after) == (True, True)
    after = await timeline(world, haru, place.id, after=before.posts[-1].seq, limit=4)
    assert after.posts == newest.posts
    assert (after.more_before, after.more_after) == (True, False)


async def test_whoever_wrote_it_takes_it_back(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    place = await found(world, aki, haru)
    kept, gone = await post(world, haru, place.id, "のこる"), await post(world, haru, place.id, "きえる")
    assert await code(take_back(world, aki, gone.post)) == "forbidden"
    await take_back(world, haru, gone.post)
    await take_back(world, haru, gone.post)
    assert await texts(world, aki, place.id) == ["のこる"]
    assert await got(world, aki, gone.post, kept.post) == [kept.post]
    entries = world.of(place.channel)
    assert told(entries, aki) == ["のこる", "きえる", f"-{gone.seq}"]
    # Read again, the words are nowhere.
    assert await replayed(world, aki, place.channel) == ["のこる", "skip", f"-{gone.seq}"]


async def test_whoever_leaves_hears_no_more_and_the_place_goes_on(world: World) -> None:
    aki, haru, ken = await world.people("aki", "haru", "ken")
    place = await found(world, aki, haru, ken)
    await leave(world, aki, place.id)
    assert inbox(world, aki) == ["community.joined", "notification.created", "community.left"]
    assert await code(leave(world, aki, place.id)) == "not_member"
    assert await code(post(world, aki, place.id)) == "not_member"
    seen = await communities.get(world.desk, haru, p.CommunityRef(community=place.id))
    assert (seen.creator, seen.role, seen.members) == (haru.account, p.Role.CREATOR, 2)
    removal = world.of(place.channel)[-1]
    assert (removal.kind, removal.target) == ("community.member_left", aki.account)
    polled = await arrival.poll(world.desk, aki.account, {place.channel: 0}, same_epoch=True)
    assert [each.ch for each in polled.plan.channels] == []
    back = await join(world, aki, place.id)
    assert (back.role, back.members) == (p.Role.MEMBER, 3)
    await leave(world, haru, place.id)
    await leave(world, ken, place.id)
    await leave(world, aki, place.id)
    empty = await communities.get(world.desk, aki, p.CommunityRef(community=place.id))
    assert (empty.members, empty.creator) == (0, aki.account)


async def test_a_position_from_before_joining_is_not_continued(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    place = await found(world, aki)
    await post(world, aki, place.id)
    joined = await join(world, haru, place.id)
    early = await arrival.poll(world.desk, haru.account, {place.channel: 0}, same_epoch=True)
    assert [each.recovered for each in early.plan.channels] == [False]
    now = await arrival.poll(world.desk, haru.account, {place.channel: joined.seq}, same_epoch=True)
    assert [each.recovered for each in now.plan.channels] == [True]


async def test_the_blocked_and_the_blocker_do_not_read_each_other(world: World) -> None:
    aki, ken, mio = await world.people("aki", "ken", "mio")
    place = await found(world, mio, aki, ken)
    early = await post(world, ken, place.id, "まえ")
    await block(world, aki, ken)
    said = {each: await post(world, each, place.id, each.handle) for each in (aki, ken, mio)}
    assert await texts(world, mio, place.id) == ["まえ", "aki", "ken", "mio"]
    assert await texts(world, aki, place.id) == ["aki", "mio"]
    assert await texts(world, ken, place.id) == ["まえ", "ken", "mio"]
    assert await got(world, aki, early.post, said[ken].post, said[mio].post) == [said[mio].post]
    assert await got(world, ken, said[aki].post) == []
    assert await code(take_back(world, ken, said[aki].post)) == "not_found"
    assert await replayed(world, mio, place.channel) == ["まえ", "aki", "ken", "mio"]
    assert await replayed(world, aki, place.channel) == ["skip", "aki", "skip", "mio"]
    assert await replayed(world, ken, place.channel) == ["まえ", "skip", "ken", "mio"]
    for viewer, other in ((aki, ken), (ken, aki)):
        assert await world.desk.db.read(lambda tx, v=viewer: apart_of(tx, v.account)) == [other.account]
    # The one who is blocked is told nothing; that both are apart stands in the blocker's inbox, for nodes.
    assert [parcel.kind for parcel in world.of(f"user:{ken.account}")] == ["community.joined"]
    kinds = [parcel.kind for parcel in world.of(f"user:{aki.account}")]
    assert kinds[1:] == ["relation.apart", "follow.ended"]
    await unblock(world, aki, ken)
    assert world.of(f"user:{aki.account}")[-1].kind == "relation.together"
    assert await texts(world, aki, place.id) == ["まえ", "aki", "ken", "mio"]


async def test_a_block_that_is_mutual_ends_with_the_second_end(world: World) -> None:
    aki, ken = await world.people("aki", "ken", mutual=False)
    await block(world, aki, ken)
    await block(world, ken, aki)
    await unblock(world, aki, ken)
    assert [parcel.kind for parcel in world.of(f"user:{aki.account}")] == ["relation.apart"]
    await unblock(world, ken, aki)
    kinds = [parcel.kind for parcel in world.of(f"user:{ken.account}")]
    assert kinds == ["relation.apart", "relation.together"]


async def test_who_hides_is_not_read_and_does_not_post(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    place = await found(world, aki, haru)
    said = await post(world, haru, place.id)
    await profiles.hide(world.desk, haru, Empty())
    assert world.of(f"user:{haru.account}")[-1].kind == "account.away"
    assert await texts(world, aki, place.id) == []
    assert await got(world, aki, said.post) == []
    assert await replayed(world, aki, place.channel) == ["skip"]
    assert await texts(world, haru, place.id) == ["海が見えた"]
    assert await got(world, haru, said.post) == [said.post]
    assert await code(post(world, haru, place.id)) == "forbidden"
    await profiles.show(world.desk, haru, Empty())
    assert await texts(world, aki, place.id) == ["海が見えた"]


async def test_a_deleted_founder_passes_the_place_on_and_leaves_no_words(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    place = await found(world, aki, haru)
    said = await post(world, aki, place.id)
    now = replace(
        world.desk,
        settings=replace(world.desk.settings, limits=replace(world.desk.settings.limits, erase_after_days=0)),
    )
    await profiles.delete(now, aki, Empty())
    seen = await communities.get(world.desk, haru, p.CommunityRef(community=place.id))
    assert seen.creator == haru.account
    assert await got(world, haru, said.post) == []
    assert await world.desk.db.write(profiles.erase_due) == 1
    kept = await world.desk.db.read(lambda tx: tx.rows("select body, deleted_at is null from post"))
    assert [(body, bool(there)) for body, there in kept] == [(None, False)]
    assert (await communities.get(world.desk, haru, p.CommunityRef(community=place.id))).members == 1


async def test_nobody_is_in_more_communities_than_the_limit(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    place, other = await found(world, aki), await found(world, aki)
    limits = replace(world.desk.settings.limits, communities_per_account_max=1)
    desk = replace(world.desk, settings=replace(world.desk.settings, limits=limits))
    await communities.join(desk, haru, p.CommunityRef(community=place.id))
    with pytest.raises(Refusal) as refused:
        await communities.join(desk, haru, p.CommunityRef(community=other.id))
    assert (refused.value.code, refused.value.details["limit"]) == ("full", 1)
    assert (await communities.get(desk, haru, p.CommunityRef(community=other.id))).members == 1


async def test_who_may_signal_where(world: World) -> None:
    from channels import requests

    aki, haru, ken = await world.people("aki", "haru", "ken")
    place, group = await found(world, aki, haru), await world.group(aki, haru)
    dm = await requests.open_dm(world.desk, aki, RoomOpen(account=haru.account))
    assert await may_signal(world.desk, haru, place.channel)
    assert await may_signal(world.desk, haru, group.channel)
    # What a block or a closed account may change is asked each time.
    assert not await may_signal(world.desk, haru, dm.channel)
    assert await code(may_signal(world.desk, ken, place.channel)) == "not_member"
    assert await code(may_signal(world.desk, ken, group.channel)) == "not_found"
    await block(world, aki, haru)
    assert await code(may_signal(world.desk, aki, dm.channel)) == "blocked"
    assert not await may_signal(world.desk, haru, dm.channel), "being blocked is never told"


async def shown(world: World, viewer: Actor, account: Actor, **page: Any) -> list[str]:
    """The names of the communities that an account shows a viewer."""
    request = p.CommunityList(account=account.account, **page)
    return [
        each.name for each in (await communities.list_communities(world.desk, viewer, request)).communities
    ]


async def test_one_shows_where_one_is_inside_or_nothing_at_all(world: World) -> None:
    aki, haru, ken = await world.people("aki", "haru", "ken", mutual=False)
    places = [await found(world, aki, name=name) for name in ("電車", "窓", "海")]
    await join(world, haru, places[1].id)
    # Off at first, for oneself too: one sees what others see.
    for viewer in (aki, haru, ken):
        assert await shown(world, viewer, aki) == []
    for each in (aki, haru):
        await profiles.update(world.desk, each, n.AccountUpdate(communities_shown=True))
    for viewer in (aki, haru, ken):
        assert await shown(world, viewer, aki) == ["海", "窓", "電車"]
        assert await shown(world, viewer, haru) == ["窓"]
    # As whoever looks stands to them.
    request = p.CommunityList(account=aki.account)
    seen = (await communities.list_communities(world.desk, haru, request)).communities
    assert [each.role for each in seen] == [None, p.Role.MEMBER, None]
    first = await communities.list_communities(world.desk, ken, structs.replace(request, limit=2))
    assert [each.name for each in first.communities] == ["海", "窓"]
    assert await shown(world, ken, aki, after=first.next, limit=2) == ["電車"]
    await leave(world, haru, places[1].id)
    assert await shown(world, ken, haru) == []
    await profiles.update(world.desk, aki, n.AccountUpdate(communities_shown=False))
    assert await shown(world, haru, aki) == []


async def arrange(world: World, actor: Actor, *ids: str) -> None:
    """Show one's communities in this order."""
    await communities.arrange(world.desk, actor, p.CommunityArrange(communities=list(ids)))


async def test_a_profile_shows_them_in_ones_own_order(world: World) -> None:
    aki, haru = await world.people("aki", "haru", mutual=False)
    one, two, three, four = [(await found(world, aki, name=name)).id for name in "一二三四"]
    others = (await found(world, haru, name="はるの")).id
    await join(world, haru, two)
    await join(world, haru, four)
    for each in (aki, haru):
        await profiles.update(world.desk, each, n.AccountUpdate(communities_shown=True))
    await arrange(world, aki, two, others, four, two, one)
    # Whoever is not named stands before them, and an order is one's own.
    assert await shown(world, haru, aki) == ["三", "二", "四", "一"]
    assert await shown(world, aki, haru) == ["はるの", "四", "二"]
    pages = []
    for after in ("", three, two, four, one):
        pages.append(await shown(world, haru, aki, after=after or None, limit=1))
    assert pages == [["三"], ["二"], ["四"], ["一"], []]
    five = (await found(world, aki, name="五")).id
    assert await shown(world, haru, aki) == ["五", "三", "二", "四", "一"]
    await arrange(world, aki, one, five)
    assert await shown(world, haru, aki) == ["四", "三", "二", "一", "五"]
    # A page whose last one was left meanwhile goes on all the same.
    await leave(world, aki, three)
    assert await shown(world, haru, aki, after=three) == ["二", "一", "五"]


async def test_two_orders_at_once_leave_one_of_them(world: World) -> None:
    aki = await world.person("aki")
    ids = [(await found(world, aki, name=name)).id for name in "一二三四五六"]
    await profiles.update(world.desk, aki, n.AccountUpdate(communities_shown=True))
    orders = [ids, ids[::-1]] * 5
    await asyncio.gather(*(arrange(world, aki, *order) for order in orders))
    assert await shown(world, aki, aki) in (list("一二三四五六"), list("六五四三二一"))


async def test_who_may_not_see_somebody_learns_no_communities(world: World) -> None:
    aki, haru, ken, mio = await world.people("aki", "haru", "ken", "mio", mutual=False)
    place = await found(world, aki, haru, ken)
    for each in (aki, haru, ken):
        await profiles.update(world.desk, each, n.AccountUpdate(communities_shown=True))
    await block(world, aki, mio)
    await profiles.hide(world.desk, haru, Empty())
    await world.desk.db.write(lambda tx: oversight.suspend(tx, "@op", "ken", ""))
    nobody = Actor(place.id, "")
    for account in (aki, haru, ken, nobody):
        assert await code(shown(world, mio, account)) == "not_found"
    await unblock(world, aki, mio)
    assert await shown(world, mio, aki) == [place.name]
