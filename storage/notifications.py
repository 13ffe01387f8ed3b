"""Notifications: what others did that concerns an account, folded by what it is about (FEATURES §8).

Rows hold ids alone. Who and what may be seen is judged whenever they are read: a line without anybody left in it is not
shown and not counted. Places rise under the lock of the account's inbox channel, which the callers of `put` hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from storage.database import Tx
from storage.sets import each_first, insert, one_of, table_of, values_of
from storage.timelines import seen_by

COUNTED_MAX = 99
ACTORS_SHOWN = 3
ACTORS_KEPT = 200
TRIMMED_EACH = 200
"""An account's lines are counted again when so many places were given since."""


class LineRow(NamedTuple):
    """One line: what `kind` and `subject` it is about, and where it stands."""

    account: str
    kind: str
    subject: str
    place: int
    post: str | None
    community: str | None
    room: str | None

    @property
    def id(self) -> str:
        """What tells it from the other lines of its account."""
        return f"{self.kind}:{self.subject}"


class ActorRow(NamedTuple):
    """Who did it; `via` is the post by which."""

    account: str
    kind: str
    subject: str
    actor: str
    place: int
    at: int
    via: str | None


class ReadRow(NamedTuple):
    """A line as its account reads it: how many there are in it, to `COUNTED_MAX`, and whether one of them is new."""

    line: LineRow
    people: int
    unread: bool


class State(NamedTuple):
    """How far an account's list has come: the newest place, the read position, when an entry last told of something."""

    top: int
    upto: int
    told_at: int


ActorKey = tuple[str, str, str, str]
"""(account, kind, subject, actor)"""
_LINE = ("account", "kind", "subject")
_LINE_COLUMNS = (
    *((name, "text") for name in _LINE),
    ("place", "bigint"),
    ("post", "text"),
    ("community", "text"),
    ("room", "text"),
)
_ACTOR_COLUMNS = (
    *((name, "text") for name in (*_LINE, "actor")),
    ("place", "bigint"),
    ("at", "bigint"),
    ("via", "text"),
)
_NAMES = ", ".join(f"n.{name}" for name, _ in _LINE_COLUMNS)


def _apart(me: str, other: str) -> str:
    return (
        f" and not exists (select 1 from block b where b.blocker = {me} and b.blocked = {other})"
        f" and not exists (select 1 from block b where b.blocker = {other} and b.blocked = {me})"
        f" and not exists (select 1 from mute m where m.muter = {me} and m.muted = {other})"
    )


def _any(rows: str) -> str:
    """SQL condition: there is one of these rows. The offset keeps PostgreSQL from asking for all lines at once, which it does
    badly where it knows little of the tables."""
    return f"exists (select 1 from {rows} limit 1 offset 0)"


# SQL condition on x, somebody in a line: still here, not apart from its account nor muted by it, and what they did still
# stands where other tables know it.
_SEEN = (
    "exists (select 1 from account a where a.id = x.actor and a.state in ('active', 'restricted'))"
    + _apart("x.account", "x.actor")
    + f" and (x.via is null or {_any('post p where p.id = x.via and ' + seen_by('x.account'))})"
    " and case x.kind"
    f" when 'follow' then {_any('follow f where f.follower = x.actor and f.followee = x.account')}"
    f" when 'follow_accepted' then {_any('follow f where f.follower = x.account and f.followee = x.actor')}"
    " when 'follow_request' then "
    + _any("follow_request q where q.follower = x.actor and q.followee = x.account and q.declined = 0")
    + " when 'like' then "
    + _any("reaction r where r.post = x.subject and r.kind = 'like' and r.account = x.actor")
    + " when 'reaction' then "
    + _any("reaction r where r.post = x.subject and r.kind = 'stamp' and r.account = x.actor")
    + " when 'community_joined' then "
    + _any("community_member i where i.community = x.subject and i.account = x.actor and i.state = 'inside'")
    + " else true end"
)
# SQL condition on n, a line: its post can be read, its place is the account's to look after, its request waits.
_STANDS = (
    f"(n.post is null or {_any('post p where p.id = n.post and ' + seen_by('n.account'))})"
    " and case n.kind when 'community_joined' then "
    + _any(
        "community_member i where i.community = n.subject and i.account = n.account and i.state = 'inside'"
        " and i.role in ('creator', 'admin')"
    )
    + " when 'message_request' then "
    + _any("member i where i.room = n.subject and i.account = n.account and i.state = 'requested'")
    + " else true end"
)
_IN_LINE = "x.account = n.account and x.kind = n.kind and x.subject = n.subject"
_UPTO = "coalesce((select s.upto from notification_state s where s.account = n.account), 0)"
_NEW = _any(f"notification_actor x where {_IN_LINE} and x.place > {_UPTO} and {_SEEN}")
_INHABITED = _any(f"notification_actor x where {_IN_LINE} and {_SEEN}")


# Written


