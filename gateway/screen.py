"""What a socket does with its own channels: continue them, watch others that are on the screen, signal to them.

Called by `gateway.talk` for the operations `channel.*`. What always holds: the reply leaves before what was missed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from channels.arrival import heard, watchable
from gateway import cheering, hearing, presences, signals
from gateway.answers import Answer, answer
from realtime.cheers import Cheer, Toast
from realtime.connection import State
from realtime.errors import Refusal
from realtime.events import error_frame, reply_frame
from realtime.ids import INBOX
from realtime.posts import Signal, Unwatch, Watch
from realtime.requests import Done, Positions, Synced

if TYPE_CHECKING:
    from gateway.socket import SocketProtocol


def reply(socket: SocketProtocol, request_id: int | None, result: object) -> None:
    """`ok`, to whoever wants to know."""
    if request_id is not None:
        socket.send(reply_frame(request_id, result))


def respond(socket: SocketProtocol, request_id: int | None, outcome: Answer) -> None:
    """`ok` or the error."""
    if outcome.error is not None:
        socket.send(error_frame(request_id, outcome.error))
    else:
        reply(socket, request_id, outcome.result)


async def sync(socket: SocketProtocol, request_id: int | None, request: Positions) -> None:
    """`channel.sync`: leave the channels, then hear them again from the client's positions. As after `connect`, what
    was missed follows the answer."""
    opened = {name for name in request.positions if socket.node.fanout.pausing.is_busy(name)}
    if opened:
        # Whoever asks for what pauses wants to see all of it, until it is watched no more.
        socket.watched = (socket.watched or set()) | opened
    await _rejoin(socket, request_id, request.positions, request)
    if any(name.startswith(INBOX) for name in request.positions) and socket.state is State.LIVE:
        await hearing.hear_given(socket)


async def watch(socket: SocketProtocol, request_id: int | None, request: Watch) -> None:
    """`channel.watch`: as `sync`, of channels that everybody may read. Errors: `not_found`, `full`."""
    actor = socket.actor
    assert actor is not None
    outcome = await answer(_judge(socket, request), "channel.watch", socket.node.request_ids)
    if outcome.error is not None:
        respond(socket, request_id, outcome)
        return
    socket.watched = (socket.watched or set()) | set(request.channels)
    await _rejoin(socket, request_id, request.channels, request)


async def _judge(socket: SocketProtocol, request: Watch) -> Done:
    assert socket.actor is not None
    limit = socket.node.settings.limits.watched_max
    if len((socket.watched or set()) | set(request.channels)) > limit:
        raise Refusal("full", "Watch less at once.", limit=limit, at="$.channels")
    found = await watchable(socket.node.desk, socket.actor, request.channels)
    missing = [name for name in request.channels if name not in found]
    if missing:
        raise Refusal("not_found", "There is no such channel to watch.", channels=missing)
    return Done()


async def unwatch(socket: SocketProtocol, request_id: int | None, request: Unwatch) -> None:
    """`channel.unwatch`: what one is inside of is heard on."""
    assert socket.actor is not None
    work = heard(socket.node.desk, socket.actor)
    outcome = await answer(work, "channel.unwatch", socket.node.request_ids)
    if outcome.error is None:
        for name in set(request.channels) & (socket.watched or set()):
            if name not in outcome.result:
                socket.node.hub.leave(socket, name)
                socket.forget_unsent(name)
        socket.watched = (socket.watched or set()) - set(request.channels) or None
        outcome = Answer(result=Done())
    respond(socket, request_id, outcome)


async def signal(socket: SocketProtocol, request_id: int | None, request: Signal) -> None:
    """`channel.signal`, where it has to be asked first."""
    assert socket.actor is not None
    work = signals.signal(socket.node, socket.actor, request, socket)
    respond(socket, request_id, await answer(work, signals.KIND, socket.node.request_ids))


async def cheer(socket: SocketProtocol, request_id: int | None, request: Cheer) -> None:
    """`channel.cheer`, where it has to be asked first."""
    assert socket.actor is not None
    work = cheering.cheer(socket.node, socket.actor, request, socket)
    respond(socket, request_id, await answer(work, "channel.cheer", socket.node.request_ids))


async def toast(socket: SocketProtocol, request_id: int | None, request: Toast) -> None:
    """`channel.toast`."""
    assert socket.actor is not None
    work = cheering.toast(socket.node, socket.actor, request, socket)
    respond(socket, request_id, await answer(work, "channel.toast", socket.node.request_ids))


async def _rejoin(
    socket: SocketProtocol, request_id: int | None, names: Iterable[str], request: Positions | Watch
) -> None:
    """Leave channels and hear them again, from the client's positions where they are of this epoch."""
    node = socket.node
    same = request.epoch in ("", node.epoch)
    # While it hears a channel no removal is missed; in between one may be.
    socket.doubt()
    for name in names:
        node.hub.leave(socket, name)
        socket.forget_unsent(name)
    mark = node.hub.mark()
    wanted: Mapping[str, int | None] = {name: request.positions.get(name) if same else None for name in names}
    plan = await hearing.again(socket, wanted)
    if plan is not None:
        reply(socket, request_id, Synced(epoch=node.epoch, channels=plan.channels))
        await hearing.join(socket, plan, mark)


async def _presence(socket: SocketProtocol, request_id: int | None, request: Any, *, name: str) -> None:
    """An operation of presence."""
    assert socket.actor is not None
    if name in presences.SOCKET:
        work = presences.SOCKET[name](socket, request)
    elif name == "presence.get":
        work = presences.get(socket.node, socket.actor, request, socket)
    else:
        work = presences.preview(socket.node, socket.actor, request)
    respond(socket, request_id, await answer(work, name, socket.node.request_ids))


Own = Callable[["SocketProtocol", int | None, Any], Awaitable[None]]
OWN: dict[str, Own] = {
    "channel.sync": sync,
    "channel.watch": watch,
    "channel.unwatch": unwatch,
    "channel.signal": signal,
    "channel.cheer": cheer,
    "channel.toast": toast,
    **{name: partial(_presence, name=name) for name in (*presences.SOCKET, *presences.HTTP)},
}
"""Operations that need the connection itself."""
