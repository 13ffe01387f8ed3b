"""A further device of one's own, let in by one that is inside: it shows a QR code, the other one scans it (FEATURES §2).

What always holds: what is offered works once, for two minutes, only the newest, and not after a session of the account has
ended; and whoever is let in sees first by whom.
"""

from __future__ import annotations

from channels.cards import own_card
from channels.desk import Actor, Desk, Visitor
from channels.sessions import begin_session
from channels.verification import address_in_use, living, new_attempt
from realtime import gate as g
from realtime.errors import Refusal
from realtime.qr import svg
from realtime.requests import Empty
from storage import attempts
from storage.accounts import account_by_id
from storage.database import Tx
from storage.profiles import profile_by_id

PURPOSE = "device"


async def offer(desk: Desk, actor: Actor, request: Empty) -> g.SessionOffer:
    """A link for a further device; the one before it ends."""

    def unit(tx: Tx) -> tuple[str, int]:
        attempts.end_offers(tx, actor.account)
        attempt, secret = new_attempt(tx, PURPOSE, desk.settings.limits.device_offer_s)
        attempts.put_attempt(tx, attempt._replace(account=actor.account))
        return secret, attempt.expires_at

    secret, expires_at = await desk.db.write(unit)
    link = f"{desk.settings.public_url.rstrip('/')}/d#{secret}"
    return g.SessionOffer(link=link, qr=svg(link), expires_at=expires_at)


async def look(desk: Desk, visitor: Visitor, request: g.SessionKey) -> g.SessionOffered:
    """Who would be inside here. Errors: `not_found`."""

    def unit(tx: Tx) -> g.SessionOffered:
        row = account_by_id(tx, living(tx, request.token, PURPOSE, lock=False).account or "")
        if row is None:
            raise Refusal("not_found")
        return g.SessionOffered(account=own_card(row))

    return await desk.db.read(unit)


async def take(desk: Desk, visitor: Visitor, request: g.SessionTake) -> g.Entered:
    """A session begins here; the other devices and the address are told. Errors: `not_found`, `forbidden`."""

    def unit(tx: Tx) -> g.Entered | Refusal:
        account = living(tx, request.token, PURPOSE, lock=False).account or ""
        # First the account, as whoever ends its sessions does, and what was offered with them.
        profile_by_id(tx, account, lock=True)
        attempts.end_attempt(tx, living(tx, request.token, PURPOSE).id)
        return begin_session(tx, account, request.label, told=address_in_use(tx, account))

    found = await desk.db.write(unit)
    if isinstance(found, Refusal):
        raise found
    desk.letters_wait()
    return found
