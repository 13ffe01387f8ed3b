"""The ground a run plays on: a server somewhere, or one that is started for it and thrown away, with its people.

A server of our own runs with its limits on, as an operator's does; only what counts connections of the whole machine at once
is widened, because all people come from here.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from loadtest.bench.machine import memory_kib, process_s
from loadtest.serving import Circle, ServingError, environment, seed, serving

WIDE = {
    "TSUDOI_HANDSHAKES_PER_S": "5000",
    "TSUDOI_HANDSHAKES_BURST": "5000",
    "TSUDOI_LOG_LEVEL": "warning",
}


@dataclass(slots=True)
class Ground:
    """`circles` are the people, by their tokens. `pid` is 0 for a server that is not ours."""

    url: str
    circles: list[Circle]
    pid: int = 0
    nodes: int = 1

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
        return sum(map(process_s, self.processes()))

    def memory_kib(self) -> int:
        """Memory of the server."""
        return sum(map(memory_kib, self.processes()))

    def kill_one(self) -> int:
        """kill -9 of one of several nodes; its pid. Raises `ServingError` if there is only one, or the server is not ours."""
        found = self.processes()
        if len(found) < 2:
            raise ServingError("A node can be killed where --spawn --nodes 2 (or more) started several.")
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
    follows: str = "first"
    nodes: int = 1
    database_url: str = ""
    redis_url: str = ""


@contextlib.contextmanager
def spawned(wish: Spawn) -> Iterator[Ground]:
    """A server of our own for the length of a `with`. Raises `ServingError`."""
    several = wish.nodes > 1
    if several and not (wish.database_url and wish.redis_url):
        raise ServingError("Several nodes need --database-url and --redis-url.")
    places = {"DATABASE_URL": wish.database_url, "REDIS_URL": wish.redis_url}
    settings = {**WIDE, "WEB_CONCURRENCY": str(wish.nodes)}
    with tempfile.TemporaryDirectory(prefix="tsudoi-loadtest-", ignore_cleanup_errors=True) as data:
        given = environment(Path(data), {**settings, **{name: url for name, url in places.items() if url}})
        circles = seed(
            given,
            people=wish.people,
            circle=wish.circle,
            rooms=wish.rooms,
            communities=wish.communities,
            follows=wish.follows,
            prefix=f"load_{secrets.token_hex(3)}",
        )
        # Several nodes take what they get.
        with serving(given, pinned=not several) as server:
            yield Ground(server.url, circles, server.pid, wish.nodes)
