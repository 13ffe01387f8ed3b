"""From one person's send to another's socket, on a server that has nothing else to do (docs/benchmarks.md)."""

from __future__ import annotations

import asyncio

from loadtest.bench.figures import Row, percentile
from loadtest.bench.lean import dial
from loadtest.bench.machine import watched
from loadtest.serving import Circle, Server

PAUSE_S = 0.01

SAME_NODE = (
    Row("send → other p50", "ms", "<= 1.5"),
    Row("send → other p99", "ms", "<= 5"),
    Row("send → ack p50", "ms"),
    Row("send → ack p99", "ms"),
    Row("samples"),
)
TWO_NODES = tuple(
    Row(row.name, row.unit, {"send → other p50": "<= 3", "send → other p99": "<= 10"}.get(row.name, ""))
    for row in SAME_NODE
)


async def run(
    servers: list[Server], circle: Circle, seconds: float
) -> tuple[dict[str, float], list[str], list[str]]:
    """One run. The sender is on the first server, the listener on the last."""
    arrived: asyncio.Future[float] | None = None

    def deliver(_room: bytes, _seq: int, now: float) -> None:
        if arrived is not None and not arrived.done():
            arrived.set_result(now)

    sender = await dial(servers[0].url, circle.tokens[0])
    listener = await dial(servers[-1].url, circle.tokens[1], deliver)
    await asyncio.gather(sender.live, listener.live)
    loop = asyncio.get_running_loop()
    acks, delays = [], []
    room = circle.rooms[0].encode()
    with watched([server.pid for server in servers]) as usage:
        end = loop.time() + seconds
        number = 0
        while loop.time() < end:
            number += 1
            arrived = loop.create_future()
            begun = sender.now()
            body = b'{"room":"%s","nonce":"%s-%d","text":"hello %d"}' % (room, sender.name, number, number)
            answer = await sender.ask("room.send", body)
            acks.append(sender.now() - begun)
            if "error" in answer:
                raise RuntimeError(answer["error"]["message"])
            async with asyncio.timeout(5):
                delays.append(await arrived - begun)
            await asyncio.sleep(PAUSE_S)
    faults = [*sender.faults, *listener.faults]
    sender.close()
    listener.close()
    acks.sort()
    delays.sort()
    values = {
        "send → other p50": percentile(delays, 0.5) * 1e3,
        "send → other p99": percentile(delays, 0.99) * 1e3,
        "send → ack p50": percentile(acks, 0.5) * 1e3,
        "send → ack p99": percentile(acks, 0.99) * 1e3,
        "samples": len(delays),
    }
    return values, usage.doubts, faults
