"""An event loop whose time is a number: it jumps to the next timer as soon as nothing is ready.

Everything that runs on it is asyncio as it is; only waiting takes no time. What always holds: the same calls lead to
the same turns; a loop on which nothing can ever happen again says so instead of standing still.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
GRAIN_S = 1e-9


class NothingLeft(RuntimeError):
    """Somebody waits for what no timer and no callback will ever bring."""


class VirtualLoop(asyncio.BaseEventLoop):
    """See the module. It is its own selector: there are no files to wait for."""

    def __init__(self) -> None:
        super().__init__()
        self._virtual = 1_000.0
        self._clock_resolution = GRAIN_S
        self._selector = self

    def time(self) -> float:
        """Virtual seconds."""
        return self._virtual

    def select(self, timeout: float | None) -> list[object]:
        """Nothing is ready: be at the next timer."""
        if timeout is None:
            raise NothingLeft
        self._virtual += timeout
        return []

    def _process_events(self, events: object) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody waits in a system call."""


def run(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` on a fresh virtual loop; whatever still runs at the end is cancelled."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(main)
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.close()
