"""The embedded Database: one SQLite file, one writer thread with group commit, a few readers (HOUSE §3).

SQLite is the one bundled with apsw, the same on every machine, and at least 3.51.3: older versions can corrupt a
WAL that is reset under load. `synchronous=FULL`: a commit is on disk before anybody hears of it. The log is carried over beside
the writer (`storage.checkpoint`); readers only query. A sync that fails ends the process. One server process per file, held by a lock beside it; the command line may
open the file next to a running server, whose sweep finds what it wrote.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import apsw

from realtime.parcels import Parcel
from storage import migrate
from storage.checkpoint import Checkpointer
from storage.database import Batch, Dialect, Means, OnCommit, Row, StorageUnavailable, Unit
from storage.lanes import Job, Lane, Outcome, runs

T = TypeVar("T")
log = logging.getLogger(__name__)
EXIT_DISK = os.EX_IOERR
VERSION_MIN = (3, 51, 3)
BUSY_MS = 2_000
BATCH_JOBS_MAX = 512
READERS = 2
_TROUBLE = (
    apsw.BusyError,
    apsw.LockedError,
    apsw.FullError,
    apsw.IOError,
    apsw.CantOpenError,
    apsw.ReadOnlyError,
    apsw.NoMemError,
    apsw.InterruptError,
)
_UNSYNCED = (apsw.SQLITE_IOERR_FSYNC, apsw.SQLITE_IOERR_DIR_FSYNC)


class SqliteTx:
    """A transaction on one apsw connection."""

    dialect: Dialect = "sqlite"

    def __init__(self, connection: apsw.Connection, means: Means) -> None:
        self._connection = connection
        self._ids = means.ids
        self._now = means.clock_ms()
        self.node = means.node
        self.parcels: list[Parcel] = []

    def rows(self, sql: str, **params: object) -> list[Row]:
        """See `Tx.rows`."""
        return list(self._connection.execute(sql, params))

    def later(self, sql: str, **params: object) -> None:
        """See `Tx.later`: there is no way to save."""
        self._connection.execute(sql, params)

    def now_ms(self) -> int:
        """See `Tx.now_ms`: the clock of this process, which is the database's."""
        return self._now

    def new_id(self) -> str:
        """See `Tx.new_id`."""
        return self._ids.make(self._now)


class SqliteDatabase:
    """`Database` on one file."""

    dialect: Dialect = "sqlite"

    def __init__(self, path: Path, means: Means, queue_max: int = 20_000) -> None:
        self._path = path
        self._means = means
        self._writer = Lane("sqlite-writer", 1, queue_max, BATCH_JOBS_MAX)
        self._readers = Lane("sqlite-reader", READERS, queue_max)
        self._checkpointer = Checkpointer(lambda: connect(path, reader=False), _not_carried_over)
        self._lock: int | None = None

    def claim(self) -> None:
        """Take the file for this process, for as long as it lives. Raises `StorageUnavailable` if it is taken."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StorageUnavailable(f"cannot write {self._path}.lock: {error.strerror}") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise StorageUnavailable(f"another server already uses {self._path}") from None
        self._lock = descriptor

    def migrate(self) -> list[str]:
        """Bring the schema up to date; returns what was applied. Called before `open`, off the loop."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageUnavailable(f"cannot make {self._path.parent}: {error.strerror}") from None
        connection = connect(self._path, reader=False)
        try:
            connection.execute("begin immediate")
            try:
                applied = migrate.apply(SqliteTx(connection, self._means), migrate.load())
            except BaseException:
                connection.execute("rollback")
                raise
            connection.execute("commit")
            return applied
        except apsw.Error as error:
            raise StorageUnavailable(f"cannot bring {self._path} up to date: {error}") from error
        finally:
            connection.close()

    async def open(self, on_commit: OnCommit) -> None:
        """See `Database.open`."""
        self._checkpointer.start()
        self._writer.start(lambda: _Writer(self._path, self._means, self._checkpointer), on_commit)
        self._readers.start(lambda: _Reader(self._path, self._means), on_commit)

    async def read(self, unit: Unit[T]) -> T:
        """See `Database.read`."""
        return await self._readers.put(Job(self._readers.future(), run=unit))  # type: ignore[no-any-return]  # a Job is untyped

    async def write(self, unit: Unit[T]) -> T:
        """See `Database.write`."""
        return await self._writer.put(Job(self._writer.future(), run=unit))  # type: ignore[no-any-return]  # a Job is untyped

    async def hot(self, batch: Batch, item: Any) -> Any:
        """See `Database.hot`."""
        return await self._writer.put(Job(self._writer.future(), batch=batch, item=item))

    async def version(self) -> str:
        """See `Database.version`."""
        return sqlite_version()

    async def close(self) -> None:
        """See `Database.close`."""
        await self._writer.close()
        await self._readers.close()
        await asyncio.to_thread(self._checkpointer.close)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def sqlite_version() -> str:
    """What the bundled library calls itself."""
    return f"SQLite {apsw.sqlite_lib_version()}"


