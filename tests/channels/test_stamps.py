"""Stamps under lines of rooms, on both databases: one of each account, told and paged alike, gone with the line (FEATURES §3, §6)."""

from __future__ import annotations

import random
from dataclasses import replace

import orjson
import pytest

from channels import arrival, messages, profiles, requests, rooms, stamps
from channels.desk import Actor
from channels.entries import render
from realtime.channel import seen_by
from realtime.errors import Refusal
from realtime.models import Line
from realtime.parcels import Audience
from realtime.reactions import MessageReact, Stamp
from realtime.recent import folded
from realtime.requests import Empty, MessageDelete, MessageGet, MessageList, RoomOpen, RoomRead, RoomRef
from storage import log
from storage.relations import apart_of
from tests.support.relations import block, code, unblock
from tests.support.world import World

KAWAII, SUGOI = Stamp.KAWAII, Stamp.SUGOI


async def react(world: World, actor: Actor, message: str, stamp: Stamp | None = KAWAII) -> None:
    await stamps.react(world.desk, actor, MessageReact(message=message, stamp=stamp))


async def under(world: World, viewer: Actor, room: str, message: str) -> dict[str, list[str]]:
    """Stamp → who left it, as a viewer's page shows it; `message.get` says the same."""
    page = (await messages.list_messages(world.desk, viewer, MessageList(room=room, limit=100))).messages
    line = next(each for each in page if each.id == message)
    assert line == await messages.get(world.desk, viewer, MessageGet(message=message))
    return line.reactions


def told(world: World, viewer: Actor, room: str, apart: frozenset[str] = frozenset()) -> list[tuple[str, str | None]]:  # fmt: skip
    """(account, stamp) of every change that a viewer was told live."""
    frames = [orjson.loads(seen_by(each, viewer.account, apart)) for each in world.of(f"room:{room}")]
    return [(f["d"]["account"], f["d"]["stamp"]) for f in frames if f["ev"] == "message.reacted"]


async def test_one_stamp_of_each_changed_and_taken_back(world: World) -> None:
    aki, haru, ken = await world.people("aki", "haru", "ken")
    room = (await world.group(aki, haru, ken)).id
    said = (await world.say(aki, room)).message
    await react(world, haru, said)
    await react(world, haru, said)
    await react(world, ken, said, SUGOI)
    await react(world, aki, said)
    assert await under(world, ken, room, said) == {
        "kawaii": [haru.account, aki.account],
        "sugoi": [ken.account],
    }
    await react(world, haru, said, SUGOI)
    await react(world, aki, said, None)
    await react(world, aki, said, None)
    assert await under(world, aki, room, said) == {"sugoi": [ken.account, haru.account]}
    assert told(world, aki, room) == [
        (haru.account, "kawaii"),
        (ken.account, "sugoi"),
        (aki.account, "kawaii"),
        (haru.account, "sugoi"),
        (aki.account, None),
    ]


