"""Frames that are too large, compressed or many, against a real process, while others talk (F24, F25, F26)."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from realtime.closes import Close
from tests.faults.evening import FULL, Gateway, evening
from tests.gateway.conformance import CONTINUATION, PING, TEXT, Frame

GROWS_KB_MAX = 32 * 1024


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    server = Gateway(
        {
            "TSUDOI_OPERATIONS_PER_S": "20",
            "TSUDOI_OPERATIONS_BURST": "60",
            "TSUDOI_REFUSALS_PER_10S_MAX": "20",
        },
        tmp_path / "faults",
    )
    await asyncio.to_thread(server.start)
    yield server
    server.close()


def rss_kb(gateway: Gateway) -> int:
    """Memory in use."""
    status = Path(f"/proc/{gateway.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def deflated(megabytes: int) -> bytes:
    """So many zeros, compressed as permessage-deflate would have it."""
    packer = zlib.compressobj(9, wbits=-15)
    data = b"".join(packer.compress(bytes(1 << 20)) for _ in range(megabytes))
    return data + packer.flush(zlib.Z_SYNC_FLUSH)[:-4]


def head_of(size: int) -> bytes:
    """The head of a text frame of a size, without the frame."""
    return bytes((0x81, 0xFF)) + size.to_bytes(8, "big") + b"\0\0\0\0"


ATTACKS = {
    "F24 64 KiB and one": (lambda: Frame(TEXT, b"x" * (64 * 1024 + 1)).data, Close.TOO_BIG),
    "F24 16 MiB": (lambda: head_of(16 << 20) + bytes(1 << 20), Close.TOO_BIG),
    "F24 2^63": (lambda: head_of(1 << 63), Close.PROTOCOL_ERROR),
    "F24 2^62": (lambda: head_of(1 << 62), Close.TOO_BIG),
    "F25 a bomb": (lambda: Frame(TEXT, deflated(60), bits=4).data, Close.PROTOCOL_ERROR),
    "F26 empty fragments": (
        lambda: Frame(TEXT, b"", final=False).data + Frame(CONTINUATION, b"", final=False).data * 100_000,
        Close.ABUSIVE_RATE,
    ),
    "F26 pings": (lambda: Frame(PING, b"x").data * 20_000, Close.ABUSIVE_RATE),
    "F26 operations": (
        lambda: Frame(TEXT, b'{"id":1,"op":"account.get","d":{"handle":"aki"}}').data * 1_000,
        Close.ABUSIVE_RATE,
    ),
}


@pytest.mark.parametrize(("data", "code"), ATTACKS.values(), ids=ATTACKS)
async def test_f24_f25_f26_whoever_sends_too_much_is_closed_and_nobody_feels_it(
    gateway: Gateway, data: Any, code: Close, tmp_path: Path
) -> None:
    attack = data()
    async with evening([gateway], [gateway.ws_url] * 2, tmp_path) as spent:
        spent.pause_s = 0.12
        await spent.acked(10)
        before = rss_kb(gateway)
        for _ in range(20 if FULL else 5):
            async with connect(gateway.ws_url, compression=None) as socket:
                await connected(socket, spent.people[0].account.token)
                assert await closed_by(socket, attack) in (code, 1006)
        counters = await gateway.counters()
        assert counters[f'tsudoi_connections_closed_total{{code="{int(code)}"}}'] >= 5
        assert rss_kb(gateway) - before < GROWS_KB_MAX
        await spent.acked(10)
        await spent.end()
    assert gateway.complaints() == []


async def connected(socket: ClientConnection, token: str) -> None:
    """Say who it is."""
    await socket.recv()
    request = {"op": "connect", "id": 1, "d": {"token": token, "client": {"name": "t"}}}
    await socket.send(json.dumps(request))
    assert "ok" in json.loads(await socket.recv())


async def closed_by(socket: ClientConnection, data: bytes) -> int | None:
    """Send it all; the code by which it ends. Bytes that cross the end may reset the line, and the code with it."""
    try:
        for at in range(0, len(data), 1 << 16):
            socket.transport.write(data[at : at + (1 << 16)])
            await asyncio.sleep(0)
            if socket.close_code is not None:
                break
        async with asyncio.timeout(30):
            while True:
                await socket.recv()
    except (ConnectionClosed, ConnectionError, RuntimeError):
        # The last is uvloop's word for a line whose writing half this side has closed already.
        return socket.close_code
