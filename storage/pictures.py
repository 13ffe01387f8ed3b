"""Pictures: what is known of them, and their bytes (decision 11).

Rows are locked after the channels of the places they go to, in the order of their ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from storage.database import Tx, first
from storage.rows import PictureRow
from storage.sets import for_claim, for_update, one_of, table_of, values_of

WHOLE, PREVIEW = "whole", "preview"
_NAMES = ", ".join(PictureRow._fields)


class Claim(NamedTuple):
    """A picture and what shows it from now on: `kind` is post or message."""

    picture: str
    kind: str
    ref: str


def insert_picture(tx: Tx, row: PictureRow, whole: bytes, preview: bytes) -> None:
    """Keep a new picture. No preview: the picture is small enough to be its own."""
    fields = {name: getattr(row, name) for name in PictureRow._fields}
    places = ", ".join(f":{name}" for name in PictureRow._fields)
    tx.rows(f"insert into picture ({_NAMES}) values ({places})", **fields)
    for part, data in ((WHOLE, whole), (PREVIEW, preview)):
        if data:
            tx.rows(
                "insert into picture_bytes (picture, part, data) values (:id, :part, :data)",
                id=row.id,
                part=part,
                data=data,
            )


def picture_by_id(tx: Tx, picture: str) -> PictureRow | None:
    """One picture, whoever may see it."""
    row = first(tx.rows(f"select {_NAMES} from picture where id = :id", id=picture))
    return PictureRow(*row) if row else None


def bytes_of(tx: Tx, picture: str, part: str) -> bytes:
    """The bytes of a part; of a picture without a preview, those of the whole."""
    row = first(
        tx.rows(
            "select data from picture_bytes where picture = :id and part in (:part, 'whole')"
            " order by case when part = :part then 0 else 1 end limit 1",
            id=picture,
            part=part,
        )
    )
    return bytes(row[0]) if row else b""


def count_unclaimed(tx: Tx, account: str) -> int:
    """How many pictures of an account nothing shows yet."""
    rows = tx.rows("select count(*) from picture where account = :me and ref is null", me=account)
    return int(rows[0][0])


def locked_pictures(tx: Tx, ids: Iterable[str]) -> dict[str, PictureRow]:
    """Those of the ids that exist, locked."""
    rows = tx.rows(
        f"select {_NAMES} from picture where {one_of(tx, 'id')} order by id{for_update(tx)}",
        ids=values_of(tx, ids),
    )
    return {row[0]: PictureRow(*row) for row in rows}


def claim(tx: Tx, claims: Sequence[Claim]) -> None:
    """Say of pictures what shows them, with one statement."""
    columns = (("picture", "text"), ("kind", "text"), ("ref", "text"))
    source, params = table_of(tx, columns, sorted(claims))
    tx.later(
        f"update picture set kind = v.kind, ref = v.ref from {source} where picture.id = v.picture", **params
    )


def drop_shown(tx: Tx, ref: str) -> None:
    """The pictures of a post or message are gone, with their bytes."""
    tx.rows("delete from picture where ref = :ref", ref=ref)


def drop_due(tx: Tx, now: int, limit: int) -> int:
    """Forget pictures that were due at a time and that nothing shows; how many. What is being claimed is left."""
    rows = tx.rows(
        f"select id from picture where ref is null and due <= :now order by id limit :most{for_claim(tx)}",
        now=now,
        most=limit,
    )
    if rows:
        tx.rows(f"delete from picture where {one_of(tx, 'id')}", ids=values_of(tx, [row[0] for row in rows]))
    return len(rows)