async def test_read_again_an_entry_says_what_stands_now(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    room = (await world.group(aki, haru)).id
    said = await world.say(aki, room)
    await react(world, haru, said.message)
    await react(world, aki, said.message)
    await react(world, aki, said.message, None)
    again = await world.desk.db.read(
        lambda tx: render(tx, log.read(tx, [(f"room:{room}", said.seq, 2**53)], 100))
    )
    frames = [orjson.loads(each.frame)["d"] for each in again]
    assert [(each["account"], each["stamp"]) for each in frames] == [
        (haru.account, "kawaii"),
        (aki.account, None),
        (aki.account, None),
    ]
    assert {each["message_seq"] for each in frames} == {said.seq}
    # The last one is the same bytes as it was live.
    assert again[-1].frame == world.of(f"room:{room}")[-1].frame


async def test_with_the_line_its_stamps_go_from_pages_log_and_memory(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    room = (await world.group(aki, haru)).id
    said = await world.say(aki, room)
    other = await world.say(aki, room)
    await react(world, haru, said.message)
    await react(world, haru, other.message, SUGOI)
    await messages.delete(world.desk, aki, MessageDelete(message=said.message))
    assert await under(world, haru, room, said.message) == {}
    assert await code(react(world, haru, said.message)) == "not_found"
    left = await world.desk.db.read(lambda tx: tx.rows("select message from message_reaction"))
    assert left == [(other.message,)]
    live = [each for each in world.of(f"room:{room}") if each.seq >= said.seq]
    again = await world.desk.db.read(
        lambda tx: render(tx, log.read(tx, [(f"room:{room}", said.seq - 1, 2**53)], 100))
    )
    for replay in (again, folded(live)):
        shown = [each.kind for each in replay if each.audience is not Audience.NOBODY]
        assert shown == ["message.created", "message.reacted", "message.deleted"]


async def test_only_who_sees_a_line_of_people_reacts_to_it(world: World) -> None:
    aki, haru, ken = await world.people("aki", "haru", "ken")
    room = (await world.group(aki, haru)).id
    said = (await world.say(aki, room)).message
    page = await messages.list_messages(world.desk, aki, MessageList(room=room))
    system = next(each.id for each in page.messages if each.system is not None)
    assert await code(react(world, ken, said)) == "not_found"
    assert await code(react(world, ken, ken.session)) == "not_found"
    assert await code(react(world, aki, system)) == "not_found"
    await rooms.add(world.desk, aki, rooms.RoomAdd(room=room, accounts=[ken.account], nonce="1"))
    # A newcomer reads from joining on.
    assert await code(react(world, ken, said)) == "not_found"
    await rooms.leave(world.desk, haru, RoomRef(room=room))
    assert await code(react(world, haru, said)) == "not_member"


async def test_a_request_that_waits_takes_no_stamps(world: World) -> None:
    aki, haru = await world.people("aki", "haru", mutual=False)
    room = (await requests.open_dm(world.desk, haru, RoomOpen(account=aki.account))).id
    said = (await world.say(haru, room, "はじめまして")).message
    for who in (aki, haru):
        assert await code(react(world, who, said)) == "forbidden"
    await requests.accept(world.desk, aki, RoomRef(room=room))
    await react(world, aki, said)
    assert await under(world, haru, room, said) == {"kawaii": [aki.account]}


async def test_a_block_does_not_split_a_group_and_in_a_dm_the_blocked_one_is_not_heard(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    room = (await world.group(aki, haru)).id
    both = (await world.say(aki, room)).message
    dm = (await requests.open_dm(world.desk, haru, RoomOpen(account=aki.account))).id
    first = (await world.say(aki, dm)).message
    second = (await world.say(aki, dm)).message
    await react(world, haru, first)
    await block(world, aki, haru)
    apart = frozenset(await world.desk.db.read(lambda tx: apart_of(tx, aki.account)))
    await react(world, haru, both)
    assert await under(world, aki, room, both) == {"kawaii": [haru.account]}
    assert told(world, aki, room, apart) == [(haru.account, "kawaii")]
    assert await code(react(world, aki, first)) == "blocked"
    # To haru everything is as it would be with somebody who never answers.
    await react(world, haru, second, SUGOI)
    await react(world, haru, first, SUGOI)
    assert await under(world, haru, dm, second) == {"sugoi": [haru.account]}
    assert await under(world, haru, dm, first) == {"sugoi": [haru.account]}
    assert [stamp for _, stamp in told(world, haru, dm)] == ["kawaii", "sugoi", None, "sugoi"]
    assert await under(world, aki, dm, second) == await under(world, aki, dm, first) == {}
    assert [stamp for _, stamp in told(world, aki, dm, apart)] == ["kawaii", None]
    await unblock(world, aki, haru)
    await react(world, haru, second, None)
    await react(world, haru, second)
    assert await under(world, aki, dm, second) == {"kawaii": [haru.account]}


async def test_unread_counts_and_the_newest_line_are_as_before(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    room = (await world.group(aki, haru)).id
    said = await world.say(aki, room)
    await messages.mark_read(world.desk, aki, RoomRead(room=room, seq=said.seq))
    await react(world, haru, said.message)
    card = await rooms.get(world.desk, aki, RoomRef(room=room))
    assert (card.unread, card.seq, card.last.id if card.last else "") == (0, said.seq + 1, said.message)
    assert (await rooms.get(world.desk, haru, RoomRef(room=room))).unread == 1


class Reader:
    """A client that reads a room's page once and applies what it is told from then on."""

    def __init__(self, actor: Actor) -> None:
        self.actor = actor
        self.stamps: dict[str, dict[str, str]] = {}
        self.seq = 0

    def load(self, lines: list[Line], seq: int) -> None:
        """A page: line → account → stamp."""
        self.stamps = {
            line.id: {who: stamp for stamp, people in line.reactions.items() for who in people}
            for line in lines
            if not line.deleted
        }
        self.seq = seq

    def apply(self, frame: dict[str, object]) -> None:
        """One push."""
        d: dict[str, object] = frame.get("d", {})  # type: ignore[assignment]  # JSON
        match frame["ev"]:
            case "message.created":
                self.stamps[d["message"]["id"]] = {}  # type: ignore[index]  # JSON
            case "message.deleted":
                self.stamps.pop(str(d["message"]), None)
            case "message.reacted":
                mine = self.stamps.setdefault(str(d["message"]), {})
                mine.pop(str(d["account"]), None)
                if d["stamp"]:
                    mine[str(d["account"])] = str(d["stamp"])


@pytest.mark.parametrize("seed", range(4))
async def test_a_page_and_what_is_told_after_it_are_the_next_page(world: World, seed: int) -> None:
    dice = random.Random(seed)
    people = await world.people("aki", "haru", "ken")
    room = (await world.group(*people)).id
    dm = (await requests.open_dm(world.desk, people[0], RoomOpen(account=people[1].account))).id
    said: dict[str, list[str]] = {room: [], dm: []}
    readers = {(where, who.account): Reader(who) for where in said for who in people}
    del readers[dm, people[2].account]
    for _ in range(120):
        who, where = dice.choice(people), dice.choice([room, dm])
        try:
            match dice.randrange(10):
                case 0 | 1:
                    said[where].append((await world.say(who, where)).message)
                case 2:
                    await messages.delete(world.desk, who, MessageDelete(message=dice.choice(said[where])))
                case 3:
                    change = dice.choice([block, unblock])
                    await change(world, *dice.sample(people, 2))
                case _:
                    await react(world, who, dice.choice(said[where]), dice.choice([None, KAWAII, SUGOI]))
        except (Refusal, IndexError):
            continue
    for (where, _), reader in readers.items():
        # From the beginning by the log as it reads now, live as it came, and from a page in the middle.
        page = await messages.list_messages(world.desk, reader.actor, MessageList(room=where, limit=100))
        expected = Reader(reader.actor)
        expected.load(page.messages, page.seq)
        polled = await arrival.poll(world.desk, reader.actor.account, {f"room:{where}": 0}, same_epoch=True)
        replayed = Reader(reader.actor)
        for parcel in polled.missed:
            replayed.apply(orjson.loads(seen_by(parcel, reader.actor.account, polled.apart)))
        for parcel in world.of(f"room:{where}"):
            reader.apply(orjson.loads(seen_by(parcel, reader.actor.account)))
        shown = {line: stamps_ for line, stamps_ in expected.stamps.items() if line in said[where]}
        for got in (replayed, reader):
            assert {k: v for k, v in got.stamps.items() if k in shown or v} == shown


async def test_an_export_has_ones_own_stamps_and_an_erasure_takes_them(world: World) -> None:
    from storage.export import everything_of

    aki, haru = await world.people("aki", "haru")
    room = (await world.group(aki, haru)).id
    said = (await world.say(aki, room)).message
    await react(world, haru, said)
    mine = await world.desk.db.read(lambda tx: everything_of(tx, haru.account))
    assert [(row["message"], row["what"]) for row in mine["message_reactions"]] == [(said, "kawaii")]
    limits = replace(world.desk.settings.limits, erase_after_days=0)
    now = replace(world.desk, settings=replace(world.desk.settings, limits=limits))
    await profiles.delete(now, haru, Empty())
    assert await world.desk.db.write(profiles.erase_due) == 1
    assert await under(world, aki, room, said) == {}
