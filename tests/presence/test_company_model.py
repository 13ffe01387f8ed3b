"""One node's presence among people who follow, hide, block and come and go, as a state machine (I9, I15, I16).

The service is the production one; only the tables are a model, read by the functions that stand in for its queries. What
holds: no frame tells of somebody whom its reader may not see at that moment; in the end everybody sees what is true.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable
from typing import Any
from unittest.mock import patch

import orjson
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from presence import sights
from presence.rules import Pair, sight
from presence.service import Means, Pauses, Service
from presence.telling import Outlook
from realtime.requests import Coming
from realtime.sendqueue import Piece
from storage.leases_memory import MemoryLeases
from storage.presence import PresenceRow
from tests.simulation.loop import VirtualLoop

PEOPLE = ("aki", "haru", "ken")
WHO = st.sampled_from(PEOPLE)
ROOM = "r"
COUNT = itertools.count()


class Ear:
    """A connection that remembers what it was told, and checks each word when it is said."""

    def __init__(self, world: Company, account: str) -> None:
        self.account = account
        self.choked = False
        self.seen: dict[str, dict[str, Any]] = {}
        self.writing: list[str] = []
        self._world = world
        self._number = next(COUNT)

    def __hash__(self) -> int:
        return self._number

    def write(self, piece: Piece) -> None:
        """Frames of the server, unmasked."""
        for told in unframed(piece.data):
            self._take(told)

    def _take(self, told: dict[str, Any]) -> None:
        world = self._world
        if told["ev"] == "room.typing":
            self.writing = told["d"]["accounts"]
            for other in self.writing:
                world.check(world.sight(self.account, other).live, f"{self.account} hears {other} write")
            return
        if told["d"]["whole"]:
            self.seen.clear()
        for other, view in told["d"]["people"].items():
            allowed = world.sight(self.account, other)
            offline = view["state"] == "offline"
            world.check(offline or allowed.live, f"I15: {self.account} sees {other}: {view}")
            world.check(offline or view["seen"] is None, f"{self.account} sees {other}: {view}")
            nothing = view == {"state": "offline", "seen": None, "doing": None}
            world.check(
                nothing or not world.apart(self.account, other), f"I16: {self.account} sees {other}: {view}"
            )
            self.seen[other] = view


def unframed(data: bytes) -> Iterable[dict[str, Any]]:
    """The JSON of unmasked server frames."""
    while data:
        size, at = data[1] & 0x7F, 2
        if size == 126:
            size, at = int.from_bytes(data[2:4], "big"), 4
        yield orjson.loads(data[at : at + size])
        data = data[at + size :]


class Tables:
    """A database that runs a unit on nothing: the queries are the model's."""

    def __init__(self) -> None:
        self.takes_s = 0.004

    async def read(self, unit: Callable[[Any], Any]) -> Any:
        await asyncio.sleep(self.takes_s)
        found = unit(None)
        # An answer is older than what happens while it travels.
        await asyncio.sleep(self.takes_s)
        return found

    async def write(self, unit: Callable[[Any], Any]) -> Any:
        await asyncio.sleep(0.004)


