"""The queue of a slow reader: order kept, sizes right, bounds told, shed in its order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.sendqueue import Backlog, Piece, SendQueue
from realtime.settings import Limits

SMALL = Limits(queue_bytes_max=100, queue_frames_max=5, queue_age_s=15.0)


def said(data: bytes, frames: int = 1) -> Piece:
    """A piece about the connection itself."""
    return Piece(data, frames)


def entries(channel: str, first: int, frames: int = 1, size: int = 10) -> Piece:
    """A piece of a channel's log."""
    return Piece(b"x" * size, frames, channel, first)


def drain(queue: SendQueue) -> list[bytes]:
    """Everything that is left, in order."""
    found = []
    while queue:
        found.append(queue.pop())
    return found


def test_pieces_leave_in_order() -> None:
    queue = SendQueue(SMALL, Backlog())
    assert queue.push(said(b"one"), 0.0)
    assert queue.push(said(b"three", 2), 1.0)
    assert (len(queue), queue.size_bytes, queue.frames) == (2, 8, 3)
    assert [queue.pop(), queue.pop()] == [b"one", b"three"]
    assert (len(queue), queue.size_bytes, queue.frames) == (0, 0, 0)
    with pytest.raises(IndexError):
        queue.pop()
    assert (queue.size_bytes, queue.frames) == (0, 0)


def test_each_bound_is_told_when_it_is_crossed() -> None:
    queue = SendQueue(SMALL, Backlog())
    assert queue.push(said(b"x" * 100), 0.0)
    assert not queue.push(said(b"x"), 0.0)
    queue = SendQueue(SMALL, Backlog())
    assert queue.push(said(b"x", 5), 0.0)
    assert not queue.push(said(b"x"), 0.0)
    queue = SendQueue(SMALL, Backlog())
    assert queue.push(said(b"x"), 0.0)
    assert queue.push(said(b"x"), 15.0)
    assert not queue.push(said(b"x"), 15.1)


def test_age_is_that_of_the_oldest() -> None:
    queue = SendQueue(SMALL, Backlog())
    assert not queue.too_old(1e9)
    queue.push(said(b"a"), 0.0)
    queue.push(said(b"b"), 10.0)
    assert queue.too_old(15.5)
    queue.pop()
    assert not queue.too_old(15.5)
    assert queue.too_old(25.5)


def test_cleared_is_as_new() -> None:
    queue = SendQueue(SMALL, Backlog())
    queue.push(said(b"x" * 500, 9), 0.0)
    queue.clear()
    assert (len(queue), queue.size_bytes, queue.frames, queue.too_old(1e9)) == (0, 0, 0, False)
    assert queue.push(said(b"x"), 0.0)


def test_the_last_word_replaces_those_before() -> None:
    queue = SendQueue(SMALL, Backlog())
    queue.push(Piece(b"3 unread", 1, "user:me", key="read:r"), 0.0)
    queue.push(said(b"reply"), 0.0)
    queue.push(Piece(b"2 unread", 1, "user:me", key="read:r"), 0.0)
    queue.push(Piece(b"7 unread", 1, "user:you", key="read:r"), 0.0)
    assert drain(queue) == [b"reply", b"2 unread", b"7 unread"]


def test_fleeting_events_go_first() -> None:
    queue = SendQueue(SMALL, Backlog())
    queue.push(entries("room:r", 1, size=60), 0.0)
    queue.push(Piece(b"t" * 30, 1, "room:r"), 0.0)
    assert not queue.push(entries("room:r", 2, size=30), 0.0)
    assert queue.shed(0.0) == {}
    assert (len(queue), queue.size_bytes, queue.dropped) == (2, 90, 1)


def test_then_the_largest_channels_are_cut_to_the_last_seq_before_them() -> None:
    queue = SendQueue(SMALL, Backlog())
    queue.push(said(b"r" * 20), 0.0)
    queue.push(entries("room:small", 4, size=30), 0.0)
    queue.push(entries("room:large", 8, frames=2, size=30), 0.0)
    assert not queue.push(entries("room:large", 10, size=30), 0.0)
    assert queue.shed(0.0) == {"room:large": 7}
    assert not queue.holds("room:large")
    assert drain(queue) == [b"r" * 20, b"x" * 30]


def test_what_is_too_old_is_cut_whoever_is_larger() -> None:
    queue = SendQueue(SMALL, Backlog())
    queue.push(entries("room:old", 1, size=10), 0.0)
    queue.push(entries("room:new", 1, size=50), 14.0)
    assert queue.shed(15.5) == {"room:old": 0}
    assert queue.holds("room:new")


def test_what_concerns_the_connection_is_never_shed() -> None:
    queue = SendQueue(SMALL, Backlog())
    queue.push(entries("room:r", 1), 0.0)
    queue.push(said(b"r" * 101), 0.0)
    assert queue.shed(0.0) is None


def test_recovered_frames_do_not_count() -> None:
    queue = SendQueue(SMALL, Backlog())
    queue.push_recovered(b"x" * 10_000, 0.0)
    assert (len(queue), queue.size_bytes, queue.frames) == (1, 0, 0)
    assert queue.push(said(b"x"), 0.0)
    assert len(queue.pop()) == 10_000
    assert queue.size_bytes == 1


PIECES = st.builds(
    Piece,
    st.binary(min_size=1, max_size=40),
    st.just(1),
    st.sampled_from(["", "room:a", "room:b"]),
    st.integers(0, 3),
    st.sampled_from(["", "k"]),
)


@given(st.lists(st.one_of(st.none(), PIECES), max_size=60))
def test_it_counts_what_it_holds_and_sheds_back_into_its_bounds(acts: list[Piece | None]) -> None:
    backlog = Backlog()
    queue = SendQueue(SMALL, backlog)
    for act in acts:
        if act is None:
            if queue:
                queue.pop()
        elif not queue.push(act, 0.0):
            cut = queue.shed(0.0)
            if cut is None:
                queue.clear()
            else:
                assert not queue.over(0.0)
                assert not any(queue.holds(name) and name in cut for name in cut)
        held = [waiting.piece for waiting in queue._pieces]
        assert queue.size_bytes == sum(len(piece.data) for piece in held)
        assert queue.frames == sum(piece.frames for piece in held)
        assert backlog.size_bytes == queue.size_bytes


@given(st.lists(st.one_of(st.none(), st.binary(max_size=30)), max_size=60))
def test_what_is_within_the_bounds_leaves_as_it_came(acts: list[bytes | None]) -> None:
    queue = SendQueue(Limits(), Backlog())
    held: list[bytes] = []
    for act in acts:
        if act is not None:
            held.append(act)
            assert queue.push(said(act), 0.0)
        elif held:
            assert queue.pop() == held.pop(0)
        assert len(queue) == len(held)
