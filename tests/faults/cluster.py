"""Two gateways on one PostgreSQL and one Redis, each reached over ways that may have bad days."""

from __future__ import annotations

import asyncio
import contextlib
import json
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults.chaos import Chaos
from tests.faults.evening import Gateway, paced


@dataclass
class Cluster:
    """`redis` are the ways of each gateway to Redis, `doors` the ways of people to each gateway."""

    one: Gateway
    two: Gateway
    redis: Sequence[Chaos]
    doors: Sequence[Chaos]

    @property
    def both(self) -> list[Gateway]:
        """The gateways."""
        return [self.one, self.two]

    def urls(self, *which: int) -> list[str]:
        """Addresses of doors, by number."""
        return [f"ws://127.0.0.1:{self.doors[number].port}/gateway" for number in which]


@asynccontextmanager
async def cluster(place: Path, database_url: str, redis_url: str, **more: str) -> AsyncIterator[Cluster]:
    """Started and ready; `more` are settings."""
    port, _, database = redis_url.rpartition(":")[2].partition("/")
    async with contextlib.AsyncExitStack() as stack:
        redis = [await stack.enter_async_context(Chaos(int(port))) for _ in range(2)]
        gateways = []
        for number, way in enumerate(redis):
            env = {
                "DATABASE_URL": database_url,
                "REDIS_URL": f"redis://127.0.0.1:{way.port}/{database}",
                "TSUDOI_LEASE_TTL_S": str(paced(15)),
                "TSUDOI_LEASE_RENEW_S": str(paced(5)),
                **more,
            }
            gateways.append(Gateway(env, place / f"gateway{number}"))
            stack.callback(gateways[-1].close)
        await asyncio.gather(*(asyncio.to_thread(gateway.start) for gateway in gateways))
        doors = [await stack.enter_async_context(Chaos(gateway.port)) for gateway in gateways]
        yield Cluster(gateways[0], gateways[1], redis, doors)


async def readiness(gateway: Gateway) -> tuple[int, dict[str, Any]]:
    """What `/readyz` says."""

    def ask() -> tuple[int, dict[str, Any]]:
        try:
            with urllib.request.urlopen(gateway.url + "/readyz", timeout=10) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    return await asyncio.to_thread(ask)


def closed(counters: dict[str, float]) -> dict[str, float]:
    """Connections ended, by code."""
    head = 'tsudoi_connections_closed_total{code="'
    return {name.removeprefix(head).rstrip('"}'): n for name, n in counters.items() if name.startswith(head)}


def resumed(events: list[dict[str, Any]]) -> bool:
    """Nobody was told to reload: every position was continued."""
    return not any(event["what"] == "reload" for event in events)


def delays_s(events: list[dict[str, Any]], who: str, since: float = 0.0, until: float = 1e18) -> list[float]:
    """How long after its acknowledgement each line of the others, acknowledged between two times, reached `who`."""
    acked = {e["text"]: e["t"] for e in events if e["what"] == "ack" and e["who"] != who}
    return [
        max(0.0, event["t"] - acked[event["text"]])
        for event in events
        if event["what"] == "heard" and event["who"] == who and event["text"] in acked
        if since <= acked[event["text"]] <= until
    ]
