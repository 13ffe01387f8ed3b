"""Notifications, on both databases: who is told of what, folded, taken back, read, and never told too much (FEATURES §8)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from channels import notifications, profiles, relations, requests
from channels.desk import Actor, Desk
from channels.entries import render
from channels.telling import BADGE_TOUCHED
from realtime import notifications as n
from realtime import posts as p
from realtime import relations as rel
from realtime.notifications import NotificationKind as Kind
from realtime.parcels import Audience
from realtime.reactions import Stamp
from realtime.requests import Empty, RoomOpen, RoomRef
from storage import log
from tests.channels.test_post_kinds import private
from tests.channels.test_reactions import LIKE, like, stamp, take_off
from tests.support.places import found, join, leave, post, take_back
from tests.support.relations import asks, block, inbox, unblock
from tests.support.world import World


async def page(world: World, actor: Actor, **fields: int) -> n.NotificationPage:
    return await notifications.list_notifications(world.desk, actor, n.NotificationList(**fields))


async def told(world: World, actor: Actor) -> list[str]:
    """An account's list, the newest first: `kind:who,who` with `!` where it is unread."""
    return [
        f"{'!' if each.unread else ''}{each.kind}:{','.join(card.handle for card in each.actors)}"
        for each in (await page(world, actor)).notifications
    ]


async def read(world: World, actor: Actor, upto: int | None = None) -> n.Badge:
    """Read up to a place, or all there is."""
    if upto is None:
        upto = max((each.place for each in (await page(world, actor)).notifications), default=0)
    return await notifications.mark_read(world.desk, actor, n.NotificationRead(upto=upto))


async def badge(world: World, actor: Actor) -> int:
    _, found_ = await notifications.badges_now(world.desk, [actor.account])
    return found_[actor.account].notifications


async def mute(world: World, actor: Actor, other: Actor, *, on: bool = True) -> None:
    change = relations.mute_add if on else relations.mute_remove
    await change(world.desk, actor, rel.AccountRef(account=other.account))


async def switch(world: World, actor: Actor, kind: Kind, *, on: bool) -> None:
    await notifications.update(world.desk, actor, n.NotificationUpdate(kind=kind, on=on))


async def test_each_kind_is_told_to_whom_it_concerns_and_to_nobody_else(world: World) -> None:
    aki, haru, ken = await world.people("aki", "haru", "ken", mutual=False)
    await world.follow("ken", "haru")
    said = (await post(world, aki, None, "海が見えた")).post
    await post(world, haru, None, "どこ?", reply_to=said)
    await post(world, haru, None, "これ", quote_of=said)
    await post(world, haru, None, "", repost_of=said)
    await post(world, haru, None, "ねえ @aki と @haru")
    await like(world, haru, said)
    await stamp(world, haru, said)
    await asks(world, haru, aki)
    assert await told(world, aki) == [
        f"!{kind}:haru" for kind in ("follow", "reaction", "like", "mention", "repost", "quote", "reply")
    ]
    texts = {each.kind: each.text for each in (await page(world, aki)).notifications}
    assert texts[Kind.REPLY] == "どこ?"
    assert texts[Kind.LIKE] == texts[Kind.REPOST] == "海が見えた"
    assert await told(world, haru) == []
    assert await told(world, ken) == [], "a follower is never told"


async def test_a_community_a_private_account_and_a_request_are_told(world: World) -> None:
    aki, haru, ken = await world.people("aki", "haru", "ken", mutual=False)
    place = await found(world, aki, haru, name="電車")
    (line,) = (await page(world, aki)).notifications
    assert (line.kind, line.community, line.name, line.count) == (Kind.COMMUNITY_JOINED, place.id, "電車", 1)
    await join(world, ken, place.id)
    assert await told(world, aki) == ["!community_joined:ken,haru"]
    await leave(world, haru, place.id)
    assert await told(world, aki) == ["!community_joined:ken"]
    await private(world, aki)
    await asks(world, haru, aki)
    assert (await told(world, aki))[0] == "!follow_request:haru"
    await relations.follow_accept(world.desk, aki, rel.AccountRef(account=haru.account))
    assert await told(world, aki) == ["!community_joined:ken"]
    assert await told(world, haru) == ["!follow_accepted:aki"]
    room = (await requests.open_dm(world.desk, ken, RoomOpen(account=haru.account))).id
    await world.say(ken, room, "はじめまして")
    (first, _) = (await page(world, haru)).notifications
    assert (first.kind, first.room, first.actors[0].handle) == (Kind.MESSAGE_REQUEST, room, "ken")
    await requests.accept(world.desk, haru, RoomRef(room=room))
    assert await told(world, haru) == ["!follow_accepted:aki"]


