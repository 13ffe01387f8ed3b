"""What a client's frame means: from bytes to use case and back (WIRE §2, §3).

Called by the socket for each text frame. The order is fixed: depth, envelope, state, cost, request, use case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

from channels.arrival import Credential, arrive
from channels.dispatch import DECODERS, HANDLERS
from gateway import cheering, hearing, signals
from gateway.answers import answer, error_of
from gateway.screen import OWN, reply, respond
from realtime.closes import Close
from realtime.connection import Action, Signal, State
from realtime.errors import Refusal
from realtime.events import error_frame
from realtime.models import AccountCard
from realtime.operations import (
    Door,
    Envelope,
    Operation,
    decode_envelope,
    decode_request,
    id_of_bad_frame,
    within_depth,
)
from realtime.requests import Clock, ClockRead, Connect, Connected
from realtime.table import OPERATIONS

if TYPE_CHECKING:
    from gateway.socket import SocketProtocol

log = structlog.get_logger("talk")


def frame_in(socket: SocketProtocol, payload: bytes) -> None:
    """One text frame of a client."""
    try:
        if not within_depth(payload, socket.node.settings.limits.json_depth_max):
            raise Refusal("bad_request", "The JSON nests too deeply.", at="$")
        envelope = decode_envelope(payload)
    except Refusal as refusal:
        _bad_frame(socket, payload, refusal)
        return
    signal = Signal.CONNECT if envelope.op == "connect" else Signal.OPERATION
    match socket.signal(signal):
        case Action.AUTHENTICATE:
            _connect(socket, envelope)
        case Action.RUN:
            _operation(socket, envelope)
        case Action.REFUSE_ORDER:
            socket.close(Close.NOT_THIS_PROTOCOL, "the first frame must be connect")
        case Action.REFUSE_EARLY:
            _refuse(socket, envelope, Refusal("unauthenticated", "Wait for the answer to connect."))
        case Action.REFUSE_TWICE:
            _refuse(
                socket, envelope, Refusal("bad_request", "This connection is connected already.", at="$.op")
            )
        case _:
            pass


def _bad_frame(socket: SocketProtocol, payload: bytes, refusal: Refusal) -> None:
    if socket.state is State.GREETED:
        socket.close(Close.NOT_THIS_PROTOCOL, "the first frame must be connect")
        return
    if not socket.take(1.0):
        error = error_of(refusal, "", socket.node.request_ids)
        socket.send(error_frame(id_of_bad_frame(payload), error))


def _refuse(socket: SocketProtocol, envelope: Envelope, refusal: Refusal) -> None:
    socket.send(error_frame(envelope.id, error_of(refusal, envelope.op, socket.node.request_ids)))


def _operation(socket: SocketProtocol, envelope: Envelope) -> None:
    """An operation on a live connection. What needs no waiting is answered here, the rest gets a task."""
    try:
        operation = OPERATIONS.get(envelope.op)
        if operation is None or Door.SOCKET not in operation.doors:
            socket.take(1.0)
            raise Refusal("bad_request", f"There is no operation {envelope.op[:64]!r} here.", at="$.op")
        wait_ms = socket.take(operation.cost) if operation.cost else 0
        if wait_ms:
            raise Refusal("rate_limited", retry_ms=wait_ms)
        request = decode_request(DECODERS[operation.name], envelope.d, "$.d")
        if operation.name == "pong":
            return
        if operation.name == "clock.read":
            reply(socket, envelope.id, _clock(socket, request))
            return
        if operation.name == "channel.signal" and signals.known(socket, request.ch):
            reply(socket, envelope.id, signals.send(socket.node, socket.account, request))
            return
        if operation.name == "channel.cheer" and signals.known(socket, request.ch):
            reply(socket, envelope.id, cheering.tap(socket.node, socket.account, request))
            return
        if socket.in_flight >= socket.node.settings.limits.operations_in_flight_max:
            raise Refusal("rate_limited", "Wait for answers first.", retry_ms=100)
    except Refusal as refusal:
        _refuse(socket, envelope, refusal)
        return
    socket.node.spawn(_run(socket, envelope.id, operation, request))


async def _run(socket: SocketProtocol, request_id: int | None, operation: Operation, request: Any) -> None:
    actor = socket.actor
    assert actor is not None
    socket.in_flight += 1
    try:
        own = OWN.get(operation.name)
        if own is not None:
            await own(socket, request_id, request)
            return
        work = HANDLERS[operation.name](socket.node.desk, actor, request)
        outcome = await answer(work, operation.name, socket.node.request_ids)
    finally:
        socket.in_flight -= 1
    respond(socket, request_id, outcome)


def _clock(socket: SocketProtocol, request: ClockRead) -> Clock:
    return Clock(t=request.t, server_time=socket.node.clock_ms())


# connect


def _connect(socket: SocketProtocol, envelope: Envelope) -> None:
    try:
        request = decode_request(DECODERS["connect"], envelope.d, "$.d")
        credential = _credential(socket, request)
    except Refusal as refusal:
        _reject(socket, envelope.id, refusal)
        return
    socket.node.spawn(_arrive(socket, envelope.id, request, credential))


def _credential(socket: SocketProtocol, request: Connect) -> Credential:
    if (request.token is None) == (request.ticket is None):
        raise Refusal("bad_request", "Give token or ticket, one of them.", at="$.d.token")
    if request.token is not None:
        return Credential(token=request.token)
    session = socket.node.tickets.use(request.ticket or "")
    if session is None:
        raise Refusal("unauthenticated", "The ticket is used, late or not ours.")
    return Credential(session=session)


def _reject(socket: SocketProtocol, request_id: int | None, refusal: Refusal) -> None:
    log.info("connect refused", code=refusal.code, peer=socket.peer)
    socket.send(error_frame(request_id, error_of(refusal, "connect", socket.node.request_ids)))
    code = {"forbidden": Close.SUSPENDED, "bad_request": Close.NOT_THIS_PROTOCOL}.get(
        refusal.code, Close.SESSION_INVALID
    )
    socket.close(code, refusal.code)


async def _arrive(
    socket: SocketProtocol, request_id: int | None, request: Connect, credential: Credential
) -> None:
    node = socket.node
    mark, begun = node.hub.mark(), node.hub.apart.begun
    positions = request.positions if request.epoch == node.epoch else {}
    outcome = await answer(arrive(node.desk, credential, positions), "connect", node.request_ids)
    if socket.state is not State.JOINING:
        return
    if outcome.error is not None:
        log.info("connect refused", code=outcome.error["code"], peer=socket.peer)
        socket.send(error_frame(request_id, outcome.error))
        socket.close(hearing.close_of(outcome.error["code"]), outcome.error["code"])
        return
    arrival = outcome.result
    if not node.hub.apart.know(arrival.actor.account, arrival.apart, begun):
        socket.close(Close.SERVER_ERROR, "too much happens; come back")
        return
    socket.actor = arrival.actor
    socket.account = arrival.actor.account
    socket.signal(Signal.JOINED)
    node.arrived(socket, request.presence)
    card = AccountCard(id=arrival.actor.account, handle=arrival.actor.handle, name=arrival.actor.name)
    connected = Connected(
        account=card, session=arrival.actor.session, channels=arrival.plan.channels, badges=arrival.badges
    )
    reply(socket, request_id, connected)
    await hearing.join(socket, arrival.plan, mark)
    socket.live()
