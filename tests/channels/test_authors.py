"""Posts of no community: who hears their author, and who reads them, on both databases (FEATURES §3, §9)."""

from __future__ import annotations

import pytest

from channels import accounts, arrival, oversight, profiles, relations, search
from channels.desk import Actor
from realtime import relations as n
from realtime.finding import Search
from realtime.ids import author_channel
from realtime.requests import Empty
from storage.database import Tx
from storage.relations import followers_here
from tests.channels.test_communities import replayed
from tests.support.places import follow_texts, found, got, post, profile_texts, take_back
from tests.support.relations import asks, block, code, inbox, unblock
from tests.support.world import World


async def hears(world: World, actor: Actor) -> set[str]:
    """The channels a connection hears without asking."""
    return set(await arrival.heard(world.desk, actor))


async def watchable(world: World, actor: Actor, author: Actor) -> bool:
    """Whether the author's channel may be on the actor's screen."""
    name = author_channel(author.account)
    return name in await arrival.watchable(world.desk, actor, [name])


async def unfollow(world: World, actor: Actor, author: Actor) -> None:
    """Follow no more."""
    await relations.follow_remove(world.desk, actor, n.AccountRef(account=author.account))


async def test_a_post_of_no_community_lives_with_its_author(world: World) -> None:
    aki, haru, ken = await world.people("aki", "haru", "ken", mutual=False)
    await asks(world, haru, aki)
    said = await post(world, aki, None)
    home = author_channel(aki.account)
    (entry,) = world.of(home)
    assert (entry.kind, entry.seq, entry.author) == ("post.created", said.seq, aki.account)
    assert {home, f"user:{aki.account}"} <= await hears(world, aki)
    assert home in await hears(world, haru)
    assert home not in await hears(world, ken)
    assert await watchable(world, ken, aki)
    for viewer in (aki, haru, ken):
        assert await profile_texts(world, viewer, aki) == ["海が見えた"]
        assert await got(world, viewer, said.post) == [said.post]
    assert await follow_texts(world, haru) == await follow_texts(world, aki) == ["海が見えた"]
    assert await follow_texts(world, ken) == []
    assert await replayed(world, haru, home) == ["海が見えた"]
    await take_back(world, aki, said.post)
    assert await follow_texts(world, haru) == []
    assert await replayed(world, haru, home) == ["skip", f"-{said.seq}"]


async def test_follower_and_nodes_are_told_when_it_begins_and_ends(world: World) -> None:
    aki, haru = await world.people("aki", "haru", mutual=False)
    await post(world, aki, None)
    home = author_channel(aki.account)
    await asks(world, haru, aki)
    began = world.of(f"user:{haru.account}")[-1]
    assert (began.kind, began.target) == ("follow.began", home)
    assert b'"seq":1' in began.frame
    await unfollow(world, haru, aki)
    await unfollow(world, haru, aki)
    assert inbox(world, haru) == ["follow.began", "follow.ended"]
    assert [(each.kind, each.target) for each in world.of(home)][1:] == [
        ("author.follower_left", haru.account)
    ]
    assert home not in await hears(world, haru)
    assert await replayed(world, aki, home) == ["海が見えた", "skip"]


async def test_the_command_line_follows_as_everybody_does(world: World) -> None:
    aki, haru = await world.people("aki", "haru", mutual=False)
    for _ in range(2):
        await world.desk.db.write(lambda tx: accounts.follow(tx, "haru", "aki"))
    assert inbox(world, haru) == ["follow.began"]
    assert author_channel(aki.account) in await hears(world, haru)


async def test_what_a_private_account_posts_is_for_its_followers(world: World) -> None:
    aki, haru, ken = await world.people("aki", "haru", "ken", mutual=False)
    await asks(world, haru, aki)
    early = await post(world, aki, None, "まえ")
    await profiles.update(world.desk, aki, n.AccountUpdate(private=True))
    closed = world.of(author_channel(aki.account))[-1]
    assert (closed.kind, closed.target) == ("author.closed", "watching")
    said = await post(world, aki, None, "うちわ")
    assert await profile_texts(world, haru, aki) == ["まえ", "うちわ"]
    assert await code(profile_texts(world, ken, aki)) == "forbidden"
    assert await got(world, ken, early.post, said.post) == []
    assert not await watchable(world, ken, aki)
    assert await watchable(world, haru, aki)
    assert await code(take_back(world, ken, said.post)) == "not_found"
    # Asking is not following.
    await asks(world, ken, aki)
    assert await got(world, ken, said.post) == []
    await relations.follow_accept(world.desk, aki, n.AccountRef(account=ken.account))
    assert inbox(world, ken) == ["follow.began", "follow.accepted"]
    assert await got(world, ken, early.post, said.post) == [early.post, said.post]
    await unfollow(world, ken, aki)
    assert await got(world, ken, said.post) == []
    assert await follow_texts(world, ken) == []
    # What a private person says in a place that everybody reads is read by everybody.
    place = await found(world, aki)
    await post(world, aki, place.id, "ひろば")
    assert (await follow_texts(world, haru))[-1] == "うちわ"
    open_post = await post(world, aki, place.id, "みんな")
    assert await got(world, ken, open_post.post) == [open_post.post]


