"""The bounded queue of one connection whose reader is slower than its channels (WIRE §5).

It is empty and unused while the socket takes what it is given. Bounds: bytes, frames, age of the oldest piece. Above
them it sheds in a fixed order: fleeting events, then whole channels (each cut to one `behind`), and if what is left is
still too much, the connection is too slow.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from realtime.settings import Limits


class Piece(NamedTuple):
    """Whole WebSocket frames that belong together. `channel` is "" for what concerns the connection itself, which is
    never shed. `first` is the seq of the first entry, 0 for an ephemeral event; of those, the last one under a `key`
    replaces those before it, and one without a key may be dropped."""

    data: bytes
    frames: int
    channel: str = ""
    first: int = 0
    key: str = ""


class Waiting(NamedTuple):
    """A piece in the queue, since when (monotonic seconds), and what it counts for in bytes."""

    piece: Piece
    at: float
    size: int


class Backlog:
    """What waits in all queues of a process, in bytes."""

    __slots__ = ("size_bytes",)

    def __init__(self) -> None:
        self.size_bytes = 0


class SendQueue:
    """Pieces in the order they must leave; their bytes count in `backlog` too."""

    __slots__ = ("_backlog", "_limits", "_pieces", "dropped", "frames", "size_bytes")

    def __init__(self, limits: Limits, backlog: Backlog) -> None:
        self._limits = limits
        self._backlog = backlog
        self._pieces: deque[Waiting] = deque()
        self.size_bytes = 0
        self.frames = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._pieces)

    def push(self, piece: Piece, now: float) -> bool:
        """Keep a piece. False when a bound is crossed: `shed`."""
        if piece.key:
            self._remove(lambda other: other.key == piece.key and other.channel == piece.channel)
        self._pieces.append(Waiting(piece, now, len(piece.data)))
        self._resize(len(piece.data))
        self.frames += piece.frames
        return not self.over(now)

    def push_recovered(self, data: bytes, now: float) -> None:
        """Keep what a resume replays: bounded where it is read from the log, so it does not count here (WIRE §3)."""
        self._pieces.append(Waiting(Piece(data, 0), now, 0))

    def over(self, now: float) -> bool:
        """True while a bound is crossed."""
        limits = self._limits
        return (
            self.size_bytes > limits.queue_bytes_max
            or self.frames > limits.queue_frames_max
            or self.too_old(now)
        )

    def too_old(self, now: float) -> bool:
        """True if the oldest piece has waited longer than the bound."""
        return bool(self._pieces) and now - self._pieces[0].at > self._limits.queue_age_s

    def shed(self, now: float) -> dict[str, int] | None:
        """Come back within the bounds. Returns the channels that were cut and the last seq of each that has left or
        will; None if even that is not enough."""
        fleeting = sum(1 for waiting in self._pieces if _may_go(waiting.piece))
        if fleeting:
            self._remove(_may_go)
            self.dropped += fleeting
        cut: dict[str, int] = {}
        while self.over(now):
            name = self._largest(now)
            if name is None:
                return None
            cut[name] = (
                next(w.piece.first for w in self._pieces if w.piece.channel == name and w.piece.first) - 1
            )
            self._remove(lambda piece, name=name: piece.channel == name)  # type: ignore[misc]
        return cut

    def _largest(self, now: float) -> str | None:
        """The channel with most bytes, of those too old if any is."""
        old = self.too_old(now)
        sizes: dict[str, int] = {}
        for waiting in self._pieces:
            if old and now - waiting.at <= self._limits.queue_age_s:
                break
            if waiting.piece.first:
                name = waiting.piece.channel
                sizes[name] = sizes.get(name, 0) + len(waiting.piece.data)
        return max(sizes, key=sizes.__getitem__, default=None)

    def holds(self, channel: str) -> bool:
        """True if something of a channel waits."""
        return any(waiting.piece.channel == channel for waiting in self._pieces)

    def drop(self, channel: str) -> None:
        """Forget the entries of a channel that wait: they are told anew."""
        self._remove(lambda piece: piece.channel == channel and piece.first > 0)

    def pop(self) -> bytes:
        """The oldest piece. Raises `IndexError` when empty."""
        piece, _, size = self._pieces.popleft()
        self._resize(-size)
        self.frames -= piece.frames
        return piece.data

    def clear(self) -> None:
        """Forget everything: the connection is lost."""
        self._pieces.clear()
        self._resize(-self.size_bytes)
        self.frames = 0

    def _resize(self, change: int) -> None:
        self.size_bytes += change
        self._backlog.size_bytes += change

    def _remove(self, which: Callable[[Piece], bool]) -> None:
        kept = deque(waiting for waiting in self._pieces if not which(waiting.piece))
        if len(kept) != len(self._pieces):
            self._pieces = kept
            self._resize(sum(waiting.size for waiting in kept) - self.size_bytes)
            self.frames = sum(waiting.piece.frames for waiting in kept)


def _may_go(piece: Piece) -> bool:
    return bool(piece.channel) and not piece.first and not piece.key
