"""Reactions under posts: left and taken back set-at-a-time, counted for everybody, named to the post's author alone.

What always holds: the counts are those of the rows; an account has at most one stamp and one like under a post, however
often and from wherever it asks. Nobody but the author learns who it was (FEATURES §3).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from channels.cards import account_card
from channels.counts import counts_view, touched
from channels.desk import Actor, Desk
from channels.rules.accounts import HERE
from channels.telling import Told, tell, untell
from realtime import reactions as r
from realtime.errors import Refusal
from realtime.notifications import NotificationKind
from realtime.posts import PostCounts
from realtime.requests import Done, Empty
from storage.accounts import accounts_by_id
from storage.database import Tx
from storage.posts import add_counts, counts_of, posts_by_id
from storage.reactions import (
    Key,
    ReactionRow,
    drop_reactions,
    hold_posts,
    put_reactions,
    reactions_at,
    reactions_under,
)
from storage.rows import PostRow
from storage.timelines import visible_pairs


@dataclass(frozen=True, slots=True)
class Change:
    """What somebody wants to stand under a post: `what`, or nothing."""

    account: str
    post: str
    kind: str
    what: str | None

    @property
    def key(self) -> Key:
        """The one place there is for it."""
        return self.post, self.account, self.kind


class ReactionBatch:
    """`Batch` of `Change`s; an outcome is `Done` or `Refusal`."""

    name = "reaction.add"

    def run(self, tx: Tx, items: Sequence[Change]) -> list[Done | Refusal]:
        """See the module."""
        hold_posts(tx, [item.post for item in items])
        seen = visible_pairs(tx, [(item.account, item.post) for item in items])
        people = accounts_by_id(tx, [item.account for item in items])
        outcomes: list[Done | Refusal] = []
        wanted: dict[Key, str | None] = {}
        for item in items:
            row = seen.get((item.account, item.post))
            refusal = None
            if row is None:
                refusal = Refusal("not_found", "There is no such post.", at="$.post")
            elif item.what is not None and row.repost_of is not None:
                refusal = Refusal("forbidden", "This passes on another post: take that one.", reason="repost")
            elif people[item.account].state not in HERE:
                refusal = Refusal("forbidden", "Nobody sees you now: show yourself first.", reason="hidden")
            else:
                # Of several wishes for one place the last is what counts.
                wanted[item.key] = item.what
            outcomes.append(refusal or Done())
        _change(tx, wanted, {row.id: row for row in seen.values()})
        return outcomes


REACTION = ReactionBatch()


def _change(tx: Tx, wanted: dict[Key, str | None], posts: dict[str, PostRow]) -> None:
    if not wanted:
        return
    before = reactions_at(tx, wanted)
    changes = {key: what for key, what in wanted.items() if before.get(key) != what}
    put_reactions(tx, [ReactionRow(*key, what) for key, what in sorted(changes.items()) if what is not None])
    drop_reactions(tx, sorted(key for key, what in changes.items() if what is None))
    counts: dict[tuple[str, str], int] = {}
    for key, what in changes.items():
        for name, by in ((before.get(key), -1), (what, 1)):
            if name is not None:
                counts[key[0], name] = counts.get((key[0], name), 0) + by
    add_counts(tx, counts)
    touched(tx, {post: posts[post].home for post, _, _ in changes})
    # Another stamp in the place of one is no news.
    tell(tx, [_told(key, posts) for key, what in changes.items() if what is not None and key not in before])
    untell(tx, [_told(key, posts) for key, what in changes.items() if what is None])


def _told(key: Key, posts: dict[str, PostRow]) -> Told:
    post, account, kind = key
    what = NotificationKind.LIKE if kind == r.ReactionKind.LIKE else NotificationKind.REACTION
    return Told(posts[post].author, account, what, post, post, community=posts[post].community)


async def add(desk: Desk, actor: Actor, request: r.ReactionAdd) -> Done:
    """Leave a stamp or a like. Errors: `bad_request`, `not_found`, `forbidden`."""
    if (request.stamp is not None) != (request.kind is r.ReactionKind.STAMP):
        raise Refusal("bad_request", "A stamp has a name and a like has none.", at="$.stamp")
    what = str(request.stamp or request.kind)
    await desk.db.hot(REACTION, Change(actor.account, request.post, request.kind, what))
    return Done()


async def remove(desk: Desk, actor: Actor, request: r.ReactionRemove) -> Done:
    """Take it back; what never was is no error. Errors: `not_found`, `forbidden`."""
    await desk.db.hot(REACTION, Change(actor.account, request.post, request.kind, None))
    return Done()


async def get(desk: Desk, actor: Actor, request: Empty) -> r.Catalogue:
    """The stamps there are."""
    return r.CATALOGUE


async def list_reactions(desk: Desk, actor: Actor, request: r.ReactionList) -> r.Reactions:
    """Who left what under one's own post. Errors: `not_found`, `forbidden`."""

    def unit(tx: Tx) -> r.Reactions:
        row = visible_pairs(tx, [(actor.account, request.post)]).get((actor.account, request.post))
        if row is None:
            raise Refusal("not_found")
        if row.author != actor.account:
            raise Refusal("forbidden", "Only who wrote it is told.")
        found = reactions_under(tx, row.id, request.kind, request.after or "", request.limit + 1)
        told = found[: request.limit]
        people = accounts_by_id(tx, [account for account, _ in told])
        stamps = request.kind is r.ReactionKind.STAMP
        return r.Reactions(
            reactions=[
                r.Reaction(account=account_card(people[account]), stamp=r.Stamp(what) if stamps else None)
                for account, what in told
            ],
            next=told[-1][0] if len(found) > len(told) else None,
        )

    return await desk.db.read(unit)


class Counted(NamedTuple):
    """The counts of a post, and who wrote it."""

    author: str
    counts: PostCounts


async def counts_now(desk: Desk, posts: Iterable[str]) -> tuple[int, dict[str, Counted]]:
    """The counts of posts that are not deleted, as of now, and that moment by the database's clock."""

    def unit(tx: Tx) -> tuple[int, dict[str, Counted]]:
        rows = {post: row for post, row in posts_by_id(tx, posts).items() if row.deleted_at is None}
        counts = counts_of(tx, rows)
        found = {post: Counted(row.author, counts_view(counts.get(post, {}))) for post, row in rows.items()}
        return tx.now_ms(), found

    return await desk.db.read(unit)
