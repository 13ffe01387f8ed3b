"""Posts: say it to a community, read it by page or by id, take it back (FEATURES §3).

`post.create` is a hot write (`channels.batches`): in one transaction any number of posts lock their homes' channels, read
how the authors stand, and are judged one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from channels import batches
from channels.batches import Outcomes
from channels.desk import Actor, Desk
from channels.entries import emit, parcel_of, post_created, post_deleted, post_view
from channels.requests import check
from channels.rules.accounts import HERE
from channels.rules.communities import Act, Facts, verdict
from realtime import posts as p
from realtime.errors import Refusal
from realtime.folding import fold
from realtime.ids import community_channel
from realtime.requests import Done
from realtime.text import clean_short_text
from storage import log, search
from storage.accounts import accounts_by_id
from storage.communities import communities_by_id, community_by_id, community_members
from storage.database import Tx
from storage.messages import Window
from storage.posts import insert_posts, mark_post_deleted, post_page, posts_by_id
from storage.relations import UNKNOWN, between
from storage.rows import AccountRow, CommunityMemberRow, PostRow

SEQ_END = 2**53


@dataclass(frozen=True, slots=True)
class PostItem:
    """One post on its way into the batch; the text is clean."""

    account: str
    request: p.PostCreate
    text: str

    @property
    def key(self) -> batches.Key:
        """What makes it happen once."""
        return self.account, self.request.nonce

    @property
    def place(self) -> tuple[str, str]:
        """(community, author)."""
        return self.request.community, self.account


class PostBatch:
    """`Batch` of `PostItem`s; an outcome is `Posted` or `Refusal`."""

    name = "post.create"

    def run(self, tx: Tx, items: Sequence[PostItem]) -> list[p.Posted | Exception]:
        """See the module."""
        return batches.run(tx, items, WAYS)


POST = PostBatch()


async def create(desk: Desk, actor: Actor, request: p.PostCreate) -> p.Posted:
    """Post to a community. Errors: `text_*`, `not_found`, `not_member`, `conflict`."""
    item = PostItem(actor.account, request, clean_short_text(request.text))
    return await desk.db.hot(POST, item)  # type: ignore[no-any-return]  # a batch's outcome is untyped


def _recall(tx: Tx, ids: list[str]) -> dict[str, p.Posted]:
    return {row.id: p.Posted(post=row.id, seq=row.seq, at=row.at) for row in posts_by_id(tx, ids).values()}


def _write(tx: Tx, items: list[PostItem], ids: dict[batches.Key, str], outcomes: Outcomes) -> None:
    seqs = log.lock(tx, [community_channel(item.request.community) for item in items])
    places = communities_by_id(tx, [item.request.community for item in items])
    inside = community_members(tx, [item.place for item in items])
    authors = accounts_by_id(tx, [item.account for item in items])
    upcoming = dict(seqs)
    made: list[tuple[PostRow, AccountRow]] = []
    for item in items:
        community = item.request.community
        refusal = _judge(community in places, inside.get(item.place), authors[item.account])
        if refusal is not None:
            outcomes[item.key] = refusal
            continue
        home = community_channel(community)
        upcoming[home] += 1
        row = PostRow(
            ids[item.key], home, upcoming[home], community, item.account, tx.now_ms(), item.text, None
        )
        made.append((row, authors[item.account]))
        outcomes[item.key] = p.Posted(post=row.id, seq=row.seq, at=row.at)
    if not made:
        return
    insert_posts(tx, [row for row, _ in made])
    search.add(tx, search.POST, [(row.id, fold(row.body or "")) for row, _ in made])
    entries = [post_created(row, author) for row, author in made]
    for kept, entry in zip(log.write(tx, seqs, [entry.draft for entry in entries]), entries, strict=True):
        assert entry.payload is not None
        tx.parcels.append(parcel_of(kept, entry.payload(kept), tx.node))


def _judge(known: bool, member: CommunityMemberRow | None, author: AccountRow) -> Refusal | None:
    if not known:
        return Refusal("not_found")
    code = verdict(Act.POST, Facts(member is not None and member.state == "inside"))
    if code is not None:
        return Refusal(code)
    if author.state not in HERE:
        return Refusal("forbidden", "Nobody sees you now: show yourself before you post.", reason="hidden")
    return None


WAYS = batches.Ways("post.create", _recall, _write)


async def get(desk: Desk, actor: Actor, request: p.PostGet) -> p.Posts:
    """Posts by their ids, each judged for the viewer: what one may not see is left out as if it had never been."""

    def unit(tx: Tx) -> p.Posts:
        rows = posts_by_id(tx, request.posts)
        found = [rows[post] for post in dict.fromkeys(request.posts) if post in rows]
        return p.Posts(posts=seen(tx, actor.account, found))

    return await desk.db.read(unit)


def seen(tx: Tx, viewer: str, rows: Sequence[PostRow]) -> list[p.Post]:
    """Those of some posts that a viewer may see, in their order."""
    authors = accounts_by_id(tx, [row.author for row in rows])
    apart = between(tx, [(viewer, row.author) for row in rows])
    shown = []
    for row in rows:
        how = apart.get((viewer, row.author), UNKNOWN)
        here = how.state in HERE or row.author == viewer
        if row.deleted_at is None and here and not (how.blocks or how.blocked):
            shown.append(post_view(row, authors[row.author]))
    return shown


async def timeline(desk: Desk, actor: Actor, request: p.TimelineList) -> p.PostPage:
    """A page of a community's posts, ascending. Errors: `not_found`, `bad_request`."""
    if request.before is not None and request.after is not None:
        raise Refusal("bad_request", "Give before or after, not both.", at="$.after")

    def unit(tx: Tx) -> p.PostPage:
        if community_by_id(tx, request.community) is None:
            raise Refusal("not_found")
        check(verdict(Act.READ, Facts(inside=False)))
        home = community_channel(request.community)
        newest = request.after is None
        high = SEQ_END if request.before is None else request.before
        found = post_page(
            tx, home, actor.account, Window(request.after or 0, high, newest, request.limit + 1)
        )
        more = len(found) > request.limit
        if more:
            found = found[1:] if newest else found[:-1]
        authors = accounts_by_id(tx, [row.author for row in found])
        return p.PostPage(
            posts=[post_view(row, authors[row.author]) for row in found],
            more_before=more if newest else (request.after or 0) > 0,
            more_after=more if not newest else request.before is not None,
            seq=log.tops(tx, [home])[home],
        )

    return await desk.db.read(unit)


async def delete(desk: Desk, actor: Actor, request: p.PostRef) -> Done:
    """Delete one's own post for everyone. Errors: `not_found`, `forbidden`."""

    def unit(tx: Tx) -> Done:
        row = posts_by_id(tx, [request.post]).get(request.post)
        if row is None or not (row.author == actor.account or seen(tx, actor.account, [row])):
            raise Refusal("not_found")
        if row.author != actor.account:
            raise Refusal("forbidden", "Posts are deleted by who wrote them.")
        log.lock(tx, [row.home])
        row = posts_by_id(tx, [row.id])[row.id]
        if row.deleted_at is None:
            mark_post_deleted(tx, row.id)
            search.drop(tx, search.POST, row.id)
            emit(tx, [post_deleted(row)])
        return Done()

    return await desk.db.write(unit)
