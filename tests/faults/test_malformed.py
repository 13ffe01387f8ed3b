"""Frames and messages that are not what they should be, against a real process while others talk (F22, F23)."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2
import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect

from realtime.closes import Close
from realtime.operations import Door, Operation
from realtime.table import OPERATIONS
from realtime.ws import CLOSE, FrameReader, WsError, parse_close
from tests.faults.cluster import closed
from tests.faults.evening import FULL, Gateway, evening
from tests.gateway.conformance import more, ping, text

SEEDS = 600 if FULL else 80
SIZE_MAX, FRAGMENTS_MAX = 64 * 1024, 128


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    """One server, which must have nothing to complain of at the end."""
    server = Gateway({}, tmp_path / "faults")
    await asyncio.to_thread(server.start)
    yield server
    complaints = server.complaints()
    server.close()
    assert complaints == []


# Frames

REQUEST = (
    b"GET /gateway HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def asked(op: str, number: int, **fields: object) -> bytes:
    """An operation as JSON."""
    return json.dumps({"id": number, "op": op, "d": fields}, ensure_ascii=False).encode()


def sound(dice: random.Random) -> bytes:
    """Some frames as they should be."""
    words = asked("account.get", dice.randint(1, 99), handle="集い")
    cut = dice.randint(0, len(words))
    kinds = [
        [text(asked("clock.read", dice.randint(1, 99), t=dice.randint(0, 1 << 40)))],
        [text(words)],
        [text(words[:cut], final=False), ping(b"amid"), more(words[cut:], final=True)],
        [ping(dice.randbytes(dice.randint(0, 125)))],
        [text(asked("room.list", 7))],
    ]
    frames = itertools.chain.from_iterable(dice.choice(kinds) for _ in range(dice.randint(2, 5)))
    return b"".join(frame.data for frame in frames)


def mutated(data: bytes, dice: random.Random) -> bytes:
    """One to four bytes or stretches of it are not what they were."""
    harmed = bytearray(data)
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(harmed))
        stretch = slice(at, at + dice.randint(1, 9))
        match dice.randrange(6):
            case 0 | 1:
                harmed[at] ^= 1 << dice.randrange(8)
            case 2:
                harmed[at] = dice.choice((0x00, 0x7F, 0x80, 0xFE, 0xFF))
            case 3:
                del harmed[stretch]
            case 4:
                harmed[at:at] = harmed[stretch]
            case _:
                harmed[at:at] = dice.randbytes(dice.randint(1, 9))
        if not harmed:
            return b"\xff"
    return bytes(harmed)


def verdict(data: bytes) -> int | None:
    """The close code that these bytes deserve, fed whole; None where nothing is wrong with them as frames."""
    reader = FrameReader(SIZE_MAX, FRAGMENTS_MAX)
    fault: int | None = None
    try:
        messages = reader.feed(data)
    except WsError as error:
        messages, fault = error.before, int(error.code)
    for opcode, payload in messages:
        if opcode == CLOSE:
            try:
                code = parse_close(payload)
            except WsError as error:
                return int(error.code)
            return 1000 if code == 1005 else code
    return fault


async def code_of(gateway: Gateway, token: str, pieces: list[bytes]) -> int | None:
    """Come in, send the pieces, say no more; the code of the server's close frame, None if it sent none."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    hello = text(asked("connect", 1, token=token, client={"name": "noise"}))
    writer.write(REQUEST)
    await reader.readuntil(b'"hello"')
    writer.write(hello.data)
    await reader.readuntil(b'{"ev":"live","d":{}}')
    for piece in pieces:
        writer.write(piece)
        await asyncio.sleep(0)
    writer.write_eof()
    async with asyncio.timeout(20):
        said = await reader.read()
    writer.close()
    return next((int.from_bytes(p[:2], "big") for first, p in frames_of(said) if first == 0x80 | CLOSE), None)


def frames_of(data: bytes) -> Iterator[tuple[int, bytes]]:
    """A server's frames: first byte and payload."""
    at = 0
    while at < len(data):
        size, start = data[at + 1], at + 2
        if size >= 126:
            extra = 2 if size == 126 else 8
            size, start = int.from_bytes(data[start : start + extra], "big"), start + extra
        yield data[at], data[start : start + size]
        at = start + size


async def test_f22_mutated_frames_end_their_own_connection_as_they_deserve(
    gateway: Gateway, tmp_path: Path
) -> None:
    async with evening([gateway], [gateway.ws_url] * 2, tmp_path) as spent:
        await spent.acked(10)
        lives = spent.lives
        (noise,) = await gateway.people("noise")
        codes: Counter[int | None] = Counter()
        for seed in range(SEEDS):
            dice = random.Random(seed)
            data = mutated(sound(dice), dice)
            places = sorted(dice.randint(0, len(data)) for _ in range(dice.randint(0, 4)))
            pieces = [data[a:b] for a, b in itertools.pairwise([0, *places, len(data)])]
            code = await code_of(gateway, noise.token, pieces)
            assert code == verdict(data), f"seed {seed}"
            codes[code] += 1
        for expected in (Close.PROTOCOL_ERROR, Close.INVALID_TEXT):
            assert codes[int(expected)] > 0
            counted = closed(await gateway.counters())
            assert counted[str(int(expected))] >= codes[int(expected)]
        assert codes[None] > 0, "nothing that is no fault of framing"
        await spent.acked(20)
        assert spent.lives == lives
        await spent.end()


