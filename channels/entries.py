"""Entries: how a unit tells a channel what it did, and how an entry of the log becomes bytes again.

Live and replayed entries are made by the same functions from the same rows, so that they are the same bytes.
An entry whose row is gone or deleted becomes a parcel for nobody: hubs turn it into `skip`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import orjson

from channels.cards import account_card
from channels.emotext import effects_view
from channels.entry import Entry
from channels.pictured import pictures_view
from channels.post_entries import FOLLOWING_KINDS, STANDING_KINDS, following_view, post_payload, standing_view
from channels.rules.accounts import HERE
from realtime.emotext import LEAD_MS
from realtime.events import (
    InboxRoom,
    MessageCreated,
    MessageDeleted,
    RoomUpdated,
    durable_frame,
    ephemeral_frame,
)
from realtime.gate import AddressEvent, InvitePaused, InviteUsed, SessionEvent
from realtime.ids import INBOX, inbox_channel, room_channel
from realtime.models import AccountCard, Message, Reading, RoomState, Shape, SystemLine
from realtime.notifications import CREATED, NotificationCreated, NotificationKind
from realtime.parcels import Audience, Parcel
from realtime.reactions import MessageReacted, Stamp
from realtime.relations import FollowEvent, Nickname
from storage import log
from storage.accounts import accounts_by_id
from storage.database import Tx
from storage.log import Draft
from storage.messages import messages_by_id
from storage.notifications import LineRow, lines_at
from storage.posts import posts_by_id
from storage.relations import Between, between
from storage.rooms import room_by_id
from storage.rows import AccountRow, LogRow, MessageRow, PostRow, RoomRow
from storage.stamps import StampRow, stamps_at

MESSAGE_CREATED = "message.created"
MEMBER_REMOVED = "room.member_removed"
"""A technical entry: hubs stop the target's connections from hearing the room. Clients get `skip`."""
REACTED = "message.reacted"
INBOX_KINDS = ("room.joined", "room.invited", "room.requested", "room.left")
FOLLOW_KINDS = ("follow.added", "follow.requested", "follow.accepted")
SESSION_REVOKED = "session.revoked"
"""A technical entry of an inbox: hubs close the account's connections of the target session, or all for `*`."""
APART = "relation.apart"
"""A technical entry of the blocker's inbox: nodes keep the two from each other. The other one's inbox says nothing."""
TOGETHER = "relation.together"
"""A technical entry of an inbox: neither of the two blocks the other any more."""
ACCOUNT_AWAY = "account.away"
"""A technical entry of an inbox: what nodes remember of this account's posts is to be judged anew."""
ACCOUNT_BACK = "account.back"
"""A technical entry of an inbox: the account is here again, and followers hear it."""
PRESENCE_RULED = "presence.ruled"
"""A technical entry of an inbox: to whom this account shows its presence has changed."""
ACCOUNT_SUSPENDED = "account.suspended"
"""A technical entry of an inbox: hubs close all of the account's connections."""
AUDIENCES = frozenset(audience.value for audience in Audience)


def emit(tx: Tx, entries: Sequence[Entry]) -> list[LogRow]:
    """Give the entries their seqs, keep them, and hand their parcels over to be offered after the commit."""
    rows = log.append(tx, [entry.draft for entry in entries])
    for row, entry in zip(rows, entries, strict=True):
        tx.parcels.append(parcel_of(row, entry.payload(row) if entry.payload else None, tx.node))
    return rows


def parcel_of(row: LogRow, payload: Shape | None, node: str) -> Parcel:
    """A log row and its payload → what travels. Without a payload it is for nobody; so is what a newer version wrote
    for an audience that is not known here (FAULTS F31)."""
    if payload is None or row.audience not in AUDIENCES:
        audience, frame = Audience.NOBODY, b""
    else:
        audience = Audience(row.audience)
        frame = durable_frame(row.channel, row.seq, row.kind, row.at, payload)
    return Parcel(row.channel, row.seq, row.kind, audience, row.author, row.target, row.at, node, frame)


