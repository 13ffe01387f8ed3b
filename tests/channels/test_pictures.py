"""Pictures of posts and messages on both databases: shown once, seen by whom, gone when (FEATURES §3, §6)."""

from __future__ import annotations

import asyncio
import re
import zipfile
from collections.abc import Awaitable
from typing import Any

import orjson
import pytest
from msgspec import to_builtins

from channels import messages, pictures, posts, profiles, relations, requests, rooms
from channels.desk import Actor
from channels.entries import render
from channels.export import export
from channels.oversight import suspend
from channels.pictures import MESSAGE, Look, Made
from realtime import posts as p
from realtime import relations as n
from realtime.errors import Refusal
from realtime.requests import (
    Empty,
    MessageDelete,
    MessageGet,
    MessageList,
    PictureRef,
    RoomOpen,
    RoomRef,
    RoomSend,
)
from storage import log
from storage.accounts import set_state
from storage.pictures import PREVIEW, WHOLE
from tests.support.counting import listening
from tests.support.pictures import MADE, bytes_seen, kept, new_id, put_up, shown
from tests.support.places import found, join, leave, page, post, take_back
from tests.support.relations import block, code, unblock
from tests.support.world import World

HOUR_MS = 3_600_000


async def refused(work: Awaitable[object]) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await work
    return caught.value


async def sees(world: World, viewer: Actor, picture: str) -> bool:
    """Whoever does not see it gets one and the same answer."""
    outcomes = [
        await asyncio.gather(bytes_seen(world, viewer, each, part), return_exceptions=True)
        for each in (picture, new_id())
        for part in ("", PREVIEW)
    ]
    (whole,), (small,), (nobodys,), _ = outcomes
    if isinstance(whole, Refusal):
        assert [whole.body(""), small.body("")] == [nobodys.body("")] * 2
        return False
    assert (whole, small) == (MADE.whole, MADE.preview)
    return True


async def later(world: World, picture: str, ms: int) -> None:
    """As if it had been put up so much earlier."""
    await world.desk.db.write(
        lambda tx: tx.rows(
            "update picture set at = at - :ms, due = due - :ms where id = :id", ms=ms, id=picture
        )
    )


# Shown


