"""Ids: they sort by time as text, rise whatever the clock does, and are UUIDv7."""

from __future__ import annotations

import random
import threading
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime import ids
from realtime.ids import ALPHABET, IdMaker, encode, inbox_channel, is_id, room_channel, time_of

MILLIS = st.integers(min_value=0, max_value=2**48 - 1)
RAND = st.integers(min_value=0, max_value=2**74 - 1)


def number_of(an_id: str) -> int:
    """The 128 bits of an id."""
    number = 0
    for char in an_id:
        number = number << 5 | ALPHABET.index(char)
    return number


@given(MILLIS, RAND)
def test_an_id_is_a_uuid_of_version_7(time_ms: int, rand: int) -> None:
    an_id = encode(time_ms, rand)
    assert is_id(an_id)
    assert len(an_id) == 26
    as_uuid = uuid.UUID(int=number_of(an_id))
    assert as_uuid.version == 7
    assert as_uuid.variant == uuid.RFC_4122
    assert time_of(an_id) == time_ms
    bits = number_of(an_id)
    assert (bits >> 64 & 0xFFF) << 62 | bits & (1 << 62) - 1 == rand


@given(st.tuples(MILLIS, RAND), st.tuples(MILLIS, RAND))
def test_ids_sort_like_their_times(a: tuple[int, int], b: tuple[int, int]) -> None:
    assert (encode(*a) < encode(*b)) == (a < b)


@given(
    st.lists(st.integers(min_value=1, max_value=50), min_size=2, max_size=60),
    st.randoms(use_true_random=False),
)
def test_ids_of_one_maker_rise_whatever_the_clock_does(clock: list[int], chance: random.Random) -> None:
    maker = IdMaker(chance.getrandbits)
    made = [maker.make(1_763_625_600_000 + at) for at in clock]
    assert made == sorted(set(made))
    latest = 0
    for at, an_id in zip(clock, made, strict=True):
        latest = max(latest, at)
        assert time_of(an_id) == 1_763_625_600_000 + latest


def test_counting_up_within_a_millisecond_has_room() -> None:
    maker = IdMaker(lambda bits: (1 << bits) - 1)
    made = [maker.make(5) for _ in range(10_000)]
    assert made == sorted(set(made))


def test_ids_of_many_threads_differ() -> None:
    maker = IdMaker(random.Random(1).getrandbits)
    made: list[str] = []
    threads = [
        threading.Thread(target=lambda: made.extend([maker.make(7) for _ in range(500)])) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 2_000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0" * 25,
        "0" * 27,
        "8" + "0" * 25,
        "I" + "0" * 25,
        "0" * 25 + "l",
        "0" * 25 + "\n",
        "０" * 26,
        "0" * 25 + "U",
    ],
)
def test_what_is_no_id(text: str) -> None:
    assert not is_id(text)


def test_channels_have_names() -> None:
    assert room_channel("X") == "room:X"
    assert inbox_channel("X") == "user:X"
    assert max(ids.ROOM, ids.INBOX) == ids.INBOX, "inboxes are locked last"
