"""Rows as they are read: named, typed, immutable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class AccountRow(NamedTuple):
    """`state` is active, restricted, suspended, hidden or deleted; `role` is member or operator."""

    id: str
    handle: str
    name: str
    state: str
    created_at: int
    role: str = "member"
    invites_barred: int = 0


class SessionRow(NamedTuple):
    """A login on one device, joined with the state of its account."""

    id: str
    account: str
    handle: str
    name: str
    account_state: str
    used_at: int
    revoked_at: int | None


class RoomRow(NamedTuple):
    """`pair` is the two account ids of a DM, sorted and joined by a colon; null for a group."""

    id: str
    kind: str
    state: str
    title: str
    creator: str
    reading: str
    pair: str | None
    created_at: int
    requested_at: int | None


class MemberRow(NamedTuple):
    """How an account stands to a room. Entries up to `from_seq` are not for this member."""

    room: str
    account: str
    state: str
    from_seq: int
    read_seq: int
    joined_at: int


class MessageRow(NamedTuple):
    """`system` is the JSON of a system line (then `body` is null); `only_for` limits who sees the line; `pictures` and
    `emotext` are JSON lists, null where there are none."""

    id: str
    room: str
    seq: int
    author: str
    at: int
    body: str | None
    reply_to: str | None
    written_at: int | None
    system: str | None
    only_for: str | None
    deleted_at: int | None
    pictures: str | None = None
    emotext: str | None = None


class LogRow(NamedTuple):
    """One entry of a channel's log: kind and reference. `extra` is a little JSON of what no row remembers."""

    channel: str
    seq: int
    kind: str
    ref: str
    audience: str
    author: str
    target: str
    at: int
    extra: str


class CommunityRow(NamedTuple):
    """A community; `members` counts those inside."""

    id: str
    name: str
    purpose: str
    access: str
    visibility: str
    creator: str
    members: int
    created_at: int


class CommunityMemberRow(NamedTuple):
    """How an account stands to a community: `state` is inside or left. Positions before `from_seq` are not continued."""

    community: str
    account: str
    role: str
    state: str
    from_seq: int
    joined_at: int


class PostRow(NamedTuple):
    """`home` is the channel whose entry it is. The words of a deleted post are gone. `root` is the first post of a
    reply's thread; `mentions` is a JSON list of account ids; `pictures` and `emotext` are JSON lists, null where
    there are none."""

    id: str
    home: str
    seq: int
    community: str | None
    author: str
    at: int
    body: str | None
    deleted_at: int | None
    reply_to: str | None = None
    root: str | None = None
    quote_of: str | None = None
    repost_of: str | None = None
    mask: str | None = None
    mentions: str = "[]"
    pictures: str | None = None
    emotext: str | None = None


class PictureRow(NamedTuple):
    """A picture without its bytes. `kind` (post or message) and `ref` say what shows it; null: nothing yet, and after `due`
    nothing will."""

    id: str
    account: str
    at: int
    due: int
    kind: str | None
    ref: str | None
    type: str
    width: int
    height: int


class LetterRow(NamedTuple):
    """Mail that waits to leave. `tries` counts this claim too; `age_ms` is by the database's clock."""

    id: str
    address: str
    kind: str
    facts: Mapping[str, str | int]
    tries: int
    age_ms: int


def pair_of(a: str, b: str) -> str:
    """Two account ids → the key of their DM, the same in either order."""
    return f"{min(a, b)}:{max(a, b)}"
