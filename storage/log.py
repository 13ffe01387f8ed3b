"""The log: one row per durable entry of a channel, its `seq` given under the lock of the channel's row.

Written in the same transaction as the row it tells of. Entries hold kind and reference; the second floor renders
bodies from the rows when entries are read (HOUSE §3).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from storage.database import Tx
from storage.rows import LogRow
from storage.sets import for_update, insert_later, one_of, table_of, values_of

_COLUMNS = (
    ("channel", "text"),
    ("seq", "bigint"),
    ("kind", "text"),
    ("ref", "text"),
    ("audience", "text"),
    ("author", "text"),
    ("target", "text"),
    ("at", "bigint"),
    ("extra", "text"),
)
PURGE_ROWS = 1_000
_NAMES = "l.channel, l.seq, l.kind, l.ref, l.audience, l.author, l.target, l.at, l.extra"


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry before it has a seq."""

    channel: str
    kind: str
    ref: str
    author: str
    audience: str = "a"
    target: str = ""
    extra: str = ""


def create_channel(tx: Tx, channel: str) -> None:
    """A channel that has said nothing yet."""
    tx.rows("insert into channel (id, seq) values (:id, 0)", id=channel)


def lock(tx: Tx, channels: Iterable[str]) -> dict[str, int]:
    """Lock channel rows in sorted order; their present seq. Unknown channels are missing in the answer."""
    found = tx.rows(
        f"select id, seq from channel where {one_of(tx, 'id')} order by id{for_update(tx)}",
        ids=values_of(tx, channels),
    )
    return {row[0]: row[1] for row in found}


def lock_made(tx: Tx, channels: Iterable[str], kind: str) -> dict[str, int]:
    """As `lock`; channels of a kind (how their names begin) that do not exist are made first. A node of an older version
    makes accounts without a channel for their posts, as long as it runs beside this one."""
    wanted = set(channels)
    found = lock(tx, wanted)
    missing = sorted(name for name in wanted if name.startswith(kind) and name not in found)
    if not missing:
        return found
    for name in missing:
        tx.rows("insert into channel (id, seq) values (:id, 0) on conflict do nothing", id=name)
    return lock(tx, wanted)


def append(tx: Tx, drafts: Sequence[Draft]) -> list[LogRow]:
    """Give each draft the next seq of its channel, in order, and keep it. Locks what is not locked yet."""
    return write(tx, lock(tx, (draft.channel for draft in drafts)), drafts)


def write(tx: Tx, seqs: dict[str, int], drafts: Sequence[Draft]) -> list[LogRow]:
    """`append` where the caller holds the locks already and knows the seqs; `seqs` is moved forward."""
    at = tx.now_ms()
    entries = []
    for draft in drafts:
        seqs[draft.channel] += 1
        entries.append(
            LogRow(
                draft.channel,
                seqs[draft.channel],
                draft.kind,
                draft.ref,
                draft.audience,
                draft.author,
                draft.target,
                at,
                draft.extra,
            )
        )
    newest = {entry.channel: entry.seq for entry in entries}
    source, params = table_of(tx, (("id", "text"), ("seq", "bigint")), list(newest.items()))
    tx.later(f"update channel set seq = v.seq from {source} where channel.id = v.id", **params)
    insert_later(tx, "log", _COLUMNS, entries)
    return entries


def read(tx: Tx, stretches: Sequence[tuple[str, int, int]], limit: int) -> list[LogRow]:
    """Entries of several (channel, after, upto) with one query, ascending per channel, at most `limit` in all."""
    if not stretches:
        return []
    source, params = table_of(
        tx, (("channel", "text"), ("after", "bigint"), ("upto", "bigint")), list(stretches)
    )
    rows = tx.rows(
        f"select {_NAMES} from {source} join log l on l.channel = v.channel and l.seq > v.after and l.seq <= v.upto"
        " order by l.channel, l.seq limit :most",
        most=limit,
        **params,
    )
    return [LogRow(*row) for row in rows]


def tops(tx: Tx, channels: Iterable[str]) -> dict[str, int]:
    """The newest seq of each channel."""
    return dict(tx.rows(f"select id, seq from channel where {one_of(tx, 'id')}", ids=values_of(tx, channels)))


class Tail(NamedTuple):
    """What a sweep found: where the next one begins, the newest insertion id seen, each channel's newest seq, and the
    (kind, channel, target, seq) of entries of the kinds that were asked for."""

    next_n: int
    newest_n: int
    tops: dict[str, int]
    told: list[tuple[str, str, str, int]]


def tail(tx: Tx, after_n: int, overlap_ms: int, kinds: Iterable[str] = ()) -> Tail:
    """What a node's sweep looks at: the channels with entries inserted after `after_n`, and those of some `kinds`.

    PostgreSQL's insertion ids may commit out of order, so there the next sweep looks again at what is younger than
    `overlap_ms`.
    """
    rows = tx.rows(
        "select channel, max(seq), max(n) from log where n > :after group by channel", after=after_n
    )
    tops = {row[0]: row[1] for row in rows}
    newest = max((row[2] for row in rows), default=after_n)
    told: list[Any] = []
    if rows:
        told = tx.rows(
            f"select kind, channel, target, seq from log where n > :after and {one_of(tx, 'kind')} order by n",
            after=after_n,
            ids=values_of(tx, kinds),
        )
    if tx.dialect == "sqlite" or not rows:
        return Tail(newest, newest, tops, told)
    settled = tx.rows(
        "select coalesce(max(n), :after) from log where n > :after and at < :since",
        after=after_n,
        since=tx.now_ms() - overlap_ms,
    )
    return Tail(int(settled[0][0]), newest, tops, told)


class Purged(NamedTuple):
    """How many entries went, and where to go on (None: nothing further is old enough)."""

    entries: int
    next_n: int | None


def purge(tx: Tx, after_n: int, before_ms: int, keep: int) -> Purged:
    """Forget entries older than `before_ms` but the newest `keep` of each channel, among the next `PURGE_ROWS` after
    an insertion id."""
    rows = tx.rows(
        "select max(n), max(at) from (select n, at from log where n > :after order by n limit :most) w",
        after=after_n,
        most=PURGE_ROWS,
    )
    upto, newest_at = rows[0]
    if upto is None:
        return Purged(0, None)
    gone = tx.rows(
        "delete from log where n > :after and n <= :upto and at < :before"
        " and seq <= (select c.seq from channel c where c.id = log.channel) - :keep returning n",
        after=after_n,
        upto=upto,
        before=before_ms,
        keep=keep,
    )
    return Purged(len(gone), int(upto) if newest_at < before_ms else None)


def newest_n(tx: Tx) -> int:
    """The newest insertion id: where a starting node's sweep begins."""
    return int(tx.rows("select coalesce(max(n), 0) from log")[0][0])
