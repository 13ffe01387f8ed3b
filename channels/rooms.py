"""Groups: found, rename, add, join, leave; and the lists of one's rooms (FEATURES §6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from channels.desk import Actor, Desk
from channels.entries import emit, member_removed, message_created, room_updated, standing_changed
from channels.entry import Entry
from channels.once import Key, once
from channels.requests import check, check_room_limit, locked
from channels.rules.accounts import HERE
from channels.rules.rooms import Act, verdict
from channels.send import facts_of
from channels.views import WITHHELD, room_cards, room_view
from realtime.errors import Refusal
from realtime.events import encode
from realtime.ids import inbox_channel, room_channel
from realtime.models import MemberState, Reading, Room, RoomKind, RoomState, SystemLine
from realtime.requests import (
    Added,
    Done,
    RoomAdd,
    RoomCreate,
    RoomList,
    RoomPage,
    RoomRef,
    RoomUpdate,
)
from realtime.settings import Limits
from realtime.text import TextLimit, clean_name
from storage import log
from storage.accounts import followed_among, followers_among
from storage.database import Tx
from storage.messages import insert_messages
from storage.relations import UNKNOWN, between
from storage.rooms import cards, insert_room, member, members_of, put_members, room_by_id, update_room
from storage.rows import MemberRow, MessageRow, RoomRow

TITLE_BYTES_MAX = 1_024


class Newcomers(NamedTuple):
    """Whom a member adds at once (mutuals), and whom only invites. Invitations to those in `withheld`, who block the
    member, look the same and never arrive."""

    added: list[str]
    invited: list[str]
    withheld: frozenset[str] = frozenset()


async def create(desk: Desk, actor: Actor, request: RoomCreate) -> Room:
    """Found a group. Errors: `not_found`, `blocked`, `text_*`, `full`, `conflict`."""
    limits = desk.settings.limits
    title = clean_title(request.title, limits)

    def work(tx: Tx) -> Room:
        me = actor.account
        check_room_limit(tx, me, limits)
        room = RoomRow(
            tx.new_id(), RoomKind.GROUP, RoomState.OPEN, title, me, request.reading, None, tx.now_ms(), None
        )
        insert_room(tx, room)
        log.create_channel(tx, room_channel(room.id))
        put_members(tx, [MemberRow(room.id, me, MemberState.INSIDE, 0, 0, tx.now_ms())])
        entries = [line(tx, room, me, SystemLine(what="created", title=title), 1)]
        entries.append(standing_changed("room.joined", me, room.id, 0, by=me))
        new = _newcomers(tx, me, request.accounts, [])
        _check_seats(1, new.added, limits)
        # Founding members read from the first line on, whatever later newcomers may.
        entries += _let_in(tx, room._replace(reading=Reading.ALL), me, new, 1)
        emit(tx, entries)
        return room_view(tx, me, room.id)

    key = Key(actor.account, "room.create", request.nonce)
    return await desk.db.write(lambda tx: once(tx, key, request, lambda: work(tx), Room))


async def get(desk: Desk, actor: Actor, request: RoomRef) -> Room:
    """A room with its people. Errors: `not_found`."""

    def unit(tx: Tx) -> Room:
        room = room_by_id(tx, request.room)
        if room is None:
            raise Refusal("not_found")
        check(verdict(Act.KNOW, facts_of(room, member(tx, room.id, actor.account), actor.account)))
        return room_view(tx, actor.account, room.id)

    return await desk.db.read(unit)


async def list_rooms(desk: Desk, actor: Actor, request: RoomList) -> RoomPage:
    """A page of one's rooms, the newest talk first. Errors: `bad_request`."""
    if request.standing not in (MemberState.INSIDE, MemberState.REQUESTED, MemberState.INVITED):
        raise Refusal("bad_request", "standing is inside, requested or invited.", at="$.standing")

    def unit(tx: Tx) -> RoomPage:
        rows = cards(tx, actor.account, request.standing, request.after, request.limit + 1)
        shown = rows[: request.limit]
        more = shown[-1].last or shown[-1].room.id if len(rows) > request.limit else None
        return RoomPage(rooms=room_cards(tx, actor.account, shown), next=more)

    return await desk.db.read(unit)


