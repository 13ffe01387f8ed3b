"""DMs and message requests on both back ends: silent until accepted, and nothing told by a refusal (FEATURES §6, J8)."""

from __future__ import annotations

import asyncio

import pytest

from channels import messages, requests, rooms
from channels.desk import Actor
from realtime.errors import Refusal
from realtime.models import MemberState, Room, RoomState
from realtime.requests import MessageList, RoomList, RoomOpen, RoomRef
from tests.support.world import World


async def opened(world: World, actor: Actor, other: Actor) -> Room:
    return await requests.open_dm(world.desk, actor, RoomOpen(account=other.account))


async def seen(world: World, actor: Actor, room: str) -> Room:
    return await rooms.get(world.desk, actor, RoomRef(room=room))


async def test_a_dm_opens_where_the_other_follows(world: World) -> None:
    aki, ken = await world.people("aki", "ken", mutual=False)
    await world.follow("ken", "aki")
    room = await opened(world, aki, ken)
    assert (room.state, room.standing) == (RoomState.OPEN, MemberState.INSIDE)
    assert room.peer is not None
    assert room.peer.id == ken.account
    await world.say(aki, room.id, "やあ")
    assert (await seen(world, ken, room.id)).unread == 1
    again = await opened(world, ken, aki)
    assert again.id == room.id
    await world.say(ken, room.id, "おう")


async def test_two_who_open_at_once_meet_in_one_room(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    found = await asyncio.gather(*(opened(world, a, b) for a, b in [(aki, haru), (haru, aki)] * 5))
    assert len({room.id for room in found}) == 1


async def test_a_request_carries_one_text_and_waits_silently(world: World) -> None:
    aki, ken = await world.people("aki", "ken", mutual=False)
    room = await opened(world, aki, ken)
    assert room.state is RoomState.DRAFT
    assert (await rooms.list_rooms(world.desk, ken, RoomList(standing="requested"))).rooms == []
    await world.say(aki, room.id, "はじめまして")
    assert [p.kind for p in world.of(f"room:{room.id}")] == ["room.updated", "message.created"]
    mine = await seen(world, aki, room.id)
    assert (mine.state, mine.standing) == (RoomState.REQUEST, MemberState.INSIDE)
    with pytest.raises(Refusal) as refused:
        await world.say(aki, room.id, "もう一言")
    assert refused.value.code == "forbidden"
    waiting = (await rooms.list_rooms(world.desk, ken, RoomList(standing="requested"))).rooms
    assert [(r.id, r.last.text if r.last else None) for r in waiting] == [(room.id, "はじめまして")]
    assert (await rooms.list_rooms(world.desk, ken, RoomList())).rooms == []
    page = await messages.list_messages(world.desk, ken, MessageList(room=room.id))
    assert [m.text for m in page.messages] == ["はじめまして"]


async def test_the_first_text_under_a_nonce_is_said_once(world: World) -> None:
    aki, ken = await world.people("aki", "ken", mutual=False)
    room = await opened(world, aki, ken)
    first = await world.say(aki, room.id, "はじめまして", nonce="once")
    assert await world.say(aki, room.id, "はじめまして", nonce="once") == first
    await requests.accept(world.desk, ken, RoomRef(room=room.id))
    assert await world.say(aki, room.id, "はじめまして", nonce="once") == first
    assert (await world.say(aki, room.id, "ありがとう")).seq > first.seq


async def test_ignored_and_declined_look_the_same_to_the_sender(world: World) -> None:
    aki, ken, mio = await world.people("aki", "ken", "mio", mutual=False)
    traces = []
    for other, declines in ((ken, True), (mio, False)):
        room = await opened(world, aki, other)
        await world.say(aki, room.id, "はじめまして")
        if declines:
            await requests.decline(world.desk, other, RoomRef(room=room.id))
        view = await opened(world, aki, other)
        with pytest.raises(Refusal) as refused:
            await world.say(aki, room.id, "ねえ")
        told = len(world.of(f"room:{room.id}"))
        inbox = [p.kind for p in world.of(f"user:{aki.account}") if p.target == f"room:{room.id}"]
        fields = (view.state, view.standing, view.members, view.seq, view.unread, len(view.people))
        traces.append((fields, refused.value.code, refused.value.details, told, inbox))
    assert traces[0] == traces[1]


@pytest.mark.parametrize("way", ["accept", "answer", "open", "follow", "late"])
async def test_a_request_opens_by_accepting_answering_opening_or_following(world: World, way: str) -> None:
    aki, ken = await world.people("aki", "ken", mutual=False)
    room = await opened(world, aki, ken)
    await world.say(aki, room.id, "はじめまして")
    if way == "accept":
        await requests.accept(world.desk, ken, RoomRef(room=room.id))
    elif way == "answer":
        await world.say(ken, room.id, "どうも")
    elif way == "open":
        await opened(world, ken, aki)
    elif way == "late":
        await requests.decline(world.desk, ken, RoomRef(room=room.id))
        await requests.accept(world.desk, ken, RoomRef(room=room.id))
    else:
        await world.follow("ken", "aki")
    await world.say(aki, room.id, "うれしい")
    for actor in (aki, ken):
        view = await seen(world, actor, room.id)
        assert (view.state, view.standing) == (RoomState.OPEN, MemberState.INSIDE)
    page = await messages.list_messages(world.desk, ken, MessageList(room=room.id))
    assert [m.text for m in page.messages][-1] == "うれしい"
    assert page.messages[0].text == "はじめまして"
    entries = [p.seq for p in world.of(f"room:{room.id}")]
    assert entries == list(range(1, len(entries) + 1))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("あ" * 150, "text_too_long"),
        ("見て https://example.com/", "text_invalid"),
        ("www.example.com", "text_invalid"),
    ],
)
async def test_a_request_is_short_and_without_links(world: World, text: str, code: str) -> None:
    aki, ken = await world.people("aki", "ken", mutual=False)
    room = await opened(world, aki, ken)
    with pytest.raises(Refusal) as refused:
        await world.say(aki, room.id, text, nonce="n")
    assert refused.value.code == code
    assert (await rooms.list_rooms(world.desk, ken, RoomList(standing="requested"))).rooms == []
    await world.say(aki, room.id, "あ" * 149, nonce="n")


