"""Dispatch: operation name → use case. Both doors enter the second floor here, and nowhere else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from channels import accounts, messages, requests, rooms
from channels.desk import Actor, Desk
from realtime.operations import Operation
from realtime.table import OPERATIONS

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
}
"""Operations that concern the connection itself (`connect`, `pong`, `clock.read`, `session.ticket`,
`channel.sync`) are the doors' own."""

DECODERS = {name: msgspec.json.Decoder(operation.request) for name, operation in OPERATIONS.items()}


def operation_of(name: str) -> Operation | None:
    """The table's row, or None for a name nobody serves."""
    return OPERATIONS.get(name)
