"""Somebody stops reading while much is said: cut, closed within its bounds, and back without a hole (F12)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

from realtime.closes import Close
from tests.faults.chaos import Chaos
from tests.faults.cluster import closed, resumed
from tests.faults.evening import Evening, Gateway, evening, paced
from tests.faults.history import Event
from tests.support.waiting import until, until_async

AGE_S = paced(15)
CLOSE_WAIT_S = 5.0
QUEUE_BYTES = 512 * 1024
WINDOW_BYTES = 64 * 1024
LOUD = "あ" * 1_900
SLACK_S = 5.0
"""For a machine that others use too."""
DROPPED, CUT, QUEUED = "tsudoi_fleeting_dropped_total", "tsudoi_channels_cut_total", "tsudoi_queued_bytes"


async def test_f12_who_stops_reading_is_let_go_and_nobody_else_feels_it(tmp_path: Path) -> None:
    gateway = Gateway(
        {
            "TSUDOI_QUEUE_AGE_S": str(AGE_S),
            "TSUDOI_QUEUE_BYTES_MAX": str(QUEUE_BYTES),
            "TSUDOI_CLOSE_WAIT_S": str(CLOSE_WAIT_S),
        },
        tmp_path / "faults",
    )
    # What is ephemeral, and may be dropped, is said by a version to come.
    gateway.harms.on("newer")
    await asyncio.to_thread(gateway.start)
    try:
        async with Chaos(gateway.port) as door:
            door.window_bytes = WINDOW_BYTES
            urls = [gateway.ws_url, gateway.ws_url, f"ws://127.0.0.1:{door.port}/gateway"]
            async with evening([gateway], urls, tmp_path) as spent:
                # Nobody who is away for as long as this takes misses more than a resume holds.
                spent.pause_s = AGE_S / 60
                before = await calm(spent)
                for reads_the_end in (True, False):
                    worst = await one_round(spent, gateway, door, reads_the_end=reads_the_end)
                    # Whoever waited for the slow one would wait for as long as it may be slow.
                    assert worst < 5 * before + 1.0
                    await spent.acked(20)
                assert resumed(await spent.end())
                assert [person.holes for person in spent.people] == [0, 0, 0]
                assert gateway.harms.struck("wave") > 0
        assert gateway.complaints() == []
    finally:
        gateway.close()


async def shout(spent: Evening) -> None:
    """Aki says long lines, one after the other, until cancelled."""
    while True:
        await spent.say(spent.people[0], f"{LOUD}{time.monotonic_ns()}")
        await asyncio.sleep(0.005)


async def calm(spent: Evening) -> float:
    """How long lines take, while much is said and everybody reads; 99 of 100 take less, in seconds."""
    since = time.monotonic()
    shouting = asyncio.create_task(shout(spent))
    await spent.acked(200)
    await stop(shouting)
    await spent.acked(10)
    return slow_lines_s(spent.history.events(), ("aki", "haru"), since, time.monotonic())


async def stop(task: asyncio.Task[None]) -> None:
    """The shouting ends; the line that is under way may have been said or not."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def slow_lines_s(events: Sequence[Event], who: Sequence[str], since: float, until_: float) -> float:
    """From saying to hearing, of what was said between two times by and to those named: the 99th of 100, in seconds."""
    said = {e["text"]: e["t"] for e in events if e["what"] == "say" and e["who"] in who}
    took = sorted(
        e["t"] - said[e["text"]]
        for e in events
        if e["what"] == "heard" and e["who"] in who and since <= said.get(e["text"], 0.0) <= until_
    )
    assert len(took) >= 100, "too little was said"
    return float(took[len(took) * 99 // 100])


async def one_round(spent: Evening, gateway: Gateway, door: Chaos, *, reads_the_end: bool) -> float:
    """Mio stops reading, is let go, and comes back; how long the lines of the others took meanwhile, in seconds.
    With `reads_the_end` they read again at once, and may learn why."""
    mio = spent.people[2].client
    lives = spent.lives
    counters = await gateway.counters()
    codes = closed(counters)
    (link,) = door.links
    port = link.writers[1].get_extra_info("sockname")[1]
    assert gateway.holds(port)
    since = time.monotonic()
    door.down.held = True
    shouting = asyncio.create_task(shout(spent))
    most = 0.0

    async def cut() -> bool:
        nonlocal most
        now = await gateway.counters()
        most = max(most, now[QUEUED])
        # What is ephemeral goes in the same breath, before any channel is cut.
        assert now[DROPPED] > counters[DROPPED] or now[CUT] == counters[CUT]
        return now[CUT] > counters[CUT]

    await until_async(cut, "the room is cut")
    await stop(shouting)
    begun = time.monotonic()
    assert closed(await gateway.counters()) == codes, "closed before it was told `behind`"
    while closed(await gateway.counters()).get(str(int(Close.TOO_SLOW)), 0) <= codes.get(
        str(int(Close.TOO_SLOW)), 0
    ):
        assert time.monotonic() - begun < 2 * AGE_S + SLACK_S, "kept beyond its age"
        await asyncio.sleep(0.02)
    ended = time.monotonic()
    assert 0 < most <= QUEUE_BYTES + len(LOUD) * 16
    await spent.acked(20)
    worst = slow_lines_s(spent.history.events(), ("aki", "haru"), since, ended)
    if not reads_the_end:
        while gateway.holds(port):
            assert time.monotonic() - ended < CLOSE_WAIT_S + 1.0 + SLACK_S, "the socket is not freed"
            await asyncio.sleep(0.02)
    assert door.down.struck["held"] > 0
    door.down.held = False
    await until(lambda: spent.lives > lives, "it continues", 30)
    # The system counts the time before the close, too, when it gives up on bytes that nobody takes.
    assert mio.close_code in ((Close.TOO_SLOW, 1006) if reads_the_end else (1006,))
    return worst
