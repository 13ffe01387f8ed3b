"""Replays: stretches of the log for connections that continue, read together (HOUSE §3).

Called by the gateway when the node's memory does not reach back far enough. What always holds: at most
`READERS` queries at once; whoever asks while they run is served by the next one, and equal wishes are one; every
query sees what was committed before the wish.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from channels.arrival import entries_between
from channels.desk import Desk
from realtime.channel import Replay
from realtime.parcels import Parcel
from realtime.recovery import Stretch
from storage.database import StorageUnavailable

READERS = 2
QUERY_ENTRIES_MAX = 2_000

Spawn = Callable[[Coroutine[Any, Any, Any]], object]


class Replays:
    """See the module. `spawn` starts a task that its owner keeps."""

    def __init__(self, desk: Desk, spawn: Spawn) -> None:
        self._desk = desk
        self._spawn = spawn
        self._wanted: dict[Stretch, asyncio.Future[Replay | None]] = {}
        self._readers = 0
        self.queries = 0
        self.shared = 0

    async def read(self, stretches: Sequence[Stretch]) -> list[Replay | None]:
        """Each stretch as it may be read now, or None where the log does not hold all of it. Errors:
        `StorageUnavailable`."""
        waited = [self._want(stretch) for stretch in stretches]
        if self._wanted and self._readers < READERS:
            self._readers += 1
            self._spawn(self._serve())
        # Not by gather: whoever gives up waiting must not take the answer from the others.
        await asyncio.wait(waited)
        return [future.result() for future in waited]

    def _want(self, stretch: Stretch) -> asyncio.Future[Replay | None]:
        future = self._wanted.get(stretch)
        if future is None:
            future = self._wanted[stretch] = asyncio.get_running_loop().create_future()
        else:
            self.shared += 1
        return future

    async def _serve(self) -> None:
        try:
            # A turn of the loop, so that those who come at the same time share the first query too.
            await asyncio.sleep(0)
            while self._wanted:
                await self._query(self._next())
        finally:
            self._readers -= 1

    def _next(self) -> dict[Stretch, asyncio.Future[Replay | None]]:
        taken: dict[Stretch, asyncio.Future[Replay | None]] = {}
        room = QUERY_ENTRIES_MAX
        for stretch in list(self._wanted):
            size = stretch.upto - stretch.after
            if taken and size > room:
                break
            room -= size
            taken[stretch] = self._wanted.pop(stretch)
        return taken

    async def _query(self, taken: dict[Stretch, asyncio.Future[Replay | None]]) -> None:
        self.queries += 1
        try:
            found = await self._read(list(taken))
        except StorageUnavailable as error:
            for future in taken.values():
                future.set_exception(error)
                # Looked at here, because who asked for several sees the first one only, and may be gone.
                future.exception()
            return
        for stretch, future in taken.items():
            parcels = found[stretch]
            whole = len(parcels) == stretch.upto - stretch.after
            future.set_result(Replay(parcels) if whole else None)

    async def _read(self, stretches: list[Stretch]) -> dict[Stretch, list[Parcel]]:
        """One query. Stretches of one channel may overlap: the entries are read once and dealt out."""
        spans: dict[str, tuple[int, int]] = {}
        for name, after, upto in stretches:
            low, high = spans.get(name, (after, upto))
            spans[name] = min(low, after), max(high, upto)
        wanted = [(name, low, high) for name, (low, high) in spans.items()]
        parcels = await entries_between(self._desk, wanted, sum(high - low for _, low, high in wanted))
        by_channel: dict[str, list[Parcel]] = {}
        for parcel in parcels:
            by_channel.setdefault(parcel.channel, []).append(parcel)
        return {
            stretch: [p for p in by_channel.get(stretch.channel, ()) if stretch.after < p.seq <= stretch.upto]
            for stretch in stretches
        }
