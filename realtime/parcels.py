"""What the courier carries between nodes: a short header to route by, and the event's JSON, encoded once.

The header lets a node deliver without parsing JSON (HOUSE §3). `author` and `target` are for the nodes;
clients never see them.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from enum import StrEnum

_FIELDS = 9
_VERSION = "1"


class Audience(StrEnum):
    """Who among a channel's listeners sees an entry; everyone else gets `skip` (or nothing, if ephemeral)."""

    ALL = "a"
    """Everyone who listens."""
    ONLY = "o"
    """`target` alone."""
    NOBODY = "n"
    """A technical entry that only hubs obey."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """One event on its way. `seq` is 0 for the ephemeral class; `at` is Unix milliseconds by the database's
    clock; `frame` is the complete JSON object of WIRE §2 as UTF-8. `target` is whom or what an entry concerns; of an
    ephemeral event to all it is the key under which the last one replaces those before (WIRE §5)."""

    channel: str
    seq: int
    kind: str
    audience: Audience
    author: str
    target: str
    at: int
    origin: str
    frame: bytes

    @property
    def durable(self) -> bool:
        """True for an entry of the log, false for an event that is kept nowhere."""
        return self.seq > 0

    @property
    def key(self) -> str:
        """Of an ephemeral event: what a slow reader needs only the last word of, or "" where it may miss it."""
        return self.target if self.audience is Audience.ALL else ""


def pack(parcel: Parcel) -> bytes:
    """Parcel → bytes: nine fields joined by U+001F, a line feed, the frame."""
    head = "\x1f".join(
        (
            _VERSION,
            parcel.channel,
            str(parcel.seq),
            parcel.kind,
            parcel.audience.value,
            parcel.author,
            parcel.target,
            str(parcel.at),
            parcel.origin,
        )
    )
    return head.encode() + b"\n" + parcel.frame


def unpack(data: bytes) -> Parcel:
    """Bytes → parcel. Raises `ValueError` on anything `pack` did not make, so a reader can drop and count it."""
    head, newline, frame = data.partition(b"\n")
    fields = head.decode().split("\x1f")
    if not newline or len(fields) != _FIELDS or fields[0] != _VERSION:
        raise ValueError("not a parcel")
    _, channel, seq, kind, audience, author, target, at, origin = fields
    return Parcel(channel, int(seq), kind, Audience(audience), author, target, int(at), origin, frame)


def partition_of(channel: str, partitions: int) -> int:
    """The courier partition (0 … partitions-1) that carries a channel; the same on every node and version."""
    return zlib.crc32(channel.encode()) % partitions
