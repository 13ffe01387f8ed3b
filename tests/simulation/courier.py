"""The simulated Redis: a bus between nodes that loses, doubles, delays and forgets; leases; the mark of the log.

What always holds: nobody is told of a loss unless production's adapter would tell: after a way that was broken works
again, or when the courier came back. Silent losses stay silent.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence

from realtime.parcels import Parcel
from storage.courier import CourierCounters, CourierHealth, CourierState, Deliver, Suspect
from storage.leases import Announced, LeasesUnavailable, NodeLease
from storage.leases_memory import MemoryLeases
from storage.marks import Mark
from tests.simulation.world import Crash, Process, World

LOG_MAX = 200
FLUSH_S = (0.0002, 0.008)
CARRY_S = (0.0002, 0.006)
LATE_S = (0.02, 1.5)
BEAT_S = 1.0
OUTBOX_MAX = 500


class Bus:
    """What the nodes share. `state` is ok, dead (refuses) or hung (takes and answers nothing)."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.state = "ok"
        self.log: deque[Parcel] = deque(maxlen=LOG_MAX)
        self.nodes: list[SimCourier] = []
        self.leases_away = False
        self.leases = MemoryLeases(15.0, world.now)
        self.mark: Mark | None = None

    def carry(self, parcels: Sequence[Parcel]) -> None:
        """Append the durable, send everything to every subscriber."""
        self.log.extend(parcel for parcel in parcels if parcel.durable)
        for node in list(self.nodes):
            for parcel in parcels:
                node.carried(parcel)

    def set(self, state: str) -> None:
        """It breaks, or works again."""
        self.state = state
        for node in list(self.nodes):
            if state == "ok":
                node.back()
            elif state == "dead":
                node.refused()

    def empty(self) -> None:
        """It comes back with nothing."""
        self.log.clear()
        self.leases.empty()


