"""Arrival: who a token belongs to, what a connection hears, and what it missed (WIRE §3).

One read for all of it, on one snapshot: the hub then joins the connection at exactly these positions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from channels.accounts import hash_token
from channels.desk import Actor, Desk
from channels.entries import render
from channels.rules.accounts import ADMITTED
from realtime.errors import Refusal
from realtime.hub import seen_by
from realtime.models import Badges, ChannelPosition
from realtime.parcels import Parcel
from storage import log
from storage.accounts import session_by_hash, session_by_id, touch_session
from storage.database import Tx
from storage.rooms import badges, heard_by
from storage.rows import SessionRow

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
CHANNEL_ENTRIES_MAX = 1_000
CONNECTION_ENTRIES_MAX = 5_000
CONNECTION_BYTES_MAX = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Credential:
    """What a client shows: a bearer token, or the session id of a ticket that was checked."""

    token: str = ""
    session: str = ""


@dataclass(frozen=True, slots=True)
class Heard:
    """Channels with the position each is joined at, and the entries missed before it, ascending per channel."""

    channels: list[ChannelPosition]
    missed: list[Parcel]


@dataclass(frozen=True, slots=True)
class Arrival:
    """Everything `connect` answers and the hub needs."""

    actor: Actor
    heard: Heard
    badges: Badges


async def authenticate(desk: Desk, credential: Credential) -> Actor:
    """Who shows this credential. Errors: `unauthenticated`, `forbidden` (suspended)."""
    actor, used_at = await desk.db.read(lambda tx: _actor(tx, desk, credential))
    await _note_use(desk, actor, used_at)
    return actor


async def arrive(desk: Desk, credential: Credential, positions: Mapping[str, int]) -> Arrival:
    """Who connects, and what they hear from where. Positions of another epoch are to be left out by the caller.
    Errors: `unauthenticated`, `forbidden`."""

    def unit(tx: Tx) -> tuple[Arrival, int]:
        actor, used_at = _actor(tx, desk, credential)
        heard = _hear(tx, actor.account, heard_by(tx, actor.account), positions)
        rooms_unread, requests, invitations = badges(tx, actor.account)
        counts = Badges(rooms_unread=rooms_unread, requests=requests, invitations=invitations)
        return Arrival(actor, heard, counts), used_at

    arrival, used_at = await desk.db.read(unit)
    await _note_use(desk, arrival.actor, used_at)
    return arrival


async def rehear(desk: Desk, account: str, positions: Mapping[str, int | None]) -> Heard:
    """The same join for some channels of a live connection; those it may not hear are left out of the answer.
    A position of None asks for the channel as it is now."""

    def unit(tx: Tx) -> Heard:
        allowed = {name: at for name, at in heard_by(tx, account).items() if name in positions}
        return _hear(tx, account, allowed, {name: seq for name, seq in positions.items() if seq is not None})

    return await desk.db.read(unit)


async def poll(desk: Desk, account: str, positions: Mapping[str, int], *, same_epoch: bool) -> Heard:
    """What a client without a socket missed: as `rehear`, of all channels if it names none (WIRE §3.5)."""

    def unit(tx: Tx) -> Heard:
        tops = {name: at for name, at in heard_by(tx, account).items() if name in positions or not positions}
        return _hear(tx, account, tops, positions if same_epoch else {})

    return await desk.db.read(unit)


def _actor(tx: Tx, desk: Desk, credential: Credential) -> tuple[Actor, int]:
    row: SessionRow | None = None
    if credential.session:
        row = session_by_id(tx, credential.session)
    elif credential.token:
        row = session_by_hash(tx, hash_token(credential.token))
    kept_ms = desk.settings.session_days * DAY_MS
    if row is None or row.revoked_at is not None or row.used_at + kept_ms < tx.now_ms():
        raise Refusal("unauthenticated")
    if row.account_state not in ADMITTED:
        raise Refusal("forbidden", "The account is suspended.", reason="suspended")
    due = 0 if tx.now_ms() - row.used_at < HOUR_MS else tx.now_ms()
    return Actor(row.account, row.id, row.handle, row.name), due


async def _note_use(desk: Desk, actor: Actor, due: int) -> None:
    if due:
        await desk.db.write(lambda tx: touch_session(tx, actor.session, due))


def _hear(tx: Tx, account: str, tops: Mapping[str, tuple[int, int]], positions: Mapping[str, int]) -> Heard:
    stretches = []
    left = CONNECTION_ENTRIES_MAX
    for name, (top, from_seq) in tops.items():
        at = positions.get(name)
        if at is not None and from_seq <= at < top and top - at <= min(CHANNEL_ENTRIES_MAX, left):
            stretches.append((name, at, top))
            left -= top - at
    missed = _missed(tx, account, stretches)
    channels = []
    for name, (top, _) in tops.items():
        whole = positions.get(name) == top or name in missed
        channels.append(ChannelPosition(ch=name, seq=top, recovered=whole))
    return Heard(channels, [parcel for parcels in missed.values() for parcel in parcels])


def _missed(tx: Tx, account: str, stretches: list[tuple[str, int, int]]) -> dict[str, list[Parcel]]:
    """Per channel, all entries of its stretch: contiguous or not at all."""
    found: dict[str, list[Parcel]] = {name: [] for name, _, _ in stretches}
    for parcel in render(tx, log.read(tx, stretches, CONNECTION_ENTRIES_MAX)):
        found[parcel.channel].append(parcel)
    room = CONNECTION_BYTES_MAX
    whole = {}
    for name, after, top in stretches:
        parcels = found[name]
        size = sum(len(seen_by(parcel, account)) for parcel in parcels)
        if len(parcels) == top - after and size <= room:
            whole[name] = parcels
            room -= size
    return whole


async def entries_between(desk: Desk, stretches: list[tuple[str, int, int]], limit: int) -> list[Parcel]:
    """What a hub misses: entries of (channel, after, upto), as of now, with one query."""
    return await desk.db.read(lambda tx: render(tx, log.read(tx, stretches, limit)))
