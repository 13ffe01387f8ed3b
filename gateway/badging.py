"""Badges: what waits for an account, told to its devices when it has changed (FEATURES §8).

Owned by the fan-out, which notes whose commits have changed it. What always holds: however much comes together, a node tells an
account at most once a second, and the numbers are read from the database after the change; the first change after a quiet
second is told at once. A node reads at most `READ_MAX` accounts a round, those who waited longest first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import islice

import structlog

from channels.desk import Desk
from channels.notifications import badges_now
from realtime.events import ephemeral_frame
from realtime.ids import inbox_channel
from realtime.notifications import BADGE
from realtime.parcels import Audience, Parcel
from storage.database import StorageUnavailable

log = structlog.get_logger("badging")
EVERY_S = 1.0
SOON_S = 0.05
READ_MAX = 500


class Badging:
    """See the module. `tell` hands a parcel to hub and courier; `spawn` starts a task that the node keeps track of."""

    def __init__(self, desk: Desk, tell: Callable[[Parcel], None], spawn: Callable[..., object]) -> None:
        self._desk = desk
        self._tell = tell
        self._spawn = spawn
        self._loop = asyncio.get_running_loop()
        self._due: dict[str, None] = {}
        self._waiting = False
        self._free_at = 0.0

    def note(self, account: str) -> None:
        """What waits for an account has changed."""
        self._due[account] = None
        self._arrange()

    def _arrange(self) -> None:
        if self._due and not self._waiting:
            self._waiting = True
            self._loop.call_at(max(self._loop.time() + SOON_S, self._free_at), self._begin)

    def _begin(self) -> None:
        self._spawn(self._round())

    async def _round(self) -> None:
        due = list(islice(self._due, READ_MAX))
        for account in due:
            del self._due[account]
        self._free_at = self._loop.time() + EVERY_S
        try:
            at, found = await badges_now(self._desk, due)
        except StorageUnavailable as error:
            # Told with the next change; `connect` and every page say it anyway.
            log.warning("badges could not be read", error=str(error))
        else:
            for account, badge in found.items():
                channel = inbox_channel(account)
                frame = ephemeral_frame(channel, BADGE, at, badge)
                self._tell(Parcel(channel, 0, BADGE, Audience.ALL, account, BADGE, at, "", frame))
        finally:
            self._waiting = False
            self._arrange()
