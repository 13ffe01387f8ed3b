"""How many connections a process has room for: never more than it may have files (WIRE §5).

Asked by the door for each connection. What always holds: whoever is inside feels nothing of those who are turned away.
"""

from __future__ import annotations

import resource

from realtime.settings import Limits

FILES_KEPT = 64
"""Files for the database, Redis, mail and the log, and to say no with."""
RETRY_S = 5


class Capacity:
    """See the module."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.turned_away = 0

    @property
    def places(self) -> int:
        """How many connections there may be, plain and upgraded ones together."""
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = self._limits.connections_max
        return most if soft == resource.RLIM_INFINITY else min(soft - FILES_KEPT, most)

    def is_full(self, connections: int) -> bool:
        """True if one of so many is to be asked to come back later."""
        return connections > self.places

    def is_crowded(self, connections: int) -> bool:
        """True if so many are there that one more is not even listened to."""
        return connections > self.places + FILES_KEPT // 4
