"""The reader of WebSocket frames: RFC 6455 fault by fault, however the bytes are cut, and as a library reads them."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Opcode
from websockets.protocol import Protocol, Side, State

from realtime.closes import Close
from realtime.ws import CLOSE, PING, PONG, TEXT, FrameReader, WsError, close_frame, frame, parse_close

SIZE_MAX = 1_000
FRAGMENTS_MAX = 4
KEY = b"\x11\x22\x33\x44"

Outcome = tuple[list[tuple[int, bytes]], Close | None]


def client_frame(
    payload: bytes, opcode: int = TEXT, *, final: bool = True, bits: int = 0, key: bytes | None = KEY
) -> bytes:
    """A frame as a client sends it."""
    first = (0x80 if final else 0) | bits | opcode
    mask = 0 if key is None else 0x80
    size = len(payload)
    if size < 126:
        head = bytes((first, mask | size))
    elif size < 65_536:
        head = bytes((first, mask | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, mask | 127)) + size.to_bytes(8, "big")
    if key is None:
        return head + payload
    return head + key + bytes(byte ^ key[n % 4] for n, byte in enumerate(payload))


def read(chunks: list[bytes], size_max: int = SIZE_MAX) -> Outcome:
    """What a reader makes of chunks: the messages of whole chunks, and the close code of the fault, if any."""
    reader = FrameReader(size_max, FRAGMENTS_MAX)
    messages: list[tuple[int, bytes]] = []
    for chunk in chunks:
        try:
            messages += reader.feed(chunk)
        except WsError as error:
            return messages + error.before, error.code
    return messages, None


def part(payload: bytes) -> bytes:
    """First part of a fragmented text."""
    return client_frame(payload, final=False)


def more(payload: bytes, *, final: bool = False) -> bytes:
    """A later part."""
    return client_frame(payload, 0, final=final)


@pytest.mark.parametrize(
    ("data", "messages"),
    [
        (b"", []),
        (client_frame(b""), [(TEXT, b"")]),
        (client_frame(b"{}"), [(TEXT, b"{}")]),
        (client_frame(b"a") + client_frame(b"b"), [(TEXT, b"a"), (TEXT, b"b")]),
        (client_frame("集い".encode()), [(TEXT, "集い".encode())]),
        (client_frame(b"x" * 125), [(TEXT, b"x" * 125)]),
        (client_frame(b"x" * 126), [(TEXT, b"x" * 126)]),
        (client_frame(b"x" * SIZE_MAX), [(TEXT, b"x" * SIZE_MAX)]),
        (part(b"a") + more(b"b") + more(b"c", final=True), [(TEXT, b"abc")]),
        (part(b"") + more(b"") + more(b"", final=True), [(TEXT, b"")]),
        (part(b"\xe9\x9b") + more(b"\x86", final=True), [(TEXT, "集".encode())]),
        (part(b"a") + more(b"b") + more(b"c") + more(b"d", final=True), [(TEXT, b"abcd")]),
        (part(b"a" * 500) + more(b"b" * 500, final=True), [(TEXT, b"a" * 500 + b"b" * 500)]),
        (
            part(b"a")
            + client_frame(b"?", PING)
            + more(b"b")
            + client_frame(b"!", PONG)
            + more(b"c", final=True),
            [(PING, b"?"), (PONG, b"!"), (TEXT, b"abc")],
        ),
        (part(b"a") + client_frame(b"\x03\xe8", CLOSE), [(CLOSE, b"\x03\xe8")]),
        (client_frame(b"x" * 125, PING), [(PING, b"x" * 125)]),
        (client_frame(b"\xff", PING), [(PING, b"\xff")]),
        (client_frame(b"a", key=b"\0\0\0\0"), [(TEXT, b"a")]),
        (
            part(b"a") + more(b"b", final=True) + part(b"c") + more(b"d", final=True),
            [(TEXT, b"ab"), (TEXT, b"cd")],
        ),
    ],
)
def test_messages(data: bytes, messages: list[tuple[int, bytes]]) -> None:
    assert read([data]) == (messages, None)
    assert read([data[n : n + 1] for n in range(len(data))]) == (messages, None)


PROTOCOL = Close.PROTOCOL_ERROR


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (client_frame(b"a", key=None), PROTOCOL),
        (client_frame(b"", PING, key=None), PROTOCOL),
        (client_frame(b"a", bits=0x40), PROTOCOL),
        (client_frame(b"a", bits=0x20), PROTOCOL),
        (client_frame(b"a", bits=0x10), PROTOCOL),
        *((client_frame(b"a", opcode), PROTOCOL) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)),
        (client_frame(b"x" * 126, PING), PROTOCOL),
        (client_frame(b"x", PING, final=False), PROTOCOL),
        (client_frame(b"\x03\xe8", CLOSE, final=False), PROTOCOL),
        (more(b"a", final=True), PROTOCOL),
        (more(b"a"), PROTOCOL),
        (client_frame(b"a") + more(b"b", final=True), PROTOCOL),
        (part(b"a") + client_frame(b"b"), PROTOCOL),
        (part(b"a") + part(b"b"), PROTOCOL),
        (bytes((0x81, 0xFF)) + b"\xff" * 8 + KEY, PROTOCOL),
        (client_frame(b"a", 2), Close.UNSUPPORTED_DATA),
        (client_frame(b"a", 2, final=False), Close.UNSUPPORTED_DATA),
        (client_frame(b"\xff"), Close.INVALID_TEXT),
        (client_frame(b"\xed\xa0\x80"), Close.INVALID_TEXT),
        (client_frame(b"\xc0\xaf"), Close.INVALID_TEXT),
        (client_frame("集".encode()[:2]), Close.INVALID_TEXT),
        (part(b"\xe9") + more(b"a", final=True), Close.INVALID_TEXT),
        (part(b"\xe9") + more(b"a"), Close.INVALID_TEXT),
        (part(b"\xff"), Close.INVALID_TEXT),
        (part(b"\xf4") + more(b"") + more(b"\x90"), Close.INVALID_TEXT),
        (part(b"\xe9\x9b") + more(b"", final=True), Close.INVALID_TEXT),
        (client_frame(b"x" * (SIZE_MAX + 1)), Close.TOO_BIG),
        (part(b"x" * SIZE_MAX) + more(b"x", final=True), Close.TOO_BIG),
        (part(b"x" * SIZE_MAX) + more(b"") + more(b"x" * 10), Close.TOO_BIG),
        (bytes((0x81, 0xFF)) + (2**62).to_bytes(8, "big") + KEY, Close.TOO_BIG),
        (part(b"a") + more(b"b") * FRAGMENTS_MAX, Close.ABUSIVE_RATE),
        (part(b"") + more(b"") * FRAGMENTS_MAX, Close.ABUSIVE_RATE),
    ],
)
def test_each_fault_has_its_close_code(data: bytes, code: Close) -> None:
    assert read([data])[1] is code
    assert read([data[n : n + 1] for n in range(len(data))])[1] is code
    before, after = read([client_frame(b"good"), data])
    assert before[0] == (TEXT, b"good")
    assert after is code


def test_a_frame_too_big_is_refused_by_its_head() -> None:
    head = client_frame(b"x" * (SIZE_MAX + 1))[:8]
    assert read([head]) == ([], Close.TOO_BIG)


def test_bounds_start_anew_with_each_message() -> None:
    whole = part(b"x" * 400) + more(b"y" * 300) + more(b"z" * 300, final=True)
    messages, fault = read([whole * 5])
    assert fault is None
    assert len(messages) == 5


def test_a_control_frame_does_not_count_against_the_size() -> None:
    data = part(b"x" * SIZE_MAX) + client_frame(b"p" * 125, PING) + more(b"", final=True)
    assert read([data]) == ([(PING, b"p" * 125), (TEXT, b"x" * SIZE_MAX)], None)


FRAMES = st.builds(
    client_frame,
    st.one_of(
        st.binary(max_size=20),
        st.text(max_size=12).map(lambda t: t.encode(errors="replace")),
        st.just(b"x" * 300),
    ),
    st.sampled_from([0, 0, 0, TEXT, TEXT, TEXT, 2, 5, CLOSE, PING, PONG, 11]),
    final=st.sampled_from([True, True, False]),
    bits=st.sampled_from([0] * 12 + [0x40, 0x10]),
    key=st.sampled_from([KEY, b"\0\0\0\0", b"\xff\x80\x01\x7f"] * 4 + [None]),
)
GOOD_FRAMES = st.builds(
    client_frame,
    st.text(max_size=40).map(lambda t: t.encode(errors="replace")),
    st.sampled_from([TEXT, PING, PONG]),
    key=st.binary(min_size=4, max_size=4),
).filter(lambda data: len(data) < 130)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Data in pieces."""
    marks = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(marks)]