def welcome(tx: Tx, told: Sequence[tuple[str, str, str]]) -> dict[int, State]:
    """(account, actor, kind) by their place in the list → how far the account's list has come, for those it wants to be
    told of and may be."""
    rows = [(number, *each) for number, each in enumerate(told)]
    columns = (("n", "bigint"), ("account", "text"), ("actor", "text"), ("kind", "text"))
    source, params = table_of(tx, columns, rows)
    found = tx.rows(
        f"select v.n, coalesce(s.top, 0), coalesce(s.upto, 0), coalesce(s.told_at, 0) from {source}"
        " left join notification_state s on s.account = v.account"
        " where exists (select 1 from account a where a.id = v.account and a.state in"
        " ('active', 'restricted', 'hidden'))"
        f"{_apart('v.account', 'v.actor')}"
        " and not exists (select 1 from notification_switch w where w.account = v.account and w.kind = v.kind)",
        **params,
    )
    return {row[0]: State(*row[1:]) for row in found}


def put(tx: Tx, lines: Sequence[LineRow], actors: Sequence[ActorRow]) -> None:
    """Keep who did what, each line moved up to its newest place."""
    for table, columns, rows, key in (
        ("notification", _LINE_COLUMNS, sorted(lines), _LINE),
        ("notification_actor", _ACTOR_COLUMNS, sorted(actors), (*_LINE, "actor")),
    ):
        names = [name for name, _ in columns]
        changed = ", ".join(f"{name} = excluded.{name}" for name in names if name in ("place", "at", "via"))
        source, params = table_of(tx, columns, rows)
        tx.later(
            f"insert into {table} ({', '.join(names)}) select {', '.join(f'v.{name}' for name in names)}"
            f" from {source} where true on conflict ({', '.join(key)}) do update set {changed}",
            **params,
        )


def move(tx: Tx, states: dict[str, State]) -> None:
    """Keep how far some accounts' lists have come."""
    rows = [(account, state.top, state.told_at) for account, state in sorted(states.items())]
    columns = (("account", "text"), ("top", "bigint"), ("told_at", "bigint"))
    source, params = table_of(tx, columns, rows)
    tx.later(
        "insert into notification_state (account, top, upto, told_at, trimmed)"
        f" select v.account, v.top, 0, v.told_at, 0 from {source} where true"
        " on conflict (account) do update set top = excluded.top, told_at = excluded.told_at",
        **params,
    )


def drop_actors(tx: Tx, keys: Sequence[ActorKey]) -> None:
    """Some did not do it after all."""
    if keys:
        columns = [(name, "text") for name in (*_LINE, "actor")]
        source, params = table_of(tx, columns, sorted(keys))
        tx.later(
            "delete from notification_actor where (account, kind, subject, actor) in"
            f" (select v.account, v.kind, v.subject, v.actor from {source})",
            **params,
        )


def drop_post(tx: Tx, post: str) -> list[str]:
    """A post is gone, and with it what was told of it and by it; the accounts concerned."""
    by_it = tx.rows("delete from notification_actor where via = :post returning account", post=post)
    of_it = tx.rows("delete from notification where post = :post returning account, kind, subject", post=post)
    if of_it:
        source, params = table_of(tx, [(name, "text") for name in _LINE], of_it)
        tx.rows(
            "delete from notification_actor where (account, kind, subject) in"
            f" (select v.account, v.kind, v.subject from {source})",
            **params,
        )
    return sorted({row[0] for row in (*by_it, *of_it)})


# Read


def page(tx: Tx, account: str, before: int, limit: int) -> list[ReadRow]:
    """An account's newest lines before a place, with somebody in them to see."""
    rows = tx.rows(
        f"select {_NAMES}, (select count(*) from (select 1 from notification_actor x where {_IN_LINE}"
        f" and {_SEEN} limit {COUNTED_MAX}) as c), {_NEW} from notification n"
        f" where n.account = :me and n.place < :before and {_STANDS}"
        f" and {_INHABITED}"
        " order by n.place desc limit :most",
        me=account,
        before=before,
        most=limit,
    )
    return [ReadRow(LineRow(*row[:7]), row[7], bool(row[8])) for row in rows]


def newest_actors(tx: Tx, account: str, lines: Iterable[LineRow]) -> dict[tuple[str, str], list[ActorRow]]:
    """(kind, subject) → the newest few who are to be seen in it, the newest first."""
    columns = (("kind", "text"), ("subject", "text"))
    source, params = table_of(tx, columns, [(line.kind, line.subject) for line in lines])
    picked = each_first(
        tx,
        source,
        "notification_actor x",
        f"x.account = :me and x.kind = v.kind and x.subject = v.subject and {_SEEN}",
        "x.place desc",
    )
    names = ", ".join(f"x.{name}" for name, _ in _ACTOR_COLUMNS)
    rows = tx.rows(
        f"select {names} from {picked} order by x.place desc", me=account, most=ACTORS_SHOWN, **params
    )
    found: dict[tuple[str, str], list[ActorRow]] = {}
    for row in rows:
        found.setdefault((row[1], row[2]), []).append(ActorRow(*row))
    return found


