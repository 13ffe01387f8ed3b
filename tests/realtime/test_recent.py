"""What a node remembers: bounded, contiguous, and never more than one may read now."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.events import encode
from realtime.parcels import Audience, Parcel
from realtime.recent import Recent, folded


def entry(channel: str, seq: int, gone: int = 0) -> Parcel:
    """An entry; with `gone`, one that deletes the line at that seq."""
    kind = "message.deleted" if gone else "message.created"
    payload = {"message": "m", "message_seq": gone} if gone else {}
    frame = encode({"ch": channel, "seq": seq, "ev": kind, "d": payload})
    return Parcel(channel, seq, kind, Audience.ALL, "author", "", 0, "n", frame)


def seqs(parcels: list[Parcel] | None) -> list[int] | None:
    return None if parcels is None else [parcel.seq for parcel in parcels]


def test_it_knows_a_channel_in_order_whatever_came_first() -> None:
    recent = Recent()
    for seq in (3, 1, 2, 3, 5):
        recent.add(entry("room:r", seq))
    assert len(recent) == recent.offered == 4
    assert seqs(recent.after("room:r", 1)) == [2, 3, 5]
    assert seqs(recent.between("room:r", 0, 3)) == [1, 2, 3]
    assert seqs(recent.between("room:r", 3, 3)) == []
    assert recent.between("room:r", 3, 5) is None
    assert recent.between("room:r", 0, 10**9) is None
    assert recent.between("room:other", 0, 1) is None
    assert (recent.top("room:r"), recent.top("room:other")) == (5, 0)


def test_notes_count_and_leave_like_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.recent.ENTRIES_MAX", 4)
    recent = Recent()
    mark = recent.offered
    recent.note("room:r", 9)
    recent.note("room:r", 7)
    assert recent.top("room:r") == 9
    recent.add(entry("room:r", 2))
    assert recent.whole_since(mark)
    assert len(recent) == 3
    recent.add(entry("room:s", 1))
    assert not recent.whole_since(mark), "the generation of the notes is gone"
    assert (recent.top("room:r"), recent.top("room:s")) == (2, 1)
    assert recent.whole_since(mark + 2)


def test_bytes_are_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    one = entry("room:r", 1)
    monkeypatch.setattr("realtime.recent.BYTES_MAX", len(one.frame) * 4)
    recent = Recent()
    for seq in range(1, 8):
        recent.add(entry("room:r", seq))
        assert len(recent) <= 4
    assert seqs(recent.after("room:r", 0)) == [5, 6, 7]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 9)), max_size=60))
def test_what_is_whole_since_a_mark_is_all_there(said: list[tuple[str, int]]) -> None:
    recent = Recent()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("realtime.recent.ENTRIES_MAX", 10)
        marks = []
        for number, (channel, seq) in enumerate(said):
            marks.append((recent.offered, number))
            recent.add(entry(channel, seq))
        for mark, number in marks:
            if recent.whole_since(mark):
                for channel, seq in said[number:]:
                    assert seq in [parcel.seq for parcel in recent.after(channel, 0)]


def test_a_replay_folds_deletions_over_the_lines_before() -> None:
    recent = Recent()
    for one in (
        entry("room:r", 1),
        entry("room:r", 2),
        entry("room:r", 3, gone=1),
        entry("room:r", 4, gone=9),
    ):
        recent.add(one)
    found = recent.replay("room:r", 0, 4)
    assert found is not None
    assert [one.audience for one in found] == [Audience.NOBODY, Audience.ALL, Audience.ALL, Audience.ALL]
    assert found[0].frame == b""
    # The line itself lies before: nothing to fold, and the deletion is told.
    assert folded(found[2:]) == found[2:]


def test_inboxes_are_not_judged_from_memory() -> None:
    recent = Recent()
    recent.add(entry("user:a", 1))
    assert recent.replay("user:a", 0, 1) is None
    assert seqs(recent.between("user:a", 0, 1)) == [1]