async def test_many_fold_into_one_line_with_the_newest_few(world: World) -> None:
    aki, *others = await world.people("aki", *(f"p{i}" for i in range(6)), mutual=False)
    said = (await post(world, aki, None)).post
    for each in others:
        await like(world, each, said)
        await asks(world, each, aki)
    follows, likes = (await page(world, aki)).notifications
    assert [card.handle for card in likes.actors] == ["p5", "p4", "p3"]
    assert (likes.count, follows.count, likes.post) == (6, 6, said)
    assert await badge(world, aki) == 2
    await block(world, others[5], aki)
    await mute(world, aki, others[4])
    await profiles.hide(world.desk, others[3], Empty())
    _, likes = (await page(world, aki)).notifications
    assert ([card.handle for card in likes.actors], likes.count) == (["p2", "p1", "p0"], 3)


async def test_what_is_taken_back_is_told_no_more(world: World) -> None:
    aki, haru, ken = await world.people("aki", "haru", "ken", mutual=False)
    said = (await post(world, aki, None)).post
    await like(world, haru, said)
    await stamp(world, haru, said)
    await stamp(world, haru, said, Stamp.SUGOI)
    answer = (await post(world, haru, None, "うん @ken", reply_to=said)).post
    passed = (await post(world, haru, None, "", repost_of=said)).post
    await asks(world, haru, aki)
    assert await told(world, ken) == ["!mention:haru"]
    await relations.follow_remove(world.desk, haru, rel.AccountRef(account=aki.account))
    await take_back(world, haru, passed)
    await take_back(world, haru, answer)
    await take_off(world, haru, said)
    assert await told(world, aki) == ["!like:haru"]
    await like(world, ken, said)
    assert await told(world, aki) == ["!like:ken,haru"]
    await take_off(world, ken, said, LIKE)
    await take_off(world, haru, said, LIKE)
    assert await told(world, aki) == await told(world, ken) == []
    await stamp(world, haru, said)
    assert await told(world, aki) == ["!reaction:haru"]
    await take_back(world, aki, said)
    assert await told(world, aki) == []
    rows = await world.desk.db.read(lambda tx: tx.rows("select kind from notification_actor"))
    assert {kind for (kind,) in rows} <= {"follow"}, "nothing is left of what is gone"


async def test_who_took_back_leaves_what_was_read_read(world: World) -> None:
    aki, haru, ken = await world.people("aki", "haru", "ken", mutual=False)
    said = (await post(world, aki, None)).post
    await like(world, haru, said)
    await read(world, aki)
    await like(world, ken, said)
    assert await told(world, aki) == ["!like:ken,haru"]
    await take_off(world, ken, said, LIKE)
    assert await told(world, aki) == ["like:haru"]
    assert await badge(world, aki) == 0


@pytest.mark.parametrize("how", ["blocks", "blocked", "muted"])
async def test_whoever_is_apart_or_muted_is_not_told_of(world: World, how: str) -> None:
    aki, haru = await world.people("aki", "haru", mutual=False)
    said = (await post(world, aki, None)).post
    await like(world, haru, said)
    await post(world, haru, None, "うん", reply_to=said)
    match how:
        case "blocks":
            await block(world, aki, haru)
        case "blocked":
            await block(world, haru, aki)
        case _:
            await mute(world, aki, haru)
    assert await told(world, aki) == []
    assert await badge(world, aki) == 0
    if how == "muted":
        await post(world, haru, None, "ねえ @aki")
        await mute(world, aki, haru, on=False)
        assert await told(world, aki) == ["!reply:haru", "!like:haru"], "the mention was muted when it came"
    else:
        await post(world, haru, None, "ねえ @aki")
        await unblock(world, *((aki, haru) if how == "blocks" else (haru, aki)))
        assert await told(world, aki) == ["!reply:haru", "!like:haru"]


async def test_words_that_may_not_be_read_are_not_told_of(world: World) -> None:
    aki, haru, ken = await world.people("aki", "haru", "ken", mutual=False)
    await world.follow("aki", "haru")
    said = (await post(world, aki, None)).post
    others = (await post(world, ken, None)).post
    await private(world, haru)
    await post(world, haru, None, "うん", reply_to=said)
    await post(world, haru, None, "うん", reply_to=others)
    await post(world, haru, None, "", repost_of=others)
    assert await told(world, aki) == ["!reply:haru"]
    assert await told(world, ken) == [], "ken does not follow haru, and learns nothing"
    assert inbox(world, ken) == []
    await relations.follow_remove(world.desk, aki, rel.AccountRef(account=haru.account))
    assert await told(world, aki) == []


async def test_masked_words_are_not_shown(world: World) -> None:
    aki, haru = await world.people("aki", "haru", mutual=False)
    said = (await post(world, aki, None)).post
    await post(world, haru, None, "犯人は", reply_to=said, mask=p.Mask.SPOILER)
    (line,) = (await page(world, aki)).notifications
    assert (line.text, line.mask) == ("", p.Mask.SPOILER)


