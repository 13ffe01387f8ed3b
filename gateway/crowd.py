"""Crowds: people made by hand for load tests and benchmarks, in circles of friends with rooms of their own.

Called by the command line. Everything goes through the use cases, so a crowd is nothing that could not have come by
itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from channels import accounts, rooms
from channels.accounts import NewAccount
from channels.desk import Actor, Desk
from realtime.requests import RoomCreate
from storage.database import Tx

BATCH = 200


@dataclass(frozen=True, slots=True)
class Crowd:
    """`people` in circles of `circle` friends; each circle has `rooms` groups that all of it are in. Handles begin with
    `prefix` and end in a number."""

    people: int
    circle: int
    rooms: int = 1
    prefix: str = "load"


@dataclass(frozen=True, slots=True)
class Circle:
    """Friends, and the ids of their rooms."""

    members: list[NewAccount]
    rooms: list[str]


async def gather(desk: Desk, crowd: Crowd, tell: Callable[[Circle], None]) -> None:
    """Make a crowd; each circle is told as soon as it is whole. Errors: `handle_taken` when the prefix was used."""
    for first in range(0, crowd.people, crowd.circle):
        numbers = range(first, min(crowd.people, first + crowd.circle))
        members = await desk.db.write(lambda tx, n=numbers: _people(tx, crowd.prefix, n))  # type: ignore[misc]  # bound now
        await _befriend(desk, members)
        founder, *others = members
        made = []
        for number in range(crowd.rooms):
            request = RoomCreate(
                title=f"{crowd.prefix} {first // crowd.circle}.{number}",
                nonce=f"{crowd.prefix}-{number}",
                accounts=[other.account.id for other in others],
            )
            made.append((await rooms.create(desk, Actor(founder.account.id, founder.session), request)).id)
        tell(Circle(members, made))


def _people(tx: Tx, prefix: str, numbers: range) -> list[NewAccount]:
    return [accounts.create_account(tx, f"{prefix}_{n}", "", "load test") for n in numbers]


async def _befriend(desk: Desk, members: list[NewAccount]) -> None:
    """The first is friends with all: enough to bring them into a room, and no more rows than that."""
    handles = [member.account.handle for member in members]

    def unit(tx: Tx, others: list[str]) -> None:
        for other in others:
            accounts.follow(tx, handles[0], other)
            accounts.follow(tx, other, handles[0])

    for start in range(1, len(handles), BATCH):
        await desk.db.write(lambda tx, s=start: unit(tx, handles[s : s + BATCH]))  # type: ignore[misc]  # bound now
