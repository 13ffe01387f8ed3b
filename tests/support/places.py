"""Short ways to found, join and post, for use-case tests."""

from __future__ import annotations

from typing import Any

from channels import communities, posts, timelines
from channels.desk import Actor
from realtime import posts as p
from realtime.requests import Done
from tests.support.world import World


async def found(world: World, actor: Actor, *others: Actor, name: str = "電車") -> p.Community:
    """A community, with others inside."""
    made = await communities.create(
        world.desk, actor, p.CommunityCreate(name=name, purpose="窓から見る", nonce=world.nonce)
    )
    for other in others:
        await join(world, other, made.id)
    return await communities.get(world.desk, actor, p.CommunityRef(community=made.id))


async def join(world: World, actor: Actor, community: str) -> p.Community:
    """Be inside."""
    return await communities.join(world.desk, actor, p.CommunityRef(community=community))


async def leave(world: World, actor: Actor, community: str) -> Done:
    """Be outside."""
    return await communities.leave(world.desk, actor, p.CommunityRef(community=community))


async def post(
    world: World,
    actor: Actor,
    community: str | None,
    text: str = "海が見えた",
    nonce: str = "",
    **fields: Any,
) -> p.Posted:
    """Say it: to a community, or to whoever follows."""
    request = p.PostCreate(community=community, text=text, nonce=nonce or world.nonce, **fields)
    return await posts.create(world.desk, actor, request)


async def page(world: World, viewer: Actor, which: p.Timeline, **fields: Any) -> p.PostPage:
    """A page of any timeline."""
    return await timelines.list_posts(world.desk, viewer, p.TimelineList(which=which, **fields))


async def follow_texts(world: World, viewer: Actor) -> list[str]:
    """The newest of a viewer's Follow timeline."""
    return [each.text for each in (await page(world, viewer, p.Timeline.FOLLOW)).posts]


async def profile_texts(world: World, viewer: Actor, author: Actor) -> list[str]:
    """The newest posts of somebody, as a viewer reads them on the profile."""
    found = await page(world, viewer, p.Timeline.PROFILE, account=author.account)
    return [each.text for each in found.posts]


async def timeline(world: World, viewer: Actor, community: str, **fields: int) -> p.PostPage:
    """A page as a viewer sees it."""
    request = p.TimelineList(community=community, **fields)  # type: ignore[arg-type]  # fields of the request
    return await timelines.list_posts(world.desk, viewer, request)


async def texts(world: World, viewer: Actor, community: str) -> list[str]:
    """The newest posts as a viewer sees them."""
    return [each.text for each in (await timeline(world, viewer, community)).posts]


async def got(world: World, viewer: Actor, *ids: str) -> list[str]:
    """Which of some posts a viewer gets by their ids."""
    return [each.id for each in (await posts.get(world.desk, viewer, p.PostGet(posts=list(ids)))).posts]


async def take_back(world: World, actor: Actor, post: str) -> Done:
    """Delete a post."""
    return await posts.delete(world.desk, actor, p.PostRef(post=post))
