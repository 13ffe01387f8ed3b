"""The machine while a benchmark or a load test runs: its cores, its files, and who used how much of it (Linux).

Used by both. What always holds: a figure is printed with what may spoil it: the generator's own load, and
the time that strangers took.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
BUSY_MAX = 0.85
FOREIGN_MAX = 0.20


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
