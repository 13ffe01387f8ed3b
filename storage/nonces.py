"""Nonces: a durable operation under the same nonce of the same account happens once (WIRE §4).

A nonce is claimed by inserting its row before anything else is done; a second claimer waits for the first's
commit on PostgreSQL, or comes after it on SQLite. Refused operations leave no row, because they roll back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from storage.database import Tx
from storage.sets import table_of

_COLUMNS = (
    ("account", "text"),
    ("nonce", "text"),
    ("operation", "text"),
    ("digest", "text"),
    ("result", "text"),
    ("at", "bigint"),
)


class NonceRow(NamedTuple):
    """`digest` is a hash of the request, `result` what the first answer is made from."""

    account: str
    nonce: str
    operation: str
    digest: str
    result: str | None
    at: int


def claim(tx: Tx, rows: Sequence[NonceRow]) -> dict[tuple[str, str], NonceRow]:
    """Claim all nonces with one statement. Returns those that were taken before, with what is known of them."""
    ordered = sorted(rows)
    source, params = table_of(tx, _COLUMNS, ordered)
    fresh = tx.rows(
        "insert into nonce (account, nonce, operation, digest, result, at)"
        f" select v.account, v.nonce, v.operation, v.digest, v.result, v.at from {source} where true"
        " order by v.account, v.nonce on conflict do nothing returning account, nonce",
        **params,
    )
    if len(fresh) == len(rows):
        return {}
    mine = {(row[0], row[1]) for row in fresh}
    old = [row[:2] for row in ordered if (row.account, row.nonce) not in mine]
    source, params = table_of(tx, _COLUMNS[:2], old)
    found = tx.rows(
        "select n.account, n.nonce, n.operation, n.digest, n.result, n.at"
        f" from {source} join nonce n on n.account = v.account and n.nonce = v.nonce",
        **params,
    )
    return {(row[0], row[1]): NonceRow(*row) for row in found}


def keep_result(tx: Tx, account: str, nonce: str, result: str) -> None:
    """Remember the answer to a claimed nonce."""
    tx.rows(
        "update nonce set result = :result where account = :account and nonce = :nonce",
        account=account,
        nonce=nonce,
        result=result,
    )


def release(tx: Tx, keys: Sequence[tuple[str, str]]) -> None:
    """Give back claims of refused operations within a batch that commits."""
    if keys:
        source, params = table_of(tx, _COLUMNS[:2], list(keys))
        tx.rows(
            f"delete from nonce where (account, nonce) in (select v.account, v.nonce from {source})",
            **params,
        )


def forget(tx: Tx, before_ms: int) -> None:
    """Drop nonces older than the promise of 24 hours."""
    tx.rows("delete from nonce where at < :before", before=before_ms)
