"""Several nodes over one authority, with everything that can go wrong between them, as a state machine (I9, I19).

The nodes' keepers and tables are the production ones; leases are the in-process ones behind a door that can be shut; time
is virtual. Batches may be lost, doubled or late; calls may be carried out without an answer, at once or much later. Whatever happened: who lives and may speak is believed, nothing of a
dead generation is, nobody is declared dead whose lease lives, and once all is well again every table tells the truth.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

import orjson
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from presence.keeper import Authority, Keeper, Pulse
from presence.marks import Mark, mark
from presence.roster import UNKNOWN, Changes, Roster
from realtime.parcels import Parcel
from storage.leases import Announced, LeasesUnavailable, NodeLease
from storage.leases_memory import MemoryLeases
from tests.simulation.loop import VirtualLoop

NODES = 3
TTL_S, PATIENCE_S = 15.0, 2.5
T = TypeVar("T")
ACCOUNTS = ("aki", "yuu", "mei")
HOW = st.sampled_from([None, True, False])
NODE = st.integers(0, NODES - 1)


class Door:
    """The leases as one node reaches them, or not. Notes who speaks in whose name."""

    def __init__(self, world: Cluster, name: str) -> None:
        self._world = world
        self._name = name
        self.shut = False
        self.far_s = 0.0
        # No answer comes back, and what is asked is carried out now, or (late) when `arrive` is called.
        self.mute = False
        self.late = False
        self._given_up: list[Callable[[], Coroutine[Any, Any, object]]] = []

    async def _ask(self, act: Callable[[MemoryLeases], Coroutine[Any, Any, T]]) -> T:
        leases = await self._reach()
        if self.late:
            self._given_up.append(lambda: act(leases))
        elif not self.mute:
            return await act(leases)
        else:
            await act(leases)
        self._world.lost_at[self._name] = self._world.loop.time()
        raise LeasesUnavailable("no answer")

    async def arrive(self) -> None:
        """What was asked, and given up by who asked, is carried out."""
        given_up, self._given_up = self._given_up, []
        for act in given_up:
            await act()

    async def _reach(self) -> MemoryLeases:
        """The way there takes time, in which others are heard."""
        await asyncio.sleep(self.far_s)
        if self.shut:
            self._world.lost_at[self._name] = self._world.loop.time()
            raise LeasesUnavailable("cut off")
        return self._world.leases

    async def register(self, node: str) -> int:
        return await self._ask(lambda leases: leases.register(node))

    async def renew(self, node: str, generation: int) -> bool:
        return await self._ask(lambda leases: leases.renew(node, generation))

    async def release(self, node: str, generation: int) -> None:
        await self._ask(lambda leases: leases.release(node, generation))

    async def nodes(self) -> list[NodeLease]:
        return await self._ask(lambda leases: leases.nodes())

    async def announce(
        self, node: str, generation: int, number: int, changes: Mapping[str, bytes | None]
    ) -> bool:
        async def act(leases: MemoryLeases) -> bool:
            living = {lease.node: (lease.generation, lease.number) for lease in await leases.nodes()}
            taken = await leases.announce(node, generation, number, changes)
            now, last = living.get(node, (0, 0))
            assert taken == (now == generation and number > last), (
                "I19: only the living generation changes the table"
            )
            return taken

        return await self._ask(act)

    async def people_of(self, node: str) -> Announced | None:
        return await self._ask(lambda leases: leases.people_of(node))

    async def close(self) -> None:
        """Nothing to let go of."""


class Watched(Roster):
    """A table that tells when it declares a node dead."""

    def __init__(self, own: str, world: Cluster) -> None:
        super().__init__(own)
        self._world = world

    def drop(self, node: str) -> Changes:
        """Only whose lease is over, and only after a whole lease in contact."""
        assert node not in self._world.living(), f"I9: {node} is declared dead while its lease lives"
        lost_at = self._world.lost_at.get(self._own, -1e9)
        # A turn is some calls long, and what is noted here is its end.
        assert self._world.loop.time() - lost_at >= TTL_S - 0.1, "out of contact less than a lease ago"
        return super().drop(node)

    def replace(self, node: str, generation: int, number: int, people: dict[str, Mark]) -> Changes:
        """Nobody who is there all along is left out."""
        before = self._nodes[node].people if node in self._nodes else {}
        changes = super().replace(node, generation, number, people)
        for other in self._world.nodes:
            if other is not None and other.name == node and generation == other.keeper.generation:
                lost = before.keys() & other.roster.own_people().keys() - other.unsaid - people.keys()
                assert not lost, f"I9: {lost} are on {node} all along"
        return changes


class Node:
    """One process: its table, its keeper, its people."""

    def __init__(self, world: Cluster, number: int, life: int) -> None:
        self.name = f"n{number}.{life}"
        self.door = Door(world, self.name)
        self.roster = Watched(self.name, world)
        self.stalled = False
        # Whose change is not announced yet.
        self.unsaid: set[str] = set()
        world.run(self._make(world))

    async def _make(self, world: Cluster) -> None:
        authority = Authority(self.door, self.name, Pulse(ttl=TTL_S, announce=0.0, patience=PATIENCE_S))
        self.keeper = Keeper(authority, self.roster, lambda changes, lapsed: None, world.carried)


class Cluster(RuleBasedStateMachine):
    """See the module."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.leases = MemoryLeases(TTL_S, self.loop.time)
        self.wire: list[Parcel] = []
        self.lost_at: dict[str, float] = {}
        self.lives = [0] * NODES
        # Whether the calm after it all must do without the courier.
        self.deaf = False
        self.nodes: list[Node | None] = []
        for number in range(NODES):
            self.nodes.append(self._begin(number))

    def run(self, work: Any) -> Any:
        """One coroutine, now."""
        return self.loop.run_until_complete(work)

    def carried(self, parcel: Parcel) -> None:
        """The courier's ear: only who lives may speak."""
        told = orjson.loads(parcel.frame)
        living = {lease.node: lease.generation for lease in self.run_now(self.leases.nodes())}
        assert living.get(told["node"]) == told["generation"], "I19: told by a dead generation"
        self.wire.append(parcel)

    def living(self) -> set[str]:
        """Whose lease lives, by the authority."""
        return {lease.node for lease in self.run_now(self.leases.nodes())}

    @staticmethod
    def run_now(work: Any) -> Any:
        """A coroutine that never waits, from within another."""
        try:
            work.send(None)
        except StopIteration as done:
            return done.value
        raise AssertionError("it waited")

    def _begin(self, number: int) -> Node:
        self.lives[number] += 1
        node = Node(self, number, self.lives[number])
        self.run(node.keeper.start())
        return node

    def _up(self) -> list[Node]:
        return [node for node in self.nodes if node is not None and not node.stalled]

    # What happens

    @rule(number=NODE, account=st.sampled_from(ACCOUNTS), how=HOW)
    def somebody_changes(self, number: int, account: str, how: bool | None) -> None:
        node = self.nodes[number]
        if node is not None and not node.stalled:
            value = None if how is None else mark(how, "", open_=False, counted=True)
            node.roster.own(account, value)
            node.keeper.say(account, value)
            node.unsaid.add(account)

    @rule(number=NODE)
    def a_turn(self, number: int) -> None:
        node = self.nodes[number]
        if node is not None and not node.stalled:
            self.run(self._turn(node))

    @rule(seconds=st.sampled_from([0.1, 0.6, 1.1, 3.0, 9.0]))
    def time_passes(self, seconds: float) -> None:
        """Those who can take their turns, each second."""
        until = self.loop.time() + seconds
        while self.loop.time() < until:
            self._wait(min(1.0, until - self.loop.time()))
            self.run(self._turns())

    @rule(number=NODE, far_s=st.sampled_from([0.0, 0.001, 0.002, 0.005]))
    def is_so_far_from_the_leases(self, number: int, far_s: float) -> None:
        if (node := self.nodes[number]) is not None:
            node.door.far_s = far_s

    @rule(number=NODE)
    def cut_off(self, number: int) -> None:
        if (node := self.nodes[number]) is not None:
            node.door.shut = True

    @rule(number=NODE)
    def within_reach_again(self, number: int) -> None:
        if (node := self.nodes[number]) is not None:
            node.door.shut = False

    @rule(number=NODE, mute=st.booleans(), late=st.booleans())
    def answers_are_lost(self, number: int, mute: bool, late: bool) -> None:
        if (node := self.nodes[number]) is not None:
            node.door.mute, node.door.late = mute, late

    @rule(number=NODE)
    def what_was_given_up_arrives(self, number: int) -> None:
        """A server that stood still carries out what was asked of it meanwhile, though nobody waits for it any more."""
        if (node := self.nodes[number]) is not None:
            self.run(node.door.arrive())

    @rule(number=NODE, seconds=st.sampled_from([2.0, 20.0]))
    def stands_still(self, number: int, seconds: float) -> None:
        node = self.nodes[number]
        if node is not None and not node.stalled:
            node.stalled = True
            self.time_passes(seconds)
            node.stalled = False

    @rule(number=NODE)
    def killed(self, number: int) -> None:
        self.nodes[number] = None

    @rule(number=NODE)
    def started(self, number: int) -> None:
        if self.nodes[number] is None:
            self.nodes[number] = self._begin(number)

    @rule()
    def all_leases_are_lost(self) -> None:
        now = self.loop.time()
        self.leases.empty()
        for node in self._up():
            self.lost_at[node.name] = now

    @rule(which=st.integers(0, 50), again=st.booleans())
    def a_batch_arrives(self, which: int, again: bool) -> None:
        """Any batch of those on their way; the ones before it may come later, or never."""
        if self.wire:
            number = which % len(self.wire)
            parcel = self.wire[number] if again else self.wire.pop(number)
            self._hear(parcel)

    @rule()
    def the_courier_is_gone_for_good(self) -> None:
        self.deaf = True

    @rule()
    def batches_are_lost(self) -> None:
        self.wire.clear()

    # What holds

    @invariant()
    def one_knows_ones_own(self) -> None:
        for node in self._up():
            for account, value in node.roster.own_people().items():
                standing = node.roster.standing(account)
                assert isinstance(standing, Mark)
                assert standing.active >= value.active

    def teardown(self) -> None:
        """All is well again: within the bound everybody sees the truth, and nobody is in doubt."""
        for node in self.nodes:
            if node is not None:
                node.door.shut = node.door.mute = node.door.late = False
                self.run(node.door.arrive())
        self.wire.clear()
        for _ in range(20):
            self._wait(1.0)
            self.run(self._turns())
            if not self.deaf:
                while self.wire:
                    self._hear(self.wire.pop(0))
            self.wire.clear()
        truth: dict[str, bool] = {}
        for node in self._up():
            for account, value in node.roster.own_people().items():
                truth[account] = truth.get(account, False) or value.active
        for node in self._up():
            seen = {account: node.roster.standing(account) for account in ACCOUNTS}
            assert UNKNOWN not in seen.values()
            told = {account: value.active for account, value in seen.items() if isinstance(value, Mark)}
            assert told == truth, f"I9: {node.name}"
            assert node.roster.known
            assert set(node.roster.others()) == {other.name for other in self._up()} - {node.name}
        self.loop.close()

    # Inside

    async def _turns(self) -> None:
        """Of everybody at once."""
        await asyncio.gather(*map(self._turn, self._up()))

    async def _turn(self, node: Node) -> None:
        before = node.keeper.generation
        await node.keeper._turn()
        if not node.keeper._unsaid:
            node.unsaid.clear()
        if before and node.keeper.generation != before:
            self.lost_at[node.name] = self.loop.time()

    def _hear(self, parcel: Parcel) -> None:
        for node in self._up():
            if node.name != parcel.origin:
                node.keeper.hear(parcel)

    def _wait(self, seconds: float) -> None:
        self.loop._virtual += seconds


TestCluster = Cluster.TestCase
TestCluster.settings = settings(max_examples=400, stateful_step_count=40, deadline=None)
