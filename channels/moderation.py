"""Reports and words to the operators. Evidence is copied when the report is made (FEATURES §9)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import orjson

from channels.cards import sight_of
from channels.desk import Actor, Desk
from channels.entries import message_view
from channels.once import Key, once
from channels.requests import check
from channels.rules.accounts import Sight
from channels.rules.rooms import Act, verdict
from channels.send import facts_of
from realtime import relations as n
from realtime.errors import Refusal
from realtime.settings import Limits
from realtime.text import TextLimit, clean_optional, clean_text
from storage import moderation
from storage.communities import community_by_id
from storage.database import Tx
from storage.messages import Window, messages_by_id, page
from storage.moderation import ReportRow
from storage.profiles import profile_by_id
from storage.rooms import member, room_by_id
from storage.rows import MemberRow, MessageRow, RoomRow
from storage.timelines import visible_posts

AROUND = 10
WORDS_BYTES_MAX = 8 * 1024
DAY_MS = 86_400_000
SEQ_END = 2**53


async def report(desk: Desk, actor: Actor, request: n.ReportCreate) -> n.Filed:
    """Report what one may see, also of people one blocks. Errors: `not_found`, `not_member`, `text_*`, `conflict`,
    `rate_limited`."""
    words = clean_optional(request.words, _words(desk))

    def work(tx: Tx) -> n.Filed:
        _check_often(tx, desk, actor)
        evidence = orjson.dumps(_evidence(tx, actor.account, request)).decode()
        made = tx.new_id()
        row = ReportRow(
            made,
            actor.account,
            request.kind,
            request.target,
            request.reason,
            words,
            evidence,
            "open",
            tx.now_ms(),
        )
        moderation.insert_report(tx, row)
        return n.Filed(id=made)

    key = Key(actor.account, "report.create", request.nonce)
    return await desk.db.write(lambda tx: once(tx, key, request, lambda: work(tx), n.Filed))


async def open_support(desk: Desk, actor: Actor, request: n.SupportOpen) -> n.Filed:
    """Write to the operators. Errors: `text_*`, `conflict`, `rate_limited`."""
    words = clean_text(request.words, _words(desk))

    def work(tx: Tx) -> n.Filed:
        _check_often(tx, desk, actor)
        return n.Filed(id=moderation.insert_support(tx, actor.account, words, request.request_id))

    key = Key(actor.account, "support.open", request.nonce)
    return await desk.db.write(lambda tx: once(tx, key, request, lambda: work(tx), n.Filed))


def _words(desk: Desk) -> TextLimit:
    return TextLimit(desk.settings.limits.report_graphemes_max, WORDS_BYTES_MAX)


def _check_often(tx: Tx, desk: Desk, actor: Actor) -> None:
    limits: Limits = desk.settings.limits
    if moderation.count_filed_since(tx, actor.account, tx.now_ms() - DAY_MS) >= limits.reports_per_day_max:
        raise Refusal("rate_limited", "No more today.", retry_ms=3_600_000, limit=limits.reports_per_day_max)


def _evidence(tx: Tx, me: str, request: n.ReportCreate) -> dict[str, object]:
    """What the reported thing looks like now, to its reporter. Errors: `not_found`, `not_member`."""
    match request.kind:
        case n.ReportKind.ACCOUNT:
            return _profile(tx, me, request.target)
        case n.ReportKind.ROOM:
            room, mine = _place(tx, me, request.target, Act.KNOW)
            lines: Sequence[MessageRow] = []
            if verdict(Act.READ, facts_of(room, mine, me)) is None:
                lines = page(tx, room.id, me, Window(mine.from_seq, SEQ_END, True, 2 * AROUND))
            return {**_room(room), "lines": _lines(lines)}
        case n.ReportKind.MESSAGE:
            return _message(tx, me, request.target)
        case n.ReportKind.POST:
            return _post(tx, me, request.target)
        case n.ReportKind.COMMUNITY:
            place = community_by_id(tx, request.target)
            if place is None:
                raise Refusal("not_found")
            return {
                "community": {name: getattr(place, name) for name in ("id", "name", "purpose", "creator")}
            }


def _profile(tx: Tx, me: str, account: str) -> dict[str, object]:
    if account == me or sight_of(tx, me, account) is not Sight.WHOLE:
        raise Refusal("not_found")
    row = profile_by_id(tx, account)
    assert row is not None
    shown = ("id", "handle", "name", "bio", "links", "status")
    return {"account": {name: getattr(row, name) for name in shown}}


def _message(tx: Tx, me: str, message: str) -> dict[str, object]:
    row = messages_by_id(tx, [message]).get(message)
    if row is None or row.deleted_at is not None:
        raise Refusal("not_found")
    room, mine = _place(tx, me, row.room, Act.READ)
    if row.seq <= mine.from_seq or row.only_for not in (None, me):
        raise Refusal("not_found")
    before = page(tx, room.id, me, Window(mine.from_seq, row.seq, True, AROUND))
    after = page(tx, room.id, me, Window(row.seq, SEQ_END, False, AROUND))
    return {**_room(room), "message": row.id, "lines": _lines([*before, row, *after])}


def _post(tx: Tx, me: str, post: str) -> dict[str, object]:
    """The post, and what it answers, quotes or passes on as far as its reporter may see that."""
    row = visible_posts(tx, me, [post]).get(post)
    if row is None or row.author == me:
        raise Refusal("not_found")
    others = [other for other in (row.reply_to, row.quote_of, row.repost_of) if other is not None]
    shown = [row, *visible_posts(tx, me, others).values()]
    fields = (
        "id",
        "home",
        "author",
        "at",
        "body",
        "reply_to",
        "quote_of",
        "repost_of",
        "mask",
        "pictures",
        "emotext",
    )
    return {"post": row.id, "posts": [{name: getattr(each, name) for name in fields} for each in shown]}


def _place(tx: Tx, me: str, room_id: str, act: Act) -> tuple[RoomRow, MemberRow]:
    room, mine = room_by_id(tx, room_id), member(tx, room_id, me)
    if room is None:
        raise Refusal("not_found")
    check(verdict(act, facts_of(room, mine, me)))
    assert mine is not None
    return room, mine


def _room(room: RoomRow) -> dict[str, object]:
    return {"room": {"id": room.id, "kind": room.kind, "title": room.title, "creator": room.creator}}


def _lines(rows: Sequence[MessageRow]) -> list[object]:
    return [msgspec.to_builtins(message_view(row)) for row in rows]
