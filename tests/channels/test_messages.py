"""Lines of a room on both back ends: said once, in order, read back, unread counts, deletions (FEATURES §6, WIRE §4)."""

from __future__ import annotations

import asyncio
import random

import orjson
import pytest

from channels import messages, rooms
from channels.arrival import entries_between
from channels.desk import Actor
from realtime.errors import Refusal
from realtime.parcels import Audience
from realtime.requests import MessageDelete, MessageGet, MessageList, RoomAdd, RoomRead, RoomRef
from storage import nonces
from tests.support.world import World


async def texts(world: World, actor: object, room: str, **window: int) -> list[str | None]:
    page = await messages.list_messages(world.desk, actor, MessageList(room=room, **window))  # type: ignore[arg-type]
    return [message.text for message in page.messages if message.system is None]


async def test_what_is_acknowledged_is_in_the_log_with_its_seq(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    room = await world.group(aki, haru)
    sent = await world.say(aki, room.id, "こんばんは\r\n月がきれい  ")
    assert sent.seq == room.seq + 1
    parcel = world.of(f"room:{room.id}")[-1]
    pushed = orjson.loads(parcel.frame)
    assert (pushed["seq"], pushed["at"], pushed["ev"]) == (sent.seq, sent.at, "message.created")
    assert pushed["d"]["message"] == {
        "id": sent.message,
        "room": room.id,
        "seq": sent.seq,
        "author": aki.account,
        "at": sent.at,
        "text": "こんばんは\n月がきれい",
        "reply_to": None,
        "written_at": None,
        "system": None,
        "deleted": False,
        "pictures": [],
        "emotext": [],
        "play_at": None,
    }


async def test_the_same_nonce_happens_once_however_often_and_together(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    room = await world.group(aki, haru)
    answers = await asyncio.gather(*(world.say(aki, room.id, "一度だけ", nonce="same") for _ in range(10)))
    answers.append(await world.say(aki, room.id, "一度だけ", nonce="same"))
    assert len({(a.message, a.seq, a.at) for a in answers}) == 1
    assert await texts(world, haru, room.id) == ["一度だけ"]
    for text, place in (("ちがう", room.id), ("一度だけ", "0" * 26)):
        with pytest.raises(Refusal) as refused:
            await world.say(aki, place, text, nonce="same")
        assert refused.value.code == "conflict"
    other = await world.say(haru, room.id, "一度だけ", nonce="same")
    assert other.seq == answers[0].seq + 1


async def test_a_refused_nonce_may_be_used_again(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    room = await world.group(aki, haru)
    results = await asyncio.gather(
        world.say(aki, "0" * 26, "どこ", nonce="r"), world.say(haru, room.id, "ここ"), return_exceptions=True
    )
    assert isinstance(results[0], Refusal)
    assert results[0].code == "not_found"
    assert (await world.say(aki, room.id, "ここだ", nonce="r")).seq == room.seq + 2


async def test_a_batch_gives_each_its_own_answer_and_rising_seqs(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    ken = await world.person("ken")
    first, second = await world.group(aki, haru), await world.group(haru, aki)
    dice = random.Random(3)
    tries = [(dice.choice([aki, haru, ken]), dice.choice([first, second]), n) for n in range(120)]
    results = await asyncio.gather(
        *(world.say(who, room.id, f"line {n}") for who, room, n in tries), return_exceptions=True
    )
    seqs: dict[str, list[int]] = {first.id: [], second.id: []}
    for (who, room, _), result in zip(tries, results, strict=True):
        if who is ken:
            assert isinstance(result, Refusal)
            assert result.code == "not_found"
        else:
            assert not isinstance(result, BaseException), result
            seqs[room.id].append(result.seq)
    for room in (first, second):
        assert sorted(seqs[room.id]) == list(range(room.seq + 1, room.seq + 1 + len(seqs[room.id])))
        offered = [p.seq for p in world.of(f"room:{room.id}")]
        assert offered == list(range(1, len(offered) + 1))


async def test_history_goes_both_ways_without_hole_or_double(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    room = await world.group(aki, haru)
    for n in range(25):
        await world.say(aki, room.id, str(n))
    newest = await messages.list_messages(world.desk, haru, MessageList(room=room.id, limit=10))
    assert (newest.more_before, newest.more_after) == (True, False)
    back, before = list(newest.messages), newest.messages[0].seq
    while True:
        page = await messages.list_messages(
            world.desk, haru, MessageList(room=room.id, before=before, limit=10)
        )
        assert page.more_after
        back[:0] = page.messages
        if not page.more_before:
            break
        before = page.messages[0].seq
    forth, after = [], 0
    while True:
        page = await messages.list_messages(world.desk, haru, MessageList(room=room.id, after=after, limit=7))
        forth += page.messages
        if not page.more_after:
            break
        after = page.messages[-1].seq
    assert back == forth
    assert [m.text for m in forth if m.text] == [str(n) for n in range(25)]
    with pytest.raises(Refusal) as refused:
        await messages.list_messages(world.desk, haru, MessageList(room=room.id, before=3, after=1))
    assert refused.value.code == "bad_request"


async def test_a_deleted_line_is_gone_from_everywhere(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    room = await world.group(aki, haru)
    sent = await world.say(aki, room.id, "ひみつの住所")
    with pytest.raises(Refusal) as refused:
        await messages.delete(world.desk, haru, MessageDelete(message=sent.message))
    assert refused.value.code == "forbidden"
    await messages.delete(world.desk, aki, MessageDelete(message=sent.message))
    await messages.delete(world.desk, aki, MessageDelete(message=sent.message))
    page = await messages.list_messages(world.desk, haru, MessageList(room=room.id))
    gone = page.messages[-1]
    assert (gone.id, gone.text, gone.deleted) == (sent.message, None, True)
    seen = await rooms.get(world.desk, haru, RoomRef(room=room.id))
    assert seen.unread == 0
    assert seen.last is None or seen.last.id != sent.message
    replayed = await entries_between(world.desk, [(f"room:{room.id}", 0, 99)], 100)
    assert [p.audience for p in replayed if p.seq == sent.seq] == [Audience.NOBODY]
    assert "ひみつの住所".encode() not in b"".join(p.frame for p in replayed)
    deletions = [p for p in replayed if p.kind == "message.deleted"]
    assert len(deletions) == 1
    assert orjson.loads(deletions[0].frame)["d"] == {"message": sent.message, "message_seq": sent.seq}


async def test_replayed_entries_are_the_bytes_that_were_live(world: World) -> None:
    aki, haru, mio = await world.people("aki", "haru", "mio")
    room = await world.group(aki, haru, mio)
    await world.say(aki, room.id, 'emoji 👨‍👩‍👧 \\ " / 𠮷', written_at=1)
    await rooms.leave(world.desk, mio, RoomRef(room=room.id))
    for channel in (f"room:{room.id}", f"user:{mio.account}"):
        live = world.of(channel)
        replayed = await entries_between(world.desk, [(channel, 0, 99)], 100)
        assert replayed == live
        assert live


async def test_unread_counts_others_visible_lines_to_99(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    room = await world.group(aki, haru)
    for _ in range(3):
        await world.say(aki, room.id)
    await world.say(haru, room.id)
    assert (await rooms.get(world.desk, haru, RoomRef(room=room.id))).unread == 3
    assert (await rooms.get(world.desk, aki, RoomRef(room=room.id))).unread == 1
    read = await messages.mark_read(world.desk, haru, RoomRead(room=room.id, seq=room.seq + 2))
    assert (read.read_seq, read.unread) == (room.seq + 2, 1)
    back = await messages.mark_read(world.desk, haru, RoomRead(room=room.id, seq=1))
    assert back.read_seq == room.seq + 2
    beyond = await messages.mark_read(world.desk, haru, RoomRead(room=room.id, seq=10**9))
    assert (beyond.read_seq, beyond.unread) == (room.seq + 4, 0)
    whispers = [p for p in world.parcels if p.kind == "room.read"]
    assert {p.channel for p in whispers} == {f"user:{haru.account}"}
    assert len(whispers) == 2
    await asyncio.gather(*(world.say(aki, room.id) for _ in range(120)))
    assert (await rooms.get(world.desk, haru, RoomRef(room=room.id))).unread == 99


async def test_a_reply_names_a_line_of_the_same_room_that_one_may_see(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    room, other = await world.group(aki, haru), await world.group(aki)
    said, elsewhere = await world.say(aki, room.id), await world.say(aki, other.id)
    answer = await world.say(haru, room.id, "うん", reply_to=said.message)
    page = await messages.list_messages(world.desk, aki, MessageList(room=room.id))
    assert page.messages[-1].reply_to == said.message
    assert page.messages[-1].id == answer.message
    for target in (elsewhere.message, "0" * 26):
        with pytest.raises(Refusal) as refused:
            await world.say(haru, room.id, "うん", reply_to=target)
        assert refused.value.code == "not_found"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "text_invalid"),
        (" \n ", "text_invalid"),
        ("\u200b", "text_invalid"),
        ("あ" * 2001, "text_too_long"),
        ("👨‍👩‍👧‍👦" * 600, "text_too_long"),
        ("e" + "\u0301" * 40, "text_invalid"),
    ],
)
async def test_a_bad_text_is_refused_and_nothing_is_kept(world: World, text: str, code: str) -> None:
    (aki,) = await world.people("aki")
    room = await world.group(aki)
    with pytest.raises(Refusal) as refused:
        await world.say(aki, room.id, text)
    assert refused.value.code == code
    assert (await rooms.get(world.desk, aki, RoomRef(room=room.id))).seq == room.seq


async def test_the_longest_text_is_kept_whole(world: World) -> None:
    (aki,) = await world.people("aki")
    room = await world.group(aki)
    await world.say(aki, room.id, "あ" * 2000)
    assert await texts(world, aki, room.id) == ["あ" * 2000]


async def test_nonces_are_forgotten_after_their_time(world: World) -> None:
    (aki,) = await world.people("aki")
    room = await world.group(aki)
    first = await world.say(aki, room.id, "また", nonce="old")
    await world.desk.db.write(lambda tx: nonces.forget(tx, tx.now_ms() + 1))
    assert (await world.say(aki, room.id, "また", nonce="old")).seq == first.seq + 1


async def test_one_line_is_found_by_its_id_by_those_who_read_it(world: World) -> None:
    aki, haru, mio = await world.people("aki", "haru", "mio")
    room = await world.group(aki, haru)
    sent = await world.say(aki, room.id, "ここだよ")
    found = await messages.get(world.desk, haru, MessageGet(message=sent.message))
    assert (found.room, found.seq, found.text, found.deleted) == (room.id, sent.seq, "ここだよ", False)

    async def refused(who: Actor, message: str) -> str:
        with pytest.raises(Refusal) as caught:
            await messages.get(world.desk, who, MessageGet(message=message))
        return caught.value.code

    assert await refused(mio, sent.message) == await refused(mio, "0" * 26) == "not_found"
    await rooms.add(world.desk, aki, RoomAdd(room=room.id, accounts=[mio.account], nonce=world.nonce))
    # Said before she came, so it is not there for her.
    assert await refused(mio, sent.message) == "not_found"
    later = await world.say(haru, room.id, "いらっしゃい")
    assert (await messages.get(world.desk, mio, MessageGet(message=later.message))).text == "いらっしゃい"
    await rooms.leave(world.desk, mio, RoomRef(room=room.id))
    assert await refused(mio, later.message) == "not_member"
    await messages.delete(world.desk, haru, MessageDelete(message=later.message))
    gone = await messages.get(world.desk, aki, MessageGet(message=later.message))
    assert (gone.deleted, gone.text) == (True, None)
