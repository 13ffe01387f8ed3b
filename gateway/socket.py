"""One WebSocket connection, from upgrade to loss: our own protocol class in uvicorn's hook (WIRE §3).

uvicorn constructs it per upgrade and hands over the transport; no ASGI, no task per socket. It reads frames,
keeps the state table's state, and writes what the hub gives it in one call per tick. What a frame means is
`gateway.talk`'s business. What always holds: `write` never blocks and never raises; every buffer is bounded;
after CLOSING nothing but the close frame leaves.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any, cast

import structlog

from channels.desk import Actor
from gateway import handshake, hearing, talk
from gateway.admission import refusal
from gateway.outbound import WAKE_AGE, Outbound
from gateway.peers import client_of
from realtime.bucket import TokenBucket
from realtime.closes import Close
from realtime.connection import Action, Signal, State, step
from realtime.events import Hello, Live, control_frame
from realtime.sendqueue import Piece
from realtime.ws import CLOSE, PING, PONG, TEXT, FrameReader, WsError, close_frame, frame, parse_close

if TYPE_CHECKING:
    from gateway.node import Node

log = structlog.get_logger("socket")
WAKE_CONNECT, WAKE_PING, WAKE_PONG, WAKE_CLOSE = range(4)
assert WAKE_AGE not in range(4)
HANDSHAKE_BYTES_MAX = 16 * 1024
WRITE_HIGH_BYTES = 64 * 1024
CONTROL_COST = 0.5
PONG_TEXT = b'{"op":"pong"}'
LIVE = Piece(frame(control_frame("live", Live())), 1)


class SocketProtocol(Outbound):
    """See the module. It is a `Hearer` of the fan-out and `Timed` by the node's wheel."""

    __slots__ = (
        "__weakref__",
        "_bucket",
        "_close_code",
        "_connections",
        "_deaf",
        "_heard_at",
        "_pinged_at",
        "_reader",
        "_refusals",
        "_state",
        "account",
        "actor",
        "in_flight",
        "peer",
        "reading",
        "watched",
        "wishes",
        "writable",
    )

    def __init__(
        self,
        config: Any,
        server_state: Any,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__()
        self.node: Node = app_state["node"]
        self._connections: set[Any] = server_state.connections
        self._state = State.OPENING
        self._reader: FrameReader | None = None
        self._bucket: TokenBucket | None = None
        self._heard_at = 0.0
        self._pinged_at = 0.0
        # Operations begun and not answered.
        self.in_flight = 0
        self._deaf = False
        self._refusals: list[float] | None = None
        self._close_code = 0
        self.account = ""
        self.actor: Actor | None = None
        # Which reading continues which channel, while what was missed is on its way (gateway.hearing).
        self.reading: dict[str, object] | None = None
        # Channels heard without being inside, and those one was found to write to for as long as one hears them.
        self.watched: set[str] | None = None
        self.writable: set[str] | None = None
        # Channels it is about to hear, while they are judged (gateway.hearing).
        self.wishes: dict[str, hearing.Wish] | None = None
        self.peer = ""
        self.transport: asyncio.Transport | None = None

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """uvicorn hands the transport over; the upgrade request follows at once."""
        transport = cast(asyncio.Transport, transport)
        self.transport = transport
        self._connections.add(self)
        limits = self.node.settings.limits
        transport.set_write_buffer_limits(high=WRITE_HIGH_BYTES)
        raw = transport.get_extra_info("socket")
        if raw is not None and raw.family in (socket.AF_INET, socket.AF_INET6):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, limits.socket_send_buffer_bytes)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _set_user_timeout(raw, limits.tcp_user_timeout_s)
        peer = transport.get_extra_info("peername")
        self.peer = str(peer[0]) if isinstance(peer, tuple) else ""

    def data_received(self, data: bytes) -> None:
        """Bytes of the handshake, then of frames."""
        if self._reader is None:
            if self._state is State.OPENING:
                self._shake(data)
            return
        if self._deaf:
            return
        self._heard_at = self.node.now()
        fault: WsError | None = None
        try:
            messages = self._reader.feed(data)
        except WsError as error:
            messages, fault = error.before, error
        for opcode, payload in messages:
            if self._state is State.CLOSED:
                return
            if opcode == TEXT:
                # What idle connections send most often means only that they are there, which is noted already.
                if payload == PONG_TEXT and self._state is State.LIVE:
                    continue
                if self._state is not State.CLOSING:
                    talk.frame_in(self, payload)
            else:
                self._control(opcode, payload)
        if fault is not None:
            self._break_off(fault)

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone, whoever ended it."""
        self._connections.discard(self)
        self._signal(Signal.LOST)
        self.transport = None
        if self._slow is not None:
            self._slow.queue.clear()
        self._let_go()
        if self._reader is not None:
            self.node.admission.leave(self.peer)

    def eof_received(self) -> bool:
        """The peer will send no more: let the transport close."""
        return False

    def shutdown(self) -> None:
        """uvicorn shuts down: whoever is still here is told to come back elsewhere."""
        if self._state is State.OPENING and self.transport is not None:
            self.transport.close()
        self.close(Close.DRAINING, "the node stops")

    # Hearer

    def hear(self, channel: str, after: int) -> None:
        """A channel was given to the account: hear it from a seq on."""
        self.node.spawn(hearing.hear(self, {channel: after}))

    def hear_now(self, channel: str) -> None:
        """A channel was given to the account: hear it from now on; what came before is to be read by page."""
        self.node.spawn(hearing.hear(self, {channel: None}))

    def watches(self, channel: str) -> bool:
        """True if it is on this connection's screen."""
        return self.watched is not None and channel in self.watched

    def ended(self, session: str) -> None:
        """Its session was revoked, or (with '') the account was suspended."""
        if not session:
            self._close_soon(self._shut, Close.SUSPENDED, "the account is suspended")
        elif self.actor is not None and self.actor.session == session:
            self._close_soon(self._shut, Close.SESSION_INVALID, "the session was ended")

    def doubt(self) -> None:
        """What this account may do has changed: ask again."""
        self.writable = None

    def failed(self) -> None:
        """A fault of ours: frames may have been lost."""
        self._close_soon(self.close, Close.SERVER_ERROR, "come back and continue")

    # Life

    @property
    def state(self) -> State:
        """Where the connection stands."""
        return self._state

    @property
    def silent_since(self) -> float:
        """Monotonic time of the last bytes from the peer."""
        return self._heard_at

    def signal(self, signal: Signal) -> Action:
        """Step the state table; the action is the caller's to carry out."""
        return self._signal(signal)

    def close(self, code: int, reason: str = "") -> None:
        """Say why and wait for the peer's close, within a bound."""
        if self.transport is None or self._signal(Signal.END) is not Action.CLOSE:
            return
        self._ending = True
        if self._slow is not None:
            self._slow.queue.clear()
            self._let_go()
        self._close_code = code
        self.transport.write(close_frame(code, reason))
        self.node.forget(self, code)
        raw = self.transport.get_extra_info("socket")
        if raw is not None and raw.family in (socket.AF_INET, socket.AF_INET6):
            _set_user_timeout(raw, self.node.settings.limits.close_wait_s)
        self.node.wheel.add(self.node.settings.limits.close_wait_s, self, WAKE_CLOSE)

    def take(self, cost: float) -> int:
        """Take from the connection's bucket: 0, or the milliseconds to wait. Too many refusals end in 4029."""
        assert self._bucket is not None
        now = self.node.now()
        wait_ms = self._bucket.take(cost, now)
        if wait_ms:
            recent = [at for at in self._refusals or () if now - at < 10.0]
            recent.append(now)
            self._refusals = recent
            if len(recent) >= self.node.settings.limits.refusals_per_10s_max:
                self.close(Close.ABUSIVE_RATE, "slow down")
        return wait_ms

    def live(self) -> None:
        """Missed frames are out: from here on it is live."""
        self.write(LIVE)

    def on_timer(self, why: int) -> None:
        """The wheel's wake-ups; stale ones do nothing. One connection's trouble must not stop the others' timers."""
        try:
            self._on_timer(why)
        except Exception:
            log.exception("timer failed", why=why, account=self.account)
            self.close(Close.SERVER_ERROR)

    def _on_timer(self, why: int) -> None:
        if why == WAKE_CONNECT:
            if self._signal(Signal.DEADLINE) is Action.TIME_OUT:
                self.close(Close.NO_CONNECT, "no connect in time")
        elif why == WAKE_PING:
            if self._state in (State.GREETED, State.JOINING, State.LIVE):
                self._ping()
        elif why == WAKE_PONG:
            if self._state is State.LIVE and self._heard_at < self._pinged_at:
                self.close(Close.NO_PONG, "no pong in time")
        elif why == WAKE_CLOSE:
            if self._state is State.CLOSING and self.transport is not None:
                self.transport.abort()
        elif why == WAKE_AGE and self._state is State.LIVE:
            self._check_age()

    # Inside

    def _shake(self, data: bytes) -> None:
        transport = self.transport
        assert transport is not None
        settings = self.node.settings
        if len(data) > HANDSHAKE_BYTES_MAX:
            transport.abort()
            return
        if not settings.trusted_proxies and not self._admitted(transport):
            return
        result = handshake.answer(data, settings)
        self.peer = client_of(self.peer, result.forwarded, settings.trusted_proxies)
        # Behind a proxy only the request tells whose turn it is.
        if settings.trusted_proxies and not self._admitted(transport):
            return
        transport.write(result.answer)
        if not result.accepted:
            log.info("handshake refused", status=result.status, peer=self.peer, origin=result.origin)
            transport.close()
            return
        limits = settings.limits
        now = self.node.now()
        self._reader = FrameReader(limits.frame_in_bytes_max, limits.fragments_max)
        self._bucket = TokenBucket(limits.operations_per_s, limits.operations_burst, now)
        self._heard_at = now
        self._signal(Signal.ACCEPTED)
        self.node.greet(self)
        if not self.node.admission.enter(self.peer):
            self.close(Close.ADDRESS_FULL, "this address has too many connections")

    def _admitted(self, transport: asyncio.Transport) -> bool:
        wait_ms = self.node.admission.wait_ms(self.peer, self.node.now())
        if wait_ms:
            transport.write(refusal(wait_ms))
            transport.close()
        return not wait_ms

    def greet(self, hello: Hello, first_ping_s: float) -> None:
        """The first frame, and the deadlines that start with it."""
        self.send(control_frame("hello", hello))
        self.node.wheel.add(self.node.settings.limits.connect_s, self, WAKE_CONNECT)
        self.node.wheel.add(first_ping_s, self, WAKE_PING)

    def _ping(self) -> None:
        limits = self.node.settings.limits
        self._pinged_at = self.node.now()
        self.write(self.node.ping())
        self.node.wheel.add(limits.pong_wait_s, self, WAKE_PONG)
        self.node.wheel.add(limits.ping_interval_s, self, WAKE_PING)

    def _control(self, opcode: int, payload: bytes) -> None:
        transport = self.transport
        if transport is None:
            return
        if opcode == CLOSE:
            self._close_received(payload)
        elif opcode == PING and self._state is not State.CLOSING and not self.take(CONTROL_COST):
            self.write(Piece(frame(payload, PONG), 1))
        elif opcode == PONG:
            self.take(CONTROL_COST)

    def _close_received(self, payload: bytes) -> None:
        assert self.transport is not None
        if self._state is not State.CLOSING:
            try:
                code = parse_close(payload)
            except WsError as error:
                code = error.code
            self.close(1000 if code == 1005 else code)
        self.transport.close()

    def _break_off(self, fault: WsError) -> None:
        """What comes after a fault means nothing, an answer to our close neither: say why and send no more. Bytes are
        still taken until the peer hangs up, since otherwise a reset might overtake the reason."""
        self._deaf = True
        self.close(fault.code, fault.reason)
        if self.transport is not None and self.transport.can_write_eof():
            self.transport.write_eof()

    def _shut(self, code: int, reason: str) -> None:
        """As `close`, but what a slow reader has not taken yet is not let out any more, nor then the reason behind it:
        they learn it when they come back."""
        if self.transport is not None and self.transport.get_write_buffer_size():
            self._close_code = code
            self.transport.abort()
        else:
            self.close(code, reason)

    def _signal(self, signal: Signal) -> Action:
        self._state, action = step(self._state, signal)
        if action is Action.FORGET:
            self.node.forget(self, self._close_code or 1006)
        return action


def _set_user_timeout(raw: socket.socket, seconds: float) -> None:
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(seconds * 1000))
