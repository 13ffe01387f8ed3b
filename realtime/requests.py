"""The typed requests and results of all operations, by noun. Bounds stand in the types, so that both doors and
the schemas say the same."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType, field

from realtime.models import AccountCard, Badges, ChannelPosition, Line, Reading, RoomCard, Shape
from realtime.operations import Request

Id = Annotated[
    str,
    Meta(
        # The length is said as well, because `$` also matches in front of a final line feed.
        pattern="^[0-7][0-9A-HJKMNP-TV-Z]{25}$",
        min_length=26,
        max_length=26,
        description="an id: UUIDv7, Crockford base32",
    ),
]
# Bounds of the wire itself: the same for every installation, so that a client may count on them.
NONCE_CHARS_MAX = 64
POSITIONS_MAX = 1_000
Nonce = Annotated[
    str, Meta(min_length=1, max_length=NONCE_CHARS_MAX, description="chosen by the client, new for each act")
]
Seq = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Millis = Annotated[int, Meta(ge=0, le=2**53 - 1, description="Unix milliseconds")]
Limit = Annotated[int, Meta(ge=1, le=100)]
Token = Annotated[str, Meta(min_length=1, max_length=512)]
Label = Annotated[str, Meta(max_length=64)]
ChannelName = Annotated[str, Meta(max_length=64)]
Text = Annotated[str, Meta(max_length=65_536)]
AccountIds = Annotated[list[Id], Meta(max_length=150)]
PICTURES_MAX = 4


EFFECTS_MAX = 8
EffectId = Label | Seq
Effects = Annotated[list[EffectId], Meta(max_length=EFFECTS_MAX)]
"""Ids of effects, or the numbers by which other networks know them. Two of a category are refused by name, so a few more are
read than can be right."""


class PictureRef(Request, frozen=True, kw_only=True):
    """A picture that one has put up (`POST /media`) and that nothing shows yet. `alt` says what there is to see, for whoever
    does not see it: at most 500 grapheme clusters."""

    id: Id
    alt: Text = ""


Pictures = Annotated[list[PictureRef], Meta(max_length=PICTURES_MAX)]


class Empty(Request, frozen=True, kw_only=True):
    """A request without fields."""


class Done(Shape, frozen=True, kw_only=True):
    """Nothing to tell but that it is done."""


class ClientInfo(Request, frozen=True, kw_only=True):
    """What connects: shown to its owner in the list of sessions."""

    name: Label
    version: Label = ""


class Coming(StrEnum):
    """How a connection begins: somebody is at it, it lies in a pocket, or it only fetches and makes nobody online."""

    ONLINE = "online"
    IDLE = "idle"
    OFFLINE = "offline"


class Connect(Request, frozen=True, kw_only=True):
    """First frame of a connection: exactly one of `token` and `ticket`. `positions`: last seq seen per channel
    (≤ 1,000), good only within `epoch`."""

    client: ClientInfo
    token: Token | None = None
    ticket: Token | None = None
    presence: Coming = Coming.ONLINE
    epoch: Label = ""
    positions: Annotated[dict[ChannelName, Seq], Meta(max_length=POSITIONS_MAX)] = field(default_factory=dict)


class Connected(Shape, frozen=True, kw_only=True):
    """`channels` are heard from now on; positions that could not be continued say `recovered:false`."""

    account: AccountCard
    session: str
    channels: list[ChannelPosition]
    badges: Badges


class Pong(Request, frozen=True, kw_only=True):
    """Answer to the server's ping; `t` may echo its time."""

    t: Millis | None = None


class ClockRead(Request, frozen=True, kw_only=True):
    """`t` is echoed, so that a client can tell the offset of its clock from the round trip."""

    t: Millis = 0


class Clock(Shape, frozen=True, kw_only=True):
    """The client's `t` and the server's time, both Unix milliseconds."""

    t: int
    server_time: int


class Ticket(Shape, frozen=True, kw_only=True):
    """A ticket that `connect` takes once on a node until `expires_at`."""

    ticket: str
    expires_at: int


class Positions(Request, frozen=True, kw_only=True):
    """Positions to continue from (`epoch` as in `connect`). By HTTP, no positions at all ask for every channel the
    account hears."""

    positions: Annotated[dict[ChannelName, Seq], Meta(max_length=POSITIONS_MAX)] = field(default_factory=dict)
    epoch: Label = ""