# Messages

HUGE = b"1" + b"0" * 400
DEEP = b"[" * 2_000 + b"]" * 2_000
WRONG = (
    b'{"x":[1.5]}',
    b'"\\ud800"',
    b'"a\\udfffb"',
    HUGE,
    b"-" + HUGE,
    b"1e400",
    b"NaN",
    b"-Infinity",
    DEEP,
)
"""What no field of any request takes."""
SHAPES = (b"[]", b"7", b'"d"', b"true", b"[{}]", b'{"no such field":1}', DEEP, HUGE, b"NaN", b"{", b"{'a':1}")
"""What no request is."""
FRAMES = (
    b"",
    b" ",
    b"null",
    b"[]",
    b"{}",
    b"{",
    b'"op"',
    b"NaN",
    HUGE,
    DEEP,
    b'{"a":' * 2_000 + b"1" + b"}" * 2_000,
    b'\xef\xbb\xbf{"id":1,"op":"clock.read"}',
    b'{"id":1,"op":"clock.read"}{"id":2,"op":"clock.read"}',
    b'{"id":1,"op":"clock.read","d":{"t":1},"more":1}',
    b'{"id":1,"op":"clock.read","d":{"t":1}',
    b'{"id":1,"op":7}',
    b'{"id":1,"op":null}',
    b'{"id":1,"op":"\\ud800"}',
    b'{"id":1,"op":"no.such"}',
    b'{"id":1,"op":"connect","d":{}}',
    b'{"id":1,"op":"' + b"x" * 60_000 + b'"}',
    b'{"id":1.5,"op":"clock.read"}',
    b'{"id":-1,"op":"clock.read"}',
    b'{"id":"1","op":"clock.read"}',
    b'{"id":' + HUGE + b',"op":"clock.read","d":{"t":1}}',
    b'{"id":NaN,"op":"clock.read"}',
    b'{"id":1e400,"op":"clock.read"}',
    b'{"id":1,"op":"clock.read\x00"}',
    b'{"id":1,"op":"clock.read","d":{"t":1,}}',
)


def bodies(operation: Operation) -> Iterator[bytes]:
    """What this operation does not take."""
    yield from SHAPES
    for field in msgspec.structs.fields(operation.request):
        for value in WRONG:
            yield b'{"%b":%b}' % (field.encode_name.encode(), value)


def messages() -> Iterator[bytes]:
    """All that is tried over the socket."""
    yield from FRAMES
    for operation in OPERATIONS.values():
        if Door.SOCKET in operation.doors and operation.name not in ("connect", "pong"):
            for body in bodies(operation):
                yield b'{"id":1,"op":"%b","d":%b}' % (operation.name.encode(), body)


async def answers(socket: ClientConnection, message: bytes, number: int) -> list[dict[str, object]]:
    """What comes back for a message, and nothing after it."""
    await socket.send(message.decode())
    await socket.send(asked("clock.read", number, t=1).decode())
    found: list[dict[str, object]] = []
    async with asyncio.timeout(20):
        while True:
            frame = json.loads(await socket.recv())
            if frame.get("id") == number:
                assert "ok" in frame
                return found
            # One is told of oneself, too, as others see one.
            if frame.get("ev") not in ("ping", "presence.changed"):
                found.append(frame)


async def test_f23_malformed_messages_are_bad_requests_and_nothing_else(
    gateway: Gateway, tmp_path: Path
) -> None:
    async with evening([gateway], [gateway.ws_url] * 2, tmp_path) as spent:
        await spent.acked(10)
        lives = spent.lives
        (noise,) = await gateway.people("noise")
        tried = 0
        async with connect(gateway.ws_url, compression=None, max_queue=None) as socket:
            await socket.send(asked("connect", 1, token=noise.token, client={"name": "noise"}).decode())
            while json.loads(await socket.recv()).get("ev") != "live":
                pass
            for number, message in enumerate(messages(), 1_000):
                codes = [
                    answer.get("error", {}).get("code") for answer in await answers(socket, message, number)
                ]  # type: ignore[attr-defined]
                assert codes == ["bad_request"], message[:300]
                tried += 1
        assert tried > 500
        await over_http(gateway, noise.token)
        await spent.acked(20)
        assert spent.lives == lives
        await spent.end()


async def over_http(gateway: Gateway, token: str) -> None:
    """The same at the other door. Guests are slowed down there, whatever they ask."""
    statuses: Counter[int] = Counter()
    login = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    async with httpx2.AsyncClient(base_url=gateway.url, headers=login) as http:
        for operation in OPERATIONS.values():
            if Door.HTTP in operation.doors:
                for body in bodies(operation):
                    answer = await http.post(f"/api/v1/{operation.name}", content=body)
                    statuses[answer.status_code] += 1
                    assert answer.json()["error"]["code"] in ("bad_request", "rate_limited"), body[:300]
    assert set(statuses) <= {400, 429}
    assert statuses[400] > 500
