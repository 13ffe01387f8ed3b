"""Messages of rooms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from storage.database import Tx
from storage.rows import MessageRow
from storage.sets import insert_later, one_of, values_of

_COLUMNS = (
    ("id", "text"),
    ("room", "text"),
    ("seq", "bigint"),
    ("author", "text"),
    ("at", "bigint"),
    ("body", "text"),
    ("reply_to", "text"),
    ("written_at", "bigint"),
    ("system", "text"),
    ("only_for", "text"),
    ("deleted_at", "bigint"),
    ("pictures", "text"),
    ("emotext", "text"),
)
_NAMES = ", ".join(name for name, _ in _COLUMNS)


def insert_messages(tx: Tx, rows: Sequence[MessageRow]) -> None:
    """Keep new messages with one statement."""
    insert_later(tx, "message", _COLUMNS, rows)


def messages_by_id(tx: Tx, ids: Iterable[str]) -> dict[str, MessageRow]:
    """Those of the ids that exist."""
    rows = tx.rows(f"select {_NAMES} from message where {one_of(tx, 'id')}", ids=values_of(tx, ids))
    return {row[0]: MessageRow(*row) for row in rows}


class Window(NamedTuple):
    """Part of a room's history: low < seq < high, at most `limit` lines, the newest of them or the oldest."""

    low: int
    high: int
    newest: bool
    limit: int


def page(tx: Tx, room: str, viewer: str, window: Window) -> list[MessageRow]:
    """The lines of a window that `viewer` may see, always ascending."""
    rows = tx.rows(
        f"select {_NAMES} from message where room = :room and seq > :low and seq < :high"
        f" and (only_for is null or only_for = :viewer) order by seq {'desc' if window.newest else 'asc'} limit :most",
        room=room,
        viewer=viewer,
        low=window.low,
        high=window.high,
        most=window.limit,
    )
    found = [MessageRow(*row) for row in rows]
    return found[::-1] if window.newest else found


def mark_deleted(tx: Tx, message: str) -> None:
    """The words go at once; the row stays, so that seq has no hole."""
    tx.rows(
        "update message set body = null, pictures = null, emotext = null, deleted_at = :at where id = :id",
        id=message,
        at=tx.now_ms(),
    )
