"""A way to a server on which somebody changes the frames that come from it: what the oracle of the load test must notice."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

Tamper = Callable[[int, bytes], list[bytes]]
"""(number of the connection, payload of a text frame) → the payloads that reach the client."""


def framed(payload: bytes) -> bytes:
    """A text frame of a server."""
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    if size < 65_536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


class Frames:
    """Bytes of a server → its frames, whole: (first byte, payload)."""

    def __init__(self) -> None:
        self._tail = b""

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """All frames that are whole now."""
        data = self._tail + data
        while len(data) >= 2:
            size, start = data[1], 2
            if size >= 126:
                start = 4 if size == 126 else 10
                size = int.from_bytes(data[2:start], "big")
            if len(data) < start + size:
                break
            yield data[0], data[start : start + size]
            data = data[start + size :]
        self._tail = data


@asynccontextmanager
async def tampered(port: int, tamper: Tamper) -> AsyncIterator[int]:
    """A port that leads to `port`, with every text frame of the server going through `tamper`."""
    numbers = iter(range(1_000_000))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = next(numbers)
        to_server = await asyncio.open_connection("127.0.0.1", port)
        up = asyncio.ensure_future(_pass_on(reader, to_server[1]))
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            writer.write(await to_server[0].readuntil(b"\r\n\r\n"))
            frames = Frames()
            while data := await to_server[0].read(65_536):
                for head, payload in frames.feed(data):
                    if head == 0x81:
                        writer.write(b"".join(map(framed, tamper(number, payload))))
                    else:
                        writer.write(bytes((head, len(payload))) + payload)
        up.cancel()
        for each in (writer, to_server[1]):
            each.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()
