"""How long the loop of a server was kept from turning, however busy the machine is.

Measured inside the process (planted by the launcher): how late a timer is, less what the kernel says that threads of this
process were ready to run and did not get a processor meanwhile (schedstat). What is left is the loop's own: computing, or
waiting for somebody. What always holds: each watch begins at nothing, and `stall` proves that a loop that waits is seen.

The server's log is a file, and a disk that others use too may stall a write of it: once or twice it may be late for longer.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.node import Node
from tests.faults.vfs import Harms
from tests.support.waiting import until

if TYPE_CHECKING:
    from tests.faults.evening import Gateway

STEP_S = 0.02
TASKS = Path("/proc/self/task")
LAG_MAX_S = 0.1 if Path("/proc/self/schedstat").exists() else 1.0
"""Where the kernel does not tell who waited for a processor, a busy machine cannot be told from a busy loop."""
ONCE_MAX_S = 1.0
OUTLIERS = 2
LOOKS_LEAST = 10


def starved_s() -> float:
    """How long all threads of this process together were ready to run and did not run; 0 where the kernel does not
    tell."""
    waited_ns = 0
    for task in os.listdir(TASKS):
        # A thread may end between the two looks.
        with contextlib.suppress(OSError):
            waited_ns += int((TASKS / task / "schedstat").read_text().split()[1])
    return waited_ns / 1e9


def plant(harms: Harms) -> None:
    """Every node of this process has its loop watched, while `lag` is on; `stall` makes the loop wait once."""
    start = Node.start

    async def and_watch(self: Any) -> None:
        await start(self)
        self.keep_running(_watch(harms))

    Node.start = and_watch  # type: ignore[method-assign]


async def _watch(harms: Harms) -> None:
    watch, looks = "", 0
    longest = [0.0] * (OUTLIERS + 1)
    while True:
        begun, starved = time.monotonic(), starved_s()
        await asyncio.sleep(STEP_S)
        if harms.strikes("stall"):
            stall_s = float((harms.place / "stall").read_text())
            harms.off("stall")
            time.sleep(stall_s)  # noqa: ASYNC251 - this is the harm
        late = time.monotonic() - begun - STEP_S - (starved_s() - starved)
        wanted = (harms.place / "lag").read_text() if harms.is_on("lag") else ""
        if wanted != watch:
            watch, looks = wanted, 0
            longest = [0.0] * (OUTLIERS + 1)
        elif watch:
            longest, looks = sorted([*longest, late], reverse=True)[: OUTLIERS + 1], looks + 1
            told = harms.place / f"lag-{watch}.new"
            told.write_text(json.dumps([looks, *longest]))
            told.replace(harms.place / f"lag-{watch}")


class Watched:
    """What was found; complete after the `with` of `watching`. `longest_s` are the longest times, descending."""

    def __init__(self, told: Path) -> None:
        self._told = told
        self.longest_s: list[float] = []

    def looks(self) -> int:
        """How often the loop was looked at."""
        return int(json.loads(self._told.read_text())[0]) if self._told.exists() else 0

    def note(self) -> None:
        """Read what was found."""
        self.longest_s = json.loads(self._told.read_text())[1:]

    @property
    def turned(self) -> bool:
        """True if the loop was never kept for long, and not for the bound but for a few times."""
        return self.longest_s[0] < ONCE_MAX_S and self.longest_s[OUTLIERS] < LAG_MAX_S


@asynccontextmanager
async def watching(gateway: Gateway) -> AsyncIterator[Watched]:
    """Watch the loop of a gateway for the length of a `with`."""
    name = f"{time.monotonic_ns()}"
    found = Watched(gateway.harms.place / f"lag-{name}")
    gateway.harms.on("lag", name)
    await until(found.looks, "the watch begins")
    yield found
    looks = found.looks()
    await until(lambda: found.looks() >= looks + LOOKS_LEAST, "the loop turns on", 30)
    found.note()
    gateway.harms.off("lag")
