"""Short ways to let people follow, block and look at each other: what tests about relations share."""

from __future__ import annotations

import pytest

from channels import profiles, relations
from channels.desk import Actor
from realtime import relations as n
from realtime.errors import Refusal
from realtime.parcels import Audience
from realtime.relations import FollowLists, FollowState
from realtime.requests import (
    AccountGet,
)
from tests.support.world import World

NOBODY = "0" * 26


async def block(world: World, actor: Actor, other: Actor) -> None:
    await relations.block_add(world.desk, actor, n.AccountRef(account=other.account))


async def unblock(world: World, actor: Actor, other: Actor) -> None:
    await relations.block_remove(world.desk, actor, n.AccountRef(account=other.account))


async def asks(world: World, actor: Actor, other: Actor) -> FollowState:
    return (await relations.follow_add(world.desk, actor, n.AccountRef(account=other.account))).state


async def profile(world: World, actor: Actor, other: Actor) -> n.Profile:
    return await profiles.get(world.desk, actor, AccountGet(account=other.account))


async def code(work: object) -> str:
    """The code of a refusal."""
    with pytest.raises(Refusal) as refused:
        await work  # type: ignore[misc]  # any use case
    return refused.value.code


async def people(world: World, actor: Actor, which: FollowLists, of: Actor | None = None) -> set[str]:
    request = n.FollowList(which=which, account=of.account if of else None)
    return {card.handle for card in (await relations.follow_list(world.desk, actor, request)).accounts}


def inbox(world: World, actor: Actor) -> list[str]:
    told = world.of(f"user:{actor.account}")
    return [parcel.kind for parcel in told if parcel.audience is not Audience.NOBODY]
