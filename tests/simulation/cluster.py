"""The simulated cluster: production's nodes on the simulated disk, bus and network; started, killed, drained.

What always holds: a process that is dead does nothing any more that anybody could see; its tasks are gone a turn later.
"""

from __future__ import annotations

import asyncio
import random

from channels.desk import Desk
from channels.epochs import settle
from gateway.app import Installation, installation
from gateway.node import Node, Parts
from gateway.postman import Postman
from gateway.socket import SocketProtocol
from realtime.ids import IdMaker
from realtime.parcels import Parcel
from realtime.sendqueue import Piece
from realtime.settings import Limits, Settings
from storage.database import Means, StorageUnavailable
from tests.simulation.courier import Bus, SimCourier, SimLeases, SimMarks
from tests.simulation.disk import Disk, SimDatabase
from tests.simulation.network import Link
from tests.simulation.world import Process, World

LIMITS = Limits(
    queue_bytes_max=6_000,
    queue_frames_max=24,
    queue_age_s=9.0,
    ping_interval_s=12.0,
    pong_wait_s=10.0,
    close_wait_s=2.0,
    operations_per_s=200.0,
    operations_burst=500.0,
    # Everybody hears every post: what pauses for being busy is another promise, tested on its own.
    busy_posts_per_min=0,
)
SETTINGS = Settings(redis_url="redis://simulated", limits=LIMITS, drain_s=4.0)
INSTALLATION = Installation("k" * 44, "a secret of the simulation")
DOWN_S = (0.05, 3.0)


class SimSocket(SocketProtocol):
    """Production's socket; sets of them are walked in the order of their numbers instead of their addresses."""

    __slots__ = ("_number", "_world")

    def __init__(self, world: World, number: int, node: Node) -> None:
        super().__init__(None, _State(), {"node": node})
        self._world = world
        self._number = number

    def __hash__(self) -> int:
        return self._number

    def _hold(self, piece: Piece) -> None:
        super()._hold(piece)
        slow, limits = self._slow, self.node.settings.limits
        if slow is None or self._ending:
            return
        if slow.queue.size_bytes > limits.queue_bytes_max or slow.queue.frames > limits.queue_frames_max:
            self._world.violated(
                "I17", f"a queue holds {slow.queue.frames} frames, {slow.queue.size_bytes} bytes"
            )


class _State:
    """What uvicorn would know."""

    def __init__(self) -> None:
        self.connections: set[object] = set()


class SimNode:
    """One place where processes run, one after the other."""

    def __init__(self, cluster: Cluster, number: int) -> None:
        self.cluster = cluster
        self.number = number
        self.lives = 0
        self.process = Process("", lambda: None)
        self.process.alive = False
        self.node: Node | None = None
        self.courier: SimCourier | None = None
        self.links: dict[int, Link] = {}
        self._tasks: set[asyncio.Task[object]] = set()

    @property
    def up(self) -> bool:
        """True while it takes connections."""
        return self.process.alive and self.node is not None and self.node.ready

    async def start(self) -> None:
        """A new process; tries again while the database cannot be reached."""
        self.lives += 1
        world = self.cluster.world
        process = self.process = Process(f"n{self.number}.{self.lives}", self._ended)
        world.note("starts", process.name)
        while process.alive:
            try:
                await self._assemble(process)
                return
            except StorageUnavailable:
                await asyncio.sleep(0.5)

    async def _assemble(self, process: Process) -> None:
        cluster = self.cluster
        world = cluster.world
        chance = random.Random(f"{world.seed}/{process.name}")
        db = SimDatabase(
            cluster.disk, process, Means(process.name, world.database_ms, IdMaker(chance.getrandbits))
        )
        courier = SimCourier(cluster.bus, process)
        parts: list[Node] = []

        def committed(parcels: list[Parcel]) -> None:
            if parts:
                parts[0].fanout.committed(parcels)

        await db.open(committed)  # type: ignore[arg-type]  # a list is a sequence
        await db.write(lambda tx: installation(tx, INSTALLATION))
        marks = SimMarks(cluster.bus)
        noted = await marks.read()
        epoch = await db.write(lambda tx: settle(tx, noted, f"epoch {process.name}"))
        postman = Postman(db, None, "", INSTALLATION.secret)
        desk = Desk(db, SETTINGS, INSTALLATION.secret, postman.wake)
        offset = chance.choice((-3_600_000, -90_000, 0, 0, 45_000, 3_600_000)) * cluster.clocks

        def clock_ms() -> int:
            return world.database_ms() + offset

        self.courier = courier
        node = Node(
            Parts(
                SETTINGS,
                process.name,
                desk,
                courier,
                SimLeases(cluster.bus),
                postman,
                marks,  # type: ignore[arg-type]  # all that a node uses of them
                epoch.name,
                INSTALLATION.ticket_key,
                clock_ms,
                chance,
            )
        )
        parts.append(node)
        if not process.alive:
            return
        self.node = node
        await node.start()

    def accept(self, link: Link) -> bool:
        """A connection arrives."""
        if not self.up or self.node is None:
            return False
        self.links[link.number] = link
        link.transport.accept(self.process, SimSocket(self.cluster.world, link.number, self.node))
        return True

    def _ended(self) -> None:
        """The process is dead: its links break, what it had not committed is gone, nothing of it runs on."""
        world = self.cluster.world
        world.note("dies", self.process.name)
        if self.courier is not None:
            self.courier.leave()
        for link in self.links.values():
            link.cut()
        self.links = {}
        if self.node is not None:
            bury(self.node)
        self.node = None
        self.run(self._restart(world.between(DOWN_S)))

    async def _restart(self, after_s: float) -> None:
        await asyncio.sleep(after_s)
        await self.start()

    async def drain(self) -> None:
        """A graceful restart, as by SIGTERM."""
        node, process = self.node, self.process
        if node is None or not process.alive:
            return
        await node.drain()
        await asyncio.sleep(0.5)
        if process.alive:
            # What stops after this can be killed as well: nothing it would still do is promised to anybody.
            process.die()

    def run(self, work: object) -> None:
        """Keep a task of this place."""
        task = asyncio.ensure_future(work)  # type: ignore[call-overload]  # a coroutine
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def bury(node: Node) -> None:
    """Cancel whatever a dead process was doing."""
    tasks = [*node._tasks, *node._services]
    node.presence.silence()
    for task in tasks:
        task.cancel()
    if node.fanout._gap_timer is not None:
        node.fanout._gap_timer.cancel()


class Cluster:
    """All nodes of one installation. `clocks` 0 sets every node's wall clock right, 1 wrong by the seed's choice."""

    def __init__(self, world: World, schema: bytes, size: int, clocks: int) -> None:
        self.world = world
        self.clocks = clocks
        self.disk = Disk(world, schema)
        self.bus = Bus(world)
        self.nodes = [SimNode(self, number) for number in range(size)]
        self._links = 0

    async def start(self) -> None:
        """All nodes, one after the other."""
        for node in self.nodes:
            await node.start()

    def link_number(self) -> int:
        """The number of the next connection."""
        self._links += 1
        return self._links

    def links(self) -> list[Link]:
        """Connections that are open now."""
        return [link for node in self.nodes for link in node.links.values() if link.open]
