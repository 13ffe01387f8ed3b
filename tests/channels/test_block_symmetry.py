"""Block symmetry (FAULTS I16), generated: whatever three people do, nothing crosses between a blocked pair, and what the
blocked one is told equals, answer by answer and entry by entry, what somebody is told who is merely ignored."""

from __future__ import annotations

import itertools
import re
from collections.abc import Awaitable
from typing import Any

import msgspec
import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels import messages, relations, requests, rooms
from channels.desk import Actor
from realtime import relations as n
from realtime.errors import Refusal
from realtime.hub import seen_by
from realtime.ids import inbox_channel
from realtime.models import MemberState, RoomKind
from realtime.parcels import Parcel
from realtime.requests import MessageDelete, MessageList, RoomAdd, RoomList, RoomOpen, RoomRead, RoomRef
from storage.database import Tx
from storage.relations import part
from storage.rooms import heard_by, member, room_of_pair
from storage.rows import pair_of
from tests.support.world import World

A, B, C = range(3)
Step = tuple[str, int, int]
ID = re.compile("[0-9A-HJKMNP-TV-Z]{26}")
BEFORE = [
    *(("follow", x, y) for x, y in itertools.permutations((A, B, C), 2)),
    *(("write", x, y) for x, y in itertools.permutations((A, B, C), 2)),
    *(("draft", x, y) for x, y in itertools.permutations((A, B), 2)),
    ("group", A, C),
    ("group", B, C),
    ("invite", C, A),
]
SCENES: list[list[Step]] = [
    [],
    [("follow", A, B), ("write", B, A)],
    [("follow", B, A), ("write", A, B), ("write", B, A)],
    [("write", A, B)],
    [("write", B, A)],
    [("draft", A, B), ("draft", B, A)],
    [("follow", C, A), ("follow", A, C), ("follow", C, B), ("follow", B, C), ("group", C, A)],
]
"""How two may stand to each other when the block comes: strangers, an open DM, a request either way, drafts, a group."""
AFTER = [
    *(("write", x, y) for x, y in ((B, A), (B, C), (C, B), (C, A), (A, C))),
    ("draft", B, A),
    ("accept", B, A),
    ("answer", B, A),
    ("group", B, A),
    ("invite", B, A),
    ("invite", C, A),
    ("say", A, C),
    ("say", B, C),
    ("read", B, A),
    ("delete", B, A),
]
Seen = list[Any]


class Trio:
    """Three people in a world of their own, and what the second one (and the third) are told."""

    def __init__(self, world: World, people: list[Actor]) -> None:
        self.world = world
        self.people = people
        self.traces: dict[int, Seen] = {B: [], C: []}
        self.rooms: dict[int, str] = {}
        self.said: dict[int, str] = {}

    async def act(self, step: Step) -> list[Parcel]:
        """Do it; the answer goes to its asker's trace, the entries to those of all who hear them."""
        what, by, to = step
        before = {who: await self._hears(who) for who in self.traces}
        begin = len(self.world.parcels)
        answer = await _outcome(getattr(self, f"_{what}")(by, to))
        if by in self.traces:
            self.traces[by].append([what, answer])
        new = [parcel for parcel in self.world.parcels[begin:] if parcel.durable]
        for who, trace in self.traces.items():
            heard = before[who] | await self._hears(who)
            account = self.people[who].account
            trace += [orjson.loads(seen_by(parcel, account)) for parcel in new if parcel.channel in heard]
            trace.append(await self._looks(who))
        return new

    async def _hears(self, who: int) -> set[str]:
        account = self.people[who].account
        return set(await self.world.desk.db.read(lambda tx: heard_by(tx, account)))

    async def _looks(self, who: int) -> Seen:
        """All rooms and lines that somebody finds."""
        found: Seen = []
        desk, actor = self.world.desk, self.people[who]
        for standing in ("inside", "requested", "invited"):
            page = await rooms.list_rooms(desk, actor, RoomList(standing=standing))
            found.append(msgspec.to_builtins(page))
            for card in page.rooms:
                found.append(msgspec.to_builtins(await rooms.get(desk, actor, RoomRef(room=card.id))))
                if standing != "invited":
                    lines = await messages.list_messages(desk, actor, MessageList(room=card.id))
                    found.append(msgspec.to_builtins(lines))
        return found

    def masked(self, who: int) -> str:
        """A trace with ids by the order they come in, and without times."""
        names: dict[str, str] = {}
        text = orjson.dumps(_in_order(self.traces[who])).decode()
        text = ID.sub(lambda found: names.setdefault(found[0], f"id {len(names)}"), text)
        for number, actor in enumerate(self.people):
            text = text.replace(actor.handle, f"person {number}")
        return re.sub(r"\b\d{13}\b", "0", text)

    # What people do

    async def _follow(self, by: int, to: int) -> Any:
        request = n.AccountRef(account=self.people[to].account)
        return await relations.follow_add(self.world.desk, self.people[by], request)

    async def _draft(self, by: int, to: int) -> Any:
        request = RoomOpen(account=self.people[to].account)
        return await requests.open_dm(self.world.desk, self.people[by], request)

    async def _write(self, by: int, to: int) -> Any:
        room = await self._draft(by, to)
        sent = await self.world.say(self.people[by], room.id)
        self.said[by] = sent.message
        return sent

    async def _dm(self, by: int, to: int) -> str:
        pair = pair_of(self.people[by].account, self.people[to].account)
        room = await self.world.desk.db.read(lambda tx: room_of_pair(tx, pair))
        return room.id if room else "0" * 26

    async def _accept(self, by: int, to: int) -> Any:
        request = RoomRef(room=await self._dm(by, to))
        return await requests.accept(self.world.desk, self.people[by], request)

    async def _answer(self, by: int, to: int) -> Any:
        return await self.world.say(self.people[by], await self._dm(by, to))

    async def _read(self, by: int, to: int) -> Any:
        request = RoomRead(room=await self._dm(by, to), seq=99)
        return await messages.mark_read(self.world.desk, self.people[by], request)

    async def _delete(self, by: int, to: int) -> Any:
        request = MessageDelete(message=self.said.get(by, "0" * 26))
        return await messages.delete(self.world.desk, self.people[by], request)

    async def _group(self, by: int, to: int) -> Any:
        room = await self.world.group(self.people[by], *(p for p in self.people if p is not self.people[by]))
        self.rooms[by] = room.id
        return room

    async def _invite(self, by: int, to: int) -> Any:
        if by not in self.rooms:
            self.rooms[by] = (await self.world.group(self.people[by])).id
        request = RoomAdd(room=self.rooms[by], accounts=[self.people[to].account], nonce=self.world.nonce)
        return await rooms.add(self.world.desk, self.people[by], request)

    async def _say(self, by: int, to: int) -> Any:
        found = next(iter(self.rooms.values()), "0" * 26)
        return await self.world.say(self.people[by], found)


