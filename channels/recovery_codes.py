"""Recovery codes: ways in for somebody who cannot read their mail any more (FEATURES §2).

A handful are made at once and shown once; each lets in once. What always holds: only hashes are kept; making new ones, and
logging out all devices, ends those before, so that none outlives a suspicion; and whoever tries one learns nothing about whether
there is such an account.
"""

from __future__ import annotations

import secrets

from channels import codes
from channels.desk import Actor, Desk, Visitor
from channels.rules.invites import fold_code, show_code
from channels.sessions import begin_session
from channels.verification import address_in_use, count_mail
from realtime import gate as g
from realtime.errors import Refusal
from realtime.ids import ALPHABET
from realtime.requests import Empty
from realtime.text import clean_handle
from storage import recovery_codes
from storage.accounts import account_by_handle, account_by_id
from storage.database import Tx
from storage.letters import put_letter
from storage.profiles import profile_by_id

CODE_CHARS = 16
"""Eighty bits. Nobody guesses one, so tries need no other bound than every guest's; nor does anybody find one by trying who has
a copy of the database, hashes and key, for as long as it may lie in a drawer."""


async def get(desk: Desk, actor: Actor, request: Empty) -> g.RecoveryState:
    """How many one has left, and whether it is time to offer them."""

    def unit(tx: Tx) -> g.RecoveryState:
        left, made_at = recovery_codes.recovery_codes_left(tx, actor.account)
        account = account_by_id(tx, actor.account)
        assert account is not None
        old = tx.now_ms() - account.created_at >= desk.settings.limits.recovery_offer_s * 1000
        return g.RecoveryState(left=left, made_at=made_at, due=old and not left)

    return await desk.db.read(unit)


async def make(desk: Desk, actor: Actor, request: Empty) -> g.RecoveryCodes:
    """New ones instead of all before; the address is told, so it is bounded like all mail. Errors: `rate_limited`."""
    made = [
        "".join(secrets.choice(ALPHABET) for _ in range(CODE_CHARS))
        for _ in range(desk.settings.limits.recovery_codes)
    ]

    def unit(tx: Tx) -> g.RecoveryCodes:
        # Two who make some at once would leave both.
        profile_by_id(tx, actor.account, lock=True)
        count_mail(tx, desk, actor.account)
        recovery_codes.put_recovery_codes(
            tx, actor.account, [_kept(desk, actor.account, code) for code in made]
        )
        address = address_in_use(tx, actor.account)
        if address:
            put_letter(tx, address, "recovery_made", {"at": tx.now_ms()})
        return g.RecoveryCodes(codes=[show_code(code) for code in made])

    found = await desk.db.write(unit)
    desk.letters_wait()
    return found


async def recover(desk: Desk, visitor: Visitor, request: g.SessionRecover) -> g.Entered:
    """Get in by one of them: it is used up, a session begins, the other devices and the address are told. Errors:
    `text_invalid` (that is no handle), `code_wrong` (also where nobody has it), `forbidden`."""
    handle, code = clean_handle(request.handle), fold_code(request.code, CODE_CHARS)

    def unit(tx: Tx) -> g.Entered:
        # The same statements whether there is such an account or not.
        account = account_by_handle(tx, handle)
        id_ = account.id if account else ""
        profile_by_id(tx, id_, lock=True)
        if not recovery_codes.use_recovery_code(tx, id_, _kept(desk, id_, code)):
            raise Refusal("code_wrong")
        entered = begin_session(tx, id_, request.label, told=address_in_use(tx, id_))
        if isinstance(entered, Refusal):
            # The code stays good for when they may come in again.
            raise entered
        return entered

    found = await desk.db.write(unit)
    desk.letters_wait()
    return found


def _kept(desk: Desk, account: str, code: str) -> str:
    """What is stored of a code."""
    return codes.stored(desk.secret, account, code)
