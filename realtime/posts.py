"""Communities, posts and signals on the wire: shapes, requests, results and events (FEATURES §3, §5).

As everywhere: times are Unix milliseconds UTC by the database's clock, ids 26 characters of Crockford base32.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from msgspec import Meta, field

from realtime.models import AccountCard, Shape
from realtime.operations import Request
from realtime.requests import POSITIONS_MAX, ChannelName, Id, Label, Limit, Nonce, Seq, Text

POSTS_AT_ONCE_MAX = 50
WATCHED_MAX = 128


class Role(StrEnum):
    """What somebody inside a community is."""

    CREATOR = "creator"
    ADMIN = "admin"
    MEMBER = "member"


class Community(Shape, frozen=True, kw_only=True):
    """A public community as one account sees it. `role` is null for whoever is not inside. `seq` is the newest entry
    of its channel."""

    id: str
    channel: str
    name: str
    purpose: str
    creator: str
    created_at: int
    members: int
    seq: int
    role: Role | None = None


class Post(Shape, frozen=True, kw_only=True):
    """One post. `author` is as it was when the post was read from the log; `seq` is its place in `channel`."""

    id: str
    channel: str
    community: str | None
    seq: int
    author: AccountCard
    at: int
    text: str


class CommunityCreate(Request, frozen=True, kw_only=True):
    """Found a community that everybody may find, read and join."""

    name: Text
    nonce: Nonce
    purpose: Text = ""


class CommunityRef(Request, frozen=True, kw_only=True):
    """One community."""

    community: Id


class CommunityList(Request, frozen=True, kw_only=True):
    """Pages of communities, the youngest first: one's own (default), or with `joined` false all that are open."""

    joined: bool = True
    after: Label | None = None
    limit: Limit = 50


class CommunityPage(Shape, frozen=True, kw_only=True):
    """`next` continues as `after`; null at the end."""

    communities: list[Community]
    next: str | None


class PostCreate(Request, frozen=True, kw_only=True):
    """A post under the 149.3 rule, to a community one is inside of."""

    community: Id
    text: Text
    nonce: Nonce


class Posted(Shape, frozen=True, kw_only=True):
    """The post's id, its position in its home channel and its time."""

    post: str
    seq: int
    at: int


class PostRef(Request, frozen=True, kw_only=True):
    """One post."""

    post: Id


class PostGet(Request, frozen=True, kw_only=True):
    """Posts by their ids."""

    posts: Annotated[list[Id], Meta(min_length=1, max_length=POSTS_AT_ONCE_MAX)]


class Posts(Shape, frozen=True, kw_only=True):
    """Those of the posts asked for that one may see, in the order asked."""

    posts: list[Post]


class TimelineList(Request, frozen=True, kw_only=True):
    """A page of a community's posts: the newest, or those `before` / `after` a seq (not both)."""

    community: Id
    before: Seq | None = None
    after: Seq | None = None
    limit: Limit = 50


class PostPage(Shape, frozen=True, kw_only=True):
    """Posts in the order of their seq; `more_*` say whether there are others on that side. `seq` is the channel's newest
    entry at the time of reading: live pushes continue after it."""

    posts: list[Post]
    more_before: bool
    more_after: bool
    seq: int


class Signal(Request, frozen=True, kw_only=True):
    """A few words from program to program: whoever hears the channel now gets `data`, and it is kept nowhere."""

    ch: ChannelName
    data: dict[str, Any]


class Watch(Request, frozen=True, kw_only=True):
    """Channels that are on the screen, besides those heard without asking. `positions` and `epoch` as in `connect`."""

    channels: Annotated[list[ChannelName], Meta(min_length=1, max_length=WATCHED_MAX)]
    positions: Annotated[dict[ChannelName, Seq], Meta(max_length=POSITIONS_MAX)] = field(default_factory=dict)
    epoch: Label = ""


class Unwatch(Request, frozen=True, kw_only=True):
    """Channels that are on the screen no more."""

    channels: Annotated[list[ChannelName], Meta(min_length=1, max_length=WATCHED_MAX)]


# Events


class PostCreated(Shape, frozen=True, kw_only=True):
    """Something was posted."""

    post: Post


class PostDeleted(Shape, frozen=True, kw_only=True):
    """A post is gone; `post_seq` is where it stood."""

    post: str
    post_seq: int


class InboxCommunity(Shape, frozen=True, kw_only=True):
    """One's standing in a community changed; `seq` is the position it is heard from."""

    community: str
    seq: int


class Signalled(Shape, frozen=True, kw_only=True):
    """`account` sent `data` to all who hear the channel now."""

    account: str
    data: dict[str, Any]
