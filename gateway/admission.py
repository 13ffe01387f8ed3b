"""Admission: who may begin a handshake now, before any work is done for it (WIRE §5).

Owned by the node, asked by the socket for each upgrade. What always holds: an address has a bucket of its own and all
share the node's, so that one network cannot take the others' turn; what is refused costs two look-ups.
"""

from __future__ import annotations

import ipaddress
from collections import Counter

from realtime.bucket import TokenBucket
from realtime.buckets import Buckets
from realtime.settings import Limits

V6_PREFIX = 64


class Admission:
    """See the module."""

    def __init__(self, limits: Limits, now: float) -> None:
        self._limits = limits
        self._node = TokenBucket(limits.handshakes_per_s, limits.handshakes_burst, now)
        self._addresses = Buckets(limits.handshakes_per_address_per_s, limits.handshakes_per_address_burst)
        self._open: Counter[str] = Counter()
        self.refused = 0

    def wait_ms(self, peer: str, now: float) -> int:
        """0 if a handshake from this address may begin, else for how long not."""
        wait = self._addresses.take(place_of(peer), 1.0, now) or self._node.take(1.0, now)
        if wait:
            self.refused += 1
        return wait

    def enter(self, peer: str) -> bool:
        """A connection is open. False if its address has too many."""
        place = place_of(peer)
        self._open[place] += 1
        return self._open[place] <= self._limits.connections_per_address_max

    def leave(self, peer: str) -> None:
        """A connection that entered is gone."""
        place = place_of(peer)
        self._open[place] -= 1
        if self._open[place] <= 0:
            del self._open[place]


def place_of(peer: str) -> str:
    """What counts as one address: an IPv4 address, the /64 of an IPv6 one, anything else as it is."""
    if ":" not in peer:
        return peer
    try:
        address = ipaddress.IPv6Address(peer.partition("%")[0])
    except ValueError:
        return peer
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((address, V6_PREFIX), strict=False))


def refusal(wait_ms: int) -> bytes:
    """The answer to a handshake that has to wait."""
    text = "Too many connections begin; come back a little later.\n"
    head = f"HTTP/1.1 503 Service Unavailable\r\nRetry-After: {-(-wait_ms // 1000)}\r\nConnection: close\r\n"
    return f"{head}Content-Type: text/plain\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()
