"""One HTTP connection under bad manners: half-sent, over-large, idle, pipelined (FAULTS F13)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.door import HEAD_BYTES_MAX
from realtime.settings import Limits
from tests.support.http import http_client
from tests.support.nodes import RunningNode, Start

WAIT_S = 10.0
HALF = {
    "nothing at all": b"",
    "half a request line": b"GET /hea",
    "half a head": b"GET /healthz HTTP/1.1\r\nHost: x\r\n",
    "half a handshake": b"GET /gateway HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
    "half a body": b"POST /api/v1/clock.read HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
    "half a chunk": b"POST /api/v1/clock.read HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n50\r\n{",
    "empty lines": b"\r\n\r\n",
}
WHOLE = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"

Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def line(server: RunningNode) -> AsyncIterator[Line]:
    """A raw connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def rest(reader: asyncio.StreamReader) -> bytes:
    """All the server says until it hangs up."""
    async with asyncio.timeout(WAIT_S):
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""


async def answer(reader: asyncio.StreamReader) -> bytes:
    """One answer with a Content-Length."""
    async with asyncio.timeout(WAIT_S):
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return head + await reader.readexactly(length)


@pytest.mark.parametrize("sent", HALF.values(), ids=HALF)
async def test_what_is_half_sent_is_closed_in_time(start_node: Start, sent: bytes) -> None:
    server = await start_node(Limits(handshake_s=0.3))
    begun = time.monotonic()
    async with line(server) as (reader, writer):
        writer.write(sent)
        assert (await rest(reader)).startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - begun < 5
    assert server.server.server_state.connections == set()


@pytest.mark.parametrize(
    "sent", [sent for sent in HALF.values() if sent], ids=[name for name in HALF if HALF[name]]
)
async def test_a_second_request_that_is_half_sent_is_closed_in_time(start_node: Start, sent: bytes) -> None:
    server = await start_node(Limits(handshake_s=0.3))
    async with line(server) as (reader, writer):
        writer.write(WHOLE)
        assert (await answer(reader)).endswith(b"ok\n")
        writer.write(sent)
        assert (await rest(reader)).startswith(b"HTTP/1.1 408 ")


async def test_byte_by_byte_is_no_way_around_the_deadline(start_node: Start) -> None:
    server = await start_node(Limits(handshake_s=0.5))
    async with line(server) as (reader, writer):
        ended = asyncio.create_task(rest(reader))
        begun = time.monotonic()
        writer.write(b"GET /healthz HTTP/1.1\r\nX: ")
        while not ended.done() and time.monotonic() - begun < WAIT_S:
            writer.write(b"a")
            await asyncio.wait([ended], timeout=0.02)
        # Bytes that cross the server's end on the way reset the connection, and the answer may go with it.
        assert ended.done(), "still open, fed byte by byte"
        assert (await ended)[:13] in (b"HTTP/1.1 408 ", b"")


async def test_the_others_are_served_meanwhile(start_node: Start) -> None:
    server = await start_node(Limits(handshake_s=3.0))
    (aki,) = await server.friends("aki")
    lines = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(200)]
    for number, (_, writer) in enumerate(lines):
        writer.write(list(HALF.values())[number % len(HALF)])
    begun = time.monotonic()
    async with server.client(aki) as client, http_client(server.url) as http:
        assert (await client.call("clock.read", t=1))["t"] == 1
        assert (await http.get("/healthz")).text == "ok\n"
        assert time.monotonic() - begun < 2
        said = await asyncio.gather(*(rest(reader) for reader, _ in lines))
        assert {text[:12] for text in said} == {b"HTTP/1.1 408"}
        assert (await client.call("clock.read", t=2))["t"] == 2
        assert (await http.get("/healthz")).text == "ok\n"
    for _, writer in lines:
        writer.close()


