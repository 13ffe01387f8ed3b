"""What can be found, and by which grams (`realtime.folding`): an inverted index in either dialect's own way.

Grams are kept as words of the ASCII alphabet: in SQLite in an FTS5 table without content, in PostgreSQL in an array under a GIN
index. Both only name
candidates; whether a phrase stands in a text, and whether somebody may see it, is decided by whoever asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from realtime.folding import grams
from storage.database import Tx
from storage.sets import table_of

_COLUMNS = (("kind", "text"), ("ref", "text"), ("words", "text"), ("grams", "text"))
POST, ACCOUNT, COMMUNITY = "post", "account", "community"


class FoundRow(NamedTuple):
    """A candidate: `n` is its place (younger is higher), `words` the folded text."""

    n: int
    ref: str
    words: str


def add(tx: Tx, kind: str, texts: Sequence[tuple[str, str]]) -> None:
    """Let new things be found: (id, folded words) each. Two statements for any number of them; on PostgreSQL one."""
    if not texts:
        return
    rows = [(kind, ref, words, _terms(grams(words), " ")) for ref, words in texts]
    source, params = table_of(tx, _COLUMNS, rows)
    if tx.dialect == "postgres":
        tx.later(
            "insert into found (kind, ref, words, grams)"
            f" select v.kind, v.ref, v.words, string_to_array(v.grams, ' ') from {source} on conflict do nothing",
            **params,
        )
        return
    tx.later(f"insert into found (kind, ref, words) select v.kind, v.ref, v.words from {source}", **params)
    tx.later(
        f"insert into found_grams (rowid, grams) select f.n, v.grams from {source}"
        " join found f on f.kind = v.kind and f.ref = v.ref",
        **params,
    )


def put(tx: Tx, kind: str, ref: str, words: str) -> None:
    """Let something be found by these folded words from now on, instead of by those before."""
    drop(tx, kind, ref)
    add(tx, kind, [(ref, words)])


def drop(tx: Tx, kind: str, ref: str) -> None:
    """Find it no more."""
    gone = tx.rows("delete from found where kind = :kind and ref = :ref returning n", kind=kind, ref=ref)
    if tx.dialect == "sqlite":
        for (n,) in gone:
            tx.rows("delete from found_grams where rowid = :n", n=n)


_MISSING = {
    POST: "select x.id, x.body from post x where x.deleted_at is null",
    ACCOUNT: "select x.id, x.name || ' ' || x.handle from account x where x.state <> 'erased'",
    COMMUNITY: "select x.id, x.name || ' ' || x.purpose from community x where true",
}


def missing(tx: Tx, kind: str, limit: int) -> list[tuple[str, str]]:
    """(id, text) of what cannot be found yet, because it is older than the index."""
    rows = tx.rows(
        f"{_MISSING[kind]} and not exists (select 1 from found f where f.kind = :kind and f.ref = x.id) limit :most",
        kind=kind,
        most=limit,
    )
    return [(row[0], row[1]) for row in rows]


def drop_posts_of(tx: Tx, account: str) -> None:
    """Find nothing that an account has posted."""
    which = "kind = 'post' and ref in (select id from post where author = :account)"
    if tx.dialect == "sqlite":
        tx.rows(
            f"delete from found_grams where rowid in (select n from found where {which})", account=account
        )
    tx.rows(f"delete from found where {which}", account=account)


def candidates(tx: Tx, kind: str, wanted: Iterable[str], before: int, limit: int) -> Sequence[FoundRow]:
    """What has all of the wanted grams, the youngest first, before a place."""
    if tx.dialect == "postgres":
        rows = tx.rows(
            "select n, ref, words from found where kind = :kind and grams @> string_to_array(:grams, ' ') and n < :before"
            " order by n desc limit :most",
            kind=kind,
            grams=_terms(wanted, " "),
            before=before,
            most=limit,
        )
    else:
        rows = tx.rows(
            "select f.n, f.ref, f.words from found_grams join found f on f.n = found_grams.rowid"
            " where found_grams match :query and found_grams.rowid < :before and f.kind = :kind order by found_grams.rowid desc limit :most",
            kind=kind,
            query=_terms(wanted, " AND "),
            before=before,
            most=limit,
        )
    return [FoundRow(*row) for row in rows]


def _terms(each: Iterable[str], between: str) -> str:
    """Grams as words of the ASCII alphabet, because a tokenizer would drop what it takes for no letter."""
    return between.join(sorted("x" + gram.encode().hex() for gram in each))
