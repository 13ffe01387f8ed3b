"""The servers that loads are put to: Tsudoi, the least a C server can do, and other people's (Linux).

Used by the jobs of the hot path. Each is started on the first core, which its threads and children inherit; the generator
has the last.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from loadtest.bench.home import Home
from loadtest.bench.loads import PLAIN, SIGNAL, Dialect, Load, Target
from loadtest.bench.machine import on_first_core
from loadtest.serving import Circle

START_S = 30.0
STOP_S = 10.0
PORTS = range(20_000, 32_000)


def free_port() -> int:
    """A port nobody listens on now, from below those that connections leave from: whoever tries one of these until it
    answers may meet himself."""
    while True:
        port = PORTS.start + secrets.randbelow(len(PORTS))
        with contextlib.suppress(OSError), socket.socket() as sock:
            sock.bind(("127.0.0.1", port))
            return port


@contextlib.contextmanager
def program(command: Sequence[str], port: int, environment: Mapping[str, str] | None = None) -> Iterator[int]:
    """A server process on the first core, until it listens; gives its pid. Raises `RuntimeError` if it never does."""
    with on_first_core():
        process = subprocess.Popen(  # noqa: S603  # a program of ours, or the one the operator named
            list(command),
            env={**os.environ, **(environment or {})},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
    try:
        _await_port(process, port)
        yield process.pid
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S)
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


def _await_port(process: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    if process.poll() is None:
        raise RuntimeError(f"{process.args!r} does not listen")
    assert process.stderr is not None
    raise RuntimeError(f"{process.args!r} ended: {process.stderr.read().decode(errors='replace')[-300:]}")


def _await_listeners(port: int, count: int) -> None:
    """Until all processes of a server listen: whoever comes earlier would be spread over the first ones alone."""
    end = time.monotonic() + START_S
    local, listening = f":{port:04X}", "0A"
    while time.monotonic() < end:
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        if sum(row[1].endswith(local) and row[3] == listening for row in rows) >= count:
            return
        time.sleep(0.05)
    raise RuntimeError(f"not all of {count} processes listen on port {port}")


@contextlib.contextmanager
def limit(path: Path, mode: str) -> Iterator[Target]:
    """The least a server can do: `PATH PORT MODE`, in the plain dialect."""
    port = free_port()
    with program([str(path), str(port), mode], port) as pid:
        yield Target(port, [pid], PLAIN, "C")


@contextlib.contextmanager
def tsudoi(place: Home, crowd: Crowd, dialect: Dialect = SIGNAL, processes: int = 1) -> Iterator[Target]:
    """Tsudoi with a crowd that was seeded before."""
    with place.server(processes) as server:
        port = int(server.url.rpartition(":")[2])
        _await_listeners(port, processes)
        yield Target(port, [server.pid], dialect, "Tsudoi", crowd.tokens, crowd.lines)


class Crowd:
    """People for one load: files with a token, and a channel to speak in, per connection of the generator."""

    def __init__(self, data: Path, load: Load, circles: Sequence[Circle], *, bare: bool = False) -> None:
        """In the people's community, unless the load has rooms; `bare`: its id instead of its channel."""
        stem = "".join(letter if letter.isalnum() else "-" for letter in load.name)
        self.tokens = data / f"{stem}.tokens"
        self.lines = data / f"{stem}.channels"
        tokens = [token for circle in circles for token in circle.tokens][: load.connections]
        if len(tokens) < load.connections:
            raise ValueError(f"{load.name} needs {load.connections} people, there are {len(tokens)}")
        if load.channels > 1:
            # The publishers come last, the n-th speaking in channel n, as its events' last digits say.
            rooms = circles[0].rooms
            lines = [
                f"room:{rooms[(index - load.listeners) % load.channels]}" for index in range(load.connections)
            ]
        elif load.group:
            lines = [f"room:{circle.rooms[0]}" for circle in circles for _ in circle.tokens][
                : load.connections
            ]
        else:
            lines = [("" if bare else "community:") + circles[0].communities[0]] * load.connections
        for place, texts in ((self.tokens, tokens), (self.lines, lines)):
            place.write_text("".join(text + "\n" for text in texts))
            place.chmod(0o600)
