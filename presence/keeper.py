"""Keeps this node's lease alive and knows how many other nodes live (FEATURES §7).

Started and stopped by the assembly. What always holds: a node that lost its lease registers again under a new
generation before it says anything more; trouble with the leases never stops the node.
"""

from __future__ import annotations

import asyncio
import contextlib

import structlog

from storage.leases import Leases, LeasesUnavailable

log = structlog.get_logger("presence")


class Keeper:
    """`peers` is the number of other living nodes as of the last renewal; `known` false while nothing is known."""

    def __init__(self, leases: Leases, node: str, renew_s: float) -> None:
        self._leases = leases
        self._node = node
        self._renew_s = renew_s
        self._task: asyncio.Task[None] | None = None
        self.generation = 0
        self.peers = 0
        self.known = False

    async def start(self) -> None:
        """Register once, then keep renewing. An absent Redis is tried again at each renewal."""
        await self._beat()
        self._task = asyncio.create_task(self._run(), name="lease")

    async def close(self) -> None:
        """Stop renewing. The lease is left to lapse, so that nobody flickers while people reconnect elsewhere."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._leases.close()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._renew_s)
            await self._beat()

    async def _beat(self) -> None:
        try:
            if self.generation == 0 or not await self._leases.renew(self._node, self.generation):
                self.generation = await self._leases.register(self._node)
                log.info("lease taken", node=self._node, generation=self.generation)
            self.peers = sum(1 for lease in await self._leases.nodes() if lease.node != self._node)
            self.known = True
        except LeasesUnavailable as error:
            if self.known:
                log.warning("leases unavailable", error=str(error))
            self.known = False
