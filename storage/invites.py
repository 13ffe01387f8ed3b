"""Invites, their uses, and the networks a link was looked at from. Tokens and codes are kept as hashes only."""

from __future__ import annotations

from typing import NamedTuple

from storage.database import Tx, first
from storage.sets import for_update

_NAMES = "id, kind, issuer, room, token_hash, code_hash, uses_max, uses, state, created_at, expires_at, ended_at, replaced_by"


class InviteRow(NamedTuple):
    """`state` is live, redeemed, revoked or paused; that it has expired follows from `expires_at`."""

    id: str
    kind: str
    issuer: str
    room: str | None
    token_hash: str
    code_hash: str
    uses_max: int
    uses: int
    state: str
    created_at: int
    expires_at: int
    ended_at: int | None = None
    replaced_by: str | None = None


def insert_invite(tx: Tx, row: InviteRow) -> None:
    """Keep a new invite."""
    tx.rows(
        f"insert into invite ({_NAMES}) values (:id, :kind, :issuer, :room, :token_hash, :code_hash, :uses_max, :uses,"
        " :state, :created_at, :expires_at, :ended_at, :replaced_by)",
        **row._asdict(),
    )


def invite_by(tx: Tx, column: str, value: str, *, lock: bool = False) -> InviteRow | None:
    """An invite by `id`, `token_hash` or `code_hash`; with `lock` nobody else changes it until the commit."""
    tail = for_update(tx) if lock else ""
    row = first(tx.rows(f"select {_NAMES} from invite where {column} = :value{tail}", value=value))
    return InviteRow(*row) if row else None


def change_secrets(tx: Tx, invite: str, token_hash: str, code_hash: str) -> None:
    """Give an invite another token and code; the former ones name nothing any more."""
    tx.rows(
        "update invite set token_hash = :token, code_hash = :code where id = :id",
        id=invite,
        token=token_hash,
        code=code_hash,
    )


def invites_of(tx: Tx, issuer: str, limit: int) -> list[InviteRow]:
    """An issuer's invites, the newest first."""
    rows = tx.rows(
        f"select {_NAMES} from invite where issuer = :issuer order by id desc limit :most",
        issuer=issuer,
        most=limit,
    )
    return [InviteRow(*row) for row in rows]


def count_live(tx: Tx, issuer: str) -> int:
    """How many of an issuer's invites could still be used."""
    rows = tx.rows(
        "select count(*) from invite where issuer = :issuer and state in ('live', 'paused') and expires_at > :now",
        issuer=issuer,
        now=tx.now_ms(),
    )
    return int(rows[0][0])


def holds(tx: Tx, invite: str, fresh_ms: int) -> int:
    """Uses held by sign-ups on their way: those with a confirmed address, and those touched within `fresh_ms`."""
    rows = tx.rows(
        "select count(*) from attempt where invite = :invite and expires_at > :now"
        " and (verified_at is not null or touched_at > :fresh)",
        invite=invite,
        now=tx.now_ms(),
        fresh=tx.now_ms() - fresh_ms,
    )
    return int(rows[0][0])


def end_invite(tx: Tx, invite: str, state: str, replaced_by: str | None = None) -> None:
    """Give an invite a state; terminal ones keep when it was."""
    tx.rows(
        "update invite set state = :state, ended_at = :at, replaced_by = :by where id = :id",
        id=invite,
        state=state,
        at=tx.now_ms(),
        by=replaced_by,
    )


def use_invite(tx: Tx, invite: InviteRow, account: str) -> None:
    """One use more, by `account`; the last one ends the invite. The row is locked by the caller."""
    tx.rows(
        "update invite set uses = uses + 1, state = case when uses + 1 >= uses_max then 'redeemed' else state end,"
        " ended_at = case when uses + 1 >= uses_max then :at else ended_at end where id = :id",
        id=invite.id,
        at=tx.now_ms(),
    )
    tx.rows(
        "insert into invite_use (account, invite, at) values (:account, :invite, :at) on conflict do nothing",
        account=account,
        invite=invite.id,
        at=tx.now_ms(),
    )


def tap(tx: Tx, invite: str, network: str, since_ms: int) -> int:
    """Note that a link was looked at from a network; from how many different ones since then."""
    tx.rows("delete from invite_tap where invite = :invite and at < :since", invite=invite, since=since_ms)
    tx.rows(
        "insert into invite_tap (invite, network, at) values (:invite, :network, :at)"
        " on conflict (invite, network) do update set at = excluded.at",
        invite=invite,
        network=network,
        at=tx.now_ms(),
    )
    return int(tx.rows("select count(*) from invite_tap where invite = :invite", invite=invite)[0][0])


def brought_by(tx: Tx, issuer: str) -> list[tuple[str, str, int]]:
    """(account, invite, when) of those who came by an issuer's invites: for operators."""
    rows = tx.rows(
        "select u.account, u.invite, u.at from invite_use u join invite i on i.id = u.invite"
        " where i.issuer = :issuer order by u.at, u.account",
        issuer=issuer,
    )
    return [(row[0], row[1], row[2]) for row in rows]
