"""The HTTP door: every operation as `POST /api/v1/<operation>`, probes, schemas, pages (WIRE §1).

Routes reach the node through Starlette's lifespan state. Answers of operations are `no-store`; every answer
carries headers that keep the page to itself, also the one to a fault of our own.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson
import structlog
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from channels.arrival import authenticate, poll
from channels.desk import Actor, Visitor
from channels.dispatch import DECODERS, GUESTS, HANDLERS
from channels.invites import network_of
from gateway import asyncapi, cheering, emotext, export, media, openapi, pages, presences, probes, signals
from gateway.answers import Answer, answer, error_of
from gateway.auth import COOKIE, check_origin, credential, set_cookie
from gateway.bodies import read_body
from gateway.node import Node
from realtime.channel import seen_by
from realtime.cheers import Cheer, Toast
from realtime.errors import ERRORS, Refusal
from realtime.events import encode
from realtime.gate import Entered
from realtime.operations import Door, Operation, Who, decode_request, within_depth
from realtime.posts import Signal
from realtime.requests import Clock, ClockRead, Positions, Synced, Ticket
from realtime.settings import Limits
from realtime.table import OPERATIONS

log = structlog.get_logger("http")
VERSION = "0.1.0"
MINUTE_S = 60.0
GUESTS_TOGETHER = 10
TOLD_CODES = ("unauthenticated", "forbidden")
STAY = ((b"strict-transport-security", b"max-age=31536000"),)
HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        b"connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


def routes() -> list[BaseRoute]:
    """All routes of the public port."""
    return [
        Route("/api/v1/{operation}", operation_door, methods=["POST"]),
        Route("/export", _export, methods=["POST"]),
        Route("/media", _upload, methods=["POST"]),
        Route("/media/{picture}", _look),
        Route("/media/{picture}/{part}", _look),
        Route("/emotext", _page("emotext.html")),
        Route("/emotext/{signed}.svg", _preview_drawn),
        Route("/posts/{post}.svg", _post_drawn),
        Route("/healthz", probes.healthz),
        Route("/readyz", probes.readyz),
        Route("/openapi.json", _openapi),
        Route("/asyncapi.json", _asyncapi),
        Route("/docs", _page("docs.html")),
        Route("/", _page("index.html")),
        Route("/i", _page("invite.html")),
        Route("/d", _page("device.html")),
        Route("/web/{path:path}", pages.file),
    ]


def middleware() -> list[Middleware]:
    """What surrounds every route."""
    return [Middleware(Guard)]


def node_of(request: Request) -> Node:
    """The node that serves this request."""
    node: Node = request.state.node
    return node


async def operation_door(request: Request) -> Response:
    """One operation by HTTP."""
    node = node_of(request)
    name = request.path_params["operation"]
    outcome = await answer(_run(node, request, name), name, node.request_ids)
    if outcome.error is not None and outcome.error["code"] in TOLD_CODES:
        log.info(
            "refused",
            operation=name,
            code=outcome.error["code"],
            request_id=outcome.error["request_id"],
            peer=_peer(request),
            origin=request.headers.get("origin", ""),
        )
    if name in ("session.delete", "account.delete") and outcome.error is None:
        response = respond(outcome)
        response.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return response
    if isinstance(outcome.result, ForBrowser):
        entered = outcome.result.entered
        response = respond(Answer(msgspec.structs.replace(entered, token=None)))
        set_cookie(response, entered.token or "", node.settings)
        return response
    return respond(outcome)


@dataclass(frozen=True, slots=True)
class ForBrowser:
    """A session begun for a browser: the token travels as a cookie that scripts cannot read."""

    entered: Entered


def respond(outcome: Answer) -> Response:
    """An outcome as JSON, with the status its code has in the table."""
    headers = {"cache-control": "no-store"}
    if outcome.error is None:
        return Response(encode({"ok": outcome.result}), media_type="application/json", headers=headers)
    error = outcome.error
    headers["x-request-id"] = error["request_id"]
    if error["retry_ms"] is not None:
        headers["retry-after"] = str(-(-error["retry_ms"] // 1000))
    status = ERRORS[error["code"]].status
    return Response(encode({"error": error}), status, headers, "application/json")


async def _run(node: Node, request: Request, name: str) -> Any:
    operation = OPERATIONS.get(name)
    if operation is None or Door.HTTP not in operation.doors:
        raise Refusal("not_found", f"There is no operation {name[:64]!r} here.")
    body = await read_body(request, node.settings.limits.frame_in_bytes_max)
    who = await _caller(node, request, operation)
    _take(node, who, _peer(request), operation)
    if not within_depth(body, node.settings.limits.json_depth_max):
        raise Refusal("bad_request", "The JSON nests too deeply.", at="$")
    parsed = decode_request(DECODERS[name], body or b"{}", "$")
    if isinstance(parsed, ClockRead):
        return Clock(t=parsed.t, server_time=node.clock_ms())
    if name in GUESTS:
        return await _guest(node, request, name, parsed)
    if who is None:
        raise Refusal("unauthenticated")
    if name == "session.ticket":
        ticket, expires_at = node.tickets.issue(who.session)
        return Ticket(ticket=ticket, expires_at=expires_at)
    if isinstance(parsed, Signal):
        return await signals.signal(node, who, parsed)
    if isinstance(parsed, Cheer):
        return await cheering.cheer(node, who, parsed)
    if isinstance(parsed, Toast):
        return await cheering.toast(node, who, parsed)
    if isinstance(parsed, Positions):
        return await _sync(node, who, parsed)
    if name in presences.HTTP:
        return await presences.HTTP[name](node, who, parsed)
    return await HANDLERS[name](node.desk, who, parsed)


async def _sync(node: Node, who: Actor, request: Positions) -> Synced:
    same = request.epoch in ("", node.epoch)
    polled = await poll(node.desk, who.account, request.positions, same_epoch=same)
    frames = [orjson.loads(seen_by(parcel, who.account, polled.apart)) for parcel in polled.missed]
    return Synced(epoch=node.epoch, channels=polled.plan.channels, frames=frames)


async def _guest(node: Node, request: Request, name: str, parsed: Any) -> Any:
    """An operation of somebody without a session. A cookie is set only for our own page."""
    for_browser = getattr(parsed, "cookie", False)
    if for_browser:
        check_origin(request, node.settings)
    result = await GUESTS[name](node.desk, Visitor(_peer(request)), parsed)
    return ForBrowser(result) if for_browser and isinstance(result, Entered) else result


def _take(node: Node, who: Actor | None, peer: str, operation: Operation) -> None:
    """The price of an operation: of the account's bucket, or of the network's. Errors: `rate_limited`."""
    now = node.now()
    if who is not None or not operation.guest_per_min:
        wait_ms = node.http_buckets.take(who.account if who else peer, operation.cost, now)
    else:
        # One bucket of a minute's worth for each network, and one for all guests together.
        cost = MINUTE_S / operation.guest_per_min / node.settings.limits.guest_rate_factor
        wait_ms = node.guest_buckets.take(f"{operation.name}:{network_of(peer)}", cost, now)
        wait_ms = wait_ms or node.guest_buckets.take(operation.name, cost / GUESTS_TOGETHER, now)
    if wait_ms:
        raise Refusal("rate_limited", retry_ms=wait_ms)


async def _caller(node: Node, request: Request, operation: Operation) -> Actor | None:
    if operation.who is Who.ANYONE:
        return None
    return await authenticate(node.desk, credential(request, node.settings))


def _peer(request: Request) -> str:
    """The caller's address; behind a trusted proxy the one it tells."""
    return request.client.host if request.client else ""


