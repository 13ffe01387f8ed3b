"""Accounts, sessions, follows, and the few values that belong to the whole installation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from storage.database import Tx, first
from storage.rows import AccountRow, SessionRow
from storage.sets import for_update, one_of, table_of, values_of


class Start(NamedTuple):
    """How an account begins: the terms agreed to, and the privacy chosen."""

    terms: str = ""
    presence_to: str = "mutuals"
    write_from: str = "followed"
    communities_shown: bool = False


_ACCOUNT = "id, handle, name, state, created_at, role, invites_barred"


def insert_account(tx: Tx, row: AccountRow, start: Start | None = None) -> bool:
    """Keep a new account. False if the handle is taken, or ever was."""
    start = start or Start()
    taken = tx.rows(
        "insert into handle (handle, account, at) values (:handle, :id, :at) on conflict do nothing returning handle",
        handle=row.handle,
        id=row.id,
        at=row.created_at,
    )
    if not taken:
        return False
    tx.rows(
        "insert into account (id, handle, name, state, created_at, role, terms, presence_to, write_from,"
        " communities_shown, handle_at, state_at) values (:id, :handle, :name, :state, :at, :role, :terms,"
        " :presence_to, :write_from, :shown, :at, :at)",
        id=row.id,
        handle=row.handle,
        name=row.name,
        state=row.state,
        at=row.created_at,
        role=row.role,
        terms=start.terms,
        presence_to=start.presence_to,
        write_from=start.write_from,
        shown=int(start.communities_shown),
    )
    return True


def account_by_id(tx: Tx, account: str) -> AccountRow | None:
    """One account, whatever its state."""
    row = first(tx.rows(f"select {_ACCOUNT} from account where id = :id", id=account))
    return AccountRow(*row) if row else None


def account_by_handle(tx: Tx, handle: str) -> AccountRow | None:
    """One account, whatever its state."""
    row = first(tx.rows(f"select {_ACCOUNT} from account where handle = :handle", handle=handle))
    return AccountRow(*row) if row else None


def accounts_by_id(tx: Tx, accounts: Iterable[str]) -> dict[str, AccountRow]:
    """Those of the given ids that exist."""
    rows = tx.rows(f"select {_ACCOUNT} from account where {one_of(tx, 'id')}", ids=values_of(tx, accounts))
    return {row[0]: AccountRow(*row) for row in rows}


def accounts_by_handle(tx: Tx, handles: Iterable[str]) -> dict[str, AccountRow]:
    """Handle → account, of those that exist."""
    rows = tx.rows(f"select {_ACCOUNT} from account where {one_of(tx, 'handle')}", ids=values_of(tx, handles))
    return {row[1]: AccountRow(*row) for row in rows}


def set_role(tx: Tx, account: str, role: str) -> None:
    """Make an account `member` or `operator`."""
    tx.rows("update account set role = :role where id = :id", role=role, id=account)


def operators(tx: Tx) -> list[AccountRow]:
    """Those who run this installation, the first one first."""
    rows = tx.rows(f"select {_ACCOUNT} from account where role = 'operator' order by id")
    return [AccountRow(*row) for row in rows]


class AddressOwner(NamedTuple):
    """Whose an address is. `until` is None for the one in use; at one that was changed, until when that can be undone."""

    account: str
    until: int | None


def put_address(tx: Tx, address: str, account: str, written: str) -> bool:
    """Bind a folded address to an account as the one in use, also one that it had before. False if it is somebody else's."""
    rows = tx.rows(
        "insert into address (address, account, written, at) values (:address, :account, :written, :at)"
        " on conflict (address) do update"
        " set account = excluded.account, written = excluded.written, at = excluded.at, until = null"
        " where address.until <= excluded.at or (address.until is not null and address.account = excluded.account)"
        " returning address",
        address=address,
        account=account,
        written=written,
        at=tx.now_ms(),
    )
    return bool(rows)


def drop_address(tx: Tx, address: str) -> None:
    """A folded address belongs to nobody from now on."""
    tx.rows("delete from address where address = :address", address=address)


def owner_of_address(tx: Tx, address: str) -> AddressOwner | None:
    """Whose a folded address is, or was until lately."""
    row = first(
        tx.rows(
            "select account, until from address where address = :address and (until is null or until > :now)",
            address=address,
            now=tx.now_ms(),
        )
    )
    return AddressOwner(*row) if row else None


def account_of_address(tx: Tx, address: str) -> str | None:
    """Whose account a folded address belongs to, in use or changed lately."""
    owner = owner_of_address(tx, address)
    return owner.account if owner else None


def addresses_of(tx: Tx, account: str) -> list[str]:
    """An account's addresses in use, as they were typed."""
    rows = tx.rows(
        "select written from address where account = :id and until is null order by at", id=account
    )
    return [row[0] for row in rows]


def retire_addresses(tx: Tx, account: str, spare: str, until_ms: int) -> list[str]:
    """All addresses in use but `spare` lead to the account only until then. Which they were."""
    rows = tx.rows(
        "update address set until = :until where account = :id and address <> :spare and until is null"
        " returning address",
        id=account,
        spare=spare,
        until=until_ms,
    )
    return [row[0] for row in rows]


def restore_address(tx: Tx, account: str, address: str) -> list[str]:
    """An address is in use again, as it was before it was changed. Those that came after it, which are nobody's now."""
    rows = tx.rows(
        "delete from address where account = :id and at >="
        " (select at from address where address = :address) and address <> :address returning address",
        id=account,
        address=address,
    )
    tx.rows("update address set until = null where address = :address", address=address)
    return [row[0] for row in rows]


