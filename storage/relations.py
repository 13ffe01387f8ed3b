"""How accounts stand to each other: follows, requests to follow, blocks, mutes; and whether they share a room."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from storage.database import Tx, first
from storage.sets import one_of, table_of, values_of


class Between(NamedTuple):
    """What decides whether `me` reaches `other`: the other's state, who blocks whom, and who may ask the other."""

    state: str
    blocks: bool
    """I block them."""
    blocked: bool
    """They block me."""
    write_from: str


UNKNOWN = Between("", False, False, "")


def between(tx: Tx, pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Between]:
    """(me, other) pairs → how they stand, with one statement. Others that do not exist are missing in the answer."""
    wanted = sorted(set(pairs))
    if not wanted:
        return {}
    source, params = table_of(tx, (("me", "text"), ("other", "text")), wanted)
    rows = tx.rows(
        "select v.me, v.other, a.state,"
        " exists (select 1 from block b where b.blocker = v.me and b.blocked = v.other),"
        " exists (select 1 from block b where b.blocker = v.other and b.blocked = v.me), a.write_from"
        f" from {source} join account a on a.id = v.other",
        **params,
    )
    return {(row[0], row[1]): Between(row[2], bool(row[3]), bool(row[4]), row[5]) for row in rows}


def apart(tx: Tx, a: str, b: str) -> bool:
    """True if either blocks the other."""
    how = between(tx, [(a, b)]).get((a, b), UNKNOWN)
    return how.blocks or how.blocked


def apart_of(tx: Tx, account: str) -> list[str]:
    """Everybody who blocks an account or is blocked by it."""
    rows = tx.rows(
        "select blocked from block where blocker = :me union select blocker from block where blocked = :me",
        me=account,
    )
    return [row[0] for row in rows]


def blocks_among(tx: Tx, me: str, others: Iterable[str]) -> tuple[set[str], set[str]]:
    """(whom of `others` I block, who of them blocks me)."""
    found = between(tx, [(me, other) for other in others])
    mine = {other for (_, other), how in found.items() if how.blocks}
    return mine, {other for (_, other), how in found.items() if how.blocked}


def share_group(tx: Tx, a: str, b: str) -> bool:
    """True if both are inside one group."""
    rows = tx.rows(
        "select 1 from member m join member o on o.room = m.room and o.account = :b and o.state = 'inside'"
        " join room r on r.id = m.room and r.kind = 'group'"
        " where m.account = :a and m.state = 'inside' limit 1",
        a=a,
        b=b,
    )
    return bool(rows)


def met_in_room(tx: Tx, viewer: str, other: str) -> bool:
    """True if `viewer` is inside a room where `other` is, or was."""
    rows = tx.rows(
        "select 1 from member m join member o on o.room = m.room and o.account = :other"
        " and o.state in ('inside', 'left') where m.account = :viewer and m.state = 'inside' limit 1",
        viewer=viewer,
        other=other,
    )
    return bool(rows)


# Follows


def drop_follow(tx: Tx, follower: str, followee: str) -> bool:
    """`follower` follows no more. False if they did not."""
    rows = tx.rows(
        "delete from follow where follower = :a and followee = :b returning followee", a=follower, b=followee
    )
    return bool(rows)


def followers_here(tx: Tx, author: str, among: Iterable[str]) -> list[str]:
    """Those of some accounts who follow an author."""
    rows = tx.rows(
        f"select follower from follow where followee = :author and {one_of(tx, 'follower')}",
        author=author,
        ids=values_of(tx, among),
    )
    return [row[0] for row in rows]


def count_followers(tx: Tx, author: str) -> int:
    """How many who are here follow an author."""
    rows = tx.rows(
        "select count(*) from follow f join account a on a.id = f.follower"
        " and a.state in ('active', 'restricted') where f.followee = :author",
        author=author,
    )
    return int(rows[0][0])


def private_among(tx: Tx, accounts: Iterable[str]) -> set[str]:
    """Those of some accounts whose posts only their followers read."""
    rows = tx.rows(
        f"select id from account where private = 1 and {one_of(tx, 'id')}", ids=values_of(tx, accounts)
    )
    return {row[0] for row in rows}


def closed_to(tx: Tx, viewer: str, authors: Iterable[str]) -> set[str]:
    """Those of some authors who are private and whom `viewer` does not follow."""
    rows = tx.rows(
        f"select a.id from account a where a.private = 1 and a.id <> :me and {one_of(tx, 'a.id')}"
        " and not exists (select 1 from follow f where f.follower = :me and f.followee = a.id)",
        me=viewer,
        ids=values_of(tx, authors),
    )
    return {row[0] for row in rows}


