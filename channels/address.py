"""Another address for one's account: a code to the new one, and 72 hours for the old one to undo it (FEATURES §2).

Whoever reads the old address's mail gets it back by logging in with it: nobody gets in by it, but the right code is proof
enough to undo the change. What always holds: one address of an account is in use; undoing puts everybody out who could
have done the change; and nothing tells whether an address is somebody else's.
"""

from __future__ import annotations

from channels.desk import Actor, Desk, Visitor
from channels.entries import address_changed, emit
from channels.sessions import begin_session, end_sessions
from channels.verification import code_right, count_mail, living, new_attempt, proved, send_code, stands
from realtime import gate as g
from realtime.errors import Refusal
from realtime.text import fold_address
from storage import attempts
from storage.accounts import (
    account_of_address,
    owner_of_address,
    put_address,
    restore_address,
    retire_addresses,
)
from storage.database import Tx
from storage.letters import put_letter
from storage.profiles import profile_by_id

PURPOSE = "address"


async def change(desk: Desk, actor: Actor, request: g.AddressChange) -> g.Attempt:
    """Send a code to the new address. Errors: `text_invalid`, `conflict` (it is in use already), `rate_limited`."""
    address = fold_address(request.address)

    def unit(tx: Tx) -> g.Attempt:
        owner = owner_of_address(tx, address)
        own = owner is not None and owner.account == actor.account
        if own and owner is not None and owner.until is None:
            raise Refusal("conflict", "This is the account's address already.", reason="same")
        # Mail goes where a member wishes: not often, also to many addresses.
        count_mail(tx, desk, actor.account)
        attempt, secret = new_attempt(tx, PURPOSE, desk.settings.limits.attempt_s)
        attempt = attempt._replace(address=address, written=request.address.strip(), account=actor.account)
        attempt = send_code(tx, desk, attempt, letter="code" if owner is None or own else "taken")
        return stands(desk, attempt, secret, None)

    begun = await desk.db.write(unit)
    desk.letters_wait()
    return begun


async def confirm(desk: Desk, actor: Actor, request: g.AddressConfirm) -> g.AddressChanged:
    """The new address is in use; the old one and the other devices are told. Errors: `not_found`, `code_wrong`."""

    def unit(tx: Tx) -> g.AddressChanged | None:
        attempt = living(tx, request.attempt, PURPOSE)
        if attempt.account != actor.account:
            raise Refusal("not_found")
        address, written = attempt.address or "", attempt.written or ""
        # Two changes at once would leave two addresses in use.
        profile_by_id(tx, actor.account, lock=True)
        right = code_right(tx, desk, attempt, request.code)
        free = account_of_address(tx, address) in (None, actor.account)
        if not right or not free or not put_address(tx, address, actor.account, written):
            attempts.put_attempt(tx, attempt._replace(code_tries=attempt.code_tries + 1))
            return None
        attempts.end_attempt(tx, attempt.id)
        until = tx.now_ms() + desk.settings.limits.address_undo_s * 1000
        for old in retire_addresses(tx, actor.account, address, until):
            put_letter(tx, old, "address_changed", {"hours": desk.settings.limits.address_undo_s // 3_600})
        emit(tx, [address_changed(actor.account, until)])
        return g.AddressChanged(address=written, undo_until=until)

    changed = await desk.db.write(unit)
    if changed is None:
        raise Refusal("code_wrong")
    desk.letters_wait()
    return changed


async def undo(desk: Desk, visitor: Visitor, request: g.SessionCreate) -> g.Entered:
    """The address of this log-in is in use again, as before it was changed; all sessions end, and one begins here. Errors:
    `not_found`, `code_wrong`, `forbidden`, `conflict` (there is nothing to undo)."""

    def unit(tx: Tx) -> g.Entered | Refusal:
        attempt = living(tx, request.attempt, "login")
        owner = proved(tx, desk, attempt, request.code)
        if owner is None:
            return Refusal("code_wrong")
        if owner.until is None:
            return Refusal("conflict", "This address is in use; log in.", reason="in_use")
        attempts.end_attempt(tx, attempt.id)
        profile_by_id(tx, owner.account, lock=True)
        address = attempt.address or ""
        for other in restore_address(tx, owner.account, address):
            put_letter(tx, other, "address_restored", {})
        end_sessions(tx, owner.account)
        return begin_session(tx, owner.account, request.label, told=address)

    found = await desk.db.write(unit)
    if isinstance(found, Refusal):
        raise found
    desk.letters_wait()
    return found