def whisper(tx: Tx, account: str, kind: str, payload: Shape, key: str) -> None:
    """An ephemeral event for an account's own devices; of several under one key the last is what counts."""
    channel, at = inbox_channel(account), tx.now_ms()
    frame = ephemeral_frame(channel, kind, at, payload)
    tx.parcels.append(Parcel(channel, 0, kind, Audience.ALL, account, key, at, tx.node, frame))


# What each kind of entry says


def message_view(row: MessageRow) -> Message:
    """A message's row → its shape on the wire."""
    gone = row.deleted_at is not None
    emotext = [] if gone else effects_view(row.emotext)
    return Message(
        id=row.id,
        room=row.room,
        seq=row.seq,
        author=row.author,
        at=row.at,
        text=None if gone else row.body,
        reply_to=row.reply_to,
        written_at=row.written_at,
        system=msgspec.json.decode(row.system, type=SystemLine) if row.system and not gone else None,
        deleted=gone,
        pictures=[] if gone else pictures_view(row.pictures),
        emotext=emotext,
        play_at=row.at + LEAD_MS if emotext else None,
    )


def message_created(row: MessageRow) -> Entry:
    """A line was said. The row's `seq` is the seq its entry gets, which is the next of its room."""
    draft = Draft(
        room_channel(row.room),
        MESSAGE_CREATED,
        row.id,
        row.author,
        Audience.ONLY if row.only_for else Audience.ALL,
        row.only_for or "",
    )
    return Entry(draft, lambda _: MessageCreated(message=message_view(row)))


def message_deleted(row: MessageRow, by: str) -> Entry:
    """A line was deleted. Whoever never saw it does not hear of it."""
    audience = Audience.ONLY if row.only_for else Audience.ALL
    draft = Draft(room_channel(row.room), "message.deleted", row.id, by, audience, row.only_for or "")
    return Entry(draft, lambda _: MessageDeleted(message=row.id, message_seq=row.seq))


def message_reacted(row: MessageRow, account: str, only_for: str | None, stamp: Stamp | None) -> Entry:
    """Somebody's stamp under a line changed; null: it was taken back."""
    audience = Audience.ONLY if only_for else Audience.ALL
    draft = Draft(room_channel(row.room), REACTED, row.id, account, audience, only_for or "")
    told = MessageReacted(message=row.id, message_seq=row.seq, account=account, stamp=stamp)
    return Entry(draft, lambda _: told)


def room_updated(room: RoomRow, by: str, only_for: str = "") -> Entry:
    """The room's row changed; with `only_for`, one account alone is told."""
    audience = Audience.ONLY if only_for else Audience.ALL
    draft = Draft(room_channel(room.id), "room.updated", room.id, by, audience, only_for)
    return Entry(draft, lambda _: _room_view(room))


def member_removed(room: str, account: str) -> Entry:
    """Hubs obey this before any higher seq."""
    return Entry(Draft(room_channel(room), MEMBER_REMOVED, room, account, Audience.NOBODY, account), None)


def standing_changed(kind: str, account: str, room: str, seq: int, by: str | None = None) -> Entry:
    """One of `INBOX_KINDS` for one account; nodes read `target` to know the channel concerned."""
    extra = orjson.dumps({"seq": seq, "by": by}).decode()
    draft = Draft(inbox_channel(account), kind, room, by or account, Audience.ALL, room_channel(room), extra)
    return Entry(draft, _inbox_view)


def session_revoked(account: str, session: str) -> Entry:
    """Hubs close the session's connections before any higher seq; `*` means all of them."""
    return Entry(
        Draft(inbox_channel(account), SESSION_REVOKED, session, account, Audience.NOBODY, session), None
    )


def account_suspended(account: str) -> Entry:
    """Hubs close the account's connections."""
    return Entry(
        Draft(inbox_channel(account), ACCOUNT_SUSPENDED, account, account, Audience.NOBODY, account), None
    )


def stand_apart(account: str, other: str) -> Entry:
    """Nodes obey it at once."""
    return Entry(Draft(inbox_channel(account), APART, other, account, Audience.NOBODY, other), None)


