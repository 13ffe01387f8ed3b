"""A node: everything one process needs to serve connections, and its life from start to drained.

Put together by `gateway.app`; sockets and HTTP routes reach their means through it. What always holds: one timer
wheel and one flush per tick for all connections; tasks are kept and awaited; `ready` is false before the first
and after the last moment at which this node should get new connections.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Coroutine, Set
from dataclasses import dataclass, field
from typing import Any

import structlog

from channels.desk import Desk
from channels.replays import Replays
from gateway.admission import Admission
from gateway.answers import RequestIds
from gateway.capacity import Capacity
from gateway.cheering import Taps
from gateway.delivery import DeliveryProbe
from gateway.fanout import Fanout, Ties
from gateway.media import Media
from gateway.metrics import Metrics
from gateway.postman import Postman
from gateway.probes import Readiness
from gateway.socket import SocketProtocol
from gateway.tickets import TicketBook
from gateway.upkeep import Upkeep
from presence import service as presence
from presence.circles import Ear
from presence.keeper import Keeper, Pulse
from presence.telling import Outlook, Tempo
from realtime.buckets import Buckets
from realtime.closes import Close
from realtime.emotext import VERSION as EMOTEXT_VERSION
from realtime.events import Hello, Ping, Reconnect, control_frame
from realtime.hub import Hub
from realtime.requests import NONCE_CHARS_MAX, PICTURES_MAX, POSITIONS_MAX, Coming
from realtime.sendqueue import Backlog, Piece
from realtime.settings import Limits, Settings
from realtime.wheel import Wheel
from realtime.ws import frame
from storage.courier import Courier
from storage.leases import Leases
from storage.marks import Marks
from storage.tasks import end

log = structlog.get_logger("node")
PROTOCOL = "tsudoi.v1"
JITTER_MS = (500, 10_000)
DRAIN_S = (1.0, 15.0)
PEER_CONNECTS_PER_S = 500
TASK_WAIT_S = 3.0
PING_SHARED_MS = 5
SIGNED_OUT = (Close.SESSION_INVALID, Close.SUSPENDED)
"""Whoever ends like this is not coming back in a moment."""


def wall_ms() -> int:
    """Unix milliseconds by this machine's clock."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Parts:
    """What the assembly hands to a node. `clock_ms` is for what is told to clients, not for what is kept."""

    settings: Settings
    name: str
    desk: Desk
    courier: Courier
    leases: Leases
    postman: Postman
    marks: Marks
    epoch: str
    ticket_key: str
    clock_ms: Callable[[], int] = wall_ms
    chance: random.Random = field(default_factory=random.SystemRandom)


