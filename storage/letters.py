"""Letters that wait to leave."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from storage.database import Tx


def put_letter(tx: Tx, address: str, kind: str, facts: Mapping[str, str | int], delay_ms: int = 0) -> None:
    """Keep a letter; it leaves after the commit."""
    tx.rows(
        "insert into letter (id, address, kind, facts, due_at, tries, created_at)"
        " values (:id, :address, :kind, :facts, :due, 0, :at)",
        id=tx.new_id(),
        address=address,
        kind=kind,
        facts=orjson.dumps(dict(facts)).decode(),
        due=tx.now_ms() + delay_ms,
        at=tx.now_ms(),
    )
