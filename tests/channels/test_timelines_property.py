"""Random evenings of follows, blocks, private and hidden people, communities and posts, on both databases, held against a
model of who may read what (FEATURES §3, §9).

After each step: whatever was told live may be read by whom it was told to; a reader who applies what is told to the page
they had is where a new page would be, but for what cannot be told (being blocked, others hiding); deletes win; two who
are apart read nothing of each other.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels import arrival, profiles, relations
from channels.desk import Actor
from realtime import posts as p
from realtime import relations as n
from realtime.channel import seen_by
from realtime.errors import Refusal
from realtime.parcels import Parcel
from realtime.requests import Empty
from storage.relations import apart_of
from tests.support.places import found, got, join, leave, page, post, take_back
from tests.support.relations import block, unblock
from tests.support.world import World

PEOPLE = 4
NUMBERS = itertools.count()
ACTS = (*["post"] * 5, *["follow"] * 4, *["unfollow"] * 2, "accept", "block", "unblock", "private", "public")
ACTS += ("hide", "show", "join", "join", "leave", "delete", "say", "say")
STEP = st.tuples(st.sampled_from(ACTS), st.integers(0, PEOPLE - 1), st.integers(0, PEOPLE - 1))


@dataclass(frozen=True)
class Said:
    """A post of the model. `place` is a community, or "" for the author's own channel."""

    post: str
    author: int
    place: str


@dataclass
class Model:
    """Who may read what, in as few words as it can be said."""

    follows: set[tuple[int, int]] = field(default_factory=set)
    asked: set[tuple[int, int]] = field(default_factory=set)
    blocks: set[tuple[int, int]] = field(default_factory=set)
    private: set[int] = field(default_factory=set)
    hidden: set[int] = field(default_factory=set)
    inside: set[tuple[int, str]] = field(default_factory=set)
    posts: list[Said] = field(default_factory=list)

    def begin(self, a: int, b: int) -> None:
        """a follows b."""
        self.asked.discard((a, b))
        self.follows.add((a, b))

    def end(self, a: int, b: int) -> None:
        """a neither follows b nor asks to."""
        self.asked.discard((a, b))
        self.follows.discard((a, b))

    def apart(self, a: int, b: int) -> bool:
        """Either blocks the other."""
        return (a, b) in self.blocks or (b, a) in self.blocks

    def reaches(self, author: int, viewer: int) -> bool:
        """The author exists for the viewer."""
        return author == viewer or not (author in self.hidden or self.apart(author, viewer))

    def may_read(self, viewer: int, said: Said) -> bool:
        """By id, wherever it stands."""
        if not self.reaches(said.author, viewer):
            return False
        closed = said.author in self.private and not said.place and said.author != viewer
        return not closed or (viewer, said.author) in self.follows

    def follow(self, viewer: int) -> list[str]:
        """The viewer's Follow timeline."""
        return sorted(
            said.post
            for said in self.posts
            if self.may_read(viewer, said)
            and (
                (viewer, said.place) in self.inside
                if said.place
                else said.author == viewer or (viewer, said.author) in self.follows
            )
        )


class Reader:
    """A client that reads Follow once, and applies what it is told from then on."""

    def __init__(self, number: int, actor: Actor) -> None:
        self.number, self.actor = number, actor
        self.posts: dict[str, tuple[str, str]] = {}
        self.hears: set[str] = set()

    async def load(self, world: World, channel: str) -> None:
        """A channel begins: its page."""
        kind, _, name = channel.partition(":")
        fields: dict[str, Any] = {"which": p.Timeline.PROFILE, "account": name}
        if kind == "community":
            fields = {"which": p.Timeline.COMMUNITY, "community": name}
        self.hears.add(channel)
        for each in (await page(world, self.actor, limit=100, **fields)).posts:
            self.posts[each.id] = (each.channel, each.author.id)

    def drop(self, channel: str) -> None:
        """A channel ends, and with it what stood of it."""
        self.hears.discard(channel)
        self.posts = {post: at for post, at in self.posts.items() if at[0] != channel}

    async def apply(self, world: World, frame: dict[str, Any]) -> None:
        """One push."""
        ev, d = frame["ev"], frame.get("d", {})
        match ev:
            case "follow.began":
                await self.load(world, f"author:{d['account']}")
            case "follow.ended":
                self.drop(f"author:{d['account']}")
            case "community.joined":
                await self.load(world, f"community:{d['community']}")
            case "community.left":
                self.drop(f"community:{d['community']}")
            case "post.created":
                self.posts[d["post"]["id"]] = (frame["ch"], d["post"]["author"]["id"])
            case "post.deleted":
                self.posts.pop(d["post"], None)