class SimCourier:
    """`storage.courier.Courier` of one process."""

    def __init__(self, bus: Bus, process: Process) -> None:
        self.counters = CourierCounters()
        self._bus = bus
        self._process = process
        self._world = bus.world
        self._outbox: deque[Parcel] = deque()
        self._deliver: Deliver | None = None
        self._suspect: Suspect | None = None
        self._flushing = False
        self._noticed = False
        self._at = 0.0
        self.dropped_until = 0.0

    @property
    def healthy(self) -> bool:
        """As of the last beat."""
        return self._deliver is not None and not self._noticed

    async def start(self, deliver: Deliver, on_suspect: Suspect) -> None:
        """Subscribe."""
        await asyncio.sleep(self._world.between(CARRY_S))
        self._deliver, self._suspect = deliver, on_suspect
        self._bus.nodes.append(self)
        self._noticed = self._bus.state != "ok"
        asyncio.get_running_loop().call_later(BEAT_S, self._beat)

    def _beat(self) -> None:
        """Each connection proves now and then that it works."""
        if self._deliver is None or not self._process.alive:
            return
        if self._bus.state != "ok":
            self.refused()
        asyncio.get_running_loop().call_later(BEAT_S, self._beat)

    def refused(self) -> None:
        """The node notices that the courier is away; what is fleeting is old news by then."""
        self._noticed = True
        self._outbox = deque(parcel for parcel in self._outbox if parcel.durable)

    def publish(self, parcel: Parcel) -> None:
        """As `Courier.publish`."""
        self._outbox.append(parcel)
        while len(self._outbox) > OUTBOX_MAX:
            self._outbox.popleft()
            self.counters.dropped += 1
        self._flush_soon()

    def _flush_soon(self) -> None:
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_later(self._world.between(FLUSH_S), self._flush)

    def _flush(self) -> None:
        self._flushing = False
        if not self._process.alive or self._deliver is None:
            return
        try:
            if any(parcel.durable for parcel in self._outbox):
                self._world.crash_point("after the reply, before publishing", self._process)
        except Crash:
            self._process.die()
            return
        if self._bus.state == "dead" or self._noticed:
            return
        parcels = list(self._outbox)
        self._outbox.clear()
        if self._bus.state == "hung":
            # Taken, and never answered: nobody knows what became of them.
            self.counters.dropped += len(parcels)
            return
        self.counters.published += len(parcels)
        self._bus.carry(parcels)

    def carried(self, parcel: Parcel) -> None:
        """A parcel of any node comes by."""
        if parcel.origin == self._process.name or not self._process.alive:
            return
        world = self._world
        if world.now() < self.dropped_until or world.happens("parcel lost"):
            return
        for _ in range(2 if world.happens("parcel doubled") else 1):
            if world.happens("parcel late"):
                at = world.now() + world.between(LATE_S)
            else:
                at = self._at = max(self._at + 1e-6, world.now() + world.between(CARRY_S))
            asyncio.get_running_loop().call_at(at, self._hand_over, parcel)

    def _hand_over(self, parcel: Parcel) -> None:
        if self._deliver is not None and self._process.alive and self._bus.state == "ok":
            self.counters.received += 1
            self._deliver([parcel])

    def back(self) -> None:
        """The courier works again: the reader subscribes anew and says that it may have missed something."""
        asyncio.get_running_loop().call_later(self._world.between((0.05, 1.0)), self._again)

    def _again(self) -> None:
        if self._bus.state != "ok" or not self._process.alive or self._suspect is None:
            return
        self._noticed = False
        self._suspect()
        self._flush_soon()

    async def recent(self) -> list[Parcel]:
        """As `Courier.recent`: ascending per channel."""
        if self._bus.state != "ok":
            return []
        return sorted(self._bus.log, key=lambda parcel: parcel.seq)

    async def check(self) -> CourierHealth:
        """As `Courier.check`."""
        return CourierHealth(CourierState.OK if self._bus.state == "ok" else CourierState.DEAD)

    async def close(self) -> None:
        """Hand over the rest and leave."""
        if self.healthy:
            self._flush()
        self.leave()

    def leave(self) -> None:
        """Hear nothing any more."""
        if self in self._bus.nodes:
            self._bus.nodes.remove(self)
        self._deliver = self._suspect = None


class SimLeases:
    """`storage.leases.Leases`: one authority that is sometimes out of reach."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def _reach(self) -> MemoryLeases:
        if self._bus.leases_away or self._bus.state != "ok":
            raise LeasesUnavailable("simulated")
        return self._bus.leases

    async def register(self, node: str) -> int:
        """As `Leases.register`."""
        return await self._reach().register(node)

    async def renew(self, node: str, generation: int) -> bool:
        """As `Leases.renew`."""
        return await self._reach().renew(node, generation)

    async def release(self, node: str, generation: int) -> None:
        """As `Leases.release`."""
        await self._reach().release(node, generation)

    async def nodes(self) -> list[NodeLease]:
        """As `Leases.nodes`."""
        return await self._reach().nodes()

    async def announce(
        self, node: str, generation: int, number: int, changes: Mapping[str, bytes | None]
    ) -> bool:
        """As `Leases.announce`."""
        return await self._reach().announce(node, generation, number, changes)

    async def people_of(self, node: str) -> Announced | None:
        """As `Leases.people_of`."""
        return await self._reach().people_of(node)

    async def close(self) -> None:
        """Nothing to let go of."""


class SimMarks:
    """`storage.marks.Marks` without file and Redis."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def read(self) -> list[Mark]:
        """As `Marks.read`."""
        return [self._bus.mark] if self._bus.mark is not None else []

    async def begin(self, mark: Mark) -> None:
        """As `Marks.begin`."""
        self._bus.mark = mark

    async def note(self, mark: Mark) -> bool:
        """As `Marks.note`."""
        if self._bus.mark is None or mark.n > self._bus.mark.n:
            self._bus.mark = mark
        return self._bus.mark.epoch == mark.epoch

    async def close(self) -> None:
        """Nothing to let go of."""
