"""How posts are written, set-at-a-time: where each lives, what it refers to and whom it names, judged under the lock of its
home (FEATURES §3)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import NamedTuple

import orjson
from msgspec import structs

from channels import batches
from channels.batches import Outcomes
from channels.counts import LIKE, counts_view, touched
from channels.entries import parcel_of
from channels.pictured import POST as POST_KIND
from channels.pictured import Stock, Wanted
from channels.post_entries import post_created, post_view
from channels.rules.accounts import HERE
from channels.rules.communities import Act, Facts, verdict
from channels.rules.posts import Target, Way, reason_against
from channels.telling import Told, tell
from realtime import posts as p
from realtime.errors import Refusal
from realtime.folding import fold
from realtime.ids import AUTHOR, author_channel, community_channel
from realtime.notifications import NotificationKind
from storage import log, search
from storage.accounts import accounts_by_handle, accounts_by_id, followed_pairs
from storage.communities import communities_by_id, community_members
from storage.database import Tx
from storage.posts import add_counts, insert_posts, posts_by_id, reposts_of
from storage.relations import UNKNOWN, Between, between, private_among
from storage.rows import AccountRow, CommunityMemberRow, CommunityRow, PostRow

_HANDLE = re.compile(r"(?<![\w@.])@([a-z0-9_]{1,20})(?!\w)", re.IGNORECASE | re.ASCII)
MENTIONS_MAX = 10
_REASONS = {
    "repost": "This passes on another post: take that one.",
    "closed": "What is said there stays there.",
    "private": "This was said to followers.",
}


@dataclass(frozen=True, slots=True)
class PostItem:
    """One post on its way into the batch; the text is clean."""

    account: str
    request: p.PostCreate
    text: str
    handles: tuple[str, ...] = ()
    pictures: tuple[Wanted, ...] = ()
    emotext: str | None = None

    @property
    def key(self) -> batches.Key:
        """What makes it happen once."""
        return self.account, self.request.nonce


class PostBatch:
    """`Batch` of `PostItem`s; an outcome is `Posted` or `Refusal`."""

    name = "post.create"

    def run(self, tx: Tx, items: Sequence[PostItem]) -> list[p.Posted | Exception]:
        """See `channels.posts`."""
        return batches.run(tx, items, WAYS)


POST = PostBatch()


class Scene(NamedTuple):
    """What the posts of a batch are judged by. `others` are the posts they refer to, as far as they exist."""

    others: Mapping[str, PostRow]
    places: Mapping[str, CommunityRow]
    inside: Mapping[tuple[str, str], CommunityMemberRow]
    accounts: Mapping[str, AccountRow]
    handles: Mapping[str, AccountRow]
    between: Mapping[tuple[str, str], Between]
    private: AbstractSet[str]
    follows: AbstractSet[tuple[str, str]]
    reposts: set[tuple[str, str, str]]


def handles_in(text: str) -> tuple[str, ...]:
    """The handles a text names, folded, each once."""
    found = dict.fromkeys(handle.lower() for handle in _HANDLE.findall(text))
    return tuple(found)[:MENTIONS_MAX]


def ways_of(request: p.PostCreate) -> list[tuple[Way, str]]:
    """How a post refers to others, and to which."""
    given = (
        (Way.REPLY, request.reply_to),
        (Way.QUOTE, request.quote_of),
        (Way.REPOST, request.repost_of),
    )
    return [(way, other) for way, other in given if other is not None]


def counted(row: PostRow) -> list[tuple[str, str]]:
    """(post, what) that a post counts for."""
    given = ((row.reply_to, Way.REPLY), (row.quote_of, Way.QUOTE), (row.repost_of, Way.REPOST))
    return [(other, str(way)) for other, way in given if other is not None]


def post_with(row: PostRow, author: AccountRow, counts: Mapping[str, int], mine: Mapping[str, str]) -> p.Post:
    """A post for a page: `mine` is kind → what the viewer left under it."""
    own = p.OwnReactions(stamp=mine.get("stamp"), liked=LIKE in mine)
    return structs.replace(post_view(row, author), counts=counts_view(counts), mine=own)


def _recall(tx: Tx, ids: list[str]) -> dict[str, p.Posted]:
    return {row.id: p.Posted(post=row.id, seq=row.seq, at=row.at) for row in posts_by_id(tx, ids).values()}


def _write(tx: Tx, items: list[PostItem], ids: dict[batches.Key, str], outcomes: Outcomes) -> None:
    referred = [other for item in items for _, other in ways_of(item.request)]
    # Where a post lives never changes, so the homes are known before they are locked.
    others = posts_by_id(tx, referred) if referred else {}
    homes = {item.key: _home(item, others) for item in items}
    seqs = log.lock_made(tx, homes.values(), AUTHOR)
    scene = _scene(tx, items, homes, others)
    stock = Stock(tx, (item.pictures for item in items))
    upcoming = dict(seqs)
    made: list[tuple[PostRow, AccountRow]] = []
    for item in items:
        home = homes[item.key]
        refusal = _judge(item, home, scene) or stock.refusal(item.account, item.pictures)
        if refusal is not None:
            outcomes[item.key] = refusal
            continue
        upcoming[home] += 1
        row = _row(tx, item, (ids[item.key], home, upcoming[home]), scene)
        row = row._replace(pictures=stock.take(POST_KIND, row.id, item.pictures)) if item.pictures else row
        made.append((row, scene.accounts[item.account]))
        outcomes[item.key] = p.Posted(post=row.id, seq=row.seq, at=row.at)
    if made:
        _keep(tx, seqs, made)
        stock.keep()
        # After the counts: whoever reacts holds the posts first and the inboxes last.
        tell(tx, [told for row, _ in made for told in _told(row, scene)])
        counted_now = {post for row, _ in made for post, _ in counted(row)}
        touched(tx, {post: others[post].home for post in counted_now})


def _told(row: PostRow, scene: Scene) -> list[Told]:
    """Whom a post concerns, each once, by what concerns them most; nobody who may not read it."""
    concerned: dict[str, Told] = {}
    for other, kind in ((row.reply_to, _KINDS[Way.REPLY]), (row.quote_of, _KINDS[Way.QUOTE])):
        if other is not None:
            author = scene.others[other].author
            concerned[author] = Told(author, row.author, kind, row.id, row.id, row.id, row.community)
    if row.repost_of is not None:
        author = scene.others[row.repost_of].author
        kind = _KINDS[Way.REPOST]
        concerned[author] = Told(
            author, row.author, kind, row.repost_of, row.repost_of, row.id, row.community
        )
    for named in orjson.loads(row.mentions) if row.mentions != "[]" else ():
        concerned.setdefault(
            named, Told(named, row.author, NotificationKind.MENTION, row.id, row.id, row.id, row.community)
        )
    closed = row.community is None and row.author in scene.private
    return [told for told in concerned.values() if not closed or (told.account, row.author) in scene.follows]


_KINDS = {
    Way.REPLY: NotificationKind.REPLY,
    Way.QUOTE: NotificationKind.QUOTE,
    Way.REPOST: NotificationKind.REPOST,
}


def _keep(tx: Tx, seqs: dict[str, int], made: list[tuple[PostRow, AccountRow]]) -> None:
    insert_posts(tx, [row for row, _ in made])
    search.add(tx, search.POST, [(row.id, fold(row.body or "")) for row, _ in made])
    counts: dict[tuple[str, str], int] = {}
    for row, _ in made:
        for key in counted(row):
            counts[key] = counts.get(key, 0) + 1
    add_counts(tx, counts)
    entries = [post_created(row, author) for row, author in made]
    for kept, entry in zip(log.write(tx, seqs, [entry.draft for entry in entries]), entries, strict=True):
        assert entry.payload is not None
        tx.parcels.append(parcel_of(kept, entry.payload(kept), tx.node))


def _home(item: PostItem, others: Mapping[str, PostRow]) -> str:
    """A reply to a community's post lives there too; everything else where its author says."""
    community = item.request.community
    answered = others.get(item.request.reply_to or "")
    if answered is not None:
        community = answered.community
    return community_channel(community) if community else author_channel(item.account)


