"""Thousands of connections: what one costs, how fast they come in, and how fast they come back (docs/benchmarks.md)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from loadtest.bench.figures import Row, percentile
from loadtest.bench.lean import Lean, dial
from loadtest.bench.machine import memory_kib, watched
from loadtest.serving import Circle, Server

AT_ONCE = 64
WHOLE_S = 120.0
IDLE_SETTLE_S = 14.0  # the deadlines of handshakes have passed, and what hangs on them is gone
PROBES_S = 0.05

Outcome = tuple[dict[str, float], list[str], list[str]]

CONNECT = (
    Row("connections"),
    Row("connects", "/s", ">= 2,000"),
    Row("connect p50", "ms"),
    Row("connect p99", "ms"),
    Row("server CPU", "µs/connect"),
    Row("generator", "% of a core"),
)
IDLE = (
    Row("connections"),
    Row("channels each"),
    Row("memory", "KiB/connection", "<= 6"),
    Row("memory of the process", "MiB"),
    Row("CPU while idle", "% of a core", "<= 3"),
    Row("growth while idle", "KiB"),
    Row("growth in the second half", "KiB"),
    Row("answers meanwhile p99", "ms"),
    Row("slowest answer", "ms"),
)
# With hundreds of channels each.
IDLE_WIDE = tuple(Row(row.name, row.unit, "<= 24") if row.name == "memory" else row for row in IDLE)
STAMPEDE = (
    Row("connections"),
    Row("all whole", "s", "<= 10"),
    Row("live p50", "s"),
    Row("live p99", "s"),
    Row("entries missed"),
    Row("others' lines meanwhile p99", "s", "<= 1"),
    Row("server CPU", "µs/connect"),
)


def everybody(circles: Sequence[Circle]) -> list[tuple[str, str]]:
    """(token, room) of everyone."""
    return [(token, circle.rooms[0]) for circle in circles for token in circle.tokens]


async def enter(server: Server, tokens: Sequence[str], took: list[float], *, stay: bool = True) -> list[Lean]:
    """Everybody in, some at a time; how long each took. Without `stay` each leaves at once."""
    people: list[Lean] = []
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(token: str) -> None:
        async with turn:
            begun = time.perf_counter()
            lean = await dial(server.url, token)
            took.append(await lean.live - begun)
            people.append(lean)

    await asyncio.gather(*(one(token) for token in tokens))
    return people


def leave(people: Sequence[Lean]) -> list[str]:
    """Everybody out; what went wrong meanwhile."""
    faults = [fault for person in people for fault in person.faults]
    for person in people:
        person.close()
    return faults


async def connect(server: Server, circles: Sequence[Circle]) -> Outcome:
    """All connect as fast as they are answered, `AT_ONCE` at a time."""
    tokens = [token for token, _ in everybody(circles)]
    warm, rest = tokens[: len(tokens) // 10], tokens[len(tokens) // 10 :]
    leave(await enter(server, warm, []))
    took: list[float] = []
    with watched([server.pid]) as usage:
        people = await enter(server, rest, took)
    took.sort()
    values = {
        "connections": len(rest),
        "connects": len(rest) / usage.wall_s,
        "connect p50": percentile(took, 0.5) * 1e3,
        "connect p99": percentile(took, 0.99) * 1e3,
        "server CPU": usage.server_s / len(rest) * 1e6,
        "generator": usage.generator_s / usage.wall_s * 100,
    }
    return values, usage.doubts, leave(people)


async def idle(server: Server, circles: Sequence[Circle], seconds: float) -> Outcome:
    """What a connection costs that says nothing: the slope of memory from half of them to all, CPU, growth. The first
    half grows what grows once: threads, pools, the database's caches."""
    tokens = [token for token, _ in everybody(circles)]
    half = len(tokens) // 2
    people = await enter(server, tokens[:half], [])
    await asyncio.sleep(IDLE_SETTLE_S)
    before = memory_kib(server.pid)
    people += await enter(server, tokens[half:], [])
    await asyncio.sleep(IDLE_SETTLE_S)
    with_all = memory_kib(server.pid)
    waits: list[float] = []
    with watched([server.pid]) as usage:
        await _probe(people[0], seconds / 2, waits)
        halfway = memory_kib(server.pid)
        await _probe(people[0], seconds / 2, waits)
    after = memory_kib(server.pid)
    waits.sort()
    values = {
        "connections": len(tokens),
        "channels each": len(circles[0].rooms) + 1,
        "memory": (with_all - before) / (len(tokens) - half),
        "memory of the process": with_all / 1024,
        "CPU while idle": usage.server_s / usage.wall_s * 100,
        "growth while idle": after - with_all,
        "growth in the second half": after - halfway,
        "answers meanwhile p99": percentile(waits, 0.99) * 1e3,
        "slowest answer": percentile(waits, 1.0) * 1e3,
    }
    return values, usage.doubts, leave(people)