async def test_one_post_concerns_one_person_once(world: World) -> None:
    aki, haru, ken = await world.people("aki", "haru", "ken", mutual=False)
    said = (await post(world, aki, None)).post
    await post(world, haru, None, "ねえ @aki @aki @ken", reply_to=said)
    await post(world, aki, None, "私も @aki", reply_to=said)
    assert await told(world, aki) == ["!reply:haru"]
    assert await told(world, ken) == ["!mention:haru"]


async def test_reading_is_for_all_devices_and_never_goes_back(world: World) -> None:
    aki, haru = await world.people("aki", "haru", mutual=False)
    said = [(await post(world, aki, None, str(i))).post for i in range(3)]
    for each in said:
        await like(world, haru, each)
    newest, middle, _ = (await page(world, aki)).notifications
    assert await read(world, aki, middle.place) == n.Badge(notifications=1, requests=0, upto=middle.place)
    assert await told(world, aki) == ["!like:haru", "like:haru", "like:haru"]
    assert (await read(world, aki, 0)).upto == middle.place
    world.parcels.clear()
    assert await read(world, aki, 2**53 - 1) == n.Badge(notifications=0, requests=0, upto=newest.place)
    assert [(each.kind, each.target) for each in world.parcels] == [(BADGE_TOUCHED, aki.account)]
    await stamp(world, haru, said[0])
    assert await badge(world, aki) == 1, "nothing that comes later was read beforehand"


async def test_pages_hold_every_line_once(world: World) -> None:
    aki, haru = await world.people("aki", "haru", mutual=False)
    for number in range(7):
        await like(world, haru, (await post(world, aki, None, str(number))).post)
    seen: list[str] = []
    before: dict[str, int] = {}
    while True:
        got = await page(world, aki, limit=3, **before)
        seen += [each.text for each in got.notifications]
        if got.next is None:
            break
        before = {"before": got.next}
    assert seen == ["6", "5", "4", "3", "2", "1", "0"]
    assert got.badge.notifications == 7


async def test_a_kind_can_be_switched_off(world: World) -> None:
    aki, haru = await world.people("aki", "haru", mutual=False)
    said = (await post(world, aki, None)).post
    await switch(world, aki, Kind.LIKE, on=False)
    await switch(world, aki, Kind.LIKE, on=False)
    await like(world, haru, said)
    await stamp(world, haru, said)
    assert await told(world, aki) == ["!reaction:haru"]
    states = await notifications.get(world.desk, aki, Empty())
    assert [each.kind for each in states.switches] == list(Kind)
    assert [each.kind for each in states.switches if not each.on] == [Kind.LIKE]
    await switch(world, aki, Kind.LIKE, on=True)
    await like(world, haru, (await post(world, aki, None)).post)
    assert await told(world, aki) == ["!like:haru", "!reaction:haru"]


async def entries(world: World, actor: Actor) -> list[n.NotificationCreated]:
    """What the log of an inbox says of notifications, read again."""
    import orjson
    from msgspec import convert

    channel = f"user:{actor.account}"
    found_ = await world.desk.db.read(lambda tx: render(tx, log.read(tx, [(channel, 0, 2**53)], 1_000)))
    shown = [each for each in found_ if each.audience is not Audience.NOBODY]
    return [
        convert(orjson.loads(each.frame)["d"], n.NotificationCreated)
        for each in shown
        if each.kind == n.CREATED
    ]


async def test_a_burst_is_one_entry_and_the_same_bytes_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    aki, *others = await world.people("aki", *(f"p{i}" for i in range(5)), mutual=False)
    said = (await post(world, aki, None)).post
    monkeypatch.setattr("channels.telling.TOLD_EACH_MS", 10**9)
    world.parcels.clear()
    for each in others:
        await like(world, each, said)
    live = [each for each in world.parcels if each.channel == f"user:{aki.account}" and each.durable]
    assert [each.kind for each in live] == [n.CREATED]
    assert live[0].author == aki.account, "who it was stands in no log"
    assert len([each for each in world.parcels if each.kind == BADGE_TOUCHED]) == 5
    again = await world.desk.db.read(
        lambda tx: render(tx, log.read(tx, [(f"user:{aki.account}", 0, 2**53)], 100))
    )
    assert [each.frame for each in again if each.kind == n.CREATED] == [live[0].frame]
    monkeypatch.setattr("channels.telling.TOLD_EACH_MS", 0)
    await stamp(world, others[0], said)
    assert [each.kind for each in await entries(world, aki)] == [Kind.LIKE, Kind.REACTION]
    await take_off(world, others[0], said, LIKE)
    assert [each.kind for each in await entries(world, aki)] == [Kind.REACTION], "what is gone is a skip"
    await block(world, aki, others[0])
    assert await entries(world, aki) == []


