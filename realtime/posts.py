"""Communities, posts and signals on the wire: shapes, requests, results and events (FEATURES §3, §5).

As everywhere: times are Unix milliseconds UTC by the database's clock, ids 26 characters of Crockford base32.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType, field

from realtime.models import AccountCard, Picture, Shape
from realtime.operations import Request
from realtime.requests import (
    POSITIONS_MAX,
    ChannelName,
    Effects,
    Id,
    Label,
    Limit,
    Nonce,
    Pictures,
    Seq,
    Text,
)

POSTS_AT_ONCE_MAX = 50
WATCHED_MAX = 128
MOMENT_MAX = 2**53 - 1
"""The largest number that every client can read."""


class Role(StrEnum):
    """What somebody inside a community is."""

    CREATOR = "creator"
    ADMIN = "admin"
    MEMBER = "member"


class Mask(StrEnum):
    """What a reader should be asked before a post is shown."""

    SENSITIVE = "sensitive"
    SPOILER = "spoiler"


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


class PostCounts(Shape, frozen=True, kw_only=True):
    """How often a post was answered, passed on, quoted and liked, and each stamp under it by its id."""

    replies: int = 0
    reposts: int = 0
    quotes: int = 0
    likes: int = 0
    stamps: dict[str, int] = field(default_factory=dict)


class OwnReactions(Shape, frozen=True, kw_only=True):
    """What the viewer left under a post."""

    stamp: str | None = None
    liked: bool = False


class Post(Shape, frozen=True, kw_only=True):
    """One post. `author` is as it was when the post was read from the log; `seq` is its place in `channel`, its home. Other
    posts stand in it as ids: the one it answers and the first of that thread (`root`), the one it quotes, the one it
    passes on (then `text` is empty). `text` may also be empty where there are pictures. `mentions` are accounts; `emotext` and `play_at`
    as in a message. `counts` and `mine` stand in pages, never in pushes."""

    id: str
    channel: str
    community: str | None
    seq: int
    author: AccountCard
    at: int
    text: str
    reply_to: str | None = None
    root: str | None = None
    quote_of: str | None = None
    repost_of: str | None = None
    mask: Mask | None = None
    mentions: list[str] = field(default_factory=list)
    counts: PostCounts | None = None
    mine: OwnReactions | None = None
    pictures: list[Picture] = field(default_factory=list)
    emotext: list[str] = field(default_factory=list)
    play_at: int | None = None


class CommunityCreate(Request, frozen=True, kw_only=True):
    """Found a community that everybody may find, read and join."""

    name: Text
    nonce: Nonce
    purpose: Text = ""


class CommunityRef(Request, frozen=True, kw_only=True):
    """One community."""

    community: Id


class CommunityList(Request, frozen=True, kw_only=True):
    """Pages of communities, the youngest first: one's own (default), with `joined` false all that are open, or those that an
    `account` shows on its profile, in the order it gave them."""

    joined: bool = True
    account: Id | None = None
    after: Label | None = None
    limit: Limit = 50


class CommunityArrange(Request, frozen=True, kw_only=True):
    """The order in which one's communities stand on one's profile. What one is not inside of is passed over."""

    communities: Annotated[list[Id], Meta(max_length=200)]


class CommunityPage(Shape, frozen=True, kw_only=True):
    """`next` continues as `after`; null at the end."""

    communities: list[Community]
    next: str | None


class PostCreate(Request, frozen=True, kw_only=True):
    """A post under the 149.3 rule, to a community one is inside of, or else to all who follow one. It may answer a post or
    quote one; or it passes one on (`repost_of`) and has no text of its own. A reply to a community's post lives there too.
    The text may be empty where there are pictures."""

    nonce: Nonce
    text: Text = ""
    community: Id | None = None
    reply_to: Id | None = None
    quote_of: Id | None = None
    repost_of: Id | None = None
    mask: Mask | None = None
    # As in `room.send`.
    pictures: Pictures | UnsetType = UNSET
    emotext: Effects | UnsetType = UNSET


class PostAudience(Request, frozen=True, kw_only=True):
    """Whom a post would reach: to a community, or else one's own."""

    community: Id | None = None


class Reach(Shape, frozen=True, kw_only=True):
    """Whom the words would reach. `open`: everybody else may read them too, if they look; `members` are those inside the
    community."""

    followers: int
    open: bool
    community: str | None = None
    members: int = 0


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


class Timeline(StrEnum):
    """Whose posts a page holds."""

    FOLLOW = "follow"
    COMMUNITY = "community"
    PROFILE = "profile"
    THREAD = "thread"
    DISCOVER = "discover"


class TimelineList(Request, frozen=True, kw_only=True):
    """A page: `community` needs the field of that name, `profile` needs `account`, `thread` any post of it. The newest page, or
    the one before or after a place: in a community that is a seq (`before` / `after`), elsewhere a post
    (`before_post` / `after_post`); one of them. A thread begins at its beginning."""

    which: Timeline = Timeline.COMMUNITY
    community: Id | None = None
    account: Id | None = None
    post: Id | None = None
    before: Seq | None = None
    after: Seq | None = None
    before_post: Id | None = None
    after_post: Id | None = None
    limit: Limit = 50


class TimelineRead(Request, frozen=True, kw_only=True):
    """How far one has read what comes from whom one follows: up to this time. What is earlier than before changes nothing."""

    at: Annotated[int, Meta(ge=0, le=MOMENT_MAX)]


class Discovered(Shape, frozen=True, kw_only=True):
    """A community that people are inside of who follow one and are followed by one: `because` of these accounts."""

    community: Community
    because: list[str]


class PostPage(Shape, frozen=True, kw_only=True):
    """Posts in the order of their seq, or by id where they come from several channels; `more_*` say whether there are others
    on that side. `seq` is the channel's newest entry at the time of reading: live pushes continue after it; 0 where there
    are several. `found` is what `discover` finds; `read_at` in `follow` how far one has read (`timeline.read`), null before the
    first time."""

    posts: list[Post]
    more_before: bool
    more_after: bool
    seq: int
    found: list[Discovered] = field(default_factory=list)
    read_at: int | None = None


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


class PostsCounted(Shape, frozen=True, kw_only=True):
    """The counts of posts that changed lately, by their ids."""

    counts: dict[str, PostCounts]


class InboxCommunity(Shape, frozen=True, kw_only=True):
    """One's standing in a community changed; `seq` is the position it is heard from."""

    community: str
    seq: int


class InboxFollow(Shape, frozen=True, kw_only=True):
    """One follows an account from now on, or no more; `seq` is the position it is heard from."""

    account: str
    seq: int


class Signalled(Shape, frozen=True, kw_only=True):
    """`account` sent `data` to all who hear the channel now."""

    account: str
    data: dict[str, Any]
