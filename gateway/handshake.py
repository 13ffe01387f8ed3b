"""The WebSocket handshake: RFC 6455 §4 by the `websockets` library's Sans-I/O core, our admission rules around it.

The library's object lives for the length of one handshake; afterwards `realtime.ws` reads the frames.
"""

from __future__ import annotations

import http
from collections.abc import Sequence
from dataclasses import dataclass

from websockets.exceptions import NegotiationError
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from realtime.places import is_loopback
from realtime.settings import Settings

PATH = "/gateway"
SUBPROTOCOL = Subprotocol("tsudoi.v1")


@dataclass(frozen=True, slots=True)
class Handshake:
    """What to answer, and whether the socket is ours from now on. `origin` is what the browser said, if it did,
    `forwarded` what proxies, or somebody who plays one, said about the peer."""

    answer: bytes
    accepted: bool
    status: int
    origin: str = ""
    forwarded: tuple[str, ...] = ()


def answer(data: bytes, settings: Settings) -> Handshake:
    """The upgrade request's bytes → the answer."""
    protocol = ServerProtocol(extensions=None, select_subprotocol=_select)
    protocol.receive_data(data)
    events = protocol.events_received()
    if not events or not isinstance(events[0], Request):
        return Handshake(_plain(400, "not a WebSocket handshake"), accepted=False, status=400)
    request = events[0]
    response = _judge(protocol, request, settings)
    protocol.send_response(response)
    body = b"".join(protocol.data_to_send())
    return Handshake(
        body,
        response.status_code == 101,
        response.status_code,
        ", ".join(request.headers.get_all("Origin")),
        tuple(request.headers.get_all("X-Forwarded-For")),
    )


def _judge(protocol: ServerProtocol, request: Request, settings: Settings) -> Response:
    if request.path.partition("?")[0] != PATH:
        return protocol.reject(http.HTTPStatus.NOT_FOUND, f"The socket is at {PATH}.\n")
    if "?" in request.path:
        return protocol.reject(http.HTTPStatus.BAD_REQUEST, "Nothing travels in the address; see connect.\n")
    if settings.public_url.startswith("https://") and not _came_sealed(request):
        return protocol.reject(http.HTTPStatus.FORBIDDEN, "Come by wss.\n")
    origins = request.headers.get_all("Origin")
    if len(origins) > 1 or (
        origins and not origin_allowed(origins[0], request.headers.get("Host", ""), settings)
    ):
        return protocol.reject(http.HTTPStatus.FORBIDDEN, "This origin may not connect.\n")
    return protocol.accept(request)


def origin_allowed(origin: str, host: str, settings: Settings) -> bool:
    """Exact list of origins: `TSUDOI_ORIGINS`, the public URL, and for a server on loopback its own address."""
    if origin in settings.origins or (settings.public_url and origin == settings.public_url.rstrip("/")):
        return True
    return is_loopback(settings.host) and is_loopback(_hostname(host)) and origin == f"http://{host}"


def _came_sealed(request: Request) -> bool:
    """False if the nearest proxy says that this came to it in plain. Without a proxy nothing is known."""
    told = ",".join(request.headers.get_all("X-Forwarded-Proto")).rpartition(",")[2].strip().lower()
    return told in ("", "https", "wss")


def _hostname(host: str) -> str:
    return host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host


def _select(protocol: ServerProtocol, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """Ours if it is offered; a client that offers none is served too, one that offers only others is not."""
    if SUBPROTOCOL in offered or not offered:
        return SUBPROTOCOL if offered else None
    raise NegotiationError(f"only {SUBPROTOCOL} is spoken here")


def _plain(status: int, text: str) -> bytes:
    phrase = http.HTTPStatus(status).phrase
    head = f"HTTP/1.1 {status} {phrase}\r\nConnection: close\r\nContent-Type: text/plain\r\n"
    return f"{head}Content-Length: {len(text)}\r\n\r\n{text}".encode()
