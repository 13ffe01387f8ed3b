"""Sessions: see them, end one, end all, log out. Their sockets close on every node (FEATURES §2)."""

from __future__ import annotations

from channels.accounts import create_session
from channels.cards import own_card
from channels.desk import Actor, Desk
from channels.entries import account_back, emit, session_created, session_revoked
from channels.entry import Entry
from realtime import gate as g
from realtime.errors import Refusal
from realtime.requests import Done, Empty
from storage.accounts import account_by_id, revoke_sessions, sessions_of, set_state
from storage.attempts import end_offers
from storage.database import Tx
from storage.letters import put_letter
from storage.recovery_codes import drop_recovery_codes

DAY_MS = 86_400_000


async def list_sessions(desk: Desk, actor: Actor, request: Empty) -> g.Sessions:
    """One's living sessions."""
    kept_ms = desk.settings.session_days * DAY_MS

    def unit(tx: Tx) -> g.Sessions:
        rows = sessions_of(tx, actor.account, tx.now_ms() - kept_ms)
        return g.Sessions(
            sessions=[
                g.Session(
                    id=row[0],
                    label=row[1],
                    created_at=row[2],
                    used_at=row[3],
                    current=row[0] == actor.session,
                )
                for row in rows
            ]
        )

    return await desk.db.read(unit)


async def revoke(desk: Desk, actor: Actor, request: g.SessionRef) -> g.Revoked:
    """End one session. Errors: `not_found`."""
    ended = await desk.db.write(lambda tx: end_sessions(tx, actor.account, only=request.session))
    if not ended:
        raise Refusal("not_found")
    return g.Revoked(ended=ended)


async def revoke_all(desk: Desk, actor: Actor, request: g.SessionRevokeAll) -> g.Revoked:
    """End all sessions, or all but this one."""
    spare = actor.session if request.others else ""
    return g.Revoked(ended=await desk.db.write(lambda tx: end_sessions(tx, actor.account, spare=spare)))


async def log_out(desk: Desk, actor: Actor, request: Empty) -> Done:
    """This session ends."""
    await desk.db.write(lambda tx: end_sessions(tx, actor.account, only=actor.session))
    return Done()


def begin_session(tx: Tx, account: str, label: str, told: str) -> g.Entered | Refusal:
    """A session on a new device, which the other devices and the address `told` learn of; or `forbidden`."""
    row = account_by_id(tx, account)
    if row is None or row.state not in ("active", "restricted", "hidden", "deleted"):
        return Refusal("forbidden", "The account is suspended.", reason="suspended")
    if row.state == "deleted":
        # Coming back within the days of grace takes the deletion back.
        set_state(tx, row.id, "active")
        emit(tx, [account_back(row.id)])
    session, token = create_session(tx, row.id, label)
    emit(tx, [session_created(row.id, session, label)])
    if told:
        put_letter(tx, told, "new_device", {"label": label, "at": tx.now_ms()})
    return g.Entered(account=own_card(row), session=session, token=token)


def end_sessions(tx: Tx, account: str, only: str = "", spare: str = "") -> int:
    """Revoke sessions and tell the hubs, which close their connections. What was offered to further devices ends, too, since
    one of them may have offered it; so do recovery codes, unless it is one session alone. How many ended."""
    ended = revoke_sessions(tx, account, only, spare)
    end_offers(tx, account)
    if not only:
        drop_recovery_codes(tx, account)
    entries: list[Entry] = [session_revoked(account, session) for session in ended]
    if entries:
        emit(tx, entries)
    return len(ended)
