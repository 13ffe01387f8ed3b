"""The shapes that travel: what an account, a room, a message look like on the wire (WIRE §2).

All times are Unix milliseconds UTC by the database's clock; ids are 26 characters of Crockford base32.
Frozen, slotted, and the same for both doors, for pushes and for the generated schemas.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """Base of everything the server sends."""


class RoomKind(StrEnum):
    """A conversation of two, or of up to 150 (FEATURES §6)."""

    DM = "dm"
    GROUP = "group"


class RoomState(StrEnum):
    """`draft`: a DM opened, nothing said yet, the other would have to be asked. `request`: the one text is
    out. `open`: both talk. A group is always open."""

    DRAFT = "draft"
    REQUEST = "request"
    OPEN = "open"


class MemberState(StrEnum):
    """How an account stands to a room. `declined` is known to that account alone."""

    INSIDE = "inside"
    INVITED = "invited"
    REQUESTED = "requested"
    DECLINED = "declined"
    LEFT = "left"


class Reading(StrEnum):
    """From where a newcomer reads: from joining on, or everything (the creator's setting)."""

    FROM_JOIN = "from_join"
    ALL = "all"


class SystemLine(Shape, frozen=True, kw_only=True):
    """What happened in the room, told as a line: `what` is created, added, joined, left or renamed."""

    what: str
    accounts: list[str] = []
    title: str | None = None


class Picture(Shape, frozen=True, kw_only=True):
    """A picture as a post or message shows it: `GET /media/<id>` gives its bytes, of the media type `type`. Pixels are those
    of the whole; `alt` says what there is to see, and may be empty."""

    id: str
    width: int
    height: int
    type: str
    alt: str


class Message(Shape, frozen=True, kw_only=True):
    """One line of a room. A deleted one keeps id and seq; `text` is null and `deleted` true. `text` may be empty where
    there are pictures. `written_at` is the client's own time of writing when it was offline, else null. `emotext` are the ids of effects by which
    the text moves (`emotext.list`); it begins to at `play_at`, by the server's clock, on all screens at once: where that and the
    effects' duration are over, the text is shown at rest."""

    id: str
    room: str
    seq: int
    author: str
    at: int
    text: str | None
    reply_to: str | None = None
    written_at: int | None = None
    system: SystemLine | None = None
    deleted: bool = False
    pictures: list[Picture] = []
    emotext: list[str] = []
    play_at: int | None = None


class Line(Message, frozen=True, kw_only=True):
    """A line as a page shows it. `reactions` are the stamps under it with who left them, as `reaction.get` names them, in the
    order they came; pushes tell how they change (`message.reacted`)."""

    reactions: dict[str, list[str]] = {}


class AccountCard(Shape, frozen=True, kw_only=True):
    """What any member may see of an account. `gone`: it is deleted, suspended or hidden; handle and name are empty,
    and a page says 退会した人 instead."""

    id: str
    handle: str
    name: str
    gone: bool = False


class RoomMember(Shape, frozen=True, kw_only=True):
    """Someone inside a room, or invited to it."""

    account: AccountCard
    state: MemberState
    joined_at: int


class RoomCard(Shape, frozen=True, kw_only=True):
    """A room as one of its people sees it. `unread` counts others' visible lines after the own read position,
    to 99. `peer` is the other one of a DM. `seq` is the newest entry of the room's channel."""

    id: str
    channel: str
    kind: RoomKind
    state: RoomState
    standing: MemberState
    title: str
    creator: str
    reading: Reading
    created_at: int
    members: int
    seq: int
    from_seq: int
    read_seq: int
    unread: int
    peer: AccountCard | None = None
    last: Message | None = None


class Room(RoomCard, frozen=True, kw_only=True):
    """A room with its people."""

    people: list[RoomMember] = []


class ChannelPosition(Shape, frozen=True, kw_only=True):
    """A channel that the connection hears from now on. `recovered` false means: reload it by page."""

    ch: str
    seq: int
    recovered: bool


class Badges(Shape, frozen=True, kw_only=True):
    """Counts a page shows without being asked: rooms with unread lines, waiting requests and invitations, unread
    notifications to 99 and how far those were read."""

    rooms_unread: int
    requests: int
    invitations: int
    notifications: int = 0
    notifications_upto: int = 0
