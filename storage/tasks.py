"""The end of tasks that run for ever.

Used wherever loops are taken down. What always holds: who waits here waits until they have ended, and whatever they raised is heard.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

AGAIN_S = 0.2


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks until they have ended. Once may not be enough: a library that closes a connection because of it may
    raise trouble of its own instead, which a loop takes for the weather and goes on."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        ended, left = await asyncio.wait(left, timeout=AGAIN_S)
        for task in ended:
            if not task.cancelled():
                # Whoever began it has told of its fault; here it is only heard.
                task.exception()
