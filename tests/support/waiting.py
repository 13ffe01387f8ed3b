"""Waiting in tests: for a condition with a deadline, never for a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

DEADLINE_S = 30.0
"""As long as a busy machine may take for anything: who waits less is told of in the call."""


async def until(condition: Callable[[], object], what: str = "", deadline_s: float = DEADLINE_S) -> None:
    """Return as soon as `condition()` is true; fail with `what` at the deadline."""
    loop = asyncio.get_running_loop()
    end = loop.time() + deadline_s
    while not condition():
        assert loop.time() < end, f"waited {deadline_s} s in vain: {what or condition}"
        await asyncio.sleep(0.005)


async def until_async(condition: Callable[[], Awaitable[object]], what: str = "") -> None:
    """As `until`, for a condition that must be awaited."""
    loop = asyncio.get_running_loop()
    end = loop.time() + DEADLINE_S
    while not await condition():
        assert loop.time() < end, f"waited {DEADLINE_S} s in vain: {what or condition}"
        await asyncio.sleep(0.005)


class LoopLag:
    """Measures how long the event loop was kept from turning. `async with LoopLag() as lag: …; lag.worst_s`."""

    STEP_S = 0.005

    def __init__(self) -> None:
        self.worst_s = 0.0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> LoopLag:
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            begun = loop.time()
            await asyncio.sleep(self.STEP_S)
            self.worst_s = max(self.worst_s, loop.time() - begun - self.STEP_S)
