"""The typed requests and results of profiles and relations: follow, block, mute, report (FEATURES §2, §9)."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, field

from realtime.gate import Audience, Name, WriteFrom
from realtime.models import AccountCard, Shape
from realtime.operations import Request
from realtime.requests import Id, Label, Limit, Nonce

Links = Annotated[list[Annotated[str, Meta(max_length=512)]], Meta(max_length=4)]
Bio = Annotated[str, Meta(max_length=4_096)]
Words = Annotated[str, Meta(max_length=16_384, description="at most 1,000 grapheme clusters")]


class FollowState(StrEnum):
    """What asking to follow led to: private accounts get a request."""

    FOLLOWING = "following"
    REQUESTED = "requested"


class FollowLists(StrEnum):
    """Which people of an account: who follows it, whom it follows, or who asks to."""

    FOLLOWERS = "followers"
    FOLLOWING = "following"
    REQUESTS = "requests"


class ReportKind(StrEnum):
    """What is reported."""

    ACCOUNT = "account"
    ROOM = "room"
    MESSAGE = "message"
    POST = "post"
    COMMUNITY = "community"


class ReportReason(StrEnum):
    """Why. `danger` comes first in the operators' queue, then `underage`."""

    SPAM = "spam"
    OFFENSIVE = "offensive"
    SEXUAL = "sexual"
    RIGHTS = "rights"
    PRIVACY = "privacy"
    DANGER = "danger"
    UNDERAGE = "underage"
    OTHER = "other"


class Preferences(Shape, frozen=True, kw_only=True):
    """Settings that only their owner sees. `handle_after`: from when on the handle may be changed again. `address` as it was typed,
    empty where there is none."""

    presence_to: Audience
    write_from: WriteFrom
    communities_shown: bool
    hidden: bool
    handle_after: int
    address: str


class Relation(Shape, frozen=True, kw_only=True):
    """How the viewer stands to an account. `blocked` and `muted` are the viewer's own doing; whether the other one
    blocks or mutes is never told."""

    following: bool = False
    followed_by: bool = False
    requested: bool = False
    blocked: bool = False
    muted: bool = False


class Profile(AccountCard, frozen=True, kw_only=True):
    """An account as one viewer sees it. `settings` are there for its owner only."""

    bio: str = ""
    links: list[str] = field(default_factory=list)
    status: str = ""
    private: bool = False
    relation: Relation = Relation()
    settings: Preferences | None = None


class AccountUpdate(Request, frozen=True, kw_only=True):
    """What is to change; fields left out stay. A handle may be changed once a year and is never given out again."""

    name: Name | None = None
    bio: Bio | None = None
    links: Links | None = None
    status: Name | None = None
    private: bool | None = None
    presence_to: Audience | None = None
    write_from: WriteFrom | None = None
    communities_shown: bool | None = None
    handle: Label | None = None


class Deleted(Shape, frozen=True, kw_only=True):
    """Until `erase_at` logging in takes the deletion back; then everything personal is erased."""

    erase_at: int


class AccountRef(Request, frozen=True, kw_only=True):
    """One account."""

    account: Id


class Followed(Shape, frozen=True, kw_only=True):
    """Following from now on, or asked to."""

    state: FollowState


class FollowList(Request, frozen=True, kw_only=True):
    """Pages of people in no telling order. `account` left out means oneself; other people's lists are for those who
    follow each other; requests are one's own alone."""

    which: FollowLists
    account: Id | None = None
    after: Label | None = None
    limit: Limit = 50


class PeopleList(Request, frozen=True, kw_only=True):
    """Pages of one's own list."""

    after: Label | None = None
    limit: Limit = 50


class People(Shape, frozen=True, kw_only=True):
    """A page of people; `next` continues as `after`, null at the end."""

    accounts: list[AccountCard]
    next: str | None


class NicknamePut(Request, frozen=True, kw_only=True):
    """What one calls somebody from now on; an empty name takes it back."""

    account: Id
    name: Name


class Nickname(Shape, frozen=True, kw_only=True):
    """What one calls somebody; empty if by their own name."""

    account: str
    name: str


class Nicknames(Shape, frozen=True, kw_only=True):
    """Everybody whom one has given a name."""

    nicknames: list[Nickname]


class ReportCreate(Request, frozen=True, kw_only=True):
    """What is wrong with an account, a room, a message, a post or a community that one may see. What it looked like is kept with it."""

    kind: ReportKind
    target: Id
    reason: ReportReason
    nonce: Nonce
    words: Words = ""


class SupportOpen(Request, frozen=True, kw_only=True):
    """A word to the operators; `request_id` is that of the error it is about."""

    words: Words
    nonce: Nonce
    request_id: Label = ""


class Filed(Shape, frozen=True, kw_only=True):
    """Under which id it is kept."""

    id: str


class FollowEvent(Shape, frozen=True, kw_only=True):
    """Who follows, asks to follow, or lets one follow."""

    account: AccountCard
