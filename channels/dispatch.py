"""Dispatch: operation name → use case. Both doors enter the second floor here, and nowhere else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from channels import accounts, invites, messages, requests, rooms, sessions, signup
from channels.desk import Actor, Desk, Visitor
from realtime.operations import Operation
from realtime.table import OPERATIONS

GuestHandler = Callable[[Desk, Visitor, Any], Awaitable[msgspec.Struct]]
Handler = Callable[[Desk, Actor, Any], Awaitable[msgspec.Struct]]

HANDLERS: dict[str, Handler] = {
    "account.get": accounts.get,
    "room.create": rooms.create,
    "room.open": requests.open_dm,
    "room.get": rooms.get,
    "room.list": rooms.list_rooms,
    "room.update": rooms.update,
    "room.add": rooms.add,
    "room.join": rooms.join,
    "room.accept": requests.accept,
    "room.decline": requests.decline,
    "room.leave": rooms.leave,
    "room.send": messages.send,
    "room.read": messages.mark_read,
    "message.list": messages.list_messages,
    "message.delete": messages.delete,
    "invite.create": invites.create,
    "invite.list": invites.list_invites,
    "invite.revoke": invites.revoke,
    "invite.reissue": invites.reissue,
    "invite.redeem": invites.redeem,
    "session.list": sessions.list_sessions,
    "session.revoke": sessions.revoke,
    "session.revoke_all": sessions.revoke_all,
    "session.delete": sessions.log_out,
}
"""Operations that concern the connection itself (`connect`, `pong`, `clock.read`, `session.ticket`,
`channel.sync`) are the doors' own."""

GUESTS: dict[str, GuestHandler] = {
    "invite.get": invites.look,
    "account.begin": signup.begin,
    "account.resume": signup.resume,
    "account.address": signup.give_address,
    "account.verify": signup.verify,
    "account.create": signup.create,
    "session.begin": signup.begin_login,
    "session.create": signup.login,
}
"""Operations of whoever has no session yet."""

DECODERS = {name: msgspec.json.Decoder(operation.request) for name, operation in OPERATIONS.items()}


def operation_of(name: str) -> Operation | None:
    """The table's row, or None for a name nobody serves."""
    return OPERATIONS.get(name)
