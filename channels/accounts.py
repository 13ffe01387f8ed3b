"""Accounts as the command line makes them, and what members may see of each other (FEATURES §2).

The gate (invites, sign-up) stands in front of `create_account` later; the rows and rules are the same.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

from channels.cards import account_card
from channels.entries import emit
from channels.post_entries import following
from channels.rules.accounts import HERE
from realtime.errors import Refusal
from realtime.folding import fold
from realtime.ids import author_channel, inbox_channel
from realtime.models import AccountCard
from realtime.text import check_handle_free, clean_display_name, clean_handle
from storage import log, search
from storage.accounts import (
    Start,
    account_by_handle,
    account_by_id,
    add_follow,
    followed_among,
    insert_account,
    insert_session,
)
from storage.database import Tx
from storage.rows import AccountRow

TOKEN_BYTES = 32
TOKEN_PREFIX = "tsd_"  # noqa: S105 - a mark that lets secret scanners find leaked tokens


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account just made, and the token of its first session: shown once, stored only as a hash."""

    account: AccountCard
    session: str
    token: str


def hash_token(token: str) -> str:
    """Token → what is stored of it: SHA-256, in hex. Tokens have 256 random bits, so no salt is needed."""
    return hashlib.sha256(token.encode()).hexdigest()


def create_account(tx: Tx, handle: str, name: str, label: str) -> NewAccount:
    """Make an account, its inbox and a session. Errors: `text_*`, `handle_taken`."""
    # Nobody can be met in a group yet where accounts are made by hand: let anybody write to them.
    return begin_account(tx, handle, name or handle, label, Start(write_from="everyone"))


def begin_account(tx: Tx, handle: str, name: str, label: str, start: Start | None = None) -> NewAccount:
    """Make an account as sign-up asked for it. Errors: `text_*`, `handle_taken`."""
    kept = clean_handle(handle)
    check_handle_free(kept)
    row = AccountRow(tx.new_id(), kept, clean_display_name(name), "active", tx.now_ms())
    if not insert_account(tx, row, start):
        raise Refusal("handle_taken", f"The handle {row.handle} is taken.", at="$.handle")
    log.create_channel(tx, author_channel(row.id))
    log.create_channel(tx, inbox_channel(row.id))
    search.add(tx, search.ACCOUNT, [(row.id, fold(f"{row.name} {row.handle}"))])
    session, token = create_session(tx, row.id, label)
    return NewAccount(account_card(row), session, token)


def create_session(tx: Tx, account: str, label: str) -> tuple[str, str]:
    """A new login of an account: (session id, token)."""
    token = TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
    session = tx.new_id()
    insert_session(tx, session, account, hash_token(token), label)
    return session, token


def find_account(tx: Tx, handle: str) -> AccountRow:
    """An account by handle. Errors: `not_found`."""
    row = account_by_handle(tx, clean_handle(handle))
    if row is None:
        raise Refusal("not_found", f"There is no account with the handle {handle}.")
    return row


def follow(tx: Tx, follower: str, followee: str) -> None:
    """`follower` follows `followee` from now on (both by handle). Errors: `not_found`, `forbidden`."""
    a, b = find_account(tx, follower), find_account(tx, followee)
    if a.id == b.id:
        raise Refusal("forbidden", "Nobody follows themselves.")
    begin_follow(tx, a.id, b.id)


def begin_follow(tx: Tx, follower: str, author: str) -> None:
    """One follows an author from now on: nodes let the follower hear at once. It is told once, however often asked, and not
    while the author is hidden: followers hear whoever comes back."""
    if followed_among(tx, follower, [author]):
        return
    add_follow(tx, follower, author)
    row = account_by_id(tx, author)
    if row is None or row.state not in HERE:
        return
    home = author_channel(author)
    emit(tx, [following("follow.began", follower, author, log.tops(tx, [home]).get(home, 0))])
