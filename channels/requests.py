"""DMs: opening one, and the message request that comes before it where the other does not follow (FEATURES §6).

A DM opens when the recipient follows the sender. Else it is a draft; its first text becomes a request, one short
text that waits silently. Ignored and declined look the same to the sender for ever: declining writes nothing to
the room's channel.
"""

from __future__ import annotations

from typing import NamedTuple

from channels import batches
from channels.desk import Actor, Desk
from channels.entries import emit, member_removed, message_created, room_updated, standing_changed
from channels.entry import Entry
from channels.pictured import MESSAGE, Stock
from channels.rules.accounts import HERE, request_arrives
from channels.rules.rooms import Act, Facts, verdict
from channels.send import WAYS, SendItem, check_peer, check_reply, facts_of, message_row, other_of
from channels.telling import Told, badge_touched, tell
from channels.views import room_view
from realtime.errors import Refusal
from realtime.ids import inbox_channel, room_channel
from realtime.models import MemberState, Reading, Room, RoomKind, RoomState
from realtime.notifications import NotificationKind
from realtime.requests import Done, RoomOpen, RoomRef, Sent
from realtime.settings import Limits
from realtime.text import clean_short_text, has_link
from storage import log
from storage.accounts import followers_among
from storage.database import Tx
from storage.messages import insert_messages, messages_by_id
from storage.relations import UNKNOWN, Between, between, share_group
from storage.rooms import (
    count_requests_since,
    count_rooms,
    insert_room,
    member,
    put_members,
    room_by_id,
    room_of_pair,
    update_room,
)
from storage.rows import MemberRow, RoomRow, pair_of

DAY_MS = 86_400_000
_STANDINGS = frozenset(MemberState)


async def open_dm(desk: Desk, actor: Actor, request: RoomOpen) -> Room:
    """The DM with an account: found, opened, or begun as a draft. Errors: `not_found`, `forbidden`, `blocked`,
    `full`."""

    def unit(tx: Tx) -> Room:
        me, other = actor.account, request.account
        if other == me:
            raise Refusal("forbidden", "A DM is between two.", at="$.account")
        how = standing_between(tx, me, other)
        if how.state not in HERE:
            raise Refusal("not_found")
        if how.blocks:
            raise Refusal("blocked")
        room = room_of_pair(tx, pair_of(me, other)) or _begin(tx, me, other, desk.settings.limits)
        seq = log.lock(tx, [room_channel(room.id)])[room_channel(room.id)]
        room = room_by_id(tx, room.id) or room
        mine = member(tx, room.id, me)
        follows_me = bool(followers_among(tx, me, [other]))
        if room.state != RoomState.OPEN and _opens(room, mine, me, follows_me=follows_me):
            _open(tx, room, Opening(me, other, how.blocked), seq)
        elif mine is None:
            put_members(tx, [_inside(tx, room.id, me, seq=0)])
            emit(tx, [standing_changed("room.joined", me, room.id, seq)])
        return room_view(tx, me, room.id)

    return await desk.db.write(unit)


async def accept(desk: Desk, actor: Actor, request: RoomRef) -> Room:
    """Accept a message request: the DM is open from then on. Errors: `not_found`, `forbidden`, `full`."""

    def unit(tx: Tx) -> Room:
        room, mine, seq = _locked_dm(tx, request.room, actor.account)
        check(verdict(Act.ACCEPT, facts_of(room, mine, actor.account)))
        other = other_of(room, actor.account)
        how = standing_between(tx, actor.account, other)
        if how.blocks:
            raise Refusal("blocked")
        if room.state != RoomState.OPEN:
            check_room_limit(tx, actor.account, desk.settings.limits)
            _open(tx, room, Opening(actor.account, other, how.blocked), seq)
        return room_view(tx, actor.account, room.id)

    return await desk.db.write(unit)


async def decline(desk: Desk, actor: Actor, request: RoomRef) -> Done:
    """Decline a request or an invitation; nobody else is told. Errors: `not_found`, `forbidden`."""

    def unit(tx: Tx) -> Done:
        room, mine, _ = locked(tx, request.room, actor.account)
        check(verdict(Act.DECLINE, facts_of(room, mine, actor.account)))
        if mine.state != MemberState.DECLINED:
            put_members(tx, [mine._replace(state=MemberState.DECLINED)])
            emit(tx, [standing_changed("room.left", actor.account, room.id, 0)])
            badge_touched(tx, [actor.account])
        return Done()

    return await desk.db.write(unit)