def stand_together(account: str, other: str) -> Entry:
    """Nodes obey it when the database confirms it."""
    return Entry(Draft(inbox_channel(account), TOGETHER, other, account, Audience.NOBODY, other), None)


def account_away(account: str) -> Entry:
    """The account is hidden, deleted or erased."""
    return Entry(
        Draft(inbox_channel(account), ACCOUNT_AWAY, account, account, Audience.NOBODY, account), None
    )


def account_back(account: str) -> Entry:
    """The account is not hidden, suspended or deleted any more."""
    return Entry(
        Draft(inbox_channel(account), ACCOUNT_BACK, account, account, Audience.NOBODY, account), None
    )


def presence_ruled(account: str) -> Entry:
    """Nodes judge anew who may see the account's presence. The entry does not say what has changed."""
    return Entry(
        Draft(inbox_channel(account), PRESENCE_RULED, account, account, Audience.NOBODY, account), None
    )


def follow_told(kind: str, account: str, other: AccountRow) -> Entry:
    """One of `FOLLOW_KINDS`, for `account`: what `other` did."""
    draft = Draft(inbox_channel(account), kind, other.id, other.id)
    return Entry(draft, lambda _: FollowEvent(account=account_card(other)))


def invite_redeemed(issuer: str, invite: str, newcomer: AccountCard) -> Entry:
    """Somebody came by one's invite. Nobody else hears of it."""
    draft = Draft(inbox_channel(issuer), "invite.redeemed", newcomer.id, newcomer.id, extra=invite)
    return Entry(draft, lambda row: InviteUsed(invite=row.extra, account=newcomer))


def invite_paused(issuer: str, invite: str) -> Entry:
    """One's link was looked at from many networks."""
    draft = Draft(inbox_channel(issuer), "invite.paused", invite, issuer)
    return Entry(draft, lambda row: InvitePaused(invite=row.ref))


def session_created(account: str, session: str, label: str) -> Entry:
    """A session began; the other devices hear of it."""
    draft = Draft(inbox_channel(account), "session.created", session, account, extra=label)
    return Entry(draft, lambda row: SessionEvent(session=row.ref, label=row.extra))


def address_changed(account: str, undo_until: int) -> Entry:
    """The account has another address; its devices hear of it."""
    draft = Draft(inbox_channel(account), "address.changed", account, account, extra=str(undo_until))
    return Entry(draft, lambda row: AddressEvent(undo_until=int(row.extra)))


def nickname_changed(account: str, about: str, name: str) -> Entry:
    """An account calls somebody otherwise; its other devices hear of it."""
    draft = Draft(inbox_channel(account), "nickname.changed", about, account, extra=name)
    return Entry(draft, lambda row: Nickname(account=row.ref, name=row.extra))


def notification_created(line: LineRow) -> Entry:
    """Something new stands in an account's list. The entry names nobody: who it was is read from the list."""
    draft = Draft(inbox_channel(line.account), CREATED, str(line.place), line.account)
    return Entry(draft, lambda _: _notification_view(line))


def _notification_view(line: LineRow) -> NotificationCreated:
    return NotificationCreated(
        id=line.id,
        place=line.place,
        kind=NotificationKind(line.kind),
        post=line.post,
        community=line.community,
        room=line.room,
    )


def _room_view(room: RoomRow) -> RoomUpdated:
    return RoomUpdated(
        room=room.id, state=RoomState(room.state), title=room.title, reading=Reading(room.reading)
    )


def _inbox_view(row: LogRow) -> InboxRoom:
    extra = orjson.loads(row.extra)
    return InboxRoom(room=row.ref, seq=extra["seq"], by=extra["by"])


# The log, read again


