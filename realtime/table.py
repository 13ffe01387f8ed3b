"""The operations table (WIRE §1): every operation of the server, declared once.

From it come validation, both doors, `/openapi.json`, `/asyncapi.json`, and the tables of `docs/protocol.md`.
"""

from __future__ import annotations

from realtime import requests as r
from realtime.models import Line, Room
from realtime.operations import Door, Operation, Who
from realtime.reactions import MessageReact
from realtime.table_gate import GATE
from realtime.table_notifications import NOTIFICATIONS
from realtime.table_posts import PLACES
from realtime.table_presence import PRESENCE
from realtime.table_relations import RELATIONS

_SOCKET = frozenset({Door.SOCKET})
_HTTP = frozenset({Door.HTTP})

_TABLE = (
    Operation(
        "connect",
        r.Connect,
        r.Connected,
        "Authenticate the socket and hear one's channels, continued from the given positions.",
        who=Who.ANYONE,
        doors=_SOCKET,
        cost=0,
    ),
    Operation("pong", r.Pong, r.Done, "Answer a ping.", doors=_SOCKET, cost=0),
    Operation("clock.read", r.ClockRead, r.Clock, "Read the server's clock.", who=Who.ANYONE, cost=0.2),
    Operation("session.ticket", r.Empty, r.Ticket, "A ticket for `connect`, for browsers.", doors=_HTTP),
    Operation(
        "channel.sync",
        r.Positions,
        r.Synced,
        "Continue channels from positions, after `behind` or when a hole is suspected; by HTTP, for polling.",
        cost=2,
    ),
    Operation(
        "room.create",
        r.RoomCreate,
        Room,
        "Found a group of up to 150.",
        ("not_found", "text_invalid", "text_too_long", "full", "conflict", "blocked"),
        cost=5,
        durable=True,
    ),
    Operation(
        "room.open",
        r.RoomOpen,
        Room,
        "The DM with an account.",
        ("not_found", "forbidden", "full", "blocked"),
        cost=5,
        durable=True,
    ),
    Operation("room.get", r.RoomRef, Room, "A room with its people.", ("not_found", "not_member")),
    Operation("room.list", r.RoomList, r.RoomPage, "One's rooms, requests or invitations."),
    Operation(
        "room.update",
        r.RoomUpdate,
        Room,
        "Rename a group, or set how newcomers read.",
        ("not_found", "not_member", "forbidden", "text_invalid", "text_too_long", "conflict"),
        cost=3,
        durable=True,
    ),
    Operation(
        "room.add",
        r.RoomAdd,
        r.Added,
        "Add mutuals to a group, invite others.",
        ("not_found", "not_member", "forbidden", "full", "conflict", "blocked"),
        cost=3,
        durable=True,
    ),
    Operation(
        "room.join",
        r.RoomRef,
        Room,
        "Accept an invitation to a group.",
        ("not_found", "forbidden", "full"),
        cost=2,
        durable=True,
    ),
    Operation(
        "room.accept",
        r.RoomRef,
        Room,
        "Accept a message request; the DM is open from then on.",
        ("not_found", "forbidden", "full", "blocked"),
        cost=2,
        durable=True,
    ),
    Operation(
        "room.decline",
        r.RoomRef,
        r.Done,
        "Decline a request or an invitation; nobody is told.",
        ("not_found", "forbidden"),
        cost=2,
        durable=True,
    ),
    Operation(
        "room.leave",
        r.RoomRef,
        r.Done,
        "Leave a group; only its creator sees the line.",
        ("not_found", "not_member", "forbidden"),
        cost=2,
        durable=True,
    ),
    Operation(
        "room.send",
        r.RoomSend,
        r.Sent,
        "Say something in a room.",
        (
            "not_found",
            "not_member",
            "forbidden",
            "text_invalid",
            "text_too_long",
            "emotext_conflict",
            "emotext_unknown",
            "full",
            "conflict",
            "blocked",
        ),
        durable=True,
    ),
    Operation(
        "room.read",
        r.RoomRead,
        r.Read,
        "Move one's read position forward.",
        ("not_found", "not_member"),
        cost=0.5,
        durable=True,
    ),
    Operation(
        "message.list", r.MessageList, r.MessagePage, "History of a room.", ("not_found", "not_member")
    ),
    Operation(
        "message.get",
        r.MessageGet,
        Line,
        "One line of a room one reads, with its place there.",
        ("not_found", "not_member"),
    ),
    Operation(
        "message.delete",
        r.MessageDelete,
        r.Done,
        "Delete one's own message for everyone.",
        ("not_found", "not_member", "forbidden"),
        cost=2,
        durable=True,
    ),
    Operation(
        "message.react",
        MessageReact,
        r.Done,
        "Leave a stamp under a line, or take it back.",
        ("not_found", "not_member", "forbidden", "blocked"),
        durable=True,
    ),
    *GATE,
    *PLACES,
    *RELATIONS,
    *NOTIFICATIONS,
    *PRESENCE,
)
OPERATIONS = {operation.name: operation for operation in _TABLE}
