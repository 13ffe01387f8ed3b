"""Notifications read: one's list by page, how far one has read, what one wants to be told of (FEATURES §8).

What always holds: a badge counts what the list shows as unread, because both ask the same conditions; who and what is in a
line is judged when it is read. They are left by `channels.telling`.
"""

from __future__ import annotations

from collections.abc import Iterable

from channels.cards import account_card
from channels.desk import Actor, Desk
from channels.telling import DAY_MS, badge_touched
from realtime import notifications as n
from realtime.ids import inbox_channel
from realtime.posts import Mask
from realtime.requests import Empty
from storage import log
from storage import notifications as store
from storage.accounts import accounts_by_id
from storage.communities import communities_by_id
from storage.database import Tx
from storage.notifications import ActorRow, ReadRow
from storage.timelines import visible_posts

PLACE_END = 2**53
FORGOTTEN_AT_ONCE = 500
TRIMMED_AT_ONCE = 20


async def list_notifications(desk: Desk, actor: Actor, request: n.NotificationList) -> n.NotificationPage:
    """A page of what others did, the newest first."""

    def unit(tx: Tx) -> n.NotificationPage:
        me = actor.account
        before = PLACE_END if request.before is None else request.before
        rows = store.page(tx, me, before, request.limit + 1)
        shown = rows[: request.limit]
        return n.NotificationPage(
            notifications=_shown(tx, me, shown) if shown else [],
            next=shown[-1].line.place if len(rows) > len(shown) else None,
            badge=_badges(tx, [me])[me],
        )

    return await desk.db.read(unit)


def _shown(tx: Tx, me: str, rows: list[ReadRow]) -> list[n.Notification]:
    lines = [row.line for row in rows]
    actors = store.newest_actors(tx, me, lines)
    people = accounts_by_id(tx, [each.actor for found in actors.values() for each in found])
    posts = visible_posts(tx, me, [line.post for line in lines if line.post])
    places = communities_by_id(tx, [line.community for line in lines if line.community])

    def one(row: ReadRow) -> n.Notification:
        line = row.line
        inside: list[ActorRow] = actors.get((line.kind, line.subject), [])
        post = posts.get(line.post or "")
        place = places.get(line.community or "")
        mask = Mask(post.mask) if post is not None and post.mask else None
        return n.Notification(
            id=line.id,
            place=line.place,
            kind=n.NotificationKind(line.kind),
            at=max((each.at for each in inside), default=0),
            unread=row.unread,
            actors=[account_card(people[each.actor]) for each in inside],
            count=row.people,
            post=line.post,
            community=line.community,
            room=line.room,
            text="" if post is None or mask else post.body or "",
            mask=mask,
            name=place.name if place else "",
        )

    return [one(row) for row in rows]


async def mark_read(desk: Desk, actor: Actor, request: n.NotificationRead) -> n.Badge:
    """Everything up to a place was seen; the other devices are told."""

    def unit(tx: Tx) -> n.Badge:
        me = actor.account
        # What is being left right now gets a higher place, or is there already.
        log.lock(tx, [inbox_channel(me)])
        if store.move_upto(tx, me, request.upto):
            badge_touched(tx, [me])
        return _badges(tx, [me])[me]

    return await desk.db.write(unit)


async def get(desk: Desk, actor: Actor, request: Empty) -> n.NotificationSwitches:
    """Which kinds one is told of."""
    return await desk.db.read(lambda tx: _switches(tx, actor.account))


async def update(desk: Desk, actor: Actor, request: n.NotificationUpdate) -> n.NotificationSwitches:
    """Be told of a kind from now on, or no more; what stands in the list stays there."""

    def unit(tx: Tx) -> n.NotificationSwitches:
        log.lock(tx, [inbox_channel(actor.account)])
        store.switch(tx, actor.account, request.kind, on=request.on)
        return _switches(tx, actor.account)

    return await desk.db.write(unit)


def _switches(tx: Tx, account: str) -> n.NotificationSwitches:
    off = store.switched_off(tx, account)
    return n.NotificationSwitches(
        switches=[n.NotificationSwitch(kind=kind, on=kind.value not in off) for kind in n.NotificationKind]
    )


async def badges_now(desk: Desk, accounts: Iterable[str]) -> tuple[int, dict[str, n.Badge]]:
    """What waits for some accounts as of now, and that moment by the database's clock."""
    return await desk.db.read(lambda tx: (tx.now_ms(), _badges(tx, accounts)))


def _badges(tx: Tx, accounts: Iterable[str]) -> dict[str, n.Badge]:
    found = store.badges_of(tx, accounts)
    return {account: n.Badge(**row._asdict()) for account, row in found.items()}


# Upkeep: each a short step, True while there is more of it to do


async def forget_old(desk: Desk) -> bool:
    """Forget what is older than the setting."""
    age_ms = desk.settings.notification_days * DAY_MS

    def unit(tx: Tx) -> bool:
        old = store.older(tx, tx.now_ms() - age_ms, FORGOTTEN_AT_ONCE)
        log.lock(tx, (inbox_channel(key[0]) for key in old))
        store.forget(tx, old)
        return len(old) == FORGOTTEN_AT_ONCE

    return await desk.db.write(unit)


async def trim_grown(desk: Desk) -> bool:
    """Keep what an account may have at most."""

    def unit(tx: Tx) -> bool:
        grown = store.grown(tx, TRIMMED_AT_ONCE)
        log.lock(tx, map(inbox_channel, grown))
        for account in grown:
            store.trim(tx, account, desk.settings.limits.notifications_max)
        return len(grown) == TRIMMED_AT_ONCE

    return await desk.db.write(unit)
