"""Texts that somebody looks at before sending them (FEATURES §4): kept for minutes, a few for each account."""

from __future__ import annotations

from typing import NamedTuple

from storage.database import Tx, first


class PreviewRow(NamedTuple):
    """`emotext` is a JSON list of effects; it is forgotten at `due`."""

    id: str
    account: str
    at: int
    due: int
    body: str
    emotext: str


_NAMES = ", ".join(PreviewRow._fields)


def insert_preview(tx: Tx, row: PreviewRow, most: int) -> None:
    """Keep one, and of those of its account only the newest `most`."""
    places = ", ".join(f":{name}" for name in PreviewRow._fields)
    tx.rows(f"insert into emotext_preview ({_NAMES}) values ({places})", **row._asdict())
    tx.rows(
        "delete from emotext_preview where account = :me and id not in"
        " (select id from emotext_preview where account = :me order by id desc limit :most)",
        me=row.account,
        most=most,
    )


def preview_by_id(tx: Tx, preview: str) -> PreviewRow | None:
    """One that is not due yet, of an account that is here."""
    row = first(
        tx.rows(
            f"select {_NAMES} from emotext_preview v where id = :id and due > :now and exists"
            " (select 1 from account a where a.id = v.account and a.state in ('active', 'restricted'))",
            id=preview,
            now=tx.now_ms(),
        )
    )
    return PreviewRow(*row) if row else None


def drop_due_previews(tx: Tx) -> None:
    """Forget those that are due."""
    tx.rows("delete from emotext_preview where due <= :now", now=tx.now_ms())
