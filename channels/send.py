"""`room.send`: the hot write. Set-at-a-time: any number of messages with a fixed number of statements (HOUSE §3).

Order inside the transaction: claim the nonces, lock the rooms' channels, read how the senders stand, judge each
by the pure rule, write messages and entries. A DM that is not open yet gets `NotOpen` and takes the slow way through
`channels.requests`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from channels import batches
from channels.batches import Outcomes
from channels.entries import message_created, parcel_of
from channels.pictured import MESSAGE, Stock, Wanted
from channels.rules.accounts import HERE
from channels.rules.rooms import Act, Facts, verdict
from realtime.errors import Refusal
from realtime.ids import room_channel
from realtime.models import MemberState, RoomKind, RoomState
from realtime.requests import RoomSend, Sent
from realtime.settings import Limits
from realtime.text import TextLimit
from storage import log
from storage.database import Tx
from storage.messages import insert_messages, messages_by_id
from storage.relations import Between, between
from storage.rooms import members_among
from storage.rows import MemberRow, MessageRow, RoomRow

_STANDINGS = frozenset(MemberState)
"""A row in any other standing (an invitation that was withheld) counts as none."""


class NotOpen(Exception):
    """This DM is a draft or a request: sending there changes more than the log."""


@dataclass(frozen=True, slots=True)
class SendItem:
    """One message on its way into the batch; the text is clean."""

    account: str
    request: RoomSend
    text: str
    pictures: tuple[Wanted, ...] = ()
    emotext: str | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What makes it happen once."""
        return self.account, self.request.nonce


class SendBatch:
    """`Batch` of `SendItem`s; an outcome is `Sent`, `Refusal` or `NotOpen`."""

    name = "room.send"

    def run(self, tx: Tx, items: Sequence[SendItem]) -> list[Sent | Exception]:
        """See the module."""
        return batches.run(tx, items, WAYS)


SEND = SendBatch()


def text_limit(limits: Limits) -> TextLimit:
    """How long a message may be."""
    return TextLimit(limits.message_graphemes_max, limits.message_bytes_max)


def message_row(tx: Tx, item: SendItem, seq: int, message: str, only_for: str | None) -> MessageRow:
    """The row of a new message; with `only_for` it is kept from everyone else."""
    request = item.request
    at = tx.now_ms()
    written = request.written_at if request.written_at and request.written_at < at else None
    return MessageRow(
        message,
        request.room,
        seq,
        item.account,
        at,
        item.text,
        request.reply_to,
        written,
        None,
        only_for,
        None,
        emotext=item.emotext,
    )


def facts_of(
    room: RoomRow, member: MemberRow | None, account: str, *, own: bool = False, followed_back: bool = False
) -> Facts:
    """Rows → the facts that the rule judges."""
    return Facts(
        RoomKind(room.kind),
        RoomState(room.state),
        MemberState(member.state) if member and member.state in _STANDINGS else None,
        creator=room.creator == account,
        own=own,
        followed_back=followed_back,
    )


def _recall(tx: Tx, ids: list[str]) -> dict[str, Sent]:
    """What was answered for messages that were sent before."""
    return {row.id: Sent(message=row.id, seq=row.seq, at=row.at) for row in messages_by_id(tx, ids).values()}


def _write(tx: Tx, items: list[SendItem], ids: dict[tuple[str, str], str], outcomes: Outcomes) -> None:
    seqs = log.lock(tx, [room_channel(item.request.room) for item in items])
    standings = members_among(tx, [(item.request.room, item.account) for item in items])
    replied = [item.request.reply_to for item in items if item.request.reply_to]
    targets = messages_by_id(tx, replied) if replied else {}
    peers = between(tx, [pair for item in items if (pair := _pair(standings, item))])
    stock = Stock(tx, (item.pictures for item in items))
    entries = []
    messages = []
    upcoming = dict(seqs)
    for item in items:
        room, member = standings.get((item.request.room, item.account), (None, None))
        pair = _pair(standings, item)
        error = (
            _judge(room, member, item, targets)
            or check_peer(peers.get(pair) if pair else None)
            or stock.refusal(item.account, item.pictures)
        )
        if error is not None:
            outcomes[item.key] = error
            continue
        channel = room_channel(item.request.room)
        upcoming[channel] += 1
        # Whoever is blocked goes on talking, and is the only one who hears it.
        kept = item.account if pair and peers[pair].blocked else None
        message = message_row(tx, item, upcoming[channel], ids[item.key], kept)
        if item.pictures:
            message = message._replace(pictures=stock.take(MESSAGE, message.id, item.pictures))
        messages.append(message)
        entries.append(message_created(message))
        outcomes[item.key] = Sent(message=message.id, seq=message.seq, at=message.at)
    if not messages:
        return
    insert_messages(tx, messages)
    stock.keep()
    for row, entry in zip(log.write(tx, seqs, [entry.draft for entry in entries]), entries, strict=True):
        assert entry.payload is not None
        tx.parcels.append(parcel_of(row, entry.payload(row), tx.node))


Standings = dict[tuple[str, str], tuple[RoomRow, MemberRow]]


def _pair(standings: Standings, item: SendItem) -> tuple[str, str] | None:
    """(sender, the other one), if the item goes to an open DM: only those need to know who blocks whom."""
    found = standings.get((item.request.room, item.account))
    if found is None or found[0].pair is None or found[0].state != RoomState.OPEN:
        return None
    return item.account, other_of(found[0], item.account)


def other_of(room: RoomRow, me: str) -> str:
    """The other one of a DM."""
    a, _, b = (room.pair or "").partition(":")
    return b if a == me else a


def check_peer(how: Between | None) -> Refusal | None:
    """Whether the other one of a DM can be spoken to; None for a group. Being blocked refuses nothing."""
    if how is None:
        return None
    if how.state not in HERE:
        return Refusal("not_found", "Nobody is here to read this any more.", reason="gone")
    return Refusal("blocked") if how.blocks else None


def _judge(
    room: RoomRow | None, member: MemberRow | None, item: SendItem, targets: dict[str, MessageRow]
) -> Exception | None:
    if room is None or member is None:
        return Refusal("not_found")
    if room.state != RoomState.OPEN:
        return NotOpen()
    code = verdict(Act.SEND, facts_of(room, member, item.account))
    if code is not None:
        return Refusal(code)
    return check_reply(item, member, targets)


def check_reply(item: SendItem, member: MemberRow, targets: dict[str, MessageRow]) -> Refusal | None:
    """A reply's target must be a line of the same room that the sender may see."""
    if item.request.reply_to is None:
        return None
    target = targets.get(item.request.reply_to)
    hidden = (
        target is None
        or target.room != item.request.room
        or target.seq <= member.from_seq
        or target.only_for not in (None, item.account)
    )
    return Refusal("not_found", "The line replied to is not here.", at="$.reply_to") if hidden else None


WAYS = batches.Ways("room.send", _recall, _write)
"""How a message is sent once."""
