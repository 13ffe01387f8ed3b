"""Fan-out: the hub's shell. It brings entries in (own commits, courier, gap reads, sweep) and flushes once a tick.

Owned by the node, called by the database's commit callback, the courier and the sockets. What always holds: own
commits reach the own hub at once, whatever Redis does; a hole is read from the database at most one hold (50 ms)
and one query after it was seen; the sweep finds every entry that no courier brought.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import orjson
import structlog

from channels.arrival import entries_between
from channels.counts import TOUCHED
from channels.desk import Desk
from channels.entries import ACCOUNT_SUSPENDED, MEMBER_REMOVED, MESSAGE_CREATED, SESSION_REVOKED
from channels.post_entries import AUTHOR_CLOSED, AUTHOR_LEFT, COMMUNITY_LEFT, EVERYONE
from channels.telling import BADGE_TOUCHED
from gateway.badging import Badging
from gateway.cheering import TALLY, Cheering
from gateway.counting import Counting
from gateway.notices import NOTICES, Notices
from gateway.pausing import Pausing
from gateway.upkeep import Upkeep
from presence.service import CARRIED, Service
from realtime.hub import Hub, Listener
from realtime.ids import AUTHOR, INBOX, ROOM
from realtime.parcels import Parcel
from storage import log as entry_log
from storage.courier import Courier
from storage.database import StorageUnavailable

log = structlog.get_logger("fanout")
GAP_ENTRIES_MAX = 2_000
GAP_RETRY_S = (0.05, 0.1, 0.2, 0.5, 1.0)
OVERLAP_MS = 10_000
GIVEN = frozenset({"room.joined", "community.joined", "follow.began"})
"""Entries of an inbox that give their target, a channel, from the seq they name."""


class Hearer(Listener, Protocol):
    """A connection as the fan-out sees it."""

    def hear(self, channel: str, after: int) -> None:
        """Begin to hear a channel, continued after a seq."""

    def ended(self, session: str) -> None:
        """A session of the account ended (or, with '', the account itself): close, if it is this one's."""

    @property
    def choked(self) -> bool:
        """True while its peer takes nothing."""

    def watches(self, channel: str) -> bool:
        """True if it asked to hear a channel that is on its screen."""

    def fell_behind(self, channel: str) -> bool:
        """True if it hears a channel no more because it is too slow, and may still hold frames of it."""

    def lost(self, channel: str) -> None:
        """The channel was taken away; frames of it that are still unsent must not arrive."""

    def doubt(self) -> None:
        """What the account may do has changed: judge it again before it writes."""

    def failed(self) -> None:
        """What it should have been told may not have left: close, to be continued."""


@dataclass(frozen=True, slots=True)
class Ties:
    """What the fan-out works with, besides the tables; `name` is the node's."""

    name: str
    courier: Courier
    upkeep: Upkeep
    presence: Service


