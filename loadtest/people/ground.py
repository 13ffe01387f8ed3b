"""The ground a run plays on: a server somewhere, or one that is started for it and thrown away, with its people.

A server of our own runs with its limits on, as an operator's does; only what counts connections of the whole machine at once
is widened, because all people come from here.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from loadtest.bench.machine import CHECKOUT, Circle, memory_kib, process_s

START_S = 60.0
WIDE = {
    "TSUDOI_HANDSHAKES_PER_S": "5000",
    "TSUDOI_HANDSHAKES_BURST": "5000",
    "TSUDOI_LOG_LEVEL": "warning",
    "PORT": "0",
}


class GroundError(Exception):
    """There is nothing to play on; the text says what to do."""


@dataclass(slots=True)
class Ground:
    """`circles` are the people, by their tokens. `pid` is 0 for a server that is not ours."""

    url: str
    circles: list[Circle]
    pid: int = 0
    nodes: int = 1
    _children: list[int] = field(default_factory=list)

    @property
    def socket_url(self) -> str:
        """Where sockets connect."""
        return re.sub(r"^http", "ws", self.url.rstrip("/")) + "/gateway"

    @property
    def near(self) -> bool:
        """True if every address of 127.0.0.0/8 leads there."""
        return "://127." in self.url or "://localhost" in self.url

    def processes(self) -> list[int]:
        """The server's processes that serve."""
        if not self.pid:
            return []
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        with contextlib.suppress(OSError):
            found = [int(each) for each in children.read_text().split()]
            if self.nodes > 1:
                return found
        return [self.pid]

    def cpu_s(self) -> float:
        """CPU seconds of the server so far."""
        total = 0.0
        for pid in self.processes():
            with contextlib.suppress(OSError):
                total += process_s(pid)
        return total

    def memory_kib(self) -> int:
        """Memory of the server."""
        total = 0
        for pid in self.processes():
            with contextlib.suppress(OSError):
                total += memory_kib(pid)
        return total

    def kill_one(self) -> int:
        """kill -9 of one of several nodes; its pid. Raises `GroundError` if there is only one, or the server is not ours."""
        found = self.processes()
        if len(found) < 2:
            raise GroundError("A node can be killed where --spawn --nodes 2 (or more) started several.")
        os.kill(found[0], signal.SIGKILL)
        return found[0]

    def roll(self) -> None:
        """A deploy: nodes are replaced one after the other."""
        if self.nodes > 1 and self.pid:
            os.kill(self.pid, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Spawn:
    """A server to start. With several `nodes` it needs PostgreSQL and Redis."""

    people: int
    circle: int = 10
    rooms: int = 1
    communities: int = 0
    nodes: int = 1
    database_url: str = ""
    redis_url: str = ""
    pinned: bool = True
    settings: dict[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def spawned(wish: Spawn) -> Iterator[Ground]:
    """A server of our own for the length of a `with`. Raises `GroundError`."""
    if wish.nodes > 1 and not (wish.database_url and wish.redis_url):
        raise GroundError("Several nodes need --database-url and --redis-url.")
    data = Path(tempfile.mkdtemp(prefix="tsudoi-loadtest-"))
    given = {"DATABASE_URL": wish.database_url, "REDIS_URL": wish.redis_url}
    environment = {
        **os.environ,
        **WIDE,
        **wish.settings,
        **{name: value for name, value in given.items() if value},
        "WEB_CONCURRENCY": str(wish.nodes),
        "PYTHONPATH": str(CHECKOUT),
        "TSUDOI_DATA": str(data),
    }
    try:
        circles = _seed(environment, wish)
        process = _start(environment)
        try:
            url = _address(process)
            if wish.pinned:
                _pin(process.pid, {0})
            yield Ground(url, circles, process.pid, wish.nodes)
        finally:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)
            process.kill()
            process.wait()
    finally:
        shutil.rmtree(data, ignore_errors=True)


def _seed(environment: dict[str, str], wish: Spawn) -> list[Circle]:
    command = [sys.executable, "-P", "-m", "gateway.cli", "seed", "--people", str(wish.people)]
    command += ["--circle", str(wish.circle), "--rooms", str(wish.rooms)]
    command += ["--communities", str(wish.communities), "--prefix", f"load{os.getpid()}"]
    done = subprocess.run(command, env=environment, check=False, capture_output=True)  # noqa: S603  # our own command line
    if done.returncode:
        raise GroundError(f"The people could not be made: {done.stderr.decode().strip()[-400:]}")
    return read_circles(done.stdout.decode())


def read_circles(lines: str) -> list[Circle]:
    """What `tsudoi seed --people` printed → circles. Raises `GroundError`."""
    try:
        return [Circle(**orjson.loads(line)) for line in lines.splitlines() if line.strip()]
    except (orjson.JSONDecodeError, TypeError) as error:
        raise GroundError(f"This is not what `tsudoi seed --people` prints: {error}") from None


def _start(environment: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-P", "-m", "gateway.cli", "serve"]
    return subprocess.Popen(  # noqa: S603  # our own command line
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    end, said = time.monotonic() + START_S, []
    while time.monotonic() < end:
        line = process.stdout.readline()
        if not line:
            break
        said.append(line)
        found = re.search(r"http://\S+:\d+", line)
        if found:
            os.set_blocking(process.stdout.fileno(), False)
            return found.group()
    raise GroundError("The server did not start:\n" + "".join(said)[-800:])


def _pin(pid: int, cores: set[int]) -> None:
    """All threads of a process to some cores, where there are more; later threads inherit it."""
    if (os.cpu_count() or 1) < 2:
        return
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            os.sched_setaffinity(int(task.name), cores)
