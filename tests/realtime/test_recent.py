"""What a node remembers: bounded, contiguous, and never more than one may read now."""

from __future__ import annotations

import pytest

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
    monkeypatch.setattr("realtime.recent.ENTRIES_MAX", 3)
    recent = Recent()
    mark = recent.offered
    recent.note("room:r", 9)
    recent.note("room:r", 7)
    recent.add(entry("room:r", 2))
    assert recent.top("room:r") == 9
    assert recent.whole_since(mark)
    recent.add(entry("room:s", 1))
    assert not recent.whole_since(mark)
    assert recent.top("room:r") == 7
    recent.add(entry("room:s", 2))
    recent.add(entry("room:s", 3))
    assert (recent.top("room:r"), recent.after("room:r", 0)) == (0, [])
    assert not recent._parcels.get("room:r")
    assert not recent._tops


def test_bytes_are_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    one = entry("room:r", 1)
    monkeypatch.setattr("realtime.recent.BYTES_MAX", len(one.frame) * 2)
    recent = Recent()
    for seq in range(1, 6):
        recent.add(entry("room:r", seq))
    assert seqs(recent.after("room:r", 0)) == [4, 5]


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
