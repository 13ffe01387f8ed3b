"""Upkeep: what a node does for its installation now and then, whoever is connected.

Called by the node. What always holds: several nodes may do it at once; each step is short, so that nobody waits for it.
"""

from __future__ import annotations

import asyncio

import structlog

from channels.desk import Desk
from channels.notifications import forget_old, trim_grown
from channels.pictures import forget_due
from channels.profiles import erase_due
from channels.search import index_missing
from realtime.recovery import CHANNEL_ENTRIES_MAX
from storage import attempts, nonces
from storage import log as entry_log
from storage.accounts import forget_addresses
from storage.database import StorageUnavailable
from storage.emotext import drop_due_previews
from storage.marks import Mark, Marks

log = structlog.get_logger("upkeep")
DAY_MS = 86_400_000
EVERY_S = 600.0
STEPS_MAX = 100
INDEX_STEPS_MAX = 1_000_000
PAUSE_S = 0.02


class Upkeep:
    """Forgets what is old enough, and keeps the mark of how far the log has come."""

    def __init__(self, desk: Desk, marks: Marks, epoch: str) -> None:
        self._desk = desk
        self._marks = marks
        self._epoch = epoch
        self._purged = 0
        self.replaced = False

    async def run(self) -> None:
        """For ever."""
        while True:
            try:
                await self._index()
                await asyncio.sleep(EVERY_S)
                await self.forget()
            except StorageUnavailable as error:
                log.warning("upkeep failed", error=str(error))
                await asyncio.sleep(EVERY_S)

    async def _index(self) -> None:
        """What is older than the search can be found from now on."""
        for _ in range(INDEX_STEPS_MAX):
            if not await self._desk.db.write(index_missing):
                return
            await asyncio.sleep(PAUSE_S)

    async def swept(self, newest_n: int) -> None:
        """The log has come this far."""
        if await self._marks.note(Mark(self._epoch, newest_n)) or self.replaced:
            return
        self.replaced = True
        log.error("another epoch has begun: the data was replaced under this process; restart it")

    async def forget(self) -> None:
        """Old nonces, erased accounts, spent attempts, changed addresses, previews, pictures that nothing shows, the log's old entries, old notifications."""
        db, settings = self._desk.db, self._desk.settings
        await db.write(lambda tx: nonces.forget(tx, tx.now_ms() - settings.limits.nonce_keep_s * 1000))
        await db.write(erase_due)
        await db.write(lambda tx: attempts.forget_attempts(tx, tx.now_ms(), DAY_MS))
        await db.write(forget_addresses)
        await db.write(drop_due_previews)
        await self._forget_pictures()
        await self._purge_log(settings.log_days * DAY_MS)
        await self._forget_notifications()

    async def _forget_notifications(self) -> None:
        for step in (forget_old, trim_grown):
            for _ in range(STEPS_MAX):
                if not await step(self._desk):
                    break
                await asyncio.sleep(PAUSE_S)

    async def _forget_pictures(self) -> None:
        for _ in range(STEPS_MAX):
            if not await self._desk.db.write(forget_due):
                return
            await asyncio.sleep(PAUSE_S)

    async def _purge_log(self, age_ms: int) -> None:
        """A stretch of the log each time, in steps that a writer hardly notices."""
        gone = 0
        for _ in range(STEPS_MAX):
            after = self._purged
            purged = await self._desk.db.write(
                lambda tx, after=after: entry_log.purge(  # type: ignore[misc]  # bound now
                    tx, after, tx.now_ms() - age_ms, CHANNEL_ENTRIES_MAX
                )
            )
            gone += purged.entries
            self._purged = purged.next_n or 0
            if purged.next_n is None:
                break
            await asyncio.sleep(PAUSE_S)
        if gone:
            log.info("old entries forgotten", entries=gone)
