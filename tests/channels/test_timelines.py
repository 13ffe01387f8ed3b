"""Timelines by page, on both databases: stable both ways, complete, without doubles (FEATURES §3)."""

from __future__ import annotations

import random
from typing import Any

import pytest

from channels import profiles, timelines
from channels.desk import Actor
from realtime import posts as p
from realtime import relations as n
from realtime.requests import Empty
from tests.support.places import follow_texts, found, join, leave, page, post, take_back
from tests.support.relations import block, code
from tests.support.world import World

FOLLOW = p.Timeline.FOLLOW


async def walked(world: World, viewer: Actor, limit: int, *, back: bool, **fields: Any) -> list[str]:
    """A whole timeline by pages, from its newest end or from its oldest; ascending."""
    seen: list[str] = []
    at: dict[str, str] = {} if back else {"after_post": "0" * 26}
    while True:
        got = await page(world, viewer, limit=limit, **fields, **at)
        ids = [each.id for each in got.posts]
        assert ids == sorted(ids)
        assert len(ids) <= limit
        seen = ids + seen if back else seen + ids
        if not (got.more_before if back else got.more_after):
            return seen
        assert len(ids) == limit, "a page that is not full is the last one"
        at = {"before_post": ids[0]} if back else {"after_post": ids[-1]}


async def test_follow_is_whom_one_follows_where_one_is_and_oneself(world: World) -> None:
    aki, haru, ken = await world.people("aki", "haru", "ken", mutual=False)
    await world.follow("aki", "haru")
    place, elsewhere = await found(world, ken, aki), await found(world, ken)
    for who, home, text in (
        (haru, None, "1"),
        (ken, None, "no"),
        (ken, place.id, "2"),
        (aki, None, "3"),
        (ken, elsewhere.id, "no"),
        (aki, place.id, "4"),
    ):
        await post(world, who, home, text)
    assert await follow_texts(world, aki) == list("1234")
    await leave(world, aki, place.id)
    assert await follow_texts(world, aki) == ["1", "3"]
    await join(world, aki, place.id)
    assert await follow_texts(world, aki) == list("1234")


@pytest.mark.parametrize("seed", range(4))
async def test_every_post_stands_once_whichever_way_and_size(world: World, seed: int) -> None:
    random_ = random.Random(seed)
    people = await world.people(*(f"p{i}" for i in range(6)), mutual=False)
    reader = people[0]
    for other in people[1:5]:
        await world.follow("p0", other.handle)
    places = [await found(world, people[1], *people) for _ in range(2)]
    expected: list[str] = []
    for number in range(60):
        # Some homes are busy, others are not: pages are put together from unequal parts.
        who = random_.choice([people[1]] * 6 + people)
        home = random_.choice([None, None, None, *(place.id for place in places)])
        said = await post(world, who, home, str(number))
        if random_.random() < 0.2:
            await take_back(world, who, said.post)
        elif home or who is not people[5]:
            expected.append(said.post)
    hidden = people[2]
    gone = await world.desk.db.read(lambda tx: tx.rows("select id, author from post"))
    await block(world, people[4], reader)
    await profiles.hide(world.desk, hidden, Empty())
    unseen = {post_id for post_id, author in gone if author in (people[4].account, hidden.account)}
    expected = sorted(post_id for post_id in expected if post_id not in unseen)
    for limit in (1, 3, 7, 100):
        for back in (True, False):
            assert await walked(world, reader, limit, back=back, which=FOLLOW) == expected


