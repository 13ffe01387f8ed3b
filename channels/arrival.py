"""Arrival: who a token belongs to, what a connection hears, and what it missed (WIRE §3).

One read for all of it, on one snapshot: the hub then joins the connection at exactly these positions. What was
missed before them is read afterwards, as the socket drains.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from msgspec import structs

from channels.accounts import hash_token
from channels.desk import Actor, Desk
from channels.entries import render
from channels.rules.accounts import ADMITTED
from channels.signals import readable
from realtime.channel import seen_by
from realtime.errors import Refusal
from realtime.models import Badges
from realtime.parcels import Parcel
from realtime.recovery import CONNECTION_ENTRIES_MAX, Plan, Standing, Stretch, plan
from storage import log
from storage.accounts import session_by_hash, session_by_id, touch_session
from storage.database import Tx
from storage.notifications import badges_of
from storage.relations import apart_of
from storage.rooms import badges, heard_by
from storage.rows import SessionRow

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
POLL_BYTES_MAX = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Credential:
    """What a client shows: a bearer token, or the session id of a ticket that was checked."""

    token: str = ""
    session: str = ""


@dataclass(frozen=True, slots=True)
class Arrival:
    """Everything `connect` answers and the hub needs."""

    actor: Actor
    plan: Plan
    badges: Badges
    apart: list[str]


@dataclass(frozen=True, slots=True)
class Polled:
    """What a client without a socket is told: its channels, and the entries it missed, ascending per channel."""

    plan: Plan
    missed: list[Parcel]
    apart: frozenset[str]


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
        planned = plan(_standings(tx, actor.account), positions)
        rooms_unread, requests, invitations = badges(tx, actor.account)
        news = badges_of(tx, [actor.account])[actor.account]
        counts = Badges(
            rooms_unread=rooms_unread,
            requests=requests,
            invitations=invitations,
            notifications=news.notifications,
            notifications_upto=news.upto,
        )
        return Arrival(actor, planned, counts, apart_of(tx, actor.account)), used_at

    arrival, used_at = await desk.db.read(unit)
    await _note_use(desk, arrival.actor, used_at)
    return arrival


async def rehear(
    desk: Desk, actor: Actor, positions: Mapping[str, int | None], watched: Collection[str] = ()
) -> Plan:
    """The same join for some channels of a live connection, judged anew; those it may not hear are left out. `watched`
    are those it hears without being inside. A position of None asks for the channel as it is now. Errors: `unauthenticated`, `forbidden`, because what ended the
    session may lie before the positions asked for."""

    def unit(tx: Tx) -> Plan:
        _still(tx, desk, actor)
        standings = _standings(tx, actor.account)
        missing = [name for name in watched if name in positions and name not in standings]
        standings |= {name: Standing(*at) for name, at in readable(tx, actor.account, missing).items()}
        return plan({name: at for name, at in standings.items() if name in positions}, positions)

    return await desk.db.read(unit)


async def watchable(desk: Desk, actor: Actor, names: Collection[str]) -> set[str]:
    """Those of some channels that this account may watch: what everybody may read, and what it hears anyway."""

    def unit(tx: Tx) -> set[str]:
        return {
            *readable(tx, actor.account, names),
            *(name for name in heard_by(tx, actor.account) if name in names),
        }

    return await desk.db.read(unit)


async def heard(desk: Desk, actor: Actor) -> list[str]:
    """The channels that a live connection is to hear now. Errors as `rehear`."""

    def unit(tx: Tx) -> list[str]:
        _still(tx, desk, actor)
        return list(heard_by(tx, actor.account))

    return await desk.db.read(unit)


async def poll(desk: Desk, account: str, positions: Mapping[str, int], *, same_epoch: bool) -> Polled:
    """What a client without a socket missed: as `rehear`, of all channels if it names none (WIRE §3.5)."""

    def unit(tx: Tx) -> Polled:
        standings = _standings(tx, account)
        asked = {name: at for name, at in standings.items() if name in positions or not positions}
        planned = plan(asked, positions if same_epoch else {})
        apart = frozenset(apart_of(tx, account))
        missed = _missed(tx, account, apart, planned.stretches)
        channels = [
            structs.replace(
                told, recovered=told.recovered and (told.seq == positions[told.ch] or told.ch in missed)
            )
            for told in planned.channels
        ]
        return Polled(
            planned._replace(channels=channels),
            [parcel for parcels in missed.values() for parcel in parcels],
            apart,
        )

    return await desk.db.read(unit)


def _standings(tx: Tx, account: str) -> dict[str, Standing]:
    return {name: Standing(*at) for name, at in heard_by(tx, account).items()}


def _still(tx: Tx, desk: Desk, actor: Actor) -> None:
    """Whoever was let in before may still be here. A suspension ends the sessions too, but it is the reason."""
    row = session_by_id(tx, actor.session)
    if row is not None and row.account_state not in ADMITTED:
        raise Refusal("forbidden", "The account is suspended.", reason="suspended")
    _actor(tx, desk, Credential(session=actor.session))


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


def _missed(tx: Tx, account: str, apart: frozenset[str], stretches: list[Stretch]) -> dict[str, list[Parcel]]:
    """Per channel, all entries of its stretch: contiguous or not at all, as many as one answer may carry."""
    found: dict[str, list[Parcel]] = {stretch.channel: [] for stretch in stretches}
    for parcel in render(tx, log.read(tx, stretches, CONNECTION_ENTRIES_MAX)):
        found[parcel.channel].append(parcel)
    room = POLL_BYTES_MAX
    whole = {}
    for name, after, top in stretches:
        parcels = found[name]
        size = sum(len(seen_by(parcel, account, apart)) for parcel in parcels)
        if len(parcels) == top - after and size <= room:
            whole[name] = parcels
            room -= size
    return whole


async def entries_between(desk: Desk, stretches: Sequence[tuple[str, int, int]], limit: int) -> list[Parcel]:
    """What a hub misses: entries of (channel, after, upto), as of now, with one query."""
    return await desk.db.read(lambda tx: render(tx, log.read(tx, stretches, limit)))
