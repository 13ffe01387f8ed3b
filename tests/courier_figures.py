"""What an event costs a node that sends it to others, and a node that hears it. Not a test; run by hand:

python -m tests.courier_figures redis://…

One process publishes at an even pace, another listens; of each, its own processor time per event, and of the server its own, too.
What a process costs that only keeps the time is measured first and taken off.
"""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import sys
import time

import uvloop
from redis.asyncio import Redis

from realtime.parcels import Audience, Parcel
from storage.courier import CourierConfig
from storage.courier_redis import RedisCourier

FRAME = b'{"ev":"message.created","ch":"room:01ARZ3NDEKTSV4RRFFQ69G5FAV","d":"' + b"x" * 120 + b'"}'
PACES = {1_000: 1, 5_000: 5, 20_000: 20}
"""Events a second, and how many of them at a time: a node that is busier gathers more of them into a turn of its loop."""
SECONDS, ROUNDS, ROOMS = 5, 3, 1_000
PREFIX = "figures"


def courier_of(name: str, url: str) -> RedisCourier:
    """A node's courier as the server configures it."""
    return RedisCourier(CourierConfig(name, url, PREFIX), random.Random())


async def listen(url: str) -> None:
    """For every line read: hear so many events, then say the processor's microseconds for each."""
    heard = 0
    wanted = asyncio.Event()
    goal = 0

    def deliver(parcels: object) -> None:
        nonlocal heard
        heard += len(parcels)  # type: ignore[arg-type]  # a sequence
        if heard >= goal:
            wanted.set()

    courier = courier_of("ear", url)
    await courier.start(deliver, lambda: None)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        heard, goal = 0, int(line)
        wanted.clear()
        begun, used = time.perf_counter(), time.process_time()
        print("ready", flush=True)
        async with asyncio.timeout(60):
            await wanted.wait()
        print(json.dumps([time.process_time() - used, time.perf_counter() - begun]), flush=True)
    await courier.close()


async def paced(each_s: int, at_once: int, say: bool, courier: RedisCourier) -> float:
    """Publish (or only keep the pace) for the time of a run; the processor seconds it took."""
    used, begun = time.process_time(), time.perf_counter()
    for turn in range(each_s * SECONDS // at_once):
        if say:
            for number in range(at_once):
                room = f"room:{(turn * at_once + number) * 7919 % ROOMS}"
                courier.publish(
                    Parcel(room, turn + 1, "message.created", Audience.ALL, "a", "", 1, "mouth", FRAME)
                )
        await asyncio.sleep(max(0.0, begun + (turn + 1) * at_once / each_s - time.perf_counter()))
    return time.process_time() - used


async def main(url: str) -> None:
    """Print a line for each pace."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "tests.courier_figures", url, "listen",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert child.stdin is not None
    assert child.stdout is not None
    courier = courier_of("mouth", url)
    await courier.start(lambda parcels: None, lambda: None)
    client = Redis.from_url(url)
    for each_s, at_once in PACES.items():
        events = each_s * SECONDS
        sent, heard, served = [], [], []
        for _ in range(ROUNDS):
            idle = await paced(each_s, at_once, False, courier)
            child.stdin.write(b"%d\n" % events)
            await child.stdout.readline()
            before = await client.info("cpu")
            used = await paced(each_s, at_once, True, courier)
            listener_s, _ = json.loads(await child.stdout.readline())
            after = await client.info("cpu")
            of_server = sum(after[k] - before[k] for k in ("used_cpu_sys", "used_cpu_user"))
            sent.append((used - idle) / events * 1e6)
            heard.append(listener_s / events * 1e6)
            served.append(of_server / events * 1e6)
        told = (
            f"{name} {statistics.median(found):5.1f} ({min(found):.1f}–{max(found):.1f})"
            for name, found in (("published", sent), ("received", heard), ("server", served))
        )
        print(f"{each_s:6} events/s, {at_once:2} at a time, µs each:", ", ".join(told))
    await courier.close()
    await client.aclose()
    child.stdin.close()
    await child.wait()


if __name__ == "__main__":
    uvloop.run(listen(sys.argv[1]) if sys.argv[2:] == ["listen"] else main(sys.argv[1]))
