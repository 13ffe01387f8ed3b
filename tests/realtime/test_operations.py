"""Requests as strangers write them: each fault is one `bad_request` that names the place."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.errors import ERRORS, Refusal
from realtime.operations import (
    ID_MAX,
    SHARED_ERRORS,
    Door,
    decode_envelope,
    decode_request,
    id_of_bad_frame,
    within_depth,
)
from realtime.table import OPERATIONS

ROOM = "01KAFV3Q8Z7M0T5R1XH6W9C2DE"
SEND = msgspec.json.Decoder(OPERATIONS["room.send"].request)
READ = msgspec.json.Decoder(OPERATIONS["room.read"].request)
CONNECT = msgspec.json.Decoder(OPERATIONS["connect"].request)
DEEP = b"[" * 2_000 + b"]" * 2_000


def bad(call: Any, *arguments: Any) -> tuple[str, str]:
    """The message and the place of a `bad_request`."""
    with pytest.raises(Refusal) as caught:
        call(*arguments)
    assert caught.value.code == "bad_request"
    assert caught.value.message
    return caught.value.message, caught.value.details["at"]


@pytest.mark.parametrize(
    ("frame", "op", "number", "d"),
    [
        (b'{"op":"room.send"}', "room.send", None, b"{}"),
        (b'{"id":1,"op":"x","d":{"a":[1]}}', "x", 1, b'{"a":[1]}'),
        (b'{"id":9007199254740991,"op":"x"}', "x", ID_MAX, b"{}"),
        (b'{"id":null,"op":"x","d":null}', "x", None, b"null"),
        (b'{"op":"a","op":"b","id":1,"id":2}', "b", 2, b"{}"),
    ],
)
def test_an_envelope(frame: bytes, op: str, number: int | None, d: bytes) -> None:
    envelope = decode_envelope(frame)
    assert (envelope.op, envelope.id, bytes(envelope.d)) == (op, number, d)


@pytest.mark.parametrize(
    ("frame", "place"),
    [
        (b"", "$"),
        (b"{", "$"),
        (b"[]", "$"),
        (b'"x"', "$"),
        (b"null", "$"),
        (b"{}", "$"),
        (b'{"id":1}', "$"),
        (b'{"op":"x"}x', "$"),
        (b'{"op":1}', "$.op"),
        (b'{"op":null}', "$.op"),
        (b'{"op":"x","colour":1}', "$.colour"),
        (b'{"op":"x","id":0}', "$.id"),
        (b'{"op":"x","id":-1}', "$.id"),
        (b'{"op":"x","id":9007199254740992}', "$.id"),
        (b'{"op":"x","id":' + b"9" * 30 + b"}", "$.id"),
        (b'{"op":"x","id":1.5}', "$.id"),
        (b'{"op":"x","id":1e300}', "$.id"),
        (b'{"op":"x","id":true}', "$.id"),
        (b'{"op":"x","id":"1"}', "$.id"),
        (b'{"op":"x","id":NaN}', "$"),
        (b'{"op":"x","d":NaN}', "$"),
        (b'{"op":"x","d":{"a":Infinity}}', "$"),
        (b'{"op":"\\ud800"}', "$"),
        (b'{"op":"\xff"}', "$"),
        (b'{"op":"x","d":' + DEEP + b"}", "$"),
        (b'{"op":' + DEEP + b"}", "$.op"),
        (b'{"colour":' + DEEP + b"}", "$.colour"),
        (b"\xef\xbb\xbf" + b'{"op":"x"}', "$"),
    ],
)
def test_a_broken_envelope_names_the_place(frame: bytes, place: str) -> None:
    assert bad(decode_envelope, frame)[1] == place


@pytest.mark.parametrize("digits", [400, 5_000])
def test_endless_numbers_are_no_ids(digits: int) -> None:
    assert bad(decode_envelope, b'{"op":"x","id":' + b"9" * digits + b"}")[1] == "$.id"


@pytest.mark.parametrize(
    ("frame", "number"),
    [
        (b'{"id":7,"op":1}', 7),
        (b'{"id":7,"op":"x","colour":1}', 7),
        (b'{"id":0}', None),
        (b'{"id":true}', None),
        (b'{"id":"7"}', None),
        (b'{"id":9007199254740992}', None),
        (b"[7]", None),
        (b"{", None),
        (b"\xff", None),
        (DEEP, None),
    ],
)
def test_the_id_of_a_bad_frame(frame: bytes, number: int | None) -> None:
    assert id_of_bad_frame(frame) == number


@pytest.mark.parametrize(
    ("decoder", "raw", "place"),
    [
        (SEND, b"{}", "$.d"),
        (SEND, b"null", "$.d"),
        (SEND, b"[]", "$.d"),
        (SEND, b'{"room":1}', "$.d.room"),
        (SEND, b'{"room":"x"}', "$.d.room"),
        (SEND, f'{{"room":"{ROOM}\\n"}}'.encode(), "$.d.room"),
        (SEND, f'{{"room":"{ROOM}","text":null}}'.encode(), "$.d.text"),
        (SEND, f'{{"room":"{ROOM}","text":"a","nonce":""}}'.encode(), "$.d.nonce"),
        (SEND, f'{{"room":"{ROOM}","text":"a","nonce":"1","written_at":1e40}}'.encode(), "$.d.written_at"),
        (SEND, f'{{"room":"{ROOM}","text":"a","nonce":"1","Text":"b"}}'.encode(), "$.d.Text"),
        (SEND, f'{{"room":"{ROOM}","text":"\\ud800","nonce":"1"}}'.encode(), "$.d"),
        (SEND, b'{"room":"\xff"}', "$.d"),
        (SEND, b'{"text":"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"}', "$.d"),
        (READ, f'{{"room":"{ROOM}","seq":-1}}'.encode(), "$.d.seq"),
        (READ, f'{{"room":"{ROOM}","seq":9007199254740992}}'.encode(), "$.d.seq"),
        (READ, f'{{"room":"{ROOM}","seq":{"9" * 40}}}'.encode(), "$.d.seq"),
        (READ, f'{{"room":"{ROOM}","seq":NaN}}'.encode(), "$.d"),
        (READ, f'{{"room":"{ROOM}","seq":1.5}}'.encode(), "$.d.seq"),
        (READ, f'{{"room":"{ROOM}","seq":"1"}}'.encode(), "$.d.seq"),
        (READ, f'{{"room":"{ROOM}","seq":{DEEP.decode()}}}'.encode(), "$.d"),
        (CONNECT, b'{"client":{"name":"x","colour":1}}', "$.d.client.colour"),
        (CONNECT, b'{"client":{"name":1}}', "$.d.client.name"),
        (CONNECT, b'{"client":{"name":"x"},"positions":{"room:1":"2"}}', "$.d.positions[...]"),
    ],
)
def test_a_broken_request_names_the_place(decoder: Any, raw: bytes, place: str) -> None:
    assert bad(decode_request, decoder, raw, "$.d")[1].startswith(place)


def test_the_last_of_two_equal_keys_counts() -> None:
    raw = f'{{"room":"{ROOM}","seq":1,"seq":2}}'.encode()
    assert decode_request(READ, raw, "$.d").seq == 2


def test_bodies_of_http_are_named_from_their_top() -> None:
    assert bad(decode_request, READ, b'{"seq":1,"colour":2}', "$")[1] == "$.colour"


def test_what_is_missing_is_named_in_the_message() -> None:
    assert "room" in bad(decode_request, READ, b'{"seq":1}', "$.d")[0]


@pytest.mark.parametrize(
    ("frame", "limit", "fits"),
    [
        (b"{}", 1, True),
        (b"[[]]", 1, False),
        (b"[[]]", 2, True),
        (b"[" * 32 + b"]" * 32, 32, True),
        (b"[" * 33 + b"]" * 33, 32, False),
        (b"[],[],[]", 1, True),
        (b'{"a":"[[[[[[[["}', 1, True),
        (b'{"a":"\\"[[[["}', 1, True),
        (b'{"a":"\\\\","b":[[]]}', 2, False),
        (b'{"a":"unfinished [[[[', 1, True),
        (DEEP, 32, False),
        (b'"' * 50_000 + b"[" * 40, 32, False),
        (b'"' + b"\\" * 50_001 + b"[" * 40, 32, True),
    ],
)
def test_depth_is_judged_before_decoding(frame: bytes, limit: int, fits: bool) -> None:
    assert within_depth(frame, limit) is fits


def depth_of(value: Any) -> int:
    """How deeply a value nests."""
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(JSON, st.integers(min_value=0, max_value=5), st.booleans())
def test_depth_is_counted_as_json_nests(value: Any, limit: int, ascii_only: bool) -> None:
    frame = json.dumps(value, ensure_ascii=ascii_only).encode(errors="replace")
    assert within_depth(frame, limit) is (depth_of(value) <= limit)


@given(st.binary(max_size=200))
def test_noise_is_a_bad_request_and_nothing_else(noise: bytes) -> None:
    within_depth(noise, 32)
    id_of_bad_frame(noise)
    for decode in (decode_envelope, lambda raw: decode_request(SEND, raw, "$.d")):
        assert refusal_of(decode, noise) in (None, "bad_request")


def refusal_of(decode: Callable[[bytes], Any], raw: bytes) -> str | None:
    """The code a decoder refuses with, if it does."""
    try:
        decode(raw)
    except Refusal as refusal:
        return refusal.code
    return None


def test_every_row_of_the_table_is_sound() -> None:
    for name, operation in OPERATIONS.items():
        assert operation.name == name
        assert operation.doors <= set(Door)
        assert operation.doors
        assert operation.cost >= 0
        assert operation.summary.endswith(".")
        assert set(operation.errors) <= set(ERRORS) - set(SHARED_ERRORS)
        assert len(set(operation.errors)) == len(operation.errors)
        if "nonce" in operation.request.__struct_fields__:
            assert operation.durable
            assert "conflict" in operation.errors
