"""Hundreds of handshakes that never end, while people come in and talk (F13)."""

from __future__ import annotations

import asyncio
import statistics
import time
from pathlib import Path

from loadtest.client import Client
from tests.faults.evening import FULL, Gateway, evening, paced
from tests.support.waiting import until

MANY = 1_000 if FULL else 300
DEADLINE_S = paced(10)
SLACK_S = 5.0
"""For a machine that others use too."""
HEAD = (
    b"GET /gateway HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nX-Slow: "
)
DRIP_S = 0.05


class Slowloris:
    """Lines that send half a handshake, some of them byte by byte, and begin again when they are closed, until told
    otherwise. `ages_s` is how long each lasted that was closed, `said` what it was told."""

    def __init__(self, port: int) -> None:
        self.open = 0
        self.opened = 0
        self.ages_s: list[float] = []
        self.said: list[bytes] = []
        self.again = True
        self._port = port
        self._tasks = [asyncio.create_task(self._line(number)) for number in range(MANY)]

    async def over(self) -> None:
        """All lines have been closed, and none begins again."""
        self.again = False
        await asyncio.gather(*self._tasks)

    async def _line(self, number: int) -> None:
        # One after the other, so that they do not end together either.
        await asyncio.sleep(DEADLINE_S * number / MANY)
        while self.again:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            begun = time.monotonic()
            self.open += 1
            self.opened += 1
            # Cut at another place each.
            writer.write(HEAD[: 1 + number % len(HEAD)] if number % 4 else HEAD)
            ended = asyncio.create_task(self._rest(reader))
            while number % 4 == 0 and not ended.done():
                writer.write(b"a")
                await asyncio.wait([ended], timeout=DRIP_S)
            self.said.append(await ended)
            self.open -= 1
            self.ages_s.append(time.monotonic() - begun)
            writer.close()

    async def _rest(self, reader: asyncio.StreamReader) -> bytes:
        try:
            return await reader.read()
        except ConnectionError:
            # Bytes that cross the server's end reset the line, and its answer may go with it.
            return b""


async def test_f13_half_sent_handshakes_keep_nobody_out_and_end_in_time(tmp_path: Path) -> None:
    gateway = Gateway({"TSUDOI_HANDSHAKE_S": str(DEADLINE_S)}, tmp_path / "faults")
    await asyncio.to_thread(gateway.start)
    try:
        async with evening([gateway], [gateway.ws_url] * 2, tmp_path) as spent:
            await spent.acked(20)
            lives, files = spent.lives, gateway.files()
            crowd = Slowloris(gateway.port)
            await until(lambda: gateway.files() >= files + MANY * 0.8, "the crowd stands at the door", 30)
            took, there = [], []
            for _ in range(10):
                begun = time.monotonic()
                async with Client(gateway.ws_url, spent.people[0].account.token) as client:
                    took.append(time.monotonic() - begun)
                    assert (await client.call("clock.read", t=1))["t"] == 1
                there.append(crowd.open)
            await spent.acked(20)
            await crowd.over()
            # A server that is held up lets one in when somebody's time is up; a machine that is busy, now and then.
            assert statistics.median(took) < 1.0
            assert statistics.median(there) >= MANY / 2, "the crowd was gone"
            assert len(crowd.ages_s) == crowd.opened
            assert max(crowd.ages_s) < DEADLINE_S + SLACK_S
            assert {said[:13] for said in crowd.said} <= {b"HTTP/1.1 408 ", b""}
            assert sum(bool(said) for said in crowd.said) >= MANY / 2
            await until(lambda: gateway.files() <= files + 20, "its files are free")
            assert spent.lives == lives
            await spent.acked(20)
            await spent.end()
        assert gateway.complaints() == []
    finally:
        gateway.close()
