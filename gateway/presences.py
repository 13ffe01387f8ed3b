"""Presence at both doors: what a connection says of its person, whom it shows, who is writing (FEATURES §7).

Called by `gateway.screen` for sockets and by `gateway.http`. What always holds: nobody says they look at what they do not
hear, or that they write where they may not; an answer holds only what the asker may see.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from channels.arrival import watchable
from channels.desk import Actor
from channels.presence import check_found
from channels.signals import may_signal
from gateway import signals
from realtime.errors import Refusal
from realtime.ids import COMMUNITY, ROOM, room_channel
from realtime.presence import (
    PresenceGet,
    PresencePreview,
    PresenceSet,
    PresenceSnapshot,
    PresenceWatch,
    Previewed,
    RoomTyping,
)
from realtime.requests import Done
from realtime.sendqueue import Piece

if TYPE_CHECKING:
    from gateway.node import Node
    from gateway.socket import SocketProtocol

DONE = Done()


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks without a connection that could be told more."""

    account: str
    choked: bool = True

    def write(self, piece: Piece) -> None:
        """Nothing is told."""


async def say(socket: SocketProtocol, request: PresenceSet) -> Done:
    """`presence.set`. Errors: `not_found`."""
    place = request.place or ""
    if place and not (place.startswith((ROOM, COMMUNITY)) and await _hears(socket, place)):
        raise Refusal("not_found", "Nothing is heard from there.", at="$.place")
    socket.node.presence.say(socket, active=request.active, place=place)
    return DONE


async def _hears(socket: SocketProtocol, place: str) -> bool:
    """Whether a connection hears a channel, or is about to."""
    assert socket.actor is not None
    if socket.node.hub.hears(socket, place):
        return True
    return place in await watchable(socket.node.desk, socket.actor, [place])


async def watch(socket: SocketProtocol, request: PresenceWatch) -> PresenceSnapshot:
    """`presence.watch`. Errors: `not_found`."""
    node = socket.node
    assert socket.actor is not None
    places = list(dict.fromkeys(request.places))
    found = await watchable(node.desk, socket.actor, places) if places else set()
    missing = [name for name in places if name not in found or not name.startswith(COMMUNITY)]
    if missing:
        raise Refusal("not_found", "There is no such community.", channels=missing)
    return await node.presence.watch(socket, request.accounts, places)


async def type_in(socket: SocketProtocol, request: RoomTyping) -> Done:
    """`room.typing`. Errors: those of `may_signal`, `rate_limited`."""
    node = socket.node
    assert socket.actor is not None
    channel = room_channel(request.room)
    if not signals.known(socket, channel):
        lasting = await may_signal(node.desk, socket.actor, channel)
        if lasting and node.hub.hears(socket, channel):
            socket.writable = (socket.writable or set()) | {channel}
    wait_ms = node.presence.type(socket.account, request.room, on=request.on)
    if wait_ms:
        raise Refusal("rate_limited", "Once in three seconds is enough.", retry_ms=wait_ms)
    return DONE


async def get(
    node: Node, who: Actor, request: PresenceGet, socket: SocketProtocol | None = None
) -> PresenceSnapshot:
    """`presence.get`."""
    return await node.presence.get(socket or Asker(who.account), request.accounts)


async def preview(node: Node, who: Actor, request: PresencePreview) -> Previewed:
    """`presence.preview`. Errors: `not_found`."""
    if request.account is not None:
        await check_found(node.desk, who, request.account)
    return await node.presence.preview(who.account, request.presence_to, request.account)


HTTP: dict[str, Any] = {"presence.get": get, "presence.preview": preview}
"""Operations of both doors that need the node."""
SOCKET: dict[str, Any] = {"presence.set": say, "presence.watch": watch, "room.typing": type_in}
"""Operations that need the connection."""