async def test_a_place_in_a_page_stays_whatever_is_posted_and_deleted(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    said = [(await post(world, who, None, str(i))).post for i, who in enumerate([aki, haru] * 5)]
    newest = await page(world, aki, FOLLOW, limit=4)
    assert [each.id for each in newest.posts] == said[6:]
    assert (newest.more_before, newest.more_after, newest.seq) == (True, False, 0)
    later = (await post(world, haru, None, "later")).post
    await take_back(world, aki, said[6])
    before = await page(world, aki, FOLLOW, before_post=said[6], limit=4)
    assert [each.id for each in before.posts] == said[2:6]
    assert (before.more_before, before.more_after) == (True, True)
    # What a channel that could not be continued has missed: back to the last post that was seen.
    missed = await page(world, aki, FOLLOW, after_post=said[9], limit=4)
    assert [each.id for each in missed.posts] == [later]
    assert (missed.more_before, missed.more_after) == (True, False)


async def test_a_profile_holds_what_was_said_to_all_and_no_community(world: World) -> None:
    aki, haru = await world.people("aki", "haru", mutual=False)
    place = await found(world, aki)
    said = [(await post(world, aki, None, str(i))).post for i in range(5)]
    await post(world, aki, place.id, "ここだけ")
    fields: dict[str, Any] = {"which": p.Timeline.PROFILE, "account": aki.account}
    for back in (True, False):
        assert await walked(world, haru, 2, back=back, **fields) == said
    got = await page(world, haru, **fields)
    assert got.seq == 5
    await block(world, aki, haru)
    assert await code(page(world, haru, **fields)) == "not_found"


async def test_a_thread_begins_at_its_beginning(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    first = (await post(world, aki, None, "0")).post
    said = [first]
    for i in range(1, 8):
        answered = random.Random(i).choice(said)
        said.append((await post(world, (aki, haru)[i % 2], None, str(i), reply_to=answered)).post)
    await post(world, aki, None, "別の話")
    for asked in (said[0], said[-1]):
        fields: dict[str, Any] = {"which": p.Timeline.THREAD, "post": asked}
        got = await page(world, aki, limit=3, **fields)
        assert [each.id for each in got.posts] == said[:3]
        assert (got.more_before, got.more_after) == (False, True)
        assert await walked(world, aki, 3, back=False, **fields) == said
        back = await page(world, aki, limit=3, before_post=said[3], **fields)
        assert [each.id for each in back.posts] == said[:3]
    assert await code(page(world, aki, p.Timeline.THREAD, post=aki.session)) == "not_found"


async def test_counts_and_ones_own_stand_in_pages(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    said = await post(world, aki, None)
    await post(world, haru, None, "うん", reply_to=said.post)
    row = (await page(world, haru, FOLLOW)).posts[0]
    assert row.counts == p.PostCounts(replies=1)
    assert row.mine == p.OwnReactions()


async def test_discover_tells_why_and_nothing_that_is_not_shown(world: World) -> None:
    aki, haru, ken, mio, rei = await world.people("aki", "haru", "ken", "mio", "rei", mutual=False)
    for other in (haru, ken, mio):
        await world.follow("aki", other.handle)
        await world.follow(other.handle, "aki")
    await world.follow("aki", "rei")
    both, one = await found(world, haru, ken, mio, rei), await found(world, haru, rei)
    shown = n.AccountUpdate(communities_shown=True)

    async def discovered() -> list[tuple[str, list[str]]]:
        got = await page(world, aki, p.Timeline.DISCOVER)
        return [(each.community.id, each.because) for each in got.found]

    for who in (haru, rei):
        await profiles.update(world.desk, who, shown)
    # One membership that is shown is no reason, nor is somebody who does not follow back.
    assert await discovered() == []
    await profiles.update(world.desk, ken, shown)
    assert await discovered() == [(both.id, sorted([haru.account, ken.account]))]
    await join(world, ken, one.id)
    assert {place for place, _ in await discovered()} == {both.id, one.id}
    await profiles.update(world.desk, mio, shown)
    assert [place for place, _ in await discovered()] == [both.id, one.id], "most of them first"
    await join(world, aki, both.id)
    assert [place for place, _ in await discovered()] == [one.id]
    await block(world, ken, aki)
    assert await discovered() == []


@pytest.mark.parametrize(
    ("which", "fields"),
    [
        ("follow", {"before": 1}),
        ("follow", {"account": "x"}),
        ("follow", {"before_post": "x", "after_post": "y"}),
        ("community", {}),
        ("community", {"community": "x", "before_post": "x"}),
        ("profile", {}),
        ("profile", {"account": "x", "after": 1}),
        ("thread", {"account": "x", "post": "x"}),
        ("discover", {"before_post": "x"}),
    ],
)
async def test_a_timeline_has_its_own_fields(world: World, which: str, fields: dict[str, Any]) -> None:
    (aki,) = await world.people("aki")
    assert await code(page(world, aki, p.Timeline(which), **fields)) == "bad_request"


async def test_how_far_one_has_read_goes_on_and_never_back(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    said = await post(world, haru, None, "読んだ")

    async def read_at(who: Actor) -> int | None:
        return (await page(world, who, FOLLOW)).read_at

    async def read(who: Actor, at: int) -> None:
        await timelines.read(world.desk, who, p.TimelineRead(at=at))

    assert await read_at(aki) is None
    await read(aki, said.at)
    assert await read_at(aki) == said.at
    await read(aki, said.at - 5)
    assert await read_at(aki) == said.at
    # What has not been yet cannot have been read.
    await read(aki, p.MOMENT_MAX)
    now = await world.desk.db.read(lambda tx: tx.now_ms())
    assert said.at <= (await read_at(aki) or 0) <= now
    assert await read_at(haru) is None
    # Other timelines keep nothing of the kind.
    assert (await page(world, aki, p.Timeline.PROFILE, account=haru.account)).read_at is None
