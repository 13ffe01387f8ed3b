"""Sign-ups and log-ins on their way, and counts of what was tried lately. Secrets are kept as hashes only."""

from __future__ import annotations

from typing import NamedTuple

from storage.database import Tx, first
from storage.sets import for_update

_NAMES = (
    "id, purpose, token_hash, invite, address, written, account, terms, code_hash, code_tries, code_expires_at,"
    " verified_at, touched_at, created_at, expires_at"
)


class AttemptRow(NamedTuple):
    """`purpose` is signup, login, address (of somebody who is inside) or device (offered to a further one). `account` is whom the
    address belongs to, if to anybody; of the last two, who asks. `touched_at` is the time of the last step."""

    id: str
    purpose: str
    token_hash: str
    invite: str | None
    address: str | None
    written: str | None
    account: str | None
    terms: str | None
    code_hash: str | None
    code_tries: int
    code_expires_at: int
    verified_at: int | None
    touched_at: int
    created_at: int
    expires_at: int


def put_attempt(tx: Tx, row: AttemptRow) -> None:
    """Keep an attempt, new or changed."""
    fields = row._asdict()
    names = ", ".join(f":{name}" for name in fields)
    changes = ", ".join(f"{name} = excluded.{name}" for name in fields if name != "id")
    tx.rows(
        f"insert into attempt ({_NAMES}) values ({names}) on conflict (id) do update set {changes}", **fields
    )


def attempt_by_hash(tx: Tx, token_hash: str, *, lock: bool = True) -> AttemptRow | None:
    """A living attempt by its secret's hash; with `lock`, locked until the commit."""
    tail = for_update(tx) if lock else ""
    row = first(
        tx.rows(
            f"select {_NAMES} from attempt where token_hash = :hash and expires_at > :now{tail}",
            hash=token_hash,
            now=tx.now_ms(),
        )
    )
    return AttemptRow(*row) if row else None


def end_attempt(tx: Tx, attempt: str) -> None:
    """The attempt is over; what it held is free."""
    tx.rows("delete from attempt where id = :id", id=attempt)


def make_room(tx: Tx, invite: str, places: int, fresh_ms: int) -> None:
    """End the sign-ups of an invite that lie untouched longest, until one of its `places` is free for another. Those
    touched within `fresh_ms`, or with a confirmed address, stay."""
    living = tx.rows(
        "select id, case when verified_at is null and touched_at <= :fresh then 1 else 0 end from attempt"
        " where invite = :invite and expires_at > :now order by touched_at, id",
        invite=invite,
        fresh=tx.now_ms() - fresh_ms,
        now=tx.now_ms(),
    )
    stale = [row[0] for row in living if row[1]]
    for attempt in stale[: max(0, len(living) - places + 1)]:
        end_attempt(tx, attempt)


def end_attempts_of(tx: Tx, invite: str) -> None:
    """Half-finished sign-ups of an invite end with it."""
    tx.rows("delete from attempt where invite = :invite", invite=invite)


def end_offers(tx: Tx, account: str) -> None:
    """What an account offered to further devices ends."""
    tx.rows("delete from attempt where purpose = 'device' and account = :id", id=account)


def note(tx: Tx, name: str) -> None:
    """Count one more of `name`, now."""
    tx.rows(
        "insert into tally (name, at, id) values (:name, :at, :id)", name=name, at=tx.now_ms(), id=tx.new_id()
    )


def count_since(tx: Tx, name: str, since_ms: int) -> int:
    """How many of `name` there were since then."""
    rows = tx.rows(
        "select count(*) from tally where name = :name and at >= :since", name=name, since=since_ms
    )
    return int(rows[0][0])


def forget_attempts(tx: Tx, now_ms: int, day_ms: int) -> None:
    """Drop what has expired, and counts older than a day."""
    tx.rows("delete from attempt where expires_at < :now", now=now_ms)
    tx.rows("delete from tally where at < :before", before=now_ms - day_ms)
    tx.rows("delete from invite_tap where at < :before", before=now_ms - day_ms)
