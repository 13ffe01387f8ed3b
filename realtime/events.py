"""Events: what the server pushes, each declared once, and encoded once to bytes for all who may see it.

`EVENTS` feeds `/asyncapi.json` and the reference. Payloads are built by the second floor; here they become
frames (WIRE §2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import orjson

from realtime.cheers import Cheered, Toasted
from realtime.gate import AddressEvent, InvitePaused, InviteUsed, SessionEvent
from realtime.models import Message, Reading, RoomState, Shape
from realtime.notifications import BADGE, CREATED, Badge, NotificationCreated
from realtime.posts import InboxCommunity, InboxFollow, PostCreated, PostDeleted, PostsCounted, Signalled
from realtime.presence import CHANGED, TYPING, PresenceChanged, Typing
from realtime.reactions import MessageReacted
from realtime.relations import FollowEvent, Nickname


class MessageCreated(Shape, frozen=True, kw_only=True):
    """A line was said."""

    message: Message


class MessageDeleted(Shape, frozen=True, kw_only=True):
    """A line is gone; `message_seq` is where it stood."""

    message: str
    message_seq: int


class RoomUpdated(Shape, frozen=True, kw_only=True):
    """The room's own row changed."""

    room: str
    state: RoomState
    title: str
    reading: Reading


class InboxRoom(Shape, frozen=True, kw_only=True):
    """A room's standing for this account changed; `seq` is the position it is heard from."""

    room: str
    seq: int
    by: str | None = None


class ReadMoved(Shape, frozen=True, kw_only=True):
    """The own read position moved, on this or another device."""

    room: str
    read_seq: int
    unread: int


class Hello(Shape, frozen=True, kw_only=True):
    """First frame of a connection. `limits` are those a client must respect."""

    protocol: str
    server_time: int
    ping_ms: int
    epoch: str
    limits: dict[str, int]
    emotext_version: int
    reconnect_jitter_ms: int


class Live(Shape, frozen=True, kw_only=True):
    """Everything missed has been sent; what follows is live."""


class Resync(Shape, frozen=True, kw_only=True):
    """Reload this channel by page; pushes continue after `seq`."""

    ch: str
    seq: int
    reason: str


class Behind(Shape, frozen=True, kw_only=True):
    """The channel pauses after `seq` until `channel.sync`. `reason`: `slow`, you read more slowly than it talks; `busy`, so much
    is said there that it is told whole only to who looks."""

    ch: str
    seq: int
    reason: str = "slow"


class Reconnect(Shape, frozen=True, kw_only=True):
    """The node drains: reconnect after so many milliseconds."""

    after_ms: int


class Ping(Shape, frozen=True, kw_only=True):
    """Answer with `pong`; `t` is the server's time."""

    t: int


@dataclass(frozen=True, slots=True)
class Event:
    """One row: `kind` is durable (has a seq), ephemeral (kept nowhere) or control (about the connection)."""

    name: str
    kind: str
    channel: str
    payload: type[Shape]
    summary: str