def count_follows(tx: Tx, follower: str) -> int:
    """How many an account follows or asks to follow."""
    rows = tx.rows(
        "select (select count(*) from follow where follower = :me)"
        " + (select count(*) from follow_request where follower = :me)",
        me=follower,
    )
    return int(rows[0][0])


def ask_follow(tx: Tx, follower: str, followee: str) -> bool:
    """Ask to follow. False if that was asked before."""
    rows = tx.rows(
        "insert into follow_request (follower, followee, at) values (:a, :b, :at) on conflict do nothing"
        " returning follower",
        a=follower,
        b=followee,
        at=tx.now_ms(),
    )
    return bool(rows)


def drop_request(tx: Tx, follower: str, followee: str) -> None:
    """A request to follow is over, whatever became of it."""
    tx.rows("delete from follow_request where follower = :a and followee = :b", a=follower, b=followee)


def grant_request(tx: Tx, follower: str, followee: str) -> bool:
    """End a request that waits. False if none does."""
    rows = tx.rows(
        "delete from follow_request where follower = :a and followee = :b and declined = 0 returning follower",
        a=follower,
        b=followee,
    )
    return bool(rows)


def decline_request(tx: Tx, follower: str, followee: str) -> bool:
    """Let a request that waits go; to whoever asked it goes on waiting. False if none waits."""
    rows = tx.rows(
        "update follow_request set declined = 1 where follower = :a and followee = :b and declined = 0"
        " returning follower",
        a=follower,
        b=followee,
    )
    return bool(rows)


def asked_follow(tx: Tx, follower: str, followee: str) -> bool:
    """True while a request to follow waits, as far as whoever asked can tell."""
    rows = tx.rows(
        "select 1 from follow_request where follower = :a and followee = :b", a=follower, b=followee
    )
    return bool(rows)


_SIDES = {
    "followers": ("follow", "follower", "followee"),
    "following": ("follow", "followee", "follower"),
    "requests": ("follow_request", "follower", "followee"),
}


def people_of(tx: Tx, which: str, owner: str, viewer: str) -> list[str]:
    """All people of a follow list whom the viewer may find: living, and no block between them and the viewer."""
    source, shown, held = _SIDES[which]
    waiting = " and f.declined = 0" if source == "follow_request" else ""
    rows = tx.rows(
        f"select f.{shown} from {source} f join account a on a.id = f.{shown} and a.state in ('active', 'restricted')"
        f" where f.{held} = :owner{waiting}"
        f" and not exists (select 1 from block b where b.blocker = :viewer and b.blocked = f.{shown})"
        f" and not exists (select 1 from block b where b.blocked = :viewer and b.blocker = f.{shown})",
        owner=owner,
        viewer=viewer,
    )
    return [row[0] for row in rows]


# Blocks and mutes: the same shape, two tables

_MARKS = {"block": ("blocker", "blocked"), "mute": ("muter", "muted")}


def add_mark(tx: Tx, kind: str, owner: str, other: str) -> bool:
    """Block or mute. False if that stood already."""
    mine, theirs = _MARKS[kind]
    rows = tx.rows(
        f"insert into {kind} ({mine}, {theirs}, at) values (:me, :other, :at) on conflict do nothing"
        f" returning {theirs}",
        me=owner,
        other=other,
        at=tx.now_ms(),
    )
    return bool(rows)


def drop_mark(tx: Tx, kind: str, owner: str, other: str) -> None:
    """Unblock or unmute."""
    mine, theirs = _MARKS[kind]
    tx.rows(f"delete from {kind} where {mine} = :me and {theirs} = :other", me=owner, other=other)


def count_marks(tx: Tx, kind: str, owner: str) -> int:
    """How many an account blocks or mutes."""
    mine, _ = _MARKS[kind]
    return int(tx.rows(f"select count(*) from {kind} where {mine} = :me", me=owner)[0][0])


def marks_of(tx: Tx, kind: str, owner: str, after: str, limit: int) -> list[str]:
    """A page of whom an account blocks or mutes."""
    mine, theirs = _MARKS[kind]
    rows = tx.rows(
        f"select {theirs} from {kind} where {mine} = :me and {theirs} > :after order by {theirs} limit :most",
        me=owner,
        after=after,
        most=limit,
    )
    return [row[0] for row in rows]


def marked(tx: Tx, kind: str, owner: str, other: str) -> bool:
    """True if `owner` blocks or mutes `other`."""
    mine, theirs = _MARKS[kind]
    row = first(
        tx.rows(f"select 1 from {kind} where {mine} = :me and {theirs} = :other", me=owner, other=other)
    )
    return row is not None


def part(tx: Tx, a: str, b: str) -> None:
    """Every follow and request to follow between two goes, both ways."""
    for name in ("follow", "follow_request"):
        tx.rows(
            f"delete from {name} where (follower = :a and followee = :b) or (follower = :b and followee = :a)",
            a=a,
            b=b,
        )
