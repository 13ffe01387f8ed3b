"""Reactions: at most one stamp and one like of an account under a post."""

from __future__ import annotations

from collections.abc import Iterable

from storage.database import Tx
from storage.sets import one_of, values_of


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
