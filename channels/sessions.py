"""Sessions: see them, end one, end all, log out. Their sockets close on every node (FEATURES §2)."""

from __future__ import annotations

from channels.desk import Actor, Desk
from channels.entries import emit, session_revoked
from channels.entry import Entry
from realtime import gate as g
from realtime.errors import Refusal
from realtime.requests import Done, Empty
from storage.accounts import revoke_sessions, sessions_of
from storage.database import Tx

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


def end_sessions(tx: Tx, account: str, only: str = "", spare: str = "") -> int:
    """Revoke sessions and tell the hubs, which close their connections. How many ended."""
    ended = revoke_sessions(tx, account, only, spare)
    entries: list[Entry] = [session_revoked(account, session) for session in ended]
    if entries:
        emit(tx, entries)
    return len(ended)