def _in_order(value: Any) -> Any:
    """People of a room who came in the same millisecond stand in another order than those who did not."""
    if isinstance(value, list):
        return [_in_order(each) for each in value]
    if isinstance(value, dict):
        made = {name: _in_order(each) for name, each in value.items()}
        if "people" in made:
            made["people"] = sorted(made["people"], key=lambda person: person["account"]["handle"])
        return made
    return value


async def _outcome(work: Awaitable[Any]) -> Any:
    try:
        return msgspec.to_builtins(await work)
    except Refusal as refusal:
        return [refusal.code, refusal.message, refusal.details]


async def ignore(trio: Trio) -> None:
    """What a block does to follows and a waiting request, done by hand: everything else is silence."""
    a, b = trio.people[A], trio.people[B]
    await trio.world.desk.db.write(lambda tx: part(tx, a.account, b.account))
    pair = pair_of(a.account, b.account)

    def standing(tx: Tx) -> tuple[str, str]:
        room = room_of_pair(tx, pair)
        mine = member(tx, room.id, a.account) if room else None
        return (room.id if room else "", mine.state if mine else "")

    room, state = await trio.world.desk.db.read(standing)
    if state == MemberState.REQUESTED:
        await requests.decline(trio.world.desk, a, RoomRef(room=room))


async def crosses(trio: Trio, step: Step, new: list[Parcel]) -> list[str]:
    """What of a step reached the blocker from the blocked: must be nothing outside of shared groups."""
    found = []
    a, b = trio.people[A], trio.people[B]
    for parcel in new:
        if parcel.author != b.account or seen_by(parcel, a.account) != parcel.frame:
            continue
        if parcel.kind == "message.deleted":
            # A line that was said before the block goes from everyone's copy, also after it: deletes win.
            continue
        if parcel.channel == inbox_channel(a.account):
            found.append(f"{step}: {parcel.kind} in the inbox")
        kind = await trio.world.desk.db.read(
            lambda tx, name=parcel.channel: tx.rows("select kind from room where 'room:' || id = :n", n=name)  # type: ignore[misc]  # bound now
        )
        if kind and kind[0][0] == RoomKind.DM and parcel.channel in await trio._hears(A):
            pair = await trio._dm(A, B)
            if parcel.channel == f"room:{pair}":
                found.append(f"{step}: {parcel.kind} in their DM")
    return found


NUMBERS = itertools.count()


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    scene=st.sampled_from(SCENES),
    before=st.lists(st.sampled_from(BEFORE), max_size=3),
    after=st.lists(st.sampled_from(AFTER), min_size=1, max_size=8),
)
async def test_to_be_blocked_looks_like_being_ignored(
    world: World, scene: list[Step], before: list[Step], after: list[Step]
) -> None:
    number = next(NUMBERS)
    trios = [
        Trio(world, await world.people(*(f"{x}{side}_{number}" for x in "abc"), mutual=False))
        for side in ("l", "r")
    ]
    for trio in trios:
        for step in (*before, *scene):
            await trio.act(step)
    blocking, ignoring = trios
    a, b = blocking.people[A], blocking.people[B]
    told = len(world.parcels)
    await relations.block_add(world.desk, a, n.AccountRef(account=b.account))
    assert all(parcel.channel == inbox_channel(a.account) for parcel in world.parcels[told:])
    await ignore(ignoring)
    crossed = []
    for step in after:
        new = await blocking.act(step)
        crossed += await crosses(blocking, step, new)
        await ignoring.act(step)
    assert crossed == []
    for who in (B, C):
        assert blocking.masked(who) == ignoring.masked(who)
