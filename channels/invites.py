"""Invites: issue, list, revoke, reissue, look at, redeem (FEATURES §1).

The token of a link has 192 random bits, a typed code 60; both are kept as hashes. Whoever holds the link is told why
it does not work; for typed codes wrong, used, expired and revoked are one answer, found by the same statements.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Callable

from channels.cards import account_card
from channels.desk import Actor, Desk, Visitor
from channels.entries import emit, invite_paused, invite_redeemed
from channels.once import Key, once
from channels.requests import check, check_room_limit
from channels.rooms import enter_room
from channels.rules.invites import (
    CODE_CHARS,
    InviteFacts,
    InviteLimits,
    InviteState,
    IssuerFacts,
    fold_code,
    issue_verdict,
    most_of,
    show_code,
    worth,
)
from channels.rules.rooms import Act, verdict
from channels.send import facts_of
from channels.telling import Told, tell
from realtime import gate as g
from realtime.errors import Refusal
from realtime.ids import ALPHABET
from realtime.models import Shape
from realtime.notifications import NotificationKind
from realtime.qr import svg
from realtime.requests import Done, Empty
from storage import attempts, invites
from storage.accounts import account_by_id
from storage.database import Tx
from storage.invites import InviteRow
from storage.relations import apart
from storage.rooms import member, room_by_id
from storage.rows import AccountRow

DAY_MS = 86_400_000
TOKEN_BYTES = 24
LISTED_MAX = 100
HOLD_MS = 90_000
"""How long a sign-up holds its use without a step being made, before its address is confirmed. Whoever holds the link may
then begin again: most often the same person, in another browser."""
ALL_MAX = 100_000
_ENDABLE = (InviteState.LIVE, InviteState.PAUSED)
ASK_AGAIN = "This invite cannot be used; ask the person who sent it for another."


async def create(desk: Desk, actor: Actor, request: g.InviteCreate) -> g.NewInvite:
    """Issue an invite. Errors: `not_found`, `not_member`, `forbidden`, `invite_quota`, `conflict`."""

    def work(tx: Tx) -> g.NewInvite:
        issuer = _issuer(tx, desk, actor, uses=request.uses, days=request.days)
        if (request.kind == g.InviteKind.ROOM) != (request.room is not None):
            raise Refusal("bad_request", "An invite to a room names the room.", at="$.room")
        if request.room is not None:
            room = room_by_id(tx, request.room)
            if room is None:
                raise Refusal("not_found")
            check(verdict(Act.ADD, facts_of(room, member(tx, room.id, issuer.id), issuer.id)))
        return _issue(tx, desk, InviteRow(
            tx.new_id(), request.kind, issuer.id, request.room, "", "", request.uses, 0,
            InviteState.LIVE, tx.now_ms(), tx.now_ms() + request.days * DAY_MS,
        ))  # fmt: skip

    key = Key(actor.account, "invite.create", request.nonce)
    return await desk.db.write(lambda tx: _once(tx, desk, key, request, work))


async def list_invites(desk: Desk, actor: Actor, request: Empty) -> g.Invites:
    """One's invites with state and time, and the quota left."""

    def unit(tx: Tx) -> g.Invites:
        issuer = account_by_id(tx, actor.account)
        assert issuer is not None
        rows = invites.invites_of(tx, actor.account, LISTED_MAX)
        left = max(0, desk.settings.limits.invites_live_max - invites.count_live(tx, actor.account))
        uses_max, days_max = most_of(issuer.role, _limits(desk))
        return g.Invites(
            invites=[_view(tx, row, issuer) for row in rows],
            left=0 if issuer.invites_barred else left,
            uses_max=uses_max,
            days_max=days_max,
        )

    return await desk.db.read(unit)


async def revoke(desk: Desk, actor: Actor, request: g.InviteRef) -> Done:
    """End an invite, half-finished sign-ups included. Errors: `not_found`, `forbidden`."""

    def unit(tx: Tx) -> Done:
        _end(tx, _own(tx, actor, request.invite))
        return Done()

    return await desk.db.write(unit)


