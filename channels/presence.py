"""Exceptions to whom one's presence is shown (FEATURES §7).

What always holds: nobody is told of an exception; the nodes learn that something has changed, never what.
"""

from __future__ import annotations

from channels.cards import account_card, gone_card, sight_of
from channels.desk import Actor, Desk
from channels.entries import emit, presence_ruled
from channels.rules.accounts import Sight
from realtime import presence as p
from realtime.errors import Refusal
from realtime.requests import Done
from storage import presence
from storage.accounts import account_by_id, accounts_by_id
from storage.database import Tx
from storage.relations import blocks_among


async def put_exception(desk: Desk, actor: Actor, request: p.PresenceExcept) -> Done:
    """Show, hide, or neither. Errors: `not_found`, `forbidden`, `full`."""
    me, other = actor.account, request.account
    if me == other:
        raise Refusal("forbidden", "This is for others.", at="$.account")

    def unit(tx: Tx) -> Done:
        if account_by_id(tx, other) is None:
            raise Refusal("not_found")
        before = presence.exception(tx, me, other)
        if before == request.shown:
            return Done()
        if request.shown is None:
            presence.drop_exception(tx, me, other)
        else:
            most = desk.settings.limits.blocks_max
            if before is None and presence.count_exceptions(tx, me) >= most:
                raise Refusal("full", "The list is full.", limit=most)
            presence.put_exception(tx, me, other, shown=request.shown)
        emit(tx, [presence_ruled(me)])
        return Done()

    return await desk.db.write(unit)


async def list_exceptions(desk: Desk, actor: Actor, request: p.PresenceExceptions) -> p.PresenceExceptionPage:
    """A page of one's own exceptions; whoever blocks one looks as if they were gone."""

    def unit(tx: Tx) -> p.PresenceExceptionPage:
        me = actor.account
        found = presence.exceptions_of(tx, me, request.after or "", request.limit + 1)
        shown = found[: request.limit]
        people = [other for other, _ in shown]
        accounts = accounts_by_id(tx, people)
        _, hiding = blocks_among(tx, me, people)
        return p.PresenceExceptionPage(
            exceptions=[
                p.PresenceException(
                    account=gone_card(other) if other in hiding else account_card(accounts[other]), shown=yes
                )
                for other, yes in shown
            ],
            next=shown[-1][0] if len(found) > len(shown) else None,
        )

    return await desk.db.read(unit)


async def check_found(desk: Desk, actor: Actor, account: str) -> None:
    """Whether one may ask how somebody sees one. Errors: `not_found`."""
    if await desk.db.read(lambda tx: sight_of(tx, actor.account, account)) is not Sight.WHOLE:
        raise Refusal("not_found", at="$.account")
