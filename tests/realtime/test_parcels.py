"""Parcels: what is packed comes out again, junk is told apart, partitions never move."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from realtime.parcels import Audience, Parcel, pack, partition_of, unpack

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\x1f\n"), max_size=40)
PARCELS = st.builds(
    Parcel,
    channel=WORDS,
    seq=st.integers(0, 2**53),
    kind=WORDS,
    audience=st.sampled_from(Audience),
    author=WORDS,
    target=WORDS,
    at=st.integers(0, 2**48),
    origin=WORDS,
    frame=st.binary(max_size=200),
)
ONE = Parcel(
    "room:A", 42, "message.created", Audience.ALL, "B", "", 1_763_625_600_123, "n1", b'{"ch":"room:A"}'
)


@given(PARCELS)
@example(ONE)
def test_a_parcel_comes_out_as_it_went_in(parcel: Parcel) -> None:
    assert unpack(pack(parcel)) == parcel
    assert parcel.durable is (parcel.seq > 0)


def test_the_bytes_are_those_that_other_versions_read() -> None:
    head = b"1\x1froom:A\x1f42\x1fmessage.created\x1fa\x1fB\x1f\x1f1763625600123\x1fn1\n"
    assert pack(ONE) == head + b'{"ch":"room:A"}'


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"\n",
        b"{}",
        pack(ONE).replace(b"\n", b""),
        pack(ONE).replace(b"1\x1froom", b"2\x1froom", 1),
        pack(ONE).replace(b"\x1f42\x1f", b"\x1f"),
        pack(ONE).replace(b"\x1f42\x1f", b"\x1f42\x1f\x1f"),
        pack(ONE).replace(b"\x1f42\x1f", b"\x1f4x\x1f"),
        pack(ONE).replace(b"\x1f42\x1f", b"\x1f\x1f"),
        pack(ONE).replace(b"\x1fa\x1f", b"\x1fz\x1f"),
        pack(ONE).replace(b"room:A", b"room:\xff", 1),
        pack(ONE).replace(b"\x1f42\x1f", b"\x1f" + b"9" * 5_000 + b"\x1f"),
    ],
)
def test_junk_is_a_value_error(junk: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any of them is what a reader catches
        unpack(junk)


@given(st.binary(max_size=300))
def test_noise_is_a_value_error_and_nothing_else(noise: bytes) -> None:
    for data in (noise, pack(ONE)[: len(noise)], noise[:20] + pack(ONE)[20:]):
        try:
            found = unpack(data)
        except ValueError:
            continue
        # What is taken for a parcel is one: it can be carried on as it is.
        assert unpack(pack(found)) == found


@pytest.mark.parametrize(
    ("channel", "partition"),
    [("room:01KAFV3Q8Z7M0T5R1XH6W9C2DE", 18), ("user:01KAFTZZZZ7Q2W3E4R5T6Y7V8P", 15), ("", 0)],
)
def test_partitions_are_the_same_on_every_version(channel: str, partition: int) -> None:
    assert partition_of(channel, 64) == partition


@given(WORDS, st.integers(1, 1_024))
def test_every_channel_has_a_partition(channel: str, partitions: int) -> None:
    assert 0 <= partition_of(channel, partitions) < partitions
    assert partition_of(channel, partitions) == partition_of(channel, partitions)


def test_partitions_share_the_load() -> None:
    counts = [0] * 64
    for n in range(6_400):
        counts[partition_of(f"room:{n}", 64)] += 1
    assert min(counts) > 50
    assert max(counts) < 150