async def send_in_closed_dm(desk: Desk, item: SendItem) -> Sent:
    """`room.send` where the DM is not open: it asks, answers, or opens. Errors as `room.send`."""

    def unit(tx: Tx) -> Sent:
        said, ids = batches.claim(tx, [item], WAYS)
        outcome = said.get(item.key)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome or _send_slowly(tx, desk.settings.limits, item, ids[item.key])

    return await desk.db.write(unit)


def _send_slowly(tx: Tx, limits: Limits, item: SendItem, new_id: str) -> Sent:
    me = item.account
    room, mine, seq = _locked_dm(tx, item.request.room, me)
    other = other_of(room, me)
    follows_me = bool(followers_among(tx, me, [other]))
    how = standing_between(tx, me, other)
    error = check_peer(how)
    if error is not None:
        raise error
    check(_send_verdict(room, mine, me, followed_back=follows_me))
    asks = room.state != RoomState.OPEN and not _opens(room, mine, me, follows_me=follows_me)
    arrives = not how.blocked
    entries: list[Entry] = []
    if asks:
        _check_request(tx, limits, item)
        shared = how.write_from != "everyone" and share_group(tx, me, other)
        arrives = request_arrives(how.write_from, blocked=how.blocked, share_group=shared)
        entries = _ask(tx, room, Opening(me, other, not arrives))
        seq += len(entries)
    elif room.state != RoomState.OPEN:
        check_room_limit(tx, me, limits)
        _open(tx, room, Opening(me, other, how.blocked), seq)
        seq = log.lock(tx, [room_channel(room.id)])[room_channel(room.id)]
    targets = messages_by_id(tx, [item.request.reply_to]) if item.request.reply_to else {}
    error = check_reply(item, mine, targets)
    if error is not None:
        raise error
    stock = Stock(tx, [item.pictures])
    error = stock.refusal(me, item.pictures)
    if error is not None:
        raise error
    message = message_row(tx, item, seq + 1, new_id, None if arrives else me)
    message = message._replace(pictures=stock.take(MESSAGE, new_id, item.pictures))
    insert_messages(tx, [message])
    stock.keep()
    entries.append(message_created(message))
    if asks and arrives:
        entries.append(standing_changed("room.requested", other, room.id, seq + 1, by=me))
    emit(tx, entries)
    if asks and arrives:
        tell(tx, [Told(other, me, NotificationKind.MESSAGE_REQUEST, room.id, room=room.id)])
    return Sent(message=message.id, seq=message.seq, at=message.at)


class Opening(NamedTuple):
    """Who acts towards whom in a DM; `unheard`: what is done never arrives there, and nobody can tell."""

    by: str
    other: str
    unheard: bool

    @property
    def only_for(self) -> str:
        """Whom the room's entries are for; '' means both."""
        return self.by if self.unheard else ""


def _ask(tx: Tx, room: RoomRow, how: Opening) -> list[Entry]:
    """A draft becomes a request. One that never arrives leaves the same number of entries in the room."""
    room = room._replace(state=RoomState.REQUEST, creator=how.by, requested_at=tx.now_ms())
    update_room(tx, room)
    entries = [room_updated(room, how.by, how.only_for)]
    theirs = member(tx, room.id, how.other)
    if theirs is not None and theirs.state == MemberState.INSIDE:
        # Both had drafted: whoever is asked stops hearing the room until the request is accepted.
        entries.append(member_removed(room.id, how.other))
    if not how.unheard:
        put_members(tx, [MemberRow(room.id, how.other, MemberState.REQUESTED, 0, 0, tx.now_ms())])
    elif theirs is not None:
        put_members(tx, [theirs._replace(state=MemberState.DECLINED)])
    return entries


def standing_between(tx: Tx, me: str, other: str) -> Between:
    """How two stand to each other."""
    return between(tx, [(me, other)]).get((me, other), UNKNOWN)


def _locked_dm(tx: Tx, room: str, me: str) -> tuple[RoomRow, MemberRow, int]:
    """As `locked`, with the inboxes of both: a block waits for this, or this for the block."""
    found = room_by_id(tx, room)
    if found is not None and found.pair is not None:
        log.lock(tx, [room_channel(room), *map(inbox_channel, found.pair.split(":"))])
    return locked(tx, room, me)