@given(st.lists(GOOD_FRAMES, max_size=12).map(b"".join), st.lists(st.integers(0, 5_000), max_size=12))
def test_however_good_bytes_are_cut_they_are_the_same_messages(data: bytes, places: list[int]) -> None:
    whole = read([data])
    assert whole[1] is None
    assert read(cut(data, places)) == whole
    assert read([data[n : n + 1] for n in range(len(data))]) == whole


@given(st.lists(FRAMES, max_size=8).map(b"".join), st.lists(st.integers(0, 2_000), max_size=8))
def test_however_bad_bytes_are_cut_they_are_the_same_fault(data: bytes, places: list[int]) -> None:
    single = read([data[n : n + 1] for n in range(len(data))])
    for chunks in ([data], cut(data, places)):
        messages, fault = read(chunks)
        assert (messages, fault) == single


@given(st.binary(max_size=300))
def test_noise_is_a_fault_or_waits_for_more(noise: bytes) -> None:
    assert read([noise])[1] is read([noise[n : n + 1] for n in range(len(noise))])[1]


# The library as a reference


def reference(data: bytes) -> tuple[list[tuple[int, bytes]], Exception | None]:
    """What the library's own parser makes of the same bytes, up to the first close frame, and its fault."""
    protocol = Protocol(Side.SERVER, state=State.OPEN)
    protocol.receive_data(data)
    messages: list[tuple[int, bytes]] = []
    parts: list[bytes] = []
    for event in protocol.events_received():
        found: Any = event
        if found.opcode in (Opcode.PING, Opcode.PONG, Opcode.CLOSE):
            messages.append((int(found.opcode), bytes(found.data)))
            continue
        parts.append(bytes(found.data))
        if found.fin:
            messages.append((TEXT, b"".join(parts)))
            parts = []
    return messages, protocol.parser_exc


