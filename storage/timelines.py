"""Timelines: pages of posts by id, of one home, of a thread, or put together from many homes (FEATURES §3).

What a page costs does not depend on how much was ever posted: every query goes by (home, id) or (root, id), and a page
of many homes first asks each for its one nearest post, and then only those that can have a part in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from storage.database import Tx
from storage.posts import NAMES
from storage.rows import PostRow
from storage.sets import each_first, one_of, table_of, values_of

FIRST, LAST = "", "~"
"""Sort before and behind every id."""


class Span(NamedTuple):
    """Posts with low < id < high: the newest of them, or the oldest."""

    low: str
    high: str
    newest: bool
    limit: int


def seen_by(viewer: str) -> str:
    """SQL condition: `viewer` may read p. A community is read by its own rules, an author's channel by those of the author."""
    return (
        "p.deleted_at is null"
        f" and (p.author = {viewer} or exists (select 1 from account a where a.id = p.author"
        " and a.state in ('active', 'restricted') and (p.community is not null or a.private = 0 or exists"
        f" (select 1 from follow f where f.follower = {viewer} and f.followee = p.author))))"
        f" and not exists (select 1 from block b where b.blocker = {viewer} and b.blocked = p.author)"
        f" and not exists (select 1 from block b where b.blocker = p.author and b.blocked = {viewer})"
    )


_SEEN = seen_by(":viewer")


def homes_of(tx: Tx, account: str) -> list[str]:
    """The channels whose posts make an account's Follow timeline: its own, those it follows, its communities."""
    rows = tx.rows(
        "select 'author:' || f.followee from follow f where f.follower = :me"
        " union all select 'community:' || m.community from community_member m"
        " where m.account = :me and m.state = 'inside'",
        me=account,
    )
    return ["author:" + account, *(row[0] for row in rows)]


def page_of_homes(tx: Tx, homes: Sequence[str], viewer: str, span: Span) -> list[PostRow]:
    """The nearest `span.limit` posts of all homes together that `viewer` may read, ascending."""
    low, high, newest, limit = span
    found: list[PostRow] = []
    while len(found) < limit:
        ends = _ends(tx, homes, Span(low, high, newest, 1))
        if not ends:
            break
        ends.sort(key=lambda end: end[1], reverse=newest)
        near = ends[:limit]
        # As many homes as posts are wanted have one up to here, so nothing behind it belongs to the page yet.
        bound = near[-1][1] if len(ends) > len(near) else None
        inner = Span(low, high, newest, limit)
        found += _of_each(tx, [home for home, _ in near], viewer, inner, bound)
        if bound is None:
            break
        # What was not to be read left room: go on behind the bound.
        low, high = (low, bound) if newest else (bound, high)
    found.sort(key=lambda row: row.id, reverse=newest)
    found = found[:limit]
    return found[::-1] if newest else found


def _ends(tx: Tx, homes: Sequence[str], span: Span) -> list[tuple[str, str]]:
    """(home, id of its nearest post within the span), of homes that have one."""
    source, params = table_of(tx, (("home", "text"),), [(home,) for home in homes])
    order = "desc" if span.newest else "asc"
    rows = tx.rows(
        "select home, id from (select v.home as home, (select p.id from post p where p.home = v.home"
        " and p.deleted_at is null and p.id > :low and p.id < :high"
        f" order by p.id {order} limit 1) as id from {source}) as ends where id is not null",
        low=span.low,
        high=span.high,
        **params,
    )
    return [(row[0], row[1]) for row in rows]


def _of_each(tx: Tx, homes: Sequence[str], viewer: str, span: Span, bound: str | None) -> list[PostRow]:
    """At most `span.limit` of each home, not beyond the bound."""
    low, high, newest, limit = span
    source, params = table_of(tx, (("home", "text"),), [(home,) for home in homes])
    reach = "true" if bound is None else ("p.id >= :bound" if newest else "p.id <= :bound")
    inner = f"p.home = v.home and p.id > :low and p.id < :high and {reach} and {_SEEN}"
    order = "desc" if newest else "asc"
    statement = each_first(tx, source, "post p", inner, f"p.id {order}")
    if bound is not None:
        params["bound"] = bound
    rows = tx.rows(
        f"select {NAMES} from {statement} order by p.id {order} limit :most",
        viewer=viewer,
        low=low,
        high=high,
        most=limit,
        **params,
    )
    return [PostRow(*row) for row in rows]


