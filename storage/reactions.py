"""Reactions: at most one stamp and one like of an account under a post."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from storage.database import Tx
from storage.sets import for_update, one_of, table_of, values_of


class ReactionRow(NamedTuple):
    """`kind` is stamp or like; `what` the stamp's id, or like."""

    post: str
    account: str
    kind: str
    what: str


Key = tuple[str, str, str]
"""(post, account, kind): what there is at most one of."""
_KEY = (("post", "text"), ("account", "text"), ("kind", "text"))


def hold_posts(tx: Tx, posts: Iterable[str]) -> None:
    """Let no other transaction change the reactions under some posts before this one ends."""
    tx.rows(
        f"select p.id from post p where {one_of(tx, 'p.id')} order by p.id{for_update(tx)}",
        ids=values_of(tx, posts),
    )


def reactions_at(tx: Tx, keys: Iterable[Key]) -> dict[Key, str]:
    """Key → what stands there."""
    source, params = table_of(tx, _KEY, sorted(set(keys)))
    rows = tx.rows(
        f"select r.post, r.account, r.kind, r.what from {source}"
        " join reaction r on r.post = v.post and r.account = v.account and r.kind = v.kind",
        **params,
    )
    return {(row[0], row[1], row[2]): row[3] for row in rows}


def put_reactions(tx: Tx, rows: Sequence[ReactionRow]) -> None:
    """Keep what was left, in the place of what stood there."""
    if rows:
        source, params = table_of(tx, (*_KEY, ("what", "text")), rows)
        tx.later(
            "insert into reaction (post, account, kind, what, at)"
            f" select v.post, v.account, v.kind, v.what, :at from {source} where true"
            " on conflict (post, kind, account) do update set what = excluded.what, at = excluded.at",
            at=tx.now_ms(),
            **params,
        )


def drop_reactions(tx: Tx, keys: Sequence[Key]) -> None:
    """Take back what was left."""
    if keys:
        source, params = table_of(tx, _KEY, keys)
        tx.later(
            "delete from reaction where (post, account, kind) in"
            f" (select v.post, v.account, v.kind from {source})",
            **params,
        )


def reactions_under(tx: Tx, post: str, kind: str, after: str, limit: int) -> list[tuple[str, str]]:
    """(account, what) of a post's reactions of one kind, of people who are here and not apart from its author."""
    rows = tx.rows(
        "select r.account, r.what from reaction r join post p on p.id = r.post"
        " join account a on a.id = r.account and a.state in ('active', 'restricted')"
        " where r.post = :post and r.kind = :kind and r.account > :after"
        " and not exists (select 1 from block b where b.blocker = p.author and b.blocked = r.account)"
        " and not exists (select 1 from block b where b.blocked = p.author and b.blocker = r.account)"
        " order by r.account limit :most",
        post=post,
        kind=kind,
        after=after,
        most=limit,
    )
    return [(row[0], row[1]) for row in rows]


def own_reactions(tx: Tx, account: str, posts: Iterable[str]) -> dict[str, dict[str, str]]:
    """Post → kind → what an account left under it."""
    rows = tx.rows(
        f"select post, kind, what from reaction where account = :me and {one_of(tx, 'post')}",
        me=account,
        ids=values_of(tx, posts),
    )
    found: dict[str, dict[str, str]] = {}
    for post, kind, what in rows:
        found.setdefault(post, {})[kind] = what
    return found
