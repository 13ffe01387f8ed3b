"""Posts: say it to a community or to whoever follows, read it by id, take it back (FEATURES §3).

`post.create` is a hot write (`channels.batches`): in one transaction any number of posts lock their homes' channels, read
how the authors stand and what they refer to, and are judged one by one.
"""

from __future__ import annotations

from channels import writing
from channels.counts import touched
from channels.desk import Actor, Desk
from channels.emotext import chosen
from channels.entries import emit
from channels.pictured import wanted
from channels.post_entries import post_deleted
from channels.requests import check
from channels.rules.communities import Act, Facts, verdict
from channels.telling import post_gone
from channels.writing import POST, PostItem, ways_of
from realtime import posts as p
from realtime.errors import Refusal
from realtime.requests import Done
from realtime.text import clean_short_text
from storage import log, search
from storage.accounts import accounts_by_id
from storage.communities import communities_by_id, community_member
from storage.database import Tx
from storage.pictures import drop_shown
from storage.posts import add_counts, counts_of, mark_post_deleted, posts_by_id
from storage.reactions import own_reactions
from storage.relations import count_followers, private_among
from storage.rows import AccountRow, PostRow
from storage.timelines import visible_posts


async def create(desk: Desk, actor: Actor, request: p.PostCreate) -> p.Posted:
    """Post. Errors: `bad_request`, `text_*`, `emotext_*`, `not_found`, `not_member`, `forbidden`, `conflict`."""
    ways = ways_of(request)
    if len(ways) > 1:
        raise Refusal("bad_request", "Answer, quote or pass on: one of them.", at="$.quote_of")
    pictures = wanted(request.pictures, desk.settings.limits)
    if request.repost_of is not None and (request.text or pictures or request.mask is not None):
        raise Refusal("bad_request", "What is passed on has no words of one's own: quote it.", at="$.text")
    # Pictures may stand without a word.
    wordless = request.repost_of is not None or (bool(pictures) and not request.text.strip())
    text = "" if wordless else clean_short_text(request.text)
    item = PostItem(
        actor.account, request, text, writing.handles_in(text), pictures, chosen(request.emotext, text)
    )
    return await desk.db.hot(POST, item)  # type: ignore[no-any-return]  # a batch's outcome is untyped


async def get(desk: Desk, actor: Actor, request: p.PostGet) -> p.Posts:
    """Posts by their ids, each judged for the viewer: what one may not see is left out as if it had never been."""

    def unit(tx: Tx) -> p.Posts:
        rows = visible_posts(tx, actor.account, request.posts)
        found = [rows[post] for post in dict.fromkeys(request.posts) if post in rows]
        return p.Posts(posts=shown(tx, actor.account, found))

    return await desk.db.read(unit)


def shown(tx: Tx, viewer: str, rows: list[PostRow]) -> list[p.Post]:
    """Posts that a viewer may see, with their counts and what the viewer left under them."""
    authors: dict[str, AccountRow] = accounts_by_id(tx, [row.author for row in rows])
    ids = [row.id for row in rows]
    counts, mine = counts_of(tx, ids), own_reactions(tx, viewer, ids)
    return [
        writing.post_with(row, authors[row.author], counts.get(row.id, {}), mine.get(row.id, {}))
        for row in rows
    ]


async def audience(desk: Desk, actor: Actor, request: p.PostAudience) -> p.Reach:
    """Whom a post would reach. Errors: `not_found`, `not_member`."""

    def unit(tx: Tx) -> p.Reach:
        me = actor.account
        followers = count_followers(tx, me)
        if request.community is None:
            return p.Reach(followers=followers, open=not private_among(tx, [me]))
        place = communities_by_id(tx, [request.community]).get(request.community)
        if place is None:
            raise Refusal("not_found")
        mine = community_member(tx, place.id, me)
        check(verdict(Act.POST, Facts(mine is not None and mine.state == "inside")))
        return p.Reach(
            followers=followers, open=place.access == "public", community=place.id, members=place.members
        )

    return await desk.db.read(unit)


async def delete(desk: Desk, actor: Actor, request: p.PostRef) -> Done:
    """Delete one's own post for everyone; what answered it stays. Errors: `not_found`, `forbidden`."""

    def unit(tx: Tx) -> Done:
        row = posts_by_id(tx, [request.post]).get(request.post)
        if row is None or not (row.author == actor.account or visible_posts(tx, actor.account, [row.id])):
            raise Refusal("not_found")
        if row.author != actor.account:
            raise Refusal("forbidden", "Posts are deleted by who wrote them.")
        log.lock(tx, [row.home])
        row = posts_by_id(tx, [row.id])[row.id]
        if row.deleted_at is None:
            mark_post_deleted(tx, row.id)
            if row.pictures:
                drop_shown(tx, row.id)
            post_gone(tx, row.id)
            search.drop(tx, search.POST, row.id)
            counted = writing.counted(row)
            add_counts(tx, {key: -1 for key in counted})
            others = posts_by_id(tx, [post for post, _ in counted])
            emit(tx, [post_deleted(row)])
            touched(tx, {post: other.home for post, other in others.items()})
        return Done()

    return await desk.db.write(unit)
