"""Templates of what connections say: text with `%` marks, made into bytes for one connection and one event.

Pure. The marks: `%d` the connection's number, `%g` its room, `%s` its line of the tokens'
file, `%l` its line of the frames' file, `%m` the event's number in 10 digits, `%c` its last digit, `%t` 10^18 + its time
(monotonic nanoseconds, 19 digits), `%M` = `wsf:%t:%m`, `%p` padding, `%%` a percent sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

TIME_BASE = 10**18
LIVE = b"mctM"


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who says it: its number, its room, its lines of the two files."""

    index: int
    group: int
    token: bytes = b""
    line: bytes = b""


class Template:
    """One template for one speaker: what does not change is made once."""

    __slots__ = ("_parts",)

    def __init__(self, text: bytes, speaker: Speaker, pad: int = 0) -> None:
        fixed = {
            b"d": b"%d" % speaker.index,
            b"g": b"%d" % speaker.group,
            b"s": speaker.token,
            b"l": speaker.line,
            b"p": b"x" * pad,
            b"%": b"%",
        }
        # Even places hold bytes, odd ones the letter of a mark that is different for every event.
        parts: list[bytes] = [b""]
        pieces = iter(_pieces(text))
        for piece in pieces:
            mark = piece[1:] if piece[:1] == b"%" else None
            if mark is None:
                parts[-1] += piece
            elif mark in LIVE and mark:
                parts += [mark, b""]
            else:
                parts[-1] += fixed.get(mark, piece)
        self._parts = parts

    def make(self, number: int = 0, at_ns: int = 0) -> bytes:
        """The bytes for an event."""
        parts = self._parts
        if len(parts) == 1:
            return parts[0]
        made = parts[:]
        for place in range(1, len(parts), 2):
            made[place] = _live(parts[place], number, at_ns)
        return b"".join(made)


def _live(mark: bytes, number: int, at_ns: int) -> bytes:
    match mark:
        case b"m":
            return b"%010d" % number
        case b"c":
            return b"%d" % (number % 10)
        case b"t":
            return b"%d" % (TIME_BASE + at_ns)
        case _:
            return b"wsf:%d:%010d" % (TIME_BASE + at_ns, number)


def _pieces(text: bytes) -> Sequence[bytes]:
    found: list[bytes] = []
    at = 0
    while at < len(text):
        mark = text.find(b"%", at)
        if mark < 0 or mark + 1 == len(text):
            found.append(text[at:])
            break
        if mark > at:
            found.append(text[at:mark])
        found.append(text[mark : mark + 2])
        at = mark + 2
    return found
