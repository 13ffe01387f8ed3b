"""The codes that let somebody in without mail: their hashes, each of which works once."""

from __future__ import annotations

from collections.abc import Iterable

from storage.database import Tx
from storage.sets import insert

_COLUMNS = (("account", "text"), ("hash", "text"), ("made_at", "bigint"))


def put_recovery_codes(tx: Tx, account: str, hashes: Iterable[str]) -> None:
    """These instead of all before."""
    drop_recovery_codes(tx, account)
    at = tx.now_ms()
    insert(tx, "recovery_code", _COLUMNS, [(account, each, at) for each in hashes])


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
