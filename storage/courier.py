"""The courier's contract: parcels from this node to all others, and a short hot log for nodes that start.

Called by the node's fan-out (`start`, `recent`, `publish`) and by probes and shutdown (`check`, `close`). Two adapters live
behind it: `courier_memory` for one process, `courier_redis` for many. What always holds: the courier decides
nothing and promises nothing that the database does not hold; `publish` returns at once and never raises;
a durable parcel that it loses is found by the node's sweep of the database, and every loss it knows of is
counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from realtime.parcels import Parcel
from realtime.settings import Settings

Deliver = Callable[[Sequence[Parcel]], None]
"""Takes parcels of other nodes, in the order of each partition; called on the event loop, must not block."""

Suspect = Callable[[], None]
"""Told that live parcels may have been lost; the node then reads every channel's gap from the database."""


@dataclass(frozen=True, slots=True)
class CourierConfig:
    """What an adapter needs to know. `origin` names this node; its own parcels are not delivered back."""

    origin: str
    redis_url: str = ""
    prefix: str = "tsudoi"
    partitions: int = 64
    timeout_s: float = 1.0
    beat_s: float = 1.0
    """How often each connection proves that it works."""
    log_entries_max: int = 1_000
    """Entries the hot log keeps per partition, roughly."""
    recent_entries_max: int = 256
    """Entries of a partition that `recent` reads."""
    buffer_parcels_max: int = 20_000
    buffer_bytes_max: int = 32 * 1024 * 1024

    @classmethod
    def of(cls, settings: Settings, origin: str, epoch: str) -> CourierConfig:
        """The configuration that the process settings imply. What was carried in another epoch is never met."""
        return cls(
            origin=origin,
            redis_url=settings.redis_url,
            prefix=f"{settings.redis_prefix}:{epoch}",
            partitions=settings.partitions,
            timeout_s=settings.redis_timeout_s,
            log_entries_max=settings.stream_entries_max,
        )


@dataclass(slots=True)
class CourierCounters:
    """Running totals since the start, read by the metrics page."""

    published: int = 0
    """Own parcels handed over."""
    received: int = 0
    """Parcels of other nodes delivered."""
    dropped: int = 0
    """Own parcels given up: buffer full, or ephemeral and late."""
    malformed: int = 0
    """Received bytes that are no parcel."""
    reconnects: int = 0
    """Connections of reader and writer made anew after the first."""
    script_errors: int = 0
    """Refusals by the server: parcels that it did not append to the hot log, or did not take at all."""


class CourierState(StrEnum):
    """What a fresh look at the courier found."""

    OK = "ok"
    DEAD = "dead"
    """A fresh connection gets no answer."""
    READER_DEAD = "reader_dead"
    """A fresh connection works, but this node hears no live parcels."""
    WRITER_DEAD = "writer_dead"
    """A fresh connection works and the reader hears, but this node's parcels do not leave."""


@dataclass(frozen=True, slots=True)
class CourierHealth:
    """The answer of `check`. `ping_ms` is None where no answer came; `error` says what went wrong, or ''."""

    state: CourierState
    ping_ms: float | None = None
    error: str = ""


class Courier(Protocol):
    """Carries parcels between nodes. All methods belong to one event loop."""

    counters: CourierCounters

    @property
    def healthy(self) -> bool:
        """True while both reader and writer work, as of the last beat."""
        ...

    async def start(self, deliver: Deliver, on_suspect: Suspect) -> None:
        """Begin. Returns when parcels flow, or after the deadline when the other side does not answer:
        the courier then goes on trying by itself. Never raises for an absent server."""
        ...

    def publish(self, parcel: Parcel) -> None:
        """Hand over a parcel; it leaves soon, in order. Above the buffer's bounds the oldest is dropped."""
        ...

    async def recent(self) -> list[Parcel]:
        """The newest entries of the hot log, ascending per channel: what a node that starts has not heard. There may
        be holes among them, and the log may be empty or out of reach: then there are none. Never raises."""
        ...

    async def check(self) -> CourierHealth:
        """Look afresh, on a new connection, within the deadline. Never raises."""
        ...

    async def close(self) -> None:
        """Hand over what is buffered, for a moment, then stop. Leaves no task behind."""
        ...
