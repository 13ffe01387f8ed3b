"""The machine while a benchmark runs: a server of our own on one core, and who used the others (Linux).

Used by the benchmarks. What always holds: a figure is printed with what may spoil it: the generator's own load, and
the time that strangers took.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import secrets
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

CHECKOUT = Path(__file__).resolve().parents[2]
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
START_S = 30.0
BUSY_MAX = 0.85
FOREIGN_MAX = 0.20
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


def process_s(pid: int) -> float:
    """CPU seconds of a process, its threads included; 0 if it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) * TICK_S


def family(pid: int) -> list[int]:
    """A process and all that came from it and still runs."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in task.read_text().split():
                found += family(int(child))
    return found


def all_s() -> float:
    """CPU seconds that anybody used on this machine."""
    user, nice, system, _idle, _wait, irq, soft, *_ = map(
        int, Path("/proc/stat").read_text().split("\n")[0].split()[1:]
    )
    return (user + nice + system + irq + soft) * TICK_S


def memory_kib(pid: int) -> int:
    """Proportional set size of a process, in KiB; 0 if it is gone."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    found = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
    return int(found.group(1)) if found else 0


@dataclass(slots=True)
class Usage:
    """What was used during `with watched(pids) as usage`: seconds of wall, server, generator and strangers."""

    wall_s: float = 0.0
    server_s: float = 0.0
    generator_s: float = 0.0
    foreign_s: float = 0.0

    @property
    def doubts(self) -> list[str]:
        """Why the figures should not be believed, if so."""
        found = []
        if self.generator_s > BUSY_MAX * self.wall_s:
            found.append(f"void: the generator used {self.generator_s / self.wall_s:.0%} of its core")
        if self.foreign_s > FOREIGN_MAX * self.wall_s:
            found.append(
                f"others (a database server among them) used {self.foreign_s / self.wall_s:.0%} of a core"
            )
        return found


@contextlib.contextmanager
def watched(pids: list[int]) -> Iterator[Usage]:
    """Measures everybody."""
    usage = Usage()
    before = time.perf_counter(), sum(map(process_s, pids)), time.process_time(), all_s()
    yield usage
    usage.wall_s = time.perf_counter() - before[0]
    usage.server_s = sum(map(process_s, pids)) - before[1]
    usage.generator_s = time.process_time() - before[2]
    usage.foreign_s = max(0.0, all_s() - before[3] - usage.server_s - usage.generator_s)


@dataclass(slots=True)
class Home:
    """Where servers of a benchmark live: their data and their settings, thrown away afterwards."""

    data: Path
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """What the server's process is started with."""
        ours = {"PYTHONPATH": str(CHECKOUT), "TSUDOI_DATA": str(self.data)}
        return {**os.environ, **FREE, **ours, **self.settings}

    def seed(self, people: int, circle: int, rooms: int = 1, *, community: bool = False) -> list[Circle]:
        """People in circles, made by the command line; new ones each time, also where a database is used again. With
        `community`, all of them are in one besides."""
        prefix = f"bench_{secrets.token_hex(3)}"
        command = [sys.executable, "-P", "-m", "gateway.cli", "seed", "--people", str(people)]
        command += ["--circle", str(circle), "--rooms", str(rooms), "--prefix", prefix]
        command += ["--communities", "1"] if community else []
        done = subprocess.run(command, env=self.environment, check=True, stdout=subprocess.PIPE)  # noqa: S603  # our own command line
        return [Circle(**orjson.loads(line)) for line in done.stdout.splitlines()]

    @contextlib.contextmanager
    def server(self, processes: int = 1) -> Iterator[Server]:
        """A server on the first core, in so many processes; the generator goes to the last one."""
        command = [sys.executable, "-P", "-m", "gateway.cli", "serve"]
        environment = {**self.environment, "PORT": "0", "WEB_CONCURRENCY": str(processes)}
        with on_first_core():
            process = subprocess.Popen(  # noqa: S603  # our own command line
                command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
        try:
            yield Server(process.pid, _address(process))
        finally:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


@dataclass(frozen=True, slots=True)
class Circle:
    """Friends by their tokens, the ids of their rooms, and those of the communities that all circles share."""

    tokens: list[str]
    rooms: list[str]
    communities: list[str]


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    pid: int
    url: str


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    end = time.monotonic() + START_S
    said = []
    while time.monotonic() < end:
        line = process.stdout.readline()
        if not line:
            break
        said.append(line)
        found = re.search(r"http://\S+:\d+", line)
        if found:
            os.set_blocking(process.stdout.fileno(), False)
            return found.group()
    raise RuntimeError("the server did not start:\n" + "".join(said))


@contextlib.contextmanager
def on_first_core() -> Iterator[None]:
    """Processes begun meanwhile live on the first core, and so do their threads and children."""
    if (os.cpu_count() or 1) < 2:
        yield
        return
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {0})
    try:
        yield
    finally:
        os.sched_setaffinity(0, own)


def take_last_core() -> None:
    """The generator's own place."""
    count = os.cpu_count() or 1
    if count > 1:
        os.sched_setaffinity(0, {count - 1})


def allow_files() -> None:
    """As many connections as the machine lets a process have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextlib.contextmanager
def home(settings: dict[str, str]) -> Iterator[Home]:
    """A place that is gone afterwards."""
    data = Path(tempfile.mkdtemp(prefix="tsudoi-bench-"))
    try:
        yield Home(data, settings)
    finally:
        shutil.rmtree(data, ignore_errors=True)
