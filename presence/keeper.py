"""Keeps this node's lease, says who is here, and knows what the other living nodes say (FEATURES §7).

Owned by the presence service. What always holds: a node that lost its lease registers again under a new generation before
it says anything more, and then says everything; what it says is in the leases before it is on the courier, so nothing of a
dead generation is ever told; a node that was out of contact declares nobody dead for a whole lease, and is in doubt
about whoever is out of its sight. Trouble with the leases never stops the node.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import orjson
import structlog

from presence import marks
from presence.marks import Mark
from presence.roster import Changes, Roster, Taken
from realtime.parcels import Audience, Parcel
from storage.leases import Leases, LeasesUnavailable, NodeLease

log = structlog.get_logger("presence")
BATCH = "presence.batch"
CHANNEL = "presence:"
ANNOUNCED_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Pulse:
    """How often, in seconds: `ttl` and `renew` of the lease, `sweep` of the others' leases, `announce` at most;
    `patience`: out of contact for longer, and those on other nodes are unknown."""

    ttl: float = 15.0
    renew: float = 5.0
    sweep: float = 1.0
    announce: float = 0.2
    patience: float = 2.5


class Authority(NamedTuple):
    """Where the leases are, as whom, and how often."""

    leases: Leases
    node: str
    pulse: Pulse


class Keeper:
    """See the module. `changed` takes what became of people of other nodes, and whether a lease
    lapsed; `tell` hands a parcel to the courier.
    `peers` is the number of other living nodes as of the last look; `known` false while nothing is known."""

    def __init__(
        self,
        authority: Authority,
        roster: Roster,
        changed: Callable[[Changes, bool], None],
        tell: Callable[[Parcel], None],
    ) -> None:
        self._leases, self._node, self._pulse = authority
        self._roster = roster
        self._changed = changed
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._unsaid: dict[str, Mark | None] = {}
        self._wanted: dict[str, None] = {}
        self._numbers: dict[str, tuple[int, int]] = {}
        # Since when a node that lived has no lease, while it may not be declared dead.
        self._missing: dict[str, float] = {}
        self._awake = asyncio.Event()
        # The last number used, and whether this generation was heard to speak.
        self._number = 0
        self._spoken = False
        self._announced_at = 0.0
        self._renewed_at = -math.inf
        self._sweep_at = -math.inf
        # When the leases last answered, and until when nobody is declared dead.
        self._heard_at = self._loop.time()
        self._settled_at = 0.0
        self.generation = 0
        self.peers = 0
        self.known = False
        self.reloads = 0
        self.announced = 0

    async def start(self) -> None:
        """Register and look around once. An absent Redis is tried again at each sweep."""
        await self._turn()

    async def run(self) -> None:
        """For ever: a turn whenever there is something to say, and for each sweep."""
        while True:
            await self._until_next()
            try:
                await self._turn()
            except Exception:
                # A fault of ours must not leave this node without a lease for ever.
                log.exception("presence turn failed")

    async def close(self) -> None:
        """The lease is left to lapse, so that nobody flickers while people reconnect elsewhere."""
        await self._leases.close()

    # What the service tells

    def say(self, account: str, value: Mark | None) -> None:
        """Somebody of this node changed: the others are to know."""
        self._unsaid[account] = value
        self._awake.set()

    def hear(self, parcel: Parcel) -> None:
        """A batch of another node, from the courier."""
        try:
            told = orjson.loads(parcel.frame)
            node, generation, number = str(told["node"]), int(told["generation"]), int(told["number"])
            people = _changes(told["people"])
        except (ValueError, KeyError, TypeError) as error:
            log.warning("a batch that cannot be read", error=str(error))
            return
        taken, changed = self._roster.apply(node, generation, number, people)
        if taken is Taken.AHEAD:
            self._wanted[node] = None
            self._awake.set()
        elif changed:
            self._changed(changed, False)

    def look(self) -> None:
        """Called before anything is told: a process that stood still must not tell what it knew before."""
        if self._loop.time() - self._heard_at > self._pulse.ttl:
            self._lose_sight()

    # Turns

    async def _until_next(self) -> None:
        try:
            async with asyncio.timeout_at(self._sweep_at):
                await self._awake.wait()
            pause = self._announced_at + self._pulse.announce - self._loop.time()
            if pause > 0:
                await asyncio.sleep(pause)
        except TimeoutError:
            pass

    async def _turn(self) -> None:
        self._awake.clear()
        self.look()
        try:
            if self._loop.time() >= self._sweep_at:
                self._sweep_at = self._loop.time() + self._pulse.sweep
                await self._sweep()
            await self._announce()
            await self._reload()
        except LeasesUnavailable as error:
            self._out_of_reach(error)

    async def _sweep(self) -> None:
        """Renew, and judge the others by the leases that live."""
        begun = self._loop.time()
        if self.generation == 0 or begun - self._renewed_at >= self._pulse.renew:
            if self.generation == 0 or not await self._leases.renew(self._node, self.generation):
                await self._register()
            self._renewed_at = begun
        living = {lease.node: lease for lease in await self._leases.nodes()}
        own = living.pop(self._node, None)
        if own is None or own.generation != self.generation:
            # The leases were emptied, or this node stood still: whoever is not back yet may still be here.
            await self._register()
        self._heard_at = begun
        self.known = True
        self.peers = len(living)
        self._judge(living)

    def _judge(self, living: Mapping[str, NodeLease]) -> None:
        now = self._loop.time()
        numbers, self._numbers = self._numbers, {}
        missing, self._missing = self._missing, {}
        for node, (generation, number) in self._roster.others().items():
            lease = living.get(node)
            if lease is not None and lease.generation == generation:
                self._changed(self._roster.doubt(node, doubtful=False), False)
                # A batch may be on its way; one that has been due since the last look is lost.
                if (generation, number) < numbers.get(node, (0, 0)):
                    self._wanted[node] = None
                self._numbers[node] = (lease.generation, lease.number)
            elif lease is not None:
                self._wanted[node] = None
                self._out_of_sight(node, missing, now)
            elif now >= self._settled_at:
                log.info("lease lapsed", node=node)
                self._changed(self._roster.drop(node), True)
            else:
                self._out_of_sight(node, missing, now)
        self._wanted.update(dict.fromkeys(node for node in living if node not in self._roster.others()))

    def _out_of_sight(self, node: str, missing: Mapping[str, float], now: float) -> None:
        """After a loss of all leases everybody is back, and has spoken, within a sweep or two: not worth a doubt."""
        since = self._missing[node] = missing.get(node, now)
        if now - since > self._pulse.patience:
            self._changed(self._roster.doubt(node, doubtful=True), False)

    async def _register(self) -> None:
        if self.generation:
            self._unsettle()
        self.generation = await self._leases.register(self._node)
        self._number = 0
        self._spoken = False
        self._unsaid = dict(self._roster.own_people())
        log.info("lease taken", node=self._node, generation=self.generation)

    async def _announce(self) -> None:
        """Say what is unsaid: into the leases first, then to the others' ears. The first word of a generation is everybody
        at once, be it nobody: until it is said, nothing is concluded from who is missing. A number is used once: what was
        not answered may have been heard, and who heard it would take what is said again for the same."""
        while self.generation and (self._unsaid or not self._spoken):
            most = ANNOUNCED_AT_ONCE if self._spoken else len(self._unsaid)
            said = dict(list(self._unsaid.items())[:most])
            packed = {account: marks.pack(value) if value else None for account, value in said.items()}
            self._number += 1
            self._announced_at = self._loop.time()
            if not await self._leases.announce(self._node, self.generation, self._number, packed):
                await self._register()
                continue
            self._spoken = True
            self.announced += len(said)
            for account, value in said.items():
                if self._unsaid.get(account, said) == value:
                    del self._unsaid[account]
            self._publish(packed)

    def _publish(self, packed: Mapping[str, bytes | None]) -> None:
        people = {account: value.decode() if value else None for account, value in packed.items()}
        frame = orjson.dumps(
            {"node": self._node, "generation": self.generation, "number": self._number, "people": people}
        )
        # One channel for each node: its batches keep their order.
        channel = CHANNEL + self._node
        self._tell(Parcel(channel, 0, BATCH, Audience.NOBODY, "", "", 0, self._node, frame))

    async def _reload(self) -> None:
        while self._wanted:
            node = next(iter(self._wanted))
            del self._wanted[node]
            told = await self._leases.people_of(node)
            if told is None or not told.number:
                # It lapsed meanwhile, or has not spoken yet; the next sweep judges that.
                continue
            self.reloads += 1
            changed = self._roster.replace(node, told.generation, told.number, _marks(told.people))
            self._changed(changed, False)
            self._changed(self._roster.doubt(node, doubtful=False), False)

    # Out of contact

    def _out_of_reach(self, error: LeasesUnavailable) -> None:
        if self.known:
            log.warning("leases unavailable", error=str(error))
        self.known = False
        self._unsettle()
        if self._loop.time() - self._heard_at > self._pulse.patience:
            self._lose_sight()

    def _lose_sight(self) -> None:
        self._unsettle()
        for node in self._roster.others():
            self._changed(self._roster.doubt(node, doubtful=True), False)

    def _unsettle(self) -> None:
        self._settled_at = self._loop.time() + self._pulse.ttl


def _changes(people: Mapping[str, str | None]) -> dict[str, Mark | None]:
    return {
        account: marks.unpack(value.encode()) if value is not None else None
        for account, value in people.items()
    }


def _marks(people: Mapping[str, bytes]) -> dict[str, Mark]:
    """What the leases hold. A mark that a newer version wrote and that cannot be read here is left out (FAULTS F31)."""
    found = {}
    for account, value in people.items():
        try:
            found[account] = marks.unpack(value)
        except ValueError:
            log.warning("a mark that cannot be read", account=account)
    return found