async def test_five_requests_a_day(world: World) -> None:
    aki, *others = await world.people("aki", *(f"p{n}" for n in range(6)), mutual=False)
    for other in others[:5]:
        await world.say(aki, (await opened(world, aki, other)).id, "はじめまして")
    room = await opened(world, aki, others[5])
    with pytest.raises(Refusal) as refused:
        await world.say(aki, room.id, "はじめまして")
    assert refused.value.code == "rate_limited"
    assert refused.value.retry_ms


async def test_of_two_drafts_the_first_to_speak_asks(world: World) -> None:
    aki, ken = await world.people("aki", "ken", mutual=False)
    room = await opened(world, aki, ken)
    assert (await opened(world, ken, aki)).id == room.id
    await world.say(ken, room.id, "はじめまして")
    assert (await seen(world, aki, room.id)).standing is MemberState.REQUESTED
    assert (await seen(world, ken, room.id)).state is RoomState.REQUEST
    await world.say(aki, room.id, "どうも")
    assert (await seen(world, ken, room.id)).unread == 1


async def test_nobody_opens_a_dm_with_themselves_or_with_nobody(world: World) -> None:
    (aki,) = await world.people("aki")
    for account, code in ((aki.account, "forbidden"), ("0" * 26, "not_found")):
        with pytest.raises(Refusal) as refused:
            await requests.open_dm(world.desk, aki, RoomOpen(account=account))
        assert refused.value.code == code
