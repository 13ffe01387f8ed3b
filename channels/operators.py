"""The people who run an installation: how the first one comes in, before there is anybody who could invite.

Called by the set-up on the machine itself; whoever can run that can read the database anyway.
"""

from __future__ import annotations

from dataclasses import dataclass

from channels.accounts import create_account
from realtime.errors import Refusal
from realtime.text import clean_handle, fold_address
from storage.accounts import (
    account_by_handle,
    account_of_address,
    addresses_of,
    drop_address,
    operators,
    put_address,
    set_role,
)
from storage.database import Tx

OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator as asked for, or as found. `address` as written."""

    handle: str
    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Appointed:
    """Session and token are empty for an account that was there already."""

    account: str
    handle: str
    address: str
    session: str = ""
    token: str = ""

    @property
    def new(self) -> bool:
        """True if the account was made just now."""
        return bool(self.token)


def first_operator(tx: Tx) -> Operator | None:
    """Who runs this installation, if anybody does yet."""
    rows = operators(tx)
    if not rows:
        return None
    return Operator(rows[0].handle, rows[0].name, next(iter(addresses_of(tx, rows[0].id)), ""))


def appoint(tx: Tx, wish: Operator) -> Appointed:
    """Make this account, or find it, as an operator whose address is verified.

    An operator who is there already keeps everything but the address, so that a mistyped one can be mended. An account
    of somebody else is never made an operator by its handle. Errors: `text_*`, `handle_taken`, `conflict`.
    """
    address = fold_address(wish.address)
    row = account_by_handle(tx, clean_handle(wish.handle))
    if row is not None and row.role != OPERATOR:
        raise Refusal("handle_taken", f"@{row.handle} is an account already, and not an operator.")
    if account_of_address(tx, address) not in (None, row.id if row else ""):
        raise Refusal("conflict", f"The address {address} belongs to another account.")
    if row is not None:
        for old in map(fold_address, addresses_of(tx, row.id)):
            if old != address:
                drop_address(tx, old)
        put_address(tx, address, row.id, wish.address.strip())
        return Appointed(row.id, row.handle, address)
    new = create_account(tx, wish.handle, wish.name, "set-up")
    set_role(tx, new.account.id, OPERATOR)
    put_address(tx, address, new.account.id, wish.address.strip())
    return Appointed(new.account.id, new.account.handle, address, new.session, new.token)
