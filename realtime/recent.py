"""The last entries a node was offered, by channel: what joins and resumes are served from before anyone asks the log.

Owned by the hub. What always holds: what leaves is older than all that stays, so that `offered` tells whether anything
since an earlier moment may be missing; a replay is contiguous, and folds later deletions over earlier lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import replace

import orjson

from realtime.ids import AUTHOR, COMMUNITY, ROOM
from realtime.parcels import Audience, Parcel

ENTRIES_MAX = 8_192
BYTES_MAX = 32 * 1024 * 1024
FOLDABLE = (ROOM, COMMUNITY, AUTHOR)
"""Channels whose entries can be replayed from memory: whatever hides one of them later is an entry there too. What
an inbox says depends on blocks and standings that change elsewhere, so inboxes are read from the database."""
DELETED = {"message.deleted": "message_seq", "post.deleted": "post_seq"}
"""Entries that take back an earlier one, and where they say which."""
ABOUT = {"message.reacted": "message_seq"}
"""Entries about an earlier one, which go with it, and where they say which."""


class Generation:
    """A while's worth of entries, by channel and seq, and notes that a channel reaches a seq."""

    __slots__ = ("bytes", "count", "parcels", "tops")

    def __init__(self) -> None:
        self.parcels: dict[str, dict[int, Parcel]] = {}
        self.tops: dict[str, int] = {}
        self.count = 0
        self.bytes = 0


class Recent:
    """See the module. Two generations: when the young one is full it becomes the old one, and the old one goes as a
    whole, so that forgetting costs nothing per entry."""

    __slots__ = ("_old", "_young", "offered")

    def __init__(self) -> None:
        self._young = Generation()
        self._old = Generation()
        self.offered = 0

    def __len__(self) -> int:
        return self._young.count + self._old.count

    def add(self, parcel: Parcel) -> None:
        """A durable entry. A second copy of one that is kept changes nothing."""
        young = self._young
        kept = young.parcels.get(parcel.channel)
        if kept is None:
            young.parcels[parcel.channel] = {parcel.seq: parcel}
        elif parcel.seq in kept:
            return
        else:
            kept[parcel.seq] = parcel
        young.bytes += len(parcel.frame)
        self._count(young)

    def note(self, channel: str, seq: int) -> None:
        """A channel is known to reach `seq`; the entry itself may not have come."""
        tops = self._young.tops
        tops[channel] = max(seq, tops.get(channel, 0))
        self._count(self._young)

    def _count(self, young: Generation) -> None:
        self.offered += 1
        young.count += 1
        if young.count * 2 >= ENTRIES_MAX or young.bytes * 2 >= BYTES_MAX:
            self._old, self._young = young, Generation()

    def disown(self, author: str) -> None:
        """Forget an author's entries in places: whoever reads them again asks the log, which knows what became of them."""
        for generation in (self._old, self._young):
            for channel, kept in generation.parcels.items():
                if channel.startswith((COMMUNITY, AUTHOR)):
                    gone = [seq for seq, parcel in kept.items() if parcel.author == author]
                    for seq in gone:
                        del kept[seq]
                    if gone:
                        tops = self._young.tops
                        tops[channel] = max(*gone, tops.get(channel, 0))

    def whole_since(self, mark: int) -> bool:
        """True if everything offered since `offered` was `mark` is still here."""
        return self.offered - mark <= len(self)

    def _kept(self, channel: str) -> dict[int, Parcel]:
        old, young = self._old.parcels.get(channel), self._young.parcels.get(channel)
        if old and young:
            return old | young
        return old or young or {}

    def after(self, channel: str, seq: int) -> list[Parcel]:
        """The entries above `seq`, ascending; there may be holes among them."""
        kept = self._kept(channel)
        return [kept[n] for n in sorted(kept) if n > seq]

    def between(self, channel: str, after: int, upto: int) -> list[Parcel] | None:
        """The entries after + 1 … upto as they came, or None if one is missing."""
        kept = self._kept(channel)
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
        noted = max(self._old.tops.get(channel, 0), self._young.tops.get(channel, 0))
        return max(noted, max(self._kept(channel), default=0))


def folded(parcels: Iterable[Parcel]) -> list[Parcel]:
    """Entries of one channel without the words of lines that a later one of them deletes."""
    found = list(parcels)
    gone = {
        orjson.loads(parcel.frame)["d"][DELETED[parcel.kind]]
        for parcel in found
        if parcel.kind in DELETED and parcel.frame
    }
    if not gone:
        return found
    return [
        replace(parcel, audience=Audience.NOBODY, target="", frame=b"") if _concerns(parcel, gone) else parcel
        for parcel in found
    ]


def _concerns(parcel: Parcel, gone: Set[int]) -> bool:
    """The entry is one of those that are gone, or about one."""
    if parcel.kind in ABOUT and parcel.frame:
        return orjson.loads(parcel.frame)["d"][ABOUT[parcel.kind]] in gone
    return parcel.seq in gone
