"""The typed requests, results and events of presence: who is here, as one viewer may see it (FEATURES §7)."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, field

from realtime.gate import Audience
from realtime.models import AccountCard, Shape
from realtime.operations import Request
from realtime.requests import ChannelName, Id, Label, Limit

ACCOUNTS_MAX = 500
PLACES_MAX = 20
SAMPLE_MAX = 8
FEW = 3
CHANGED = "presence.changed"
TYPING = "room.typing"


class PresenceState(StrEnum):
    """`unknown`: the nodes have lost sight of each other, and this person was last seen on another."""

    ONLINE = "online"
    IDLE = "idle"
    OFFLINE = "offline"
    UNKNOWN = "unknown"


class Seen(StrEnum):
    """How long ago somebody was last here: 5分以内 … 3日以内, or longer."""

    MINUTES_5 = "5m"
    MINUTES_15 = "15m"
    MINUTES_30 = "30m"
    HOURS_1 = "1h"
    HOURS_3 = "3h"
    HOURS_6 = "6h"
    HOURS_12 = "12h"
    HOURS_24 = "24h"
    DAYS_2 = "2d"
    DAYS_3 = "3d"
    LONGER = "longer"


_MINUTE_MS = 60_000
SEEN_WITHIN_MS = (
    (5 * _MINUTE_MS, Seen.MINUTES_5),
    (15 * _MINUTE_MS, Seen.MINUTES_15),
    (30 * _MINUTE_MS, Seen.MINUTES_30),
    (60 * _MINUTE_MS, Seen.HOURS_1),
    (180 * _MINUTE_MS, Seen.HOURS_3),
    (360 * _MINUTE_MS, Seen.HOURS_6),
    (720 * _MINUTE_MS, Seen.HOURS_12),
    (1_440 * _MINUTE_MS, Seen.HOURS_24),
    (2_880 * _MINUTE_MS, Seen.DAYS_2),
    (4_320 * _MINUTE_MS, Seen.DAYS_3),
)


def seen_within(age_ms: int) -> Seen:
    """Milliseconds since somebody was last here → the bucket; a clock that stepped back counts as now."""
    return next((seen for most, seen in SEEN_WITHIN_MS if age_ms <= most), Seen.LONGER)


class Presence(Shape, frozen=True, kw_only=True):
    """One person as the viewer may see them. `seen` is for those offline, where the viewer may know; `doing` is the channel
    they are looking at, told only to those who may see it. Whoever may not see a person gets `offline` without `seen`."""

    state: PresenceState
    seen: Seen | None = None
    doing: str | None = None


class Here(Shape, frozen=True, kw_only=True):
    """Who looks at a community now: `count` of them from 3 on, below that `few` tells whether anybody is there (数人);
    `people` are at most 8 whom the viewer may see."""

    count: int
    few: bool
    people: list[str]


class PresenceSet(Request, frozen=True, kw_only=True):
    """What the person at this connection does: at it or away, and the room or community they look at (one they are inside
    of, or null)."""

    active: bool = True
    place: ChannelName | None = None


class PresenceWatch(Request, frozen=True, kw_only=True):
    """Whom (besides mutuals) and which communities this connection shows now; replaces what it showed before."""

    accounts: Annotated[list[Id], Meta(max_length=ACCOUNTS_MAX)] = field(default_factory=list)
    places: Annotated[list[ChannelName], Meta(max_length=PLACES_MAX)] = field(default_factory=list)


class PresenceGet(Request, frozen=True, kw_only=True):
    """People, once."""

    accounts: Annotated[list[Id], Meta(max_length=ACCOUNTS_MAX)]


class PresenceSnapshot(Shape, frozen=True, kw_only=True):
    """As of now; `presence.changed` continues it on the connection that watches. `known` is false while this node has lost
    sight of the others."""

    people: dict[str, Presence]
    places: dict[str, Here]
    known: bool


class PresenceChanged(Shape, frozen=True, kw_only=True):
    """What has changed for this viewer since the last one, at most one in 500 ms. `whole`: whoever is not named is
    offline."""

    people: dict[str, Presence]
    places: dict[str, Here]
    known: bool
    whole: bool


class PresenceExcept(Request, frozen=True, kw_only=True):
    """Show one's presence to one person whatever the setting says, hide it from them, or (null) neither any more. From
    whom one hides, one sees nothing either."""

    account: Id
    shown: bool | None


class PresenceExceptions(Request, frozen=True, kw_only=True):
    """Pages of one's own exceptions."""

    after: Label | None = None
    limit: Limit = 50


class PresenceException(Shape, frozen=True, kw_only=True):
    """One person, and whether they are shown one's presence."""

    account: AccountCard
    shown: bool


class PresenceExceptionPage(Shape, frozen=True, kw_only=True):
    """A page of exceptions; `next` continues as `after`, null at the end."""

    exceptions: list[PresenceException]
    next: str | None


class PresencePreview(Request, frozen=True, kw_only=True):
    """How others would see one: under a setting that is not kept yet, or as it is; with `account`, that person too."""

    presence_to: Audience | None = None
    account: Id | None = None


class Previewed(Shape, frozen=True, kw_only=True):
    """Oneself as mutuals, everybody else, and one given person see one now."""

    mutuals: Presence
    others: Presence
    account: Presence | None = None


class RoomTyping(Request, frozen=True, kw_only=True):
    """One is writing here (good for 12 s, at most once in 3 s), or no more."""

    room: Id
    on: bool = True


class Typing(Shape, frozen=True, kw_only=True):
    """Everybody who is writing in the room now, as far as the viewer may see them."""

    room: str
    accounts: list[str]