def lines_at(tx: Tx, places: Iterable[tuple[str, int]]) -> dict[tuple[str, int], LineRow]:
    """(account, place) of what somebody did → its line, where both are still to be seen."""
    source, params = table_of(tx, (("account", "text"), ("place", "bigint")), sorted(set(places)))
    rows = tx.rows(
        f"select {_NAMES}, x.place from {source}"
        " join notification_actor x on x.account = v.account and x.place = v.place"
        f" join notification n on {_IN_LINE} where {_SEEN} and {_STANDS}",
        **params,
    )
    return {(row[0], row[7]): LineRow(*row[:7]) for row in rows}


class BadgeRow(NamedTuple):
    """What waits for an account: unread lines, to `COUNTED_MAX`, and message requests; and its read position."""

    notifications: int
    requests: int
    upto: int


def badges_of(tx: Tx, accounts: Iterable[str]) -> dict[str, BadgeRow]:
    """Account → what waits for it."""
    source, params = table_of(tx, (("account", "text"),), [(each,) for each in sorted(set(accounts))])
    rows = tx.rows(
        "select v.account, case when s.top > s.upto then (select count(*) from (select 1 from notification n"
        f" where n.account = v.account and n.place > s.upto and {_STANDS} and {_NEW} limit {COUNTED_MAX}) as c)"
        " else 0 end,"
        " (select count(*) from member i where i.account = v.account and i.state = 'requested'),"
        f" coalesce(s.upto, 0) from {source} left join notification_state s on s.account = v.account",
        **params,
    )
    return {row[0]: BadgeRow(*row[1:]) for row in rows}


def move_upto(tx: Tx, account: str, upto: int) -> bool:
    """Move a read position forward, never back and never beyond the newest place. False if it stands already."""
    rows = tx.rows(
        "update notification_state set upto = case when top < :upto then top else :upto end"
        " where account = :me and upto < top and upto < :upto returning account",
        me=account,
        upto=upto,
    )
    return bool(rows)


# Switches


def switched_off(tx: Tx, account: str) -> set[str]:
    """The kinds that an account does not want to be told of."""
    return {row[0] for row in tx.rows("select kind from notification_switch where account = :me", me=account)}


def switch(tx: Tx, account: str, kind: str, *, on: bool) -> None:
    """Tell an account of a kind from now on, or no more."""
    tx.rows("delete from notification_switch where account = :me and kind = :kind", me=account, kind=kind)
    if not on:
        insert(tx, "notification_switch", (("account", "text"), ("kind", "text")), [(account, kind)])


# Upkeep


def older(tx: Tx, before_ms: int, limit: int) -> list[ActorKey]:
    """Some of what happened before a time."""
    rows = tx.rows(
        "select account, kind, subject, actor from notification_actor where at < :before order by at limit :most",
        before=before_ms,
        most=limit,
    )
    return [(row[0], row[1], row[2], row[3]) for row in rows]


def forget(tx: Tx, old: Sequence[ActorKey]) -> None:
    """Take what is old away, and lines that nobody is left in."""
    drop_actors(tx, old)
    _drop_empty(tx, sorted({key[0] for key in old}))


def grown(tx: Tx, limit: int) -> list[str]:
    """Some accounts whose lists have grown much since they were last trimmed."""
    rows = tx.rows(
        "select account from notification_state where top - trimmed >= :each order by account limit :most",
        each=TRIMMED_EACH,
        most=limit,
    )
    return [row[0] for row in rows]


def trim(tx: Tx, account: str, lines_max: int) -> None:
    """Keep the newest lines of an account, and the newest people in each."""
    tx.rows(
        "delete from notification where account = :me and place <= (select n.place from notification n"
        " where n.account = :me order by n.place desc limit 1 offset :most)",
        me=account,
        most=lines_max,
    )
    tx.rows(
        "delete from notification_actor where account = :me and place in (select w.place from"
        " (select x.place, row_number() over (partition by x.kind, x.subject order by x.place desc) as nth"
        " from notification_actor x where x.account = :me) as w where w.nth > :kept)",
        me=account,
        kept=ACTORS_KEPT,
    )
    tx.rows(
        "delete from notification_actor where account = :me and not exists (select 1 from notification n"
        " where n.account = :me and n.kind = notification_actor.kind and n.subject = notification_actor.subject)",
        me=account,
    )
    _drop_empty(tx, [account])
    tx.rows("update notification_state set trimmed = top where account = :me", me=account)


def _drop_empty(tx: Tx, accounts: Sequence[str]) -> None:
    if accounts:
        tx.rows(
            f"delete from notification where {one_of(tx, 'account')} and not exists"
            " (select 1 from notification_actor x where x.account = notification.account"
            " and x.kind = notification.kind and x.subject = notification.subject)",
            ids=values_of(tx, accounts),
        )
