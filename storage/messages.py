"""Messages of rooms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from storage.database import Tx
from storage.rows import MessageRow
from storage.sets import insert, one_of, values_of

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
)
_NAMES = ", ".join(name for name, _ in _COLUMNS)


def insert_messages(tx: Tx, rows: Sequence[MessageRow]) -> None:
    """Keep new messages with one statement."""
    insert(tx, "message", _COLUMNS, rows)


def messages_by_id(tx: Tx, ids: Iterable[str]) -> dict[str, MessageRow]:
    """Those of the ids that exist."""
    rows = tx.rows(f"select {_NAMES} from message where {one_of(tx, 'id')}", ids=values_of(tx, ids))
    return {row[0]: MessageRow(*row) for row in rows}


def page(
    tx: Tx, room: str, viewer: str, window: tuple[int, int], *, newest: bool, limit: int
) -> list[MessageRow]:
    """Up to `limit` messages with low < seq < high that `viewer` may see: the newest of them, or the oldest.
    Always ascending."""
    low, high = window
    rows = tx.rows(
        f"select {_NAMES} from message where room = :room and seq > :low and seq < :high"
        f" and (only_for is null or only_for = :viewer) order by seq {'desc' if newest else 'asc'} limit :most",
        room=room,
        viewer=viewer,
        low=low,
        high=high,
        most=limit,
    )
    found = [MessageRow(*row) for row in rows]
    return found[::-1] if newest else found


def mark_deleted(tx: Tx, message: str) -> None:
    """The words go at once; the row stays, so that seq has no hole."""
    tx.rows("update message set body = null, deleted_at = :at where id = :id", id=message, at=tx.now_ms())
