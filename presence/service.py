"""Presence on one node: who is here, who may see them, and what they are told (FEATURES §7).

Owned by the node; told by sockets (`arrived`, `left`, `say`, `watch`, `type`), by the fan-out (`ruled`, `befriended`,
`parted`, `hear`) and by the courier through it. What always holds: who is online follows from leases and live
connections, never from counters; cost grows with those who show somebody, not with everybody; trouble with Redis or the
database never reaches a connection.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

import orjson
import structlog

from presence.circles import Circles, Ear
from presence.devices import Devices
from presence.keeper import BATCH, Authority, Keeper, Pulse
from presence.marks import Mark
from presence.roster import Changes, Roster
from presence.rules import NOTHING, Sight, as_if, sight, stranger
from presence.sights import Heard, Sights
from presence.telling import Outlook, Telling, Tempo
from presence.typists import Typists
from realtime.gate import Audience as ShownTo
from realtime.parcels import Audience, Parcel
from realtime.presence import Here, PresenceSnapshot, Previewed
from realtime.requests import Coming
from storage.database import Database, StorageUnavailable
from storage.leases import Leases
from storage.presence import note_hidden, note_seen

log = structlog.get_logger("presence")
TYPED = "presence.typed"
CARRIED = frozenset({BATCH, TYPED})
"""Parcels between the nodes' presence, that no hub hears."""
TICK_S = 0.5
TYPING_EVERY_S = 3.0
SEEN_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Pauses:
    """In seconds: the grace of a lost connection, the lease of writing, and how often `seen_at` of those here is kept."""

    grace: float = 10.0
    typing: float = 12.0
    seen: float = 600.0


@dataclass(frozen=True, slots=True)
class Means:
    """What the assembly hands over. `tell` gives a parcel to the courier."""

    node: str
    db: Database
    leases: Leases
    outlook: Outlook
    tell: Callable[[Parcel], None]
    clock_ms: Callable[[], int]
    pulse: Pulse = field(default_factory=Pulse)
    tempo: Tempo = field(default_factory=Tempo)
    pauses: Pauses = field(default_factory=Pauses)