def forget_addresses(tx: Tx) -> None:
    """Drop those that were changed so long ago that it stays so."""
    tx.rows("delete from address where until <= :now", now=tx.now_ms())


def set_state(tx: Tx, account: str, state: str, erase_at: int | None = None) -> None:
    """Change an account's state; `erase_at` is when a deleted one is erased."""
    tx.rows(
        "update account set state = :state, state_at = :at, erase_at = :erase where id = :id",
        id=account,
        state=state,
        at=tx.now_ms(),
        erase=erase_at,
    )


def bar_invites(tx: Tx, account: str, *, barred: bool) -> None:
    """Bar an account from inviting, or let it again."""
    tx.rows("update account set invites_barred = :barred where id = :id", id=account, barred=int(barred))


def insert_session(tx: Tx, session: str, account: str, token_hash: str, label: str) -> None:
    """Keep a session; only the token's hash is stored."""
    tx.rows(
        "insert into session (id, account, token_hash, label, created_at, used_at)"
        " values (:id, :account, :hash, :label, :at, :at)",
        id=session,
        account=account,
        hash=token_hash,
        label=label,
        at=tx.now_ms(),
    )


def session_by_hash(tx: Tx, token_hash: str) -> SessionRow | None:
    """The session a token belongs to, with its account."""
    return _session(tx, "s.token_hash = :key", token_hash)


def session_by_id(tx: Tx, session: str) -> SessionRow | None:
    """A session by id, with its account."""
    return _session(tx, "s.id = :key", session)


def _session(tx: Tx, condition: str, key: str) -> SessionRow | None:
    row = first(
        tx.rows(
            "select s.id, s.account, a.handle, a.name, a.state, s.used_at, s.revoked_at"
            f" from session s join account a on a.id = s.account where {condition}",
            key=key,
        )
    )
    return SessionRow(*row) if row else None


def sessions_of(tx: Tx, account: str, used_since_ms: int) -> list[tuple[str, str, int, int]]:
    """(id, label, created_at, used_at) of an account's living sessions, the newest use first."""
    rows = tx.rows(
        "select id, label, created_at, used_at from session"
        " where account = :account and revoked_at is null and used_at >= :since order by used_at desc, id desc",
        account=account,
        since=used_since_ms,
    )
    return [(row[0], row[1], row[2], row[3]) for row in rows]


def revoke_sessions(tx: Tx, account: str, only: str = "", spare: str = "") -> list[str]:
    """Revoke an account's sessions: one (`only`), or all but one (`spare`). The ids revoked."""
    rows = tx.rows(
        "update session set revoked_at = :at where account = :account and revoked_at is null"
        " and (:only = '' or id = :only) and id <> :spare returning id",
        account=account,
        at=tx.now_ms(),
        only=only,
        spare=spare,
    )
    return [row[0] for row in rows]


def touch_session(tx: Tx, session: str, at_ms: int) -> None:
    """Note that a session is in use, to the hour: its 90 days start again."""
    tx.rows("update session set used_at = :at where id = :id and used_at < :at", id=session, at=at_ms)


def add_follow(tx: Tx, follower: str, followee: str) -> None:
    """`follower` follows `followee` from now on."""
    tx.rows(
        "insert into follow (follower, followee, at) values (:a, :b, :at) on conflict do nothing",
        a=follower,
        b=followee,
        at=tx.now_ms(),
    )


def followed_among(tx: Tx, follower: str, accounts: Iterable[str]) -> set[str]:
    """Those of `accounts` whom `follower` follows."""
    rows = tx.rows(
        f"select followee from follow where follower = :me and {one_of(tx, 'followee')}",
        me=follower,
        ids=values_of(tx, accounts),
    )
    return {row[0] for row in rows}


def followed_pairs(tx: Tx, pairs: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those of some (follower, followee) pairs that stand."""
    columns = (("follower", "text"), ("followee", "text"))
    source, params = table_of(tx, columns, sorted(set(pairs)))
    rows = tx.rows(
        f"select f.follower, f.followee from {source}"
        " join follow f on f.follower = v.follower and f.followee = v.followee",
        **params,
    )
    return {(row[0], row[1]) for row in rows}


def followers_among(tx: Tx, followee: str, accounts: Iterable[str]) -> set[str]:
    """Those of `accounts` who follow `followee`."""
    rows = tx.rows(
        f"select follower from follow where followee = :me and {one_of(tx, 'follower')}",
        me=followee,
        ids=values_of(tx, accounts),
    )
    return {row[0] for row in rows}


def meta(tx: Tx, name: str, *, lock: bool = False) -> str | None:
    """A value of the installation; with `lock`, others who would change it wait for this transaction."""
    held = for_update(tx) if lock else ""
    row = first(tx.rows(f"select value from meta where name = :name{held}", name=name))
    return str(row[0]) if row else None


def set_meta(tx: Tx, name: str, value: str) -> None:
    """Keep a value, whatever stood before."""
    tx.rows(
        "insert into meta (name, value) values (:name, :value)"
        " on conflict (name) do update set value = excluded.value",
        name=name,
        value=value,
    )


def keep_meta_once(tx: Tx, name: str, value: str) -> str:
    """Keep a value if there is none yet; returns the one that stands, whoever of several nodes wrote it."""
    tx.rows(
        "insert into meta (name, value) values (:name, :value) on conflict do nothing", name=name, value=value
    )
    kept = meta(tx, name)
    assert kept is not None
    return kept