async def update(desk: Desk, actor: Actor, request: RoomUpdate) -> Room:
    """Rename a group, or set how newcomers read. Errors: `not_found`, `not_member`, `forbidden`, `text_*`."""
    title = clean_title(request.title, desk.settings.limits) if request.title is not None else None

    def work(tx: Tx) -> Room:
        me = actor.account
        room, mine, seq = locked(tx, request.room, me)
        facts = facts_of(room, mine, me)
        changed = room
        entries: list[Entry] = []
        if request.reading is not None:
            check(verdict(Act.SET_READING, facts))
            changed = changed._replace(reading=request.reading)
        if title is not None:
            check(verdict(Act.RENAME, facts))
            changed = changed._replace(title=title)
        check(verdict(Act.KNOW, facts))
        if changed != room:
            update_room(tx, changed)
            entries.append(room_updated(changed, me))
            if changed.title != room.title:
                renamed = SystemLine(what="renamed", title=changed.title)
                entries.append(line(tx, room, me, renamed, seq + 2))
            emit(tx, entries)
        return room_view(tx, me, room.id)

    key = Key(actor.account, "room.update", request.nonce)
    return await desk.db.write(lambda tx: once(tx, key, request, lambda: work(tx), Room))


async def add(desk: Desk, actor: Actor, request: RoomAdd) -> Added:
    """Add mutuals, invite others. Errors: `not_found`, `not_member`, `forbidden`, `blocked`, `full`,
    `conflict`."""

    def work(tx: Tx) -> Added:
        me = actor.account
        room, mine, seq = locked(tx, request.room, me)
        check(verdict(Act.ADD, facts_of(room, mine, me)))
        inside = [account.id for _, account in members_of(tx, room.id, [MemberState.INSIDE])]
        new = _newcomers(tx, me, request.accounts, inside)
        _check_seats(len(inside), new.added, desk.settings.limits)
        entries = _let_in(tx, room, me, new, seq)
        if entries:
            emit(tx, entries)
        return Added(added=new.added, invited=new.invited)

    key = Key(actor.account, "room.add", request.nonce)
    return await desk.db.write(lambda tx: once(tx, key, request, lambda: work(tx), Added))


async def join(desk: Desk, actor: Actor, request: RoomRef) -> Room:
    """Accept an invitation to a group. Errors: `not_found`, `forbidden`, `full`."""

    def unit(tx: Tx) -> Room:
        me = actor.account
        room, mine, seq = locked(tx, request.room, me)
        check(verdict(Act.JOIN, facts_of(room, mine, me)))
        if mine.state != MemberState.INSIDE:
            check_room_limit(tx, me, desk.settings.limits)
            inside = members_of(tx, room.id, [MemberState.INSIDE])
            _check_seats(len(inside), [me], desk.settings.limits)
            put_members(tx, [_newcomer(tx, room, me, seq)])
            told = line(tx, room, me, SystemLine(what="joined", accounts=[me]), seq + 1)
            emit(tx, [told, standing_changed("room.joined", me, room.id, seq, by=me)])
        return room_view(tx, me, room.id)

    return await desk.db.write(unit)


def enter_room(tx: Tx, limits: Limits, room_id: str, account: str, by: str) -> bool:
    """Let an account into a group whose member `by` invited it. False if it is inside already, or the group is gone,
    or `by` is not inside any more. Raises `Refusal` (`full`)."""
    seqs = log.lock(tx, [room_channel(room_id)])
    room = room_by_id(tx, room_id)
    host = member(tx, room_id, by)
    if room is None or host is None or host.state != MemberState.INSIDE:
        return False
    mine = member(tx, room_id, account)
    if mine is not None and mine.state == MemberState.INSIDE:
        return False
    _check_seats(len(members_of(tx, room.id, [MemberState.INSIDE])), [account], limits)
    seq = seqs[room_channel(room_id)]
    put_members(tx, [_newcomer(tx, room, account, seq)])
    told = line(tx, room, account, SystemLine(what="joined", accounts=[account]), seq + 1)
    emit(tx, [told, standing_changed("room.joined", account, room.id, seq, by=by)])
    return True


async def leave(desk: Desk, actor: Actor, request: RoomRef) -> Done:
    """Leave a group quietly: only its creator sees the line. A leaving creator passes the group on to the eldest
    member. Errors: `not_found`, `not_member`, `forbidden`."""

    def unit(tx: Tx) -> Done:
        me = actor.account
        room, mine, seq = locked(tx, request.room, me)
        check(verdict(Act.LEAVE, facts_of(room, mine, me)))
        put_members(tx, [mine._replace(state=MemberState.LEFT)])
        entries = [member_removed(room.id, me)]
        heirs = [account.id for _, account in members_of(tx, room.id, [MemberState.INSIDE])]
        room = pass_on(tx, room, me)
        if heirs:
            left = SystemLine(what="left", accounts=[me])
            entries.append(line(tx, room, me, left, seq + 2))
        entries.append(standing_changed("room.left", me, room.id, 0, by=me))
        emit(tx, entries)
        return Done()

    return await desk.db.write(unit)


