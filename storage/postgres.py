"""The Database on PostgreSQL: psycopg 3 in the database's own threads (HOUSE §3).

Hot writes run set-at-a-time on a thread of their own; every other write is a transaction of its own. Locks are
taken in sorted order; a transaction that the server breaks off (deadlock, serialisation) is run again. A lost
connection is opened anew for the next job: its own job fails with `StorageUnavailable`, and the client's retry
under the same nonce finds out whether the commit got through.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, TypeVar

import psycopg
from psycopg import errors

from realtime.parcels import Parcel
from storage import migrate
from storage.database import Batch, Dialect, Means, OnCommit, Row, StorageUnavailable, Unit
from storage.lanes import Job, Lane, Outcome

T = TypeVar("T")
READERS = 4
WRITERS = 4
BATCH_JOBS_MAX = 512
TRIES = 5
CONNECT_S = 3
STATEMENT_MS = 5_000
# Locks are held for milliseconds. Several are taken in turn, and whoever waits for a batch waits for the one before it too.
LOCK_MS = 2_000
MIGRATION_LOCK = 0x7473_75646F69
_PARAM = re.compile(r"(?<![:\w]):([a-z_]\w*)")
_NOW = "select (extract(epoch from clock_timestamp()) * 1000)::bigint"
_AGAIN = (errors.DeadlockDetected, errors.SerializationFailure)


@functools.lru_cache(maxsize=1024)
def translate(sql: str) -> str:
    """`:name` parameters → psycopg's `%(name)s`; a literal percent sign is doubled."""
    return _PARAM.sub(r"%(\1)s", sql.replace("%", "%%"))


class PostgresTx:
    """A transaction on one psycopg connection."""

    dialect: Dialect = "postgres"

    def __init__(self, connection: psycopg.Connection[Row], means: Means, now: int = 0) -> None:
        self._connection = connection
        self._ids = means.ids
        self.node = means.node
        self._now = now
        self._waiting: list[tuple[str, dict[str, object]]] = []
        self.parcels: list[Parcel] = []

    def rows(self, sql: str, **params: object) -> list[Row]:
        """See `Tx.rows`."""
        if self._waiting:
            self._send("")
        cursor = self._connection.execute(translate(sql), params or None)
        return cursor.fetchall() if cursor.description is not None else []

    def later(self, sql: str, **params: object) -> None:
        """See `Tx.later`."""
        self._waiting.append((sql, params))

    def commit(self) -> None:
        """Everything that waits, and the commit, in one round trip."""
        if self._waiting:
            self._send("commit")
        else:
            self._connection.execute("commit")

    def _send(self, last: str) -> None:
        waiting, self._waiting = self._waiting, []
        with self._connection.pipeline():
            for sql, params in waiting:
                self._connection.execute(translate(sql), params)
            if last:
                self._connection.execute(last)

    def now_ms(self) -> int:
        """See `Tx.now_ms`: the server's clock, read once a transaction."""
        if not self._now:
            self._now = int(self._connection.execute(_NOW).fetchall()[0][0])
        return self._now

    def new_id(self) -> str:
        """See `Tx.new_id`."""
        return self._ids.make(self.now_ms())


class PostgresDatabase:
    """`Database` by URL."""

    dialect: Dialect = "postgres"

    def __init__(self, url: str, means: Means, queue_max: int = 20_000) -> None:
        self._url = url
        self._means = means
        self._hot = Lane("postgres-hot", 1, queue_max, BATCH_JOBS_MAX)
        self._writers = Lane("postgres-writer", WRITERS, queue_max)
        self._readers = Lane("postgres-reader", READERS, queue_max)

    def migrate(self) -> list[str]:
        """Bring the schema up to date under an advisory lock; returns what was applied. Off the loop."""
        connection = connect(self._url)
        try:
            with connection.transaction():
                # Another node may be at it for minutes.
                connection.execute("set local statement_timeout = 0")
                connection.execute("set local lock_timeout = 0")
                connection.execute("select pg_advisory_xact_lock(%s)", (MIGRATION_LOCK,))
                return migrate.apply(PostgresTx(connection, self._means), migrate.load())
        except psycopg.Error as error:
            raise StorageUnavailable(_first_line(error)) from error
        finally:
            connection.close()

    async def open(self, on_commit: OnCommit) -> None:
        """See `Database.open`."""
        self._hot.start(lambda: _Thread(self._url, self._means), on_commit)
        self._writers.start(lambda: _Thread(self._url, self._means), on_commit)
        self._readers.start(lambda: _Thread(self._url, self._means, reader=True), on_commit)

    async def read(self, unit: Unit[T]) -> T:
        """See `Database.read`."""
        return await self._readers.put(Job(self._readers.future(), run=unit))  # type: ignore[no-any-return]  # a Job is untyped

    async def write(self, unit: Unit[T]) -> T:
        """See `Database.write`."""
        return await self._writers.put(Job(self._writers.future(), run=unit))  # type: ignore[no-any-return]  # a Job is untyped

    async def hot(self, batch: Batch, item: Any) -> Any:
        """See `Database.hot`."""
        return await self._hot.put(Job(self._hot.future(), batch=batch, item=item))

    async def version(self) -> str:
        """See `Database.version`."""
        return await self.read(lambda tx: str(tx.rows("select version()")[0][0]))

    async def close(self) -> None:
        """See `Database.close`."""
        for lane in (self._hot, self._writers, self._readers):
            await lane.close()


