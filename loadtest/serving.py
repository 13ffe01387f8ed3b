"""Servers of our own and the people on them: started by the command line for the length of a `with`, then thrown away.

Used by the benchmarks and by the load test. What always holds: a server that was started is gone afterwards, however the
work with it ended.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from loadtest.bench.machine import on_first_core

CHECKOUT = Path(__file__).resolve().parents[1]
START_S = 60.0
STOP_S = 30.0
SAID_BYTES = 1 << 16
ADDRESS = re.compile(r"(http://\S+:\d+)\s")


class ServingError(RuntimeError):
    """There is no server, or nobody on it; the text says why."""


@dataclass(frozen=True, slots=True)
class Circle:
    """Friends by their tokens, the ids of their rooms, and those of the communities that all circles share."""

    tokens: list[str]
    rooms: list[str]
    communities: list[str]


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: its process (with several nodes, their parent) and its address."""

    pid: int
    url: str


def environment(data: Path, settings: Mapping[str, str]) -> dict[str, str]:
    """What the command line of this checkout is started with."""
    return {**os.environ, "PYTHONPATH": str(CHECKOUT), "TSUDOI_DATA": str(data), **settings}


def _command(*words: str) -> Sequence[str]:
    return [sys.executable, "-P", "-m", "gateway.cli", *words]


def seed(given: Mapping[str, str], **wish: int | str) -> list[Circle]:
    """People made by `tsudoi seed`, `wish` being its options. Raises `ServingError`."""
    words = [word for name, value in wish.items() for word in (f"--{name}", str(value))]
    done = subprocess.run(_command("seed", *words), env=given, check=False, capture_output=True)  # noqa: S603  # our own command line
    if done.returncode:
        raise ServingError(f"The people could not be made: {done.stderr.decode().strip()[-400:]}")
    return read_circles(done.stdout.decode())


def read_circles(lines: str) -> list[Circle]:
    """What `tsudoi seed --people` printed → circles. Raises `ServingError`."""
    try:
        return [Circle(**orjson.loads(line)) for line in lines.splitlines() if line.strip()]
    except (orjson.JSONDecodeError, TypeError) as error:
        raise ServingError(f"This is not what `tsudoi seed --people` prints: {error}") from None


@contextlib.contextmanager
def serving(given: Mapping[str, str], *, pinned: bool = True) -> Iterator[Server]:
    """A server on a free port; `pinned`: on the first core. Raises `ServingError`."""
    # What it says goes to a file: nobody reads it all along, and a pipe that is full would stop the server.
    with tempfile.TemporaryFile() as said:
        with on_first_core() if pinned else contextlib.nullcontext():
            process = subprocess.Popen(  # noqa: S603  # our own command line
                _command("serve"), env={**given, "PORT": "0"}, stdout=said, stderr=subprocess.STDOUT
            )
        try:
            yield Server(process.pid, _address(process, said.fileno()))
        finally:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_S)
            process.kill()
            process.wait()


def _address(process: subprocess.Popen[bytes], said: int) -> str:
    end = time.monotonic() + START_S
    while True:
        ended = process.poll() is not None
        # The process writes at the place that is shared with it, so it is read without moving that.
        text = os.pread(said, SAID_BYTES, 0).decode(errors="replace")
        found = ADDRESS.search(text)
        if found and not ended:
            return found.group(1)
        if ended or time.monotonic() > end:
            raise ServingError(f"The server did not start:\n{text[-800:]}")
        time.sleep(0.05)