async def test_a_post_shows_its_pictures_wherever_it_is_read(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    place = await found(world, aki, haru)
    made = await put_up(world, aki)
    small = await put_up(world, aki, Made("image/webp", 20, 10, b"tiny", b""))
    asked = [PictureRef(id=made.id, alt="海と\r\n空 "), PictureRef(id=small.id)]
    sent = await post(world, aki, place.id, "見て", pictures=asked)
    expected = [
        {"id": made.id, "width": 640, "height": 480, "type": "image/webp", "alt": "海と\n空"},
        {"id": small.id, "width": 20, "height": 10, "type": "image/webp", "alt": ""},
    ]
    pushed = orjson.loads(world.of(place.channel)[-1].frame)
    assert pushed["d"]["post"]["pictures"] == expected
    (read,) = (await posts.get(world.desk, haru, p.PostGet(posts=[sent.post]))).posts
    (paged,) = (await page(world, haru, p.Timeline.COMMUNITY, community=place.id)).posts
    for seen in (read, paged):
        assert [to_builtins(each) for each in seen.pictures] == expected
    stretch = [(place.channel, sent.seq - 1, sent.seq)]
    replayed = await world.desk.db.read(lambda tx: render(tx, log.read(tx, stretch, 9)))
    live = world.of(place.channel)[-1].frame
    assert [parcel.frame for parcel in replayed] == [live], "live and replayed, the same bytes"
    assert await bytes_seen(world, haru, small.id, PREVIEW) == b"tiny", "it is its own preview"


async def test_a_message_shows_its_pictures_wherever_it_is_read(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    room = await world.group(aki, haru)
    asked = await shown(world, aki, 4, alt="ねこ")
    sent = await world.say(aki, room.id, pictures=asked)
    one = await messages.get(world.desk, haru, MessageGet(message=sent.message))
    listed = (await messages.list_messages(world.desk, haru, MessageList(room=room.id))).messages[-1]
    assert one == listed
    assert [(each.id, each.alt) for each in one.pictures] == [(each.id, "ねこ") for each in asked]
    pushed = orjson.loads(world.of(f"room:{room.id}")[-1].frame)
    assert [each["id"] for each in pushed["d"]["message"]["pictures"]] == [each.id for each in asked]
    last = (await rooms.get(world.desk, haru, RoomRef(room=room.id))).last
    assert last is not None
    assert last.pictures == one.pictures


async def test_pictures_may_stand_without_a_word(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    room = await world.group(aki, haru)
    said = await world.say(aki, room.id, " \n ", pictures=await shown(world, aki))
    line = await messages.get(world.desk, haru, MessageGet(message=said.message))
    assert (line.text, len(line.pictures)) == ("", 1)
    sent = await post(world, aki, None, "", pictures=await shown(world, aki))
    (read,) = (await posts.get(world.desk, haru, p.PostGet(posts=[sent.post]))).posts
    assert (read.text, len(read.pictures)) == ("", 1)
    assert await code(world.say(aki, room.id, "", pictures=[])) == "text_invalid"
    assert await code(post(world, aki, None, " ", pictures=[])) == "text_invalid"
    assert (
        await code(post(world, aki, None, "", repost_of=sent.post, pictures=await shown(world, aki)))
        == "bad_request"
    )


async def test_a_picture_is_shown_once_by_who_put_it_up_in_time(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    room = await world.group(aki, haru)
    (mine,) = await shown(world, aki)
    (theirs,) = await shown(world, haru)
    (old,) = await shown(world, aki)
    await later(world, old.id, HOUR_MS)
    await world.say(aki, room.id, pictures=[mine])
    answers = [
        (await refused(say)).body("")
        for wanted in (mine, theirs, old, PictureRef(id=new_id()))
        for say in (
            world.say(aki, room.id, pictures=[wanted]),
            post(world, aki, None, pictures=[wanted]),
        )
    ]
    for each in answers:
        assert each["code"] == "not_found"
        assert each["details"].pop("picture")
    assert all(each == answers[0] for each in answers), (
        "taken, another's, too late and none at all look alike"
    )
    assert answers[0]["details"] == {"reason": "picture", "at": "$.pictures"}
    assert await code(world.say(aki, room.id, pictures=[theirs, theirs])) == "bad_request"
    assert await sees(world, haru, theirs.id), "nobody took it by trying"


async def test_of_many_who_show_one_picture_at_once_one_does(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    room = await world.group(aki, haru)
    (wanted,) = await shown(world, aki)
    work: list[Any] = [world.say(aki, room.id, f"{n}", pictures=[wanted]) for n in range(8)]
    work += [post(world, aki, None, f"{n}", pictures=[wanted]) for n in range(8)]
    results = await asyncio.gather(*work, return_exceptions=True)
    codes = [each.code for each in results if isinstance(each, Refusal)]
    assert codes == ["not_found"] * 15
    lines = (await messages.list_messages(world.desk, haru, MessageList(room=room.id))).messages
    told = (await page(world, haru, p.Timeline.PROFILE, account=aki.account)).posts
    assert len([each for each in (*lines, *told) if each.pictures]) == 1


async def test_a_refused_act_leaves_its_pictures_to_be_shown(world: World) -> None:
    aki, haru, ken = await world.people("aki", "haru", "ken")
    room = await world.group(haru, ken)
    asked = await shown(world, aki, 2)
    assert await code(world.say(aki, room.id, pictures=asked)) == "not_found"
    assert await code(world.say(haru, room.id, pictures=asked)) == "not_found"
    good = await shown(world, haru)
    assert await code(world.say(haru, room.id, pictures=[*good, *asked])) == "not_found"
    await world.say(haru, room.id, pictures=good)
    await post(world, aki, None, pictures=asked)


async def test_the_same_nonce_answers_the_same_and_another_picture_is_another_act(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    room = await world.group(aki, haru)
    one, other = await shown(world, aki, 2)
    sent = await world.say(aki, room.id, nonce="say", pictures=[one])
    assert await world.say(aki, room.id, nonce="say", pictures=[one]) == sent
    assert await code(world.say(aki, room.id, nonce="say", pictures=[other])) == "conflict"
    posted = await post(world, aki, None, nonce="post", pictures=[other])
    assert await post(world, aki, None, nonce="post", pictures=[other]) == posted
    assert await code(post(world, aki, None, nonce="post", pictures=[one])) == "conflict"


async def test_a_request_without_pictures_hashes_to_what_it_always_did() -> None:
    from channels.once import digest_of

    # Made by a gateway that knew no pictures: while old and new run side by side, a nonce is repeated to either.
    said = RoomSend(room="0" * 26, text="やあ", nonce="n")
    assert digest_of(said) == "c29bb823f48968a66b1245561f5125ac"
    assert digest_of(p.PostCreate(text="やあ", nonce="n")) == "f7cfb80d0edd103f12716d5a7d4ad59d"


@pytest.mark.parametrize(
    ("alt", "expected"),
    [
        ("あ" * 500, ""),
        ("あ" * 501, "text_too_long"),
        ("a" * 9_000, "text_too_long"),
        ("a" + "\u0301" * 40, "text_invalid"),
        ("\ud800", "text_invalid"),
    ],
)
async def test_what_is_to_see_is_told_in_bounds(world: World, alt: str, expected: str) -> None:
    aki = await world.person("aki")
    asked = await shown(world, aki, alt=alt)
    if expected:
        assert await code(post(world, aki, None, pictures=asked)) == expected
    else:
        assert (await post(world, aki, None, pictures=asked)).post


async def test_a_message_request_carries_no_picture(world: World) -> None:
    aki, ken = await world.people("aki", "ken", mutual=False)
    room = await requests.open_dm(world.desk, aki, RoomOpen(account=ken.account))
    asked = await shown(world, aki)
    told = await refused(world.say(aki, room.id, "はじめまして", pictures=asked))
    assert (told.code, told.details) == ("forbidden", {"reason": "request_picture"})
    await world.say(aki, room.id, "はじめまして")
    assert await code(world.say(aki, room.id, "もうひとつ", pictures=asked)) == "forbidden"
    # An answer opens it, and may show something; so may everything after it.
    (theirs,) = await shown(world, ken)
    await world.say(ken, room.id, "どうも", pictures=[theirs])
    await world.say(aki, room.id, "", pictures=asked)
    assert await sees(world, aki, theirs.id)
    assert await sees(world, ken, asked[0].id)


async def test_unshown_ones_are_few_and_forgotten(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    limit = world.desk.settings.limits.picture_unclaimed_max
    made = await shown(world, aki, limit)
    told = await refused(put_up(world, aki))
    assert (told.code, told.details["limit"]) == ("full", limit)
    assert await code(pictures.check_room(world.desk, aki)) == "full"
    (theirs,) = await shown(world, haru)
    await post(world, aki, None, pictures=made[:1])
    await pictures.check_room(world.desk, aki)
    for each in (*made[:2], theirs):
        await later(world, each.id, HOUR_MS)
    assert await world.desk.db.write(pictures.forget_due) == 2
    assert await world.desk.db.write(pictures.forget_due) == 0
    left = {each.id for each in (made[0], *made[2:])}
    assert await kept(world) == {"picture": left, "picture_bytes": left}


# Seen by whom


async def test_before_it_is_shown_it_is_its_uploaders_alone(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    (mine,) = await shown(world, aki)
    assert await sees(world, aki, mine.id)
    assert not await sees(world, haru, mine.id)


async def test_a_posts_pictures_are_seen_by_who_sees_the_post(world: World) -> None:
    aki, friend, ken, mio = await world.people("aki", "friend", "ken", "mio", mutual=False)
    await world.follow("friend", "aki")
    everybody = (aki, friend, ken, mio)
    (mine,) = await shown(world, aki)
    sent = await post(world, aki, None, pictures=[mine])

    async def seen_by() -> list[str]:
        told = [who.handle for who in everybody if await sees(world, who, mine.id)]
        read = [
            who.handle
            for who in everybody
            if (await posts.get(world.desk, who, p.PostGet(posts=[sent.post]))).posts
        ]
        assert told == read, "the right to the picture is the right to the post"
        return told

    assert await seen_by() == ["aki", "friend", "ken", "mio"]
    await block(world, ken, aki)
    assert await seen_by() == ["aki", "friend", "mio"]
    await unblock(world, ken, aki)
    await block(world, aki, ken)
    assert await seen_by() == ["aki", "friend", "mio"]
    await profiles.update(world.desk, aki, n.AccountUpdate(private=True))
    assert await seen_by() == ["aki", "friend"]
    await relations.follow_add(world.desk, mio, n.AccountRef(account=aki.account))
    assert await seen_by() == ["aki", "friend"], "to ask is not to follow"
    await relations.follow_accept(world.desk, aki, n.AccountRef(account=mio.account))
    assert await seen_by() == ["aki", "friend", "mio"]
    await relations.follow_remove(world.desk, friend, n.AccountRef(account=aki.account))
    assert await seen_by() == ["aki", "mio"]
    await profiles.hide(world.desk, aki, Empty())
    assert await seen_by() == ["aki"]
    await profiles.show(world.desk, aki, Empty())
    assert await seen_by() == ["aki", "mio"]
    await world.desk.db.write(lambda tx: suspend(tx, "cli", "aki", "spam"))
    assert not await sees(world, mio, mine.id)


async def test_a_communitys_pictures_are_seen_as_its_posts_are(world: World) -> None:
    aki, haru, ken = await world.people("aki", "haru", "ken", mutual=False)
    place = await found(world, aki, haru)
    await profiles.update(world.desk, haru, n.AccountUpdate(private=True))
    (mine,) = await shown(world, haru)
    await post(world, haru, place.id, pictures=[mine])
    assert await sees(world, ken, mine.id), "an open community is read by everybody"
    await join(world, ken, place.id)
    await leave(world, haru, place.id)
    assert await sees(world, ken, mine.id)
    await block(world, haru, ken)
    assert not await sees(world, ken, mine.id)
    assert await sees(world, aki, mine.id)


async def test_a_rooms_pictures_are_seen_by_who_reads_the_line(world: World) -> None:
    aki, haru, ken, mio = await world.people("aki", "haru", "ken", "mio")
    room = await world.group(aki, haru)
    (early,) = await shown(world, aki)
    await world.say(aki, room.id, pictures=[early])
    assert await sees(world, haru, early.id)
    assert not await sees(world, ken, early.id)
    await rooms.add(world.desk, aki, _adding(world, room.id, ken))
    (late,) = await shown(world, aki)
    await world.say(aki, room.id, pictures=[late])
    assert [await sees(world, ken, each.id) for each in (early, late)] == [False, True], "from joining on"
    await rooms.leave(world.desk, ken, RoomRef(room=room.id))
    assert not await sees(world, ken, late.id)
    await block(world, haru, aki)
    assert await sees(world, haru, late.id), "a block does not split a group"
    assert not await sees(world, mio, late.id)


def _adding(world: World, room: str, other: Actor) -> Any:
    from realtime.requests import RoomAdd

    return RoomAdd(room=room, accounts=[other.account], nonce=world.nonce)


async def test_what_is_said_to_somebody_who_blocks_is_seen_by_its_author_alone(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    room = await requests.open_dm(world.desk, aki, RoomOpen(account=haru.account))
    await block(world, haru, aki)
    (mine,) = await shown(world, aki)
    await world.say(aki, room.id, "きこえる?", pictures=[mine])
    assert await sees(world, aki, mine.id)
    assert not await sees(world, haru, mine.id)


async def test_a_waiting_request_shows_no_picture_of_earlier_days(world: World) -> None:
    aki, ken = await world.people("aki", "ken", mutual=False)
    room = await requests.open_dm(world.desk, aki, RoomOpen(account=ken.account))
    await world.say(aki, room.id, "はじめまして")
    (mine,) = await shown(world, aki)
    assert not await sees(world, ken, mine.id)
    await requests.accept(world.desk, ken, RoomRef(room=room.id))
    await world.say(aki, room.id, "", pictures=[mine])
    assert await sees(world, ken, mine.id)


async def test_whatever_hides_a_picture_costs_the_same_statements(world: World) -> None:
    aki, ken = await world.people("aki", "ken", mutual=False)
    place = await found(world, aki)
    room = await world.group(aki)
    mine, said, alone = await shown(world, aki, 3)
    await post(world, aki, place.id, pictures=[mine])
    await world.say(aki, room.id, pictures=[said])
    await block(world, aki, ken)
    desk, heard = listening(world.desk)
    ways = []
    for picture in (mine.id, said.id, alone.id, new_id()):
        heard.clear()
        assert await code(pictures.look(desk, ken, Look(picture, WHOLE))) == "not_found"
        ways.append(list(heard))
    assert len(ways[0]) > 1
    assert ways[0] == ways[1] == ways[2] == ways[3]


async def test_what_has_no_pictures_asks_for_none(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    room = await world.group(aki, haru)
    dm = await requests.open_dm(world.desk, aki, RoomOpen(account=haru.account))
    desk, heard = listening(world.desk)
    for place in (room.id, dm.id):
        said = await messages.send(desk, aki, RoomSend(room=place, text="やあ", nonce=world.nonce))
        await messages.delete(desk, aki, MessageDelete(message=said.message))
    sent = await posts.create(desk, aki, p.PostCreate(text="やあ", nonce=world.nonce))
    await posts.delete(desk, aki, p.PostRef(post=sent.post))
    assert heard
    assert [sql for sql in heard if re.search(r"\bpicture(_bytes)?\b", sql)] == []
    asked = await shown(world, aki, 4)
    heard.clear()
    await messages.send(desk, aki, RoomSend(room=room.id, text="", nonce=world.nonce, pictures=asked))
    assert len([sql for sql in heard if re.search(r"\bpicture\b", sql)]) == 2, (
        "one to lock them, one to take them"
    )


# Gone when


async def test_what_is_deleted_takes_its_pictures_along(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    room = await world.group(aki, haru)
    first, second, stays = await shown(world, aki, 3)
    said = await world.say(aki, room.id, pictures=[first])
    sent = await post(world, aki, None, pictures=[second])
    await post(world, aki, None, pictures=[stays])
    assert await kept(world) == {
        name: {first.id, second.id, stays.id} for name in ("picture", "picture_bytes")
    }
    await messages.delete(world.desk, aki, MessageDelete(message=said.message))
    await take_back(world, aki, sent.post)
    for viewer in (aki, haru):
        assert not await sees(world, viewer, first.id)
        assert not await sees(world, viewer, second.id)
        assert await sees(world, viewer, stays.id)
    assert await kept(world) == {name: {stays.id} for name in ("picture", "picture_bytes")}
    line = (await messages.list_messages(world.desk, haru, MessageList(room=room.id))).messages[-1]
    assert (line.deleted, line.pictures) == (True, [])
    rows = await world.desk.db.read(
        lambda tx: tx.rows("select pictures from message union all select pictures from post")
    )
    assert [stays.id in each[0] for each in rows if each[0]] == [True]


async def test_who_is_erased_leaves_no_picture(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    room = await world.group(haru, aki)
    wordless, worded, posted, unshown, theirs = (
        *(await shown(world, aki, 4, alt="うちのねこ")),
        *(await shown(world, haru)),
    )
    silent = await world.say(aki, room.id, "", pictures=[wordless])
    spoken = await world.say(aki, room.id, "ねこ", pictures=[worded])
    await post(world, aki, None, pictures=[posted])
    await world.say(haru, room.id, pictures=[theirs])
    await profiles.delete(world.desk, aki, Empty())
    assert await sees(world, haru, worded.id), "within the days of grace it may be taken back"
    assert not await sees(world, haru, posted.id)
    await world.desk.db.write(lambda tx: set_state(tx, aki.account, "deleted", tx.now_ms()))
    assert await world.desk.db.write(profiles.erase_due) == 1
    assert await kept(world) == {name: {theirs.id} for name in ("picture", "picture_bytes")}
    lines = {
        each.id: each
        for each in (await messages.list_messages(world.desk, haru, MessageList(room=room.id))).messages
    }
    assert (lines[silent.message].deleted, lines[silent.message].pictures) == (True, [])
    assert (lines[spoken.message].text, lines[spoken.message].pictures) == ("ねこ", [])
    assert unshown
    told = await world.desk.db.read(
        lambda tx: str([*tx.rows("select pictures from message"), *tx.rows("select pictures from post")])
    )
    assert "うちのねこ" not in told
    assert await sees(world, haru, theirs.id)


async def test_ones_own_data_has_ones_own_pictures(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    room = await world.group(aki, haru)
    said, posted, unshown, theirs = *(await shown(world, aki, 3, alt="海")), *(await shown(world, haru))
    await world.say(aki, room.id, pictures=[said])
    await world.say(haru, room.id, pictures=[theirs])
    await post(world, aki, None, pictures=[posted])
    with await export(world.desk, aki) as file, zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None
        names = {name for name in archive.namelist() if name.startswith("pictures/")}
        assert names == {f"pictures/{each.id}.webp" for each in (said, posted, unshown)}
        assert archive.read(f"pictures/{said.id}.webp") == MADE.whole
        rows = orjson.loads(archive.read("pictures.json"))
        (line,) = [row for row in orjson.loads(archive.read("messages.json")) if row["pictures"]]
    assert {row["id"]: row["kind"] for row in rows} == {said.id: MESSAGE, posted.id: "post", unshown.id: None}
    assert orjson.loads(line["pictures"])[0]["alt"] == "海"
