"""Tasks end, also those that lose a cancellation on the way."""

from __future__ import annotations

import asyncio

import pytest

from storage import tasks


async def loops(losing: int) -> None:
    """For ever, but for so many cancellations that become trouble."""
    lost = 0
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            if lost == losing:
                raise
            lost += 1


async def fails() -> None:
    """Ends by a fault of its own."""
    raise RuntimeError("broken")


@pytest.mark.parametrize("losing", [0, 1, 3])
async def test_a_task_ends_however_often_it_loses_a_cancellation(
    losing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "AGAIN_S", 0.01)
    ending = [asyncio.create_task(loops(losing)), asyncio.create_task(loops(0)), asyncio.create_task(fails())]
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await tasks.end(ending)
    assert all(task.done() for task in ending)


async def test_where_nothing_is_to_end_nothing_is_waited_for() -> None:
    async with asyncio.timeout(5):
        await tasks.end([])
    assert asyncio.all_tasks() == {asyncio.current_task()}