def pass_on(tx: Tx, room: RoomRow, me: str) -> RoomRow:
    """A group that `me` leaves goes to the eldest of those who stay. The room is locked by the caller."""
    if room.creator != me:
        return room
    inside = members_of(tx, room.id, [MemberState.INSIDE])
    heirs = [account.id for _, account in inside if account.id != me and account.state in HERE]
    if heirs:
        room = room._replace(creator=heirs[0])
        update_room(tx, room)
    return room


def clean_title(title: str, limits: Limits) -> str:
    """A group's title. Raises `Refusal` (`text_invalid`, `text_too_long`)."""
    return clean_name(title, TextLimit(limits.title_graphemes_max, TITLE_BYTES_MAX, lines=False))


def line(tx: Tx, room: RoomRow, by: str, told: SystemLine, seq: int) -> Entry:
    """Keep a system line, which becomes the room's entry number `seq`; returns the entry to emit. That someone left
    is told to the room's creator alone."""
    only_for = room.creator if told.what == "left" else None
    system = encode(told).decode()
    row = MessageRow(tx.new_id(), room.id, seq, by, tx.now_ms(), None, None, None, system, only_for, None)
    insert_messages(tx, [row])
    return message_created(row)


def _newcomers(tx: Tx, me: str, wanted: Sequence[str], inside: Sequence[str]) -> Newcomers:
    """Whom a member may add at once (mutuals), and whom only invite. Errors: `not_found`, `blocked`."""
    asked = [account for account in dict.fromkeys(wanted) if account not in inside and account != me]
    # A block waits for this, or this for the block.
    log.lock(tx, [inbox_channel(account) for account in (me, *asked)])
    found = between(tx, [(me, account) for account in asked])
    missing = [account for account in asked if found.get((me, account), UNKNOWN).state not in HERE]
    if missing:
        raise Refusal("not_found", "No such account.", accounts=missing)
    blocks = [account for account in asked if found[me, account].blocks]
    if blocks:
        raise Refusal("blocked", accounts=blocks)
    mutual = followed_among(tx, me, asked) & followers_among(tx, me, asked)
    withheld = frozenset(account for account in asked if found[me, account].blocked)
    return Newcomers([a for a in asked if a in mutual], [a for a in asked if a not in mutual], withheld)


def _check_seats(inside: int, added: Sequence[str], limits: Limits) -> None:
    if inside + len(added) > limits.group_members_max:
        raise Refusal("full", "The group has no seat left.", limit=limits.group_members_max)


def _newcomer(tx: Tx, room: RoomRow, account: str, seq: int) -> MemberRow:
    start = 0 if room.reading == Reading.ALL else seq
    return MemberRow(room.id, account, MemberState.INSIDE, start, seq, tx.now_ms())


def _let_in(tx: Tx, room: RoomRow, by: str, new: Newcomers, seq: int) -> list[Entry]:
    """Membership rows for newcomers, and the entries that tell of them; `seq` is the room's newest."""
    rows = [_newcomer(tx, room, account, seq) for account in new.added]
    rows += [
        MemberRow(room.id, account, _invited_as(tx, room, account, new), seq, seq, tx.now_ms())
        for account in new.invited
    ]
    put_members(tx, rows)
    entries = []
    if new.added:
        entries.append(line(tx, room, by, SystemLine(what="added", accounts=new.added), seq + 1))
    entries += [standing_changed("room.joined", account, room.id, seq, by=by) for account in new.added]
    entries += [
        standing_changed("room.invited", account, room.id, 0, by=by)
        for account in new.invited
        if account not in new.withheld
    ]
    return entries


def _invited_as(tx: Tx, room: RoomRow, account: str, new: Newcomers) -> str:
    """The standing of an invited account; whom somebody else has invited stays invited."""
    if account not in new.withheld:
        return MemberState.INVITED
    known = member(tx, room.id, account)
    return MemberState.INVITED if known is not None and known.state == MemberState.INVITED else WITHHELD
