"""The disk fails beneath the embedded database: full, faulty, locked, torn (F15, F16, F17, F19)."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import pytest

from loadtest.client import Client
from tests.faults.evening import Evening, Gateway, evening, paced
from tests.faults.lag import OUTLIERS, watching
from tests.support.waiting import until


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    """One server on one file."""
    server = Gateway({}, tmp_path / "faults")
    await asyncio.to_thread(server.start)
    yield server
    server.close()


def integrity(gateway: Gateway) -> object:
    """What SQLite thinks of the file."""
    connection = apsw.Connection(str(gateway.settings.sqlite_path))
    try:
        return connection.execute("pragma integrity_check").fetchall()
    finally:
        connection.close()


async def answers_on(client: Client, seconds: float) -> None:
    """For so long the server answers what its loop answers by itself."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end:
        await client.call("clock.read", t=1)
        await asyncio.sleep(0.01)


async def test_a_loop_that_waits_is_seen_and_one_that_does_not_is_not(gateway: Gateway) -> None:
    """What judges F6, F9 and F17 (tests.faults.lag)."""
    for stalls_s in ((), (0.8,) * (OUTLIERS + 1), (2.5,), ()):
        async with watching(gateway) as lag:
            for stall_s in stalls_s:
                gateway.harms.on("stall", str(stall_s))
                await until(lambda: not gateway.harms.is_on("stall"))
        assert lag.turned == (not stalls_s), lag.longest_s
    assert gateway.harms.struck("stall") == OUTLIERS + 2


async def test_f15_a_full_disk_refuses_reads_go_on_and_it_recovers(gateway: Gateway, tmp_path: Path) -> None:
    async with evening([gateway], [gateway.ws_url] * 2, tmp_path) as spent:
        await spent.acked(20)
        gateway.harms.on("enospc")
        await until(lambda: gateway.harms.struck("enospc") >= 3)
        acked = spent.history.acked
        reader = spent.people[0].client
        page = await reader.call("message.list", room=spent.room, after=0, limit=100)
        assert len(page["messages"]) >= 20
        error = await refused_now(spent)
        assert error == "unavailable"
        assert spent.history.acked - acked <= len(spent.people), "acknowledged on a full disk"
        gateway.harms.off("enospc")
        await spent.acked(20)
        await spent.end()
    assert gateway.running
    assert integrity(gateway) == [("ok",)]


async def refused_now(spent: Evening) -> str:
    """What an operation that writes is answered."""
    try:
        await spent.people[1].client.call("room.create", title="x", accounts=[], nonce="n")
    except Exception as error:
        return str(getattr(error, "code", error))
    return "ok"


async def test_f16_a_sync_that_fails_is_never_acknowledged_and_ends_the_process(
    gateway: Gateway, tmp_path: Path
) -> None:
    async with evening([gateway], [gateway.ws_url] * 2, tmp_path) as spent:
        await spent.acked(20)
        gateway.harms.on("eio-sync")
        code = await asyncio.to_thread(gateway.wait)
        acked = spent.history.acked
        assert gateway.harms.struck("eio-sync") == 1, "it went on after the first"
        assert code == 74
        assert re.search(r"critical.*the disk failed|the disk failed.*critical", gateway.log_text())
        gateway.harms.off("eio-sync")
        await asyncio.to_thread(gateway.start)
        await spent.acked(20)
        await spent.end()
        assert spent.history.acked > acked
    assert integrity(gateway) == [("ok",)]


LOCKER = """
import apsw, sys
connection = apsw.Connection(sys.argv[1])
connection.set_busy_timeout(10_000)
connection.execute("begin exclusive")
print("locked", flush=True)
sys.stdin.read()
"""


async def test_f17_a_locked_file_is_an_answer_in_time_and_the_loop_goes_on(
    gateway: Gateway, tmp_path: Path
) -> None:
    async with evening([gateway], [gateway.ws_url] * 2, tmp_path) as spent:
        await spent.acked(20)
        other = Client(gateway.ws_url, spent.people[0].account.token)
        await other.open()
        with subprocess.Popen(  # noqa: ASYNC220 - started once, beside the loop
            [sys.executable, "-c", LOCKER, str(gateway.settings.sqlite_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as locker:
            assert locker.stdout is not None
            assert await asyncio.to_thread(locker.stdout.readline) == b"locked\n"
            acked = spent.history.acked
            loop = asyncio.get_running_loop()
            begun = loop.time()
            refused = asyncio.create_task(refused_now(spent))
            async with watching(gateway) as lag:
                await answers_on(other, max(3.0, paced(10)))
            assert await refused == "unavailable"
            assert loop.time() - begun < max(3.0, paced(10)) + 5
            assert lag.turned, f"the loop waited for the file: {lag.longest_s}"
            assert spent.history.acked - acked <= len(spent.people)
            locker.communicate()
        await spent.acked(20)
        await spent.end()
        await other.close()


async def test_every_acknowledgement_has_a_sync_of_its_own_before_it(
    gateway: Gateway, tmp_path: Path
) -> None:
    async with evening([gateway], [gateway.ws_url], tmp_path) as spent:
        await spent.acked(5)
        await spent.end()
        for number in range(20):
            before = gateway.harms.count("syncs")
            await spent.say(spent.people[0], f"aki alone {number}")
            assert gateway.harms.count("syncs") > before
