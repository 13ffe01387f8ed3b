"""Lines of a room: say, read back, mark as read, take back (FEATURES §6)."""

from __future__ import annotations

from msgspec import structs

from channels.desk import Actor, Desk
from channels.emotext import chosen
from channels.entries import emit, message_deleted, message_view, whisper
from channels.pictured import wanted
from channels.requests import check, locked, send_in_closed_dm
from channels.rules.rooms import Act, verdict
from channels.send import SEND, NotOpen, SendItem, facts_of, text_limit
from realtime.errors import Refusal
from realtime.events import ReadMoved
from realtime.ids import room_channel
from realtime.models import Line
from realtime.requests import (
    Done,
    MessageDelete,
    MessageGet,
    MessageList,
    MessagePage,
    Read,
    RoomRead,
    RoomSend,
    Sent,
)
from realtime.text import clean_text
from storage import log
from storage.database import Tx
from storage.messages import Window, mark_deleted, messages_by_id, page
from storage.pictures import drop_shown
from storage.rooms import card, member, move_read, room_by_id
from storage.rows import MessageRow
from storage.stamps import drop_stamps, stamps_under

SEQ_END = 2**53


async def send(desk: Desk, actor: Actor, request: RoomSend) -> Sent:
    """Say something in a room. Errors: `not_found`, `not_member`, `forbidden`, `text_*`, `emotext_*`, `conflict`."""
    limits = desk.settings.limits
    pictures = wanted(request.pictures, limits)
    # Pictures may stand without a word.
    wordless = bool(pictures) and not request.text.strip()
    text = "" if wordless else clean_text(request.text, text_limit(limits))
    item = SendItem(actor.account, request, text, pictures, chosen(request.emotext, text))
    try:
        return await desk.db.hot(SEND, item)  # type: ignore[no-any-return]  # a batch's outcome is untyped
    except NotOpen:
        return await send_in_closed_dm(desk, item)


async def list_messages(desk: Desk, actor: Actor, request: MessageList) -> MessagePage:
    """A page of history, ascending. Errors: `not_found`, `not_member`, `bad_request`."""
    if request.before is not None and request.after is not None:
        raise Refusal("bad_request", "Give before or after, not both.", at="$.after")

    def unit(tx: Tx) -> MessagePage:
        room = room_by_id(tx, request.room)
        if room is None:
            raise Refusal("not_found")
        mine = member(tx, room.id, actor.account)
        check(verdict(Act.READ, facts_of(room, mine, actor.account)))
        assert mine is not None
        low = max(mine.from_seq, request.after or 0)
        high = SEQ_END if request.before is None else request.before
        newest = request.after is None
        found = page(tx, room.id, actor.account, Window(low, high, newest, request.limit + 1))
        more = len(found) > request.limit
        if more:
            found = found[1:] if newest else found[:-1]
        channel = room_channel(room.id)
        return MessagePage(
            messages=_lines(tx, actor.account, found),
            more_before=more if newest else low > mine.from_seq,
            more_after=more if not newest else request.before is not None,
            seq=log.tops(tx, [channel])[channel],
        )

    return await desk.db.read(unit)


def _lines(tx: Tx, viewer: str, rows: list[MessageRow]) -> list[Line]:
    """Lines as a page shows them to a viewer."""
    stamps = stamps_under(tx, viewer, [row.id for row in rows])
    return [Line(**structs.asdict(message_view(row)), reactions=stamps.get(row.id, {})) for row in rows]


async def get(desk: Desk, actor: Actor, request: MessageGet) -> Line:
    """One line, judged as a page would. Errors: `not_found`, `not_member`."""

    def unit(tx: Tx) -> Line:
        found = readable(tx, actor.account, request.message)
        if isinstance(found, str):
            raise Refusal(found)
        return _lines(tx, actor.account, [found])[0]

    return await desk.db.read(unit)


def readable(tx: Tx, viewer: str, message: str) -> MessageRow | str:
    """A line, or the code of the refusal; the same statements run whatever there is."""
    row = messages_by_id(tx, [message]).get(message)
    room = room_by_id(tx, row.room if row else "")
    mine = member(tx, room.id if room else "", viewer)
    if row is None or room is None:
        return "not_found"
    code = verdict(Act.READ, facts_of(room, mine, viewer))
    if code is not None or mine is None:
        return code or "not_found"
    hidden = row.seq <= mine.from_seq or row.only_for not in (None, viewer)
    return "not_found" if hidden else row


async def delete(desk: Desk, actor: Actor, request: MessageDelete) -> Done:
    """Delete one's own line for everyone. Errors: `not_found`, `not_member`, `forbidden`."""

    def unit(tx: Tx) -> Done:
        row = messages_by_id(tx, [request.message]).get(request.message)
        if row is None:
            raise Refusal("not_found")
        room, mine, _ = locked(tx, row.room, actor.account)
        if row.seq <= mine.from_seq or row.only_for not in (None, actor.account):
            raise Refusal("not_found")
        facts = facts_of(room, mine, actor.account, own=row.author == actor.account and row.system is None)
        check(verdict(Act.DELETE, facts))
        row = messages_by_id(tx, [request.message])[request.message]
        if row.deleted_at is None:
            mark_deleted(tx, row.id)
            if row.pictures:
                drop_shown(tx, row.id)
            drop_stamps(tx, row.id)
            emit(tx, [message_deleted(row, actor.account)])
        return Done()

    return await desk.db.write(unit)


async def mark_read(desk: Desk, actor: Actor, request: RoomRead) -> Read:
    """Move one's read position forward; one's other devices hear of it. Errors: `not_found`, `not_member`."""

    def unit(tx: Tx) -> Read:
        room = room_by_id(tx, request.room)
        if room is None:
            raise Refusal("not_found")
        mine = member(tx, room.id, actor.account)
        check(verdict(Act.READ, facts_of(room, mine, actor.account)))
        assert mine is not None
        channel = room_channel(room.id)
        read_seq = move_read(tx, room.id, actor.account, min(request.seq, log.tops(tx, [channel])[channel]))
        row = card(tx, room.id, actor.account)
        assert row is not None
        if read_seq != mine.read_seq:
            moved = ReadMoved(room=room.id, read_seq=read_seq, unread=row.unread)
            whisper(tx, actor.account, "room.read", moved, f"read:{room.id}")
        return Read(read_seq=read_seq, unread=row.unread)

    return await desk.db.write(unit)
