"""A way to a server that has bad days: delay, jitter, loss, half-close, silence, a narrow pipe, a reset; per direction.

Plain asyncio, no root. What always holds: every harm is counted where it strikes, so that a test can show that it did;
without harm bytes pass unchanged and in order.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import socket
import struct
from dataclasses import dataclass, field

CHUNK = 64 * 1024
MESSAGE = re.compile(rb"\*3\r\n\$7\r\nmessage\r\n\$\d+\r\n[^\r]*\r\n\$\d+\r\n[^\r]*\r\n")
"""A parcel that Redis pushes to a subscriber; parcels hold no CR."""


@dataclass
class Way:
    """One direction of all links: its harms, and how often each struck."""

    delay_s: float = 0.0
    jitter_s: float = 0.0
    bytes_per_s: float = 0.0
    silent: bool = False
    """Bytes are taken and go nowhere: a blackhole."""
    held: bool = False
    """Bytes are not even taken: whoever sends fills up, as to a peer that is stopped."""
    swallow: re.Pattern[bytes] | None = None
    """What matches is cut out of each chunk."""
    deaf_to_end: bool = False
    """An end of the stream is not passed on."""
    passed: int = 0
    struck: dict[str, int] = field(default_factory=dict)

    def note(self, harm: str, amount: int = 1) -> None:
        """A harm struck."""
        self.struck[harm] = self.struck.get(harm, 0) + amount


class Link:
    """One client's connection and ours to the server."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.writers = (client, server)

    def reset(self) -> None:
        """Both sides get an RST."""
        for writer in self.writers:
            raw = writer.get_extra_info("socket")
            if raw is not None:
                # The latter for a socket that is closed already.
                with contextlib.suppress(OSError, ValueError):
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    def half_close(self) -> None:
        """The server is told that the client will send no more; the other direction goes on."""
        with contextlib.suppress(OSError):
            self.writers[1].write_eof()


class Chaos:
    """See the module: `async with Chaos(port) as way: way.port …`. `there` may be changed: new links go to it."""

    def __init__(self, there: int, seed: int = 1) -> None:
        self.there = there
        self.up = Way()
        self.down = Way()
        self.refusing = False
        self.window_bytes = 0
        """How much the system takes of a server's words before anybody reads them; 0: as much as it likes."""
        self.refused = 0
        self.accepted = 0
        self.resets = 0
        self.links: set[Link] = set()
        self._dice = random.Random(seed)
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def __aenter__(self) -> Chaos:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=4096)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        self.reset()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def reset(self) -> int:
        """Cut every link by an RST; how many."""
        links = list(self.links)
        for link in links:
            link.reset()
        self.resets += len(links)
        return len(links)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refusing:
            self.refused += 1
            writer.transport.abort()
            return
        try:
            their_reader, their_writer = await asyncio.open_connection("127.0.0.1", self.there)
        except OSError:
            writer.transport.abort()
            return
        self.accepted += 1
        if self.window_bytes:
            raw = their_writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.window_bytes)
        link = Link(writer, their_writer)
        self.links.add(link)
        for source, sink, way in ((reader, their_writer, self.up), (their_reader, writer, self.down)):
            task = asyncio.create_task(self._pump(link, source, sink, way))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(
        self, link: Link, source: asyncio.StreamReader, sink: asyncio.StreamWriter, way: Way
    ) -> None:
        try:
            while data := await self._taken(source, way):
                data = await self._harmed(data, way)
                if data:
                    sink.write(data)
                    way.passed += len(data)
                    await sink.drain()
            if way.deaf_to_end:
                way.note("deaf_to_end")
                return
            sink.write_eof()
        except (OSError, ConnectionError, RuntimeError):
            link.reset()
        finally:
            if link in self.links and all(writer.transport.is_closing() for writer in link.writers):
                self.links.discard(link)
            elif not way.deaf_to_end and source.at_eof():
                self._over(link)

    def _over(self, link: Link) -> None:
        """One direction has ended well; when both have, the link is gone."""
        ended = getattr(link, "ended", 0) + 1
        link.ended = ended  # type: ignore[attr-defined]  # only here
        if ended == 2:
            self.links.discard(link)
            for writer in link.writers:
                writer.close()

    async def _taken(self, source: asyncio.StreamReader, way: Way) -> bytes:
        while way.held:
            way.note("held")
            await asyncio.sleep(0.02)
        return await source.read(CHUNK)

    async def _harmed(self, data: bytes, way: Way) -> bytes:
        wait_s = way.delay_s + self._dice.random() * way.jitter_s
        if way.bytes_per_s:
            wait_s += len(data) / way.bytes_per_s
            way.note("narrow")
        if wait_s:
            way.note("late")
            await asyncio.sleep(wait_s)
        while way.held:
            way.note("held")
            await asyncio.sleep(0.02)
        if way.silent:
            way.note("silent", len(data))
            return b""
        if way.swallow is not None:
            data, count = way.swallow.subn(b"", data)
            if count:
                way.note("swallowed", count)
        return data
