"""What an account says of itself, its privacy, and its end: reading, changing, erasing."""

from __future__ import annotations

from typing import NamedTuple

from storage import search
from storage.database import Tx, first
from storage.sets import for_update


class ProfileRow(NamedTuple):
    """The account's own columns beside those of `AccountRow`. `links` is a JSON list."""

    id: str
    handle: str
    name: str
    state: str
    bio: str
    links: str
    status: str
    private: int
    presence_to: str
    write_from: str
    communities_shown: int
    handle_at: int
    created_at: int


_NAMES = ", ".join(ProfileRow._fields)
_CHANGED = tuple(name for name in ProfileRow._fields if name not in ("id", "state", "created_at"))


def profile_by_id(tx: Tx, account: str, *, lock: bool = False) -> ProfileRow | None:
    """One account's profile, whatever its state."""
    tail = for_update(tx) if lock else ""
    row = first(tx.rows(f"select {_NAMES} from account where id = :id{tail}", id=account))
    return ProfileRow(*row) if row else None


def keep_profile(tx: Tx, row: ProfileRow) -> None:
    """Write back what may change of a profile."""
    changes = ", ".join(f"{name} = :{name}" for name in _CHANGED)
    fields = {name: getattr(row, name) for name in ("id", *_CHANGED)}
    tx.rows(f"update account set {changes} where id = :id", **fields)


def take_handle(tx: Tx, handle: str, account: str) -> bool:
    """Reserve a handle for an account, for ever. False if it is taken, or ever was."""
    rows = tx.rows(
        "insert into handle (handle, account, at) values (:handle, :id, :at) on conflict do nothing returning handle",
        handle=handle,
        id=account,
        at=tx.now_ms(),
    )
    return bool(rows)


def groups_founded(tx: Tx, account: str) -> list[str]:
    """The groups an account has in its hands."""
    rows = tx.rows("select id from room where creator = :me and kind = 'group' order by id", me=account)
    return [row[0] for row in rows]


def due_to_erase(tx: Tx, limit: int) -> list[str]:
    """Deleted accounts whose days of grace are over, locked."""
    rows = tx.rows(
        "select id from account where state = 'deleted' and erase_at <= :now order by id limit :most"
        + for_update(tx),
        now=tx.now_ms(),
        most=limit,
    )
    return [row[0] for row in rows]


# What an account's posts count for under those of others.
_COUNTED_LESS = (
    "update post_count set n = n - (select count(*) from post q where q.author = :id and q.deleted_at is null and"
    " ((post_count.what = 'reply' and q.reply_to = post_count.post)"
    " or (post_count.what = 'quote' and q.quote_of = post_count.post)"
    " or (post_count.what = 'repost' and q.repost_of = post_count.post)))"
    " where what in ('reply', 'quote', 'repost') and post in"
    " (select reply_to from post where author = :id and deleted_at is null union"
    " select quote_of from post where author = :id and deleted_at is null union"
    " select repost_of from post where author = :id and deleted_at is null)"
)
# Each line takes something personal out of one table. What others keep (messages, system lines, the log) holds the
# account's id alone.
_ERASE = (
    "delete from letter where address in (select written from address where account = :id)"
    " or address in (select address from address where account = :id)",
    "delete from attempt where account = :id or address in (select address from address where account = :id)",
    "delete from address where account = :id",
    "delete from session where account = :id",
    "delete from recovery_code where account = :id",
    "delete from follow where follower = :id or followee = :id",
    "delete from follow_request where follower = :id or followee = :id",
    "delete from block where blocker = :id or blocked = :id",
    "delete from nickname where account = :id or about = :id",
    "delete from mute where muter = :id or muted = :id",
    "delete from presence where account = :id",
    "delete from presence_exception where owner = :id or other = :id",
    "delete from nonce where account = :id",
    "delete from reading where account = :id",
    "delete from notification_actor where account = :id or actor = :id"
    " or via in (select id from post where author = :id)",
    "delete from notification where account = :id or post in (select id from post where author = :id)",
    "delete from notification_state where account = :id",
    "delete from notification_switch where account = :id",
    "update invite set state = 'revoked', ended_at = :now where issuer = :id and state in ('live', 'paused')",
    "update report set reporter = null, words = '' where reporter = :id",
    "update support set account = null, words = '' where account = :id",
    "update log set extra = '' where channel = 'user:' || :id and kind in ('session.created', 'nickname.changed')",
    "update member set state = 'left' where account = :id and state <> 'inside'",
    "update member set state = 'left' where account = :id"
    " and room in (select id from room where kind = 'group')",
    "update community set members = members - 1 where id in"
    " (select community from community_member where account = :id and state = 'inside')",
    "update community_member set state = 'left', role = 'member' where account = :id and state = 'inside'",
    "update post_count set n = n - 1 where exists (select 1 from reaction r where r.account = :id"
    " and r.post = post_count.post and r.what = post_count.what)",
    "delete from reaction where account = :id or post in (select id from post where author = :id)",
    "delete from message_reaction where account = :id",
    _COUNTED_LESS,
    "delete from post_count where post in (select id from post where author = :id)",
    "update post set body = null, mentions = '[]', pictures = null, emotext = null, deleted_at = :now"
    " where author = :id and deleted_at is null",
    # Of a line that was a picture nothing is left.
    "update message set pictures = null, deleted_at = case when body = '' then :now else deleted_at end"
    " where id in (select ref from picture where account = :id and kind = 'message')",
    "delete from picture where account = :id",
    "delete from emotext_preview where account = :id",
    # The handles stay reserved, for nobody in particular.
    "update handle set account = '' where account = :id",
    "update account set handle = id, name = '', bio = '', links = '[]', status = '', terms = '', state = 'erased',"
    " state_at = :now, erase_at = null where id = :id",
)


def erase(tx: Tx, account: str) -> None:
    """Take everything personal of an account out of the tables."""
    search.drop(tx, search.ACCOUNT, account)
    search.drop_posts_of(tx, account)
    for statement in _ERASE:
        needs_now = ":now" in statement
        tx.rows(statement, id=account, **({"now": tx.now_ms()} if needs_now else {}))
