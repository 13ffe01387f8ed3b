"""Entries of communities and authors: what is posted, and who hears it from when on.

As in `channels.entries`, which renders them when they are read again: live and replayed they are the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from channels.cards import own_card
from channels.emotext import effects_view
from channels.entry import Entry
from channels.pictured import pictures_view
from channels.rules.accounts import HERE
from realtime.emotext import LEAD_MS
from realtime.ids import author_channel, community_channel, inbox_channel
from realtime.models import Shape
from realtime.parcels import Audience
from realtime.posts import InboxCommunity, InboxFollow, Mask, Post, PostCreated, PostDeleted
from storage.log import Draft
from storage.rows import AccountRow, LogRow, PostRow

COMMUNITY_LEFT = "community.member_left"
"""A technical entry: hubs stop the target's connections from hearing the community. Clients get `skip`."""
AUTHOR_LEFT = "author.follower_left"
"""A technical entry, as `COMMUNITY_LEFT`: the target follows no more."""
AUTHOR_CLOSED = "author.closed"
"""A technical entry: hubs stop connections from hearing the author, but not the author's own. The target says whose."""
EVERYONE = "everyone"
"""The author is hidden, suspended or deleted."""
WATCHING = "watching"
"""The author is private from now on: who watches must be a follower."""
STANDING_KINDS = ("community.joined", "community.left")
FOLLOWING_KINDS = ("follow.began", "follow.ended")


def post_view(row: PostRow, author: AccountRow) -> Post:
    """A post's row and its author's → its shape on the wire."""
    emotext = effects_view(row.emotext)
    return Post(
        id=row.id,
        channel=row.home,
        community=row.community,
        seq=row.seq,
        author=own_card(author),
        at=row.at,
        text=row.body or "",
        reply_to=row.reply_to,
        root=row.root,
        quote_of=row.quote_of,
        repost_of=row.repost_of,
        mask=Mask(row.mask) if row.mask else None,
        mentions=orjson.loads(row.mentions),
        pictures=pictures_view(row.pictures),
        emotext=emotext,
        play_at=row.at + LEAD_MS if emotext else None,
    )


def post_created(row: PostRow, author: AccountRow) -> Entry:
    """Something was posted. The row's `seq` is the seq its entry gets, which is the next of its home."""
    draft = Draft(row.home, "post.created", row.id, row.author)
    return Entry(draft, lambda _: PostCreated(post=post_view(row, author)))


def post_deleted(row: PostRow) -> Entry:
    """A post was deleted."""
    draft = Draft(row.home, "post.deleted", row.id, row.author)
    return Entry(draft, lambda _: PostDeleted(post=row.id, post_seq=row.seq))


def community_left(community: str, account: str) -> Entry:
    """Hubs obey this before any higher seq."""
    draft = Draft(community_channel(community), COMMUNITY_LEFT, community, account, Audience.NOBODY, account)
    return Entry(draft, None)


def community_standing(kind: str, account: str, community: str, seq: int) -> Entry:
    """One of `STANDING_KINDS` for one account; nodes read `target` to know the channel concerned."""
    extra = orjson.dumps({"seq": seq}).decode()
    draft = Draft(
        inbox_channel(account), kind, community, account, Audience.ALL, community_channel(community), extra
    )
    return Entry(draft, standing_view)


def follower_left(author: str, follower: str) -> Entry:
    """Hubs obey this before any higher seq."""
    draft = Draft(author_channel(author), AUTHOR_LEFT, follower, follower, Audience.NOBODY, follower)
    return Entry(draft, None)


def author_closed(author: str, whom: str) -> Entry:
    """Hubs obey this before any higher seq; `whom` is `EVERYONE` or `WATCHING`."""
    return Entry(Draft(author_channel(author), AUTHOR_CLOSED, author, author, Audience.NOBODY, whom), None)


def following(kind: str, account: str, author: str, seq: int) -> Entry:
    """One of `FOLLOWING_KINDS` for the account that follows; nodes read `target` to know the channel concerned."""
    extra = orjson.dumps({"seq": seq}).decode()
    draft = Draft(inbox_channel(account), kind, author, account, Audience.ALL, author_channel(author), extra)
    return Entry(draft, following_view)


def post_payload(row: LogRow, post: PostRow | None, accounts: Mapping[str, AccountRow]) -> Shape | None:
    """Deleted since, or by somebody who is not here any more: for nobody."""
    if post is None:
        return None
    if row.kind == "post.deleted":
        return PostDeleted(post=post.id, post_seq=post.seq)
    author = accounts[post.author]
    if post.deleted_at is not None or author.state not in HERE:
        return None
    return PostCreated(post=post_view(post, author))


def standing_view(row: LogRow) -> InboxCommunity:
    """What an inbox says of a community."""
    return InboxCommunity(community=row.ref, seq=orjson.loads(row.extra)["seq"])


def following_view(row: LogRow) -> InboxFollow:
    """What an inbox says of an author."""
    return InboxFollow(account=row.ref, seq=orjson.loads(row.extra)["seq"])
