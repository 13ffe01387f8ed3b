"""What an account calls others, for itself alone."""

from __future__ import annotations

from storage.database import Tx


def put_nickname(tx: Tx, account: str, about: str, name: str) -> None:
    """An account calls somebody so from now on."""
    tx.rows(
        "insert into nickname (account, about, name, at) values (:account, :about, :name, :at)"
        " on conflict (account, about) do update set name = excluded.name, at = excluded.at",
        account=account,
        about=about,
        name=name,
        at=tx.now_ms(),
    )


def drop_nickname(tx: Tx, account: str, about: str) -> None:
    """An account calls somebody by their own name again."""
    tx.rows("delete from nickname where account = :account and about = :about", account=account, about=about)


def count_nicknames(tx: Tx, account: str, besides: str) -> int:
    """How many people an account has given a name, not counting one."""
    rows = tx.rows(
        "select count(*) from nickname where account = :account and about <> :besides",
        account=account,
        besides=besides,
    )
    return int(rows[0][0])


def nicknames_of(tx: Tx, account: str) -> list[tuple[str, str]]:
    """(account, name) of everybody whom an account has given one."""
    rows = tx.rows(
        "select about, name from nickname where account = :account order by about", account=account
    )
    return [(row[0], row[1]) for row in rows]