class Evening:
    """A world, its model, and its readers."""

    def __init__(self, world: World, people: list[Actor]) -> None:
        self.world, self.people, self.model = world, people, Model()
        self.readers = [Reader(number, actor) for number, actor in enumerate(people)]
        self.place = ""
        self.dice = random.Random(1)

    async def begin(self) -> None:
        """A community of the first, and everybody's first page (which is empty)."""
        self.place = (await found(self.world, self.people[0])).id
        self.model.inside.add((0, self.place))
        for reader in self.readers:
            await reader.load(self.world, f"author:{reader.actor.account}")
        self.readers[0].hears.add(f"community:{self.place}")

    async def act(self, step: tuple[str, int, int]) -> None:
        """One step, in the world and in the model; refused in the one, it changes nothing in the other."""
        what, a, b = step
        # What ends something ends something that is.
        standing = {"unfollow": self.model.follows, "unblock": self.model.blocks}.get(what, set())
        standing = standing or {(y, x) for x, y in self.model.asked if what == "accept"}
        if standing:
            a, b = sorted(standing)[(a * PEOPLE + b) % len(standing)]
        before = len(self.world.parcels)
        work = getattr(self, f"_{what}")
        try:
            change: Callable[[], None] | None = await work(a, b)
        except Refusal:
            change = None
        if change is not None:
            change()
        if what == "block" and change is not None:
            # Whoever blocks knows it, and takes the other out of the page.
            mine, other = self.readers[a], self.people[b].account
            mine.posts = {post: at for post, at in mine.posts.items() if at[1] != other}
        await self._told(self.world.parcels[before:])

    async def again(self) -> None:
        """Everybody reads anew: what was said while two were apart, or somebody hidden, nothing tells afterwards."""
        for reader in self.readers:
            reader.posts.clear()
            away = {self.people[other].account for other in self.model.hidden - {reader.number}}
            for channel in sorted(reader.hears):
                if channel.partition(":")[2] not in away:
                    await reader.load(self.world, channel)

    async def _told(self, parcels: list[Parcel]) -> None:
        for reader in self.readers:
            apart = frozenset(
                await self.world.desk.db.read(lambda tx, r=reader: apart_of(tx, r.actor.account))  # type: ignore[misc]  # bound now
            )
            for parcel in parcels:
                if parcel.kind == "account.back" and parcel.author in self._followed_by(reader):
                    # Nodes let followers hear, and what was missed is read by page.
                    await reader.load(self.world, f"author:{parcel.author}")
                mine = parcel.channel == f"user:{reader.actor.account}"
                if not parcel.durable or not (mine or parcel.channel in reader.hears):
                    continue
                frame = orjson.loads(seen_by(parcel, reader.actor.account, apart))
                if frame["ev"] == "post.created":
                    said = next(s for s in self.model.posts if s.post == frame["d"]["post"]["id"])
                    assert self.model.may_read(reader.number, said), "told to somebody who may not read it"
                if parcel.kind in ("author.follower_left", "author.closed", "community.member_left"):
                    assert frame["ev"] == "skip"
                await reader.apply(self.world, frame)

    def _followed_by(self, reader: Reader) -> set[str]:
        follows = {b for a, b in self.model.follows if a == reader.number}
        return {self.people[b].account for b in follows}

    async def pages(self) -> list[list[str]]:
        """What everybody's Follow timeline holds."""
        shown = [await page(self.world, each.actor, p.Timeline.FOLLOW, limit=100) for each in self.readers]
        return [[each.id for each in one.posts] for one in shown]

    def expected(self) -> list[list[str]]:
        """What it should hold."""
        return [self.model.follow(reader.number) for reader in self.readers]

    async def check(self) -> None:
        """Every page, every replay and every reader against the model."""
        assert await self.pages() == self.expected()
        for reader in self.readers:
            number, actor, model = reader.number, reader.actor, self.model
            expected = model.follow(number)
            everything = [said.post for said in model.posts]
            readable = [said.post for said in model.posts if model.may_read(number, said)]
            assert await got(self.world, actor, *everything[-50:]) == readable[-50:] if everything else True
            gone = {self.people[other].account for other in range(PEOPLE) if not model.reaches(other, number)}
            kept = sorted(post for post, (_, author) in reader.posts.items() if author not in gone)
            assert kept == expected, "what was told, applied to what was read, is what is read now"
            heard = {name for name in await arrival.heard(self.world.desk, actor) if name[:5] != "user:"}
            assert {name for name in reader.hears if name.partition(":")[2] not in gone} == heard
            await self._check_replay(reader)

    async def _check_replay(self, reader: Reader) -> None:
        positions = dict.fromkeys(reader.hears, 0)
        polled = await arrival.poll(self.world.desk, reader.actor.account, positions, same_epoch=True)
        there = {said.post: said for said in self.model.posts}
        for parcel in polled.missed:
            frame = orjson.loads(seen_by(parcel, reader.actor.account, polled.apart))
            if frame["ev"] == "post.created":
                said = there.get(frame["d"]["post"]["id"])
                assert said is not None, "a deleted post is told of"
                assert self.model.may_read(reader.number, said)

    # Steps: each does it, and returns how the model changes

    async def _post(self, a: int, b: int) -> Callable[[], None]:
        said = await post(self.world, self.people[a], None)
        return lambda: self.model.posts.append(Said(said.post, a, ""))

    async def _say(self, a: int, b: int) -> Callable[[], None]:
        said = await post(self.world, self.people[a], self.place)
        return lambda: self.model.posts.append(Said(said.post, a, self.place))

    async def _delete(self, a: int, b: int) -> Callable[[], None] | None:
        mine = [said for said in self.model.posts if said.author == a]
        if not mine:
            return None
        said = self.dice.choice(mine)
        await take_back(self.world, self.people[a], said.post)
        return lambda: self.model.posts.remove(said)

    async def _follow(self, a: int, b: int) -> Callable[[], None]:
        request = n.AccountRef(account=self.people[b].account)
        answer = await relations.follow_add(self.world.desk, self.people[a], request)
        model = self.model
        if answer.state is n.FollowState.FOLLOWING:
            return lambda: model.begin(a, b)
        return lambda: model.asked.add((a, b))

    async def _unfollow(self, a: int, b: int) -> Callable[[], None]:
        request = n.AccountRef(account=self.people[b].account)
        await relations.follow_remove(self.world.desk, self.people[a], request)
        return lambda: self.model.end(a, b)

    async def _accept(self, a: int, b: int) -> Callable[[], None]:
        request = n.AccountRef(account=self.people[b].account)
        await relations.follow_accept(self.world.desk, self.people[a], request)
        assert (b, a) in self.model.asked
        return lambda: self.model.begin(b, a)

    async def _block(self, a: int, b: int) -> Callable[[], None]:
        await block(self.world, self.people[a], self.people[b])
        pairs = {(a, b), (b, a)}

        def change() -> None:
            self.model.blocks.add((a, b))
            for one, other in pairs:
                self.model.end(one, other)
            # The blocked one's node takes the channel away, and nothing tells the client so.
            for one, other in pairs:
                self.readers[one].hears.discard(f"author:{self.people[other].account}")

        return change

    async def _unblock(self, a: int, b: int) -> Callable[[], None] | None:
        if a == b or (a, b) not in self.model.blocks:
            return None
        await unblock(self.world, self.people[a], self.people[b])
        return lambda: self.model.blocks.discard((a, b))

    async def _private(self, a: int, b: int) -> Callable[[], None]:
        await profiles.update(self.world.desk, self.people[a], n.AccountUpdate(private=True))
        return lambda: self.model.private.add(a)

    async def _public(self, a: int, b: int) -> Callable[[], None]:
        await profiles.update(self.world.desk, self.people[a], n.AccountUpdate(private=False))
        return lambda: self.model.private.discard(a)

    async def _hide(self, a: int, b: int) -> Callable[[], None]:
        await profiles.hide(self.world.desk, self.people[a], Empty())
        return lambda: self.model.hidden.add(a)

    async def _show(self, a: int, b: int) -> Callable[[], None]:
        await profiles.show(self.world.desk, self.people[a], Empty())
        return lambda: self.model.hidden.discard(a)

    async def _join(self, a: int, b: int) -> Callable[[], None]:
        await join(self.world, self.people[a], self.place)
        return lambda: self.model.inside.add((a, self.place))

    async def _leave(self, a: int, b: int) -> Callable[[], None]:
        await leave(self.world, self.people[a], self.place)
        return lambda: self.model.inside.discard((a, self.place))


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(STEP, min_size=4, max_size=24))
async def test_an_evening_of_timelines(world: World, steps: list[tuple[str, int, int]]) -> None:
    number = next(NUMBERS)
    people = await world.people(*(f"p{i}_{number}" for i in range(PEOPLE)), mutual=False)
    evening = Evening(world, people)
    await evening.begin()
    for step in steps:
        await evening.act(step)
        if step[0] in ("unblock", "show"):
            await evening.again()
    await evening.check()
    assert await evening.pages() == evening.expected()


@pytest.mark.parametrize("seed", range(3))
async def test_a_long_evening_of_timelines(world: World, seed: int) -> None:
    dice = random.Random(seed)
    people = await world.people(*(f"p{i}" for i in range(PEOPLE)), mutual=False)
    evening = Evening(world, people)
    await evening.begin()
    for _ in range(120):
        step = (dice.choice(ACTS), dice.randrange(PEOPLE), dice.randrange(PEOPLE))
        await evening.act(step)
        if step[0] in ("unblock", "show"):
            await evening.again()
        if dice.random() < 0.2:
            await evening.check()
    await evening.check()
    assert await evening.pages() == evening.expected()
    assert any(evening.expected()), "an evening in which something was read"
