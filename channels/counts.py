"""Counts under posts: how often each was answered, passed on, quoted, liked and stamped."""

from __future__ import annotations

from collections.abc import Mapping

from channels.rules.posts import Way
from realtime.parcels import Audience, Parcel
from realtime.posts import PostCounts
from storage.database import Tx

TOUCHED = "post.touched"
"""A parcel that goes no further than the node it was made on: the counts of its target have changed."""
LIKE = "like"
_WAYS = frozenset(str(way) for way in Way)


def counts_view(counts: Mapping[str, int]) -> PostCounts:
    """What → how often, as a client reads it."""
    return PostCounts(
        replies=counts.get(Way.REPLY, 0),
        reposts=counts.get(Way.REPOST, 0),
        quotes=counts.get(Way.QUOTE, 0),
        likes=counts.get(LIKE, 0),
        stamps={what: n for what, n in counts.items() if what not in _WAYS and what != LIKE},
    )


def touched(tx: Tx, homes: Mapping[str, str]) -> None:
    """The counts of posts (post → its channel) change with this transaction: whoever hears them is to be told."""
    for post, home in homes.items():
        tx.parcels.append(Parcel(home, 0, TOUCHED, Audience.NOBODY, "", post, tx.now_ms(), tx.node, b""))