def _scene(
    tx: Tx, items: list[PostItem], homes: Mapping[batches.Key, str], before: Mapping[str, PostRow]
) -> Scene:
    """Everything at once, and nothing that no post of the batch asks for."""
    # Read again: what was deleted before the lock was held is not answered.
    others = posts_by_id(tx, before) if before else {}
    places = {item.key: _community_of(item, others) for item in items}
    wanted = {place for place in places.values() if place}
    wanted |= {row.community for row in others.values() if row.community}
    authors = [item.account for item in items]
    handles = accounts_by_handle(tx, named) if (named := [h for item in items for h in item.handles]) else {}
    pairs = [
        (item.account, others[o].author) for item in items for _, o in ways_of(item.request) if o in others
    ]
    pairs += [(item.account, handles[h].id) for item in items for h in item.handles if h in handles]
    follows: set[tuple[str, str]] = set()
    private: set[str] = set()
    if pairs:
        private = private_among(tx, [*authors, *(row.author for row in others.values())])
        follows = followed_pairs(tx, [*pairs, *((b, a) for a, b in pairs)])
    reposts = [(i.account, i.request.repost_of, homes[i.key]) for i in items if i.request.repost_of]
    return Scene(
        others,
        communities_by_id(tx, wanted) if wanted else {},
        community_members(tx, [(place, key[0]) for key, place in places.items() if place]),
        accounts_by_id(tx, [*authors, *(row.author for row in others.values())]),
        handles,
        between(tx, pairs),
        private,
        follows,
        reposts_of(tx, reposts) if reposts else set(),
    )


