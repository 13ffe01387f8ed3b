"""Coming back: people with hundreds of rooms each, all at once, with something missed in every room (docs/benchmarks.md).

Measured twice: against the node that was there all along (its memory serves), and against one that was started
afresh (the log serves).
"""

from __future__ import annotations

import asyncio
import time

from loadtest.bench.figures import Row, percentile
from loadtest.bench.lean import Lean, dial
from loadtest.bench.machine import watched
from loadtest.serving import Circle, Server

PEOPLE = 20
ROOMS = 500
MISSED = 4
WHOLE_S = 120.0

ROWS = (
    Row("positions"),
    Row("entries missed"),
    Row("all live", "s", "<= 10"),
    Row("one live p50", "s"),
    Row("one live p99", "s"),
    Row("server CPU", "µs/position"),
    Row("entries", "per CPU s"),
)


async def positions_of(server: Server, circle: Circle) -> tuple[str, dict[str, int]]:
    """The epoch, and where every room stands now."""
    one = await dial(server.url, circle.tokens[0])
    await one.live
    synced = (await one.ask("channel.sync", b"{}"))["ok"]
    one.close()
    return synced["epoch"], {"room:" + room.decode(): seq for room, seq in one.seqs.items()}


async def speak(server: Server, circle: Circle) -> None:
    """Some lines in every room, so that everybody who is away misses something everywhere."""
    speaker = await dial(server.url, circle.tokens[0])
    for number in range(MISSED):
        for start in range(0, len(circle.rooms), 50):
            asked = [
                speaker.ask(
                    "room.send",
                    b'{"room":"%s","nonce":"%d-%s-%s","text":"hello %d"}'
                    % (room.encode(), number, room.encode()[-8:], speaker.name, number),
                )
                for room in circle.rooms[start : start + 50]
            ]
            for answer in await asyncio.gather(*asked):
                if "error" in answer:
                    raise RuntimeError(answer["error"]["message"])
    speaker.close()


async def run(
    server: Server, circle: Circle, epoch: str, positions: dict[str, int]
) -> tuple[dict[str, float], list[str], list[str]]:
    """All of the circle at once, from the same positions."""
    begun = time.perf_counter()
    with watched([server.pid]) as usage:
        dials = (dial(server.url, token, epoch=epoch, positions=positions) for token in circle.tokens)
        people: list[Lean] = await asyncio.gather(*dials)
        async with asyncio.timeout(WHOLE_S):
            ends = sorted([at - begun for at in await asyncio.gather(*(person.live for person in people))])
    faults = [fault for person in people for fault in person.faults]
    missed = sum(person.frames for person in people)
    wanted = len(people) * len(circle.rooms) * MISSED
    if missed != wanted:
        faults.append(f"{missed} of {wanted} missed entries came")
    for person in people:
        person.close()
    asked = len(people) * len(positions)
    values = {
        "positions": asked,
        "entries missed": wanted,
        "all live": ends[-1],
        "one live p50": percentile(ends, 0.5),
        "one live p99": percentile(ends, 0.99),
        "server CPU": usage.server_s / asked * 1e6,
        "entries": missed / max(usage.server_s, 1e-9),
    }
    return values, [], faults
