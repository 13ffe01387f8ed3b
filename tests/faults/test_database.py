"""PostgreSQL restarts, cuts its connections, stalls: every line is kept once, and nothing else waits (F8, F9)."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import psycopg
import pytest

from loadtest.client import Client, ServerRefusal
from tests.faults.cluster import cluster, resumed
from tests.faults.evening import evening, paced
from tests.faults.lag import watching
from tests.support.postgres import PostgresServer
from tests.support.valkey import Shared

CUT = (
    "select pg_terminate_backend(pid) from pg_stat_activity"
    " where application_name = 'tsudoi' and datname = current_database()"
)


async def test_f8_postgres_restarts_and_cuts_its_connections(
    own_postgres: PostgresServer, valkey: Shared, tmp_path: Path
) -> None:
    url = await asyncio.to_thread(own_postgres.create_database)
    more = {"TSUDOI_REDIS_PREFIX": valkey.prefix}
    async with (
        cluster(tmp_path, url, valkey.url, **more) as pair,
        evening(pair.both, pair.urls(0, 1), tmp_path) as spent,
    ):
        await spent.acked(20)
        before = own_postgres.pid
        await asyncio.to_thread(own_postgres.restart)
        assert own_postgres.pid != before
        begun = time.monotonic()
        await spent.acked(20)
        assert time.monotonic() - begun < 10, "the connections did not heal"
        cut = 0
        with psycopg.connect(url, autocommit=True) as admin:
            for _ in range(5):
                cut += len(admin.execute(CUT).fetchall())
                await spent.acked(10)
        assert cut >= 4
        # Whether anybody was in the middle of something is chance: a connection that was cut while idle heals unseen.
        assert resumed(await spent.end())


async def test_f9_a_stalled_table_is_a_refusal_in_time_and_all_else_goes_on(
    postgres_url: str, valkey: Shared, tmp_path: Path
) -> None:
    more = {"TSUDOI_REDIS_PREFIX": valkey.prefix}
    async with (
        cluster(tmp_path, postgres_url, valkey.url, **more) as pair,
        evening(pair.both, pair.urls(0, 1), tmp_path) as spent,
    ):
        await spent.acked(20)
        other = Client(pair.urls(0)[0], spent.people[0].account.token)
        await other.open()
        with psycopg.connect(postgres_url) as admin:
            admin.execute("lock table message in exclusive mode")
            acked = spent.history.acked
            begun = time.monotonic()
            sending = asyncio.create_task(other.call("room.send", room=spent.room, text="?", nonce="?"))
            async with watching(pair.one) as lag:
                # The deadline of a statement is five seconds.
                while not sending.done() or time.monotonic() - begun < paced(20):
                    await other.call("clock.read", t=1)
                    await other.call("room.list")
                    await asyncio.wait([sending], timeout=0.05)
            with pytest.raises(ServerRefusal) as refused:
                await sending
            assert refused.value.code == "unavailable"
            assert lag.turned, f"the loop waited for the table: {lag.longest_s}"
            assert spent.history.acked - acked <= len(spent.people)
        await spent.acked(20)
        await spent.end()
        await other.close()
