"""A raw connection that reads when the test tells it to, and not before: a phone in a tunnel."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

import orjson

from tests.support.nodes import RunningNode


def client_frame(payload: bytes) -> bytes:
    """One masked text frame (with a mask of zeros)."""
    return b"\x81" + bytes((0x80 | 126,)) + struct.pack(">H", len(payload)) + b"\0" * 4 + payload


class Reader:
    """Reads frames from a raw connection when told to, and not before."""

    def __init__(self, raw: socket.socket, seen: bytes = b"") -> None:
        self.raw = raw
        self.seqs: list[int] = []
        self._data = seen

    async def say(self, op: str, number: int, **fields: Any) -> None:
        """One operation; the answer comes among the frames."""
        request = orjson.dumps({"id": number, "op": op, "d": fields})
        await asyncio.get_running_loop().sock_sendall(self.raw, client_frame(request))

    async def until(self, event: str) -> dict[str, Any]:
        """Read to the next frame of this event."""
        while (frame := await self.frame()).get("ev") != event:
            pass
        return frame

    async def answer(self, number: int) -> dict[str, Any]:
        """Read to the answer of this request."""
        while (frame := await self.frame()).get("id") != number:
            pass
        return frame

    async def until_seq(self, seq: int) -> None:
        """Read until the entry has come."""
        while not self.seqs or self.seqs[-1] < seq:
            await self.frame()

    async def frame(self) -> dict[str, Any]:
        """The next frame. Raises `EOFError` at the end, which a close frame is too."""
        head = await self._take(2)
        if head[0] == 0x88:
            raise EOFError
        size = head[1]
        if size == 126:
            size = int.from_bytes(await self._take(2), "big")
        elif size == 127:
            size = int.from_bytes(await self._take(8), "big")
        frame: dict[str, Any] = orjson.loads(await self._take(size))
        if frame.get("ch", "").startswith("room:") and "seq" in frame:
            self.seqs.append(frame["seq"])
        return frame

    async def _take(self, count: int) -> bytes:
        async with asyncio.timeout(10):
            while len(self._data) < count:
                more = await asyncio.get_running_loop().sock_recv(self.raw, 1 << 16)
                if not more:
                    raise EOFError
                self._data += more
        taken, self._data = self._data[:count], self._data[count:]
        return taken


async def stalled(
    server: RunningNode, token: str, until: bytes = b'"live"', **fields: Any
) -> tuple[socket.socket, bytes]:
    """A raw connection that has said connect, read until some bytes came, and reads no more; and what it read."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(raw, ("127.0.0.1", server.port))
    head = (
        "GET /gateway HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    await loop.sock_sendall(raw, head.encode())
    seen = b""
    while b"hello" not in seen:
        seen += await loop.sock_recv(raw, 4096)
    seen = seen[seen.index(b"\r\n\r\n") + 4 :]
    request = orjson.dumps(
        {"id": 1, "op": "connect", "d": {"token": token, "client": {"name": "stalled"}, **fields}}
    )
    await loop.sock_sendall(raw, client_frame(request))
    while until not in seen:
        seen += await loop.sock_recv(raw, 4096)
    return raw, seen