def connect(path: Path, *, reader: bool) -> apsw.Connection:
    """Open the file as writer or reader. Raises `StorageUnavailable` with the reason."""
    if tuple(int(part) for part in apsw.sqlite_lib_version().split(".")[:3]) < VERSION_MIN:
        raise StorageUnavailable(f"SQLite {apsw.sqlite_lib_version()} is older than 3.51.3")
    try:
        connection = apsw.Connection(str(path))
        connection.set_busy_timeout(BUSY_MS)
        connection.execute("pragma journal_mode=wal")
        connection.execute("pragma synchronous=full")
        connection.execute("pragma foreign_keys=on")
        connection.execute("pragma temp_store=memory")
        connection.execute("pragma cache_size=-16000")
        if reader:
            connection.execute("pragma wal_autocheckpoint=0")
            connection.execute("pragma query_only=on")
        else:
            connection.execute("pragma wal_autocheckpoint=1000")
        return connection
    except apsw.Error as error:
        raise StorageUnavailable(f"cannot open {path}: {error}") from error


def give_up(error: BaseException) -> NoReturn:
    """End the process, before anybody is answered. After a sync that failed nobody knows what is on the disk: the
    system may have dropped the pages and will call the next sync a success."""
    log.critical("the disk failed, so this process ends: %s", error)
    logging.shutdown()
    os._exit(EXIT_DISK)


class _Thread:
    """A thread's connection, opened at the first job and again after trouble."""

    reader = False

    def __init__(self, path: Path, means: Means) -> None:
        self._path = path
        self._means = means
        self._connection: apsw.Connection | None = None

    def connection(self) -> apsw.Connection:
        if self._connection is None:
            self._connection = connect(self._path, reader=self.reader)
        return self._connection

    def tx(self) -> SqliteTx:
        return SqliteTx(self.connection(), self._means)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _Reader(_Thread):
    reader = True

    def __call__(self, jobs: list[Job]) -> Outcome:
        for job in jobs:
            assert job.run is not None
            try:
                connection = self.connection()
                connection.execute("begin")
                try:
                    job.settle(job.run(self.tx()))
                finally:
                    # A failure of the disk has ended it already.
                    if connection.in_transaction:
                        connection.execute("rollback")
            except _TROUBLE as error:
                job.error = StorageUnavailable(str(error))
            except Exception as error:
                job.error = error
        return Outcome(jobs)


def _not_carried_over(error: apsw.Error) -> None:
    """A checkpoint failed: nothing is lost, it stays in the log. But a disk that does not sync is trusted no more."""
    if getattr(error, "extendedresult", 0) in _UNSYNCED:
        give_up(error)
    log.warning("the log was not carried over: %s", error)


class _Writer(_Thread):
    def __init__(self, path: Path, means: Means, checkpointer: Checkpointer | None = None) -> None:
        super().__init__(path, means)
        self._checkpointer = checkpointer

    def connection(self) -> apsw.Connection:
        fresh = self._connection is None
        connection = super().connection()
        if fresh and self._checkpointer is not None:
            self._checkpointer.watch(connection)
        return connection

    def __call__(self, jobs: list[Job]) -> Outcome:
        """One commit for all waiting jobs. A job that raises takes back only its own changes."""
        parcels: list[Parcel] = []
        try:
            connection = self.connection()
            connection.execute("begin immediate")
            try:
                for run in runs(jobs):
                    parcels += self._run(connection, run)
                connection.execute("commit")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("rollback")
                raise
        except (*_TROUBLE, StorageUnavailable) as error:
            if getattr(error, "extendedresult", 0) in _UNSYNCED:
                give_up(error)
            # Nothing of this commit was kept, so nobody may hear that it was.
            for job in jobs:
                job.result, job.error = None, StorageUnavailable(str(error))
            return Outcome(jobs)
        return Outcome(jobs, parcels)

    def _run(self, connection: apsw.Connection, jobs: list[Job]) -> list[Parcel]:
        tx = self.tx()
        connection.execute("savepoint job")
        try:
            batch = jobs[0].batch
            if batch is not None:
                results = batch.run(tx, [job.item for job in jobs])
                for job, result in zip(jobs, results, strict=True):
                    job.settle(result)
            else:
                assert jobs[0].run is not None
                jobs[0].settle(jobs[0].run(tx))
        except _TROUBLE:
            raise
        except Exception as error:
            connection.execute("rollback to job")
            connection.execute("release job")
            if len(jobs) == 1:
                jobs[0].result, jobs[0].error = None, error
                return []
            # One item broke the set: run them one by one, so that only the guilty one fails.
            return [parcel for job in jobs for parcel in self._run(connection, [job])]
        connection.execute("release job")
        return tx.parcels