async def _probe(one: Lean, seconds: float, waits: list[float]) -> None:
    """Ask for the time again and again: a process that collects garbage, or does anything else, answers late."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        begun = time.perf_counter()
        await one.ask("clock.read", b'{"t":0}')
        waits.append(time.perf_counter() - begun)
        await asyncio.sleep(PROBES_S)


async def stampede(server: Server, circles: Sequence[Circle]) -> Outcome:
    """Everybody loses the link at the same moment and comes back, with something missed, while one group that stayed
    goes on talking."""
    staying, coming = circles[0], everybody(circles[1:])
    people = await enter(server, [token for token, _ in coming], [])
    epoch = (await people[0].ask("channel.sync", b'{"positions":{}}'))["ok"]["epoch"]
    positions = {id(one): {f"room:{room.decode()}": seq for room, seq in one.seqs.items()} for one in people}
    kept = [(one.token, positions[id(one)]) for one in people]
    leave(people)
    speaker = await dial(server.url, staying.tokens[0])
    missed = await _speak(server, circles[1:])
    stop = asyncio.Event()
    waits: list[float] = []
    talk = asyncio.create_task(_talk(speaker, staying.rooms[0], stop, waits))
    begun = time.perf_counter()
    with watched([server.pid]) as usage:
        dials = (dial(server.url, token, epoch=epoch, positions=at) for token, at in kept)
        async with asyncio.timeout(WHOLE_S):
            people = await asyncio.gather(*dials)
            ends = sorted([await one.live - begun for one in people])
    stop.set()
    await talk
    came = sum(one.frames for one in people)
    faults = leave(people)
    speaker.close()
    if came != missed * len(circles[1].tokens):
        faults.append(f"{came} of {missed * len(circles[1].tokens)} missed entries came")
    waits.sort()
    values = {
        "connections": len(people),
        "all whole": ends[-1],
        "live p50": percentile(ends, 0.5),
        "live p99": percentile(ends, 0.99),
        "entries missed": came,
        "others' lines meanwhile p99": percentile(waits, 0.99),
        "server CPU": usage.server_s / len(people) * 1e6,
    }
    return values, usage.doubts, faults


async def _speak(server: Server, circles: Sequence[Circle]) -> int:
    """A line in every group while nobody of it listens; how many."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(circle: Circle) -> None:
        async with turn:
            lean = await dial(server.url, circle.tokens[0])
            body = b'{"room":"%s","nonce":"%s","text":"hello"}' % (circle.rooms[0].encode(), lean.name)
            answer = await lean.ask("room.send", body)
            if "error" in answer:
                raise RuntimeError(answer["error"]["message"])
            lean.close()

    await asyncio.gather(*(one(circle) for circle in circles))
    return len(circles)


async def _talk(speaker: Lean, room: str, stop: asyncio.Event, waits: list[float]) -> None:
    number = 0
    while not stop.is_set():
        number += 1
        begun = time.perf_counter()
        body = b'{"room":"%s","nonce":"%s-%d","text":"hello"}' % (room.encode(), speaker.name, number)
        await speaker.ask("room.send", body)
        waits.append(time.perf_counter() - begun)
        await asyncio.sleep(PROBES_S)
