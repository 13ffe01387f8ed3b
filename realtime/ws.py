"""RFC 6455 frames, without a socket: bytes in, messages out; payload in, frame out.

The handshake is the `websockets` library's; this parser takes over afterwards because it is a tenth of its size
per connection and bounded at every point: message size, number of fragments, unknown bits, unmasked frames.
No extension is negotiated, so a compressed frame is a protocol error.
"""

from __future__ import annotations

import codecs

from websockets.frames import Close as CloseBody
from websockets.speedups import apply_mask

from realtime.closes import Close

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
_CONTINUATION = 0
_CONTROL_PAYLOAD_MAX = 125
DECODER = codecs.getincrementaldecoder("utf-8")


class WsError(Exception):
    """The peer broke the protocol: close with `code` and say `reason`. `before` are the whole messages that came with
    the fault, ahead of it."""

    def __init__(self, code: Close, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.before: list[tuple[int, bytes]] = []


def frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """Payload → one final, unmasked server frame."""
    size = len(payload)
    if size < 126:
        return bytes((0x80 | opcode, size)) + payload
    if size < 65_536:
        return bytes((0x80 | opcode, 126, size >> 8, size & 255)) + payload
    return bytes((0x80 | opcode, 127)) + size.to_bytes(8, "big") + payload


def close_frame(code: int, reason: str) -> bytes:
    """A close frame; the reason is cut to what a control frame holds."""
    return frame(code.to_bytes(2, "big") + reason.encode()[:123].decode(errors="ignore").encode(), CLOSE)


def parse_close(payload: bytes) -> int:
    """Payload of the peer's close frame → its code (1005 if it gave none). Raises `WsError`."""
    if not payload:
        return 1005
    try:
        body = CloseBody.parse(payload)
        body.check()
    except UnicodeDecodeError:
        raise WsError(Close.INVALID_TEXT, "close reason is not UTF-8") from None
    except Exception:
        raise WsError(Close.PROTOCOL_ERROR, "bad close frame") from None
    return body.code


class FrameReader:
    """Collects a client's bytes and yields whole messages: (TEXT | CLOSE | PING | PONG, payload). Text in fragments is
    decoded as they come, so that what is no UTF-8 ends with its own fragment (Autobahn 6.4)."""

    __slots__ = (
        "_buffer",
        "_decoder",
        "_fragments",
        "_fragments_max",
        "_need",
        "_parts",
        "_size",
        "_size_max",
    )

    def __init__(self, size_max: int, fragments_max: int) -> None:
        self._size_max = size_max
        self._fragments_max = fragments_max
        self._buffer = bytearray()
        self._need = 2
        self._parts: list[bytes] | None = None
        self._decoder: codecs.IncrementalDecoder | None = None
        self._size = 0
        self._fragments = 0

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Bytes as they arrive → the messages they complete, in order. Raises `WsError`."""
        if self._buffer or len(data) < self._need:
            # Grown in place and looked at only when enough is there: a frame sent byte by byte costs no copies.
            self._buffer += data
            if len(self._buffer) < self._need:
                return []
            data = bytes(self._buffer)
            self._buffer.clear()
        messages: list[tuple[int, bytes]] = []
        try:
            self._cut(data, messages)
        except WsError as error:
            error.before = messages
            raise
        return messages

    def _cut(self, data: bytes, messages: list[tuple[int, bytes]]) -> None:
        position, end = 0, len(data)
        while True:
            head = self._head(data, position, end)
            if head is None:
                break
            body, size = head
            stop = body + size
            if stop > end:
                self._need = stop - position
                break
            payload = apply_mask(data[body:stop], data[body - 4 : body])
            message = self._take(data[position], payload)
            if message is not None:
                messages.append(message)
            position = stop
            self._need = 2
        if position < end:
            self._buffer += data[position:]

    def _head(self, data: bytes, position: int, end: int) -> tuple[int, int] | None:
        """Where the payload starts and how long it is; None if the head is not complete yet."""
        if end - position < 2:
            self._need = 2
            return None
        first, second = data[position], data[position + 1]
        opcode = first & 15
        if first & 0x70:
            raise WsError(Close.PROTOCOL_ERROR, "reserved bits are set")
        if not second & 0x80:
            raise WsError(Close.PROTOCOL_ERROR, "a client's frame must be masked")
        size = second & 127
        if opcode >= CLOSE:
            if opcode > PONG or size > _CONTROL_PAYLOAD_MAX or not first & 0x80:
                raise WsError(Close.PROTOCOL_ERROR, "bad control frame")
        elif opcode > BINARY:
            raise WsError(Close.PROTOCOL_ERROR, "unknown opcode")
        extra = 2 if size == 126 else 8 if size == 127 else 0
        start = position + 2 + extra + 4
        if end < start:
            self._need = start - position
            return None
        if extra:
            size = int.from_bytes(data[position + 2 : position + 2 + extra], "big")
            if size >> 63:
                raise WsError(Close.PROTOCOL_ERROR, "bad length")
        if opcode < CLOSE and size + self._size > self._size_max:
            raise WsError(Close.TOO_BIG, f"a message is at most {self._size_max} bytes")
        return start, size

    def _take(self, first: int, payload: bytes) -> tuple[int, bytes] | None:
        opcode = first & 15
        if opcode >= CLOSE:
            return opcode, payload
        final = first & 0x80
        if opcode == BINARY:
            raise WsError(Close.UNSUPPORTED_DATA, "only text frames are spoken here")
        if opcode == TEXT:
            if self._parts is not None:
                raise WsError(Close.PROTOCOL_ERROR, "a new message inside a fragmented one")
            if final:
                return TEXT, _checked(payload)
            self._parts = []
            self._decoder = DECODER()
        if self._parts is None or self._decoder is None:
            raise WsError(Close.PROTOCOL_ERROR, "a continuation of nothing")
        self._fragments += 1
        if self._fragments > self._fragments_max:
            raise WsError(Close.ABUSIVE_RATE, "too many fragments")
        try:
            self._decoder.decode(payload, bool(final))
        except UnicodeDecodeError:
            raise _no_text() from None
        self._parts.append(payload)
        self._size += len(payload)
        if not final:
            return None
        whole = b"".join(self._parts)
        self._parts, self._decoder, self._size, self._fragments = None, None, 0, 0
        return TEXT, whole


def _checked(payload: bytes) -> bytes:
    try:
        payload.decode()
    except UnicodeDecodeError:
        raise _no_text() from None
    return payload


def _no_text() -> WsError:
    return WsError(Close.INVALID_TEXT, "a text message must be UTF-8")