class Company(RuleBasedStateMachine):
    """See the module."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.follows: set[tuple[str, str]] = {(a, b) for a in PEOPLE for b in PEOPLE if a != b}
        self.blocks: set[tuple[str, str]] = set()
        self.audience = dict.fromkeys(PEOPLE, "mutuals")
        self.before = dict.fromkeys(PEOPLE, "mutuals")
        self.hidden: set[str] = set()
        self.exceptions: dict[tuple[str, str], int] = {}
        self.ears: list[Ear] = []
        self.faults: list[str] = []
        self.said: dict[Ear, tuple[bool, str]] = {}
        self._patches = [
            patch.object(sights, name, getattr(self, f"_{name}"))
            for name in ("presence_rows", "mutual_pairs", "pairs")
        ]
        for each in self._patches:
            each.start()
        self.service = self._run(self._make())

    def check(self, holds: bool, what: str) -> None:
        """What is told in a callback of the loop is judged after the step."""
        if not holds:
            self.faults.append(what)

    @invariant()
    def nobody_saw_what_is_not_theirs(self) -> None:
        assert self.faults == []

    # The model's tables

    def apart(self, a: str, b: str) -> bool:
        """Whether either blocks the other."""
        return (a, b) in self.blocks or (b, a) in self.blocks

    def mutual(self, a: str, b: str) -> bool:
        """Whether they follow each other."""
        return (a, b) in self.follows and (b, a) in self.follows

    def sight(self, viewer: str, target: str) -> Any:
        """The truth about a pair, now."""
        return sight(Pair(*self._row(viewer, target)))

    def _row(self, viewer: str, target: str) -> tuple[Any, ...]:
        shown = self.exceptions.get((target, viewer))
        return (
            viewer,
            target,
            self._state(target),
            self.audience[target],
            self.before[target],
            5,
            self.mutual(viewer, target),
            self.apart(viewer, target),
            shown,
            None if shown is None else 4,
            self._state(viewer),
            self.audience[viewer],
            self.exceptions.get((viewer, target)),
        )

    def _choose(self, account: str, audience: str) -> None:
        if audience == "nobody" != self.audience[account]:
            self.before[account] = self.audience[account]
        self.audience[account] = audience

    def _state(self, account: str) -> str:
        return "hidden" if account in self.hidden else "active"

    def _presence_rows(self, tx: None, accounts: Iterable[str]) -> list[PresenceRow]:
        return [PresenceRow(each, self._state(each), self.audience[each], False) for each in accounts]

    def _mutual_pairs(self, tx: None, viewers: Iterable[str]) -> list[tuple[Any, ...]]:
        return [self._row(v, t) for v in viewers for t in PEOPLE if v != t and self.mutual(v, t)]

    def _pairs(self, tx: None, wanted: Iterable[tuple[str, str]]) -> list[tuple[Any, ...]]:
        return [self._row(*pair) for pair in sorted(set(wanted))]

    # What happens

    async def _make(self) -> Service:
        leases = MemoryLeases(15.0, self.loop.time)
        outlook = Outlook(
            hears=lambda ear, channel: channel == f"room:{ROOM}",
            apart=lambda account: {other for other in PEOPLE if self.apart(account, other)},
            clock_ms=lambda: round(self.loop.time() * 1000),
        )
        self.tables: Any = Tables()
        means = Means(
            "n", self.tables, leases, outlook, lambda parcel: None, outlook.clock_ms, pauses=Pauses(grace=1.0)
        )
        service = Service(means)
        await service.start()
        self._loops = [asyncio.ensure_future(loop) for loop in service.loops()]
        return service

    def _run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    @rule(account=WHO, coming=st.sampled_from(list(Coming)))
    def comes(self, account: str, coming: Coming) -> None:
        ear = Ear(self, account)
        self.ears.append(ear)
        if coming is not Coming.OFFLINE:
            self.said[ear] = (coming is Coming.ONLINE, "")
        self._run(self._do(lambda: self.service.arrived(ear, coming)))

    @rule(which=st.integers(0, 20), out=st.booleans())
    def goes(self, which: int, out: bool) -> None:
        if self.ears:
            ear = self.ears.pop(which % len(self.ears))
            self.said.pop(ear, None)
            self._run(self._do(lambda: self.service.left(ear, signed_out=out)))

    @rule(which=st.integers(0, 20), active=st.booleans(), place=st.sampled_from(["", f"room:{ROOM}"]))
    def says(self, which: int, active: bool, place: str) -> None:
        if self.ears:
            ear = self.ears[which % len(self.ears)]
            if ear in self.said:
                self.said[ear] = (active, place)
            self._run(self._do(lambda: self.service.say(ear, active=active, place=place)))

    @rule(which=st.integers(0, 20), on=st.booleans())
    def writes(self, which: int, on: bool) -> None:
        if self.ears:
            ear = self.ears[which % len(self.ears)]
            self._run(self._do(lambda: self.service.type(ear.account, ROOM, on=on)))

    @rule(which=st.integers(0, 20), whom=st.sets(WHO))
    def watches(self, which: int, whom: set[str]) -> None:
        if self.ears:
            ear = self.ears[which % len(self.ears)]
            snapshot = self._run(self.service.watch(ear, sorted(whom), []))
            # Of whom one shows no more nothing is told any more.
            shown = {each for each in PEOPLE if each == ear.account or self.mutual(ear.account, each)} | whom
            ear.seen = {other: view for other, view in ear.seen.items() if other in shown}
            for other, view in snapshot.people.items():
                assert view.state == "offline" or self.sight(ear.account, other).live
                ear.seen[other] = orjson.loads(orjson.dumps({"state": view.state, "doing": view.doing}))

    @rule(which=st.integers(0, 20), account=WHO, audience=st.sampled_from(["everyone", "mutuals", "nobody"]))
    def watches_while_somebody_changes_their_mind(self, which: int, account: str, audience: str) -> None:
        if not self.ears:
            return
        ear = self.ears[which % len(self.ears)]

        async def both() -> Any:
            asked = asyncio.ensure_future(self.service.watch(ear, sorted(PEOPLE), []))
            await asyncio.sleep(1.5 * self.tables.takes_s)
            self._choose(account, audience)
            self.service.ruled(account)
            return await asked

        for other, view in self._run(both()).people.items():
            assert view.state == "offline" or self.sight(ear.account, other).live
            ear.seen[other] = orjson.loads(orjson.dumps({"state": view.state, "doing": view.doing}))

    @rule(a=WHO, b=WHO)
    def follows_or_not(self, a: str, b: str) -> None:
        if a != b and not self.apart(a, b):
            self.follows ^= {(a, b)}
            self._run(self._do(lambda: (self.service.befriended(a), self.service.befriended(b))))

    @rule(a=WHO, b=WHO)
    def blocks_or_not(self, a: str, b: str) -> None:
        if a == b:
            return
        if (a, b) in self.blocks:
            self.blocks.discard((a, b))
            self._run(self._do(lambda: (self.service.befriended(a), self.service.befriended(b))))
        else:
            self.blocks.add((a, b))
            self.follows -= {(a, b), (b, a)}
            self._run(self._do(lambda: self.service.parted(a, b)))

    @rule(account=WHO, audience=st.sampled_from(["everyone", "mutuals", "nobody"]))
    def shows_to(self, account: str, audience: str) -> None:
        self._choose(account, audience)
        self._run(self._do(lambda: self.service.ruled(account)))

    @rule(a=WHO, b=WHO, shown=st.sampled_from([None, 0, 1]))
    def excepts(self, a: str, b: str, shown: int | None) -> None:
        if a != b:
            self.exceptions.pop((a, b), None)
            if shown is not None:
                self.exceptions[a, b] = shown
            self._run(self._do(lambda: self.service.ruled(a)))

    @rule(account=WHO)
    def hides_or_not(self, account: str) -> None:
        self.hidden ^= {account}
        self._run(self._do(lambda: self.service.ruled(account)))

    @rule(seconds=st.sampled_from([0.004, 0.3]))
    def reads_take(self, seconds: float) -> None:
        self.tables.takes_s = seconds

    @rule(seconds=st.sampled_from([0.0, 0.01, 0.06, 0.6, 2.0]))
    def time_passes(self, seconds: float) -> None:
        self._run(asyncio.sleep(seconds))

    # What holds in the end

    def teardown(self) -> None:
        """Quiet: everybody sees what is true of whom they show, and nobody writes any more."""
        self._run(asyncio.sleep(20.0))
        assert self.faults == []
        for ear in self.ears:
            shown = {each for each in PEOPLE if each == ear.account or self.mutual(ear.account, each)}
            for other in shown | set(ear.seen):
                expected = (
                    self._truth(ear, other) if other in shown or self._watched(ear, other) else "offline"
                )
                found = ear.seen.get(other, {"state": "offline"})["state"]
                assert found == expected, f"{ear.account} sees {other} {found}, who is {expected}"
            assert ear.writing == []
        for task in self._loops:
            task.cancel()
        self._run(asyncio.gather(*self._loops, return_exceptions=True))
        self._run(self.service.close())
        self.loop.close()
        for each in self._patches:
            each.stop()

    def _watched(self, ear: Ear, other: str) -> bool:
        return other in self.service._circles.watched_by(ear)

    def _truth(self, ear: Ear, other: str) -> str:
        here = [self.said[each][0] for each in self.ears if each.account == other and each in self.said]
        if not here or not self.sight(ear.account, other).live:
            return "offline"
        return "online" if any(here) else "idle"

    async def _do(self, act: Callable[[], object]) -> None:
        act()
        await asyncio.sleep(0)


TestCompany = Company.TestCase
TestCompany.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
