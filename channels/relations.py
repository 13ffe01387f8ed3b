"""Follow, block, mute: how people stand to each other (FEATURES §1, §2, §9).

A block is mutual and at once: afterwards neither finds the other, and to the blocked person everything they do looks as
it does towards somebody who never answers. Whoever changes how two stand to each other holds the inboxes of both (and
their DM) locked, and so does whoever acts on it: a block that is acknowledged is obeyed by everything after it.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from hashlib import sha256

from channels.accounts import begin_follow
from channels.cards import account_card, gone_card, sight_of
from channels.desk import Actor, Desk
from channels.entries import emit, follow_told, stand_apart, stand_together, standing_changed
from channels.entry import Entry
from channels.post_entries import follower_left, following
from channels.requests import standing_between
from channels.rules.accounts import HERE, Sight
from channels.telling import Told, badge_touched, day_of, tell
from realtime import relations as n
from realtime.errors import Refusal
from realtime.ids import AUTHOR, author_channel, inbox_channel, room_channel
from realtime.models import AccountCard, MemberState, RoomState
from realtime.notifications import NotificationKind
from realtime.requests import Done
from storage import log, relations
from storage.accounts import account_by_id, accounts_by_id, followed_among, followers_among
from storage.database import Tx
from storage.profiles import profile_by_id
from storage.rooms import member, put_members, room_of_pair
from storage.rows import RoomRow, pair_of

# Follow


async def follow_add(desk: Desk, actor: Actor, request: n.AccountRef) -> n.Followed:
    """Follow, or ask to. Errors: `not_found`, `forbidden`, `blocked`, `full`."""
    most = desk.settings.limits.follows_max

    def unit(tx: Tx) -> n.Followed:
        me, other = actor.account, request.account
        _not_me(me, other)
        _lock_both(tx, me, other)
        if sight_of(tx, me, other) is not Sight.WHOLE:
            raise Refusal("not_found")
        if standing_between(tx, me, other).blocks:
            raise Refusal("blocked")
        if followed_among(tx, me, [other]):
            return n.Followed(state=n.FollowState.FOLLOWING)
        if relations.count_follows(tx, me) >= most:
            raise Refusal("full", "You follow as many as one can.", limit=most)
        target, myself = profile_by_id(tx, other), account_by_id(tx, me)
        assert target is not None
        assert myself is not None
        if myself.state not in HERE:
            raise Refusal("forbidden", "You are hidden; show yourself first.", reason="hidden")
        if target.private:
            if relations.ask_follow(tx, me, other):
                emit(tx, [follow_told("follow.requested", other, myself)])
                tell(tx, [Told(other, me, NotificationKind.FOLLOW_REQUEST, me)])
            return n.Followed(state=n.FollowState.REQUESTED)
        relations.drop_request(tx, me, other)
        begin_follow(tx, me, other)
        emit(tx, [follow_told("follow.added", other, myself)])
        tell(tx, [Told(other, me, NotificationKind.FOLLOW, day_of(tx))])
        return n.Followed(state=n.FollowState.FOLLOWING)

    return await desk.db.write(unit)


async def follow_remove(desk: Desk, actor: Actor, request: n.AccountRef) -> Done:
    """Follow no more, ask no more. Nobody is told, and an unknown account is no error."""

    def unit(tx: Tx) -> Done:
        me, other = actor.account, request.account
        if account_by_id(tx, other) is None:
            return Done()
        log.lock_made(tx, [author_channel(other), inbox_channel(me)], AUTHOR)
        if relations.drop_follow(tx, me, other):
            emit(tx, [follower_left(other, me), following("follow.ended", me, other, 0)])
        relations.drop_request(tx, me, other)
        badge_touched(tx, [other])
        return Done()

    return await desk.db.write(unit)


async def follow_accept(desk: Desk, actor: Actor, request: n.AccountRef) -> Done:
    """Let somebody follow who has asked to; they are told. Errors: `not_found`."""

    def unit(tx: Tx) -> Done:
        me, other = actor.account, request.account
        _lock_both(tx, me, other)
        if not relations.grant_request(tx, other, me):
            raise Refusal("not_found")
        myself = account_by_id(tx, me)
        assert myself is not None
        begin_follow(tx, other, me)
        emit(tx, [follow_told("follow.accepted", other, myself)])
        tell(tx, [Told(other, me, NotificationKind.FOLLOW_ACCEPTED, me)])
        badge_touched(tx, [me])
        return Done()

    return await desk.db.write(unit)


async def follow_decline(desk: Desk, actor: Actor, request: n.AccountRef) -> Done:
    """Let a request to follow go; nobody is told, and to whoever asked it goes on waiting. Errors: `not_found`."""

    def unit(tx: Tx) -> Done:
        if not relations.decline_request(tx, request.account, actor.account):
            raise Refusal("not_found")
        badge_touched(tx, [actor.account])
        return Done()

    return await desk.db.write(unit)


async def follow_list(desk: Desk, actor: Actor, request: n.FollowList) -> n.People:
    """A page of people in an order that tells nothing. Errors: `not_found`, `forbidden`."""

    def unit(tx: Tx) -> n.People:
        me, owner = actor.account, request.account or actor.account
        if owner != me:
            if sight_of(tx, me, owner) is not Sight.WHOLE:
                raise Refusal("not_found")
            mutual = followed_among(tx, me, [owner]) and followers_among(tx, me, [owner])
            if not mutual or request.which is n.FollowLists.REQUESTS:
                raise Refusal("forbidden", "Lists are shown to those who follow each other.")
        found = relations.people_of(tx, request.which, owner, me)
        shuffled = sorted((_place(desk, owner, account), account) for account in found)
        rest = [row for row in shuffled if row[0] > (request.after or "")]
        shown = rest[: request.limit]
        accounts = accounts_by_id(tx, [account for _, account in shown])
        return n.People(
            accounts=[account_card(accounts[account]) for _, account in shown],
            next=shown[-1][0] if len(rest) > len(shown) else None,
        )

    return await desk.db.read(unit)


def _place(desk: Desk, owner: str, account: str) -> str:
    """Where somebody stands in a list: by a keyed hash, so that neither time nor anything else shows."""
    return hmac.new(desk.secret.encode(), f"list:{owner}:{account}".encode(), sha256).hexdigest()[:32]


# Block


async def block_add(desk: Desk, actor: Actor, request: n.AccountRef) -> Done:
    """Block an account, whether or not it can be seen. Errors: `not_found`, `forbidden`, `full`."""
    me, other = actor.account, request.account
    _not_me(me, other)

    def unit(tx: Tx) -> str | None:
        room = room_of_pair(tx, pair_of(me, other))
        _lock_both(tx, me, other, room)
        _check_mark(tx, desk, "block", actor, other)
        if relations.add_mark(tx, "block", me, other):
            followed = followed_among(tx, me, [other])
            relations.part(tx, me, other)
            # What one follows no more is told; the other one's inbox says nothing.
            emit(tx, [stand_apart(me, other), *(following("follow.ended", me, each, 0) for each in followed)])
            badge_touched(tx, [me])
        met = room_of_pair(tx, pair_of(me, other))
        if met is None:
            return None
        _put_away(tx, me, met)
        # A DM that came into being meanwhile is not locked: somebody may be speaking there.
        return met.id if room is None else None

    late = await desk.db.write(unit)
    if late is not None:
        # Wait for whoever began to speak before the block stood; those who begin now obey it.
        await desk.db.write(lambda tx: log.lock(tx, [room_channel(late)]))
    return Done()


def _put_away(tx: Tx, me: str, room: RoomRow) -> None:
    """A request of the blocked one that waits here is declined, which its sender cannot tell."""
    mine = member(tx, room.id, me)
    if mine is not None and mine.state == MemberState.REQUESTED and room.state == RoomState.REQUEST:
        put_members(tx, [mine._replace(state=MemberState.DECLINED)])
        gone: list[Entry] = [standing_changed("room.left", me, room.id, 0)]
        emit(tx, gone)


async def block_remove(desk: Desk, actor: Actor, request: n.AccountRef) -> Done:
    """Block no more. What was lost does not come back by itself."""

    def unit(tx: Tx) -> Done:
        me, other = actor.account, request.account
        _lock_both(tx, me, other)
        relations.drop_mark(tx, "block", me, other)
        if not relations.apart(tx, me, other):
            emit(tx, [stand_together(me, other)])
            badge_touched(tx, [me])
        return Done()

    return await desk.db.write(unit)


async def block_list(desk: Desk, actor: Actor, request: n.PeopleList) -> n.People:
    """Whom one blocks."""
    return await _marks(desk, actor, request, "block")


# Mute


async def mute_add(desk: Desk, actor: Actor, request: n.AccountRef) -> Done:
    """Mute an account: kept for oneself. Errors: `not_found`, `forbidden`, `full`."""

    def unit(tx: Tx) -> Done:
        _not_me(actor.account, request.account)
        _check_mark(tx, desk, "mute", actor, request.account)
        relations.add_mark(tx, "mute", actor.account, request.account)
        badge_touched(tx, [actor.account])
        return Done()

    return await desk.db.write(unit)


async def mute_remove(desk: Desk, actor: Actor, request: n.AccountRef) -> Done:
    """Mute no more."""

    def unit(tx: Tx) -> Done:
        relations.drop_mark(tx, "mute", actor.account, request.account)
        badge_touched(tx, [actor.account])
        return Done()

    return await desk.db.write(unit)


async def mute_list(desk: Desk, actor: Actor, request: n.PeopleList) -> n.People:
    """Whom one mutes."""
    return await _marks(desk, actor, request, "mute")


# Inside


def _not_me(me: str, other: str) -> None:
    if me == other:
        raise Refusal("forbidden", "This is for others.", at="$.account")


def _lock_both(tx: Tx, me: str, other: str, room: RoomRow | None = None) -> None:
    rooms = [room_channel(room.id)] if room else []
    log.lock(tx, [*rooms, inbox_channel(me), inbox_channel(other)])


def _check_mark(tx: Tx, desk: Desk, kind: str, actor: Actor, other: str) -> None:
    if account_by_id(tx, other) is None:
        raise Refusal("not_found")
    most = desk.settings.limits.blocks_max
    if relations.count_marks(tx, kind, actor.account) >= most:
        raise Refusal("full", "The list is full.", limit=most)


async def _marks(desk: Desk, actor: Actor, request: n.PeopleList, kind: str) -> n.People:
    def unit(tx: Tx) -> n.People:
        me = actor.account
        found = relations.marks_of(tx, kind, me, request.after or "", request.limit + 1)
        shown = found[: request.limit]
        return n.People(accounts=_cards(tx, me, shown), next=shown[-1] if len(found) > len(shown) else None)

    return await desk.db.read(unit)


def _cards(tx: Tx, viewer: str, people: Sequence[str]) -> list[AccountCard]:
    """One's own list shows nobody who blocks one: they look as if they were gone."""
    accounts = accounts_by_id(tx, people)
    _, hiding = relations.blocks_among(tx, viewer, people)
    return [gone_card(each) if each in hiding else account_card(accounts[each]) for each in people]