def _community_of(item: PostItem, others: Mapping[str, PostRow]) -> str | None:
    answered = others.get(item.request.reply_to or "")
    return answered.community if answered is not None else item.request.community


def _judge(item: PostItem, home: str, scene: Scene) -> Refusal | None:
    """Why it may not be posted, or None."""
    for way, other in ways_of(item.request):
        refusal = _judge_other(item, home, scene, (way, scene.others.get(other)))
        if refusal is not None:
            return refusal
    community = _community_of(item, scene.others)
    if item.request.community not in (None, community):
        return Refusal("bad_request", "A reply lives where what it answers does.", at="$.community")
    if community is not None:
        if community not in scene.places:
            return Refusal("not_found")
        member = scene.inside.get((community, item.account))
        code = verdict(Act.POST, Facts(member is not None and member.state == "inside"))
        if code is not None:
            return Refusal(code)
    if scene.accounts[item.account].state not in HERE:
        return Refusal("forbidden", "Nobody sees you now: show yourself before you post.", reason="hidden")
    if item.request.repost_of is not None:
        key = (item.account, item.request.repost_of, home)
        if key in scene.reposts:
            return Refusal("conflict", "You have passed this on already.", at="$.repost_of")
        scene.reposts.add(key)
    return None


def _judge_other(
    item: PostItem, home: str, scene: Scene, reference: tuple[Way, PostRow | None]
) -> Refusal | None:
    way, row = reference
    if row is None or not _visible(item.account, row, scene):
        return Refusal("not_found", "There is no such post.", at=f"$.{_FIELDS[way]}")
    place = scene.places.get(row.community or "")
    target = Target(
        is_repost=row.repost_of is not None,
        inside=row.home == home,
        private=row.author in scene.private,
        closed=place is not None and place.access != "public",
    )
    reason = reason_against(way, target)
    if reason is None:
        return None
    return Refusal("forbidden", _REASONS[reason], reason=reason, at=f"$.{_FIELDS[way]}")


_FIELDS = {Way.REPLY: "reply_to", Way.QUOTE: "quote_of", Way.REPOST: "repost_of"}


def _visible(viewer: str, row: PostRow, scene: Scene) -> bool:
    """As `storage.timelines` has it in SQL, for posts that were read already."""
    if row.deleted_at is not None:
        return False
    if row.author == viewer:
        return True
    how = scene.between.get((viewer, row.author), UNKNOWN)
    if how.state not in HERE or how.blocks or how.blocked:
        return False
    return (
        row.community is not None or row.author not in scene.private or (viewer, row.author) in scene.follows
    )


def _row(tx: Tx, item: PostItem, place: tuple[str, str, int], scene: Scene) -> PostRow:
    request = item.request
    post, home, seq = place
    answered = scene.others.get(request.reply_to or "")
    return PostRow(
        post,
        home,
        seq,
        _community_of(item, scene.others),
        item.account,
        tx.now_ms(),
        item.text,
        None,
        reply_to=request.reply_to,
        root=(answered.root or answered.id) if answered is not None else None,
        quote_of=request.quote_of,
        repost_of=request.repost_of,
        mask=request.mask,
        mentions=orjson.dumps(_mentions(item, scene)).decode(),
        emotext=item.emotext,
    )


def _mentions(item: PostItem, scene: Scene) -> list[str]:
    """Whom the text names, of those who may see the place. Nobody is told why a name leads nowhere."""
    found = []
    closed = item.account in scene.private and _community_of(item, scene.others) is None
    for handle in item.handles:
        row = scene.handles.get(handle)
        if row is None or row.id == item.account:
            continue
        how = scene.between.get((item.account, row.id), UNKNOWN)
        if how.state not in HERE or how.blocks or how.blocked:
            continue
        if not closed or (row.id, item.account) in scene.follows:
            found.append(row.id)
    return found


WAYS = batches.Ways("post.create", _recall, _write)
