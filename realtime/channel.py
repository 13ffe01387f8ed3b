"""One channel on one node: its position, who listens, and what is due to them this tick.

Owned by the hub, which alone changes it. What always holds: `default` holds what most listeners see of the entries up
to `last`, `special` the same entries as seen by those few accounts that see one of them differently.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from realtime.events import skip_frame
from realtime.ids import AUTHOR, COMMUNITY
from realtime.parcels import Audience, Parcel
from realtime.sendqueue import Piece
from realtime.ws import frame

if TYPE_CHECKING:
    from realtime.hub import Listener

REPLAYS_MAX = 64
APART_IN = (AUTHOR, COMMUNITY)
"""Channels where people who are apart do not see each other's entries. A block does not split a room."""
_NOBODY: frozenset[str] = frozenset()


class Replay:
    """A contiguous stretch of entries, to be told to one or many. Joined once for all who see the same of it."""

    __slots__ = ("_joined", "_parcels")

    def __init__(self, parcels: list[Parcel]) -> None:
        self._parcels = parcels
        private = any(parcel.audience is Audience.ONLY for parcel in parcels)
        self._joined = None if private else self._join("", _NOBODY)

    def _join(self, account: str, apart: Set[str]) -> bytes:
        return b"".join([frame(seen_by(parcel, account, apart)) for parcel in self._parcels])

    def seen_by(self, account: str, apart: Set[str]) -> bytes:
        """The stretch as frames for one account, which is `apart` from others."""
        if self._joined is None or (apart and any(parcel.author in apart for parcel in self._parcels)):
            return self._join(account, apart)
        return self._joined


# What most channels hold at most moments: nothing. A channel gets something of its own when there is something.
_NO_ENTRIES: Any = MappingProxyType({})
_NO_ITEMS: Any = ()


