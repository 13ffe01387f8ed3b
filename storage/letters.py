"""Letters that wait to leave: mail is written down in the transaction that needs it, and sent afterwards.

So a code is never mailed for something that was rolled back, and never forgotten by a crash. What always holds: at
one time a letter is in the hands of one node only, for the length of a lease; it is deleted when it has left, so
that codes are not kept. A node that dies with a letter in its hands loses nothing: it is due again after the lease,
at the price that it may arrive twice.

Whoever asks for a code learns nothing from the time it takes: for an address that nobody has, put a letter of the
kind `nothing`. It costs the same statements, is claimed like any other, and thrown away.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import orjson

from storage.database import Tx
from storage.rows import LetterRow
from storage.sets import for_claim, one_of, values_of

NOTHING = "nothing"

Facts = Mapping[str, str | int]


def put_letter(tx: Tx, address: str, kind: str, facts: Facts, delay_ms: int = 0) -> None:
    """Let a letter to `address` (folded) leave after `delay_ms`. What `facts` must hold: `channels.letters`."""
    now = tx.now_ms()
    tx.rows(
        "insert into letter (id, address, kind, facts, due_at, created_at)"
        " values (:id, :address, :kind, :facts, :due, :now)",
        id=tx.new_id(),
        address=address,
        kind=kind,
        facts=orjson.dumps(facts).decode(),
        due=now + delay_ms,
        now=now,
    )


def claim_due(tx: Tx, limit: int, lease_ms: int) -> list[LetterRow]:
    """Take up to `limit` letters that are due, oldest first. Nobody else gets them for `lease_ms`."""
    now = tx.now_ms()
    rows = tx.rows(
        "with due as materialized"
        f" (select id from letter where due_at <= :now order by due_at, id limit :limit{for_claim(tx)})"
        " update letter set due_at = :until, tries = tries + 1 where id in (select id from due)"
        " returning id, address, kind, facts, tries, created_at",
        now=now,
        limit=limit,
        until=now + lease_ms,
    )
    found = [
        LetterRow(letter, address, kind, orjson.loads(facts), tries, now - created_at)
        for letter, address, kind, facts, tries, created_at in rows
    ]
    return sorted(found, key=lambda letter: letter.id)


def done(tx: Tx, ids: Iterable[str]) -> None:
    """These letters have left, or never will."""
    tx.rows(f"delete from letter where {one_of(tx, 'id')}", ids=values_of(tx, ids))


def failed(tx: Tx, letter: str, retry_ms: int) -> None:
    """This letter could not leave now; it is due again after `retry_ms`."""
    tx.rows("update letter set due_at = :due where id = :id", due=tx.now_ms() + retry_ms, id=letter)


def waiting(tx: Tx) -> int:
    """How many letters there are."""
    return int(tx.rows("select count(*) from letter")[0][0])
