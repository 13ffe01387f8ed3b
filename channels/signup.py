"""Sign-up and log-in: a few small steps, each resumable, none telling whether an address is known (FEATURES §2).

An attempt is named by a secret that only its beginner holds. A sign-up holds one use of its invite from the first step
until it ends or 30 minutes pass. Known and unknown addresses run the same statements and get the same answers; what
differs is the letter, which only the address's owner reads.
"""

from __future__ import annotations

import hmac
import secrets
import unicodedata
from hashlib import sha256

from channels import accounts, codes, invites
from channels.cards import own_card
from channels.desk import Desk, Visitor
from channels.entries import account_back, emit, invite_redeemed, session_created
from channels.requests import check_room_limit
from channels.rooms import enter_room
from channels.rules.invites import InviteState
from channels.telling import Told, tell
from realtime import gate as g
from realtime.errors import Refusal
from realtime.notifications import NotificationKind
from realtime.text import fold_address
from storage import attempts
from storage import invites as invite_rows
from storage.accounts import (
    Start,
    account_by_id,
    account_of_address,
    add_follow,
    put_address,
    set_state,
)
from storage.attempts import AttemptRow
from storage.database import Tx
from storage.invites import InviteRow
from storage.letters import put_letter
from storage.rows import AccountRow

HOUR_MS = 3_600_000
DAY_MS = 86_400_000
TOKEN_BYTES = 24


# Sign-up


async def begin(desk: Desk, visitor: Visitor, request: g.InviteKey) -> g.Attempt:
    """Begin a sign-up by an invite. Errors: `invite_invalid`."""

    def unit(tx: Tx) -> g.Attempt:
        row = invites.find(tx, request, lock=True)
        issuer = account_by_id(tx, row.issuer if row else "")
        state = invites.state_of(tx, row, issuer)
        if row is None or issuer is None or state is not InviteState.LIVE:
            raise invites.refusal(request, state)
        attempts.make_room(tx, row.id, row.uses_max - row.uses, invites.HOLD_MS)
        attempt, secret = _new(tx, desk, "signup")
        attempts.put_attempt(tx, attempt._replace(invite=row.id))
        shown = invites.preview(tx, row, issuer)
        return _stands(desk, attempt, secret, shown)

    return await desk.db.write(unit)


async def resume(desk: Desk, visitor: Visitor, request: g.AttemptRef) -> g.Attempt:
    """Where a sign-up stands, also from another browser. Errors: `not_found`."""

    def unit(tx: Tx) -> g.Attempt:
        attempt = _living(tx, request.attempt, "signup")
        row, issuer, _ = _invite_of(tx, attempt)
        shown = invites.preview(tx, row, issuer) if row and issuer else None
        return _stands(desk, attempt, request.attempt, shown)

    return await desk.db.write(unit)


async def give_address(desk: Desk, visitor: Visitor, request: g.AccountAddress) -> g.Attempt:
    """Age, terms and address; a code goes there. Errors: `not_found`, `underage`, `text_invalid`, `conflict`."""
    if not request.adult:
        raise Refusal("underage")
    address = fold_address(request.address)

    def unit(tx: Tx) -> g.Attempt:
        attempt = _living(tx, request.attempt, "signup")
        if request.terms != desk.settings.terms:
            raise Refusal("conflict", "The terms have changed; read them again.", terms=desk.settings.terms)
        owner = account_of_address(tx, address)
        attempt = attempt._replace(
            address=address,
            written=request.address.strip(),
            account=owner,
            terms=request.terms,
            verified_at=None,
        )
        attempt = _send_code(tx, desk, attempt, letter="code" if owner is None else "known")
        return _stands(desk, attempt, request.attempt, None)

    stands = await desk.db.write(unit)
    desk.letters_wait()
    return stands


async def verify(desk: Desk, visitor: Visitor, request: g.AccountVerify) -> g.Attempt:
    """The code that was sent. Errors: `not_found`, `code_wrong`."""

    def unit(tx: Tx) -> g.Attempt | None:
        attempt = _living(tx, request.attempt, "signup")
        right = _code_right(tx, desk, attempt, request.code) and attempt.account is None
        if right:
            attempt = attempt._replace(verified_at=tx.now_ms(), code_hash=None)
        else:
            attempt = attempt._replace(code_tries=attempt.code_tries + 1)
        attempts.put_attempt(tx, attempt)
        return _stands(desk, attempt, request.attempt, None) if right else None

    # A wrong code is counted, so its transaction commits before the refusal.
    found = await desk.db.write(unit)
    if found is None:
        raise Refusal("code_wrong")
    return found


async def create(desk: Desk, visitor: Visitor, request: g.AccountCreate) -> g.Entered:
    """The account begins. Errors: `not_found`, `code_wrong`, `invite_invalid`, `handle_taken`, `text_*`."""

    def unit(tx: Tx) -> g.Entered:
        attempt = _living(tx, request.attempt, "signup")
        if attempt.verified_at is None or attempt.address is None:
            raise Refusal("code_wrong", "The address is not confirmed yet.")
        attempts.end_attempt(tx, attempt.id)
        row, issuer, state = _invite_of(tx, attempt)
        if row is None or issuer is None or state is not InviteState.LIVE:
            raise Refusal("invite_invalid", invites.ASK_AGAIN, reason=state.value)
        start = Start(attempt.terms or "", request.presence_to, request.write_from, request.communities_shown)
        new = accounts.begin_account(tx, request.handle, request.name, request.label, start)
        if not put_address(tx, attempt.address, new.account.id, attempt.written or attempt.address):
            raise Refusal("conflict", "This address has an account already; log in.")
        _arrive(tx, desk, row, new, follow=request.follow_inviter)
        return g.Entered(account=new.account, session=new.session, token=new.token)

    return await desk.db.write(unit)


