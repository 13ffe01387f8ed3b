"""Timelines by page: whom one follows, a community, a person, a thread, and what is near one's interests (FEATURES §3).

What always holds: a page holds what its reader may see at that moment and nothing twice; it goes on both ways from any
post or seq, whatever was posted or deleted meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from channels import communities
from channels.cards import sight_of
from channels.desk import Actor, Desk
from channels.posts import shown
from channels.requests import check
from channels.rules.accounts import Sight
from channels.rules.communities import Act, Facts, verdict
from realtime import posts as p
from realtime.errors import Refusal
from realtime.ids import author_channel, community_channel
from realtime.requests import Done
from storage import log
from storage.communities import community_by_id
from storage.database import Tx
from storage.messages import Window
from storage.posts import post_page
from storage.relations import closed_to
from storage.rows import PostRow
from storage.timelines import (
    FIRST,
    LAST,
    Span,
    homes_of,
    near_communities,
    page_of_home,
    page_of_homes,
    page_of_thread,
    put_read_upto,
    read_upto,
    visible_posts,
)

SEQ_END = 2**53
MUTUALS_LEAST = 2
_SEQ_FIELDS = ("before", "after")
_POST_FIELDS = ("before_post", "after_post")
_NEEDS = {
    p.Timeline.FOLLOW: _POST_FIELDS,
    p.Timeline.COMMUNITY: ("community", *_SEQ_FIELDS),
    p.Timeline.PROFILE: ("account", *_POST_FIELDS),
    p.Timeline.THREAD: ("post", *_POST_FIELDS),
    p.Timeline.DISCOVER: (),
}
Page = Callable[[Tx, str, p.TimelineList], p.PostPage]


async def list_posts(desk: Desk, actor: Actor, request: p.TimelineList) -> p.PostPage:
    """A page. Errors: `bad_request`, `not_found`, `forbidden` (a private account one does not follow)."""
    _check_fields(request)
    return await desk.db.read(lambda tx: _PAGES[request.which](tx, actor.account, request))


async def read(desk: Desk, actor: Actor, request: p.TimelineRead) -> Done:
    """Keep how far one has read. A time and no post: nothing that is stored says what somebody looked at (FEATURES §3)."""
    await desk.db.write(lambda tx: put_read_upto(tx, actor.account, min(request.at, tx.now_ms())))
    return Done()


def _check_fields(request: p.TimelineList) -> None:
    """The fields of its kind, and no others. Errors: `bad_request`."""
    allowed = _NEEDS[request.which]
    for name in ("community", "account", "post"):
        if (getattr(request, name) is not None) != (name in allowed):
            wanted = "needs" if name in allowed else "has no"
            raise Refusal("bad_request", f"This timeline {wanted} {name}.", at=f"$.{name}")
    for name in (*_SEQ_FIELDS, *_POST_FIELDS):
        if name not in allowed and getattr(request, name) is not None:
            raise Refusal("bad_request", f"This timeline has no {name}.", at=f"$.{name}")
    for before, after in (_SEQ_FIELDS, _POST_FIELDS):
        if getattr(request, before) is not None and getattr(request, after) is not None:
            raise Refusal("bad_request", f"Give {before} or {after}, not both.", at=f"$.{after}")


def _community(tx: Tx, viewer: str, request: p.TimelineList) -> p.PostPage:
    place = community_by_id(tx, request.community or "")
    if place is None:
        raise Refusal("not_found")
    check(verdict(Act.READ, Facts(inside=False)))
    home = community_channel(place.id)
    newest = request.after is None
    high = SEQ_END if request.before is None else request.before
    found = post_page(tx, home, viewer, Window(request.after or 0, high, newest, request.limit + 1))
    given = (request.after or 0) > 0 if newest is False else request.before is not None
    return _page(tx, viewer, (found, newest, request.limit), given, home)


def _span(request: p.TimelineList, *, newest: bool = True) -> Span:
    """One more than asked for tells whether there is more."""
    if request.after_post is not None:
        newest = False
    elif request.before_post is not None:
        newest = True
    return Span(request.after_post or FIRST, request.before_post or LAST, newest, request.limit + 1)


def _page(
    tx: Tx, viewer: str, read: tuple[Sequence[PostRow], bool, int], given: bool, home: str = ""
) -> p.PostPage:
    """What was read of one more than `limit`: cut, and told what lies on either side. `given`: a place to go on from was."""
    found, newest, limit = read
    more = len(found) > limit
    kept = list(found[1:] if newest else found[:-1]) if more else list(found)
    return p.PostPage(
        posts=shown(tx, viewer, kept),
        more_before=more if newest else given,
        more_after=given if newest else more,
        seq=log.tops(tx, [home]).get(home, 0) if home else 0,
    )


def _given(request: p.TimelineList) -> bool:
    return request.before_post is not None or request.after_post is not None


def _follow(tx: Tx, viewer: str, request: p.TimelineList) -> p.PostPage:
    span = _span(request)
    found = page_of_homes(tx, homes_of(tx, viewer), viewer, span)
    page = _page(tx, viewer, (found, span.newest, request.limit), _given(request))
    return msgspec.structs.replace(page, read_at=read_upto(tx, viewer))


def _profile(tx: Tx, viewer: str, request: p.TimelineList) -> p.PostPage:
    account = request.account or ""
    if sight_of(tx, viewer, account) is not Sight.WHOLE:
        raise Refusal("not_found")
    if closed_to(tx, viewer, [account]):
        raise Refusal("forbidden", "These posts are for followers.", reason="private")
    span, home = _span(request), author_channel(account)
    found = page_of_home(tx, home, viewer, span)
    return _page(tx, viewer, (found, span.newest, request.limit), _given(request), home)


def _thread(tx: Tx, viewer: str, request: p.TimelineList) -> p.PostPage:
    """The first post and its replies. What answered a post that is gone stays."""
    asked = visible_posts(tx, viewer, [request.post or ""]).get(request.post or "")
    if asked is None:
        raise Refusal("not_found")
    root = asked.root or asked.id
    span = _span(request, newest=False)
    found = page_of_thread(tx, root, viewer, span)
    if span.low < root < span.high:
        found = [*visible_posts(tx, viewer, [root]).values(), *found]
        found = found[-span.limit :] if span.newest else found[: span.limit]
    return _page(tx, viewer, (found, span.newest, request.limit), _given(request))


def _discover(tx: Tx, viewer: str, request: p.TimelineList) -> p.PostPage:
    """Communities that people are inside of whom one knows, of memberships that they show."""
    found = [
        p.Discovered(community=communities.view(tx, viewer, place), because=people)
        for place, people in near_communities(tx, viewer, MUTUALS_LEAST, request.limit)
    ]
    return p.PostPage(posts=[], more_before=False, more_after=False, seq=0, found=found)


_PAGES: dict[p.Timeline, Page] = {
    p.Timeline.FOLLOW: _follow,
    p.Timeline.COMMUNITY: _community,
    p.Timeline.PROFILE: _profile,
    p.Timeline.THREAD: _thread,
    p.Timeline.DISCOVER: _discover,
}
