"""Simulated connections: a server's transport, a client's end, and the bytes on their way between them.

As TCP: bytes arrive once and in order, cut up anywhere, later or never. A link holds `WINDOW` bytes that the client
has not read; what is more waits in the server's transport, which tells its protocol to stop. What always holds: after
either side is told of the loss, nothing is delivered to it any more.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from tests.simulation.world import Process, World

WINDOW = 2_048
HIGH = 1_024
LATENCY_S = (0.0005, 0.01)
SLOW_S = (0.05, 0.6)
USER_TIMEOUT_S = 20.0
STEP_S = 1e-6
"""Timers of one moment have no order, so what must not be overtaken comes a little later."""


class End(Protocol):
    """The client's side of a link."""

    def arrived(self, data: bytes, left: float) -> None:
        """Bytes from the server, which they left at that time."""

    def gone(self) -> None:
        """The link is no more."""


class Link:
    """One connection between a client and a process."""

    def __init__(self, world: World, number: int, client: End) -> None:
        self.world = world
        self.number = number
        self.client = client
        self.transport = SimTransport(self)
        self.open = True
        self.silent = False
        self.stalled = False
        self._loop = asyncio.get_running_loop()
        self._down: deque[tuple[bytes, float]] = deque()
        self._unread: deque[tuple[bytes, float]] = deque()
        self._held = 0
        self._down_at = self._up_at = 0.0
        self._told = False

    def _arrival(self, before: float) -> float:
        slow = self.world.happens("slow link")
        return max(before + STEP_S, self._loop.time() + self.world.between(SLOW_S if slow else LATENCY_S))

    # Server to client

    @property
    def room(self) -> int:
        """Bytes that may be put on the way now."""
        return WINDOW - self._held

    def down(self, data: bytes) -> None:
        """Bytes that have left the server."""
        self._held += len(data)
        self._down.append((data, self._loop.time()))
        self._down_at = self._arrival(self._down_at)
        self._loop.call_at(self._down_at, self._arrive)

    def _arrive(self) -> None:
        if not self.open or not self._down or self.silent:
            return
        self._unread.append(self._down.popleft())
        self._read()

    def _read(self) -> None:
        while self._unread and not self.stalled and self.open:
            data, left = self._unread.popleft()
            self._held -= len(data)
            self.client.arrived(data, left)
        if self.open:
            self._loop.call_soon(self.transport.pump)

    def stall(self, stalled: bool) -> None:
        """The client stops reading, or reads again."""
        self.stalled = stalled
        if not stalled and self.open:
            self._read()

    def finished(self) -> None:
        """The server has closed its side, everything it wrote is on the way."""
        self._loop.call_at(self._arrival(self._down_at), self._client_gone)

    # Client to server

    def up(self, data: bytes, *, whole: bool = False) -> None:
        """Bytes of the client; they arrive in one or two pieces, but for the upgrade, which uvicorn has put together."""
        if not self.open:
            return
        cut = 0 if whole else self.world.random.randrange(len(data))
        for piece in (data[:cut], data[cut:]):
            if piece:
                self._up_at = self._arrival(self._up_at)
                self._loop.call_at(self._up_at, self._received, piece)

    def _received(self, piece: bytes) -> None:
        if self.open and not self.silent:
            self.transport.received(piece)

    # Ends

    def hang_up(self) -> None:
        """The client closes; the server hears of it a little later, after what was sent before."""
        if self.open and not self.silent:
            self._loop.call_at(self._arrival(self._up_at), self.transport.lost)
        self._told = True

    def cut(self) -> None:
        """Both sides lose it; what was on its way is lost too."""
        if self.open:
            self.open = False
            self._loop.call_later(self.world.between(LATENCY_S), self._client_gone)
            self._loop.call_later(self.world.between(LATENCY_S), self.transport.lost)

    def fall_silent(self) -> None:
        """Nothing passes any more and nobody is told; the server's system gives up on unanswered bytes."""
        self.silent = True
        self._loop.call_later(USER_TIMEOUT_S, self.transport.given_up)

    def _client_gone(self) -> None:
        self.open = False
        if not self._told and not self.silent:
            self._told = True
            self.client.gone()


class SimTransport(asyncio.Transport):
    """The server's end."""

    def __init__(self, link: Link) -> None:
        super().__init__()
        self._link = link
        self._buffer: deque[bytes] = deque()
        self._size = 0
        self._paused = False
        self._closing = False
        self._lost = False
        self.protocol: Any = None
        self.process: Process | None = None
        self.most = 0

    def accept(self, process: Process, protocol: Any) -> None:
        """A process takes the connection."""
        self.process = process
        self.protocol = protocol
        protocol.connection_made(self)

    @property
    def _dead(self) -> bool:
        return self._lost or self.process is None or not self.process.alive

    # asyncio.Transport

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Bytes for the client."""
        if self._dead or self._closing:
            return
        self._buffer.append(bytes(data))
        self._size += len(data)
        self.pump()
        self.most = max(self.most, self._size)
        if self._size > HIGH and not self._paused:
            self._paused = True
            self.protocol.pause_writing()

    def pump(self) -> None:
        """Put on the way what there is room for."""
        link = self._link
        while self._buffer and link.open and link.room > 0 and not self._dead:
            data = self._buffer.popleft()
            head = data[: link.room]
            if len(head) < len(data):
                self._buffer.appendleft(data[len(head) :])
            self._size -= len(head)
            link.down(head)
        if self._paused and self._size <= HIGH // 4 and not self._dead:
            self._paused = False
            self.protocol.resume_writing()
        if self._closing and not self._buffer and not self._lost:
            link.finished()
            self.lost()

    def get_write_buffer_size(self) -> int:
        """Bytes that have not left."""
        return self._size

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """The simulated system has its own, smaller ones."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """There is no socket."""
        return (f"192.0.2.{self._link.number % 200}", 1) if name == "peername" else default

    def is_closing(self) -> bool:
        """As asyncio's."""
        return self._closing or self._lost

    def close(self) -> None:
        """Let out what waits, then end."""
        if not self._closing and not self._lost:
            self._closing = True
            self._call(self.pump)

    def abort(self) -> None:
        """End now; what waits is lost."""
        self._buffer.clear()
        self._size = 0
        self._closing = True
        self._call(self._link.cut)

    # The link

    def received(self, data: bytes) -> None:
        """Bytes from the client."""
        if not self._dead:
            self.protocol.data_received(data)

    def given_up(self) -> None:
        """Bytes went unanswered for too long."""
        if self._link._held or self._buffer:
            self.lost()

    def lost(self) -> None:
        """The connection is no more: told on a later turn of the loop."""
        if not self._lost:
            self._call(self._tell)

    def _tell(self) -> None:
        if not self._lost:
            told = not self._dead
            self._lost = True
            self._link.open = self._link.open and self._closing
            if told:
                self.protocol.connection_lost(None)

    @staticmethod
    def _call(work: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_soon(work)
