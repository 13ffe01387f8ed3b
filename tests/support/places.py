"""Short ways to found, join and post, for use-case tests."""

from __future__ import annotations

from channels import communities, posts
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
    world: World, actor: Actor, community: str, text: str = "海が見えた", nonce: str = ""
) -> p.Posted:
    """Say it."""
    request = p.PostCreate(community=community, text=text, nonce=nonce or world.nonce)
    return await posts.create(world.desk, actor, request)


async def timeline(world: World, viewer: Actor, community: str, **fields: int) -> p.PostPage:
    """A page as a viewer sees it."""
    request = p.TimelineList(community=community, **fields)  # type: ignore[arg-type]  # fields of the request
    return await posts.timeline(world.desk, viewer, request)


async def texts(world: World, viewer: Actor, community: str) -> list[str]:
    """The newest posts as a viewer sees them."""
    return [each.text for each in (await timeline(world, viewer, community)).posts]


async def got(world: World, viewer: Actor, *ids: str) -> list[str]:
    """Which of some posts a viewer gets by their ids."""
    return [each.id for each in (await posts.get(world.desk, viewer, p.PostGet(posts=list(ids)))).posts]


async def take_back(world: World, actor: Actor, post: str) -> Done:
    """Delete a post."""
    return await posts.delete(world.desk, actor, p.PostRef(post=post))
