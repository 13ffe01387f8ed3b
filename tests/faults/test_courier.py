"""Redis dies, forgets, fails over, hangs, drops its subscribers or starves them; nothing acknowledged depends on it
(F3, F4, F5, F6, F7, F33)."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.faults.chaos import MESSAGE, Chaos
from tests.faults.cluster import Cluster, cluster, delays_s, readiness, resumed
from tests.faults.evening import Evening, evening, paced
from tests.faults.lag import watching
from tests.support import valkey as servers
from tests.support.valkey import ValkeyServer
from tests.support.waiting import until

HEALTHY = "tsudoi_courier_healthy"
CATCH_UP_S = 3.0
"""A sweep, its query, and a machine that others use too."""


@pytest.fixture
async def pair(own_valkey: ValkeyServer, postgres_url: str, tmp_path: Path) -> AsyncIterator[Cluster]:
    async with cluster(tmp_path, postgres_url, own_valkey.url) as found:
        yield found


async def unhealthy(pair: Cluster) -> None:
    """Both gateways have noticed."""
    for gateway in pair.both:
        await until_zero(pair, gateway)


async def until_zero(pair: Cluster, gateway: object) -> None:
    """The courier of a gateway is down."""
    end = time.monotonic() + 30
    while (await gateway.counters())[HEALTHY]:  # type: ignore[attr-defined]
        assert time.monotonic() < end, "nobody noticed"
        await asyncio.sleep(0.05)


async def healthy(pair: Cluster) -> None:
    """Both gateways have it back."""
    await asyncio.gather(*(gateway.counted(HEALTHY) for gateway in pair.both))


async def spend(spent: Evening, seconds: float) -> None:
    """People go on being acknowledged for so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        await spent.acked(5)


async def test_f3_redis_killed_and_restarted(pair: Cluster, own_valkey: ValkeyServer, tmp_path: Path) -> None:
    async with evening(pair.both, pair.urls(0, 1, 0), tmp_path) as spent:
        # What is judged is who waits for Redis, not how fast the machine is.
        spent.pause_s = 0.05
        await spent.acked(20)
        lives = spent.lives
        await asyncio.to_thread(own_valkey.kill)
        await unhealthy(pair)
        since = time.monotonic()
        await spend(spent, paced(20))
        status, said = await readiness(pair.two)
        assert (status, said["status"]) == (200, "degraded")
        down = time.monotonic()
        await asyncio.to_thread(own_valkey.start)
        await healthy(pair)
        await spent.acked(20)
        events = await spent.end()
        assert spent.lives == lives, "somebody was disconnected"
        near = [e for e in events if e["what"] != "ack" or e["who"] != "haru"]
        # By the sweep alone it would be half of its 2 s.
        assert statistics.median(delays_s(near, "mio", since, down)) < 0.5, (
            "the same gateway waited for Redis"
        )
        assert max(delays_s(events, "haru", since, down)) < CATCH_UP_S


async def test_f4_redis_emptied_and_restarted_empty(
    pair: Cluster, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    async with evening(pair.both, pair.urls(0, 1), tmp_path) as spent:
        await spent.acked(20)
        assert own_valkey.command("DBSIZE") > 0
        own_valkey.command("FLUSHALL")
        await spent.acked(20)
        process = own_valkey.info()["process_id"]
        await asyncio.to_thread(own_valkey.restart_empty)
        assert own_valkey.info()["process_id"] != process
        await healthy(pair)
        await spent.acked(20)
        assert resumed(await spent.end())
        await asyncio.gather(*(gateway.counted("tsudoi_peers") for gateway in pair.both))


async def test_f5_redis_fails_over_to_a_replica_that_lags(
    pair: Cluster, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    replica = servers._launch()
    try:
        async with Chaos(own_valkey.port) as link, evening(pair.both, pair.urls(0, 1), tmp_path) as spent:
            await asyncio.to_thread(replica.command, "REPLICAOF", "127.0.0.1", str(link.port))
            await until(lambda: link.accepted)
            await spent.acked(20)
            while (await asyncio.to_thread(replica.info))["master_link_status"] != "up":
                await spent.acked(1)
            link.down.silent = True
            await spend(spent, paced(3))
            written = own_valkey.info()["master_repl_offset"]
            await asyncio.to_thread(own_valkey.kill)
            await asyncio.to_thread(replica.command, "REPLICAOF", "NO", "ONE")
            assert replica.info()["master_repl_offset"] < written, "the replica did not lag"
            for way in pair.redis:
                way.there = replica.port
            await healthy(pair)
            await spent.acked(20)
            assert resumed(await spent.end())
    finally:
        replica.close()


async def test_f6_redis_hangs(pair: Cluster, own_valkey: ValkeyServer, tmp_path: Path) -> None:
    async with evening(pair.both, pair.urls(0, 1), tmp_path) as spent:
        await spent.acked(50)
        lives = spent.lives
        await asyncio.to_thread(own_valkey.pause)
        try:
            since = time.monotonic()
            await unhealthy(pair)
            async with watching(pair.one) as one, watching(pair.two) as two:
                await spend(spent, paced(10))
            until_ = time.monotonic()
        finally:
            await asyncio.to_thread(own_valkey.resume)
        await healthy(pair)
        await spent.acked(20)
        events = await spent.end()
        for lag in (one, two):
            assert lag.turned, f"the loop waited for Redis: {lag.longest_s}"
        assert statistics.median(ack_times_s(events, since, until_)) < 0.5, "sending waited for Redis"
        assert spent.lives == lives
        assert max(delays_s(events, "haru", since, until_)) < CATCH_UP_S + 1.0


def ack_times_s(events: list[dict[str, object]], since: float, until_: float) -> list[float]:
    """How long each line said between two times waited for its acknowledgement."""
    said: dict[object, float] = {e["text"]: float(str(e["t"])) for e in events if e["what"] == "say"}
    return [
        float(str(e["t"])) - said[e["text"]]
        for e in events
        if e["what"] == "ack" and since <= said[e["text"]] <= until_
    ]


async def test_f7_subscribers_are_dropped_again_and_again(
    pair: Cluster, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    async with evening(pair.both, pair.urls(0, 1), tmp_path) as spent:
        await spent.acked(20)
        killed = 0
        for _ in range(5):
            killed += own_valkey.command("CLIENT", "KILL", "TYPE", "pubsub")
            await spent.acked(20)
        assert killed >= 2
        await asyncio.gather(*(g.counted("tsudoi_courier_reconnects_total") for g in pair.both))
        assert resumed(await spent.end())


async def test_f33_a_subscription_that_answers_pings_and_carries_nothing(
    pair: Cluster, tmp_path: Path
) -> None:
    async with evening(pair.both, pair.urls(0, 1), tmp_path) as spent:
        await spent.acked(20)
        lives = spent.lives
        starved = pair.redis[1].down
        starved.swallow = MESSAGE
        since = time.monotonic()
        await spent.acked(30)
        await until(lambda: starved.struck.get("swallowed", 0) >= 10)
        await pair.two.counted("tsudoi_courier_reconnects_total")
        starved.swallow = None
        until_ = time.monotonic()
        await spent.acked(20)
        events = await spent.end()
        assert spent.lives == lives
        assert resumed(events)
        assert (await pair.two.counters())["tsudoi_healed_entries_total"] > 0
        assert max(delays_s(events, "haru", since, until_)) < CATCH_UP_S