async def test_what_followers_alone_may_read_is_found_by_them_alone(world: World) -> None:
    aki, haru, ken = await world.people("aki", "haru", "ken", mutual=False)
    await asks(world, haru, aki)
    await profiles.update(world.desk, aki, n.AccountUpdate(private=True))
    said = await post(world, aki, None, "うちわの海")
    for viewer, expected in ((aki, [said.post]), (haru, [said.post]), (ken, [])):
        told = await search.posts(world.desk, viewer, Search(words="海"))
        assert [each.id for each in told.posts] == expected


@pytest.mark.parametrize("who_blocks", [0, 1])
async def test_a_block_ends_hearing_both_ways_and_a_follow_begins_it_anew(
    world: World, who_blocks: int
) -> None:
    people = await world.people("aki", "ken")
    aki, ken = people
    said = {each: await post(world, each, None, each.handle) for each in people}
    blocker, blocked = people[who_blocks], people[1 - who_blocks]
    told = len(world.parcels)
    await block(world, blocker, blocked)
    # Nothing of it stands where the blocked one would hear it.
    assert {each.channel for each in world.parcels[told:]} == {f"user:{blocker.account}"}
    for viewer, other in ((aki, ken), (ken, aki)):
        assert author_channel(other.account) not in await hears(world, viewer)
        assert not await watchable(world, viewer, other)
        assert await follow_texts(world, viewer) == [viewer.handle]
        assert await got(world, viewer, said[other].post) == []
    await unblock(world, blocker, blocked)
    assert await watchable(world, aki, ken)
    assert await follow_texts(world, aki) == ["aki"]
    await asks(world, aki, ken)
    assert await follow_texts(world, aki) == ["aki", "ken"]


async def test_who_is_away_is_read_by_nobody_and_heard_again_afterwards(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    said = await post(world, aki, None)
    home = author_channel(aki.account)

    def state(change: str) -> None:
        """Told to nodes."""
        last = world.of(f"user:{aki.account}")[-1]
        assert last.kind == change

    await profiles.hide(world.desk, aki, Empty())
    state("account.away")
    assert [(each.kind, each.target) for each in world.of(home)][1:] == [("author.closed", "everyone")]
    assert home not in await hears(world, haru)
    assert not await watchable(world, haru, aki)
    assert await got(world, haru, said.post) == []
    assert await follow_texts(world, haru) == []
    assert await follow_texts(world, aki) == ["海が見えた"]
    assert await code(post(world, aki, None)) == "forbidden"
    await profiles.show(world.desk, aki, Empty())
    state("account.back")
    assert home in await hears(world, haru)
    assert await follow_texts(world, haru) == ["海が見えた"]
    here = await world.desk.db.read(
        lambda tx: followers_here(tx, aki.account, [haru.account, aki.account, "nobody"])
    )
    assert here == [haru.account]


async def test_who_is_suspended_or_deleted_is_heard_no_more(world: World) -> None:
    aki, ken, haru = await world.people("aki", "ken", "haru")
    for author in (aki, ken):
        await post(world, author, None)

    def suspend(tx: Tx) -> None:
        oversight.suspend(tx, "@op", "aki", "")

    await world.desk.db.write(suspend)
    await profiles.delete(world.desk, ken, Empty())
    for author in (aki, ken):
        kinds = [each.kind for each in world.of(author_channel(author.account))]
        assert kinds == ["post.created", "author.closed"]
        assert author_channel(author.account) not in await hears(world, haru)
    assert await follow_texts(world, haru) == []

    def restore(tx: Tx) -> None:
        oversight.restore(tx, "@op", "aki")

    await world.desk.db.write(restore)
    assert world.of(f"user:{aki.account}")[-1].kind == "account.back"
    assert await follow_texts(world, haru) == ["海が見えた"]


async def test_posts_to_several_homes_share_a_batch_and_number_without_holes(world: World) -> None:
    import asyncio

    aki, haru = await world.people("aki", "haru")
    place = await found(world, aki, haru)
    made = await asyncio.gather(
        *(
            post(world, who, home, f"{i}")
            for i in range(5)
            for who in (aki, haru)
            for home in (None, place.id)
        )
    )
    assert len({each.post for each in made}) == 20
    for who in (aki, haru):
        seqs = [each.seq for each in world.of(author_channel(who.account))]
        assert seqs == list(range(1, 6))
    assert len(await follow_texts(world, aki)) == 20


async def test_an_account_that_an_older_node_made_gets_its_channel_when_it_needs_one(world: World) -> None:
    people = await world.people("aki", "haru", "ken", "mio", "rei")
    aki, haru, ken, mio, rei = people

    def forget(tx: Tx) -> None:
        tx.rows("delete from channel where id like 'author:%'")

    await world.desk.db.write(forget)
    assert await profile_texts(world, haru, aki) == []
    assert (await post(world, aki, None)).seq == 1
    await profiles.hide(world.desk, haru, Empty())
    await profiles.update(world.desk, ken, n.AccountUpdate(private=True))
    await unfollow(world, rei, mio)
    await asks(world, rei, mio)
    await profiles.delete(world.desk, rei, Empty())

    def suspend(tx: Tx) -> None:
        oversight.suspend(tx, "@op", "mio", "")

    await world.desk.db.write(suspend)
    for author, seq in ((aki, 1), (haru, 1), (ken, 1), (mio, 2), (rei, 1)):
        assert [each.seq for each in world.of(author_channel(author.account))][-1] == seq