def connect(url: str) -> psycopg.Connection[Row]:
    """A connection with deadlines on every statement. Raises `StorageUnavailable` with the reason."""
    try:
        return psycopg.connect(
            url,
            autocommit=True,
            connect_timeout=CONNECT_S,
            application_name="tsudoi",
            options=f"-c statement_timeout={STATEMENT_MS} -c lock_timeout={LOCK_MS} -c timezone=UTC",
            keepalives_idle=10,
            keepalives_interval=3,
            keepalives_count=3,
            tcp_user_timeout=10_000,
        )
    except (psycopg.OperationalError, psycopg.ProgrammingError) as error:
        # The second is a URL that libpq cannot read.
        raise StorageUnavailable(_first_line(error)) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


class _Thread:
    """A thread's connection and how it runs jobs."""

    def __init__(self, url: str, means: Means, *, reader: bool = False) -> None:
        self._url = url
        self._means = means
        self._begin = "begin isolation level repeatable read read only" if reader else "begin"
        self._reader = reader
        self._begun = False
        self._connection: psycopg.Connection[Row] | None = None

    def __call__(self, jobs: list[Job]) -> Outcome:
        parcels: list[Parcel] = []
        for group in _groups(jobs):
            parcels += self._settle(group)
        return Outcome(jobs, parcels)

    def _settle(self, jobs: list[Job]) -> list[Parcel]:
        """Run jobs of one batch, or one unit, in a transaction; their entries if it was committed."""
        batch = jobs[0].batch

        def work(tx: PostgresTx) -> list[Any]:
            if batch is not None:
                return batch.run(tx, [job.item for job in jobs])
            assert jobs[0].run is not None
            return [jobs[0].run(tx)]

        try:
            results, parcels = self._transact(work)
        except StorageUnavailable as error:
            for job in jobs:
                job.error = error
            return []
        except Exception as error:
            if len(jobs) == 1:
                jobs[0].error = error
                return []
            # One item broke the set: run them one by one, so that only the guilty one fails.
            return [parcel for job in jobs for parcel in self._settle([job])]
        for job, result in zip(jobs, results, strict=True):
            job.settle(result)
        return parcels

    def _transact(self, work: Callable[[PostgresTx], T]) -> tuple[T, list[Parcel]]:
        for attempt in range(TRIES):
            fresh = self._connection is None
            self._begun = False
            try:
                return self._once(work)
            except _AGAIN as error:
                if attempt + 1 == TRIES:
                    raise StorageUnavailable(_first_line(error)) from error
            except (errors.QueryCanceled, errors.LockNotAvailable, errors.DiskFull) as error:
                raise StorageUnavailable(_first_line(error)) from error
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                self.close()
                # A connection that died while it lay idle had begun nothing, and a read may always be asked again.
                if fresh or (self._begun and not self._reader):
                    raise StorageUnavailable(_first_line(error)) from error
        raise StorageUnavailable("the database broke off too often")

    def _once(self, work: Callable[[PostgresTx], T]) -> tuple[T, list[Parcel]]:
        if self._connection is None:
            self._connection = connect(self._url)
        connection = self._connection
        # Two statements in one round trip; psycopg must not try to prepare them as one.
        cursor = connection.execute(f"{self._begin}; {_NOW}", prepare=False)
        self._begun = True
        cursor.nextset()
        tx = PostgresTx(connection, self._means, int(cursor.fetchall()[0][0]))
        try:
            result = work(tx)
            tx.commit()
        except BaseException:
            if not connection.closed:
                connection.execute("rollback")
            raise
        return result, tx.parcels

    def close(self) -> None:
        """Let the connection go; the next job opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _groups(jobs: list[Job]) -> list[list[Job]]:
    """Jobs of the hot lane by batch, each in the order of arrival."""
    by_batch: dict[int, list[Job]] = {}
    for number, job in enumerate(jobs):
        by_batch.setdefault(id(job.batch) if job.batch is not None else -number - 1, []).append(job)
    return list(by_batch.values())
