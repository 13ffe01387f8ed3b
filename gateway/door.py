"""One HTTP connection: uvicorn's protocol with the deadlines and bounds that it leaves out (WIRE §5).

A request that has begun, or a connection that has sent none yet, must be whole within `handshake_s`: uvicorn would
wait for ever. A head is at most `HEAD_BYTES_MAX`. A peer that takes nothing of an answer is let go by the kernel.
Whoever comes when there is no room left is told so, but for those who ask how the process is.
The upgrade to a WebSocket ends all of this; `gateway.socket` has deadlines of its own.
"""

from __future__ import annotations

import asyncio
import http
import socket
from typing import TYPE_CHECKING, Any

import structlog
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.utils import is_ssl

from gateway.capacity import RETRY_S

if TYPE_CHECKING:
    from gateway.node import Node

HEAD_BYTES_MAX = 16 * 1024
log = structlog.get_logger("door")
WAKE = 0
TOO_LATE = "The request was not whole in time."
NO_ROOM = "There is no room left here; come back."
PROBES = (b"/healthz", b"/readyz")
PATIENCE = "tsudoi.patience"
"""An extension of the scope: `scope["extensions"][PATIENCE](seconds)` gives a request whose caller is known more time to be whole."""
HEAD_TOO_LARGE = f"The head of a request is at most {HEAD_BYTES_MAX} bytes."


def _address(transport: asyncio.Transport, which: str) -> tuple[str, int] | None:
    """Host and port; None where the other side is no network's."""
    found = transport.get_extra_info(which)
    return (str(found[0]), int(found[1])) if isinstance(found, tuple) else None


class DoorProtocol(HttpToolsProtocol):
    """See the module. `Timed` by the node's wheel, with at most one entry there per connection."""

    def __init__(
        self,
        config: Any,
        server_state: Any,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._node: Node = app_state["node"]
        self._due = 0.0
        self._on_wheel = False
        self._in_head = True
        self._head_bytes = 0
        self._late_comer = False

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Accepted: the first request is waited for."""
        # Not uvicorn's own: it asks the socket for both addresses, and uvloop keeps what a socket was asked for as long as the
        # connection, 300 bytes that nobody reads again.
        self.connections.add(self)
        self.transport = transport
        self.flow = FlowControl(transport)
        self.server = _address(transport, "sockname")
        self.client = _address(transport, "peername")
        self.scheme = "https" if is_ssl(transport) else "http"
        raw = transport.get_extra_info("socket")
        if raw is not None and raw.family in (socket.AF_INET, socket.AF_INET6):
            wait_ms = int(self._node.settings.limits.tcp_user_timeout_s * 1000)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, wait_ms)
        self._expect()
        here = len(self.server_state.connections)
        if self._node.capacity.is_full(here):
            self._late_comer = True
            if self._node.capacity.is_crowded(here):
                self._no_room()

    def data_received(self, data: bytes) -> None:
        """Bytes of requests, whole or not."""
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing() or self.transport.get_protocol() is not self:
            return
        if self._in_head and self._head_bytes > HEAD_BYTES_MAX:
            self._refuse(431, HEAD_TOO_LARGE)
        elif self.timeout_keep_alive_task is None and (self.cycle is None or self.cycle.response_complete):
            # Nothing is being answered, and the bytes have ended uvicorn's own wait for the next request.
            self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Gone, whoever ended it."""
        self._due = 0.0
        super().connection_lost(exc)
        self._let_go()

    # Callbacks of the parser

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._in_head = True
        self._expect()

    def on_headers_complete(self) -> None:
        """The head is whole; one that came in a single piece is measured only here."""
        self._in_head = False
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > HEAD_BYTES_MAX:
            self._refuse(431, HEAD_TOO_LARGE)
        elif self._late_comer and self.url not in PROBES:
            self._no_room()
        elif not self.transport.is_closing():
            self.scope["extensions"] = {PATIENCE: self._wait_longer}  # type: ignore[dict-item]  # a function of ours
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body; nothing is kept of a request that was refused by its head."""
        if self.cycle is not None:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole: the next one has a deadline of its own."""
        self._due = 0.0
        self._in_head = True
        self._head_bytes = 0
        if self.cycle is not None:
            super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """From here on the socket has its own deadlines."""
        self._due = 0.0
        if not self.transport.is_closing():
            super().handle_websocket_upgrade()
            self._let_go()

    def _let_go(self) -> None:
        # The parser and this object hold each other. Full collections are rare here, so kilobytes would stay behind
        # for every handshake; nothing is parsed any more.
        self.parser = None  # type: ignore[assignment]  # not used again
        self.scope = None  # type: ignore[assignment]  # not read again
        self.headers = None  # type: ignore[assignment]  # not read again

    # Timed

    def on_timer(self, why: int) -> None:
        """The wheel's wake-up: close what is late, wait on for what has begun since."""
        self._on_wheel = False
        if not self._due or self.transport.is_closing():
            return
        left_s = self._due - self._node.now()
        if left_s <= 0:
            self._refuse(408, TOO_LATE)
        else:
            self._wake_in(left_s)

    # Inside

    def _expect(self) -> None:
        """From now on a whole request is due within the limit, unless one is awaited already."""
        if not self._due:
            limit_s = self._node.settings.limits.handshake_s
            self._due = self._node.now() + limit_s
            self._wake_in(limit_s)

    def _wait_longer(self, seconds: float) -> None:
        if self._due:
            self._due = max(self._due, self._node.now() + seconds)

    def _wake_in(self, seconds: float) -> None:
        if not self._on_wheel:
            self._on_wheel = True
            self._node.wheel.add(seconds, self, WAKE)

    def _no_room(self) -> None:
        if not self.transport.is_closing():
            self._node.capacity.turned_away += 1
            self._refuse(503, NO_ROOM)

    def _refuse(self, status: int, text: str) -> None:
        """Say why, unless an answer is on its way already, and hang up."""
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            phrase = http.HTTPStatus(status).phrase
            head = f"HTTP/1.1 {status} {phrase}\r\nconnection: close\r\ncontent-type: text/plain\r\n"
            if status == 503:
                head += f"retry-after: {RETRY_S}\r\n"
            self.transport.write(f"{head}content-length: {len(text)}\r\n\r\n{text}".encode())
        log.info("request refused", status=status, peer=self.client[0] if self.client else "")
        self.transport.close()
