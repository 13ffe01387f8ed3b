"""Who is let in at the door: so many handshakes a second, of each address and of the node, and never more connections
than the process has files for (WIRE §5).

Asked by the doors before any work. What always holds: whoever is inside feels nothing of those who are turned away;
a refusal says when to come back.
"""

from __future__ import annotations

import math
import resource

from realtime.bucket import TokenBucket
from realtime.buckets import Buckets
from realtime.places import is_loopback
from realtime.settings import Limits

FILES_KEPT = 64
"""Files for the database, Redis, mail and the log, and to say no with."""
RETRY_S = 5


class Admission:
    """See the module."""

    def __init__(self, limits: Limits, now: float) -> None:
        self._node = TokenBucket(limits.handshakes_per_s, limits.handshakes_burst, now)
        self._addresses = Buckets(limits.handshakes_per_address_per_s, limits.handshakes_per_address_burst)
        self._connections_max = limits.connections_max
        self.turned_away = {"full": 0, "hurry": 0}

    @property
    def room(self) -> int:
        """How many connections there is room for, plain and upgraded ones together."""
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        files = self._connections_max if soft == resource.RLIM_INFINITY else soft - FILES_KEPT
        return min(files, self._connections_max)

    def is_full(self, connections: int) -> bool:
        """True if one of so many is to be asked to come back later."""
        return connections > self.room

    def is_crowded(self, connections: int) -> bool:
        """True if so many are there that one more is not even listened to."""
        return connections > self.room + FILES_KEPT // 4

    def wait_s(self, now: float) -> int:
        """0 if the node takes a handshake now, else the seconds after which it may."""
        return self._counted(self._node.take(1.0, now))

    def wait_of_s(self, address: str, now: float) -> int:
        """The same for an address. This machine's own are not counted: behind a proxy that nobody declared, everybody
        has one of them."""
        if not address or is_loopback(address):
            return 0
        return self._counted(self._addresses.take(address, 1.0, now))

    def _counted(self, wait_ms: int) -> int:
        self.turned_away["hurry"] += wait_ms > 0
        return math.ceil(wait_ms / 1000)
