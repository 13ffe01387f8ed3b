"""Signals: who may send something fleeting to a channel, and what is on a screen beside one's own (WIRE §1, §3)."""

from __future__ import annotations

from collections.abc import Iterable

from channels.desk import Actor, Desk
from channels.requests import check
from channels.rules.accounts import HERE
from channels.rules.communities import Act as CommunityAct
from channels.rules.communities import Facts as CommunityFacts
from channels.rules.communities import verdict as community_verdict
from channels.rules.rooms import Act, verdict
from channels.send import check_peer, facts_of, other_of
from realtime.errors import Refusal
from realtime.ids import AUTHOR, COMMUNITY, ROOM, author_channel, community_channel
from realtime.models import RoomKind
from storage import log
from storage.accounts import account_by_id
from storage.communities import communities_by_id, community_member
from storage.database import Tx
from storage.relations import between, closed_to
from storage.rooms import member, room_by_id


async def may_signal(desk: Desk, actor: Actor, channel: str) -> bool:
    """Raises `Refusal` if this account may not write to the channel. True if the answer stands for as long as the account
    hears the channel; False where something else (a block, a closed account) may change it. Errors: `not_found`,
    `not_member`, `forbidden`, `blocked`."""
    if channel.startswith(ROOM):
        return await desk.db.read(lambda tx: _room(tx, actor.account, channel.removeprefix(ROOM)))
    if channel.startswith(COMMUNITY):
        return await desk.db.read(lambda tx: _community(tx, actor.account, channel.removeprefix(COMMUNITY)))
    raise Refusal("not_found", "There is no such channel to write to.", at="$.ch")


def _room(tx: Tx, me: str, room_id: str) -> bool:
    room = room_by_id(tx, room_id)
    if room is None:
        raise Refusal("not_found")
    check(verdict(Act.SIGNAL, facts_of(room, member(tx, room.id, me), me)))
    if room.kind == RoomKind.GROUP:
        return True
    pair = (me, other_of(room, me))
    refused = check_peer(between(tx, [pair]).get(pair))
    if refused is not None:
        raise refused
    return False


def _community(tx: Tx, me: str, community: str) -> bool:
    if community not in communities_by_id(tx, [community]):
        raise Refusal("not_found")
    mine = community_member(tx, community, me)
    check(community_verdict(CommunityAct.POST, CommunityFacts(mine is not None and mine.state == "inside")))
    author = account_by_id(tx, me)
    if author is None or author.state not in HERE:
        raise Refusal("forbidden", "Nobody sees you now: show yourself first.", reason="hidden")
    return True


def readable(tx: Tx, viewer: str, names: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Those of some channels that an account may read whether it is inside or not: communities, and authors who are here
    and public (or followed) and not apart from the viewer. Name → (newest seq, 0)."""
    wanted = list(names)
    places = [name.removeprefix(COMMUNITY) for name in wanted if name.startswith(COMMUNITY)]
    authors = [name.removeprefix(AUTHOR) for name in wanted if name.startswith(AUTHOR)]
    found = [community_channel(place) for place in communities_by_id(tx, places)]
    if authors:
        closed = closed_to(tx, viewer, authors)
        for (_, author), how in between(tx, [(viewer, author) for author in authors]).items():
            if how.state in HERE and not (how.blocks or how.blocked) and author not in closed:
                found.append(author_channel(author))
    return {name: (top, 0) for name, top in log.tops(tx, found).items()}
