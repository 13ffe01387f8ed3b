"""Everything the tables hold of one account, for its owner: no hashes, no tokens, nobody else's words. Follows come
without dates, as everywhere: they would tell who came by whom."""

from __future__ import annotations

from typing import Any

from storage.database import Tx

_QUERIES = {
    "account": (
        "select id, handle, name, state, created_at, bio, links, status, private, presence_to, write_from,"
        " communities_shown, terms, handle_at from account where id = :me"
    ),
    "addresses": "select written, at, until from address where account = :me order by at",
    "handles": "select handle, at from handle where account = :me order by at",
    "sessions": (
        "select id, label, created_at, used_at, revoked_at from session where account = :me order by created_at"
    ),
    "recovery_codes": "select made_at from recovery_code where account = :me order by made_at",
    "following": "select followee as account from follow where follower = :me order by followee",
    "followers": "select follower as account from follow where followee = :me order by follower",
    "follow_requests_sent": "select followee as account from follow_request where follower = :me order by followee",
    "follow_requests": "select follower as account from follow_request where followee = :me and declined = 0 order by follower",
    "blocks": "select blocked as account, at from block where blocker = :me order by at",
    "nicknames": "select about as account, name, at from nickname where account = :me order by about",
    "mutes": "select muted as account, at from mute where muter = :me order by at",
    "invites": (
        "select id, kind, room, uses_max, uses, state, created_at, expires_at, ended_at from invite"
        " where issuer = :me order by created_at"
    ),
    "rooms": (
        "select r.id, r.kind, r.state, r.title, m.state as standing, m.joined_at, m.read_seq from member m"
        " join room r on r.id = m.room where m.account = :me"
        " and m.state in ('inside', 'invited', 'requested', 'declined', 'left') order by m.joined_at"
    ),
    "messages": (
        "select id, room, seq, at, body as text, reply_to, written_at, pictures, emotext from message"
        " where author = :me and system is null and deleted_at is null order by at"
    ),
    "communities": (
        "select k.id, k.name, m.role, m.state as standing, m.joined_at, m.place from community_member m"
        " join community k on k.id = m.community where m.account = :me order by m.joined_at"
    ),
    "posts": (
        "select id, community, seq, at, body as text, reply_to, quote_of, repost_of, mask, mentions, pictures, emotext from post"
        " where author = :me and deleted_at is null order by at"
    ),
    "emotext_previews": "select id, at, due, body as text, emotext from emotext_preview where account = :me order by id",
    "pictures": "select id, at, kind, ref, type, width, height from picture where account = :me order by id",
    "notifications": (
        "select n.kind, n.post, n.community, n.room, x.at from notification n join notification_actor x"
        " on x.account = n.account and x.kind = n.kind and x.subject = n.subject where n.account = :me order by x.place"
    ),
    "notifications_read": "select upto from notification_state where account = :me",
    "notifications_off": "select kind from notification_switch where account = :me order by kind",
    "reactions": "select post, kind, what, at from reaction where account = :me order by at",
    "presence": "select seen_at, shown_to from presence where account = :me",
    "presence_exceptions": "select other as account, shown, at from presence_exception where owner = :me order by other",
    "reading": "select follow_at from reading where account = :me",
    "message_reactions": "select message, what, at from message_reaction where account = :me order by at",
    "reports": "select id, kind, target, reason, words, at from report where reporter = :me order by at",
    "support": "select id, words, request_id, at from support where account = :me order by at",
}
_FIELDS = {
    name: [
        part.split()[-1].rpartition(".")[2]
        for part in sql.partition("select ")[2].partition(" from ")[0].split(",")
    ]
    for name, sql in _QUERIES.items()
}


def everything_of(tx: Tx, account: str) -> dict[str, list[dict[str, Any]]]:
    """Name of the part → its rows, as objects with the columns' names."""
    return {
        name: [dict(zip(_FIELDS[name], row, strict=True)) for row in tx.rows(sql, me=account)]
        for name, sql in _QUERIES.items()
    }
