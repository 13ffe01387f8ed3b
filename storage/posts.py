"""Posts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from storage.database import Tx
from storage.messages import Window
from storage.rows import PostRow
from storage.sets import insert_later, one_of, values_of

_COLUMNS = (
    ("id", "text"),
    ("home", "text"),
    ("seq", "bigint"),
    ("community", "text"),
    ("author", "text"),
    ("at", "bigint"),
    ("body", "text"),
    ("deleted_at", "bigint"),
)
_NAMES = ", ".join(f"p.{name}" for name, _ in _COLUMNS)


def insert_posts(tx: Tx, rows: Sequence[PostRow]) -> None:
    """Keep new posts with one statement."""
    insert_later(tx, "post", _COLUMNS, rows)


def posts_by_id(tx: Tx, ids: Iterable[str]) -> dict[str, PostRow]:
    """Those of the ids that exist."""
    rows = tx.rows(f"select {_NAMES} from post p where {one_of(tx, 'p.id')}", ids=values_of(tx, ids))
    return {row[0]: PostRow(*row) for row in rows}


_HERE = "exists (select 1 from account a where a.id = p.author and a.state in ('active', 'restricted'))"
_TOGETHER = (
    "not exists (select 1 from block b where b.blocker = :viewer and b.blocked = p.author)"
    " and not exists (select 1 from block b where b.blocker = p.author and b.blocked = :viewer)"
)


def post_page(tx: Tx, home: str, viewer: str, window: Window) -> list[PostRow]:
    """The posts of a window that `viewer` may see, always ascending: not deleted, by people who are here and not apart
    from the viewer."""
    rows = tx.rows(
        f"select {_NAMES} from post p where p.home = :home and p.seq > :low and p.seq < :high"
        f" and p.deleted_at is null and (p.author = :viewer or {_HERE}) and {_TOGETHER}"
        f" order by p.seq {'desc' if window.newest else 'asc'} limit :most",
        home=home,
        viewer=viewer,
        low=window.low,
        high=window.high,
        most=window.limit,
    )
    found = [PostRow(*row) for row in rows]
    return found[::-1] if window.newest else found


def mark_post_deleted(tx: Tx, post: str) -> None:
    """The words go at once; the row stays, so that seq has no hole."""
    tx.rows("update post set body = null, deleted_at = :at where id = :id", id=post, at=tx.now_ms())