async def test_a_post_that_concerns_nobody_costs_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    aki, haru = await world.people("aki", "haru")
    asked: list[int] = []

    def counted(tx: object, told_: Iterable[object]) -> dict[int, object]:
        asked.append(1)
        return {}

    monkeypatch.setattr("storage.notifications.welcome", counted)
    said = await post(world, aki, None, "ひとりごと")
    assert asked == []
    await post(world, haru, None, "うん", reply_to=said.post)
    assert asked == [1]


def short(world: World, days: int, lines: int) -> Desk:
    """A desk that keeps little."""
    settings = world.desk.settings
    limits = replace(settings.limits, notifications_max=lines)
    return replace(world.desk, settings=replace(settings, notification_days=days, limits=limits))


async def test_what_is_old_or_too_much_goes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    aki, haru, ken = await world.people("aki", "haru", "ken", mutual=False)
    said = [(await post(world, aki, None, str(i))).post for i in range(5)]
    for each in said:
        await like(world, haru, each)
    monkeypatch.setattr("storage.notifications.TRIMMED_EACH", 1)
    monkeypatch.setattr("storage.notifications.ACTORS_KEPT", 1)
    await like(world, ken, said[4])
    assert not await notifications.trim_grown(short(world, 90, 3))
    texts = [(each.text, each.count) for each in (await page(world, aki)).notifications]
    assert texts == [("4", 1), ("3", 1), ("2", 1)]
    assert (await page(world, aki)).notifications[0].actors[0].handle == "ken"
    assert not await notifications.forget_old(short(world, 90, 3))
    assert len(await told(world, aki)) == 3
    # Everything is older than a moment that has not come.
    assert not await notifications.forget_old(short(world, -1, 3))
    assert await told(world, aki) == []
    left = await world.desk.db.read(
        lambda tx: tx.rows("select 1 from notification union all select 1 from notification_actor")
    )
    assert left == []


async def test_whoever_is_erased_is_in_nobodys_list_and_has_none(world: World) -> None:
    aki, haru = await world.people("aki", "haru", mutual=False)
    said = (await post(world, aki, None)).post
    await like(world, haru, said)
    await post(world, haru, None, "うん", reply_to=said)
    await stamp(world, aki, (await post(world, haru, None)).post)
    await switch(world, haru, Kind.LIKE, on=False)
    limits = replace(world.desk.settings.limits, erase_after_days=0)
    now = replace(world.desk, settings=replace(world.desk.settings, limits=limits))
    await profiles.delete(now, haru, Empty())
    assert await world.desk.db.write(profiles.erase_due) == 1
    for table in ("notification_actor", "notification_state", "notification_switch"):
        rows = await world.desk.db.read(lambda tx, t=table: tx.rows(f"select account from {t}"))  # type: ignore[misc]  # bound now
        assert haru.account not in {account for (account,) in rows}
    assert await told(world, aki) == []


async def test_an_export_has_what_one_was_told_and_who_did_it_is_not_in_it(world: World) -> None:
    from storage.export import everything_of

    aki, haru = await world.people("aki", "haru", mutual=False)
    said = (await post(world, aki, None)).post
    await like(world, haru, said)
    await switch(world, aki, Kind.QUOTE, on=False)
    mine = await world.desk.db.read(lambda tx: everything_of(tx, aki.account))
    assert [(row["kind"], row["post"]) for row in mine["notifications"]] == [("like", said)]
    assert mine["notifications_off"] == [{"kind": "quote"}]
    assert haru.account not in str(mine["notifications"])


async def test_what_counts_as_read_is_what_could_be_seen(world: World) -> None:
    """Nothing that is kept while somebody reads is taken for read: places rise with the commits."""
    import asyncio

    aki, *others = await world.people("aki", *(f"p{i}" for i in range(8)), mutual=False)
    said = [(await post(world, aki, None, str(i))).post for i in range(8)]

    async def reads() -> set[str]:
        seen = set()
        for _ in range(12):
            got = await page(world, aki)
            seen |= {each.text for each in got.notifications}
            await read(world, aki, max((each.place for each in got.notifications), default=0))
        return seen

    async def likes() -> None:
        for who, where in zip(others, said, strict=True):
            await post(world, who, None, "うん", reply_to=where)
            await asyncio.gather(*(like(world, each, where) for each in others[:2]))

    seen, _ = await asyncio.gather(reads(), likes())
    unread = {each.text for each in (await page(world, aki)).notifications if each.unread}
    every = {each.text for each in (await page(world, aki)).notifications}
    assert every - unread <= seen
