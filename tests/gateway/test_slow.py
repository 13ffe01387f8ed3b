"""A reader that stops: bounded, closed as too slow, and nobody else feels it (WIRE §5, FAULTS F12)."""

from __future__ import annotations

import asyncio
import socket
import struct

import orjson

from realtime.closes import Close
from realtime.settings import Limits
from tests.support.nodes import RunningNode, Start
from tests.support.waiting import until

OPEN = Limits(
    operations_per_s=1e6,
    operations_burst=1e6,
    operations_in_flight_max=10_000,
    queue_bytes_max=64 * 1024,
    socket_send_buffer_bytes=8 * 1024,
    close_wait_s=1.0,
    tcp_user_timeout_s=5.0,
)


async def stalled(server: RunningNode, token: str) -> socket.socket:
    """A raw connection that has said connect and reads no more."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(raw, ("127.0.0.1", server.port))
    head = (
        "GET /gateway HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    await loop.sock_sendall(raw, head.encode())
    seen = b""
    while b"hello" not in seen:
        seen += await loop.sock_recv(raw, 4096)
    request = orjson.dumps({"id": 1, "op": "connect", "d": {"token": token, "client": {"name": "stalled"}}})
    await loop.sock_sendall(
        raw, b"\x81" + bytes((0x80 | 126,)) + struct.pack(">H", len(request)) + b"\0" * 4 + request
    )
    while b'"live"' not in seen:
        seen += await loop.sock_recv(raw, 4096)
    return raw


async def test_a_stalled_reader_is_closed_within_its_bound_and_others_hear_all(start_node: Start) -> None:
    server = await start_node(OPEN)
    aki, haru = await server.friends("aki", "haru")
    async with server.client(aki) as a:
        room = (await a.call("room.create", title="集い", accounts=[haru.account.id], nonce="1"))["id"]
        before = set(server.node.sockets)
        # The stalled one joins first, so that the hub is still walking over the others when it has to go.
        raw = await stalled(server, haru.token)
        (slow,) = server.node.sockets - before
        h = server.client(haru)
        await h.open()
        most = 0
        said = 0
        while said < 600 and slow in server.node.sockets:
            said += 10
            await asyncio.gather(*(a.say(room, "x" * 1500) for _ in range(10)))
            if slow._queue is not None:
                most = max(most, slow._queue.size_bytes)
        assert slow not in server.node.sockets, "the stalled reader was never let go"
        assert slow._close_code == Close.TOO_SLOW
        assert 0 < most <= OPEN.queue_bytes_max + 64 * 1024
        await h.until(lambda: len(h.texts(room)) == said)
        await until(lambda: slow.transport is None)
        raw.close()
        assert (await h.call("clock.read", t=2))["t"] == 2
        await h.close()


async def test_a_reader_that_is_only_slow_gets_everything(start_node: Start) -> None:
    server = await start_node(
        Limits(operations_per_s=1e6, operations_burst=1e6, socket_send_buffer_bytes=8 * 1024)
    )
    aki, haru = await server.friends("aki", "haru")
    async with server.client(aki) as a, server.client(haru) as h:
        room = (await a.call("room.create", title="集い", accounts=[haru.account.id], nonce="1"))["id"]
        raw = await stalled(server, haru.token)
        for _ in range(20):
            await asyncio.gather(*(a.say(room, "x" * 1500) for _ in range(10)))
        await h.until(lambda: len(h.texts(room)) == 200)
        loop = asyncio.get_running_loop()
        seen = b""
        async with asyncio.timeout(10):
            while seen.count(b'"message.created"') < 200:
                seen += await loop.sock_recv(raw, 1 << 16)
        assert len(server.node.sockets) == 3
        raw.close()
