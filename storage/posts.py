"""Posts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from storage.database import Tx
from storage.messages import Window
from storage.rows import PostRow
from storage.sets import insert_later, one_of, table_of, values_of

_COLUMNS = (
    ("id", "text"),
    ("home", "text"),
    ("seq", "bigint"),
    ("community", "text"),
    ("author", "text"),
    ("at", "bigint"),
    ("body", "text"),
    ("deleted_at", "bigint"),
    ("reply_to", "text"),
    ("root", "text"),
    ("quote_of", "text"),
    ("repost_of", "text"),
    ("mask", "text"),
    ("mentions", "text"),
    ("pictures", "text"),
    ("emotext", "text"),
)
NAMES = ", ".join(f"p.{name}" for name, _ in _COLUMNS)
"""The columns of a `PostRow`, of a table named `p`."""


def insert_posts(tx: Tx, rows: Sequence[PostRow]) -> None:
    """Keep new posts with one statement."""
    insert_later(tx, "post", _COLUMNS, rows)


def posts_by_id(tx: Tx, ids: Iterable[str]) -> dict[str, PostRow]:
    """Those of the ids that exist."""
    rows = tx.rows(f"select {NAMES} from post p where {one_of(tx, 'p.id')}", ids=values_of(tx, ids))
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
        f"select {NAMES} from post p where p.home = :home and p.seq > :low and p.seq < :high"
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
    """The words go at once, whom they named and what was left under them; the row stays, so that seq has no hole."""
    tx.rows("delete from reaction where post = :id", id=post)
    tx.rows("delete from post_count where post = :id", id=post)
    tx.rows(
        "update post set body = null, mentions = '[]', pictures = null, emotext = null, deleted_at = :at where id = :id",
        id=post,
        at=tx.now_ms(),
    )


def reposts_of(tx: Tx, keys: Iterable[tuple[str, str, str]]) -> set[tuple[str, str, str]]:
    """Those of some (author, post, home) that stand: the author passed the post on there."""
    columns = (("author", "text"), ("post", "text"), ("home", "text"))
    source, params = table_of(tx, columns, sorted(set(keys)))
    rows = tx.rows(
        f"select v.author, v.post, v.home from {source} join post p on p.author = v.author"
        " and p.repost_of = v.post and p.home = v.home and p.deleted_at is null",
        **params,
    )
    return {(row[0], row[1], row[2]) for row in rows}


def add_counts(tx: Tx, changes: Mapping[tuple[str, str], int]) -> None:
    """Change counts of (post, what) by so much, with one statement."""
    columns = (("post", "text"), ("what", "text"), ("n", "bigint"))
    # Sorted, so that two transactions come to the same rows in the same order.
    wanted = [(post, what, n) for (post, what), n in sorted(changes.items()) if n]
    if not wanted:
        return
    source, params = table_of(tx, columns, wanted)
    tx.later(
        "insert into post_count (post, what, n)"
        f" select v.post, v.what, v.n from {source} where true"
        " on conflict (post, what) do update set n = post_count.n + excluded.n",
        **params,
    )


def counts_of(tx: Tx, posts: Iterable[str]) -> dict[str, dict[str, int]]:
    """Post → what → how often; what was never counted is missing."""
    rows = tx.rows(
        f"select post, what, n from post_count where n > 0 and {one_of(tx, 'post')}",
        ids=values_of(tx, posts),
    )
    found: dict[str, dict[str, int]] = {}
    for post, what, n in rows:
        found.setdefault(post, {})[what] = n
    return found
