"""`tsudoi …` with faults built in from outside: `FAULTS` names the directory in which a test tells of them.

A bad disk (tests.faults.vfs), few file descriptors (`FAULTS_FILES`), named points at which the process kills itself,
once `crash` holds the point's name, a watch of the loop (tests.faults.lag), and the ways of a later version
(tests.faults.newer), if `newer` is on at the start. Production code knows nothing of any of it. What always holds: a point says that it
was reached (`struck-POINT`) before the process dies there.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from gateway import cli, fanout, screen
from realtime.parcels import Parcel
from realtime.requests import Sent
from storage import lanes, postgres, sqlite
from tests.faults import lag, newer
from tests.faults.vfs import BadDisk, Harms

POINTS = ("before commit", "after commit", "after ack", "mid-migration")
STATEMENT = 9
"""The statement of the migrations at which `mid-migration` lies."""


class Crash:
    """Where this process is to die."""

    def __init__(self, harms: Harms) -> None:
        self._harms = harms
        self._path = harms.place / "crash"
        self.talked = threading.local()
        self.statements = 0

    def wanted(self, point: str) -> bool:
        """Whether the process is to die at this point."""
        return self._path.exists() and self._path.read_text() == point

    def at(self, point: str) -> None:
        """Die here, if it is to."""
        if self.wanted(point):
            self._harms.add(f"struck-{point}")
            os.kill(os.getpid(), signal.SIGKILL)

    def statement(self, sql: str) -> None:
        """A statement is about to run."""
        if "insert into message" in sql.lower():
            self.talked.now = True
        if sql.lstrip().lower().startswith("create "):
            self.statements += 1
            if self.statements == STATEMENT:
                self.at("mid-migration")

    def commit(self) -> None:
        """A commit is about to happen."""
        if getattr(self.talked, "now", False):
            self.talked.now = False
            self.at("before commit")


def plant(crash: Crash) -> None:
    """Put the points in."""
    for tx in (sqlite.SqliteTx, postgres.PostgresTx):
        for name in ("rows", "later"):
            _before(tx, name, lambda self, sql, **_: crash.statement(sql))
    _before(postgres.PostgresTx, "commit", lambda self: crash.commit())
    connect = sqlite.connect

    def watched(path: Path, *, reader: bool) -> Any:
        connection = connect(path, reader=reader)
        if not reader:
            # True would turn the commit into a rollback.
            connection.set_commit_hook(lambda: bool(crash.commit()))
        return connection

    sqlite.connect = watched
    _before(lanes.Lane, "_settle", lambda self, outcome: crash.at("after commit") if _talk(outcome) else None)
    _keep_back(crash)


def _talk(outcome: lanes.Outcome) -> bool:
    return any(parcel.kind == "message.created" for parcel in outcome.parcels)


def _keep_back(crash: Crash) -> None:
    """`after ack`: the answer leaves, the entry does not; then the end."""
    committed, reply = fanout.Fanout.committed, screen.reply

    def held(self: Any, parcels: Sequence[Parcel]) -> None:
        if not crash.wanted("after ack"):
            committed(self, parcels)

    def answered(socket: Any, request_id: int | None, result: object) -> None:
        reply(socket, request_id, result)
        if isinstance(result, Sent) and crash.wanted("after ack"):
            asyncio.get_running_loop().call_later(0.05, crash.at, "after ack")

    fanout.Fanout.committed = held  # type: ignore[method-assign]
    screen.reply = answered


def _before(owner: type, name: str, what: Callable[..., object]) -> None:
    inner = getattr(owner, name)

    def wrapped(self: Any, *args: Any, **named: Any) -> Any:
        what(self, *args, **named)
        return inner(self, *args, **named)

    setattr(owner, name, wrapped)


def main() -> None:
    """Plant what the environment asks for, then be the command line."""
    harms = Harms(Path(os.environ["FAULTS"]))
    if files := int(os.environ.get("FAULTS_FILES", "0")):
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    disk = BadDisk(harms)
    plant(Crash(harms))
    lag.plant(harms)
    if harms.is_on("newer"):
        newer.plant(harms)
    cli.main()
    del disk


if __name__ == "__main__":
    main()
