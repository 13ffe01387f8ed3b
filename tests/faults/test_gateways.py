"""Gateways are killed, restarted, stormed and run out of files; people freeze and come back (F1, F2, F11, F20, F21, F30)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from loadtest.client import Client, Options
from tests.faults.cluster import Cluster, closed, cluster, readiness, resumed
from tests.faults.evening import FULL, Gateway, evening, paced
from tests.support.valkey import Shared
from tests.support.waiting import until


@pytest.fixture
async def pair(valkey: Shared, postgres_url: str, tmp_path: Path) -> AsyncIterator[Cluster]:
    more = {
        "TSUDOI_REDIS_PREFIX": valkey.prefix,
        "TSUDOI_PING_INTERVAL_S": str(paced(25)),
        "TSUDOI_PONG_WAIT_S": str(paced(10)),
    }
    async with cluster(tmp_path, postgres_url, valkey.url, **more) as found:
        yield found


async def test_f1_a_gateway_is_killed_and_its_people_go_on_at_the_other(
    pair: Cluster, tmp_path: Path
) -> None:
    async with evening(pair.both, pair.urls(0, 1, 1), tmp_path) as spent:
        for _ in range(4 if FULL else 2):
            await spent.acked(30)
            lives = spent.lives
            codes: list[int | None] = []
            await asyncio.to_thread(pair.two.kill)
            pair.doors[1].there = pair.one.port
            await until(lambda n=lives: spent.lives >= n + 2, "both have come back", 30)
            codes += [person.client.close_code for person in spent.people[1:]]
            assert codes == [1006, 1006]
            await spent.acked(30)
            await asyncio.to_thread(pair.two.start)
            pair.doors[1].there = pair.two.port
            assert pair.doors[1].reset() == 2
            await until(lambda n=lives: spent.lives >= n + 4, "both are back where they were", 30)
        await spent.acked(30)
        assert resumed(await spent.end())


async def test_f2_a_graceful_restart_sends_people_elsewhere_at_its_pace(
    pair: Cluster, tmp_path: Path
) -> None:
    async with evening(pair.both, pair.urls(0, 1, 1), tmp_path) as spent:
        await spent.acked(30)
        lives = spent.lives
        pair.doors[1].there = pair.one.port
        begun = time.monotonic()
        await asyncio.to_thread(pair.two.stop)
        assert time.monotonic() - begun < 15 + 5
        assert "draining" in pair.two.log_text()
        await until(lambda: spent.lives >= lives + 2, "both went elsewhere", 30)
        await spent.acked(30)
        assert resumed(await spent.end())


async def test_f11_a_frozen_client_is_let_go_in_time_and_continues_when_it_thaws(
    pair: Cluster, tmp_path: Path
) -> None:
    async with evening(pair.both, pair.urls(0, 1), tmp_path) as spent:
        await spent.acked(20)
        lives = spent.lives
        door = pair.doors[1]
        door.up.held = door.down.held = True
        begun = time.monotonic()
        while not closed(await pair.two.counters()).get("4503"):
            assert time.monotonic() - begun < paced(25 + 10) + 5, "still held"
            await asyncio.sleep(0.1)
        assert door.up.struck["held"]
        said = spent.history.acked
        assert said > 20, "the others were held up"
        door.up.held = door.down.held = False
        await until(lambda: spent.lives > lives, "it noticed and came back", 30)
        await spent.acked(20)
        assert resumed(await spent.end())


async def test_f20_everybody_comes_back_at_once(postgres_url: str, valkey: Shared, tmp_path: Path) -> None:
    """More come than a node takes each second: some are told to wait, nobody is lost, those who talk go on."""
    many, rate = (1000, 100) if FULL else (240, 50)
    more = {
        "TSUDOI_REDIS_PREFIX": valkey.prefix,
        "TSUDOI_HANDSHAKES_PER_S": str(rate),
        "TSUDOI_HANDSHAKES_BURST": str(rate // 2),
    }
    async with (
        cluster(tmp_path, postgres_url, valkey.url, **more) as pair,
        evening(pair.both, pair.urls(0, 1), tmp_path) as spent,
    ):
        lives = [0]

        def told(item: tuple[object, ...]) -> None:
            lives[0] += item[0] == "live"

        tokens = await crowd(pair, [f"guest{number}" for number in range(many // 4)])
        clients = [
            Client(pair.urls(number % 2)[0], token, options=Options(stay=True, told=told))
            for token in tokens
            for number in range(4)
        ]
        await asyncio.gather(*(client.open() for client in clients))
        before = [await gateway.counters() for gateway in pair.both]
        await spent.acked(20)
        for door in pair.doors:
            door.refusing = True
        assert sum(door.reset() for door in pair.doors) == many + 2
        await asyncio.sleep(paced(5))
        assert sum(door.refused for door in pair.doors) > 0
        begun = time.monotonic()
        for door in pair.doors:
            door.refusing = False
        await until(lambda: lives[0] == 2 * many, "everybody is back", 60)
        took_s = time.monotonic() - begun
        after = [await gateway.counters() for gateway in pair.both]
        told_to_wait, taken = (
            [new[name] - old[name] for old, new in zip(before, after, strict=True)]
            for name in ("tsudoi_handshakes_refused_total", "tsudoi_connections_opened_total")
        )
        assert sum(told_to_wait) > 0, "the rate was never reached"
        assert max(taken) <= rate / 2 + rate * (took_s + 1)
        assert took_s < 20 + (10 if FULL else 0), "the longest back-off and the time that the rate takes"
        await spent.acked(20)
        assert resumed(await spent.end())
        await asyncio.gather(*(client.close() for client in clients))


async def crowd(pair: Cluster, names: list[str]) -> list[str]:
    """Tokens of new people without ties."""
    from channels import accounts
    from channels.desk import Desk
    from gateway.offline import with_desk

    async def work(desk: Desk) -> list[str]:
        return [
            (await desk.db.write(lambda tx, n=n: accounts.create_account(tx, n, n, "test"))).token
            for n in names
        ]

    return await asyncio.to_thread(with_desk, pair.one.settings, work)


async def test_f21_the_same_line_ten_times_at_two_gateways_is_one_line(pair: Cluster, tmp_path: Path) -> None:
    async with evening(pair.both, pair.urls(0, 1), tmp_path) as spent:
        await spent.acked(5)
        aki = spent.people[0]
        clients = [Client(pair.urls(n % 2)[0], aki.account.token) for n in range(4)]
        for client in clients:
            await client.open()
        for number in range(20 if FULL else 8):
            text = f"aki again {number}"
            spent.history.note("say", who="aki too", text=text)
            answers = await asyncio.gather(
                *(clients[n % 4].call("room.send", room=spent.room, text=text, nonce=text) for n in range(10))
            )
            for sent in answers:
                spent.history.note("ack", who="aki too", text=text, seq=sent["seq"], message=sent["message"])
            assert len({(sent["message"], sent["seq"]) for sent in answers}) == 1
        late = Client(pair.urls(1)[0], aki.account.token)
        await clients[0].close()
        await late.open()
        again = await late.call("room.send", room=spent.room, text=text, nonce=text)
        assert again["message"] == answers[0]["message"]
        await spent.end()
        for client in (*clients, late):
            await client.close()


def cpu_s(pid: int) -> float:
    """Seconds of processor a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def test_f30_without_a_free_file_those_inside_go_on_and_nothing_spins(tmp_path: Path) -> None:
    gateway = Gateway({"FAULTS_FILES": "200", "TSUDOI_HANDSHAKE_S": "60"}, tmp_path / "faults")
    await asyncio.to_thread(gateway.start)
    try:
        async with (
            contextlib.AsyncExitStack() as stack,
            evening([gateway], [gateway.ws_url] * 2, tmp_path) as spent,
        ):
            await spent.acked(20)
            lives = spent.lives
            lines: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
            stack.callback(lambda: [writer.close() for _, writer in lines])
            turned_away = 0
            for _ in range(300):
                reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
                writer.write(b"GET /gateway HTTP/1.1\r\nHost: x\r\n")
                lines.append((reader, writer))
            await spent.acked(20)
            before, begun = cpu_s(gateway.pid), time.monotonic()
            spent.pause_s = 0.2
            await asyncio.sleep(1.0)
            used = (cpu_s(gateway.pid) - before) / (time.monotonic() - begun)
            for reader, _ in lines:
                try:
                    async with asyncio.timeout(0.02):
                        said = await reader.read(100)
                    turned_away += said.startswith(b"HTTP/1.1 503 ")
                except TimeoutError:
                    pass
                except ConnectionResetError:
                    # What was said before the reset may be lost with it.
                    turned_away += 1
            assert turned_away > 50, "nobody was turned away"
            assert (await gateway.counters())["tsudoi_turned_away_total"] >= turned_away
            for _, writer in lines[:20]:
                writer.close()
            await gateway.counted("tsudoi_connections", 2)
            assert (await readiness(gateway))[0] == 200
            assert used < 0.5, "it spins"
            assert spent.lives == lives
            spent.pause_s = 0.01
            await spent.acked(20)
            await spent.end()
        assert "Traceback" not in gateway.log_text()
    finally:
        gateway.close()
