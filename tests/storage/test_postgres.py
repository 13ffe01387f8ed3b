"""PostgreSQL alone: it dies and comes back, breaks transactions off, stalls; nothing is half done (FAULTS F8, F9)."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from realtime.ids import IdMaker
from storage.database import Means, StorageUnavailable, Tx
from storage.postgres import MIGRATION_LOCK, PostgresDatabase, translate
from tests.support.postgres import PostgresServer


def database_at(url: str) -> PostgresDatabase:
    return PostgresDatabase(url, Means("test", lambda: 0, IdMaker(random.Random(1).getrandbits)))


def put(name: str) -> Callable[[Tx], str]:
    def unit(tx: Tx) -> str:
        tx.rows("insert into meta (name, value) values (:name, '1')", name=name)
        return name

    return unit


async def test_a_restart_heals_and_leaves_nothing_half_done(own_postgres: PostgresServer) -> None:
    database = database_at(await asyncio.to_thread(own_postgres.create_database))
    await asyncio.to_thread(database.migrate)
    await database.open(lambda parcels: None)
    await asyncio.gather(*(database.write(put(f"before{n}")) for n in range(12)))
    await asyncio.to_thread(own_postgres.kill)
    results = await asyncio.gather(
        *(database.write(put(f"down{n}")) for n in range(12)), return_exceptions=True
    )
    assert {type(result) for result in results} == {StorageUnavailable}
    with pytest.raises(StorageUnavailable):
        await database.read(lambda tx: tx.rows("select 1"))
    await asyncio.to_thread(own_postgres.start)
    async with asyncio.timeout(5):
        while True:
            try:
                await database.write(put("after"))
                break
            except StorageUnavailable:
                await asyncio.sleep(0.05)
    rows = await database.read(lambda tx: tx.rows("select name from meta order by name"))
    assert [row[0] for row in rows] == sorted(["after", *(f"before{n}" for n in range(12))])
    await database.close()


async def test_connections_cut_while_idle_cost_nobody_anything(postgres_url: str) -> None:
    database = database_at(postgres_url)
    await asyncio.to_thread(database.migrate)
    await database.open(lambda parcels: None)
    await asyncio.gather(
        *(database.write(put(f"a{n}")) for n in range(20)), database.read(lambda tx: tx.now_ms())
    )
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        cut = admin.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where application_name = 'tsudoi' and datname = current_database()"
        ).fetchall()
    assert len(cut) >= 2
    results = await asyncio.gather(*(database.write(put(f"b{n}")) for n in range(20)))
    assert results == [f"b{n}" for n in range(20)]
    assert await database.read(lambda tx: tx.rows("select count(*) from meta")) == [(40,)]
    await database.close()


async def test_a_stalled_table_is_an_answer_in_time_and_reads_go_on(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.postgres.STATEMENT_MS", 400)
    database = database_at(postgres_url)
    await asyncio.to_thread(database.migrate)
    await database.open(lambda parcels: None)
    with psycopg.connect(postgres_url) as admin:
        admin.execute("lock table meta in exclusive mode")
        begun = time.monotonic()
        with pytest.raises(StorageUnavailable):
            await database.write(put("a"))
        assert time.monotonic() - begun < 5
        assert await database.read(lambda tx: tx.rows("select count(*) from meta")) == [(0,)]
    await database.write(put("b"))
    await database.close()


async def test_a_node_waits_as_long_as_another_ones_migrations_last(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.postgres.STATEMENT_MS", 100)
    monkeypatch.setattr("storage.postgres.LOCK_MS", 100)
    with psycopg.connect(postgres_url) as other:
        other.execute("select pg_advisory_xact_lock(%s)", (MIGRATION_LOCK,))
        migrating = asyncio.create_task(asyncio.to_thread(database_at(postgres_url).migrate))
        done, _ = await asyncio.wait([migrating], timeout=0.5)
        assert not done
    assert await migrating


async def test_a_deadlock_is_run_again(postgres_url: str) -> None:
    database = database_at(postgres_url)
    await asyncio.to_thread(database.migrate)
    await database.open(lambda parcels: None)
    await asyncio.gather(database.write(put("x")), database.write(put("y")))
    runs: list[str] = []

    def crossing(first: str, second: str) -> Callable[[Tx], Any]:
        def unit(tx: Tx) -> None:
            runs.append(first)
            for name in (first, second):
                tx.rows("update meta set value = value || 'u' where name = :name", name=name)
                tx.rows("select pg_sleep(0.1)")

        return unit

    await asyncio.gather(database.write(crossing("x", "y")), database.write(crossing("y", "x")))
    assert len(runs) >= 3
    rows = await database.read(lambda tx: tx.rows("select value from meta"))
    assert [row[0] for row in rows] == ["1uu", "1uu"]
    await database.close()


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select :a, :b_2", "select %(a)s, %(b_2)s"),
        ("select :ids::text[]", "select %(ids)s::text[]"),
        ("a like 'x%' and b = :b", "a like 'x%%' and b = %(b)s"),
        ("select '12:30'", "select '12:30'"),
    ],
)
def test_parameters_are_named_for_the_driver(sql: str, expected: str) -> None:
    assert translate(sql) == expected
