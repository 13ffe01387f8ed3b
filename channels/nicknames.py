"""あだ名: what one calls somebody, for oneself alone (FEATURES §2).

What always holds: nobody else learns of one; it is kept whatever becomes of how two stand to each other, until it is taken back
or one of them is erased.
"""

from __future__ import annotations

from channels.cards import sight_of
from channels.desk import Actor, Desk
from channels.entries import emit, nickname_changed
from channels.rules.accounts import Sight
from realtime import relations as n
from realtime.errors import Refusal
from realtime.requests import Empty
from realtime.text import NAME_LIMIT, clean_name
from storage import nicknames
from storage.database import Tx


async def put(desk: Desk, actor: Actor, request: n.NicknamePut) -> n.Nickname:
    """Call somebody so; an empty name takes it back. Errors: `not_found`, `forbidden` (oneself), `text_*`, `full`."""
    limits = desk.settings.limits
    me, other = actor.account, request.account
    if me == other:
        raise Refusal("forbidden", "This is for others.", at="$.account")
    name = clean_name(request.name, NAME_LIMIT) if request.name.strip() else ""

    def unit(tx: Tx) -> n.Nickname:
        if name:
            if sight_of(tx, me, other) is Sight.NOTHING:
                raise Refusal("not_found")
            if nicknames.count_nicknames(tx, me, besides=other) >= limits.nicknames_max:
                raise Refusal("full", "You have named as many as one can.", limit=limits.nicknames_max)
            nicknames.put_nickname(tx, me, other, name)
        else:
            nicknames.drop_nickname(tx, me, other)
        emit(tx, [nickname_changed(me, other, name)])
        return n.Nickname(account=other, name=name)

    return await desk.db.write(unit)


async def list_nicknames(desk: Desk, actor: Actor, request: Empty) -> n.Nicknames:
    """All of them."""
    found = await desk.db.read(lambda tx: nicknames.nicknames_of(tx, actor.account))
    return n.Nicknames(nicknames=[n.Nickname(account=account, name=name) for account, name in found])