class Synced(Shape, frozen=True, kw_only=True):
    """Channels with the position they are heard from. What was missed follows as pushes on a socket, where `frames`
    is empty; by HTTP it stands in `frames`, the same objects, ascending per channel."""

    epoch: str
    channels: list[ChannelPosition]
    frames: list[dict[str, Any]] = field(default_factory=list)


class AccountGet(Request, frozen=True, kw_only=True):
    """By id or by handle; exactly one."""

    account: Id | None = None
    handle: Label | None = None


class RoomCreate(Request, frozen=True, kw_only=True):
    """A new group. Mutuals among `accounts` are inside at once, others are invited."""

    title: Text
    nonce: Nonce
    accounts: AccountIds = field(default_factory=list)
    reading: Reading = Reading.FROM_JOIN


class RoomOpen(Request, frozen=True, kw_only=True):
    """The DM with `account`: found, opened, or begun as a draft whose first text becomes a request."""

    account: Id


class RoomRef(Request, frozen=True, kw_only=True):
    """One room."""

    room: Id


class RoomList(Request, frozen=True, kw_only=True):
    """Pages of one's rooms, the newest talk first. `standing`: inside (default), requested or invited."""

    standing: str = "inside"
    after: Label | None = None
    limit: Limit = 50


class RoomPage(Shape, frozen=True, kw_only=True):
    """`next` continues as `after`; null at the end."""

    rooms: list[RoomCard]
    next: str | None


class RoomUpdate(Request, frozen=True, kw_only=True):
    """Members may change the title of a group, its creator also how newcomers read."""

    room: Id
    nonce: Nonce
    title: Text | None = None
    reading: Reading | None = None


class RoomAdd(Request, frozen=True, kw_only=True):
    """Mutuals are inside at once; others get an invitation."""

    room: Id
    accounts: Annotated[list[Id], Meta(min_length=1, max_length=150)]
    nonce: Nonce


class Added(Shape, frozen=True, kw_only=True):
    """Who is inside now, and who was asked."""

    added: list[str]
    invited: list[str]


class RoomSend(Request, frozen=True, kw_only=True):
    """A message of ≤ 2,000 graphemes. `written_at`: when it was written, if the client was offline then. The text may be
    empty where there are pictures; a message request carries none, and no `emotext`."""

    room: Id
    text: Text
    nonce: Nonce
    reply_to: Id | None = None
    written_at: Millis | None = None
    # Left out it must not change what the request hashes to: a nonce may be repeated to a gateway that knows no pictures.
    pictures: Pictures | UnsetType = UNSET
    emotext: Effects | UnsetType = UNSET


class Uploaded(Shape, frozen=True, kw_only=True):
    """A picture that `POST /media` took: what was made of it. It is its uploader's alone until a post or message of theirs
    shows it, and forgotten at `expires_at` if none does."""

    id: str
    width: int
    height: int
    type: str
    expires_at: int


class Sent(Shape, frozen=True, kw_only=True):
    """The message's id, its position in the room's channel and its time."""

    message: str
    seq: int
    at: int


class RoomRead(Request, frozen=True, kw_only=True):
    """Everything up to `seq` is read; positions only move forward and nobody else sees them."""

    room: Id
    seq: Seq


class Read(Shape, frozen=True, kw_only=True):
    """The position kept, and what is still unread after it."""

    read_seq: int
    unread: int


class MessageList(Request, frozen=True, kw_only=True):
    """A page of history: the newest, or those `before` / `after` a seq (not both)."""

    room: Id
    before: Seq | None = None
    after: Seq | None = None
    limit: Limit = 50


class MessagePage(Shape, frozen=True, kw_only=True):
    """Messages in the order of their seq; `more_*` say whether there are others on that side. `seq` is the
    channel's newest entry at the time of reading: live pushes continue after it."""

    messages: list[Line]
    more_before: bool
    more_after: bool
    seq: int


class MessageGet(Request, frozen=True, kw_only=True):
    """One line, by its id: where a reply leads that is on no page one has."""

    message: Id


class MessageDelete(Request, frozen=True, kw_only=True):
    """One's own message: everyone's copy goes."""

    message: Id
