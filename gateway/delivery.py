"""The delivery proof: a node listens to itself, so that sockets that are open but carry nothing cannot last (WIRE §4).

A connection without a network, of the same protocol class as everybody's, hears a channel of its own. Each round an
event goes straight into the hub, and one goes out through the courier under another name and has to come back through
its reader. What always holds: a node whose hub does not deliver closes its connections, which continue elsewhere, and
takes no new ones; a node whose reader is deaf says so in `/readyz`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import structlog

from gateway.socket import SocketProtocol
from realtime.closes import Close
from realtime.connection import Signal, State
from realtime.events import ephemeral_frame
from realtime.models import Shape
from realtime.parcels import Audience, Parcel

if TYPE_CHECKING:
    from gateway.node import Node

log = structlog.get_logger("delivery")
PROBE = "probe:"
FAILURES_MAX = 2


class Probed(Shape, frozen=True, kw_only=True):
    """What a probe says: its number, and by which way it came."""

    number: int
    way: str


class ProbeTransport(asyncio.Transport):
    """Where the probe's connection writes to: it keeps what a client would have read."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Bytes for the peer that is not there."""
        self.written += data

    def can_write_eof(self) -> bool:
        """Nobody would hear it."""
        return False

    def get_write_buffer_size(self) -> int:
        """Everything has left."""
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """It never fills."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """There is no socket."""
        return default

    def abort(self) -> None:
        """Nothing to end."""

    def close(self) -> None:
        """Nothing to end."""


class _Nobody:
    """The part of uvicorn's state that a connection touches."""

    def __init__(self) -> None:
        self.connections: set[Any] = set()


class DeliveryProbe:
    """See the module. `own_ok` and `courier_ok` tell how the last rounds ended."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._channel = PROBE + node.name
        self._number = 0
        self._failures = {"own": 0, "courier": 0}
        self._transport = ProbeTransport()
        self._socket: SocketProtocol | None = None

    def _open(self) -> None:
        hub = self._node.hub
        if self._socket is not None:
            hub.remove(self._socket)
        self._transport = ProbeTransport()
        self._socket = SocketProtocol(None, _Nobody(), {"node": self._node})
        self._socket.connection_made(self._transport)
        self._socket.account = self._channel
        for signal in (Signal.ACCEPTED, Signal.CONNECT, Signal.JOINED):
            self._socket.signal(signal)
        hub.add(self._socket)
        hub.join(self._socket, [(self._channel, 0)], hub.mark())

    @property
    def own_ok(self) -> bool:
        """What is said here reaches connections here."""
        return self._failures["own"] < FAILURES_MAX

    @property
    def courier_ok(self) -> bool:
        """What is carried reaches connections here."""
        return self._failures["courier"] < FAILURES_MAX

    async def run(self) -> None:
        """A round each `probe_s`, for ever."""
        while True:
            await asyncio.sleep(self._node.settings.probe_s)
            await self.round()

    async def round(self) -> None:
        """One proof of both ways."""
        if self._socket is None or self._socket.state is not State.LIVE:
            self._open()
        self._number += 1
        self._transport.written.clear()
        self._node.hub.offer(self._parcel("own", self._node.name))
        self._node.courier.publish(self._parcel("courier", f"{self._node.name}:probe"))
        arrived = await self._arrivals(self._node.settings.probe_wait_s)
        for way in self._failures:
            self._failures[way] = 0 if way in arrived else self._failures[way] + 1
            if self._failures[way] == FAILURES_MAX:
                log.error("nothing is delivered", way=way)
        if not self.own_ok:
            self._give_up()

    def _parcel(self, way: str, origin: str) -> Parcel:
        at = self._node.clock_ms()
        frame = ephemeral_frame(self._channel, "probe", at, Probed(number=self._number, way=way))
        return Parcel(self._channel, 0, "probe", Audience.ALL, "", way, at, origin, frame)

    async def _arrivals(self, wait_s: float) -> set[str]:
        """The ways by which this round's event came within the time."""
        wanted = {way: b'"number":%d,"way":"%s"' % (self._number, way.encode()) for way in self._failures}
        arrived: set[str] = set()
        end = self._node.now() + wait_s
        while len(arrived) < len(wanted) and self._node.now() < end:
            await asyncio.sleep(min(0.05, wait_s / 10))
            arrived = {way for way, words in wanted.items() if words in self._transport.written}
        return arrived

    def _give_up(self) -> None:
        for socket in list(self._node.sockets):
            socket.close(Close.SERVER_ERROR, "this node delivers nothing; come back")
