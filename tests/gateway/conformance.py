"""The WebSocket conformance cases of the Autobahn test suite, sections 1 to 7 and 10, as a table of our own.

Each row bears Autobahn's number: what a client sends, in which pieces, and what it must get. Two things are as we have
them, not as the suite would: binary messages are refused with 1003 (`tsudoi.v1` is text), and invalid UTF-8 within one
frame is told at the frame's end (6.4.3 and 6.4.4: the suite calls that non-strict).
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
KEY = b"\x37\xfa\x21\x3d"
KOSME = b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"
HELLO = "Hello-µ@ßöäüàá-UTF-8!!".encode()
WORLD = b"Hello, world!"
BAD = KOSME + b"\xed\xa0\x80" + b"edited"
Message = tuple[int, bytes]


@dataclass(frozen=True)
class Frame:
    """One frame of a client."""

    opcode: int
    payload: bytes = b""
    final: bool = True
    bits: int = 0

    @property
    def data(self) -> bytes:
        """As it goes over the line, masked."""
        size = len(self.payload)
        first = (0x80 if self.final else 0) | self.bits << 4 | self.opcode
        if size < 126:
            head = bytes((first, 0x80 | size))
        elif size < 65_536:
            head = bytes((first, 0x80 | 126)) + size.to_bytes(2, "big")
        else:
            head = bytes((first, 0x80 | 127)) + size.to_bytes(8, "big")
        mask = (KEY * (size // 4 + 1))[:size]
        masked = (int.from_bytes(self.payload, "big") ^ int.from_bytes(mask, "big")).to_bytes(size, "big")
        return head + KEY + masked


@dataclass(frozen=True)
class Case:
    """`gets` are the messages before the end, `code` that of the server's close frame (None: it stays open). `step` is
        the size of the pieces: 0 for all at once, -1 for frame by frame. After `enough` frames the end must be there already (0:
    after all)."""

    number: str
    sends: tuple[Frame, ...]
    gets: tuple[Message, ...] = ()
    code: int | None = None
    step: int = 0
    enough: int = 0

    def pieces(self) -> list[bytes]:
        """What the server reads, piece by piece."""
        if self.step < 0:
            return [frame.data for frame in self.sends]
        data = b"".join(frame.data for frame in self.sends)
        step = self.step or len(data)
        return [data[at : at + step] for at in range(0, len(data), step)]


def text(payload: bytes, *, final: bool = True, bits: int = 0) -> Frame:
    """A text frame, or the first part of a text."""
    return Frame(TEXT, payload, final, bits)


def more(payload: bytes, *, final: bool = False) -> Frame:
    """A later part."""
    return Frame(CONTINUATION, payload, final)


def ping(payload: bytes = b"") -> Frame:
    """A ping."""
    return Frame(PING, payload)


def closing(code: int | None = 1000, reason: bytes = b"") -> Frame:
    """A close frame; None for an empty one."""
    return Frame(CLOSE, b"" if code is None else code.to_bytes(2, "big") + reason)


def parts(payload: bytes, size: int) -> tuple[Frame, ...]:
    """A text in fragments of so many bytes."""
    cut = [payload[at : at + size] for at in range(0, len(payload), size)]
    last = len(cut) - 1
    return tuple(Frame(CONTINUATION if n else TEXT, part, n == last) for n, part in enumerate(cut))


def echo(*payloads: bytes) -> tuple[Message, ...]:
    """Texts that come back."""
    return tuple((TEXT, payload) for payload in payloads)


def framing() -> Iterator[Case]:
    """Section 1."""
    sizes = (0, 125, 126, 127, 128, 65_535, 65_536, 65_536)
    for number, size in enumerate(sizes, 1):
        step = 997 if number == 8 else 0
        yield Case(f"1.1.{number}", (text(b"*" * size),), echo(b"*" * size), step=step)
        yield Case(f"1.2.{number}", (Frame(BINARY, b"\xfe" * size),), code=1003, step=step)


def pings() -> Iterator[Case]:
    """Section 2."""
    raw, most = b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff", b"\xfe" * 125
    yield Case("2.1", (ping(),), ((PONG, b""),))
    yield Case("2.2", (ping(WORLD),), ((PONG, WORLD),))
    yield Case("2.3", (ping(raw),), ((PONG, raw),))
    yield Case("2.4", (ping(most),), ((PONG, most),))
    yield Case("2.5", (ping(most + b"\xfe"),), code=1002)
    yield Case("2.6", (ping(most),), ((PONG, most),), step=1)
    yield Case("2.7", (Frame(PONG),))
    yield Case("2.8", (Frame(PONG, b"unsolicited pong payload"),))
    yield Case("2.9", (Frame(PONG, b"unsolicited"), ping(b"ping payload")), ((PONG, b"ping payload"),))
    ten = tuple(b"payload-%d" % n for n in range(10))
    for number, step in (("2.10", 0), ("2.11", 1)):
        yield Case(number, tuple(ping(each) for each in ten), tuple((PONG, each) for each in ten), step=step)


def reserved() -> Iterator[Case]:
    """Sections 3 and 4: bits and opcodes that mean nothing yet."""
    yield Case("3.1", (text(WORLD, bits=1),), code=1002)
    for number, step in (("3.2", 0), ("3.3", -1), ("3.4", 1)):
        sends = (text(WORLD), text(WORLD, bits=2 if number != "3.4" else 3), ping())
        yield Case(number, sends, echo(WORLD), 1002, step)
    yield Case("3.5", (Frame(BINARY, b"\x00\xff\xfe", bits=5),), code=1002)
    yield Case("3.6", (Frame(PING, WORLD, bits=6),), code=1002)
    yield Case("3.7", (Frame(CLOSE, bits=7),), code=1002)
    for group, first in (("4.1", 3), ("4.2", 11)):
        yield Case(f"{group}.1", (Frame(first),), code=1002)
        yield Case(f"{group}.2", (Frame(first + 1, b"reserved opcode payload"),), code=1002)
        for number, payload, step in ((3, b"", -1), (4, WORLD, 0), (5, WORLD, 1)):
            sends = (text(WORLD), Frame(first + number - 1, payload), ping())
            yield Case(f"{group}.{number}", sends, echo(WORLD), 1002, step)


def fragments() -> Iterator[Case]:
    """Section 5."""
    yield Case("5.1", (Frame(PING, b"fragment1", final=False), more(b"fragment2", final=True)), code=1002)
    yield Case("5.2", (Frame(PONG, b"fragment1", final=False), more(b"fragment2", final=True)), code=1002)
    one, two = text(b"fragment1", final=False), more(b"fragment2", final=True)
    both = b"fragment1fragment2"
    for number, step in ((3, 0), (4, -1), (5, 1)):
        yield Case(f"5.{number}", (one, two), echo(both), step=step)
    for number, step in ((6, 0), (7, -1), (8, 1)):
        sends = (one, ping(b"ping payload"), two)
        yield Case(f"5.{number}", sends, ((PONG, b"ping payload"), *echo(both)), step=step)
    for first, final in ((9, True), (12, False)):
        for number, step in enumerate((0, -1, 1), first):
            sends = (more(b"non-continuation payload", final=final), text(WORLD))
            yield Case(f"5.{number}", sends, code=1002, step=step)
    stray = more(b"fragment3")
    yield Case("5.15", (one, two, stray, text(b"fragment4")), echo(both), 1002)
    yield Case("5.16", (more(b"fragment1"), text(b"fragment2", final=False), two) * 2, code=1002)
    yield Case("5.17", (more(b"fragment1", final=True), text(b"fragment2", final=False), two) * 2, code=1002)
    yield Case("5.18", (one, text(b"fragment2")), code=1002)
    five = tuple(b"fragment%d" % n for n in range(1, 6))
    sends = (
        text(five[0], final=False),
        more(five[1]),
        ping(b"pongme 1!"),
        more(five[2]),
        more(five[3]),
        ping(b"pongme 2!"),
        more(five[4], final=True),
    )
    gets = ((PONG, b"pongme 1!"), (PONG, b"pongme 2!"), *echo(b"".join(five)))
    yield Case("5.19", sends, gets)
    yield Case("5.20", sends, gets, step=-1)


def utf8() -> Iterator[Case]:
    """Section 6, up to 6.4: how text is cut."""
    yield Case("6.1.1", (text(b""),), echo(b""))
    empty = (text(b"", final=False), more(b""), more(b"", final=True))
    yield Case("6.1.2", empty, echo(b""))
    middle = (text(b"", final=False), more(b"middle frame payload"), more(b"", final=True))
    yield Case("6.1.3", middle, echo(b"middle frame payload"))
    yield Case("6.2.1", (text(HELLO),), echo(HELLO))
    at = HELLO.index("ö".encode())
    yield Case("6.2.2", (text(HELLO[:at], final=False), more(HELLO[at:], final=True)), echo(HELLO))
    yield Case("6.2.3", parts(HELLO, 1), echo(HELLO))
    yield Case("6.2.4", parts(KOSME, 1), echo(KOSME))
    yield Case("6.3.1", (text(BAD),), code=1007)
    yield Case("6.3.2", parts(BAD, 1), code=1007)
    early = (KOSME, b"\xf4\x90\x80\x80", b"edited")
    late = (KOSME + b"\xf4", b"\x90", b"\x80\x80edited")
    for number, (one, two, three) in ((1, early), (2, late)):
        sends = (text(one, final=False), more(two), more(three, final=True))
        yield Case(f"6.4.{number}", sends, code=1007, step=-1, enough=2)
        yield Case(f"6.4.{number + 2}", (text(one + two + three),), code=1007, step=len(one) + 6)


def sequences() -> Iterator[tuple[int, list[bytes]]]:
    """Section 6, from 6.5 on: Markus Kuhn's stress test for decoders, with what the suite adds to it."""
    ends = (b"\xc0", b"\xe0\x80", b"\xf0\x80\x80", b"\xf8\x80\x80\x80", b"\xfc\x80\x80\x80\x80")
    tops = (b"\xdf", b"\xef\xbf", b"\xf7\xbf\xbf", b"\xfb\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf")
    high = (b"\xed\xa0\x80", b"\xed\xad\xbf", b"\xed\xae\x80", b"\xed\xaf\xbf")
    low = (b"\xed\xb0\x80", b"\xed\xbf\xbf")
    yield 5, [*(b"hello" + c.encode() + b"world" for c in "\x24\xa2\u20ac\U00024b62"), KOSME]
    yield 6, [KOSME[:n] for n in range(1, len(KOSME) + 1)]
    yield 7, [b"\x00", b"\xc2\x80", b"\xe0\xa0\x80", b"\xf0\x90\x80\x80"]
    yield 8, [b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80"]
    yield 9, [b"\x7f", b"\xdf\xbf", b"\xef\xbf\xbf", b"\xf4\x8f\xbf\xbf"]
    yield 10, [b"\xf7\xbf\xbf\xbf", b"\xfb\xbf\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf\xbf"]
    yield 11, [b"\xed\x9f\xbf", b"\xee\x80\x80", b"\xef\xbf\xbd", b"\xf4\x8f\xbf\xbf", b"\xf4\x90\x80\x80"]
    yield 12, [b"\x80", b"\xbf", *((b"\x80\xbf" * 3)[:n] for n in range(2, 7)), bytes(range(0x80, 0xC0))]
    starts = ((0xC0, 0xE0), (0xE0, 0xF0), (0xF0, 0xF8), (0xF8, 0xFC), (0xFC, 0xFE))
    yield 13, [b"".join(bytes((n, 0x20)) for n in range(*each)) for each in starts]
    yield 14, [*ends, *tops]
    yield 15, [b"".join((*ends, *tops))]
    yield 16, [b"\xfe", b"\xff", b"\xfe\xfe\xff\xff"]
    yield 17, [end + b"\xaf" for end in ends]
    yield (
        18,
        [
            b"\xc1\xbf",
            b"\xe0\x9f\xbf",
            b"\xf0\x8f\xbf\xbf",
            b"\xf8\x87\xbf\xbf\xbf",
            b"\xfc\x83\xbf\xbf\xbf\xbf",
        ],
    )
    yield 19, [end + b"\x80" for end in ends]
    yield 20, [*high, low[0], b"\xed\xbe\x80", low[1]]
    yield 21, [one + two for one in high for two in low]
    yield 22, [chr(plane << 16 | last).encode() for plane in range(17) for last in (0xFFFE, 0xFFFF)]
    yield 23, [chr(point).encode() for point in range(0xFFF9, 0x10000)]


def decoded() -> Iterator[Case]:
    """Those sequences, each as a whole text: valid ones come back, the others end in 1007."""
    for group, payloads in sequences():
        for number, payload in enumerate(payloads, 1):
            try:
                codecs.decode(payload, "utf-8")
            except UnicodeDecodeError:
                yield Case(f"6.{group}.{number}", (text(payload),), code=1007)
            else:
                yield Case(f"6.{group}.{number}", (text(payload),), echo(payload))


def closes() -> Iterator[Case]:
    """Section 7."""
    hello, end = text(b"Hello World!"), closing()
    yield Case("7.1.1", (hello, end), echo(b"Hello World!"), 1000)
    yield Case("7.1.2", (end, end), code=1000)
    yield Case("7.1.3", (end, ping()), code=1000)
    yield Case("7.1.4", (end, hello), code=1000)
    yield Case("7.1.5", (text(b"fragment1", final=False), end, more(b"fragment2", final=True)), code=1000)
    big = b"BAsd7&jh23" * 26 * 1024
    yield Case("7.1.6", (text(big), end, ping()), echo(big), 1000)
    yield Case("7.3.1", (closing(None),), code=1000)
    yield Case("7.3.2", (Frame(CLOSE, b"a"),), code=1002)
    yield Case("7.3.3", (end,), code=1000)
    yield Case("7.3.4", (closing(1000, b"Hello World!"),), code=1000)
    yield Case("7.3.5", (closing(1000, b"*" * 123),), code=1000)
    yield Case("7.3.6", (closing(1000, b"*" * 124),), code=1002)
    yield Case("7.5.1", (closing(1000, BAD),), code=1007)
    good = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)
    for number, code in enumerate(good, 1):
        yield Case(f"7.7.{number}", (closing(code),), code=code)
    bad = (0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999)
    for number, code in enumerate(bad, 1):
        yield Case(f"7.9.{number}", (closing(code),), code=1002)
    for number, code in enumerate((5000, 65_535), 1):
        yield Case(f"7.13.{number}", (closing(code),), code=1002)


def automatic() -> Iterator[Case]:
    """Section 10: a long text that a client's library cuts by itself."""
    payload = b"*" * 65_536
    yield Case("10.1.1", parts(payload, 1300), echo(payload))


def cases() -> list[Case]:
    """All of them, in Autobahn's order of sections."""
    sections = (framing, pings, reserved, fragments, utf8, decoded, closes, automatic)
    return [case for section in sections for case in section()]
