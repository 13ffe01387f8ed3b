"""`channel.signal`: something fleeting for whoever hears a channel now, on every node (WIRE §2).

Called by both doors. What always holds: who may not write to the channel reaches nobody; what is sent is kept nowhere,
and withheld from whoever is apart from the sender. Once an account was found to be inside a group or a community, its
connection sends without asking the database, for as long as it hears the channel: removals are obeyed there first, and
whoever goes on hearing it because it is on the screen is asked about again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from channels.desk import Actor
from channels.signals import may_signal
from realtime.errors import Refusal
from realtime.events import encode
from realtime.parcels import Audience, Parcel
from realtime.posts import Signal
from realtime.requests import Done

if TYPE_CHECKING:
    from gateway.node import Node
    from gateway.socket import SocketProtocol

KIND = "channel.signal"
DONE = Done()


def known(socket: SocketProtocol, channel: str) -> bool:
    """True if this connection may write there and nothing needs to be asked."""
    writable = socket.writable
    return writable is not None and channel in writable and socket.node.hub.hears(socket, channel)


async def signal(node: Node, actor: Actor, request: Signal, socket: SocketProtocol | None = None) -> Done:
    """Judge and send. Errors: those of `channels.signals.may_signal`, `too_large`, `bad_request`."""
    lasting = await may_signal(node.desk, actor, request.ch)
    if lasting and socket is not None and node.hub.hears(socket, request.ch):
        socket.writable = (socket.writable or set()) | {request.ch}
    return send(node, actor.account, request)


def send(node: Node, account: str, request: Signal) -> Done:
    """Send what was judged. Errors: `too_large`, `bad_request` (a number that no client could read)."""
    try:
        data = orjson.dumps(request.data)
    except orjson.JSONEncodeError as error:
        raise Refusal("bad_request", f"{error}.", at="$.data") from None
    limit = node.settings.limits.signal_bytes_max
    if len(data) > limit:
        raise Refusal("too_large", limit=limit, used=len(data), at="$.data")
    at = node.clock_ms()
    told = {"account": account, "data": orjson.Fragment(data)}
    frame = encode({"ch": request.ch, "ev": KIND, "at": at, "d": told})
    parcel = Parcel(request.ch, 0, KIND, Audience.ALL, account, "", at, node.name, frame)
    node.fanout.committed((parcel,))
    return DONE
