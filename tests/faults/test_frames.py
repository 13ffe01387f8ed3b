"""Frames that are too large, compressed or many, against a real process, while others talk (F24, F25, F26); and a
client of yesterday against the server of today (F31)."""

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
    assert "Traceback" not in gateway.log_text()


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
        async with asyncio.timeout(30):
            while True:
                await socket.recv()
    except (ConnectionClosed, ConnectionError):
        return socket.close_code


OLD_CLIENT = Path(__file__).parent / "old_client.json"


async def test_f31_a_client_of_yesterday_is_still_understood(gateway: Gateway) -> None:
    """The transcript is never edited: what stands there was once promised. Answers may have grown new fields."""
    (aki,) = await gateway.people("aki")
    known: dict[str, Any] = {"$token": aki.token, "$account": aki.account.id}
    async with connect(gateway.ws_url, compression=None, subprotocols=["tsudoi.v1"]) as socket:  # type: ignore[list-item]
        backlog: list[dict[str, Any]] = []
        for step in json.loads(OLD_CLIENT.read_text(encoding="utf-8")):
            if "send" in step:
                await socket.send(json.dumps(filled(step["send"], known)))
                continue
            async with asyncio.timeout(10):
                while not any(fits(step["gets"], frame, known) for frame in backlog):
                    backlog.append(json.loads(await socket.recv()))
            backlog = [frame for frame in backlog if not fits(step["gets"], frame, known)]


def filled(shape: Any, known: dict[str, Any]) -> Any:
    """A shape with what is known in the places of its names."""
    if isinstance(shape, dict):
        return {filled(key, known): filled(value, known) for key, value in shape.items()}
    if isinstance(shape, list):
        return [filled(each, known) for each in shape]
    if isinstance(shape, str):
        for name in sorted(known, key=len, reverse=True):
            shape = known[name] if shape == name else shape.replace(name, str(known[name]))
            if not isinstance(shape, str):
                break
    return shape


def fits(shape: Any, frame: Any, known: dict[str, Any]) -> bool:
    """Whether a frame holds all that a shape wants; `$name` is learnt where it is met first, `*` is anything."""
    if isinstance(shape, str) and shape.startswith("$") and shape not in known:
        known[shape] = frame
        return True
    if isinstance(shape, dict):
        return isinstance(frame, dict) and all(
            key in frame and fits(value, frame[key], known)
            for key, value in filled_keys(shape, known).items()
        )
    return shape == "*" or bool(filled(shape, known) == frame)


def filled_keys(shape: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """Names among the keys."""
    return {filled(key, known): value for key, value in shape.items()}
