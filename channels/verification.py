"""Codes that prove an address: attempts by their secret, the letter that carries a code, what is typed (FEATURES §2).

An attempt is named by a secret that only its beginner holds. What always holds: known and unknown addresses run the same
statements; how often an address is written to and tried is bounded, whatever for.
"""

from __future__ import annotations

import hmac
import secrets
import unicodedata
from hashlib import sha256

from channels import codes, invites
from channels.desk import Desk
from realtime import gate as g
from realtime.errors import Refusal
from realtime.text import fold_address
from storage import attempts
from storage.accounts import AddressOwner, addresses_of, owner_of_address
from storage.attempts import AttemptRow
from storage.database import Tx
from storage.letters import put_letter

HOUR_MS = 3_600_000
DAY_MS = 86_400_000
TOKEN_BYTES = 24


def new_attempt(tx: Tx, purpose: str, seconds: int) -> tuple[AttemptRow, str]:
    """An attempt that lives so long, not kept yet, and its secret."""
    secret = secrets.token_urlsafe(TOKEN_BYTES)
    now = tx.now_ms()
    row = AttemptRow(
        id=tx.new_id(),
        purpose=purpose,
        token_hash=invites.hash_of(secret),
        invite=None,
        address=None,
        written=None,
        account=None,
        terms=None,
        code_hash=None,
        code_tries=0,
        code_expires_at=0,
        verified_at=None,
        touched_at=now,
        created_at=now,
        expires_at=now + seconds * 1000,
    )
    return row, secret


def living(tx: Tx, secret: str, purpose: str, *, lock: bool = True) -> AttemptRow:
    """The attempt of a secret; with `lock`, locked until the commit. Errors: `not_found`."""
    attempt = attempts.attempt_by_hash(tx, invites.hash_of(secret), lock=lock)
    if attempt is None or attempt.purpose != purpose:
        raise Refusal("not_found", "This took too long; begin again.")
    return attempt


def stands(desk: Desk, attempt: AttemptRow, secret: str, shown: g.InvitePreview | None) -> g.Attempt:
    """What whoever holds the secret is told of the attempt."""
    step = "profile" if attempt.verified_at else "code" if attempt.code_hash else "address"
    return g.Attempt(
        attempt=secret,
        step=step,
        expires_at=attempt.expires_at,
        terms=desk.settings.terms,
        invite=shown,
        address=attempt.written,
    )


def send_code(tx: Tx, desk: Desk, attempt: AttemptRow, letter: str) -> AttemptRow:
    """A new code for the attempt, and the letter that carries it (or, for an address that must not be told apart,
    another letter or none). Errors: `rate_limited`."""
    limits = desk.settings.limits
    count_mail(tx, desk, attempt.address or "")
    seed = tx.new_id()
    attempt = attempt._replace(
        code_hash=codes.stored(desk.secret, attempt.id, codes.code_of(desk.secret, seed)),
        code_tries=0,
        code_expires_at=tx.now_ms() + limits.code_s * 1000,
        touched_at=tx.now_ms(),
    )
    attempts.put_attempt(tx, attempt)
    facts: dict[str, str | int] = {"seed": seed, "minutes": limits.code_s // 60} if letter == "code" else {}
    # To the folded address, never to what was typed: see `fold_address`.
    put_letter(tx, attempt.address or "", letter, facts)
    return attempt


def count_mail(tx: Tx, desk: Desk, whose: str) -> None:
    """One more mail to an address, or at the wish of an account: five an hour. Errors: `rate_limited`."""
    name = _tally(desk, "mail", whose)
    if attempts.count_since(tx, name, tx.now_ms() - HOUR_MS) >= desk.settings.limits.mails_per_hour_max:
        raise Refusal("rate_limited", "Too many mails; try again later.", retry_ms=HOUR_MS)
    attempts.note(tx, name)


def code_right(tx: Tx, desk: Desk, attempt: AttemptRow, typed: str) -> bool:
    """Judge a typed code: 10 minutes, 5 tries, 20 tries a day per address. Errors: `rate_limited`."""
    limits = desk.settings.limits
    name = _tally(desk, "try", attempt.address or "")
    if attempts.count_since(tx, name, tx.now_ms() - DAY_MS) >= limits.tries_per_day_max:
        raise Refusal("rate_limited", "Too many tries today.", retry_ms=HOUR_MS)
    attempts.note(tx, name)
    plain = "".join(c for c in unicodedata.normalize("NFKC", typed) if c.isdigit())
    same = hmac.compare_digest(attempt.code_hash or "", codes.stored(desk.secret, attempt.id, plain))
    alive = attempt.code_hash is not None and tx.now_ms() < attempt.code_expires_at
    return same and alive and attempt.code_tries < limits.code_tries_max


def proved(tx: Tx, desk: Desk, attempt: AttemptRow, typed: str) -> AddressOwner | None:
    """Whose the address of a log-in is, if the code is right; a wrong one is counted, so let it be committed."""
    right = code_right(tx, desk, attempt, typed) and attempt.account is not None
    owner = owner_of_address(tx, attempt.address or "") if right else None
    if owner is None or owner.account != attempt.account:
        attempts.put_attempt(tx, attempt._replace(code_tries=attempt.code_tries + 1))
        return None
    return owner


def address_in_use(tx: Tx, account: str) -> str:
    """Where an account is written to, or '' if it has no address."""
    return next((fold_address(written) for written in addresses_of(tx, account)), "")


def _tally(desk: Desk, what: str, address: str) -> str:
    return what + ":" + hmac.new(desk.secret.encode(), address.encode(), sha256).hexdigest()[:32]