def page_of_home(tx: Tx, home: str, viewer: str, span: Span) -> list[PostRow]:
    """One home's posts within a span, ascending."""
    return _page(tx, "p.home = :key", home, viewer, span)


def page_of_thread(tx: Tx, root: str, viewer: str, span: Span) -> list[PostRow]:
    """The replies of a thread within a span, ascending; not its first post."""
    return _page(tx, "p.root = :key", root, viewer, span)


def _page(tx: Tx, where: str, key: str, viewer: str, span: Span) -> list[PostRow]:
    rows = tx.rows(
        f"select {NAMES} from post p where {where} and p.id > :low and p.id < :high and {_SEEN}"
        f" order by p.id {'desc' if span.newest else 'asc'} limit :most",
        key=key,
        viewer=viewer,
        low=span.low,
        high=span.high,
        most=span.limit,
    )
    found = [PostRow(*row) for row in rows]
    return found[::-1] if span.newest else found


def visible_posts(tx: Tx, viewer: str, posts: Sequence[str]) -> dict[str, PostRow]:
    """Those of some posts that `viewer` may read."""
    rows = tx.rows(
        f"select {NAMES} from post p where {one_of(tx, 'p.id')} and {_SEEN}",
        viewer=viewer,
        ids=values_of(tx, posts),
    )
    return {row[0]: PostRow(*row) for row in rows}


def visible_pairs(tx: Tx, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], PostRow]:
    """Those of some (viewer, post) where the one may read the other."""
    source, params = table_of(tx, (("viewer", "text"), ("post", "text")), sorted(set(pairs)))
    rows = tx.rows(
        f"select v.viewer, {NAMES} from {source} join post p on p.id = v.post and {seen_by('v.viewer')}",
        **params,
    )
    return {(row[0], row[1]): PostRow(*row[1:]) for row in rows}


def near_communities(tx: Tx, viewer: str, least: int, limit: int) -> list[tuple[str, list[str]]]:
    """(community, the viewer's mutuals inside), of open communities the viewer is not inside of and where at least `least`
    mutuals are who show their communities; most of them first."""
    rows = tx.rows(
        "with near as (select m.community as place, m.account as who from follow f"
        " join follow g on g.follower = f.followee and g.followee = f.follower"
        " join account a on a.id = f.followee and a.state in ('active', 'restricted') and a.communities_shown = 1"
        " join community_member m on m.account = f.followee and m.state = 'inside'"
        " join community k on k.id = m.community and k.access = 'public' and k.visibility = 'visible'"
        " where f.follower = :me and not exists (select 1 from community_member i"
        " where i.community = m.community and i.account = :me and i.state = 'inside')),"
        " best as (select place, count(*) as n from near group by place having count(*) >= :least"
        " order by n desc, place desc limit :most)"
        " select near.place, near.who from best join near on near.place = best.place"
        " order by best.n desc, near.place desc, near.who",
        me=viewer,
        least=least,
        most=limit,
    )
    found: dict[str, list[str]] = {}
    for place, who in rows:
        found.setdefault(place, []).append(who)
    return list(found.items())


def read_upto(tx: Tx, account: str) -> int | None:
    """Up to when somebody has read whom they follow, in Unix milliseconds; None before the first time."""
    rows = tx.rows("select follow_at from reading where account = :account", account=account)
    return rows[0][0] if rows else None


def put_read_upto(tx: Tx, account: str, at: int) -> None:
    """It goes on and never back."""
    tx.rows(
        "insert into reading (account, follow_at) values (:account, :at) on conflict (account) do update"
        " set follow_at = excluded.follow_at where reading.follow_at < excluded.follow_at",
        account=account,
        at=at,
    )