class Node:
    """See the module."""

    def __init__(self, parts: Parts) -> None:
        self.settings = parts.settings
        self.name = parts.name
        self.desk = parts.desk
        self.courier = parts.courier
        self.postman = parts.postman
        self.mailer = parts.postman.mailer
        self.epoch = parts.epoch
        self.now = asyncio.get_running_loop().time
        self.clock_ms = parts.clock_ms
        self.wheel = Wheel(self.now())
        self.tickets = TicketBook(parts.ticket_key, parts.settings.ticket_s * 1000, self.clock_ms)
        self.request_ids = RequestIds(parts.name)
        self.marks = parts.marks
        self.upkeep = Upkeep(parts.desk, parts.marks, parts.epoch)
        self.presence = presence.Service(self._presence_means(parts))
        ties = Ties(parts.name, parts.courier, self.upkeep, self.presence)
        self.fanout = Fanout(parts.desk, ties, self.spawn, self.clock_ms)
        self.replays = Replays(parts.desk, self.spawn)
        self.capacity = Capacity(parts.settings.limits)
        self.metrics = Metrics(self)
        self.readiness = Readiness(self)
        self.delivery = DeliveryProbe(self)
        limits = parts.settings.limits
        self.http_buckets = Buckets(limits.operations_per_s, limits.operations_burst)
        self.guest_buckets = Buckets(1.0, 60.0)
        self.media = Media(limits)
        self.taps = Taps(limits)
        self.admission = Admission(limits, self.now())
        self.backlog = Backlog()
        self._told_limits = told_limits(limits)
        self._pinged_ms = 0
        self._ping = Piece(b"", 0)
        self.sockets: set[SocketProtocol] = set()
        self.ready = False
        self.draining = False
        self._tasks: set[asyncio.Task[Any]] = set()
        self._services: set[asyncio.Task[Any]] = set()
        self._nobody = asyncio.Event()
        self._chance = parts.chance

    @property
    def hub(self) -> Hub:
        """Who listens to what here."""
        return self.fanout.hub

    @property
    def keeper(self) -> Keeper:
        """This node's lease, and what it knows of the others."""
        return self.presence.keeper

    def _presence_means(self, parts: Parts) -> presence.Means:
        settings = parts.settings
        return presence.Means(
            parts.name,
            parts.desk.db,
            parts.leases,
            Outlook(
                hears=self._hears,
                apart=self._apart_of,
                clock_ms=parts.clock_ms,
            ),
            parts.courier.publish,
            parts.clock_ms,
            Pulse(settings.lease_ttl_s, settings.lease_renew_s, settings.lease_sweep_s),
            Tempo.of(settings.presence_pace_s),
            presence.Pauses(settings.presence_grace_s),
        )

    def _hears(self, ear: Ear, channel: str) -> bool:
        return self.hub.hears(ear, channel)  # type: ignore[arg-type]  # every ear is one of the hub's listeners

    def _apart_of(self, account: str) -> Set[str]:
        return self.hub.apart.of(account)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Start a task and keep it until it ends. Its failure is a bug and logged as one."""
        self._keep(work, self._tasks)

    def keep_running(self, work: Coroutine[Any, Any, Any]) -> None:
        """Start a loop that lasts as long as the node."""
        self._keep(work, self._services)

    def _keep(self, work: Coroutine[Any, Any, Any], among: set[asyncio.Task[Any]]) -> None:
        task = asyncio.ensure_future(work)
        among.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        self._services.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("task failed", exc_info=task.exception())

    # Life

    async def start(self) -> None:
        """Begin to serve: the database is open already."""
        await self.fanout.start()
        await self.presence.start()
        for loop in self.presence.loops():
            self.keep_running(loop)
        self.keep_running(self.fanout.sweep())
        self.keep_running(self.upkeep.run())
        self.keep_running(self.delivery.run())
        self.keep_running(self._turn())
        self.keep_running(self.postman.run())
        self.ready = True
        log.info("node ready", node=self.name)

    async def _turn(self) -> None:
        while True:
            await asyncio.sleep(self.wheel.tick_s)
            self.wheel.advance(self.now())

    async def drain(self) -> None:
        """Send everybody elsewhere at a pace the others can take, then close what is left (WIRE §3.7)."""
        if self.draining:
            return
        self.ready = False
        self.draining = True
        self.presence.drain()
        here = list(self.sockets)
        window_s = self._drain_window_s(len(here))
        log.info("draining", connections=len(here), window_s=window_s)
        for number, socket in enumerate(here):
            after_ms = int(window_s * 1000 * number / max(1, len(here)))
            socket.send(control_frame("reconnect", Reconnect(after_ms=after_ms)))
        if self.sockets:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(window_s):
                    await self._nobody.wait()
        for socket in list(self.sockets):
            socket.close(Close.DRAINING, "the node drains")

    def _drain_window_s(self, connections: int) -> float:
        if not connections:
            return 0.0
        low, high = DRAIN_S
        if not self.keeper.peers:
            return low
        return min(
            high, self.settings.drain_s, max(low, connections / (PEER_CONNECTS_PER_S * self.keeper.peers))
        )

    async def stop(self) -> None:
        """Everything down, in the order that loses nothing: loops, work, database, courier, lease."""
        self.ready = False
        await end(self._services)
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=TASK_WAIT_S)
        await end(self._tasks)
        await self.desk.db.close()
        await self.courier.close()
        await self.marks.close()
        await self.presence.close()
        log.info("node stopped", node=self.name)

    # Connections

    def ping(self) -> Piece:
        """A ping; those of one moment are the same bytes."""
        at = self.clock_ms()
        if not 0 <= at - self._pinged_ms <= PING_SHARED_MS:
            self._pinged_ms = at
            self._ping = Piece(frame(control_frame("ping", Ping(t=at))), 1)
        return self._ping

    def greet(self, socket: SocketProtocol) -> None:
        """A handshake was accepted: say hello, spread the heartbeats."""
        self.sockets.add(socket)
        self.metrics.opened()
        limits = self.settings.limits
        hello = Hello(
            protocol=PROTOCOL,
            server_time=self.clock_ms(),
            ping_ms=int(limits.ping_interval_s * 1000),
            epoch=self.epoch,
            limits=self._told_limits,
            emotext_version=EMOTEXT_VERSION,
            reconnect_jitter_ms=min(max(len(self.sockets) // 2, JITTER_MS[0]), JITTER_MS[1]),
        )
        socket.greet(hello, self._chance.uniform(limits.ping_interval_s * 0.48, limits.ping_interval_s))
        if self.draining or not self.delivery.own_ok:
            socket.close(Close.DRAINING, "this node takes nobody now")

    def arrived(self, socket: SocketProtocol, coming: Coming) -> None:
        """A connection knows its account. A sixth of one account retires the one silent longest."""
        self.hub.add(socket)
        self.presence.arrived(socket, coming)
        self.metrics.arrived()
        log.info(
            "connected",
            account=socket.account,
            session=socket.actor.session if socket.actor else "",
            peer=socket.peer,
        )
        same = [other for other in self.hub.of_account(socket.account) if other is not socket]
        if len(same) >= self.settings.limits.connections_per_account_max:
            oldest = min((s for s in same if isinstance(s, SocketProtocol)), key=lambda s: s.silent_since)
            oldest.close(Close.RETIRED, "a newer connection took this place")

    def bound_backlog(self) -> None:
        """All queues together have a bound: above it the fullest goes (WIRE §5)."""
        if self.backlog.size_bytes > self.settings.limits.queues_bytes_max:
            fullest = max(self.sockets, key=lambda each: each.queued_bytes)
            log.warning("queues are full", bytes=self.backlog.size_bytes, account=fullest.account)
            fullest.too_slow()

    def forget(self, socket: SocketProtocol, code: int) -> None:
        """A connection ends or has ended; called more than once."""
        if socket not in self.sockets:
            return
        self.sockets.discard(socket)
        if self.draining and not self.sockets:
            self._nobody.set()
        self.hub.remove(socket)
        self.metrics.closed(code)
        if socket.account:
            self.presence.left(socket, signed_out=code in SIGNED_OUT)
            log.info("disconnected", account=socket.account, code=code, peer=socket.peer)


def told_limits(limits: Limits) -> dict[str, int]:
    """What `hello` tells every client of the bounds it must respect."""
    return {
        "frame_in_bytes": limits.frame_in_bytes_max,
        "message_graphemes": limits.message_graphemes_max,
        "message_bytes": limits.message_bytes_max,
        "title_graphemes": limits.title_graphemes_max,
        "group_members": limits.group_members_max,
        "picture_bytes": limits.picture_bytes_max,
        "picture_pixels": limits.picture_pixels_max,
        "picture_alt_graphemes": limits.picture_alt_graphemes_max,
        "pictures": PICTURES_MAX,
        "positions": POSITIONS_MAX,
        "nonce_chars": NONCE_CHARS_MAX,
        "operations_per_s": int(limits.operations_per_s),
        "operations_burst": int(limits.operations_burst),
    }
