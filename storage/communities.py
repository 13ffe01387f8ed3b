"""Communities and who is inside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from storage.database import Row, Tx, first
from storage.rows import CommunityMemberRow, CommunityRow
from storage.sets import one_of, table_of, values_of

_COMMUNITY = "k.id, k.name, k.purpose, k.access, k.visibility, k.creator, k.members, k.created_at"
_MEMBER = "m.community, m.account, m.role, m.state, m.from_seq, m.joined_at"


class CommunityCardRow(NamedTuple):
    """A community as one account stands to it: its role if it is inside, and the newest seq of the channel."""

    community: CommunityRow
    role: str | None
    seq: int


def insert_community(tx: Tx, row: CommunityRow) -> None:
    """Keep a new community."""
    tx.rows(
        "insert into community (id, name, purpose, access, visibility, creator, members, created_at)"
        " values (:id, :name, :purpose, :access, :visibility, :creator, :members, :created_at)",
        **row._asdict(),
    )


def update_community(tx: Tx, row: CommunityRow) -> None:
    """Write back what may change of a community; its channel is locked by the caller."""
    tx.rows(
        "update community set creator = :creator, members = :members where id = :id",
        id=row.id,
        creator=row.creator,
        members=row.members,
    )


def community_by_id(tx: Tx, community: str) -> CommunityRow | None:
    """One community."""
    row = first(tx.rows(f"select {_COMMUNITY} from community k where k.id = :id", id=community))
    return CommunityRow(*row) if row else None


def communities_by_id(tx: Tx, ids: Iterable[str]) -> dict[str, CommunityRow]:
    """Those of the ids that exist."""
    rows = tx.rows(f"select {_COMMUNITY} from community k where {one_of(tx, 'k.id')}", ids=values_of(tx, ids))
    return {row[0]: CommunityRow(*row) for row in rows}


def communities_founded(tx: Tx, account: str) -> list[str]:
    """The communities an account has in its hands."""
    rows = tx.rows("select id from community where creator = :me order by id", me=account)
    return [row[0] for row in rows]


def put_community_member(tx: Tx, row: CommunityMemberRow) -> None:
    """Insert a membership, or replace how this account stands."""
    tx.rows(
        "insert into community_member (community, account, role, state, from_seq, joined_at)"
        " values (:community, :account, :role, :state, :from_seq, :joined_at)"
        " on conflict (community, account) do update set role = excluded.role, state = excluded.state,"
        " from_seq = excluded.from_seq, joined_at = excluded.joined_at",
        **row._asdict(),
    )


def community_member(tx: Tx, community: str, account: str) -> CommunityMemberRow | None:
    """How an account stands to a community; None if it never was inside."""
    return community_members(tx, [(community, account)]).get((community, account))


def community_members(tx: Tx, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], CommunityMemberRow]:
    """(community, account) pairs → the standing, where there is one."""
    source, params = table_of(tx, (("community", "text"), ("account", "text")), sorted(set(pairs)))
    rows = tx.rows(
        f"select {_MEMBER} from {source}"
        " join community_member m on m.community = v.community and m.account = v.account",
        **params,
    )
    return {(row[0], row[1]): CommunityMemberRow(*row) for row in rows}


def eldest_member(tx: Tx, community: str, but: str) -> CommunityMemberRow | None:
    """Whom a community passes to: the eldest admin who is here, else the eldest member; None if nobody else is."""
    # `admin` sorts before `member`, and the creator is `but`.
    row = first(
        tx.rows(
            f"select {_MEMBER} from community_member m join account a on a.id = m.account"
            " where m.community = :community and m.state = 'inside' and m.account <> :but"
            " and a.state in ('active', 'restricted') order by m.role, m.joined_at, m.account limit 1",
            community=community,
            but=but,
        )
    )
    return CommunityMemberRow(*row) if row else None


def keepers_of(tx: Tx, community: str) -> list[str]:
    """Who looks after a community: its creator and its admins."""
    rows = tx.rows(
        "select account from community_member where community = :community and state = 'inside'"
        " and role in ('creator', 'admin') order by account",
        community=community,
    )
    return [row[0] for row in rows]


def count_communities(tx: Tx, account: str) -> int:
    """How many communities an account is inside of."""
    rows = tx.rows(
        "select count(*) from community_member where account = :me and state = 'inside'", me=account
    )
    return int(rows[0][0])


_CARD = (
    f"select {_COMMUNITY}, case when m.state = 'inside' then m.role end, c.seq"
    " from community k join channel c on c.id = 'community:' || k.id"
    " left join community_member m on m.community = k.id and m.account = :me"
)


def community_card(tx: Tx, community: str, account: str) -> CommunityCardRow | None:
    """A community as one account stands to it."""
    row = first(tx.rows(f"{_CARD} where k.id = :id", id=community, me=account))
    return _card(row) if row else None


def community_cards(tx: Tx, account: str, joined: bool, after: str, limit: int) -> list[CommunityCardRow]:
    """A page of communities, the youngest first: those the account is inside of, or all visible ones."""
    which = "m.state = 'inside'" if joined else "k.visibility = 'visible'"
    rows = tx.rows(
        f"{_CARD} where {which} and (:after = '' or k.id < :after) order by k.id desc limit :most",
        me=account,
        after=after,
        most=limit,
    )
    return [_card(row) for row in rows]


_AFTER = "coalesce((select place from community_member where community = :after and account = :of), 0)"
"""The place of the last one of the page before, also if it was left meanwhile."""


def arrange_communities(tx: Tx, account: str, communities: Sequence[str]) -> None:
    """An account shows these in this order; all others before them."""
    tx.rows("update community_member set place = 0 where account = :me and place <> 0", me=account)
    places = [(community, place) for place, community in enumerate(communities, 1)]
    source, params = table_of(tx, (("community", "text"), ("place", "bigint")), places)
    tx.rows(
        f"update community_member set place = v.place from {source}"
        " where community_member.community = v.community and account = :me and state = 'inside'",
        me=account,
        **params,
    )


def communities_shown(tx: Tx, viewer: str, account: str, after: str, limit: int) -> list[CommunityCardRow]:
    """A page of those an account is inside of and shows, in its order, as a viewer stands to them; none if it shows none."""
    rows = tx.rows(
        f"{_CARD} join community_member o on o.community = k.id and o.account = :of and o.state = 'inside'"
        " join account a on a.id = o.account and a.communities_shown = 1"
        " where (k.visibility = 'visible' or m.state = 'inside')"
        f" and (:after = '' or o.place > {_AFTER} or (o.place = {_AFTER} and k.id < :after))"
        " order by o.place, k.id desc limit :most",
        me=viewer,
        of=account,
        after=after,
        most=limit,
    )
    return [_card(row) for row in rows]


def _card(row: Row) -> CommunityCardRow:
    return CommunityCardRow(CommunityRow(*row[:8]), row[8], row[9])
