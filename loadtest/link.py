"""One WebSocket as an asyncio protocol: no task, no queue; frames go straight to whoever owns the link.

Called by `loadtest.client`. RFC 6455 is the `websockets` library's Sans-I/O core. What always holds: `owner.gone`
is called once for each link that was opened, whoever ended it.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Protocol, cast

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

SUBPROTOCOL = Subprotocol("tsudoi.v1")
CLOSE_S = 5.0


class Owner(Protocol):
    """Who hears of a link."""

    def opened(self, link: Link) -> None:
        """The handshake is done."""

    def take(self, link: Link, data: bytes) -> None:
        """A text frame."""

    def gone(self, link: Link, code: int) -> None:
        """The link is gone; 1006 where no code came."""


class Link(asyncio.Protocol):
    """See the module. Made by `dial`."""

    def __init__(self, url: str, owner: Owner) -> None:
        self._owner = owner
        self._wire = ClientProtocol(parse_uri(url), subprotocols=[SUBPROTOCOL], max_size=None)
        self._transport: asyncio.Transport | None = None
        self._parts: list[bytes] = []
        self._open: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # Set once a close was said or heard: a peer that does not end the connection then is hung up on.
        self._patience: asyncio.TimerHandle | None = None

    @property
    def close_code(self) -> int | None:
        """Why the link ended; None while it lasts."""
        return self._wire.close_code if self._transport is None else None

    async def ready(self) -> None:
        """The handshake is done. Raises `InvalidHandshake` (`InvalidStatus` holds the answer), `ConnectionError`."""
        await self._open

    def send(self, data: bytes, *, text: bool = True) -> None:
        """A frame; after the end it goes nowhere."""
        if self._transport is None or self._wire.state is not State.OPEN:
            return
        (self._wire.send_text if text else self._wire.send_binary)(data)
        self._write()

    def close(self, code: int = 1000) -> None:
        """Say goodbye; a peer that does not answer is hung up on."""
        if self._transport is None:
            return
        if self._wire.state is State.OPEN:
            self._wire.send_close(code)
            self._write()
        else:
            self.abort()

    def abort(self) -> None:
        """Hang up without a word."""
        if self._transport is not None:
            self._transport.abort()

    def pause(self) -> None:
        """Take nothing more for a while."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Take again."""
        if self._transport is not None:
            self._transport.resume_reading()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected: ask for the upgrade."""
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._wire.send_request(self._wire.connect())
        self._write()

    def data_received(self, data: bytes) -> None:
        """Bytes of frames, whole or not."""
        self._wire.receive_data(data)
        for event in self._wire.events_received():
            if isinstance(event, Frame):
                self._frame(event)
            elif isinstance(event, Response):
                self._answered()
        self._write()

    def eof_received(self) -> None:
        """The peer hung up."""
        self._wire.receive_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        """Gone."""
        self._transport = None
        if self._patience is not None:
            self._patience.cancel()
        if self._wire.close_code is None or exc is not None:
            with contextlib.suppress(Exception):
                self._wire.receive_eof()
        self._answered()
        self._owner.gone(self, self._wire.close_code or 1006)

    # Inside

    def _frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.TEXT and frame.fin:
            self._owner.take(self, bytes(frame.data))
        elif frame.opcode in (Opcode.TEXT, Opcode.CONT):
            self._parts.append(bytes(frame.data))
            if frame.fin:
                parts, self._parts = self._parts, []
                self._owner.take(self, b"".join(parts))

    def _answered(self) -> None:
        if self._open.done():
            return
        error: Any = self._wire.handshake_exc
        if error is not None:
            self._open.set_exception(error)
        elif self._transport is None:
            self._open.set_exception(ConnectionError("hung up during the handshake"))
        else:
            self._open.set_result(None)
            self._owner.opened(self)
        # Whoever gave up waiting does not look.
        self._open.exception()

    def _write(self) -> None:
        if self._transport is None:
            return
        data = self._wire.data_to_send()
        for part in data:
            if part:
                self._transport.write(part)
            else:
                self._end_writing()
        if self._patience is None and self._wire.close_expected():
            self._patience = asyncio.get_running_loop().call_later(CLOSE_S, self.abort)

    def _end_writing(self) -> None:
        assert self._transport is not None
        if self._transport.can_write_eof():
            with contextlib.suppress(OSError):
                self._transport.write_eof()


async def dial(url: str, owner: Owner, local_address: str | None = None) -> Link:
    """Connect and upgrade. `local_address`: the address to come from, for load tests (127.0.0.0/8 is all ours).

    Raises `OSError`, `ConnectionError`, `InvalidHandshake`.
    """
    where = parse_uri(url)
    link = Link(url, owner)
    await asyncio.get_running_loop().create_connection(
        lambda: link,
        where.host,
        where.port,
        ssl=True if where.secure else None,
        local_addr=(local_address, 0) if local_address else None,
    )
    try:
        await link.ready()
    except asyncio.CancelledError:
        link.abort()
        raise
    return link


def retry_ms_of(error: BaseException) -> float | None:
    """When a refused handshake says to come back (`Retry-After`, in seconds), in ms."""
    if isinstance(error, InvalidStatus):
        said = error.response.headers.get("Retry-After", "")
        return float(said) * 1000 if said.isdigit() else None
    return None


FAILURES = (OSError, InvalidHandshake, TimeoutError)
