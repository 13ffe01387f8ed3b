"""Our protocol class with a handler that says everything back, without a node behind it and without a network."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from websockets.frames import Opcode
from websockets.protocol import Protocol, Side, State

from gateway import talk
from gateway.admission import Admission
from gateway.delivery import ProbeTransport
from gateway.socket import SocketProtocol
from realtime.connection import Signal
from realtime.sendqueue import Backlog, Piece
from realtime.settings import Limits, Settings
from realtime.wheel import Wheel
from realtime.ws import frame

UPGRADE = (
    b"GET /gateway HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
OPEN = Limits(
    frame_in_bytes_max=16 * 1024 * 1024,
    fragments_max=100_000,
    operations_per_s=1e6,
    operations_burst=1e6,
    handshakes_per_s=1e6,
    handshakes_burst=1e6,
    handshakes_per_address_per_s=1e6,
    handshakes_per_address_burst=1e6,
    connections_per_address_max=100_000,
)


class EchoNode:
    """As much of a node as a connection touches."""

    def __init__(self, limits: Limits = OPEN) -> None:
        self.settings = Settings(limits=limits)
        self.wheel = Wheel(self.now())
        self.admission = Admission(limits, self.now())
        self.backlog = Backlog()
        self.codes: list[int] = []

    def now(self) -> float:
        """The loop's time."""
        return asyncio.get_running_loop().time()

    def greet(self, socket: SocketProtocol) -> None:
        """No hello: it is live at once."""
        socket.signal(Signal.CONNECT)
        socket.signal(Signal.JOINED)

    def forget(self, socket: SocketProtocol, code: int) -> None:
        """It ends."""
        self.codes.append(code)

    def bound_backlog(self) -> None:
        """Nothing waits long here."""


class Nobody:
    """The part of uvicorn's state that a connection touches."""

    def __init__(self) -> None:
        self.connections: set[Any] = set()


def say_back(socket: SocketProtocol, payload: bytes) -> None:
    """The handler."""
    socket.write(Piece(frame(payload), 1))


@contextmanager
def echoing() -> Iterator[None]:
    """Text frames are said back, instead of being operations."""
    with mock.patch.object(talk, "frame_in", say_back):
        yield


class Peer:
    """A client of one connection: what it sends arrives at once, what it is sent is parsed by a library."""

    def __init__(self, node: EchoNode) -> None:
        self.node = node
        self.transport = ProbeTransport()
        self.socket = SocketProtocol(None, Nobody(), {"node": node})
        self.socket.connection_made(self.transport)
        self.socket.data_received(UPGRADE)
        head, _, rest = bytes(self.transport.written).partition(b"\r\n\r\n")
        self.head = head
        self.transport.written[:] = rest

    def send(self, data: bytes) -> None:
        """Bytes."""
        self.socket.data_received(data)

    def got(self) -> tuple[list[tuple[int, bytes]], int | None]:
        """The messages so far, and the code of the server's close frame."""
        client = Protocol(Side.CLIENT, state=State.OPEN, max_size=None)
        client.receive_data(bytes(self.transport.written))
        found: list[tuple[int, bytes]] = []
        for event in client.events_received():
            heard: Any = event
            if heard.opcode is not Opcode.CLOSE:
                found.append((int(heard.opcode), bytes(heard.data)))
        assert client.parser_exc is None
        return found, client.close_rcvd.code if client.close_rcvd is not None else None
