"""Crowds: people made by hand for load tests and benchmarks, in circles of friends with rooms of their own.

Called by the command line. Everything goes through the use cases, so a crowd is nothing that could not have come by
itself.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass

from channels import accounts, communities, rooms
from channels.accounts import NewAccount
from channels.desk import Actor, Desk
from realtime.posts import CommunityCreate, CommunityRef
from realtime.requests import RoomCreate
from storage.database import Tx

BATCH = 200
CIRCLE_IN_A_ROOM_MAX = 150
"""So many people a group holds (FEATURES §6)."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """`people` in circles of `circle` friends; each circle has `rooms` groups that all of it are in, and everybody is inside
    `communities` public communities. Handles begin with `prefix` and end in a number."""

    people: int
    circle: int
    rooms: int = 1
    communities: int = 0
    prefix: str = "load"
    follows: str = "first"
    """`first`: everybody and the first of a circle follow each other; `all`: everybody everybody."""


@dataclass(frozen=True, slots=True)
class Circle:
    """Friends, the ids of their rooms, and those of the communities that all circles share."""

    members: list[NewAccount]
    rooms: list[str]
    communities: list[str]


async def gather(desk: Desk, crowd: Crowd, tell: Callable[[Circle], None]) -> None:
    """Make a crowd; each circle is told as soon as it is whole. Errors: `handle_taken` when the prefix was used."""
    places: list[str] = []
    for first in range(0, crowd.people, crowd.circle):
        numbers = range(first, min(crowd.people, first + crowd.circle))
        members = await desk.db.write(lambda tx, n=numbers: _people(tx, crowd.prefix, n))  # type: ignore[misc]  # bound now
        await _befriend(desk, members, every=crowd.follows == "all")
        founder, *others = members
        made = []
        for number in range(crowd.rooms):
            request = RoomCreate(
                title=f"{crowd.prefix} {first // crowd.circle}.{number}",
                nonce=f"{crowd.prefix}-{number}",
                accounts=[other.account.id for other in others],
            )
            made.append((await rooms.create(desk, Actor(founder.account.id, founder.session), request)).id)
        places = places or await _found(desk, crowd, founder)
        await _enter(desk, places, members)
        tell(Circle(members, made, places))


def _people(tx: Tx, prefix: str, numbers: range) -> list[NewAccount]:
    return [accounts.create_account(tx, f"{prefix}_{n}", "", "load test") for n in numbers]


async def _found(desk: Desk, crowd: Crowd, founder: NewAccount) -> list[str]:
    actor = Actor(founder.account.id, founder.session)
    requests = [
        CommunityCreate(name=f"{crowd.prefix} {number}", nonce=f"{crowd.prefix}-c{number}")
        for number in range(crowd.communities)
    ]
    return [(await communities.create(desk, actor, request)).id for request in requests]


async def _enter(desk: Desk, places: list[str], members: list[NewAccount]) -> None:
    for place in places:
        request = CommunityRef(community=place)
        await asyncio.gather(
            *(communities.join(desk, Actor(one.account.id, one.session), request) for one in members)
        )


async def _befriend(desk: Desk, members: list[NewAccount], *, every: bool) -> None:
    """The first is friends with all: enough to bring them into a room, and no more rows than that; or all with all."""
    handles = [member.account.handle for member in members]

    def unit(tx: Tx, pairs: list[tuple[str, str]]) -> None:
        for one, other in pairs:
            accounts.follow(tx, one, other)
            accounts.follow(tx, other, one)

    friends = (
        list(itertools.combinations(handles, 2)) if every else [(handles[0], each) for each in handles[1:]]
    )
    for start in range(0, len(friends), BATCH):
        await desk.db.write(lambda tx, s=start: unit(tx, friends[s : s + BATCH]))  # type: ignore[misc]  # bound now
