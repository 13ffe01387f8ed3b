"""Stamps under lines of rooms: at most one of an account under a line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from storage.database import Tx
from storage.sets import one_of, table_of, values_of


class StampRow(NamedTuple):
    """`what` is the stamp's id; `only_for` limits who sees it."""

    message: str
    account: str
    what: str
    only_for: str | None
    at: int


_NAMES = ", ".join(f"s.{name}" for name in StampRow._fields)


def stamps_at(tx: Tx, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], StampRow]:
    """(message, account) → what stands there."""
    source, params = table_of(tx, (("message", "text"), ("account", "text")), sorted(set(keys)))
    rows = tx.rows(
        f"select {_NAMES} from {source} join message_reaction s on s.message = v.message and s.account = v.account",
        **params,
    )
    return {(row[0], row[1]): StampRow(*row) for row in rows}


def put_stamp(tx: Tx, row: StampRow) -> None:
    """Keep a stamp, in the place of what stood there."""
    tx.rows(
        "insert into message_reaction (message, account, what, only_for, at)"
        " values (:message, :account, :what, :only_for, :at) on conflict (message, account)"
        " do update set what = excluded.what, only_for = excluded.only_for, at = excluded.at",
        **row._asdict(),
    )


def drop_stamp(tx: Tx, message: str, account: str) -> None:
    """Take a stamp back."""
    tx.rows(
        "delete from message_reaction where message = :message and account = :account",
        message=message,
        account=account,
    )


def drop_stamps(tx: Tx, message: str) -> None:
    """A line is gone, and what stood under it."""
    tx.rows("delete from message_reaction where message = :message", message=message)


def stamps_under(tx: Tx, viewer: str, messages: Iterable[str]) -> dict[str, dict[str, list[str]]]:
    """Message → stamp → who left it, of what `viewer` sees; the stamps and the people in the order they came."""
    rows = tx.rows(
        f"select s.message, s.what, s.account from message_reaction s where {one_of(tx, 's.message')}"
        " and (s.only_for is null or s.only_for = :viewer) order by s.at, s.account",
        viewer=viewer,
        ids=values_of(tx, messages),
    )
    found: dict[str, dict[str, list[str]]] = {}
    for message, what, account in rows:
        found.setdefault(message, {}).setdefault(what, []).append(account)
    return found
