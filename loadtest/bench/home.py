"""Where the servers of a benchmark live: data and settings that are thrown away afterwards, and no limits.

Used by the jobs of `./run bench`.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from loadtest import serving
from loadtest.serving import Circle, Server

FREE = {
    "TSUDOI_OPERATIONS_PER_S": "1e9",
    "TSUDOI_OPERATIONS_BURST": "1e9",
    "TSUDOI_OPERATIONS_IN_FLIGHT_MAX": "100000",
    "TSUDOI_HANDSHAKES_PER_S": "1e9",
    "TSUDOI_HANDSHAKES_BURST": "1e9",
    "TSUDOI_HANDSHAKES_PER_ADDRESS_PER_S": "1e9",
    "TSUDOI_HANDSHAKES_PER_ADDRESS_BURST": "1e9",
    "TSUDOI_CONNECTIONS_PER_ADDRESS_MAX": "1000000",
    # Another generator may know no more than to send a heartbeat now and then.
    "TSUDOI_PONG_WAIT_S": "30",
    # Everybody hears every post, also where people would see one card that says how much is going on.
    "TSUDOI_BUSY_POSTS_PER_MIN": "0",
    "TSUDOI_LOG_LEVEL": "warning",
}


@dataclass(frozen=True, slots=True)
class Home:
    """See the module. `settings` may name a database and Redis."""

    data: Path
    settings: dict[str, str]

    @property
    def environment(self) -> dict[str, str]:
        """What the server's process is started with."""
        return serving.environment(self.data, {**FREE, **self.settings})

    def seed(self, people: int, circle: int, rooms: int = 1, *, community: bool = False) -> list[Circle]:
        """People in circles, made by the command line; new ones each time, also where a database is used again. With
        `community`, all of them are in one besides. Raises `ServingError`."""
        return serving.seed(
            self.environment,
            people=people,
            circle=circle,
            rooms=rooms,
            communities=int(community),
            prefix=f"bench_{secrets.token_hex(3)}",
        )

    @contextlib.contextmanager
    def server(self, processes: int = 1) -> Iterator[Server]:
        """A server on the first core, in so many processes; the generator goes to the last one. Raises `ServingError`."""
        with serving.serving({**self.environment, "WEB_CONCURRENCY": str(processes)}) as server:
            yield server


@contextlib.contextmanager
def home(settings: dict[str, str]) -> Iterator[Home]:
    """A place that is gone afterwards."""
    data = Path(tempfile.mkdtemp(prefix="tsudoi-bench-"))
    try:
        yield Home(data, settings)
    finally:
        shutil.rmtree(data, ignore_errors=True)
