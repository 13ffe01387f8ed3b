"""Stamps and likes, on both databases: counted for all, named to the author alone (FEATURES §3)."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import replace

import pytest

from channels import profiles, reactions
from channels.counts import TOUCHED
from channels.desk import Actor
from realtime import posts as p
from realtime import reactions as r
from realtime.reactions import CATALOGUE, ReactionKind, Stamp
from realtime.requests import Empty
from tests.channels.test_post_kinds import one, private
from tests.support.places import found, post, take_back
from tests.support.relations import block, code
from tests.support.world import World

LIKE = ReactionKind.LIKE


async def stamp(world: World, actor: Actor, post_id: str, which: Stamp = Stamp.KAWAII) -> None:
    """Leave a stamp."""
    await reactions.add(world.desk, actor, r.ReactionAdd(post=post_id, stamp=which))


async def like(world: World, actor: Actor, post_id: str) -> None:
    """Like it."""
    await reactions.add(world.desk, actor, r.ReactionAdd(post=post_id, kind=LIKE))


async def take_off(world: World, actor: Actor, post_id: str, kind: ReactionKind = ReactionKind.STAMP) -> None:
    """Take it back."""
    await reactions.remove(world.desk, actor, r.ReactionRemove(post=post_id, kind=kind))


async def left(world: World, viewer: Actor, post_id: str) -> tuple[int, dict[str, int]]:
    """(likes, stamps) of a post."""
    told = (await one(world, viewer, post_id)).counts
    assert told is not None
    return told.likes, told.stamps


async def named(world: World, owner: Actor, post_id: str, kind: ReactionKind, limit: int = 50) -> list[str]:
    """Who left what, by all pages: `handle` or `handle:stamp`."""
    seen: list[str] = []
    after = None
    while True:
        request = r.ReactionList(post=post_id, kind=kind, limit=limit, after=after)
        got = await reactions.list_reactions(world.desk, owner, request)
        seen += [each.account.handle + (f":{each.stamp}" if each.stamp else "") for each in got.reactions]
        after = got.next
        if after is None:
            return seen


async def test_one_stamp_and_one_like_of_each(world: World) -> None:
    aki, haru, ken = await world.people("aki", "haru", "ken", mutual=False)
    said = (await post(world, aki, None)).post
    await stamp(world, haru, said)
    await stamp(world, haru, said, Stamp.SUTEKI)
    await stamp(world, ken, said, Stamp.SUTEKI)
    await like(world, haru, said)
    await like(world, haru, said)
    assert await left(world, ken, said) == (1, {"suteki": 2})
    assert (await one(world, haru, said)).mine == p.OwnReactions(stamp="suteki", liked=True)
    assert (await one(world, aki, said)).mine == p.OwnReactions()
    await take_off(world, haru, said)
    await take_off(world, haru, said)
    assert await left(world, ken, said) == (1, {"suteki": 1})
    await take_off(world, haru, said, LIKE)
    assert await left(world, ken, said) == (0, {"suteki": 1})


async def test_who_it_was_is_for_the_author_alone(world: World) -> None:
    aki, haru, ken, mio = await world.people("aki", "haru", "ken", "mio", mutual=False)
    said = (await post(world, aki, None)).post
    for who in (haru, ken, mio):
        await like(world, who, said)
    await stamp(world, ken, said, Stamp.SUGOI)
    assert set(await named(world, aki, said, LIKE, limit=2)) == {"haru", "ken", "mio"}
    assert await named(world, aki, said, ReactionKind.STAMP) == ["ken:sugoi"]
    for who in (haru, ken):
        assert await code(named(world, who, said, LIKE)) == "forbidden"
    await profiles.hide(world.desk, mio, Empty())
    await block(world, ken, aki)
    assert await named(world, aki, said, LIKE) == ["haru"]
    assert await code(named(world, ken, said, LIKE)) == "not_found"
    # Who it was stands in no log: the author's own is told that there is something new, and by nobody's name.
    logged = await world.desk.db.read(
        lambda tx: tx.rows("select kind, author from log where channel like 'user:%'")
    )
    told = {"notification.created"}
    assert {kind for kind, _ in logged} <= {"relation.apart", "account.away", *told}
    assert {author for kind, author in logged if kind in told} <= {aki.account}


async def test_what_one_may_not_read_is_not_reacted_to(world: World) -> None:
    aki, haru, ken = await world.people("aki", "haru", "ken", mutual=False)
    await world.follow("haru", "aki")
    await private(world, aki)
    said = (await post(world, aki, None)).post
    await like(world, haru, said)
    assert await code(like(world, ken, said)) == "not_found"
    assert await code(stamp(world, ken, ken.session)) == "not_found"
    await private(world, aki, closed=False)
    await block(world, aki, ken)
    assert await code(like(world, ken, said)) == "not_found"
    passed = (await post(world, haru, None, "", repost_of=said)).post
    assert await code(like(world, aki, passed)) == "forbidden"
    await profiles.hide(world.desk, haru, Empty())
    assert await code(stamp(world, haru, said)) == "forbidden"
    assert await left(world, aki, said) == (1, {})


@pytest.mark.parametrize(("kind", "which"), [(LIKE, Stamp.KAWAII), (ReactionKind.STAMP, None)])
async def test_a_stamp_has_a_name_and_a_like_has_none(
    world: World, kind: ReactionKind, which: Stamp | None
) -> None:
    (aki,) = await world.people("aki")
    said = (await post(world, aki, None)).post
    request = r.ReactionAdd(post=said, kind=kind, stamp=which)
    assert await code(reactions.add(world.desk, aki, request)) == "bad_request"


@pytest.mark.parametrize("seed", range(3))
async def test_the_counts_are_those_of_the_rows_whatever_comes_together(world: World, seed: int) -> None:
    random_ = random.Random(seed)
    people = await world.people(*(f"p{i}" for i in range(5)), mutual=False)
    said = [(await post(world, people[0], None)).post for _ in range(3)]
    for _ in range(6):
        work = []
        for _ in range(12):
            who, where = random_.choice(people), random_.choice(said)
            match random_.randrange(4):
                case 0:
                    work.append(take_off(world, who, where, random_.choice(list(ReactionKind))))
                case 1:
                    work.append(like(world, who, where))
                case _:
                    work.append(stamp(world, who, where, random_.choice(list(Stamp)[:3])))
        await asyncio.gather(*work)
    rows = await world.desk.db.read(lambda tx: tx.rows("select post, what from reaction"))
    counted = Counter((post_id, what) for post_id, what in rows)
    for where in said:
        likes, stamps = await left(world, people[1], where)
        assert likes == counted[where, "like"]
        assert stamps == {
            what: n for (post_id, what), n in counted.items() if post_id == where and what != "like"
        }


async def test_a_deleted_post_takes_its_reactions_with_it(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    said = (await post(world, aki, None)).post
    await like(world, haru, said)
    await take_back(world, aki, said)
    for table in ("reaction", "post_count"):
        rows = await world.desk.db.read(lambda tx, t=table: tx.rows(f"select * from {t}"))  # type: ignore[misc]  # bound now
        assert rows == []
    assert await code(like(world, haru, said)) == "not_found"


async def test_who_is_erased_leaves_no_reaction_and_no_count(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    said = (await post(world, aki, None)).post
    await like(world, haru, said)
    await stamp(world, haru, said)
    await like(world, aki, said)
    await post(world, haru, None, "うん", reply_to=said)
    await post(world, haru, None, "みて", quote_of=said)
    await post(world, haru, None, "", repost_of=said)
    own = (await post(world, haru, None)).post
    await like(world, aki, own)
    limits = replace(world.desk.settings.limits, erase_after_days=0)
    now = replace(world.desk, settings=replace(world.desk.settings, limits=limits))
    await profiles.delete(now, haru, Empty())
    assert await world.desk.db.write(profiles.erase_due) == 1
    told = await one(world, aki, said)
    assert told.counts == p.PostCounts(likes=1)
    rows = await world.desk.db.read(lambda tx: tx.rows("select account, post from reaction"))
    assert rows == [(aki.account, said)]


async def test_whoever_hears_the_post_is_to_be_told_of_its_counts(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    place = await found(world, aki, haru)
    said = await post(world, aki, place.id)
    world.parcels.clear()
    await like(world, haru, said.post)
    await like(world, haru, said.post)
    answer = await post(world, haru, place.id, "うん", reply_to=said.post)
    await take_back(world, haru, answer.post)
    notes = [(each.channel, each.target) for each in world.parcels if each.kind == TOUCHED]
    # Nothing changed by the second like.
    assert notes == [(place.channel, said.post)] * 3


async def test_the_catalogue_names_every_stamp_in_both_languages(world: World) -> None:
    (aki,) = await world.people("aki")
    told = await reactions.get(world.desk, aki, Empty())
    assert [each.id for each in told.stamps] == list(Stamp)
    for names in ([each.ja for each in CATALOGUE.stamps], [each.en for each in CATALOGUE.stamps]):
        assert len(set(names)) == len(Stamp)
        assert all(names)
    assert not {str(each) for each in Stamp} & {"like", "reply", "quote", "repost"}


async def test_an_export_has_ones_own_reactions(world: World) -> None:
    from storage.export import everything_of

    aki, haru = await world.people("aki", "haru")
    said = (await post(world, aki, None)).post
    await stamp(world, haru, said)
    told = await world.desk.db.read(lambda tx: everything_of(tx, haru.account))
    assert [(row["post"], row["kind"], row["what"]) for row in told["reactions"]] == [
        (said, "stamp", "kawaii")
    ]