class Service:
    """See the module."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._loop = asyncio.get_running_loop()
        self._roster = Roster(means.node)
        self._circles = Circles()
        self._devices = Devices(means.pauses.grace)
        self._typists = Typists(means.pauses.typing)
        self._telling = Telling(self._roster, self._circles, self._typists, means.outlook, means.tempo)
        self._sights = Sights(means.db, self._circles, self._read, self._telling.pair)
        self.keeper = Keeper(
            Authority(means.leases, means.node, means.pulse), self._roster, self._others_changed, means.tell
        )
        self._telling.sights = self._sights
        self._telling.before_telling = self.keeper.look
        # Connections that wait for what they may see, to be told of everybody.
        self._fresh: dict[Ear, None] = {}
        self._seen: dict[str, int] = {}
        self._hidden: dict[str, int] = {}
        self._hurry = asyncio.Event()
        self._refreshed_at = self._loop.time()
        self._draining = False

    # Life

    async def start(self) -> None:
        """Register, and learn who is on the other nodes."""
        await self.keeper.start()

    def loops(self) -> tuple[Coroutine[None, None, None], ...]:
        """What must run as long as the node."""
        return (self.keeper.run(), self._sights.run(), self._tick())

    def drain(self) -> None:
        """Everybody is sent elsewhere: whoever leaves now is not gone. The lease is left to lapse."""
        self._draining = True

    @property
    def here(self) -> int:
        """How many people this node says are here."""
        return len(self._roster.own_people())

    @property
    def known(self) -> int:
        """How many people are online on all nodes, as far as known here."""
        return len(self._roster)

    @property
    def frames(self) -> int:
        """How many frames of presence were told."""
        return self._telling.frames

    def silence(self) -> None:
        """Nobody is told anything any more."""
        self._telling.stop()

    async def close(self) -> None:
        """Let go; whoever is here stays online until the lease is over."""
        self.silence()
        await self.keeper.close()

    async def _tick(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self._hurry.wait()
            self._hurry.clear()
            try:
                await self._pass()
            except StorageUnavailable as error:
                log.warning("when people were last here is kept later", error=str(error))
            except Exception:
                log.exception("presence tick failed")

    async def _pass(self) -> None:
        now = self._loop.time()
        if not self._draining:
            for account, said in self._devices.expired(now):
                self._gone(account, said)
        for room, account in self._typists.lapsed(now):
            self._telling.typing(room, account)
        self._telling.due()
        if now - self._refreshed_at >= self._means.pauses.seen:
            self._refreshed_at = now
            here = self._roster.own_people().items()
            self._seen.update((account, self._means.clock_ms()) for account, mark in here if mark.counted)
        await self._keep_seen()

    async def _keep_seen(self) -> None:
        if self._hidden:
            hidden = dict(self._hidden)
            await self._means.db.write(lambda tx: note_hidden(tx, list(hidden.items())))
            for account in hidden:
                del self._hidden[account]
        if self._seen:
            seen = dict(list(self._seen.items())[:SEEN_AT_ONCE])
            await self._means.db.write(lambda tx: note_seen(tx, list(seen.items())))
            for account, at in seen.items():
                if self._seen.get(account) == at:
                    del self._seen[account]

    # Connections

    def arrived(self, ear: Ear, coming: Coming) -> None:
        """A connection knows its account."""
        first = self._circles.add(ear)
        if coming is not Coming.OFFLINE and self._devices.joined(
            ear, ear.account, active=coming is Coming.ONLINE
        ):
            self._say(ear.account)
        if first or self._devices.rules_of(ear.account) is None:
            self._sights.want(ear.account)
        if self._sights.wanted(ear.account):
            self._fresh[ear] = None
        else:
            self._telling.whole(ear)

    def left(self, ear: Ear, *, signed_out: bool) -> None:
        """A connection is gone."""
        self._circles.remove(ear)
        self._fresh.pop(ear, None)
        self._telling.forget(ear)
        account = ear.account
        if self._draining:
            return
        if self._devices.left(ear, account, self._loop.time()):
            self._say(account)
        if not self._devices.gone(account):
            return
        for room in self._typists.rooms_of(account):
            self._typed(room, account, on=False)
        if signed_out:
            self._gone(account, self._devices.forget(account))

    def say(self, ear: Ear, *, active: bool, place: str) -> None:
        """What the person at a connection does."""
        if self._devices.said(ear, ear.account, active=active, place=place):
            self._say(ear.account)

    def displaced(self, ear: Ear, place: str) -> None:
        """A connection hears a channel no more: its person does not look at it either."""
        if self._devices.displaced(ear, ear.account, place):
            self._say(ear.account)

    # Asking

    async def watch(self, ear: Ear, accounts: Iterable[str], places: Iterable[str]) -> PresenceSnapshot:
        """Whom a connection shows besides mutuals, from now on. Raises `StorageUnavailable`."""
        wanted, places = list(dict.fromkeys(accounts)), list(places)
        sights = await self._sights.of(ear.account, wanted)
        before = set(self._circles.shown_by(ear.account, ear))
        changed = self._circles.watch(ear, {each: sight.live for each, sight in sights.items()})
        for target in sorted(before.difference(self._circles.shown_by(ear.account, ear))):
            self._telling.unshown(ear, target)
        for target in changed:
            # The account's other connections may show them too.
            self._telling.pair(ear.account, target)
        self._circles.look(ear, places)
        return self._snapshot(ear, wanted, sights, places)

    async def get(self, ear: Ear, accounts: Iterable[str]) -> PresenceSnapshot:
        """People, once. `ear` need not be a connection that is told. Raises `StorageUnavailable`."""
        wanted = list(dict.fromkeys(accounts))
        return self._snapshot(ear, wanted, await self._sights.of(ear.account, wanted), ())

    async def preview(self, account: str, audience: ShownTo | None, other: str | None) -> Previewed:
        """An account as mutuals, everybody else and one given other account see it, under an audience that may not be kept
        yet. Raises `StorageUnavailable`."""
        own, others = await self._sights.facts(account, other)
        if audience is not None:
            own, others = as_if(own, audience), [as_if(pair, audience) for pair in others]
        now_ms = self._means.clock_ms()
        view = partial(self._telling.as_seen_by, account, now_ms)
        found = [view(sight(pair)) for pair in others]
        return Previewed(
            mutuals=view(sight(stranger(own, mutual=True))),
            others=view(sight(stranger(own, mutual=False))),
            account=found[0] if found else None,
        )

    def _snapshot(
        self, ear: Ear, wanted: Iterable[str], sights: Mapping[str, Sight], places: Iterable[str]
    ) -> PresenceSnapshot:
        people = {each: self._telling.view(ear, each, sights.get(each, NOTHING)) for each in wanted}
        here: dict[str, Here] = {place: self._telling.here(ear, place) for place in places}
        return PresenceSnapshot(people=people, places=here, known=self._roster.known)

    # Writing

    def type(self, account: str, room: str, *, on: bool) -> int:
        """Somebody here writes in a room, or no more; the other nodes hear of it. Returns 0, or the milliseconds after which
        it may be said again."""
        if on:
            again_in = self._typists.said_at(room, account) + TYPING_EVERY_S - self._loop.time()
            if again_in > 0:
                return max(1, round(again_in * 1000))
        self._typed(room, account, on=on)
        return 0

    def sent(self, room: str, account: str) -> None:
        """A line was said, which ends its author's writing."""
        if self._typists.anybody(room) and self._typists.ended(room, account):
            self._telling.typing(room, account)

    def _typed(self, room: str, account: str, *, on: bool) -> None:
        self._took(room, account, on=on)
        frame = orjson.dumps({"room": room, "account": account, "on": on})
        # One channel with the marks of this node: writing never overtakes arriving.
        channel = "presence:" + self._means.node
        self._means.tell(Parcel(channel, 0, TYPED, Audience.NOBODY, "", "", 0, self._means.node, frame))

    def _took(self, room: str, account: str, *, on: bool) -> None:
        now = self._loop.time()
        changed = self._typists.began(room, account, now) if on else self._typists.ended(room, account)
        if changed:
            self._telling.typing(room, account)

    # What the nodes obey

    def hear(self, parcel: Parcel) -> None:
        """A parcel of another node's presence."""
        if parcel.kind == BATCH:
            self.keeper.hear(parcel)
            return
        try:
            told = orjson.loads(parcel.frame)
            self._took(str(told["room"]), str(told["account"]), on=bool(told["on"]))
        except (ValueError, KeyError, TypeError) as error:
            log.warning("a word of another node that cannot be read", error=str(error))

    def ruled(self, account: str) -> None:
        """What an account shows, and to whom, has changed."""
        self._sights.doubt(account)
        mark = self._devices.mark_of(account)
        if mark is not None and mark.counted:
            # From whomever they hide now: this is when they were last seen.
            self._seen[account] = self._means.clock_ms()
            self._hurry.set()
        if self._circles.ears_of(account) or self._devices.rules_of(account) is not None:
            self._sights.want(account)

    def befriended(self, account: str) -> None:
        """Somebody's follows, or those of whoever follows them, have changed."""
        if self._circles.ears_of(account):
            self._sights.want(account)

    def parted(self, a: str, b: str) -> None:
        """One of two blocks the other: they are out of each other's sight at once."""
        for viewer, target in ((a, b), (b, a)):
            if self._circles.judge(viewer, target, live=False):
                self._telling.pair(viewer, target)
            self.befriended(viewer)

    # Inside

    def _say(self, account: str) -> None:
        value = self._devices.mark_of(account)
        self.keeper.say(account, value)
        self._telling.changed(self._roster.own(account, value))

    def _gone(self, account: str, said: Mark | None) -> None:
        """Somebody of this node is not here any more."""
        if said is None:
            return
        if said.counted:
            self._seen[account] = self._means.clock_ms()
        self.keeper.say(account, None)
        self._others_changed(self._roster.own(account, None), lapsed=False)

    def _others_changed(self, changes: Changes, lapsed: bool) -> None:
        self._telling.changed(changes)
        for account, before in changes:
            if self._roster.standing(account) is None:
                for room in self._typists.gone(account):
                    self._telling.typing(room, account)
                # Their own node cannot say any more when they were last here.
                if lapsed and isinstance(before, Mark) and before.counted:
                    self._seen[account] = self._means.clock_ms()

    def _read(self, heard: Heard) -> None:
        """Somebody's rules and circle were read."""
        account = heard.account
        # Rights first: whoever loses one is told while there is something to lose.
        for target in heard.changed:
            self._telling.pair(account, target)
        for ear in self._circles.ears_of(account):
            if ear in self._fresh:
                del self._fresh[ear]
                self._telling.whole(ear)
        before = self._devices.mark_of(account)
        if self._devices.ruled(account, heard.rules):
            if before is not None and before.counted and not heard.rules.counted:
                self._hidden[account] = self._means.clock_ms()
                self._hurry.set()
            self._say(account)
