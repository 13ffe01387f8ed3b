"""Stamps under lines of rooms: left, changed and taken back, each an entry of the room (FEATURES §3, §6).

What always holds: an account has at most one stamp under a line, and only under lines it may see; an entry says what stands
now, whenever it is read, so that what was taken back is never told again. As with lines, whoever is blocked in a DM
goes on, and is the only one who hears it; a block does not split a group.
"""

from __future__ import annotations

from channels.desk import Actor, Desk
from channels.entries import emit, message_reacted
from channels.entry import Entry
from channels.requests import check, locked, standing_between
from channels.rules.rooms import Act, verdict
from channels.send import check_peer, facts_of, other_of
from realtime.errors import Refusal
from realtime.reactions import MessageReact
from realtime.requests import Done
from storage import stamps as store
from storage.database import Tx
from storage.messages import messages_by_id
from storage.rows import MessageRow, RoomRow
from storage.stamps import StampRow


async def react(desk: Desk, actor: Actor, request: MessageReact) -> Done:
    """Leave a stamp under a line, or take it back. Errors: `not_found`, `not_member`, `forbidden`, `blocked`."""

    def unit(tx: Tx) -> Done:
        me = actor.account
        row = messages_by_id(tx, [request.message]).get(request.message)
        if row is None:
            raise Refusal("not_found")
        room, mine, _ = locked(tx, row.room, me)
        check(verdict(Act.REACT, facts_of(room, mine, me)))
        row = messages_by_id(tx, [row.id])[row.id]
        hidden = row.seq <= mine.from_seq or row.only_for not in (None, me)
        if hidden or row.deleted_at is not None or row.system is not None:
            raise Refusal("not_found")
        only_for = _heard_by(tx, room, row, me)
        before = store.stamps_at(tx, [(row.id, me)]).get((row.id, me))
        if request.stamp is None:
            if before is not None:
                store.drop_stamp(tx, row.id, me)
                emit(tx, [message_reacted(row, me, before.only_for, None)])
        elif before is None or before.what != request.stamp:
            store.put_stamp(tx, StampRow(row.id, me, request.stamp, only_for, tx.now_ms()))
            entries: list[Entry] = []
            if before is not None and before.only_for is None and only_for is not None:
                # To whoever hears no more of it, the stamp they saw is gone.
                entries.append(message_reacted(row, me, None, None))
            emit(tx, [*entries, message_reacted(row, me, only_for, request.stamp)])
        return Done()

    return await desk.db.write(unit)


def _heard_by(tx: Tx, room: RoomRow, row: MessageRow, me: str) -> str | None:
    """Who alone hears of it, or None. Errors: `blocked`, `not_found`."""
    if room.pair is None:
        return row.only_for
    how = standing_between(tx, me, other_of(room, me))
    refusal = check_peer(how)
    if refusal is not None:
        raise refusal
    return me if how.blocked else row.only_for
