"""The queue of a slow reader: order kept, sizes right, bounds told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.sendqueue import SendQueue
from realtime.settings import Limits

SMALL = Limits(queue_bytes_max=100, queue_frames_max=5, queue_age_s=15.0)


def test_chunks_leave_in_order() -> None:
    queue = SendQueue(SMALL)
    assert queue.push(b"one", 1, 0.0)
    assert queue.push(b"three", 2, 1.0)
    assert (len(queue), queue.size_bytes, queue.frames) == (2, 8, 3)
    assert [queue.pop(), queue.pop()] == [b"one", b"three"]
    assert (len(queue), queue.size_bytes, queue.frames) == (0, 0, 0)
    with pytest.raises(IndexError):
        queue.pop()
    assert (queue.size_bytes, queue.frames) == (0, 0)


def test_each_bound_is_told_when_it_is_crossed() -> None:
    queue = SendQueue(SMALL)
    assert queue.push(b"x" * 100, 1, 0.0)
    assert not queue.push(b"x", 1, 0.0)
    queue = SendQueue(SMALL)
    assert queue.push(b"x", 5, 0.0)
    assert not queue.push(b"x", 1, 0.0)
    queue = SendQueue(SMALL)
    assert queue.push(b"x", 1, 0.0)
    assert queue.push(b"x", 1, 15.0)
    assert not queue.push(b"x", 1, 15.1)


def test_age_is_that_of_the_oldest() -> None:
    queue = SendQueue(SMALL)
    assert not queue.too_old(1e9)
    queue.push(b"a", 1, 0.0)
    queue.push(b"b", 1, 10.0)
    assert queue.too_old(15.5)
    queue.pop()
    assert not queue.too_old(15.5)
    assert queue.too_old(25.5)


def test_cleared_is_as_new() -> None:
    queue = SendQueue(SMALL)
    queue.push(b"x" * 500, 9, 0.0)
    queue.clear()
    assert (len(queue), queue.size_bytes, queue.frames, queue.too_old(1e9)) == (0, 0, 0, False)
    assert queue.push(b"x", 1, 0.0)


@given(st.lists(st.one_of(st.none(), st.tuples(st.binary(max_size=30), st.integers(1, 4))), max_size=60))
def test_it_counts_what_it_holds(acts: list[tuple[bytes, int] | None]) -> None:
    queue = SendQueue(Limits())
    held: list[tuple[bytes, int]] = []
    for act in acts:
        if act is not None:
            held.append(act)
            assert queue.push(*act, 0.0)
        elif held:
            assert queue.pop() == held.pop(0)[0]
        assert len(queue) == len(held)
        assert queue.size_bytes == sum(len(data) for data, _ in held)
        assert queue.frames == sum(frames for _, frames in held)