_TABLE = (
    Event("message.created", "durable", "room", MessageCreated, "A line was said."),
    Event("message.deleted", "durable", "room", MessageDeleted, "A line was deleted."),
    Event("message.reacted", "durable", "room", MessageReacted, "A stamp under a line changed."),
    Event("room.updated", "durable", "room", RoomUpdated, "Title, setting or state changed."),
    Event("room.joined", "durable", "inbox", InboxRoom, "One is inside a room from now on."),
    Event("room.invited", "durable", "inbox", InboxRoom, "One is invited to a group."),
    Event("room.requested", "durable", "inbox", InboxRoom, "A message request waits."),
    Event("room.left", "durable", "inbox", InboxRoom, "One left, declined, or was taken out."),
    Event("invite.redeemed", "durable", "inbox", InviteUsed, "Somebody came by one's invite."),
    Event("invite.paused", "durable", "inbox", InvitePaused, "One's link may have leaked, and rests."),
    Event("session.created", "durable", "inbox", SessionEvent, "A session began on a new device."),
    Event("address.changed", "durable", "inbox", AddressEvent, "One's account has another address."),
    Event("nickname.changed", "durable", "inbox", Nickname, "One calls somebody otherwise."),
    Event("follow.added", "durable", "inbox", FollowEvent, "Somebody follows one."),
    Event("follow.requested", "durable", "inbox", FollowEvent, "Somebody asks to follow one."),
    Event("follow.accepted", "durable", "inbox", FollowEvent, "One's request to follow was accepted."),
    Event("post.created", "durable", "posts", PostCreated, "Something was posted."),
    Event("post.deleted", "durable", "posts", PostDeleted, "A post was deleted."),
    Event("post.counts", "ephemeral", "posts", PostsCounted, "Counts under posts have changed."),
    Event("community.joined", "durable", "inbox", InboxCommunity, "One is inside a community from now on."),
    Event("community.left", "durable", "inbox", InboxCommunity, "One is inside a community no more."),
    Event("follow.began", "durable", "inbox", InboxFollow, "One hears an account's posts from now on."),
    Event("follow.ended", "durable", "inbox", InboxFollow, "One hears an account's posts no more."),
    Event(CREATED, "durable", "inbox", NotificationCreated, "Others did something that concerns one."),
    Event(BADGE, "ephemeral", "inbox", Badge, "What waits has changed, on this or another device."),
    Event("channel.signal", "ephemeral", "any", Signalled, "Somebody sent something fleeting."),
    Event("channel.cheered", "ephemeral", "any", Cheered, "People tapped effects."),
    Event("channel.toasted", "ephemeral", "any", Toasted, "Somebody counts down with all who are here."),
    Event(CHANGED, "ephemeral", "inbox", PresenceChanged, "People one shows are not as they were."),
    Event(TYPING, "ephemeral", "room", Typing, "Who is writing has changed."),
    Event("room.read", "ephemeral", "inbox", ReadMoved, "The own read position moved."),
    Event("hello", "control", "", Hello, "First frame of a connection."),
    Event("live", "control", "", Live, "All that was missed has been sent."),
    Event("resync", "control", "", Resync, "Reload a channel by page."),
    Event("behind", "control", "", Behind, "A channel pauses until `channel.sync`."),
    Event("reconnect", "control", "", Reconnect, "The node drains."),
    Event("ping", "control", "", Ping, "Heartbeat, each 25 s."),
)
EVENTS = {event.name: event for event in _TABLE}


_shapes = msgspec.json.Encoder()


def _shape(value: object) -> orjson.Fragment:
    # A shape's own encoder writes it at once; taking it apart for orjson first costs four times as much.
    return orjson.Fragment(_shapes.encode(value))


def encode(value: object) -> bytes:
    """Any wire value → JSON bytes, by the one encoder of the project."""
    return orjson.dumps(value, default=_shape)


def durable_frame(channel: str, seq: int, kind: str, at: int, payload: Shape) -> bytes:
    """A durable push of WIRE §2."""
    return encode({"ch": channel, "seq": seq, "ev": kind, "at": at, "d": payload})


def ephemeral_frame(channel: str, kind: str, at: int, payload: Shape) -> bytes:
    """A push without `seq`, kept nowhere."""
    return encode({"ch": channel, "ev": kind, "at": at, "d": payload})


def control_frame(kind: str, payload: Shape) -> bytes:
    """A push about the connection itself."""
    return encode({"ev": kind, "d": payload})


def skip_frame(channel: str, seq: int, upto: int) -> bytes:
    """What one may not see from `seq` to `upto`: shared bytes, so that a skip proves nothing."""
    return encode({"ch": channel, "seq": seq, "ev": "skip", "upto": upto})


def reply_frame(request_id: int, result: object) -> bytes:
    """`ok` to a request."""
    return encode({"id": request_id, "ok": result})


def error_frame(request_id: int | None, error: dict[str, Any]) -> bytes:
    """An error to a request; `id` is null where the request had none or could not be read."""
    return encode({"id": request_id, "error": error})
