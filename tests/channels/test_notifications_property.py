"""Random evenings of everything that is told of, on both databases, held against a model of who should be told of what by whom;
the badge is what the list shows (I13).

The model is the one of who may read what, and the rows that were left; it knows nothing of how the server keeps or asks them.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels import notifications, relations
from channels.desk import Actor
from realtime import notifications as n
from realtime.errors import Refusal
from realtime.notifications import NotificationKind as Kind
from storage.communities import keepers_of
from tests.channels.test_notifications import badge, mute, page, switch
from tests.channels.test_reactions import LIKE, like, stamp, take_off
from tests.channels.test_timelines_property import PEOPLE, Evening, Said
from tests.support.places import post
from tests.support.world import World

NUMBERS = itertools.count()
TOLD = ("reply", "quote", "repost", "mention", "like", "stamp", "follow", "join")
TAKEN = (
    "unlike",
    "unstamp",
    "unfollow",
    "delete",
    "leave",
    "block",
    "unblock",
    "mute",
    "unmute",
    "hide",
    "show",
)
ACTS = (*["post"] * 3, "say", *TOLD * 2, *TAKEN, "accept", "private", "public", "read", "switch")
STEP = st.tuples(st.sampled_from(ACTS), st.integers(0, PEOPLE - 1), st.integers(0, PEOPLE - 1))


class Row(NamedTuple):
    """What somebody was told: where it stands, and the posts by which and about which."""

    place: int
    via: Said | None
    about: Said | None


Line = tuple[int, Kind, str]
"""(whose list, kind, subject)"""


@dataclass
class Lists:
    """What everybody was told, whether or not it is to be seen now."""

    rows: dict[tuple[Line, int], Row] = field(default_factory=dict)
    places: dict[Line, int] = field(default_factory=dict)
    tops: dict[int, int] = field(default_factory=dict)
    upto: dict[int, int] = field(default_factory=dict)
    mutes: set[tuple[int, int]] = field(default_factory=set)
    off: set[tuple[int, Kind]] = field(default_factory=set)


class Tellings(Evening):
    """An evening of which only the lists are looked at."""

    def __init__(self, world: World, people: list[Actor]) -> None:
        super().__init__(world, people)
        self.lists = Lists()
        self.left: set[tuple[Kind, int, str]] = set()
        """What stands under posts, whether or not anybody was told."""

    async def act(self, step: tuple[str, int, int]) -> None:
        """One step in the world and, if it was not refused, in the model."""
        what, a, b = step
        standing = {"unfollow": self.model.follows, "unblock": self.model.blocks, "unmute": self.lists.mutes}
        some = standing.get(what) or {(y, x) for x, y in self.model.asked if what == "accept"}
        if some:
            a, b = sorted(some)[(a * PEOPLE + b) % len(some)]
        try:
            change: Callable[[], None] | None = await getattr(self, f"_{what}")(a, b)
        except Refusal:
            return
        if change is not None:
            change()

    def tell(self, line: Line, by: int, via: Said | None = None, about: Said | None = None) -> None:
        """`by` did something that concerns whose list it is."""
        lists, model = self.lists, self.model
        to, kind, _ = line
        if to == by or model.apart(to, by) or (to, by) in lists.mutes or (to, kind) in lists.off:
            return
        if via is not None and not model.may_read(to, via):
            return
        place = lists.tops.get(to, 0) + 1
        lists.tops[to] = lists.places[line] = place
        lists.rows[line, by] = Row(place, via, about)

    def seen(self, line: Line, by: int, row: Row, keepers: list[str]) -> bool:
        """Whether that row is to be seen now."""
        to, kind, _ = line
        model = self.model
        if not model.reaches(by, to) or (to, by) in self.lists.mutes:
            return False
        for said in (row.via, row.about):
            if said is not None and not (said in model.posts and model.may_read(to, said)):
                return False
        match kind:
            case Kind.FOLLOW:
                return (by, to) in model.follows
            case Kind.FOLLOW_ACCEPTED:
                return (to, by) in model.follows
            case Kind.FOLLOW_REQUEST:
                return (by, to) in model.asked
            case Kind.COMMUNITY_JOINED:
                return (by, self.place) in model.inside and self.people[to].account in keepers
        return True

    def expected_list(self, to: int, keepers: list[str]) -> list[tuple[int, Kind, list[int], bool]]:
        """(place, kind, who by newness, unread) of every line of a list, the newest first."""
        found: dict[Line, list[tuple[int, int]]] = {}
        for (line, by), row in self.lists.rows.items():
            if line[0] == to and self.seen(line, by, row, keepers):
                found.setdefault(line, []).append((row.place, by))
        shown = []
        for line, who in found.items():
            newest = sorted(who, reverse=True)
            unread = newest[0][0] > self.lists.upto.get(to, 0)
            shown.append((self.lists.places[line], line[1], [by for _, by in newest], unread))
        return sorted(shown, reverse=True)

    async def check_lists(self) -> int:
        """Every list against the model, and every badge against its list; how many lines there are in all."""
        keepers = await self.world.desk.db.read(lambda tx: keepers_of(tx, self.place))
        numbers = {actor.account: number for number, actor in enumerate(self.people)}
        lines = 0
        for to, actor in enumerate(self.people):
            expected = self.expected_list(to, keepers)
            told = (await page(self.world, actor, limit=100)).notifications
            got = [
                (each.place, each.kind, [numbers[card.id] for card in each.actors], each.unread)
                for each in told
            ]
            assert got == [(place, kind, who[:3], unread) for place, kind, who, unread in expected]
            assert [each.count for each in told] == [len(who) for _, _, who, _ in expected]
            assert await badge(self.world, actor) == len([each for each in told if each.unread])
            assert not any(card.gone for each in told for card in each.actors)
            lines += len(told)
        return lines

    # Steps: what is told

    def _some(self, b: int) -> Said | None:
        return self.model.posts[self.dice.randrange(len(self.model.posts))] if self.model.posts else None

    async def _answer(self, a: int, b: int, kind: Kind, how: str) -> Callable[[], None] | None:
        other = self._some(b)
        if other is None:
            return None
        community = None if how == "reply_to" else self.dice.choice([None, self.place])
        name = self.people[b].handle
        text = "" if how == "repost_of" else f"うん @{name}"
        made = await post(self.world, self.people[a], community, text, **{how: other.post})
        said = Said(made.post, a, other.place if how == "reply_to" else community or "")

        def change() -> None:
            self.model.posts.append(said)
            about = other if kind is Kind.REPOST else said
            self.tell((other.author, kind, about.post), a, said, about)
            if text and b != other.author:
                self._named(b, said)

        return change

    async def _reply(self, a: int, b: int) -> Callable[[], None] | None:
        return await self._answer(a, b, Kind.REPLY, "reply_to")

    async def _quote(self, a: int, b: int) -> Callable[[], None] | None:
        return await self._answer(a, b, Kind.QUOTE, "quote_of")

    async def _repost(self, a: int, b: int) -> Callable[[], None] | None:
        return await self._answer(a, b, Kind.REPOST, "repost_of")

    def _named(self, b: int, said: Said) -> None:
        # A name leads nowhere where its bearer is hidden.
        if b not in self.model.hidden:
            self.tell((b, Kind.MENTION, said.post), said.author, said, said)

    async def _mention(self, a: int, b: int) -> Callable[[], None]:
        made = await post(self.world, self.people[a], None, f"@{self.people[b].handle} ねえ")
        said = Said(made.post, a, "")

        def change() -> None:
            self.model.posts.append(said)
            self._named(b, said)

        return change

    async def _react(self, a: int, b: int, kind: Kind) -> Callable[[], None] | None:
        other = self._some(b)
        if other is None:
            return None
        await (like if kind is Kind.LIKE else stamp)(self.world, self.people[a], other.post)
        line = (other.author, kind, other.post)
        left = (kind, a, other.post) in self.left

        def change() -> None:
            self.left.add((kind, a, other.post))
            if not left:
                self.tell(line, a, about=other)

        return change

    async def _like(self, a: int, b: int) -> Callable[[], None] | None:
        return await self._react(a, b, Kind.LIKE)

    async def _stamp(self, a: int, b: int) -> Callable[[], None] | None:
        return await self._react(a, b, Kind.REACTION)

    async def _follow(self, a: int, b: int) -> Callable[[], None]:
        follows, asked = (a, b) in self.model.follows, (a, b) in self.model.asked
        begun = await super()._follow(a, b)

        def change() -> None:
            begun()
            if not follows and (a, b) in self.model.follows:
                self.tell((b, Kind.FOLLOW, "a day"), a)
            elif not asked and (a, b) in self.model.asked:
                self.tell((b, Kind.FOLLOW_REQUEST, str(a)), a)

        return change

    async def _accept(self, a: int, b: int) -> Callable[[], None]:
        begun = await super()._accept(a, b)

        def change() -> None:
            begun()
            self.tell((b, Kind.FOLLOW_ACCEPTED, str(a)), a)

        return change

    async def _join(self, a: int, b: int) -> Callable[[], None]:
        keepers = await self.world.desk.db.read(lambda tx: keepers_of(tx, self.place))
        was_inside = (a, self.place) in self.model.inside
        begun = await super()._join(a, b)

        def change() -> None:
            begun()
            for to, actor in enumerate(self.people):
                if actor.account in keepers and not was_inside:
                    self.tell((to, Kind.COMMUNITY_JOINED, self.place), a)

        return change

    # Steps: what is taken back, or kept to oneself

    async def _take(self, a: int, b: int, kind: Kind) -> Callable[[], None] | None:
        mine = sorted(each for each in self.left if each[:2] == (kind, a))
        there = [each for each in mine if any(said.post == each[2] for said in self.model.posts)]
        if not there:
            return None
        key = there[b % len(there)]
        if kind is Kind.LIKE:
            await take_off(self.world, self.people[a], key[2], LIKE)
        else:
            await take_off(self.world, self.people[a], key[2])
        author = next(said.author for said in self.model.posts if said.post == key[2])

        def change() -> None:
            self.left.discard(key)
            self.lists.rows.pop(((author, kind, key[2]), a), None)

        return change

    async def _unlike(self, a: int, b: int) -> Callable[[], None] | None:
        return await self._take(a, b, Kind.LIKE)

    async def _unstamp(self, a: int, b: int) -> Callable[[], None] | None:
        return await self._take(a, b, Kind.REACTION)

    async def _mute(self, a: int, b: int) -> Callable[[], None]:
        await mute(self.world, self.people[a], self.people[b])
        return lambda: self.lists.mutes.add((a, b))

    async def _unmute(self, a: int, b: int) -> Callable[[], None]:
        await mute(self.world, self.people[a], self.people[b], on=False)
        return lambda: self.lists.mutes.discard((a, b))

    async def _read(self, a: int, b: int) -> Callable[[], None]:
        told = (await page(self.world, self.people[a])).notifications
        upto = told[b % len(told)].place if told else 0
        await notifications.mark_read(self.world.desk, self.people[a], n.NotificationRead(upto=upto))
        return lambda: self.lists.upto.update({a: max(upto, self.lists.upto.get(a, 0))})

    async def _switch(self, a: int, b: int) -> Callable[[], None]:
        kind = list(Kind)[self.dice.randrange(len(Kind))]
        on = (a, kind) in self.lists.off
        await switch(self.world, self.people[a], kind, on=on)
        change = self.lists.off.discard if on else self.lists.off.add
        return lambda: change((a, kind))


async def evening_of(world: World, handles: list[str]) -> Tellings:
    """A new evening."""
    evening = Tellings(world, await world.people(*handles, mutual=False))
    await evening.begin()
    return evening


@pytest.fixture(autouse=True)
def _one_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """No evening goes past midnight."""
    monkeypatch.setattr(relations, "day_of", lambda tx: "a day")


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(STEP, min_size=4, max_size=30))
async def test_an_evening_of_notifications(world: World, steps: list[tuple[str, int, int]]) -> None:
    number = next(NUMBERS)
    evening = await evening_of(world, [f"p{i}_{number}" for i in range(PEOPLE)])
    for step in steps:
        await evening.act(step)
    lines = await evening.check_lists()
    told = [(await page(world, each, limit=100)).notifications for each in evening.people]
    assert sum(map(len, told)) == lines


@pytest.mark.parametrize("seed", range(4))
async def test_a_long_evening_of_notifications(world: World, seed: int) -> None:
    dice = random.Random(seed)
    evening = await evening_of(world, [f"p{i}" for i in range(PEOPLE)])
    lines = 0
    for _ in range(160):
        await evening.act((dice.choice(ACTS), dice.randrange(PEOPLE), dice.randrange(PEOPLE)))
        if dice.random() < 0.2:
            lines += await evening.check_lists()
    lines += await evening.check_lists()
    assert lines > 20, "an evening in which people were told of each other"
