"""The rows of the operations table about presence; `realtime.table` joins them to the others."""

from __future__ import annotations

from realtime import presence as p
from realtime.operations import Door, Operation
from realtime.requests import Done

_SOCKET = frozenset({Door.SOCKET})

PRESENCE = (
    Operation(
        "presence.set",
        p.PresenceSet,
        Done,
        "Say whether one is at this device, and what one looks at.",
        ("not_found",),
        doors=_SOCKET,
    ),
    Operation(
        "presence.watch",
        p.PresenceWatch,
        p.PresenceSnapshot,
        "Be told of more people than one's mutuals, and of the crowds of communities, while they are on the screen.",
        ("not_found",),
        doors=_SOCKET,
        cost=3,
    ),
    Operation("presence.get", p.PresenceGet, p.PresenceSnapshot, "Who of some people is here, once.", cost=3),
    Operation(
        "presence.except",
        p.PresenceExcept,
        Done,
        "Show one's presence to one person, or hide it from them, whatever the setting says; nobody is told.",
        ("not_found", "forbidden", "full"),
        cost=2,
        durable=True,
    ),
    Operation("presence.exceptions", p.PresenceExceptions, p.PresenceExceptionPage, "One's own exceptions."),
    Operation(
        "presence.preview",
        p.PresencePreview,
        p.Previewed,
        "How others see one now, or would under another setting.",
        ("not_found",),
        cost=2,
    ),
    Operation(
        "room.typing",
        p.RoomTyping,
        Done,
        "Say that one writes in a room: good for 12 s, at most once in 3 s.",
        ("not_found", "not_member", "forbidden", "blocked"),
        doors=_SOCKET,
    ),
)
