"""Search on the wire: requests and results (FEATURES §3)."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from realtime.models import AccountCard, Shape
from realtime.operations import Request
from realtime.posts import Community, Post
from realtime.requests import Label, Limit

WORDS_CHARS_MAX = 100


class Search(Request, frozen=True, kw_only=True):
    """Words to look for, one character or more; those apart by spaces must all be there. The youngest come first."""

    words: Annotated[str, Meta(min_length=1, max_length=WORDS_CHARS_MAX)]
    after: Label | None = None
    limit: Limit = 20


class FoundPosts(Shape, frozen=True, kw_only=True):
    """`next` continues as `after`, also where a page is short; null at the end."""

    posts: list[Post]
    next: str | None


class FoundAccounts(Shape, frozen=True, kw_only=True):
    """`next` as everywhere in search."""

    accounts: list[AccountCard]
    next: str | None


class FoundCommunities(Shape, frozen=True, kw_only=True):
    """`next` as everywhere in search."""

    communities: list[Community]
    next: str | None