def _page(name: str) -> Any:
    async def serve(request: Request) -> Response:
        return pages.page(name, request)

    return serve


async def _export(request: Request) -> Response:
    node = node_of(request)
    outcome = await answer(export.packed(node, request), "export", node.request_ids)
    return export.download(outcome) if outcome.error is None else respond(outcome)


async def _upload(request: Request) -> Response:
    node = node_of(request)
    return respond(await answer(media.upload(node, request), "media", node.request_ids))


async def _look(request: Request) -> Response:
    node = node_of(request)
    outcome = await answer(media.shown(node, request), "media", node.request_ids)
    return media.picture_response(*outcome.result) if outcome.error is None else respond(outcome)


async def _preview_drawn(request: Request) -> Response:
    node = node_of(request)
    outcome = await answer(emotext.of_preview(node, request), "emotext", node.request_ids)
    return emotext.picture(outcome.result, anywhere=True) if outcome.error is None else respond(outcome)


async def _post_drawn(request: Request) -> Response:
    node = node_of(request)
    outcome = await answer(emotext.of_post(node, request), "emotext", node.request_ids)
    return emotext.picture(outcome.result, anywhere=False) if outcome.error is None else respond(outcome)


async def _openapi(request: Request) -> Response:
    return Response(_openapi_bytes(node_of(request).settings.limits), media_type="application/json")


async def _asyncapi(request: Request) -> Response:
    return Response(_asyncapi_bytes(node_of(request).settings.limits), media_type="application/json")


@functools.cache
def _openapi_bytes(limits: Limits) -> bytes:
    return encode(openapi.openapi_document(VERSION, limits))


@functools.cache
def _asyncapi_bytes(limits: Limits) -> bytes:
    return encode(asyncapi.asyncapi_document(VERSION, limits))


class Guard:
    """Adds the headers that every answer carries, and answers where a route has failed."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        begun = False

        async def guarded(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                given = message.get("headers", ())
                named = {name for name, _ in given}
                message["headers"] = [*given, *(each for each in (*HEADERS, *more) if each[0] not in named)]
            await send(message)

        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        more = STAY if scope["state"]["node"].settings.public_url.startswith("https://") else ()
        try:
            await self._app(scope, receive, guarded)
        except Exception as error:
            if begun:
                raise
            node: Node = scope["state"]["node"]
            outcome = Answer(error=error_of(error, scope["path"], node.request_ids))
            await respond(outcome)(scope, receive, guarded)
