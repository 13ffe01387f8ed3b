"""Sign-up and log-in: a few small steps, each resumable, none telling whether an address is known (FEATURES §2).

A sign-up holds one use of its invite from the first step until it ends or 30 minutes pass. Known and unknown addresses run
the same statements and get the same answers; what differs is the letter, which only the address's owner reads.
"""

from __future__ import annotations

from channels import accounts, invites
from channels.desk import Desk, Visitor
from channels.entries import emit, invite_redeemed
from channels.requests import check_room_limit
from channels.rooms import enter_room
from channels.rules.invites import InviteState
from channels.sessions import begin_session
from channels.telling import Told, tell
from channels.verification import code_right, living, new_attempt, proved, send_code, stands
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
)
from storage.attempts import AttemptRow
from storage.database import Tx
from storage.invites import InviteRow
from storage.rows import AccountRow

ADDRESS_CHANGED = "The account has another address since; this one can still undo that."


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
        attempt, secret = new_attempt(tx, "signup", desk.settings.limits.attempt_s)
        attempts.put_attempt(tx, attempt._replace(invite=row.id))
        shown = invites.preview(tx, row, issuer)
        return stands(desk, attempt, secret, shown)

    return await desk.db.write(unit)


async def resume(desk: Desk, visitor: Visitor, request: g.AttemptRef) -> g.Attempt:
    """Where a sign-up stands, also from another browser. Errors: `not_found`."""

    def unit(tx: Tx) -> g.Attempt:
        attempt = living(tx, request.attempt, "signup")
        row, issuer, _ = _invite_of(tx, attempt)
        shown = invites.preview(tx, row, issuer) if row and issuer else None
        return stands(desk, attempt, request.attempt, shown)

    return await desk.db.write(unit)


async def give_address(desk: Desk, visitor: Visitor, request: g.AccountAddress) -> g.Attempt:
    """Age, terms and address; a code goes there. Errors: `not_found`, `underage`, `text_invalid`, `conflict`."""
    if not request.adult:
        raise Refusal("underage")
    address = fold_address(request.address)

    def unit(tx: Tx) -> g.Attempt:
        attempt = living(tx, request.attempt, "signup")
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
        attempt = send_code(tx, desk, attempt, letter="code" if owner is None else "known")
        return stands(desk, attempt, request.attempt, None)

    asked = await desk.db.write(unit)
    desk.letters_wait()
    return asked


async def verify(desk: Desk, visitor: Visitor, request: g.AccountVerify) -> g.Attempt:
    """The code that was sent. Errors: `not_found`, `code_wrong`."""

    def unit(tx: Tx) -> g.Attempt | None:
        attempt = living(tx, request.attempt, "signup")
        right = code_right(tx, desk, attempt, request.code) and attempt.account is None
        if right:
            attempt = attempt._replace(verified_at=tx.now_ms(), code_hash=None)
        else:
            attempt = attempt._replace(code_tries=attempt.code_tries + 1)
        attempts.put_attempt(tx, attempt)
        return stands(desk, attempt, request.attempt, None) if right else None

    # A wrong code is counted, so its transaction commits before the refusal.
    found = await desk.db.write(unit)
    if found is None:
        raise Refusal("code_wrong")
    return found


async def create(desk: Desk, visitor: Visitor, request: g.AccountCreate) -> g.Entered:
    """The account begins. Errors: `not_found`, `code_wrong`, `invite_invalid`, `handle_taken`, `text_*`."""

    def unit(tx: Tx) -> g.Entered:
        attempt = living(tx, request.attempt, "signup")
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
        attempt, secret = new_attempt(tx, "login", desk.settings.limits.attempt_s)
        attempt = attempt._replace(address=address, written=request.address.strip(), account=owner)
        attempt = send_code(tx, desk, attempt, letter="code" if owner else "nothing")
        return stands(desk, attempt._replace(written=None), secret, None)

    begun = await desk.db.write(unit)
    desk.letters_wait()
    return begun


async def login(desk: Desk, visitor: Visitor, request: g.SessionCreate) -> g.Entered:
    """A session begins; the other devices are told. By an address that was changed lately nobody gets in: whoever reads its
    mail may undo that (`address.undo`). Errors: `not_found`, `code_wrong`, `forbidden`, `conflict`."""

    def unit(tx: Tx) -> g.Entered | Refusal:
        attempt = living(tx, request.attempt, "login")
        owner = proved(tx, desk, attempt, request.code)
        if owner is None:
            return Refusal("code_wrong")
        if owner.until is not None:
            return Refusal("conflict", ADDRESS_CHANGED, reason="address_changed", until=owner.until)
        attempts.end_attempt(tx, attempt.id)
        return begin_session(tx, owner.account, request.label, told=attempt.address or "")

    found = await desk.db.write(unit)
    if isinstance(found, Refusal):
        raise found
    desk.letters_wait()
    return found
