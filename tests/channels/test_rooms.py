"""Groups on both back ends: who comes in, who leaves, who sees what (FEATURES §6)."""

from __future__ import annotations

import orjson
import pytest

from channels import messages, rooms
from realtime.errors import Refusal
from realtime.events import skip_frame
from realtime.hub import seen_by
from realtime.models import MemberState, Reading
from realtime.requests import MessageList, RoomAdd, RoomList, RoomRef, RoomUpdate
from tests.support.world import World


async def test_a_group_begins_with_its_creator_and_mutuals_and_invites_the_others(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    stranger = await world.person("ken")
    room = await world.group(aki, haru, stranger, title="  月 を　見る会 ")
    assert room.title == "月 を 見る会"
    assert {p.account.handle: p.state for p in room.people} == {
        "aki": MemberState.INSIDE,
        "haru": MemberState.INSIDE,
        "ken": MemberState.INVITED,
    }
    assert room.seq == 2
    assert [p.kind for p in world.of(f"user:{haru.account}")] == ["room.joined"]
    assert [p.kind for p in world.of(f"user:{stranger.account}")] == ["room.invited"]
    invited = await rooms.get(world.desk, stranger, RoomRef(room=room.id))
    assert invited.standing is MemberState.INVITED
    assert invited.people == []
    assert invited.last is None
    assert invited.seq == 0


async def test_an_invited_person_joins_and_reads_from_joining_on(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    ken = await world.person("ken")
    room = await world.group(aki, haru, ken)
    await world.say(haru, room.id, "前の話")
    with pytest.raises(Refusal) as refused:
        await messages.list_messages(world.desk, ken, MessageList(room=room.id))
    assert refused.value.code == "not_member"
    joined = await rooms.join(world.desk, ken, RoomRef(room=room.id))
    assert joined.unread == 0
    await world.say(haru, room.id, "これからの話")
    page = await messages.list_messages(world.desk, ken, MessageList(room=room.id))
    assert [m.text for m in page.messages] == [None, "これからの話"]
    assert page.messages[0].system is not None
    assert page.messages[0].system.what == "joined"
    assert not page.more_before


async def test_newcomers_read_everything_where_the_creator_says_so(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    room = await world.group(aki, reading=Reading.ALL)
    await world.say(aki, room.id, "はじめから")
    await rooms.add(world.desk, aki, RoomAdd(room=room.id, accounts=[haru.account], nonce=world.nonce))
    page = await messages.list_messages(world.desk, haru, MessageList(room=room.id))
    assert "はじめから" in [m.text for m in page.messages]


async def test_who_left_reads_nothing_later_and_only_the_creator_sees_the_line(world: World) -> None:
    aki, haru, mio = await world.people("aki", "haru", "mio")
    room = await world.group(aki, haru, mio)
    await rooms.leave(world.desk, haru, RoomRef(room=room.id))
    await world.say(aki, room.id, "あとの話")
    with pytest.raises(Refusal) as refused:
        await messages.list_messages(world.desk, haru, MessageList(room=room.id))
    assert refused.value.code == "not_member"
    removed, line = world.of(f"room:{room.id}")[-3:-1]
    assert (removed.kind, removed.target) == ("room.member_removed", haru.account)
    for parcel in (removed, line):
        assert seen_by(parcel, mio.account) == skip_frame(parcel.channel, parcel.seq, parcel.seq)
    assert orjson.loads(seen_by(line, aki.account))["d"]["message"]["system"]["what"] == "left"
    mine = await messages.list_messages(world.desk, aki, MessageList(room=room.id))
    theirs = await messages.list_messages(world.desk, mio, MessageList(room=room.id))
    assert len(mine.messages) == len(theirs.messages) + 1


async def test_a_leaving_creator_passes_the_group_to_the_eldest(world: World) -> None:
    aki, haru, mio = await world.people("aki", "haru", "mio")
    room = await world.group(aki, haru)
    await rooms.add(world.desk, aki, RoomAdd(room=room.id, accounts=[mio.account], nonce=world.nonce))
    await rooms.leave(world.desk, aki, RoomRef(room=room.id))
    seen = await rooms.get(world.desk, haru, RoomRef(room=room.id))
    assert seen.creator == haru.account
    assert (await rooms.get(world.desk, mio, RoomRef(room=room.id))).creator == haru.account


async def test_a_group_has_at_most_its_seats(world: World) -> None:
    (aki,) = await world.people("aki")
    others = []
    for number in range(150):
        other = await world.person(f"p{number}")
        await world.follow("aki", f"p{number}")
        await world.follow(f"p{number}", "aki")
        others.append(other)
    room = await world.group(aki, *others[:149])
    assert room.members == 150
    request = RoomAdd(room=room.id, accounts=[others[149].account], nonce="x")
    with pytest.raises(Refusal) as refused:
        await rooms.add(world.desk, aki, request)
    assert (refused.value.code, refused.value.details["limit"]) == ("full", 150)
    after = await rooms.get(world.desk, aki, RoomRef(room=room.id))
    assert after.members == 150
    assert after.seq == room.seq


async def test_a_rename_is_told_as_an_entry_and_a_line(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    room = await world.group(aki, haru)
    request = RoomUpdate(room=room.id, title="あたらしい名", nonce="r")
    renamed = await rooms.update(world.desk, haru, request)
    assert renamed.title == "あたらしい名"
    kinds = [p.kind for p in world.of(f"room:{room.id}")]
    assert kinds[-2:] == ["room.updated", "message.created"]
    again = await rooms.update(world.desk, haru, request)
    assert again == renamed
    with pytest.raises(Refusal) as refused:
        await rooms.update(world.desk, haru, RoomUpdate(room=room.id, title="ほかの名", nonce="r"))
    assert refused.value.code == "conflict"
    with pytest.raises(Refusal) as refused:
        await rooms.update(world.desk, haru, RoomUpdate(room=room.id, reading=Reading.ALL, nonce="q"))
    assert refused.value.code == "forbidden"


@pytest.mark.parametrize("title", ["", "   ", "\u200b\u202e", "あ" * 41, "a\ud800"])
async def test_a_bad_title_is_refused_and_nothing_is_made(world: World, title: str) -> None:
    (aki,) = await world.people("aki")
    with pytest.raises(Refusal) as refused:
        await world.group(aki, title=title)
    assert refused.value.code in ("text_invalid", "text_too_long")
    assert (await rooms.list_rooms(world.desk, aki, RoomList())).rooms == []


async def test_a_stranger_learns_of_no_room(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    ken = await world.person("ken")
    room = await world.group(aki, haru)
    said = await world.say(aki, room.id)
    nowhere = "0" * 26
    for known, unknown in (
        (
            rooms.get(world.desk, ken, RoomRef(room=room.id)),
            rooms.get(world.desk, ken, RoomRef(room=nowhere)),
        ),
        (
            messages.list_messages(world.desk, ken, MessageList(room=room.id)),
            messages.list_messages(world.desk, ken, MessageList(room=nowhere)),
        ),
        (
            rooms.leave(world.desk, ken, RoomRef(room=room.id)),
            rooms.leave(world.desk, ken, RoomRef(room=nowhere)),
        ),
        (world.say(ken, room.id, nonce="1"), world.say(ken, nowhere, nonce="2")),
        (
            messages.delete(world.desk, ken, messages.MessageDelete(message=said.message)),
            messages.delete(world.desk, ken, messages.MessageDelete(message=nowhere)),
        ),
    ):
        answers = []
        for attempt in (known, unknown):
            with pytest.raises(Refusal) as refused:
                await attempt
            answers.append((refused.value.code, refused.value.message, refused.value.details))
        assert answers[0] == answers[1]
        assert answers[0][0] == "not_found"


async def test_rooms_are_listed_by_newest_talk_in_pages(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    made = [await world.group(aki, haru, title=f"部屋{n}") for n in range(5)]
    await world.say(haru, made[1].id, "最後の話")
    seen = []
    after = None
    while True:
        page = await rooms.list_rooms(world.desk, aki, RoomList(limit=2, after=after))
        assert len(page.rooms) <= 2
        seen += [room.title for room in page.rooms]
        after = page.next
        if after is None:
            break
    assert seen == ["部屋1", "部屋4", "部屋3", "部屋2", "部屋0"]
    first = (await rooms.list_rooms(world.desk, aki, RoomList(limit=1))).rooms[0]
    assert first.unread == 1
    assert first.last is not None
    assert first.last.text == "最後の話"


async def test_a_declined_invitation_tells_nobody(world: World) -> None:
    from channels import requests

    (aki,) = await world.people("aki")
    ken = await world.person("ken")
    room = await world.group(aki, ken)
    before = len(world.of(f"room:{room.id}"))
    await requests.decline(world.desk, ken, RoomRef(room=room.id))
    assert len(world.of(f"room:{room.id}")) == before
    page = await rooms.list_rooms(world.desk, ken, RoomList(standing="invited"))
    assert page.rooms == []
    with pytest.raises(Refusal) as refused:
        await rooms.join(world.desk, ken, RoomRef(room=room.id))
    assert refused.value.code == "forbidden"
