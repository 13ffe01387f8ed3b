"""Rooms and their members."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from storage.database import Row, Tx, first
from storage.rows import AccountRow, MemberRow, RoomRow
from storage.sets import one_of, table_of, values_of

_ROOM = "r.id, r.kind, r.state, r.title, r.creator, r.reading, r.pair, r.created_at, r.requested_at"
_MEMBER = "m.room, m.account, m.state, m.from_seq, m.read_seq, m.joined_at"
_MEMBER_COLUMNS = (
    ("room", "text"),
    ("account", "text"),
    ("state", "text"),
    ("from_seq", "bigint"),
    ("read_seq", "bigint"),
    ("joined_at", "bigint"),
)
UNREAD_MAX = 99


class CardRow(NamedTuple):
    """A room as one account stands to it, with what its list shows. `last` is the id of the newest line seen."""

    room: RoomRow
    member: MemberRow
    seq: int
    members: int
    unread: int
    last: str | None


def insert_room(tx: Tx, row: RoomRow) -> bool:
    """Keep a new room. False if the pair has its DM already."""
    added = tx.rows(
        "insert into room (id, kind, state, title, creator, reading, pair, created_at, requested_at)"
        " values (:id, :kind, :state, :title, :creator, :reading, :pair, :created_at, :requested_at)"
        " on conflict do nothing returning id",
        **row._asdict(),
    )
    return bool(added)


def room_by_id(tx: Tx, room: str) -> RoomRow | None:
    """One room."""
    row = first(tx.rows(f"select {_ROOM} from room r where r.id = :id", id=room))
    return RoomRow(*row) if row else None


def room_of_pair(tx: Tx, pair: str) -> RoomRow | None:
    """The DM of two accounts."""
    row = first(tx.rows(f"select {_ROOM} from room r where r.pair = :pair", pair=pair))
    return RoomRow(*row) if row else None


def update_room(tx: Tx, row: RoomRow) -> None:
    """Write back what may change of a room."""
    tx.rows(
        "update room set state = :state, title = :title, creator = :creator, reading = :reading,"
        " requested_at = :requested_at where id = :id",
        id=row.id,
        state=row.state,
        title=row.title,
        creator=row.creator,
        reading=row.reading,
        requested_at=row.requested_at,
    )


def put_members(tx: Tx, rows: Sequence[MemberRow]) -> None:
    """Insert memberships, or replace how these accounts stand."""
    if not rows:
        return
    names = ", ".join(name for name, _ in _MEMBER_COLUMNS)
    picks = ", ".join(f"v.{name}" for name, _ in _MEMBER_COLUMNS)
    source, params = table_of(tx, _MEMBER_COLUMNS, list(rows))
    tx.rows(
        f"insert into member ({names}) select {picks} from {source} where true order by v.room, v.account"
        " on conflict (room, account) do update set state = excluded.state, from_seq = excluded.from_seq,"
        " read_seq = excluded.read_seq, joined_at = excluded.joined_at",
        **params,
    )


def member(tx: Tx, room: str, account: str) -> MemberRow | None:
    """How an account stands to a room; None if it never did."""
    row = first(
        tx.rows(
            f"select {_MEMBER} from member m where m.room = :room and m.account = :account",
            room=room,
            account=account,
        )
    )
    return MemberRow(*row) if row else None


def members_of(tx: Tx, room: str, states: Iterable[str]) -> list[tuple[MemberRow, AccountRow]]:
    """Members in given states with their accounts, the eldest first."""
    rows = tx.rows(
        f"select {_MEMBER}, a.id, a.handle, a.name, a.state, a.created_at"
        " from member m join account a on a.id = m.account"
        f" where m.room = :room and {one_of(tx, 'm.state')} order by m.joined_at, m.account",
        room=room,
        ids=values_of(tx, states),
    )
    return [(MemberRow(*row[:6]), AccountRow(*row[6:])) for row in rows]


def members_among(
    tx: Tx, pairs: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], tuple[RoomRow, MemberRow]]:
    """(room, account) pairs → the room and the standing, where there is one."""
    source, params = table_of(tx, (("room", "text"), ("account", "text")), sorted(set(pairs)))
    rows = tx.rows(
        f"select {_ROOM}, {_MEMBER} from {source}"
        " join member m on m.room = v.room and m.account = v.account join room r on r.id = m.room",
        **params,
    )
    return {(row[9], row[10]): (RoomRow(*row[:9]), MemberRow(*row[9:])) for row in rows}


def count_rooms(tx: Tx, account: str) -> int:
    """How many rooms an account is inside of."""
    rows = tx.rows("select count(*) from member where account = :me and state = 'inside'", me=account)
    return int(rows[0][0])


def count_requests_since(tx: Tx, account: str, since_ms: int) -> int:
    """How many message requests an account has sent since then."""
    rows = tx.rows(
        "select count(*) from room where creator = :me and requested_at >= :since", me=account, since=since_ms
    )
    return int(rows[0][0])


def move_read(tx: Tx, room: str, account: str, seq: int) -> int:
    """Move a read position forward, never back; the position that stands."""
    tx.rows(
        "update member set read_seq = :seq where room = :room and account = :account and read_seq < :seq",
        room=room,
        account=account,
        seq=seq,
    )
    found = member(tx, room, account)
    return found.read_seq if found else seq


_SEEN = "(x.only_for is null or x.only_for = m.account) and x.seq > m.from_seq"
_UNREAD = (
    "(select count(*) from (select 1 from message x where x.room = m.room and x.seq > m.read_seq"
    f" and x.author <> m.account and x.deleted_at is null and x.system is null and {_SEEN} limit {UNREAD_MAX}) as u)"
)
_LAST = (
    "(select x.id from message x where x.room = m.room and x.deleted_at is null"
    f" and {_SEEN} order by x.seq desc limit 1)"
)
_CARD = (
    f"select {_ROOM}, {_MEMBER}, c.seq,"
    " (select count(*) from member i where i.room = m.room and i.state = 'inside') as members,"
    f" {_UNREAD} as unread, {_LAST} as last"
    " from member m join room r on r.id = m.room join channel c on c.id = 'room:' || m.room"
)


def card(tx: Tx, room: str, account: str) -> CardRow | None:
    """A room as one account stands to it."""
    row = first(tx.rows(f"{_CARD} where m.room = :room and m.account = :me", room=room, me=account))
    return _card(row) if row else None


def cards(tx: Tx, account: str, standing: str, after: str | None, limit: int) -> list[CardRow]:
    """A page of an account's rooms, the newest talk first; DMs in which nothing was said are left out.

    `after` is `last` (or the room's id, where nothing was said) of the page before.
    """
    rows = tx.rows(
        f"select * from ({_CARD} where m.account = :me and m.state = :standing) as cards"
        " where (kind = 'group' or last is not null) and (:after = '' or coalesce(last, id) < :after)"
        " order by coalesce(last, id) desc limit :most",
        me=account,
        standing=standing,
        after=after or "",
        most=limit,
    )
    return [_card(row) for row in rows]


def _card(row: Row) -> CardRow:
    return CardRow(RoomRow(*row[:9]), MemberRow(*row[9:15]), row[15], row[16], row[17], row[18])


def heard_by(tx: Tx, account: str) -> dict[str, tuple[int, int]]:
    """What a connection of this account hears: channel → (newest seq, first seq it may not read before)."""
    rows = tx.rows(
        "select c.id, c.seq, m.from_seq from member m join channel c on c.id = 'room:' || m.room"
        " where m.account = :me and m.state = 'inside'"
        " union all select c.id, c.seq, m.from_seq from community_member m"
        " join channel c on c.id = 'community:' || m.community where m.account = :me and m.state = 'inside'"
        " union all select c.id, c.seq, 0 from follow f join account a on a.id = f.followee"
        " and a.state in ('active', 'restricted') join channel c on c.id = 'author:' || f.followee"
        " where f.follower = :me"
        " union all select c.id, c.seq, 0 from channel c where c.id in ('author:' || :me, 'user:' || :me)",
        me=account,
    )
    return {row[0]: (row[1], row[2]) for row in rows}


def badges(tx: Tx, account: str) -> tuple[int, int, int]:
    """(rooms with unread lines, requests waiting, invitations waiting)."""
    unread = tx.rows(
        "select count(*) from member m where m.account = :me and m.state = 'inside' and exists"
        " (select 1 from message x where x.room = m.room and x.seq > m.read_seq and x.author <> m.account"
        f" and x.deleted_at is null and x.system is null and {_SEEN})",
        me=account,
    )
    waiting: dict[str, int] = dict(
        tx.rows(
            "select state, count(*) from member where account = :me and state in ('requested', 'invited') group by state",
            me=account,
        )
    )
    return int(unread[0][0]), int(waiting.get("requested", 0)), int(waiting.get("invited", 0))
