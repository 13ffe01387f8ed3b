"""Whose address a connection has: the peer's own, or what a trusted proxy tells (FAULTS S19).

Used by the socket; for plain requests uvicorn does the same. A header from anyone but a trusted proxy counts nothing.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

ANYONE = "*"


def client_of(peer: str, forwarded: Iterable[str], trusted: Sequence[str]) -> str:
    """`peer` is the transport's address, `forwarded` the values of X-Forwarded-For in order, `trusted` addresses
    and networks of proxies. The nearest address that is no trusted proxy's."""
    if not trusted or not _is_trusted(peer, trusted):
        return peer
    told = [part.strip() for value in forwarded for part in value.split(",") if part.strip()]
    found = peer
    for address in reversed(told):
        if _parsed(address) is None:
            # Whatever stands left of something unreadable was not written by our proxies.
            break
        found = address
        if not _is_trusted(address, trusted):
            break
    return found


def _is_trusted(address: str, trusted: Sequence[str]) -> bool:
    parsed = _parsed(address)
    return ANYONE in trusted or (parsed is not None and any(_within(parsed, each) for each in trusted))


def _within(address: ipaddress.IPv4Address | ipaddress.IPv6Address, network: str) -> bool:
    try:
        return address in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(address)
    except ValueError:
        return None
