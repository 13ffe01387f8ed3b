"""The chaos proxy does what it is told, counts it, and else changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.faults.chaos import MESSAGE, Chaos
from tests.support.waiting import until


@pytest.fixture
async def way() -> AsyncIterator[Chaos]:
    """A proxy before a server that says everything back, and `end` when the other side ended."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
            writer.write(b"end")
            writer.close()
        except ConnectionError:
            pass

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with Chaos(server.sockets[0].getsockname()[1]) as between:
        yield between
    server.close()


async def talk(way: Chaos, data: bytes, size: int | None = None) -> bytes:
    """Send, and read back as much."""
    reader, writer = await asyncio.open_connection("127.0.0.1", way.port)
    writer.write(data)
    try:
        async with asyncio.timeout(5):
            return await reader.readexactly(len(data) if size is None else size)
    finally:
        writer.close()


async def test_without_harm_bytes_pass_unchanged_and_ends_are_ends(way: Chaos) -> None:
    data = bytes(range(256)) * 4096
    assert await talk(way, data) == data
    reader, writer = await asyncio.open_connection("127.0.0.1", way.port)
    writer.write(b"x")
    writer.write_eof()
    assert await reader.read() == b"xend"
    writer.close()
    await until(lambda: not way.links)
    assert (way.up.struck, way.down.struck) == ({}, {})


async def test_delay_and_jitter_and_a_narrow_pipe_take_time(way: Chaos) -> None:
    loop = asyncio.get_running_loop()
    way.up.delay_s, way.down.jitter_s, way.down.bytes_per_s = 0.05, 0.01, 10_000
    begun = loop.time()
    assert await talk(way, b"x" * 1000) == b"x" * 1000
    assert loop.time() - begun >= 0.15
    assert way.up.struck["late"]
    assert way.down.struck["narrow"]


async def test_silence_takes_bytes_and_says_nothing(way: Chaos) -> None:
    way.down.silent = True
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await talk(way, b"hello")
    assert way.down.struck["silent"] == 5
    assert way.up.passed == 5


async def test_what_is_held_comes_later(way: Chaos) -> None:
    way.up.held = True
    talking = asyncio.create_task(talk(way, b"hello"))
    await until(lambda: way.up.struck.get("held", 0) > 2)
    assert way.up.passed == 0
    way.up.held = False
    assert await talking == b"hello"


async def test_a_reset_is_a_reset(way: Chaos) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", way.port)
    writer.write(b"x")
    assert await reader.readexactly(1) == b"x"
    assert way.reset() == 1
    with pytest.raises(ConnectionResetError):
        await reader.readexactly(1)
    writer.close()


async def test_half_a_close_leaves_the_other_half(way: Chaos) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", way.port)
    writer.write(b"x")
    assert await reader.readexactly(1) == b"x"
    next(iter(way.links)).half_close()
    assert await reader.read() == b"end"
    writer.close()


async def test_nobody_is_let_in_while_it_refuses(way: Chaos) -> None:
    way.refusing = True
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await talk(way, b"x")
    assert way.refused == 1
    way.refusing = False
    assert await talk(way, b"x") == b"x"


async def test_only_what_matches_is_swallowed(way: Chaos) -> None:
    way.down.swallow = MESSAGE
    parcel = b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n"
    pong = b"*2\r\n$4\r\npong\r\n$0\r\n\r\n"
    assert await talk(way, parcel + pong + parcel, len(pong)) == pong
    assert way.down.struck == {"swallowed": 2}
