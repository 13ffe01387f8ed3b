"""Rows → what one viewer is shown of them."""

from __future__ import annotations

from collections.abc import Sequence

from channels.cards import account_card, own_card
from channels.entries import message_view
from realtime.errors import Refusal
from realtime.models import MemberState, Reading, Room, RoomCard, RoomKind, RoomMember, RoomState
from storage.accounts import accounts_by_id
from storage.database import Tx
from storage.messages import messages_by_id
from storage.rooms import CardRow, card, members_of

WITHHELD = "withheld"
"""A standing that is no `MemberState`: an invitation that never arrives, because the invited one blocks its sender. The
group's people see it as an invitation nobody answers; to the invited one there is no such room."""


def shown_state(state: str) -> MemberState:
    """How a standing looks to the other people of the room."""
    return MemberState.INVITED if state == WITHHELD else MemberState(state)


def room_cards(tx: Tx, viewer: str, rows: Sequence[CardRow]) -> list[RoomCard]:
    """Rooms as `viewer` sees them in a list, with peers and last lines read as sets."""
    peers = accounts_by_id(tx, [peer for row in rows if (peer := _peer(row, viewer))])
    lines = messages_by_id(tx, [row.last for row in rows if row.last])
    return [RoomCard(**_fields(row, viewer, peers, lines)) for row in rows]


def room_view(tx: Tx, viewer: str, room: str) -> Room:
    """A room with its people. Whoever is invited sees who invites, not who is inside."""
    row = card(tx, room, viewer)
    if row is None or row.member.state == WITHHELD:
        raise Refusal("not_found")
    peer = _peer(row, viewer)
    peers = accounts_by_id(tx, [peer]) if peer else {}
    lines = messages_by_id(tx, [row.last]) if row.last else {}
    states: list[str] = [MemberState.INSIDE]
    if row.member.state == MemberState.INSIDE and row.room.kind == RoomKind.GROUP:
        states += [MemberState.INVITED, WITHHELD]
    people = [] if row.member.state == MemberState.INVITED else members_of(tx, room, states)
    return Room(
        **_fields(row, viewer, peers, lines),
        people=[
            RoomMember(
                account=own_card(account) if account.id == viewer else account_card(account),
                state=shown_state(m.state),
                joined_at=m.joined_at,
            )
            for m, account in people
        ],
    )


def _peer(row: CardRow, viewer: str) -> str | None:
    if row.room.pair is None:
        return None
    a, _, b = row.room.pair.partition(":")
    return b if a == viewer else a


def _fields(row: CardRow, viewer: str, peers: dict, lines: dict) -> dict:  # type: ignore[type-arg]  # keyword bundle
    room, member = row.room, row.member
    reads = member.state in (MemberState.INSIDE, MemberState.REQUESTED)
    peer = _peer(row, viewer)
    return {
        "id": room.id,
        "channel": "room:" + room.id,
        "kind": RoomKind(room.kind),
        "state": RoomState(room.state),
        "standing": MemberState(member.state),
        "title": room.title,
        "creator": room.creator,
        "reading": Reading(room.reading),
        "created_at": room.created_at,
        "members": row.members,
        "seq": row.seq if reads else 0,
        "from_seq": member.from_seq,
        "read_seq": member.read_seq,
        "unread": row.unread if reads else 0,
        "peer": account_card(peers[peer]) if peer in peers else None,
        "last": message_view(lines[row.last]) if reads and row.last in lines else None,
    }
