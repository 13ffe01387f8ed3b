"""A connection that costs the generator as little as Python allows: it counts, and looks into frames only where it must.

Used by the benchmarks, never by people: the well-mannered client is `loadtest.client`. What always holds: every
durable frame's seq is checked against the one before it in its channel, so that a benchmark that loses, doubles or reorders
says so.
"""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
import struct
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import orjson

ROOM_HEAD = b'{"ch":"room:'
SEQ_AT = len(ROOM_HEAD) + 26 + len('","seq":')
ROOM_AT = slice(len(ROOM_HEAD), len(ROOM_HEAD) + 26)
MASK = b"\x00\x00\x00\x00"

Deliver = Callable[[bytes, int, float], None]
"""Told of each durable frame of a room: (room id as bytes, seq, time)."""


def client_frame(payload: bytes) -> bytes:
    """One text frame of a client. A mask of zeros is a mask (RFC 6455 §5.3 asks browsers for a random one)."""
    size = len(payload)
    if size < 126:
        return bytes((0x81, 0x80 | size)) + MASK + payload
    return b"\x81" + bytes((0x80 | 126,)) + struct.pack(">H", size) + MASK + payload


def upgrade(netloc: str, path: str) -> bytes:
    """A client's request to speak our protocol over WebSocket."""
    key = base64.b64encode(os.urandom(16)).decode()
    head = (
        f"GET {path} HTTP/1.1\r\nHost: {netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: tsudoi.v1\r\n\r\n"
    )
    return head.encode()


class Lean(asyncio.Protocol):
    """One connection; made by `dial`. Times are those of `time.perf_counter`, because uvloop's clock has steps of a
    millisecond. `frames` counts durable frames, `faults` what must not be; `name` begins its nonces."""

    __slots__ = (
        "_answers",
        "_ids",
        "_tail",
        "closed",
        "deliver",
        "faults",
        "frames",
        "live",
        "name",
        "now",
        "seqs",
        "token",
        "transport",
    )

    def __init__(self, token: str, deliver: Deliver | None) -> None:
        loop = asyncio.get_running_loop()
        self.now = time.perf_counter
        self.token = token
        self._tail = b""
        self._ids = 1
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.deliver = deliver
        self.transport: asyncio.Transport | None = None
        self.live: asyncio.Future[float] = loop.create_future()
        self.seqs: dict[bytes, int] = {}
        self.frames = 0
        self.faults: list[str] = []
        self.closed = False
        self.name = secrets.token_hex(6).encode()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The TCP link is there; `dial` writes the handshake."""
        self.transport = transport  # type: ignore[assignment]  # a transport that writes

    def connection_lost(self, exc: Exception | None) -> None:
        """Whoever waits is told."""
        self.closed = True
        gone = ConnectionError("the server closed the connection")
        for future in self._answers.values():
            if not future.done():
                future.set_exception(gone)
        if not self.live.done():
            self.live.set_exception(gone)

    def data_received(self, data: bytes) -> None:
        """Frames, several at a time."""
        if self._tail:
            data = self._tail + data
        at, end = 0, len(data)
        now = self.now()
        while end - at >= 2:
            size, head = data[at + 1], 2
            if size == 126:
                if end - at < 4:
                    break
                size, head = data[at + 2] << 8 | data[at + 3], 4
            elif size == 127:
                if end - at < 10:
                    break
                size, head = int.from_bytes(data[at + 2 : at + 10], "big"), 10
            start = at + head
            if start + size > end:
                break
            if data.startswith(ROOM_HEAD, start):
                self._durable(data, start, now)
            else:
                self._other(data[start : start + size], now)
            at = start + size
        self._tail = data[at:]

    def _durable(self, data: bytes, start: int, now: float) -> None:
        room = data[start + ROOM_AT.start : start + ROOM_AT.stop]
        at = start + SEQ_AT
        seq = int(data[at : data.index(b",", at)])
        last = self.seqs.get(room)
        if last is not None and seq != last + 1:
            self.faults.append(f"{room.decode()}: {seq} after {last}")
        self.seqs[room] = seq
        self.frames += 1
        if self.deliver is not None:
            self.deliver(room, seq, now)

    def _other(self, payload: bytes, now: float) -> None:
        if payload[:1] != b"{":
            # The answer to the handshake, or a close.
            return
        frame = orjson.loads(payload)
        if "id" in frame:
            future = self._answers.pop(frame["id"], None)
            if future is not None and not future.done():
                future.set_result(frame)
        elif frame["ev"] == "ping":
            self.send(b'{"op":"pong"}')
        elif frame["ev"] == "live" and not self.live.done():
            self.live.set_result(now)
        elif frame["ev"] in ("resync", "behind"):
            self.faults.append(payload.decode())

    def send(self, payload: bytes) -> None:
        """One frame."""
        if self.transport is not None and not self.closed:
            self.transport.write(client_frame(payload))

    def ask(self, op: str, body: bytes) -> asyncio.Future[dict[str, Any]]:
        """One operation, its request as JSON; resolves to the whole answer."""
        self._ids += 1
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[self._ids] = future
        self.send(b'{"id":%d,"op":"%s","d":%s}' % (self._ids, op.encode(), body))
        return future

    def close(self) -> None:
        """Hang up."""
        if self.transport is not None:
            self.transport.abort()


async def dial(url: str, token: str, deliver: Deliver | None = None, **connect: Any) -> Lean:
    """Connect and say `connect`; `connect` may hold positions and epoch. Returns at once after the answer; `live` is
    a future of the time. Raises `ConnectionError`."""
    where = urlsplit(url)
    loop = asyncio.get_running_loop()
    shaken = _Handshake()
    transport, _ = await loop.create_connection(
        lambda: shaken, where.hostname or "127.0.0.1", where.port or 80
    )
    transport.write(upgrade(where.netloc, "/gateway"))
    rest = await shaken.done
    lean = Lean(token, deliver)
    lean.connection_made(transport)
    transport.set_protocol(lean)
    if rest:
        lean.data_received(rest)
    body = orjson.dumps({"token": token, "client": {"name": "bench"}, **connect})
    answer = await lean.ask("connect", body)
    if "error" in answer:
        lean.close()
        raise ConnectionError(answer["error"]["message"])
    for channel in answer["ok"]["channels"]:
        name = channel["ch"]
        if name.startswith("room:"):
            at = connect.get("positions", {}).get(name, channel["seq"])
            lean.seqs.setdefault(name[5:].encode(), at if channel["recovered"] else channel["seq"])
    return lean


class _Handshake(asyncio.Protocol):
    """Reads the answer to the upgrade."""

    def __init__(self) -> None:
        self.done: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._data = b""

    def data_received(self, data: bytes) -> None:
        """Up to the blank line."""
        self._data += data
        head, blank, rest = self._data.partition(b"\r\n\r\n")
        if blank and not self.done.done():
            if b" 101 " in head[:20]:
                self.done.set_result(rest)
            else:
                self.done.set_exception(ConnectionError(head.split(b"\r\n")[0].decode()))

    def connection_lost(self, exc: Exception | None) -> None:
        """Refused."""
        if not self.done.done():
            self.done.set_exception(ConnectionError("the server hung up during the handshake"))
