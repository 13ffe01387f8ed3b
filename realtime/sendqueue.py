"""The bounded queue of one connection whose reader is slower than its channels (WIRE §5).

It is empty and unused while the socket takes what it is given. Bounds: bytes, frames, age of the oldest chunk.
"""

from __future__ import annotations

from collections import deque

from realtime.settings import Limits


class SendQueue:
    """Chunks of whole frames in the order they must leave."""

    __slots__ = ("_chunks", "_limits", "frames", "size_bytes")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._chunks: deque[tuple[bytes, int, int, float]] = deque()
        self.size_bytes = 0
        self.frames = 0

    def __len__(self) -> int:
        return len(self._chunks)

    def push(self, data: bytes, frames: int, now: float) -> bool:
        """Keep `data` (`frames` whole frames). False when a bound is crossed: the connection is too slow."""
        self._chunks.append((data, len(data), frames, now))
        self.size_bytes += len(data)
        self.frames += frames
        return not (
            self.size_bytes > self._limits.queue_bytes_max
            or self.frames > self._limits.queue_frames_max
            or self.too_old(now)
        )

    def push_recovered(self, data: bytes, now: float) -> None:
        """Keep what a resume replays: bounded where it is read from the log, so outside these bounds (WIRE §3)."""
        self._chunks.append((data, 0, 0, now))

    def too_old(self, now: float) -> bool:
        """True if the oldest chunk has waited longer than the bound."""
        return bool(self._chunks) and now - self._chunks[0][3] > self._limits.queue_age_s

    def pop(self) -> bytes:
        """The oldest chunk. Raises `IndexError` when empty."""
        data, size, frames, _ = self._chunks.popleft()
        self.size_bytes -= size
        self.frames -= frames
        return data

    def clear(self) -> None:
        """Forget everything: the connection is lost."""
        self._chunks.clear()
        self.size_bytes = 0
        self.frames = 0
