"""`channel.cheer` and `channel.toast`: fleeting, for whoever hears a channel now, on every node (FEATURES §4).

Called by both doors. What always holds: a channel gets at most ten frames of counts a second, however many tap on however many
nodes: each node tells the others what was tapped at it, adds up what it hears, and tells its own listeners; nothing is kept;
whoever is apart from somebody is told counts without them. Cheers have no key, so they are the first that a slow reader loses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
import structlog

from channels.desk import Actor
from channels.signals import may_signal
from gateway import signals
from realtime.buckets import Buckets
from realtime.cheers import Cheer, Cheered, Tally, Toast, Toasted, Toasting
from realtime.emotext import resolve
from realtime.emotext_catalogue import CATALOGUE
from realtime.errors import Refusal
from realtime.events import encode, ephemeral_frame
from realtime.hub import Hub
from realtime.parcels import Audience, Parcel
from realtime.requests import Done
from realtime.settings import Limits

if TYPE_CHECKING:
    from gateway.node import Node
    from gateway.socket import SocketProtocol

log = structlog.get_logger("cheering")
TALLY = "channel.tally"
"""Between nodes: what was tapped at one of them. Clients never see it."""
CHEERED, TOASTED = "channel.cheered", "channel.toasted"
EVERY_S = 0.1
TOAST_MS = 3_000
DONE = Done()


class Cheering:
    """A node's taps of the moment. `carry` hands a parcel to the other nodes."""

    def __init__(
        self, hub: Hub, name: str, carry: Callable[[Parcel], None], clock_ms: Callable[[], int]
    ) -> None:
        self._hub = hub
        # The courier does not bring back what is of this node.
        self._name = name
        self._carry = carry
        self._clock_ms = clock_ms
        self._loop = asyncio.get_running_loop()
        self._own: dict[str, Tally] = {}
        self._heard: dict[str, Tally] = {}
        self._timer: asyncio.TimerHandle | None = None
        self.told = 0

    def add(self, channel: str, account: str, effect: str) -> None:
        """One tap. Of whoever is connected here the hub knows whom they are apart from; of others only the name is known."""
        plain = self._hub.of_account(account) and not self._hub.apart.of(account)
        named = "" if plain else account
        self._own.setdefault(channel, Tally()).add(named, effect)
        self._begin()

    def hear(self, parcel: Parcel) -> None:
        """What was tapped at another node."""
        try:
            tally = msgspec.json.decode(parcel.frame, type=Tally)
        except msgspec.DecodeError as error:
            log.warning("a tally that cannot be read", error=str(error), origin=parcel.origin)
            return
        self._heard.setdefault(parcel.channel, Tally()).merge(tally)
        self._begin()

    def _begin(self) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(EVERY_S, self._round)

    def _round(self) -> None:
        own, self._own = self._own, {}
        heard, self._heard = self._heard, {}
        # The next round is due no sooner, also where nothing was tapped in this one.
        self._timer = self._loop.call_later(EVERY_S, self._round) if own or heard else None
        at = self._clock_ms()
        for channel, tally in own.items():
            self._carry(Parcel(channel, 0, TALLY, Audience.NOBODY, "", "", at, self._name, encode(tally)))
            tally.merge(heard.pop(channel, Tally()))
            self._tell(channel, tally, at)
        for channel, tally in heard.items():
            self._tell(channel, tally, at)

    def _tell(self, channel: str, tally: Tally, at: int) -> None:
        """To all who may hear everybody the same bytes; to a few their own."""
        self.told += 1
        authors = "+".join(sorted(tally.named))
        apart = self._hub.apart
        everyone = tally.seen(lambda account: True)
        self._offer(channel, everyone, at, (Audience.ALL, authors, ""))
        for viewer in apart.hidden_from(authors) if authors else ():
            others = apart.of(viewer)
            counts = tally.seen(lambda account, others=others: account not in others)  # type: ignore[misc]  # bound now
            self._offer(channel, counts, at, (Audience.ONLY, "", viewer))

    def _offer(self, channel: str, counts: dict[str, int], at: int, whom: tuple[Audience, str, str]) -> None:
        if counts:
            audience, author, target = whom
            frame = ephemeral_frame(channel, CHEERED, at, Cheered(counts=counts))
            self._hub.offer(Parcel(channel, 0, CHEERED, audience, author, target, at, "", frame))


class Taps:
    """How often an account may tap and toast, by whatever door."""

    def __init__(self, limits: Limits) -> None:
        self.cheers = Buckets(limits.cheers_per_s, limits.cheers_burst)
        self.toasts = Buckets(limits.toasts_per_min / 60, 1)


async def cheer(node: Node, actor: Actor, request: Cheer, socket: SocketProtocol | None = None) -> Done:
    """One tap. Errors: those of `may_signal`, `emotext_unknown`, `rate_limited`."""
    await _judge(node, actor, request.ch, socket)
    return tap(node, actor.account, request)


def tap(node: Node, account: str, request: Cheer) -> Done:
    """A tap of somebody who may. Errors: `emotext_unknown`, `rate_limited`."""
    (effect,) = resolve(CATALOGUE, [request.effect])
    _take(node.taps.cheers, account, node.now())
    node.fanout.cheering.add(request.ch, account, effect.id)
    return DONE


async def toast(node: Node, actor: Actor, request: Toast, socket: SocketProtocol | None = None) -> Toasting:
    """Count down together. Errors: those of `may_signal`, `rate_limited`."""
    await _judge(node, actor, request.ch, socket)
    _take(node.taps.toasts, actor.account, node.now())
    at = node.clock_ms()
    told = Toasted(account=actor.account, what=request.what, play_at=at + TOAST_MS)
    frame = ephemeral_frame(request.ch, TOASTED, at, told)
    parcel = Parcel(request.ch, 0, TOASTED, Audience.ALL, actor.account, "", at, node.name, frame)
    node.fanout.committed((parcel,))
    return Toasting(play_at=told.play_at)


async def _judge(node: Node, actor: Actor, channel: str, socket: SocketProtocol | None) -> None:
    """As a signal is judged."""
    if socket is not None and signals.known(socket, channel):
        return
    lasting = await may_signal(node.desk, actor, channel)
    if lasting and socket is not None and node.hub.hears(socket, channel):
        socket.writable = (socket.writable or set()) | {channel}


def _take(bucket: Buckets, account: str, now: float) -> None:
    wait_ms = bucket.take(account, 1, now)
    if wait_ms:
        raise Refusal("rate_limited", retry_ms=wait_ms)
