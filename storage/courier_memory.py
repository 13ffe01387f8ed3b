"""The courier inside one process: the embedded profile's only courier, and the wire of simulated clusters.

Any number of `MemoryCourier`s may share one `MemoryBus`; each is a node, and the bus may keep a hot log for those
that start later. What always holds: delivery is never inside `publish` but on a later turn of the loop, as with Redis.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from realtime.parcels import Parcel, partition_of
from storage.courier import (
    CourierConfig,
    CourierCounters,
    CourierHealth,
    CourierState,
    Deliver,
    Suspect,
)
from storage.courier_outbox import Outbox, Waiting

HEAD_BYTES = 128


class MemoryBus:
    """What the nodes of one process share: the newest `log_entries_max` entries, and who listens."""

    def __init__(self, log_entries_max: int = 0) -> None:
        self.log: deque[Parcel] = deque(maxlen=log_entries_max)
        self._nodes: list[MemoryCourier] = []

    @property
    def alone(self) -> bool:
        """True while one node only would hear what is carried, and nobody who starts later would."""
        return len(self._nodes) == 1 and not self.log.maxlen

    def join(self, node: MemoryCourier) -> None:
        """From now on `node` hears the others."""
        self._nodes.append(node)

    def leave(self, node: MemoryCourier) -> None:
        """`node` hears nothing any more."""
        if node in self._nodes:
            self._nodes.remove(node)

    def carry(self, batch: Sequence[Waiting[Parcel]]) -> None:
        """Append the durable, hand everything to every node."""
        parcels = [waiting.item for waiting in batch]
        self.log.extend(parcel for parcel in parcels if parcel.durable)
        for node in self._nodes:
            node.hear(parcels)


class MemoryCourier:
    """The `Courier` of one node on a `MemoryBus`."""

    def __init__(self, config: CourierConfig, bus: MemoryBus | None = None) -> None:
        self.counters = CourierCounters()
        self._config = config
        self._bus = bus if bus is not None else MemoryBus()
        self._outbox: Outbox[Parcel] = Outbox(
            config.buffer_parcels_max, config.buffer_bytes_max, self.counters
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._deliver: Deliver | None = None
        self._flushing = False

    @property
    def healthy(self) -> bool:
        """True between `start` and `close`."""
        return self._deliver is not None

    async def start(self, deliver: Deliver, on_suspect: Suspect) -> None:
        """Join the bus. `on_suspect` is never called: nothing is lost inside a process."""
        self._loop = asyncio.get_running_loop()
        self._deliver = deliver
        self._bus.join(self)

    def publish(self, parcel: Parcel) -> None:
        """As `Courier.publish`; before `start` and after `close` a parcel is dropped and counted."""
        if self._loop is None or self._deliver is None:
            self.counters.dropped += 1
            return
        if self._bus.alone and parcel.origin == self._config.origin:
            self.counters.published += 1
            return
        partition = partition_of(parcel.channel, self._config.partitions)
        self._outbox.put(Waiting(partition, parcel.durable, len(parcel.frame) + HEAD_BYTES, parcel))
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    async def recent(self) -> list[Parcel]:
        """As `Courier.recent`."""
        return sorted(self._bus.log, key=lambda parcel: parcel.seq)

    async def check(self) -> CourierHealth:
        """Fine while started."""
        return CourierHealth(
            CourierState.OK if self.healthy else CourierState.DEAD, 0.0 if self.healthy else None
        )

    async def close(self) -> None:
        """Hand over the rest and leave the bus."""
        if self.healthy:
            self._flush()
        self._bus.leave(self)
        self._deliver = None

    def hear(self, parcels: Sequence[Parcel]) -> None:
        """Called by the bus with a batch of any node; delivered on this node's next turn."""
        others = [parcel for parcel in parcels if parcel.origin != self._config.origin]
        if others and self._loop is not None:
            self._loop.call_soon(self._hand_over, others)

    def _flush(self) -> None:
        self._flushing = False
        batch = self._outbox.take(len(self._outbox), self._config.buffer_bytes_max)
        if batch:
            self.counters.published += len(batch)
            self._bus.carry(batch)

    def _hand_over(self, parcels: list[Parcel]) -> None:
        if self._deliver is not None:
            self.counters.received += len(parcels)
            self._deliver(parcels)
