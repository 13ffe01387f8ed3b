"""Presence in the tables: when people were last here, their exceptions, and what decides who sees whom.

Called by the presence floor and by use cases. Rows come as `presence.rules` judges them: positions of `PAIR_COLUMNS`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from storage.database import Row, Tx, first
from storage.sets import one_of, table_of, values_of

_MUTUAL = (
    "exists (select 1 from follow f where f.follower = v.viewer and f.followee = v.target)"
    " and exists (select 1 from follow f where f.follower = v.target and f.followee = v.viewer)"
)
_APART = (
    "exists (select 1 from block b where b.blocker = v.viewer and b.blocked = v.target)"
    " or exists (select 1 from block b where b.blocker = v.target and b.blocked = v.viewer)"
)


def _judged(source: str, mutual: str, apart: str) -> str:
    return (
        "select v.viewer, v.target, t.state, t.presence_to, coalesce(p.shown_to, 'mutuals'), p.seen_at,"
        f" {mutual}, {apart}, e.shown, e.at, w.state, w.presence_to, x.shown"
        f" from {source} join account t on t.id = v.target join account w on w.id = v.viewer"
        " left join presence p on p.account = v.target"
        " left join presence_exception e on e.owner = v.target and e.other = v.viewer"
        " left join presence_exception x on x.owner = v.viewer and x.other = v.target"
    )


class PresenceRow(NamedTuple):
    """What an account's own row says about its presence."""

    account: str
    state: str
    audience: str
    communities_shown: bool


def presence_rows(tx: Tx, accounts: Iterable[str]) -> list[PresenceRow]:
    """Those of some accounts that exist."""
    rows = tx.rows(
        f"select id, state, presence_to, communities_shown from account where {one_of(tx, 'id')}",
        ids=values_of(tx, accounts),
    )
    return [PresenceRow(row[0], row[1], row[2], bool(row[3])) for row in rows]


def mutual_pairs(tx: Tx, viewers: Iterable[str]) -> list[Row]:
    """What decides what some viewers see of their mutuals, as the fields of `presence.rules.Pair`. Mutuals never block each
    other: a block ends the follows."""
    source = (
        "(select f.follower as viewer, f.followee as target from follow f"
        " join follow g on g.follower = f.followee and g.followee = f.follower"
        f" where {one_of(tx, 'f.follower')}) as v"
    )
    return tx.rows(_judged(source, "1", "0"), ids=values_of(tx, viewers))


def pairs(tx: Tx, wanted: Iterable[tuple[str, str]]) -> list[Row]:
    """The same for any (viewer, target); targets that do not exist are missing."""
    rows = sorted(set(wanted))
    if not rows:
        return []
    source, params = table_of(tx, (("viewer", "text"), ("target", "text")), rows)
    return tx.rows(_judged(source, _MUTUAL, _APART), **params)


# Last here


def note_seen(tx: Tx, accounts: Sequence[tuple[str, int]]) -> None:
    """(account, Unix milliseconds): they were here then. Those who hide from everybody are left as they are."""
    if not accounts:
        return
    source, params = table_of(tx, (("account", "text"), ("at", "bigint")), sorted(accounts))
    tx.rows(
        "insert into presence (account, seen_at, shown_to)"
        f" select v.account, v.at, a.presence_to from {source} join account a on a.id = v.account"
        " where a.presence_to <> 'nobody'"
        " on conflict (account) do update set seen_at = excluded.seen_at"
        " where presence.seen_at is null or presence.seen_at < excluded.seen_at",
        **params,
    )


def begin_hiding(tx: Tx, account: str, audience: str) -> None:
    """From now on an account hides from everybody; before, it showed itself to `audience`."""
    tx.rows(
        "insert into presence (account, shown_to) values (:me, :audience)"
        " on conflict (account) do update set shown_to = excluded.shown_to",
        me=account,
        audience=audience,
    )


def note_hidden(tx: Tx, accounts: Sequence[tuple[str, int]]) -> None:
    """(account, Unix milliseconds): they hid at this moment, in sight of others: that is when they were last seen."""
    for account, at in sorted(accounts):
        tx.rows(
            "update presence set seen_at = :at where account = :me and (seen_at is null or seen_at < :at)",
            me=account,
            at=at,
        )


# Exceptions


def put_exception(tx: Tx, owner: str, other: str, *, shown: bool) -> None:
    """Show oneself to somebody, or hide from them. What stood already keeps its time."""
    tx.rows(
        "insert into presence_exception (owner, other, shown, at) values (:me, :other, :shown, :at)"
        " on conflict (owner, other) do update set shown = excluded.shown, at = excluded.at"
        " where presence_exception.shown <> excluded.shown",
        me=owner,
        other=other,
        shown=int(shown),
        at=tx.now_ms(),
    )


def drop_exception(tx: Tx, owner: str, other: str) -> None:
    """Neither any more."""
    tx.rows("delete from presence_exception where owner = :me and other = :other", me=owner, other=other)


def exception(tx: Tx, owner: str, other: str) -> bool | None:
    """Shown, hidden, or neither."""
    row = first(
        tx.rows(
            "select shown from presence_exception where owner = :me and other = :other", me=owner, other=other
        )
    )
    return bool(row[0]) if row else None


def count_exceptions(tx: Tx, owner: str) -> int:
    """How many an account has."""
    return int(tx.rows("select count(*) from presence_exception where owner = :me", me=owner)[0][0])


def exceptions_of(tx: Tx, owner: str, after: str, limit: int) -> list[tuple[str, bool]]:
    """A page of (other, shown)."""
    rows: list[Any] = tx.rows(
        "select other, shown from presence_exception where owner = :me and other > :after order by other limit :most",
        me=owner,
        after=after,
        most=limit,
    )
    return [(row[0], bool(row[1])) for row in rows]