async def reissue(desk: Desk, actor: Actor, request: g.InviteReissue) -> g.NewInvite:
    """The old dies and the new lives in one transaction. Errors: `not_found`, `forbidden`, `invite_quota`, `conflict`."""

    def work(tx: Tx) -> g.NewInvite:
        old = _own(tx, actor, request.invite)
        if old.uses >= old.uses_max:
            raise Refusal("forbidden", "This invite is used up; issue another.")
        issuer = account_by_id(tx, actor.account)
        assert issuer is not None
        if issuer.invites_barred:
            raise Refusal("forbidden", "You may not invite at present.")
        days_ms = old.expires_at - old.created_at
        if old.state not in (InviteState.LIVE, InviteState.PAUSED) or old.expires_at <= tx.now_ms():
            # What is dead gives no place free, so its successor counts like any other new invite.
            _issuer(tx, desk, actor, uses=old.uses_max - old.uses, days=days_ms // DAY_MS)
        row = old._replace(
            id=tx.new_id(), uses_max=old.uses_max - old.uses, uses=0, state=InviteState.LIVE,
            created_at=tx.now_ms(), expires_at=tx.now_ms() + days_ms, ended_at=None, replaced_by=None,
        )  # fmt: skip
        made = _issue(tx, desk, row)
        _end(tx, old, replaced_by=row.id)
        return made

    key = Key(actor.account, "invite.reissue", request.nonce)
    return await desk.db.write(lambda tx: _once(tx, desk, key, request, work))


async def look(desk: Desk, visitor: Visitor, request: g.InviteKey) -> g.InvitePreview:
    """What an invite leads to. A link looked at from many networks is paused. Errors: `invite_invalid`."""

    def unit(tx: Tx) -> g.InvitePreview | Refusal:
        row = find(tx, request, lock=True)
        issuer = account_by_id(tx, row.issuer if row else "")
        state = state_of(tx, row, issuer)
        if row is not None and request.token is not None and state is InviteState.LIVE:
            state = _tapped(tx, desk, row, visitor)
        if row is None or issuer is None or state is not InviteState.LIVE:
            return refusal(request, state)
        return preview(tx, row, issuer)

    found = await desk.db.write(unit)
    if isinstance(found, Refusal):
        raise found
    return found


async def redeem(desk: Desk, actor: Actor, request: g.InviteKey) -> g.Redeemed:
    """A member joins what an invite names. Errors: `invite_invalid`, `full`."""

    def unit(tx: Tx) -> g.Redeemed:
        row = find(tx, request, lock=True)
        issuer = account_by_id(tx, row.issuer if row else "")
        state = state_of(tx, row, issuer)
        if row is not None and apart(tx, actor.account, row.issuer):
            state = InviteState.REVOKED
        if row is None or issuer is None or state is not InviteState.LIVE or row.issuer == actor.account:
            raise refusal(request, state)
        if row.room is None:
            raise Refusal(
                "invite_invalid", "This invite is for somebody who is not here yet.", reason="member"
            )
        me = account_by_id(tx, actor.account)
        assert me is not None
        check_room_limit(tx, me.id, desk.settings.limits)
        if enter_room(tx, desk.settings.limits, row.room, me.id, by=row.issuer):
            invites.use_invite(tx, row, me.id)
            emit(tx, [invite_redeemed(row.issuer, row.id, account_card(me))])
            tell(tx, [Told(row.issuer, me.id, NotificationKind.INVITE_USED, me.id)])
        return g.Redeemed(room=row.room)

    return await desk.db.write(unit)


# Shared with sign-up


def find(tx: Tx, request: g.InviteKey, *, lock: bool) -> InviteRow | None:
    """The invite that a token or a typed code names. Errors: `bad_request`."""
    if (request.token is None) == (request.code is None):
        raise Refusal("bad_request", "Give token or code, one of them.", at="$.token")
    if request.token is not None:
        return invites.invite_by(tx, "token_hash", hash_of(request.token), lock=lock)
    # A code that cannot be one is looked for all the same: every wrong code costs the same.
    return invites.invite_by(tx, "code_hash", hash_of(fold_code(request.code or "") or "-"), lock=lock)


def state_of(tx: Tx, row: InviteRow | None, issuer: AccountRow | None) -> InviteState:
    """What the invite is worth now; one that is not there counts as revoked, after the same statements."""
    held = invites.holds(tx, row.id if row else "", HOLD_MS)
    if row is None:
        return InviteState.REVOKED
    stands = issuer is not None and issuer.state == "active" and not issuer.invites_barred
    facts = InviteFacts(row.state, row.expires_at, row.uses, row.uses_max, held, stands)
    return worth(facts, tx.now_ms())


def refusal(request: g.InviteKey, state: InviteState) -> Refusal:
    """Whoever holds the link is told which; for typed codes there is one answer."""
    if request.token is None or state is InviteState.LIVE:
        return Refusal("invite_invalid", ASK_AGAIN)
    return Refusal("invite_invalid", ASK_AGAIN, reason=state.value)


def preview(tx: Tx, row: InviteRow, issuer: AccountRow) -> g.InvitePreview:
    """What the landing page shows after a tap."""
    room = room_by_id(tx, row.room) if row.room else None
    return g.InvitePreview(
        kind=g.InviteKind(row.kind),
        issuer=account_card(issuer),
        room_title=room.title if room else None,
        expires_at=row.expires_at,
    )


def hash_of(secret: str) -> str:
    """Token or code → what is stored of it."""
    return hashlib.sha256(secret.encode()).hexdigest()


def network_of(address: str) -> str:
    """An address → its network: /24 for IPv4, /48 for IPv6; anything else is its own."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    bits = 24 if parsed.version == 4 else 48
    return str(ipaddress.ip_network(f"{address}/{bits}", strict=False))


# Inside


def _issuer(tx: Tx, desk: Desk, actor: Actor, *, uses: int, days: int) -> AccountRow:
    issuer = account_by_id(tx, actor.account)
    assert issuer is not None
    allowed = _limits(desk)
    facts = IssuerFacts(issuer.role, bool(issuer.invites_barred), invites.count_live(tx, issuer.id))
    code = issue_verdict(facts, uses, days, allowed)
    if code == "invite_quota":
        raise Refusal(code, limit=allowed.member_live_max)
    check(code)
    return issuer


def _limits(desk: Desk) -> InviteLimits:
    limits = desk.settings.limits
    return InviteLimits(
        limits.invites_live_max,
        limits.invite_days_max,
        limits.operator_invite_uses_max,
        limits.operator_invite_days_max,
    )


def _once(
    tx: Tx, desk: Desk, key: Key, request: g.InviteCreate | g.InviteReissue, work: Callable[[Tx], g.NewInvite]
) -> g.NewInvite:
    """Issue once per nonce. Secrets are kept nowhere, so the answer to a repeated nonce is the same invite under a
    new token and code: whoever repeats has not seen the first ones."""
    made: list[g.NewInvite] = []

    def first_time() -> InviteRef:
        made.append(work(tx))
        return InviteRef(id=made[0].id)

    known = once(tx, key, request, first_time, InviteRef)
    if made:
        return made[0]
    row = invites.invite_by(tx, "id", known.id, lock=True)
    if row is None:
        raise Refusal("not_found")
    token, code = _secrets()
    invites.change_secrets(tx, row.id, hash_of(token), hash_of(code))
    return _shown(desk, row, token, code)


class InviteRef(Shape, frozen=True, kw_only=True):
    """What is kept under a nonce: which invite it made."""

    id: str


def _issue(tx: Tx, desk: Desk, row: InviteRow) -> g.NewInvite:
    """Keep the row under a new token and code, which are shown this once."""
    token, code = _secrets()
    invites.insert_invite(tx, row._replace(token_hash=hash_of(token), code_hash=hash_of(code)))
    return _shown(desk, row, token, code)


def _secrets() -> tuple[str, str]:
    return secrets.token_urlsafe(TOKEN_BYTES), "".join(secrets.choice(ALPHABET) for _ in range(CODE_CHARS))


def _shown(desk: Desk, row: InviteRow, token: str, code: str) -> g.NewInvite:
    link = f"{desk.settings.public_url.rstrip('/')}/i#{token}"
    return g.NewInvite(
        id=row.id,
        kind=g.InviteKind(row.kind),
        room=row.room,
        state=row.state,
        uses=row.uses,
        uses_max=row.uses_max,
        created_at=row.created_at,
        expires_at=row.expires_at,
        link=link,
        code=show_code(code),
        qr=svg(link),
    )


def _view(tx: Tx, row: InviteRow, issuer: AccountRow) -> g.Invite:
    return g.Invite(
        id=row.id,
        kind=g.InviteKind(row.kind),
        room=row.room,
        state=_told(state_of(tx, row, issuer), row),
        uses=row.uses,
        uses_max=row.uses_max,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )


def _told(state: InviteState, row: InviteRow) -> str:
    """To its issuer an invite is redeemed only once somebody has come; a sign-up on its way is nobody's business."""
    on_its_way = state is InviteState.REDEEMED and row.uses < row.uses_max and row.state == InviteState.LIVE
    return InviteState.LIVE if on_its_way else state


def _own(tx: Tx, actor: Actor, invite: str) -> InviteRow:
    row = invites.invite_by(tx, "id", invite, lock=True)
    if row is None or row.issuer != actor.account:
        raise Refusal("not_found")
    return row


def _end(tx: Tx, row: InviteRow, replaced_by: str | None = None) -> None:
    if row.state in (InviteState.LIVE, InviteState.PAUSED):
        invites.end_invite(tx, row.id, InviteState.REVOKED, replaced_by)
    attempts.end_attempts_of(tx, row.id)


def end_all_of(tx: Tx, issuer: str) -> int:
    """End every invite of an issuer that could still be used, sign-ups on their way included; how many."""
    live = [row for row in invites.invites_of(tx, issuer, ALL_MAX) if row.state in _ENDABLE]
    for row in live:
        _end(tx, row)
    return len(live)


def _tapped(tx: Tx, desk: Desk, row: InviteRow, visitor: Visitor) -> InviteState:
    """Note the network a link was looked at from; too many within minutes look like a leak, and the link rests."""
    limits = desk.settings.limits
    network = hmac.new(
        desk.secret.encode(), network_of(visitor.address).encode(), hashlib.sha256
    ).hexdigest()[:32]
    seen = invites.tap(tx, row.id, network, tx.now_ms() - limits.invite_networks_s * 1000)
    if seen <= limits.invite_networks_max or row.uses_max > 1:
        return InviteState.LIVE
    invites.end_invite(tx, row.id, InviteState.PAUSED)
    emit(tx, [invite_paused(row.issuer, row.id)])
    return InviteState.PAUSED
