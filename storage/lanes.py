"""Lanes: the database's own threads, and how their outcomes come back to the event loop.

A lane is one queue served by one or more threads, each with a connection of its own. Both adapters build on it.
What always holds: every job is settled exactly once; parcels reach `on_commit` before the job's caller resumes.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from realtime.parcels import Parcel
from storage.database import Batch, OnCommit, StorageUnavailable


@dataclass(slots=True)
class Job:
    """A unit (`run` set) or one item of a batch (`batch` set), and what became of it."""

    future: asyncio.Future[Any]
    run: Callable[[Any], Any] | None = None
    batch: Batch | None = None
    item: Any = None
    result: Any = None
    error: BaseException | None = None

    def settle(self, result: Any) -> None:
        """Keep an outcome; an exception among a batch's outcomes becomes that item's error."""
        if isinstance(result, BaseException):
            self.error = result
        else:
            self.result = result
            self.error = None


@dataclass(slots=True)
class Outcome:
    """What one transaction brought: its jobs, settled, and the entries to offer if it was committed."""

    jobs: Sequence[Job]
    parcels: list[Parcel] = field(default_factory=list)


class Lane:
    """`serve(connection, jobs) -> Outcome` runs in the threads; `connect()` opens a thread's connection lazily."""

    def __init__(self, name: str, threads: int, limit: int, take: int = 1) -> None:
        self.name = name
        self._limit = limit
        self._take = take
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._count = threads
        self._threads: list[threading.Thread] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._on_commit: OnCommit = lambda parcels: None
        self._closed = False

    def start(self, worker: Callable[[], Callable[[list[Job]], Outcome]], on_commit: OnCommit) -> None:
        """Start the threads. `worker()` is called in each and returns its serve function."""
        self._loop = asyncio.get_running_loop()
        self._on_commit = on_commit
        for number in range(self._count):
            thread = threading.Thread(
                target=self._work, args=(worker,), name=f"{self.name}-{number}", daemon=True
            )
            thread.start()
            self._threads.append(thread)

    def put(self, job: Job) -> asyncio.Future[Any]:
        """Queue a job. Raises `StorageUnavailable` when closed or full, before anything is begun."""
        if self._closed or self._loop is None:
            raise StorageUnavailable("the database is closed")
        if self._queue.qsize() >= self._limit:
            raise StorageUnavailable("too much waits for the database")
        self._queue.put(job)
        return job.future

    def future(self) -> asyncio.Future[Any]:
        """A future of the loop the lane was started on."""
        if self._loop is None:
            raise StorageUnavailable("the database is not open")
        return self._loop.create_future()

    async def close(self) -> None:
        """Finish what is queued, then stop. Later jobs are refused."""
        self._closed = True
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)
        await asyncio.sleep(0)

    def _work(self, worker: Callable[[], Callable[[list[Job]], Outcome]]) -> None:
        serve = worker()
        stop = False
        while not stop:
            first = self._queue.get()
            jobs = []
            while first is not None:
                jobs.append(first)
                if len(jobs) >= self._take:
                    break
                try:
                    first = self._queue.get_nowait()
                except queue.Empty:
                    break
            stop = first is None
            if jobs:
                self._deliver(serve, jobs)
        closing = getattr(serve, "close", None)
        if closing is not None:
            closing()

    def _deliver(self, serve: Callable[[list[Job]], Outcome], jobs: list[Job]) -> None:
        try:
            outcome = serve(jobs)
        except BaseException as error:
            for job in jobs:
                job.error = error
            outcome = Outcome(jobs)
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._settle, outcome)

    def _settle(self, outcome: Outcome) -> None:
        if outcome.parcels:
            self._on_commit(outcome.parcels)
        for job in outcome.jobs:
            if job.future.done():
                continue
            if job.error is not None:
                job.future.set_exception(job.error)
            else:
                job.future.set_result(job.result)


def runs(jobs: Sequence[Job]) -> list[list[Job]]:
    """Jobs in order → runs that can be executed together: neighbours of one batch, or a single unit."""
    grouped: list[list[Job]] = []
    for job in jobs:
        if job.batch is not None and grouped and grouped[-1][0].batch is job.batch:
            grouped[-1].append(job)
        else:
            grouped.append([job])
    return grouped