async def test_an_idle_connection_ends_after_its_own_time(start_node: Start) -> None:
    server = await start_node(Limits(handshake_s=30))
    server.server.config.timeout_keep_alive = 1
    async with line(server) as (reader, writer):
        writer.write(WHOLE)
        await answer(reader)
        begun = time.monotonic()
        assert await rest(reader) == b""
        assert 0.5 < time.monotonic() - begun < 5


async def test_deadlines_do_not_touch_who_idles_between_requests(start_node: Start) -> None:
    server = await start_node(Limits(handshake_s=0.3))
    async with line(server) as (reader, writer):
        writer.write(WHOLE)
        await answer(reader)
        ended = asyncio.create_task(rest(reader))
        done, _ = await asyncio.wait([ended], timeout=1.2)
        assert not done
        ended.cancel()
        await asyncio.gather(ended, return_exceptions=True)
        writer.write(WHOLE + WHOLE)
        assert (await answer(reader)).endswith(b"ok\n")
        assert (await answer(reader)).endswith(b"ok\n")


@pytest.mark.parametrize("path", ["/healthz", "/gateway"])
@pytest.mark.parametrize("pieces", [1, 40])
async def test_a_head_over_its_bound_is_refused(start_node: Start, path: str, pieces: int) -> None:
    server = await start_node()
    upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\n" if path == "/gateway" else ""
    head = f"GET {path} HTTP/1.1\r\nHost: x\r\n{upgrade}X: {'a' * HEAD_BYTES_MAX}\r\n\r\n".encode()
    async with line(server) as (reader, writer):
        step = -(-len(head) // pieces)
        for at in range(0, len(head), step):
            writer.write(head[at : at + step])
            await writer.drain()
            await asyncio.sleep(0)
        assert (await rest(reader)).startswith(b"HTTP/1.1 431 ")
    assert server.node.sockets == set()


async def test_a_head_that_never_ends_is_refused_early(start_node: Start) -> None:
    server = await start_node(Limits(handshake_s=60))
    async with line(server) as (reader, writer):
        writer.write(b"GET /healthz HTTP/1.1\r\n")
        ended = asyncio.create_task(rest(reader))
        sent = 0
        while not ended.done() and sent < 4 * 1024 * 1024:
            writer.write(b"X: " + b"a" * 1_000 + b"\r\n")
            sent += 1_005
            await asyncio.wait([ended], timeout=0.001)
        assert ended.done()
        await ended
    assert sent < 1024 * 1024


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /api/v1/clock.read HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /api/v1/clock.read HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nBad Header: 1\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_refused_and_closed(start_node: Start, sent: bytes) -> None:
    server = await start_node()
    async with line(server) as (reader, writer):
        writer.write(sent)
        assert (await rest(reader)).startswith(b"HTTP/1.1 400 ")


async def test_an_upgrade_to_something_else_is_ignored(start_node: Start) -> None:
    server = await start_node()
    async with line(server) as (reader, writer):
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
        assert (await answer(reader)).endswith(b"ok\n")


async def test_who_comes_when_there_is_no_room_is_told_and_probes_are_answered(start_node: Start) -> None:
    server = await start_node(Limits(connections_max=4))
    (aki,) = await server.friends("aki")
    async with server.client(aki) as client, line(server), line(server), line(server):
        for path, status in (("/api/v1/clock.read", b"503"), ("/gateway", b"503"), ("/healthz", b"200")):
            async with line(server) as (reader, writer):
                upgrade = b"Upgrade: websocket\r\nConnection: Upgrade\r\n" if path == "/gateway" else b""
                writer.write(b"GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n" % (path.encode(), upgrade))
                said = await answer(reader)
                assert said.startswith(b"http/1.1 " + status)
                assert (b"retry-after: 5" in said) == (status == b"503")
        assert (await client.call("clock.read", t=1))["t"] == 1
    assert server.node.capacity.turned_away == 2
    async with server.client(aki) as client:
        assert (await client.call("clock.read", t=2))["t"] == 2
