"""The last entries a node was offered, by channel: what joins and resumes are served from before anyone asks the log.

Owned by the hub. What always holds: an item leaves only when newer ones push it out, so that `offered` tells whether
anything since an earlier moment may be missing; a replay is contiguous, and folds later deletions over earlier lines.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import replace

import orjson

from realtime.parcels import Audience, Parcel

ENTRIES_MAX = 8_192
BYTES_MAX = 32 * 1024 * 1024
FOLDABLE = "room:"
"""Channels whose entries can be replayed from memory: whatever hides one of them later is an entry there too. What
an inbox says depends on blocks and standings that change elsewhere, so inboxes are read from the database."""
DELETED = "message.deleted"


class Recent:
    """See the module. Besides parcels it keeps notes that a channel reaches a seq, which nobody brought yet."""

    __slots__ = ("_bytes", "_order", "_parcels", "_tops", "offered")

    def __init__(self) -> None:
        self._order: deque[tuple[str, int, int]] = deque()
        self._parcels: dict[str, dict[int, Parcel]] = {}
        self._tops: dict[str, list[int]] = {}
        self._bytes = 0
        self.offered = 0

    def __len__(self) -> int:
        return len(self._order)

    def add(self, parcel: Parcel) -> None:
        """A durable entry. A second copy of one that is kept changes nothing."""
        kept = self._parcels.get(parcel.channel)
        if kept is None:
            kept = self._parcels[parcel.channel] = {}
        elif parcel.seq in kept:
            return
        kept[parcel.seq] = parcel
        self._push(parcel.channel, parcel.seq, len(parcel.frame))

    def note(self, channel: str, seq: int) -> None:
        """A channel is known to reach `seq`; the entry itself may not have come."""
        self._tops.setdefault(channel, []).append(seq)
        self._push(channel, 0, 0)

    def whole_since(self, mark: int) -> bool:
        """True if everything offered since `offered` was `mark` is still here."""
        return self.offered - mark <= len(self._order)

    def after(self, channel: str, seq: int) -> list[Parcel]:
        """The entries above `seq`, ascending; there may be holes among them."""
        kept = self._parcels.get(channel)
        return [kept[n] for n in sorted(n for n in kept if n > seq)] if kept else []

    def between(self, channel: str, after: int, upto: int) -> list[Parcel] | None:
        """The entries after + 1 … upto as they came, or None if one is missing."""
        kept = self._parcels.get(channel, {})
        if upto - after > len(kept):
            return None
        found = [kept[n] for n in range(after + 1, upto + 1) if n in kept]
        return found if len(found) == upto - after else None

    def replay(self, channel: str, after: int, upto: int) -> list[Parcel] | None:
        """`between` as one may read it now: a line deleted by `upto` is for nobody. None for channels whose entries
        cannot be judged from memory."""
        found = self.between(channel, after, upto) if channel.startswith(FOLDABLE) else None
        return None if found is None else folded(found)

    def top(self, channel: str) -> int:
        """The newest seq that is known of a channel, or 0."""
        kept, noted = self._parcels.get(channel), self._tops.get(channel)
        return max(max(kept) if kept else 0, max(noted) if noted else 0)

    def _push(self, channel: str, seq: int, size: int) -> None:
        self._order.append((channel, seq, size))
        self._bytes += size
        self.offered += 1
        while len(self._order) > ENTRIES_MAX or self._bytes > BYTES_MAX:
            self._evict()

    def _evict(self) -> None:
        channel, seq, size = self._order.popleft()
        self._bytes -= size
        if seq:
            kept = self._parcels[channel]
            del kept[seq]
            if not kept:
                del self._parcels[channel]
        else:
            noted = self._tops[channel]
            noted.pop(0)
            if not noted:
                del self._tops[channel]


def folded(parcels: Iterable[Parcel]) -> list[Parcel]:
    """Entries of one channel without the words of lines that a later one of them deletes."""
    found = list(parcels)
    gone = {
        orjson.loads(parcel.frame)["d"]["message_seq"]
        for parcel in found
        if parcel.kind == DELETED and parcel.frame
    }
    if not gone:
        return found
    return [
        replace(parcel, audience=Audience.NOBODY, target="", frame=b"") if parcel.seq in gone else parcel
        for parcel in found
    ]
