"""The rows of the operations table about communities, posts and what is watched; `realtime.table` joins them to the
others."""

from __future__ import annotations

from realtime import cheers as c
from realtime import emotext as e
from realtime import finding as f
from realtime import posts as p
from realtime import reactions as r
from realtime.operations import Door, Operation, Who
from realtime.requests import Done, Empty, Synced

_TEXT = ("text_invalid", "text_too_long")
_EMOTEXT = ("emotext_conflict", "emotext_unknown")
_SOCKET = frozenset({Door.SOCKET})

PLACES = (
    Operation(
        "channel.watch",
        p.Watch,
        Synced,
        "Hear channels that are on the screen, as after `channel.sync`.",
        ("not_found", "full"),
        doors=_SOCKET,
        cost=2,
    ),
    Operation("channel.unwatch", p.Unwatch, Done, "Hear them no more.", doors=_SOCKET),
    Operation(
        "channel.signal",
        p.Signal,
        Done,
        "Send something fleeting to a channel one may write to.",
        ("not_found", "not_member", "forbidden", "blocked", "too_large"),
    ),
    Operation(
        "channel.cheer",
        c.Cheer,
        Done,
        "Tap an effect for all who hear a channel one may write to; they are told how many did.",
        ("not_found", "not_member", "forbidden", "blocked", "emotext_unknown"),
        cost=0.2,
    ),
    Operation(
        "channel.toast",
        c.Toast,
        c.Toasting,
        "Count down (せーの!) or raise glasses (乾杯) together with all who hear a channel one may write to.",
        ("not_found", "not_member", "forbidden", "blocked"),
    ),
    Operation(
        "community.create",
        p.CommunityCreate,
        p.Community,
        "Found a public community.",
        (*_TEXT, "full", "conflict"),
        cost=5,
        durable=True,
    ),
    Operation("community.get", p.CommunityRef, p.Community, "One community.", ("not_found",)),
    Operation(
        "community.list",
        p.CommunityList,
        p.CommunityPage,
        "One's communities, all that are open, or those that somebody shows.",
        ("not_found",),
    ),
    Operation(
        "community.arrange",
        p.CommunityArrange,
        Done,
        "In which order one's profile shows one's communities.",
        durable=True,
    ),
    Operation(
        "community.join",
        p.CommunityRef,
        p.Community,
        "Be inside from now on: its posts are heard without asking.",
        ("not_found", "full"),
        cost=2,
        durable=True,
    ),
    Operation(
        "community.leave",
        p.CommunityRef,
        Done,
        "Be inside no more; what one founded passes to the eldest admin, else to the eldest.",
        ("not_found", "not_member"),
        cost=2,
        durable=True,
    ),
    Operation(
        "post.create",
        p.PostCreate,
        p.Posted,
        "Post to a community, or to whoever follows one; answer, quote or pass on a post.",
        (*_TEXT, *_EMOTEXT, "not_found", "not_member", "forbidden", "conflict"),
        cost=4,
        durable=True,
    ),
    Operation(
        "emotext.list",
        Empty,
        e.EmotextCatalogue,
        "The effects by which text may move, with their programs.",
        who=Who.ANYONE,
        guest_per_min=60,
    ),
    Operation(
        "emotext.preview",
        e.EmotextPreview,
        e.EmotextPreviewed,
        "A text as it would move, and a picture of it.",
        (*_TEXT, *_EMOTEXT),
        cost=3,
        durable=True,
    ),
    Operation("post.get", p.PostGet, p.Posts, "Posts by their ids."),
    Operation(
        "post.delete",
        p.PostRef,
        Done,
        "Delete one's own post for everyone.",
        ("not_found", "forbidden"),
        cost=2,
        durable=True,
    ),
    Operation(
        "post.audience", p.PostAudience, p.Reach, "Whom a post would reach.", ("not_found", "not_member")
    ),
    Operation(
        "reaction.add",
        r.ReactionAdd,
        Done,
        "Leave a stamp or a like under a post.",
        ("not_found", "forbidden"),
        durable=True,
    ),
    Operation(
        "reaction.remove",
        r.ReactionRemove,
        Done,
        "Take a stamp or a like back.",
        ("not_found", "forbidden"),
        durable=True,
    ),
    Operation("reaction.get", Empty, r.Catalogue, "The stamps there are, with their names."),
    Operation(
        "reaction.list",
        r.ReactionList,
        r.Reactions,
        "Who left a stamp or a like under one's own post.",
        ("not_found", "forbidden"),
    ),
    Operation(
        "timeline.list",
        p.TimelineList,
        p.PostPage,
        "Posts by page: of whom one follows, of a community, a person or a thread; or communities to discover.",
        ("not_found", "forbidden"),
    ),
    Operation("timeline.read", p.TimelineRead, Done, "Say how far one has read of whom one follows."),
    Operation("post.search", f.Search, f.FoundPosts, "Posts with these words.", cost=3),
    Operation(
        "account.search",
        f.Search,
        f.FoundAccounts,
        "People with this name or handle, or whom one calls so.",
        cost=3,
    ),
    Operation("community.search", f.Search, f.FoundCommunities, "Communities with these words.", cost=3),
)
