"""Search: posts, people and communities that the viewer may see (FEATURES §3, §9).

The index names candidates in the order of their age; each is compared with the words and judged as if the viewer had opened it.
What always holds: what one may not see is not there, in no count and no cursor that tells of it: a cursor is a place among all
candidates, found or not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from channels.cards import account_card
from channels.communities import view as community_view
from channels.desk import Actor, Desk
from channels.posts import shown
from channels.rules.accounts import HERE
from realtime import finding as f
from realtime.errors import Refusal
from realtime.folding import fold, holds, needed
from realtime.models import AccountCard
from realtime.posts import Community, Post
from storage import search as index
from storage.accounts import accounts_by_id
from storage.communities import communities_by_id
from storage.database import Tx
from storage.nicknames import nicknames_of
from storage.relations import UNKNOWN, between
from storage.timelines import visible_posts

END = 2**53
LOOKED_AT_ONCE = 100
LOOKED_AT_MAX = 1_000
"""Candidates of one request; more of the same come with `next`."""

T = TypeVar("T")


async def posts(desk: Desk, actor: Actor, request: f.Search) -> f.FoundPosts:
    """Posts. Errors: `bad_request`."""

    def look(tx: Tx, ids: list[str]) -> dict[str, Post]:
        rows = visible_posts(tx, actor.account, ids)
        return {
            post.id: post for post in shown(tx, actor.account, [rows[each] for each in ids if each in rows])
        }

    found, after = await _find(desk, index.POST, request, look)
    return f.FoundPosts(posts=found, next=after)


async def accounts(desk: Desk, actor: Actor, request: f.Search) -> f.FoundAccounts:
    """People by name or handle; those whom one calls so oneself come first. Errors: `bad_request`."""

    def look(tx: Tx, ids: list[str]) -> dict[str, AccountCard]:
        how = between(tx, [(actor.account, each) for each in ids])
        apart = {other for (_, other), each in how.items() if each.blocks or each.blocked}
        return {
            row.id: account_card(row)
            for row in accounts_by_id(tx, ids).values()
            if row.state in HERE
            and row.id not in apart
            and how.get((actor.account, row.id), UNKNOWN) != UNKNOWN
        }

    def named(tx: Tx, phrase: str) -> list[str]:
        return [other for other, name in nicknames_of(tx, actor.account) if holds(fold(name), phrase)]

    found, after = await _find(desk, index.ACCOUNT, request, look, named)
    return f.FoundAccounts(accounts=found, next=after)


async def communities(desk: Desk, actor: Actor, request: f.Search) -> f.FoundCommunities:
    """Communities that everybody may find, by name or purpose. Errors: `bad_request`."""

    def look(tx: Tx, ids: list[str]) -> dict[str, Community]:
        visible = [row.id for row in communities_by_id(tx, ids).values() if row.visibility == "visible"]
        return {each: community_view(tx, actor.account, each) for each in visible}

    found, after = await _find(desk, index.COMMUNITY, request, look)
    return f.FoundCommunities(communities=found, next=after)


async def _find(
    desk: Desk,
    kind: str,
    request: f.Search,
    look: Callable[[Tx, list[str]], dict[str, T]],
    first: Callable[[Tx, str], list[str]] = lambda tx, phrase: [],
) -> tuple[list[T], str | None]:
    """What is found, and where to go on. `first` names what stands before everything else, and then not again."""
    phrase = fold(request.words)
    wanted = needed(phrase)
    if not wanted:
        raise Refusal("bad_request", "There is nothing to look for in these words.", at="$.words")
    before = _place(request.after)

    def unit(tx: Tx) -> tuple[list[T], str | None]:
        ahead = first(tx, phrase)[: request.limit]
        seen = look(tx, ahead) if request.after is None and ahead else {}
        found = [seen[ref] for ref in ahead if ref in seen]
        at = before
        if len(found) == request.limit:
            return found, str(at)
        for _ in range(LOOKED_AT_MAX // LOOKED_AT_ONCE):
            rows = index.candidates(tx, kind, wanted, at, LOOKED_AT_ONCE)
            shown = look(tx, [row.ref for row in rows if holds(row.words, phrase) and row.ref not in ahead])
            for row in rows:
                at = row.n
                if row.ref in shown:
                    found.append(shown[row.ref])
                    if len(found) == request.limit:
                        return found, str(at)
            if len(rows) < LOOKED_AT_ONCE:
                return found, None
        return found, str(at)

    return await desk.db.read(unit)


def index_missing(tx: Tx, limit: int = LOOKED_AT_ONCE) -> int:
    """Let what is older than the index be found, so many of each kind; how many there were."""
    count = 0
    for kind in (index.POST, index.ACCOUNT, index.COMMUNITY):
        texts = index.missing(tx, kind, limit)
        index.add(tx, kind, [(ref, fold(text)) for ref, text in texts])
        count += len(texts)
    return count


def _place(after: str | None) -> int:
    if after is None:
        return END
    if not after.isascii() or not after.isdigit() or len(after) > 16:
        raise Refusal("bad_request", "`after` is what `next` said.", at="$.after")
    return int(after)
