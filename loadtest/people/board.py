"""The board: what was said in each channel, as the first who heard it heard it; everybody else is held against that.

Used by lean watchers (`loadtest.people.watcher`), of which thousands hear the same bytes: comparing costs less than reading.
"""

from __future__ import annotations

import re

_DUE = re.compile(rb"#t(\d{1,18})")
"""The time something was due, in microseconds, as speakers write it into their words."""


def stamped(words: str, due_s: float) -> str:
    """Words with the time they were due."""
    return f"{words} #t{int(due_s * 1e6)}"


def due_of(data: bytes) -> float | None:
    """The time in the words of a frame or text; None where nobody wrote one."""
    found = _DUE.search(data)
    return int(found[1]) / 1e6 if found else None


class Board:
    """See the module. `begun` is the moment, by the clock of those who hear, that `stamped` times count from."""

    __slots__ = ("begun", "delays", "differ", "lines")

    def __init__(self, begun: float) -> None:
        self.begun = begun
        self.lines: dict[bytes, dict[int, tuple[bytes, float | None]]] = {}
        self.delays: list[float] = []
        self.differ: list[tuple[bytes, int]] = []

    def hear(self, channel: bytes, seq: int, frame: bytes, now: float) -> None:
        """Somebody was told this."""
        lines = self.lines.get(channel)
        if lines is None:
            lines = self.lines[channel] = {}
        known = lines.get(seq)
        if known is None:
            known = lines[seq] = (frame, due_of(frame))
        elif known[0] != frame:
            self.differ.append((channel, seq))
        if known[1] is not None:
            self.delays.append(now - self.begun - known[1])

    def take_delays(self) -> list[float]:
        """The delays since the last time, in seconds."""
        found, self.delays = self.delays, []
        return found
