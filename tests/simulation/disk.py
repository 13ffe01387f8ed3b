"""The simulated database: production's schema, statements, writer and reader on one connection in memory.

All nodes share it, as they would share a PostgreSQL: every transaction runs inline, at one moment of virtual time.
What is simulated is the time around it (jobs gather, commits and answers take a while, so that what one node
committed first may be heard later), the trouble (busy, full, away), and the end of the process at each named
point.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import apsw

from realtime.parcels import Parcel
from storage import migrate
from storage.database import Batch, Means, OnCommit, StorageUnavailable
from storage.lanes import Job, Lane, Outcome
from storage.sqlite import BATCH_JOBS_MAX, SqliteDatabase, SqliteTx, _Reader, _Writer
from tests.simulation.world import Crash, Process, World

NOWHERE = Path("nowhere")
READ_S = (0.0001, 0.003)
SLOW_READ_S = (0.05, 0.4)
GATHER_S = (0.0002, 0.002)
SETTLE_S = (0.0001, 0.002)
READERS = 4


def empty_schema() -> bytes:
    """A migrated database without anybody in it."""
    connection = apsw.Connection(":memory:")
    means = Means("nobody", lambda: 0, None)  # type: ignore[arg-type]  # no ids are made
    connection.execute("begin immediate")
    migrate.apply(SqliteTx(connection, means), migrate.load())
    connection.execute("commit")
    content = connection.serialize("main")
    connection.close()
    return content


class Disk:
    """What is kept, whoever dies. `committed` is when each entry became durable."""

    def __init__(self, world: World, schema: bytes) -> None:
        self.world = world
        self.connection = apsw.Connection(":memory:")
        self.connection.deserialize("main", schema)
        self.connection.execute("pragma foreign_keys=on")
        self.connection.execute("pragma synchronous=off")
        self.committed: dict[tuple[str, int], float] = {}
        self.away = False

    def execute(self, sql: str, params: Any = None) -> Any:
        """One statement."""
        return self.connection.execute(sql, params)


class Handle:
    """One process's connection, where trouble and ends come in."""

    def __init__(self, disk: Disk, process: Process) -> None:
        self._disk = disk
        self._process = process

    @property
    def in_transaction(self) -> bool:
        """As apsw's."""
        return self._disk.connection.in_transaction

    def execute(self, sql: str, params: Any = None) -> Any:
        """As apsw's."""
        if sql.startswith("begin"):
            self._begin(sql)
        elif sql == "commit":
            self._commit()
        else:
            return self._disk.connection.execute(sql, params)
        return None

    def _begin(self, sql: str) -> None:
        world = self._disk.world
        if self._disk.away:
            raise apsw.CantOpenError("the database is away")
        if sql == "begin immediate" and world.happens("database busy"):
            raise apsw.BusyError("the database is locked")
        if sql == "begin" and world.happens("database read error"):
            raise apsw.IOError("disk I/O error")
        self._disk.connection.execute(sql)

    def _commit(self) -> None:
        world = self._disk.world
        if world.happens("database full"):
            raise apsw.FullError("database or disk is full")
        world.crash_point("before commit", self._process)
        self._disk.connection.execute("commit")


class SimLane(Lane):
    """A lane without threads: jobs gather for a moment, run inline, and are answered a moment later."""

    def __init__(self, disk: Disk, process: Process, serve: Callable[[list[Job]], Outcome]) -> None:
        super().__init__("simulated", 0, 20_000)
        self._disk = disk
        self._process = process
        self._serve = serve
        self._jobs: deque[Job] = deque()
        self._busy = False

    def open(self, on_commit: OnCommit) -> None:
        """Begin to serve."""
        self._loop = asyncio.get_running_loop()
        self._on_commit = on_commit

    def put(self, job: Job) -> asyncio.Future[Any]:
        """As production's; the queue may be full."""
        if self._closed or self._loop is None or not self._process.alive:
            raise StorageUnavailable("the database is closed")
        if self._disk.world.happens("queue full"):
            raise StorageUnavailable("too much waits for the database")
        self._jobs.append(job)
        self._next()
        return job.future

    def _next(self) -> None:
        if self._jobs and not self._busy:
            self._busy = True
            self._later(self._disk.world.between(GATHER_S), self._run)

    def _run(self) -> None:
        taken = [self._jobs.popleft() for _ in range(min(len(self._jobs), BATCH_JOBS_MAX))]
        self._disk.world.note("transaction", self._process.name, len(taken))
        try:
            outcome = self._serve(taken)
            self._keep(outcome.parcels)
            self._disk.world.crash_point("after commit, before the reply", self._process)
        except Crash:
            self._process.die()
            return
        self._later(self._disk.world.between(SETTLE_S), self._done, outcome)

    def _keep(self, parcels: Sequence[Parcel]) -> None:
        now = self._disk.world.now()
        for parcel in parcels:
            if parcel.seq:
                self._disk.committed[parcel.channel, parcel.seq] = now

    def _done(self, outcome: Outcome) -> None:
        self._busy = False
        self._settle(outcome)
        self._next()

    def _later(self, delay_s: float, work: Callable[..., None], *args: Any) -> None:
        assert self._loop is not None
        self._loop.call_later(delay_s, self._if_alive, work, *args)

    def _if_alive(self, work: Callable[..., None], *args: Any) -> None:
        if self._process.alive:
            work(*args)

    async def close(self) -> None:
        """Later jobs are refused."""
        self._closed = True


class ReadLane(SimLane):
    """Reads: several at once, each on the snapshot of its own moment, and told of it a while later."""

    def _next(self) -> None:
        world = self._disk.world
        while self._jobs:
            self._later(world.between(READ_S), self._read, self._jobs.popleft())

    def _read(self, job: Job) -> None:
        world = self._disk.world
        outcome = self._serve([job])
        slow = world.happens("slow read")
        self._later(world.between(SLOW_READ_S if slow else READ_S), self._told, outcome)

    def _told(self, outcome: Outcome) -> None:
        try:
            self._disk.world.crash_point("before a read is answered", self._process)
        except Crash:
            self._process.die()
            return
        self._settle(outcome)


class SimDatabase(SqliteDatabase):
    """Production's embedded database over the simulated disk, with a lane of its own for hot batches, as PostgreSQL
    has: what they commit and what single units commit may be told in another order."""

    def __init__(self, disk: Disk, process: Process, means: Means) -> None:
        super().__init__(NOWHERE, means)
        handle = Handle(disk, process)
        writer, reader = _Writer(NOWHERE, means), _Reader(NOWHERE, means)
        writer._connection = reader._connection = handle  # type: ignore[assignment]  # what they use of one
        self._writer = SimLane(disk, process, writer)
        self._hot = SimLane(disk, process, writer)
        self._readers = ReadLane(disk, process, reader)

    async def open(self, on_commit: OnCommit) -> None:
        """As production's, without threads."""
        for lane in (self._writer, self._hot, self._readers):
            lane.open(on_commit)  # type: ignore[attr-defined]  # ours

    async def hot(self, batch: Batch, item: Any) -> Any:
        """As production's, in a lane of its own."""
        return await self._hot.put(Job(self._hot.future(), batch=batch, item=item))

    async def close(self) -> None:
        """As production's."""
        await self._hot.close()
        await super().close()
