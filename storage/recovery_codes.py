"""The codes that let somebody in without mail: their hashes, each of which works once."""

from __future__ import annotations

from collections.abc import Iterable

from storage.database import Tx


def put_recovery_codes(tx: Tx, account: str, hashes: Iterable[str]) -> None:
    """These instead of all before."""
    drop_recovery_codes(tx, account)
    for each in hashes:
        tx.rows(
            "insert into recovery_code (account, hash, made_at) values (:account, :hash, :at)",
            account=account,
            hash=each,
            at=tx.now_ms(),
        )


def drop_recovery_codes(tx: Tx, account: str) -> None:
    """None are left."""
    tx.rows("delete from recovery_code where account = :account", account=account)


def use_recovery_code(tx: Tx, account: str, code_hash: str) -> bool:
    """Whether it is one of the account's; from now on it is none."""
    used = tx.rows(
        "delete from recovery_code where account = :account and hash = :hash returning hash",
        account=account,
        hash=code_hash,
    )
    return bool(used)


def recovery_codes_left(tx: Tx, account: str) -> tuple[int, int | None]:
    """How many there are, and when they were made."""
    rows = tx.rows(
        "select count(*), max(made_at) from recovery_code where account = :account", account=account
    )
    return int(rows[0][0]), rows[0][1]
