"""The rows of the operations table about profiles and relations; `realtime.table` joins them to the others."""

from __future__ import annotations

from realtime import relations as n
from realtime.operations import Door, Operation
from realtime.requests import AccountGet, Done, Empty

_TEXT = ("text_invalid", "text_too_long")

RELATIONS = (
    Operation("account.get", AccountGet, n.Profile, "One account, by id or handle.", ("not_found",)),
    Operation(
        "account.update",
        n.AccountUpdate,
        n.Profile,
        "Change one's profile, privacy or handle.",
        (*_TEXT, "handle_taken", "forbidden"),
        cost=3,
        durable=True,
    ),
    Operation(
        "account.hide",
        Empty,
        Done,
        "Be invisible to others, and keep everything.",
        ("forbidden",),
        cost=3,
        durable=True,
    ),
    Operation("account.show", Empty, Done, "Be seen again.", ("forbidden",), cost=3, durable=True),
    Operation(
        "account.delete",
        Empty,
        n.Deleted,
        "Delete one's account: all sessions end; logging in within 14 days takes it back.",
        doors=frozenset({Door.HTTP}),
        cost=10,
        durable=True,
    ),
    Operation(
        "follow.add",
        n.AccountRef,
        n.Followed,
        "Follow an account, or ask to.",
        ("not_found", "forbidden", "blocked", "full"),
        cost=2,
        durable=True,
    ),
    Operation(
        "follow.remove",
        n.AccountRef,
        Done,
        "Follow no more, or ask no more; nobody is told.",
        cost=2,
        durable=True,
    ),
    Operation(
        "follow.accept",
        n.AccountRef,
        Done,
        "Let somebody follow who has asked to.",
        ("not_found",),
        cost=2,
        durable=True,
    ),
    Operation(
        "follow.decline",
        n.AccountRef,
        Done,
        "Let a request to follow go; nobody is told.",
        ("not_found",),
        cost=2,
        durable=True,
    ),
    Operation(
        "follow.list",
        n.FollowList,
        n.People,
        "Who follows whom, for oneself and for mutuals.",
        ("not_found", "forbidden"),
        cost=2,
    ),
    Operation(
        "block.add",
        n.AccountRef,
        Done,
        "Block an account: neither finds or reaches the other, at once, and nobody is told.",
        ("not_found", "forbidden", "full"),
        cost=2,
        durable=True,
    ),
    Operation(
        "block.remove", n.AccountRef, Done, "Block no more; nothing comes back by itself.", cost=2, durable=True
    ),
    Operation("block.list", n.PeopleList, n.People, "Whom one blocks."),
    Operation(
        "mute.add",
        n.AccountRef,
        Done,
        "Mute an account: a note for oneself, nothing changes for others.",
        ("not_found", "forbidden", "full"),
        durable=True,
    ),
    Operation("mute.remove", n.AccountRef, Done, "Mute no more.", durable=True),
    Operation("mute.list", n.PeopleList, n.People, "Whom one mutes."),
    Operation(
        "nickname.put",
        n.NicknamePut,
        n.Nickname,
        "Call somebody by a name of one's own, which nobody else sees.",
        ("not_found", "forbidden", *_TEXT, "full"),
        durable=True,
    ),
    Operation("nickname.list", Empty, n.Nicknames, "What one calls others."),
    Operation(
        "report.create",
        n.ReportCreate,
        n.Filed,
        "Tell the operators of an account, a room or a message.",
        ("not_found", "not_member", *_TEXT, "conflict"),
        cost=5,
        durable=True,
    ),
    Operation(
        "support.open", n.SupportOpen, n.Filed, "Write to the operators.", (*_TEXT, "conflict"), cost=5, durable=True
    ),
)  # fmt: skip