class Channel:
    """See the module. `last` is the newest seq delivered."""

    __slots__ = (
        "default",
        "fleeting",
        "held",
        "last",
        "listeners",
        "name",
        "reading",
        "replays",
        "special",
        "waiting",
        "wanted",
    )

    def __init__(self, name: str, last: int) -> None:
        self.name = name
        self.last = last
        self.listeners: dict[Listener, None] = {}
        self.reading: dict[Listener, int] = _NO_ENTRIES
        self.waiting: list[tuple[int, Listener]] = _NO_ITEMS
        self.held: dict[int, Parcel] = _NO_ENTRIES
        self.wanted = 0
        self.default: list[bytes] = _NO_ITEMS
        self.special: dict[str, list[bytes]] = _NO_ENTRIES
        self.fleeting: list[tuple[Piece, Set[str]]] = _NO_ITEMS
        self.replays: dict[int, Replay] = _NO_ENTRIES

    @property
    def gap(self) -> bool:
        """True while entries are known to exist that have not come."""
        return bool(self.held) or self.wanted > self.last

    @property
    def soiled(self) -> bool:
        """True if something is due."""
        return bool(self.default or self.fleeting)

    @property
    def deserted(self) -> bool:
        """True when nobody is left."""
        return not (self.listeners or self.reading or self.waiting)

    def everyone(self) -> list[Listener]:
        """Whoever hears it, or is about to."""
        return [*self.listeners, *self.reading, *(listener for _, listener in self.waiting)]

    def has(self, listener: Listener) -> bool:
        """True if somebody hears it, or is about to."""
        return (
            listener in self.listeners
            or listener in self.reading
            or any(other is listener for _, other in self.waiting)
        )

    def read(self, listener: Listener, seq: int) -> None:
        """Somebody is to read what came before `seq` first."""
        if self.reading:
            self.reading[listener] = seq
        else:
            self.reading = {listener: seq}

    def wait(self, listener: Listener, seq: int) -> None:
        """Somebody hears it as soon as it has come to `seq`."""
        if self.waiting:
            self.waiting.append((seq, listener))
        else:
            self.waiting = [(seq, listener)]

    def hold(self, parcel: Parcel) -> None:
        """An entry that others must come before."""
        if self.held:
            self.held[parcel.seq] = parcel
        else:
            self.held = {parcel.seq: parcel}

    def add_fleeting(self, piece: Piece, hidden: Set[str]) -> None:
        """An ephemeral event of this tick, withheld from the accounts in `hidden`."""
        if self.fleeting:
            self.fleeting.append((piece, hidden))
        else:
            self.fleeting = [(piece, hidden)]

    def snapshot_of(self, listener: Listener) -> int:
        """The seq of the snapshot by which somebody who is not let in yet came here; 0 for who hears already."""
        if listener in self.reading:
            return self.reading[listener]
        return max((seq for seq, other in self.waiting if other is listener), default=0)

    def forget(self, listener: Listener) -> None:
        """Somebody does not hear it any more."""
        self.listeners.pop(listener, None)
        if listener in self.reading:
            del self.reading[listener]
        if self.waiting:
            self.waiting = [entry for entry in self.waiting if entry[1] is not listener]

    def append(self, parcel: Parcel, hidden: Set[str]) -> None:
        """The next entry, last + 1: to be told this tick. The accounts in `hidden` are apart from its author."""
        self.last = parcel.seq
        if self.held:
            self.held.pop(parcel.seq, None)
            if not self.held:
                self.held = _NO_ENTRIES
        if self.replays:
            self.replays = _NO_ENTRIES
        if parcel.audience is Audience.ALL:
            data = frame(parcel.frame)
            if hidden and self.name.startswith(APART_IN):
                self._withhold(parcel.seq, data, hidden)
            else:
                for chunks in self.special.values():
                    chunks.append(data)
        else:
            data = frame(skip_frame(self.name, parcel.seq, parcel.seq))
            if parcel.audience is Audience.ONLY and parcel.target not in self.special:
                self.special = {**self.special, parcel.target: list(self.default)}
            for account, chunks in self.special.items():
                seen = parcel.audience is Audience.ONLY and account == parcel.target
                chunks.append(frame(parcel.frame) if seen else data)
        if self.default:
            self.default.append(data)
        else:
            self.default = [data]

    def _withhold(self, seq: int, data: bytes, hidden: Set[str]) -> None:
        """An entry that some accounts get as `skip`."""
        skip = frame(skip_frame(self.name, seq, seq))
        fresh = {account: list(self.default) for account in hidden if account not in self.special}
        self.special = {**self.special, **fresh}
        for account, chunks in self.special.items():
            chunks.append(skip if account in hidden else data)

    def keep_replay(self, after: int, parcels: list[Parcel]) -> Replay:
        """The stretch after + 1 … last for everyone who asks before the next entry comes."""
        replay = Replay(parcels)
        if self.replays and len(self.replays) < REPLAYS_MAX:
            self.replays[after] = replay
        else:
            self.replays = {after: replay}
        return replay

    def due(self) -> Iterator[tuple[Piece, Mapping[str, Piece | None]]]:
        """What is to be told now: each piece, and how a few accounts see it instead (None: not at all). Nothing is due
        afterwards."""
        if self.default:
            count = len(self.default)
            first = self.last - count + 1
            piece = Piece(b"".join(self.default), count, self.name, first)
            special = {
                account: Piece(b"".join(chunks), count, self.name, first)
                for account, chunks in self.special.items()
            }
            self.default, self.special = _NO_ITEMS, _NO_ENTRIES
            yield piece, special
        if self.fleeting:
            fleeting, self.fleeting = self.fleeting, _NO_ITEMS
            plain: list[Piece] = []
            for piece, hidden in fleeting:
                if hidden or piece.key:
                    yield from self._joined(plain)
                    plain = []
                    yield piece, dict.fromkeys(hidden)
                else:
                    plain.append(piece)
            yield from self._joined(plain)

    def _joined(self, pieces: list[Piece]) -> Iterator[tuple[Piece, Mapping[str, Piece | None]]]:
        """Fleeting events that are the same for everybody, as one."""
        if len(pieces) == 1:
            yield pieces[0], _NO_ENTRIES
        elif pieces:
            yield Piece(b"".join([piece.data for piece in pieces]), len(pieces), self.name), _NO_ENTRIES


def seen_by(parcel: Parcel, account: str, apart: Set[str] = _NOBODY) -> bytes:
    """The JSON of a durable entry as one account, which is `apart` from others, may see it: its frame, or the `skip` all
    others get."""
    if parcel.audience is Audience.ALL:
        if not (apart and parcel.author in apart and parcel.channel.startswith(APART_IN)):
            return parcel.frame
    elif parcel.audience is Audience.ONLY and parcel.target == account:
        return parcel.frame
    return skip_frame(parcel.channel, parcel.seq, parcel.seq)
