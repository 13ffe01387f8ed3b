"""How a connection comes to hear its channels: join at a snapshot, read what was missed before it, go on live.

Called by `gateway.talk` (connect, channel.sync) and by the fan-out (a channel was given). What always holds: a channel
is heard without a hole from the position the client has, or the client is told; what was missed is read as the socket
drains, from memory first and the log after it (WIRE §3.4); while it is read, the hub obeys what takes the channel away.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import structlog

from channels.arrival import heard, rehear
from gateway.answers import answer
from realtime.closes import Close
from realtime.connection import State
from realtime.events import Resync, control_frame
from realtime.recovery import CHANNEL_ENTRIES_MAX, Plan, Stretch, continued
from storage.database import StorageUnavailable

if TYPE_CHECKING:
    from gateway.socket import SocketProtocol

log = structlog.get_logger("hearing")
JOIN_TRIES = 5
PORTION_ENTRIES = 200
"""Entries read at once for one connection before its socket must have taken them."""


class Wish:
    """Channels that a connection is about to hear, continued after positions, while they are judged."""

    __slots__ = ("after",)

    def __init__(self, after: Mapping[str, int | None]) -> None:
        self.after = after


async def hear(socket: SocketProtocol, positions: Mapping[str, int | None]) -> None:
    """Begin to hear channels that were just given, continued after positions; what cannot be continued is told by
    `resync`."""
    mark = socket.node.hub.mark()
    plan = await _wished(socket, positions)
    if plan is not None:
        tell_resync(socket, plan)
        await join(socket, plan, mark)


async def _wished(socket: SocketProtocol, positions: Mapping[str, int | None]) -> Plan | None:
    """As `again`. A channel that is heard and taken meanwhile, and wished for anew, is left to the newer wish, which
    tells nothing again up to the position of this one."""
    wishes = socket.wishes = {} if socket.wishes is None else socket.wishes
    mine = Wish({name: _further(wishes.get(name), name, at) for name, at in positions.items()})
    wishes.update(dict.fromkeys(positions, mine))
    try:
        plan = await again(socket, mine.after)
    finally:
        newer = {name for name in positions if wishes.get(name) is not mine}
        for name in positions:
            if name not in newer:
                del wishes[name]
        if not wishes and socket.wishes is wishes:
            socket.wishes = None
    return plan.without(newer) if plan is not None and newer else plan


def _further(earlier: Wish | None, name: str, at: int | None) -> int | None:
    before = earlier.after[name] if earlier is not None else None
    return at if before is None else before if at is None else max(at, before)


async def again(socket: SocketProtocol, positions: Mapping[str, int | None]) -> Plan | None:
    """Judge channels of a live connection anew; None if the connection ended, or ends because it may not go on."""
    assert socket.actor is not None
    work = rehear(socket.node.desk, socket.actor, positions, socket.watched or ())
    plan: Plan | None = await _judged(socket, work)
    return plan


async def hear_given(socket: SocketProtocol) -> None:
    """The inbox was told anew, up to a snapshot that may be ahead of what this node has obeyed: hear what it gave."""
    assert socket.actor is not None
    names: list[str] | None = await _judged(socket, heard(socket.node.desk, socket.actor))
    missing = [name for name in names or () if not socket.node.hub.hears(socket, name)]
    if missing:
        await hear(socket, dict.fromkeys(missing))


async def _judged(socket: SocketProtocol, work: Awaitable[Any]) -> Any:
    outcome = await answer(work, "channel.sync", socket.node.request_ids)
    if socket.state is not State.LIVE:
        return None
    if outcome.error is not None:
        socket.close(close_of(outcome.error["code"]), outcome.error["code"])
        return None
    return outcome.result


def close_of(code: str) -> Close:
    """The close code of a connection that may not begin or go on, by the error code of the reason."""
    return {"unauthenticated": Close.SESSION_INVALID, "forbidden": Close.SUSPENDED}.get(
        code, Close.SERVER_ERROR
    )


def tell_resync(socket: SocketProtocol, plan: Plan) -> None:
    """Name the channels that could not be continued, unless another way led to them meanwhile."""
    for channel in plan.channels:
        if not channel.recovered and not socket.node.hub.hears(socket, channel.ch):
            _resync(socket, channel.ch, channel.seq)


def _resync(socket: SocketProtocol, channel: str, seq: int) -> None:
    told = Resync(ch=channel, seq=seq, reason="too much was missed")
    socket.send(control_frame("resync", told))


async def join(socket: SocketProtocol, plan: Plan, mark: int) -> None:
    """Hear the plan's channels, whose snapshot was read after `mark`. Returns when all that was missed is out, or the
    connection ended."""
    hub = socket.node.hub
    stretches: list[Stretch] = []
    for _ in range(JOIN_TRIES):
        # What is heard already (two ways may lead to one channel at once) is not to be told twice.
        missing = [stretch for stretch in plan.stretches if not hub.hears(socket, stretch.channel)]
        refused = hub.join(socket, plan.whole, mark)
        refused += hub.join(socket, [(s.channel, s.upto) for s in missing], mark, reading=True)
        stretches += [stretch for stretch in missing if stretch.channel not in refused]
        if not refused or socket.state is not State.LIVE:
            break
        mark = hub.mark()
        renewed = await _wished(socket, continued(plan, refused))
        if renewed is None:
            return
        plan = renewed
        tell_resync(socket, plan)
    else:
        socket.close(Close.SERVER_ERROR, "too much happens; come back")
        return
    if stretches:
        await Reading(socket, stretches).run()


class Reading:
    """What one connection has still to read of some channels it joined. A later reading of the same channel (a
    `channel.sync` while this one lasts) takes it over."""

    def __init__(self, socket: SocketProtocol, stretches: Iterable[Stretch]) -> None:
        self._socket = socket
        self._hub = socket.node.hub
        self._left = list(stretches)
        if socket.reading is None:
            socket.reading = {}
        for stretch in self._left:
            socket.reading[stretch.channel] = self

    async def run(self) -> None:
        """Read until every channel is heard live, as fast as the socket drains and no faster."""
        while self._left and await self._socket.drained():
            portion = self._from_memory()
            if portion and not await self._from_log(portion):
                return

    def _mine(self, stretch: Stretch) -> bool:
        """False once the channel was taken away, or another reading took it over."""
        reading = self._socket.reading
        if reading is None or reading.get(stretch.channel) is not self:
            return False
        if not self._hub.reads(self._socket, stretch.channel):
            self._done(stretch.channel)
            return False
        return True

    def _done(self, channel: str) -> None:
        if self._socket.reading is not None:
            del self._socket.reading[channel]
            if not self._socket.reading:
                self._socket.reading = None

    def _from_memory(self) -> list[Stretch]:
        """Serve what the hub remembers; returns the next portion for the log."""
        portion: list[Stretch] = []
        left: list[Stretch] = []
        room = PORTION_ENTRIES
        for stretch in self._left:
            if not self._mine(stretch):
                continue
            if not room or self._socket.choked:
                left.append(stretch)
                continue
            name, after, upto = stretch
            at = self._hub.replay(self._socket, name, after, upto)
            if at > after and self._hub.resume(self._socket, name, at):
                self._done(name)
                continue
            cut = min(upto, after + room)
            room -= cut - after
            portion.append(Stretch(name, after, cut))
            if cut < upto:
                left.append(Stretch(name, cut, upto))
        self._left = left
        return portion

    async def _from_log(self, portion: list[Stretch]) -> bool:
        """False if the connection cannot go on."""
        socket = self._socket
        try:
            replays = await socket.node.replays.read(portion)
        except StorageUnavailable as error:
            log.warning("replay failed", account=socket.account, error=str(error))
            socket.close(Close.SERVER_ERROR, "the log could not be read; come back")
            return False
        unfinished = {stretch.channel for stretch in self._left}
        for stretch, replay in zip(portion, replays, strict=True):
            if not self._mine(stretch):
                continue
            if replay is None:
                self._give_up(stretch.channel)
                continue
            self._hub.tell(socket, replay)
            if stretch.channel not in unfinished:
                self._arrive(stretch.channel, stretch.upto)
        return True

    def _arrive(self, name: str, at: int) -> None:
        """A channel was read up to where it stood: let it in, or read on if it has moved too far meanwhile."""
        if self._hub.resume(self._socket, name, at):
            self._done(name)
        elif self._hub.last(name) - at > CHANNEL_ENTRIES_MAX:
            self._give_up(name)
        else:
            self._left.append(Stretch(name, at, self._hub.last(name)))

    def _give_up(self, name: str) -> None:
        """The log does not hold what is missing, or it grows faster than this socket drains."""
        self._left = [stretch for stretch in self._left if stretch.channel != name]
        self._done(name)
        if self._hub.reads(self._socket, name):
            at = self._hub.last(name)
            _resync(self._socket, name, at)
            self._hub.resume(self._socket, name, at)