def ours(frames: list[bytes]) -> tuple[list[tuple[int, bytes]], Close | None]:
    """The same of our reader, which leaves close frames to `parse_close`."""
    reader = FrameReader(2**20, 1_000)
    messages: list[tuple[int, bytes]] = []
    for data in frames:
        try:
            for message in reader.feed(data):
                if message[0] == CLOSE:
                    parse_close(message[1])
                    return [*messages, message], None
                messages.append(message)
        except WsError as error:
            return messages, error.code
    return messages, None


@given(st.lists(FRAMES, max_size=10))
def test_the_library_reads_the_same(frames: list[bytes]) -> None:
    messages, fault = ours(frames)
    theirs, their_fault = reference(b"".join(frames))
    if fault in (Close.UNSUPPORTED_DATA, Close.INVALID_TEXT):
        # Ours alone: binary frames are not spoken here; the library leaves UTF-8 to the layer above.
        assert theirs[: len(messages)] == messages
    elif "incomplete fragmented message" in str(their_fault):
        # RFC 6455 §5.4 lets control frames stand inside a fragmented message; the library takes no close there.
        assert messages[:-1] == theirs
        assert messages[-1][0] == CLOSE
    else:
        assert messages == theirs
        assert (fault is None) == (their_fault is None)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 70_000])
def test_what_we_write_the_library_reads(size: int) -> None:
    client = Protocol(Side.CLIENT, state=State.OPEN, max_size=None)
    client.receive_data(frame(b"x" * size) + frame(b"p", PING))
    first, second = client.events_received()
    assert (first.opcode, first.data, first.fin) == (Opcode.TEXT, b"x" * size, True)
    assert (second.opcode, second.data) == (Opcode.PING, b"p")
    assert client.parser_exc is None


@pytest.mark.parametrize(
    ("code", "reason"),
    [(1001, ""), (4501, "the node drains"), (4508, "遅" * 100), (4001, "é" * 62)],
    ids=["empty", "short", "long", "cut"],
)
def test_our_close_frames_fit_and_are_understood(code: int, reason: str) -> None:
    client = Protocol(Side.CLIENT, state=State.OPEN)
    client.receive_data(close_frame(code, reason))
    assert client.close_rcvd is not None
    assert client.close_rcvd.code == code
    assert reason.startswith(client.close_rcvd.reason)
    assert len(close_frame(code, reason)) <= 127


@pytest.mark.parametrize(
    ("payload", "code"),
    [(b"", 1005), (b"\x03\xe8", 1000), (b"\x03\xe9bye", 1001), (b"\x0f\xa1", 4001), (b"\x0b\xb8", 3000)],
)
def test_a_peers_close_code(payload: bytes, code: int) -> None:
    assert parse_close(payload) == code


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"\x03", PROTOCOL),
        (b"\x03\xe7", PROTOCOL),
        (b"\x03\xed", PROTOCOL),
        (b"\x03\xee", PROTOCOL),
        (b"\x00\x00", PROTOCOL),
        (b"\x13\x88", PROTOCOL),
        (b"\x03\xe8\xff", Close.INVALID_TEXT),
    ],
)
def test_a_peers_broken_close(payload: bytes, code: Close) -> None:
    with pytest.raises(WsError) as caught:
        parse_close(payload)
    assert caught.value.code is code