def _arrive(tx: Tx, desk: Desk, row: InviteRow, new: accounts.NewAccount, *, follow: bool) -> None:
    """What an invite does for a newcomer: its use, its room, the follow, and the word to the inviter."""
    invite_rows.use_invite(tx, row, new.account.id)
    if follow:
        # Nobody is connected yet who would have to be told.
        add_follow(tx, new.account.id, row.issuer)
    if row.room is not None:
        check_room_limit(tx, new.account.id, desk.settings.limits)
        enter_room(tx, desk.settings.limits, row.room, new.account.id, by=row.issuer)
    emit(tx, [invite_redeemed(row.issuer, row.id, new.account)])
    tell(tx, [Told(row.issuer, new.account.id, NotificationKind.INVITE_USED, new.account.id)])


def _invite_of(tx: Tx, attempt: AttemptRow) -> tuple[InviteRow | None, AccountRow | None, InviteState]:
    """The attempt's invite, locked, and what it is worth to this attempt: its own hold does not count against it."""
    row = invite_rows.invite_by(tx, "id", attempt.invite or "", lock=True)
    issuer = account_by_id(tx, row.issuer if row else "")
    state = invites.state_of(tx, row, issuer)
    if row is not None and state is InviteState.REDEEMED and row.uses < row.uses_max:
        state = InviteState.LIVE
    if state is InviteState.PAUSED:
        # Whoever was on the way before the link was paused may finish.
        state = InviteState.LIVE
    return row, issuer, state


# Log-in


async def begin_login(desk: Desk, visitor: Visitor, request: g.SessionBegin) -> g.Attempt:
    """Send a code, if the address is an account's; the same answer if it is not. Errors: `text_invalid`."""
    address = fold_address(request.address)

    def unit(tx: Tx) -> g.Attempt:
        owner = account_of_address(tx, address)
        attempt, secret = _new(tx, desk, "login")
        attempt = attempt._replace(address=address, written=request.address.strip(), account=owner)
        attempt = _send_code(tx, desk, attempt, letter="code" if owner else "nothing")
        return _stands(desk, attempt._replace(written=None), secret, None)

    begun = await desk.db.write(unit)
    desk.letters_wait()
    return begun


async def login(desk: Desk, visitor: Visitor, request: g.SessionCreate) -> g.Entered:
    """A session begins; the other devices are told. Errors: `not_found`, `code_wrong`, `forbidden`."""

    def unit(tx: Tx) -> g.Entered | Refusal:
        attempt = _living(tx, request.attempt, "login")
        if not _code_right(tx, desk, attempt, request.code) or attempt.account is None:
            attempts.put_attempt(tx, attempt._replace(code_tries=attempt.code_tries + 1))
            return Refusal("code_wrong")
        attempts.end_attempt(tx, attempt.id)
        row = account_by_id(tx, attempt.account)
        if row is None or row.state not in ("active", "restricted", "hidden", "deleted"):
            return Refusal("forbidden", "The account is suspended.", reason="suspended")
        if row.state == "deleted":
            # Coming back within the days of grace takes the deletion back.
            set_state(tx, row.id, "active")
            emit(tx, [account_back(row.id)])
        session, token = accounts.create_session(tx, row.id, request.label)
        emit(tx, [session_created(row.id, session, request.label)])
        put_letter(tx, attempt.address or "", "new_device", {"label": request.label, "at": tx.now_ms()})
        return g.Entered(account=own_card(row), session=session, token=token)

    found = await desk.db.write(unit)
    if isinstance(found, Refusal):
        raise found
    desk.letters_wait()
    return found


# Attempts and codes


def _new(tx: Tx, desk: Desk, purpose: str) -> tuple[AttemptRow, str]:
    secret = secrets.token_urlsafe(TOKEN_BYTES)
    now = tx.now_ms()
    expires = now + desk.settings.limits.attempt_s * 1000
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
        expires_at=expires,
    )
    return row, secret


def _living(tx: Tx, secret: str, purpose: str) -> AttemptRow:
    attempt = attempts.attempt_by_hash(tx, invites.hash_of(secret))
    if attempt is None or attempt.purpose != purpose:
        raise Refusal("not_found", "This took too long; begin again.")
    return attempt


def _stands(desk: Desk, attempt: AttemptRow, secret: str, shown: g.InvitePreview | None) -> g.Attempt:
    step = "profile" if attempt.verified_at else "code" if attempt.code_hash else "address"
    return g.Attempt(
        attempt=secret,
        step=step,
        expires_at=attempt.expires_at,
        terms=desk.settings.terms,
        invite=shown,
        address=attempt.written,
    )


def _send_code(tx: Tx, desk: Desk, attempt: AttemptRow, letter: str) -> AttemptRow:
    """A new code for the attempt, and the letter that carries it (or, for an address that must not be told apart,
    another letter or none). Errors: `rate_limited`."""
    limits = desk.settings.limits
    name = _tally(desk, "mail", attempt.address or "")
    if attempts.count_since(tx, name, tx.now_ms() - HOUR_MS) >= limits.mails_per_hour_max:
        raise Refusal("rate_limited", "Too many mails to this address; try again later.", retry_ms=HOUR_MS)
    attempts.note(tx, name)
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


def _code_right(tx: Tx, desk: Desk, attempt: AttemptRow, typed: str) -> bool:
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


def _tally(desk: Desk, what: str, address: str) -> str:
    return what + ":" + hmac.new(desk.secret.encode(), address.encode(), sha256).hexdigest()[:32]
