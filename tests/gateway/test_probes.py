"""`/healthz` and `/readyz` against real and broken neighbours (WIRE §4)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from storage.courier import CourierHealth, CourierState
from tests.support.http import http_client
from tests.support.nodes import RunningNode, Start
from tests.support.postgres import PostgresServer
from tests.support.valkey import ValkeyServer
from tests.support.waiting import until_async


async def readyz(server: RunningNode) -> tuple[int, dict[str, Any]]:
    """Status and report."""
    async with http_client(server.url) as client:
        answer = await client.get("/readyz")
        assert answer.headers["cache-control"] == "no-store"
        assert (await client.get("/healthz")).status_code == 200
        return answer.status_code, answer.json()


async def until_ready(server: RunningNode, status: int, word: str) -> dict[str, Any]:
    """Wait until `/readyz` answers so; the report."""
    last: dict[str, Any] = {}

    async def there() -> bool:
        code, report = await readyz(server)
        last.update(report)
        return (code, report["status"]) == (status, word)

    await until_async(there, f"{status} {word}")
    return last


async def test_a_node_is_ready(start_node: Start) -> None:
    server = await start_node()
    (aki,) = await server.friends("aki")
    async with server.client(aki):
        status, report = await readyz(server)
    assert status == 200
    assert report == {"status": "ready", "reasons": [], "node": server.node.name, "connections": 1}


async def test_a_draining_node_is_not_ready_from_that_moment(start_node: Start) -> None:
    server = await start_node()
    assert (await readyz(server))[0] == 200
    await server.node.drain()
    status, report = await readyz(server)
    assert (status, report["status"], report["reasons"]) == (503, "unready", ["draining"])


async def test_a_starting_node_is_not_ready(start_node: Start) -> None:
    server = await start_node()
    server.node.ready = False
    status, report = await readyz(server)
    assert (status, report["reasons"]) == (503, ["starting"])


@pytest.mark.parametrize("frozen", [True, False])
async def test_a_node_without_its_database_is_not_ready(
    start_node: Start, own_postgres: PostgresServer, frozen: bool
) -> None:
    server = await start_node(database_url=own_postgres.create_database())
    assert (await readyz(server))[0] == 200
    own_postgres.pause() if frozen else own_postgres.kill()
    report = await until_ready(server, 503, "unready")
    assert report["reasons"] == ["the database does not answer"]
    if frozen:
        own_postgres.resume()
    else:
        await asyncio.to_thread(own_postgres.start)
    await until_ready(server, 200, "ready")


async def test_a_node_without_redis_is_degraded_until_it_returns(
    start_node: Start, own_valkey: ValkeyServer
) -> None:
    server = await start_node(redis_url=own_valkey.url, redis_timeout_s=0.5)
    assert (await readyz(server))[1]["status"] == "ready"
    own_valkey.kill()
    report = await until_ready(server, 200, "degraded")
    assert report["reasons"][0].startswith("the courier is dead: ")
    await asyncio.to_thread(own_valkey.start)
    assert (await until_ready(server, 200, "ready"))["reasons"] == []


async def test_a_node_that_hears_nothing_from_a_living_redis_is_not_ready(
    start_node: Start, own_valkey: ValkeyServer
) -> None:
    server = await start_node(redis_url=own_valkey.url)
    courier: Any = server.node.courier
    # Only the reader is broken: a fresh connection, which `check` makes, works.
    courier._tasks[0].cancel()
    await asyncio.gather(courier._tasks[0], return_exceptions=True)
    courier._reader.alive = False
    report = await until_ready(server, 503, "unready")
    assert report["reasons"] == ["Redis answers, but this node hears nothing from it"]


@pytest.mark.parametrize(
    ("state", "status", "word"),
    [
        (CourierState.OK, 200, "ready"),
        (CourierState.WRITER_DEAD, 200, "degraded"),
        (CourierState.DEAD, 200, "degraded"),
        (CourierState.READER_DEAD, 503, "unready"),
    ],
)
async def test_what_a_fresh_look_at_the_courier_means(
    start_node: Start, monkeypatch: pytest.MonkeyPatch, state: CourierState, status: int, word: str
) -> None:
    server = await start_node()

    async def check() -> CourierHealth:
        return CourierHealth(state, error="as told")

    monkeypatch.setattr(type(server.node.courier), "healthy", False)
    monkeypatch.setattr(server.node.courier, "check", check)
    code, report = await readyz(server)
    assert (code, report["status"]) == (status, word)


async def test_many_probes_are_one_look(start_node: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    server = await start_node()
    looks = []
    read = server.node.desk.db.read

    async def counted(unit: Any) -> Any:
        looks.append(unit)
        return await read(unit)

    monkeypatch.setattr(server.node.desk.db, "read", counted)
    monkeypatch.setattr("gateway.probes.SAME_ANSWER_S", 60.0)
    async with http_client(server.url) as client:
        answers = await asyncio.gather(*(client.get("/readyz") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(looks) == 1