def render(tx: Tx, rows: Sequence[LogRow]) -> list[Parcel]:
    """Log rows → parcels as of now: what was deleted since is for nobody."""
    posts = posts_by_id(tx, [row.ref for row in rows if row.kind.startswith("post.")])
    news = [_place(row) for row in rows if row.kind == CREATED]
    stamped = [(row.ref, row.author) for row in rows if row.kind == REACTED]
    people = [row.ref for row in rows if row.kind in ("invite.redeemed", *FOLLOW_KINDS)]
    found = Found(
        messages_by_id(tx, [row.ref for row in rows if row.kind.startswith("message.")]),
        posts,
        {row.ref: room_by_id(tx, row.ref) for row in rows if row.kind == "room.updated"},
        accounts_by_id(tx, [*people, *(post.author for post in posts.values())]),
        between(tx, [_pair(row) for row in rows if row.kind in FOLLOW_KINDS]),
        lines_at(tx, news) if news else {},
        stamps_at(tx, stamped) if stamped else {},
    )
    return [parcel_of(row, _payload(row, found), tx.node) for row in rows]


class Found(NamedTuple):
    """The rows that entries refer to, by id."""

    messages: dict[str, MessageRow]
    posts: dict[str, PostRow]
    rooms: dict[str, RoomRow | None]
    accounts: dict[str, AccountRow]
    relations: dict[tuple[str, str], Between]
    news: dict[tuple[str, int], LineRow]
    stamps: dict[tuple[str, str], StampRow]


def _pair(row: LogRow) -> tuple[str, str]:
    return row.channel.removeprefix(INBOX), row.ref


def _place(row: LogRow) -> tuple[str, int]:
    return row.channel.removeprefix(INBOX), int(row.ref)


def _payload(row: LogRow, found: Found) -> Shape | None:
    if row.kind in INBOX_KINDS:
        return _inbox_view(row)
    if row.kind in STANDING_KINDS:
        return standing_view(row)
    if row.kind in FOLLOWING_KINDS:
        return following_view(row)
    if row.kind in FOLLOW_KINDS:
        return _follow_payload(row, found)
    match row.kind:
        case "room.updated":
            room = found.rooms.get(row.ref)
            return _room_view(room) if room else None
        case "message.created" | "message.deleted" | "message.reacted":
            return _message_payload(row, found)
        case "post.created" | "post.deleted":
            return post_payload(row, found.posts.get(row.ref), found.accounts)
        case "notification.created":
            line = found.news.get(_place(row))
            # Its place in the list may have risen since; the entry's own stays the same bytes.
            return _notification_view(line._replace(place=int(row.ref))) if line else None
    return _own_payload(row, found)


def _own_payload(row: LogRow, found: Found) -> Shape | None:
    """What only one's own devices hear: of the gate, of one's address, of whom one calls how."""
    match row.kind:
        case "invite.redeemed":
            account = found.accounts.get(row.ref)
            return InviteUsed(invite=row.extra, account=account_card(account)) if account else None
        case "invite.paused":
            return InvitePaused(invite=row.ref)
        case "session.created":
            return SessionEvent(session=row.ref, label=row.extra)
        case "address.changed":
            return AddressEvent(undo_until=int(row.extra))
        case "nickname.changed":
            return Nickname(account=row.ref, name=row.extra)
    return None


def _follow_payload(row: LogRow, found: Found) -> Shape | None:
    """Blocked since, or gone: for nobody."""
    how = found.relations.get(_pair(row))
    if how is None or how.blocks or how.blocked or how.state not in HERE:
        return None
    return FollowEvent(account=account_card(found.accounts[row.ref]))


def _message_payload(row: LogRow, found: Found) -> Shape | None:
    message = found.messages.get(row.ref)
    if message is None:
        return None
    if row.kind == "message.deleted":
        return MessageDeleted(message=message.id, message_seq=message.seq)
    if message.deleted_at is not None:
        return None
    return (
        _reacted_view(row, message, found)
        if row.kind == REACTED
        else MessageCreated(message=message_view(message))
    )


def _reacted_view(row: LogRow, message: MessageRow, found: Found) -> MessageReacted:
    """What stands there now, as far as those may see it whom the entry is for: what was taken back is not told again."""
    stamp = found.stamps.get((message.id, row.author))
    seen = stamp is not None and (stamp.only_for is None or row.audience == Audience.ONLY)
    now = Stamp(stamp.what) if stamp is not None and seen else None
    return MessageReacted(message=message.id, message_seq=message.seq, account=row.author, stamp=now)