class Fanout:
    """See the module. `spawn` starts a task that the node keeps track of."""

    def __init__(
        self,
        desk: Desk,
        ties: Ties,
        spawn: Callable[..., object],
        clock_ms: Callable[[], int],
    ) -> None:
        self._desk = desk
        self._courier = ties.courier
        self._upkeep = ties.upkeep
        self._presence = ties.presence
        self._spawn = spawn
        self._loop = asyncio.get_running_loop()
        self.hub = Hub(self._wake, self._on_gap, self._obey)
        busy = desk.settings.limits.busy_posts_per_min
        self.pausing = Pausing(self.hub, busy, clock_ms)
        self._counting = Counting(desk, self._told, spawn)
        self._badging = Badging(desk, self._told, spawn)
        self.cheering = Cheering(self.hub, ties.name, ties.courier.publish, clock_ms)
        self._notices = Notices(desk, self.hub, ties.presence, spawn)
        self._gaps: dict[str, None] = {}
        self._gap_timer: asyncio.TimerHandle | None = None
        self._gap_tries = 0
        self._swept = 0
        self._swept_notices: set[tuple[str, int]] = set()
        self._sweep_now = asyncio.Event()
        self.healed = 0

    async def start(self) -> None:
        """Begin where the log ends now, start hearing other nodes, and remember what they carried lately: after a
        deploy everybody comes back at once, and most of what they missed is there."""
        self._swept = await self._desk.db.read(entry_log.newest_n)
        await self._courier.start(self.take, self.suspect)
        for parcel in await self._courier.recent():
            self.hub.recent.add(parcel)

    # Entries coming in

    def committed(self, parcels: Sequence[Parcel]) -> None:
        """The database's commit callback: the own hub at once, the courier after it."""
        for parcel in parcels:
            if parcel.kind == TOUCHED:
                self._counting.note(parcel.channel, parcel.target)
            elif parcel.kind == BADGE_TOUCHED:
                self._badging.note(parcel.target)
            else:
                self._told(parcel)

    def _told(self, parcel: Parcel) -> None:
        self._offer(parcel)
        self._courier.publish(parcel)

    def take(self, parcels: Sequence[Parcel]) -> None:
        """Parcels of other nodes, from the courier."""
        for parcel in parcels:
            self._offer(parcel)

    def _offer(self, parcel: Parcel) -> None:
        if parcel.kind in CARRIED:
            self._presence.hear(parcel)
            return
        if parcel.kind == TALLY:
            self.cheering.hear(parcel)
            return
        if parcel.kind == MESSAGE_CREATED:
            self._presence.sent(parcel.channel.removeprefix(ROOM), parcel.author)
        if parcel.kind in NOTICES:
            self._notices.obey(parcel.kind, parcel.channel, parcel.target)
        self.hub.offer(parcel)
        self.pausing.posted(parcel)

    def suspect(self) -> None:
        """Live parcels may have been lost: look at the log now, not at the next sweep."""
        self._sweep_now.set()

    def _wake(self) -> None:
        self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        try:
            self.hub.flush()
        except Exception:
            # Somebody may have missed frames, and nobody can tell who: all continue from their positions elsewhere
            # rather than with a hole.
            log.exception("flush failed")
            for listener in self.hub.everyone():
                _hearer(listener).failed()

    # Holes

    def _on_gap(self, channel: str) -> None:
        self._gaps[channel] = None
        if self._gap_timer is None:
            self._gap_timer = self._loop.call_later(self._desk.settings.hold_s, self._read_gaps)

    def _read_gaps(self) -> None:
        self._spawn(self._fill_gaps())

    async def _fill_gaps(self) -> None:
        """One query for all holes that did not close by themselves within the hold."""
        names, self._gaps = self._gaps, {}
        stretches = [(name, *gap) for name in names if (gap := self.hub.gap_of(name)) is not None]
        if stretches:
            try:
                found = await entries_between(self._desk, stretches, GAP_ENTRIES_MAX)
                self.hub.fill(found)
                self.healed += len(found)
            except StorageUnavailable as error:
                log.warning("gap read failed", channels=len(stretches), error=str(error))
            except Exception:
                # A fault of ours in one channel must not leave every later hole of this node open.
                log.exception("gap read failed", channels=len(stretches))
        self._gaps |= {name: None for name, _, _ in stretches if self.hub.gap_of(name) is not None}
        self._gap_timer = None
        if self._gaps:
            self._gap_tries = min(self._gap_tries + 1, len(GAP_RETRY_S)) if stretches else 1
            self._gap_timer = self._loop.call_later(GAP_RETRY_S[self._gap_tries - 1], self._read_gaps)
        else:
            self._gap_tries = 0

    async def sweep(self) -> None:
        """Look at the log's tail, for ever: each 1.5 s, or 0.5 s while the courier is down, or when told to. Embedded,
        where what the command line writes has no other way to this process, always each 0.5 s."""
        settings = self._desk.settings
        swept_at = self._loop.time()
        while True:
            told = await self._told_within(settings.sweep_degraded_s)
            hurry = told or not self._courier.healthy or not settings.redis_url
            if not hurry and self._loop.time() - swept_at < settings.sweep_s:
                continue
            swept_at = self._loop.time()
            try:
                await self._sweep_once()
            except StorageUnavailable as error:
                log.warning("sweep failed", error=str(error))
            except Exception:
                # Without its sweep a node would miss what no courier brings, for ever.
                log.exception("sweep failed")

    async def _told_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._sweep_now.wait()
        except TimeoutError:
            return False
        self._sweep_now.clear()
        return True

    async def _sweep_once(self) -> None:
        after = self._swept
        found = await self._desk.db.read(lambda tx: entry_log.tail(tx, after, OVERLAP_MS, NOTICES))
        self._swept = found.next_n
        # PostgreSQL's sweeps overlap: what the last one obeyed is not obeyed again.
        for kind, channel, target, seq in found.told:
            if (channel, seq) not in self._swept_notices:
                self._notices.obey(kind, channel, target)
        self._swept_notices = {(channel, seq) for _, channel, _, seq in found.told}
        for channel, seq in found.tops.items():
            self.hub.suspect(channel, seq)
        await self._upkeep.swept(found.newest_n)

    # Entries that change who listens

    def _obey(self, parcel: Parcel, only: Listener | None) -> None:
        """Called by the hub between two seqs of a channel; `only` for a listener that joins behind them."""
        if parcel.kind in (MEMBER_REMOVED, COMMUNITY_LEFT, AUTHOR_LEFT):
            for listener in self._concerned(parcel.target, only):
                self._take_away(listener, parcel)
        elif parcel.kind == AUTHOR_CLOSED:
            self._close_author(parcel, only)
        elif parcel.kind in (SESSION_REVOKED, ACCOUNT_SUSPENDED):
            session = parcel.target if parcel.kind == SESSION_REVOKED else ""
            for listener in self._concerned(parcel.channel.removeprefix(INBOX), only):
                _hearer(listener).ended(session)
        elif parcel.kind in GIVEN and parcel.channel.startswith(INBOX):
            after = int(orjson.loads(parcel.frame)["d"]["seq"])
            for listener in self._concerned(parcel.channel.removeprefix(INBOX), only):
                _hearer(listener).hear(parcel.target, after)

    def _take_away(self, listener: Listener, parcel: Parcel) -> None:
        # Before anything else: a channel that is on the screen may be heard on, but is not written to any more.
        _hearer(listener).doubt()
        left = self.hub.leave(listener, parcel.channel, parcel.seq)
        self._presence.displaced(_hearer(listener), parcel.channel)
        # Who fell behind hears it no more already, and may hold frames of it all the same.
        if left or not self.hub.hears(listener, parcel.channel):
            _hearer(listener).lost(parcel.channel)
        if left and _hearer(listener).watches(parcel.channel):
            # What one reason took, another may still give: it is judged anew.
            _hearer(listener).hear(parcel.channel, parcel.seq)

    def _close_author(self, parcel: Parcel, only: Listener | None) -> None:
        author = parcel.channel.removeprefix(AUTHOR)
        for listener in [only] if only is not None else self._holders(parcel.channel):
            watches = _hearer(listener).watches(parcel.channel)
            if listener.account != author and (watches or parcel.target == EVERYONE):
                self._take_away(listener, parcel)

    def _holders(self, name: str) -> list[Listener]:
        """Whoever hears a channel, or heard it until they fell behind and may hold frames of it."""
        hearing = self.hub.hearers(name)
        return hearing + [each for each in self.hub.everyone() if _hearer(each).fell_behind(name)]

    def _concerned(self, account: str, only: Listener | None) -> list[Listener]:
        if only is None:
            return self.hub.of_account(account)
        return [only] if only.account == account else []


def _hearer(listener: Listener) -> Hearer:
    return listener  # type: ignore[return-value]  # every listener of a node is one of its sockets