def _send_verdict(room: RoomRow, mine: MemberRow, me: str, *, followed_back: bool) -> str | None:
    facts: Facts = facts_of(room, mine, me, followed_back=followed_back)
    code = verdict(Act.SEND, facts)
    if code == "forbidden":
        raise Refusal(
            "forbidden", "A message request carries one text; it waits for an answer.", reason="request_waits"
        )
    return code


def _opens(room: RoomRow, mine: MemberRow | None, me: str, *, follows_me: bool) -> bool:
    """True if acting in this DM opens it: the other follows, or has asked and is answered. A request that never arrived
    leaves no standing, and whoever turns to its sender answers it all the same."""
    asked = mine is None or mine.state in (MemberState.REQUESTED, MemberState.DECLINED)
    return follows_me or (asked and room.state == RoomState.REQUEST and room.creator != me)


def _begin(tx: Tx, me: str, other: str, limits: Limits) -> RoomRow:
    """A draft: nobody but its maker knows of it. Two who begin at once get the same room."""
    check_room_limit(tx, me, limits)
    room = RoomRow(
        tx.new_id(), RoomKind.DM, RoomState.DRAFT, "", me, Reading.ALL, pair_of(me, other), tx.now_ms(), None
    )
    if insert_room(tx, room):
        log.create_channel(tx, room_channel(room.id))
    found = room_of_pair(tx, pair_of(me, other))
    assert found is not None
    return found


def _open(tx: Tx, room: RoomRow, how: Opening, seq: int) -> None:
    """From now on both are inside and hear the room; history is theirs from the first line. If `how.unheard`, the
    other one blocks: only one side is told."""
    by = how.by
    both = (by,) if how.unheard else (by, how.other)
    room = room._replace(state=RoomState.OPEN)
    update_room(tx, room)
    newly, waited = [], []
    for account in both:
        standing = member(tx, room.id, account)
        if standing is not None and standing.state == MemberState.REQUESTED:
            waited.append(account)
        if standing is None or standing.state != MemberState.INSIDE:
            read = standing.read_seq if standing else 0
            put_members(tx, [_inside(tx, room.id, account, seq=read)])
            newly.append(account)
    entries: list[Entry] = [room_updated(room, by, how.only_for)]
    entries += [standing_changed("room.joined", account, room.id, seq, by=by) for account in newly]
    emit(tx, entries)
    badge_touched(tx, waited)


def _inside(tx: Tx, room: str, account: str, *, seq: int) -> MemberRow:
    return MemberRow(room, account, MemberState.INSIDE, 0, seq, tx.now_ms())


def _check_request(tx: Tx, limits: Limits, item: SendItem) -> None:
    if item.pictures:
        raise Refusal("forbidden", "A message request carries no pictures.", reason="request_picture")
    if item.emotext:
        raise Refusal("forbidden", "The words of a message request do not move.", reason="request_emotext")
    if has_link(clean_short_text(item.text)):
        raise Refusal("text_invalid", "A message request carries no links.", reason="request_link")
    if count_requests_since(tx, item.account, tx.now_ms() - DAY_MS) >= limits.requests_per_day_max:
        raise Refusal(
            "rate_limited",
            "No more message requests today.",
            retry_ms=3_600_000,
            limit=limits.requests_per_day_max,
        )


def locked(tx: Tx, room: str, account: str) -> tuple[RoomRow, MemberRow, int]:
    """A room under its lock, and how the account stands to it. Raises `Refusal` (`not_found`)."""
    seqs = log.lock(tx, [room_channel(room)])
    found = room_by_id(tx, room)
    mine = member(tx, room, account)
    if found is None or mine is None or mine.state not in _STANDINGS:
        raise Refusal("not_found")
    return found, mine, seqs[room_channel(room)]


def check_room_limit(tx: Tx, account: str, limits: Limits) -> None:
    """Raises `Refusal` (`full`) if an account may not be inside one room more."""
    if count_rooms(tx, account) >= limits.rooms_per_account_max:
        raise Refusal("full", "You are in as many rooms as one can be.", limit=limits.rooms_per_account_max)


def check(code: str | None) -> None:
    if code is not None:
        raise Refusal(code)
