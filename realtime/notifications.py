"""Notifications on the wire: what others did that concerns an account, and how much of it is unread (FEATURES §8)."""

from __future__ import annotations

from enum import StrEnum

from realtime.models import AccountCard, Shape
from realtime.operations import Request
from realtime.posts import Mask
from realtime.requests import Limit, Seq

BADGE = "notification.badge"
CREATED = "notification.created"


class NotificationKind(StrEnum):
    """What a notification tells of. Clients meet further ones later (`community_request`, `community_accepted`,
    `community_invited`, `community_admin`, `event_joined`, `event_reminder`, `gathering_started`) and show those they do not
    know by their people alone."""

    FOLLOW = "follow"
    FOLLOW_REQUEST = "follow_request"
    FOLLOW_ACCEPTED = "follow_accepted"
    INVITE_USED = "invite_used"
    LIKE = "like"
    REACTION = "reaction"
    REPOST = "repost"
    QUOTE = "quote"
    REPLY = "reply"
    MENTION = "mention"
    COMMUNITY_JOINED = "community_joined"
    MESSAGE_REQUEST = "message_request"


class NotificationList(Request, frozen=True, kw_only=True):
    """A page, the newest first: the newest one, or what stands before a place."""

    before: Seq | None = None
    limit: Limit = 50


class Notification(Shape, frozen=True, kw_only=True):
    """One line: what was done, by whom. `id` is its own as long as it is in the list. `actors` are the newest few, `count` how many they are in all, to 99. `at` is when the
    newest of them did it. `place` orders the list and rises whenever somebody else joins in. `post` is the post to open: the
    one that answers, quotes or names one, else one's own; `text` is what it says now, empty where it is masked or may not be
    read any more. `name` is the community's."""

    id: str
    place: int
    kind: NotificationKind
    at: int
    unread: bool
    actors: list[AccountCard]
    count: int
    post: str | None = None
    community: str | None = None
    room: str | None = None
    text: str = ""
    mask: Mask | None = None
    name: str = ""


class Badge(Shape, frozen=True, kw_only=True):
    """What waits: unread lines of the list, to 99, and message requests. `upto` is the read position."""

    notifications: int
    requests: int
    upto: int


class NotificationPage(Shape, frozen=True, kw_only=True):
    """`next` continues as `before`; null at the end."""

    notifications: list[Notification]
    next: int | None
    badge: Badge


class NotificationRead(Request, frozen=True, kw_only=True):
    """Everything up to a place was seen, on whichever device."""

    upto: Seq


class NotificationUpdate(Request, frozen=True, kw_only=True):
    """Be told of a kind from now on, or no more."""

    kind: NotificationKind
    on: bool


class NotificationSwitch(Shape, frozen=True, kw_only=True):
    """Whether one is told of a kind."""

    kind: NotificationKind
    on: bool


class NotificationSwitches(Shape, frozen=True, kw_only=True):
    """All kinds there are, in the order to show them."""

    switches: list[NotificationSwitch]


class NotificationCreated(Shape, frozen=True, kw_only=True):
    """Something new stands in the list; the ids are those of its line. The first of a second is told so, and what follows
    within it by the badge alone."""

    id: str
    place: int
    kind: NotificationKind
    post: str | None = None
    community: str | None = None
    room: str | None = None
