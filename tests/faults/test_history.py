"""Each checker finds its own fault, and a good history has none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.history import CHECKERS, Event, History, events_of, faults_of


def good() -> list[Event]:
    """Three lines of two people, heard by both, read at the end."""
    said = [("aki", "a1", 5), ("haru", "h1", 6), ("aki", "a2", 7)]
    events: list[Event] = [{"what": "listens", "who": who} for who in ("aki", "haru")]
    for who, text, seq in said:
        events.append({"what": "say", "who": who, "text": text})
        events.append({"what": "ack", "who": who, "text": text, "seq": seq, "message": f"m{seq}"})
        events += [{"what": "heard", "who": each, "seq": seq, "text": text} for each in ("aki", "haru")]
    lines = [[seq, text, f"m{seq}"] for _, text, seq in said]
    return [
        *events,
        {"what": "heard", "who": "aki", "seq": 8, "text": None},
        {"what": "read", "lines": lines},
    ]


def drop(events: list[Event], **fields: object) -> None:
    """Take out what has all these fields."""
    events[:] = [event for event in events if not fields.items() <= event.items()]


def test_a_good_history_has_no_fault() -> None:
    assert faults_of(good()) == []


def test_what_was_said_and_never_answered_may_be_there_or_not() -> None:
    for there in (False, True):
        events = good()
        events.insert(0, {"what": "say", "who": "haru", "text": "?"})
        if there:
            events[-1]["lines"].insert(0, [4, "?", "m4"])
            events[3:3] = [{"what": "heard", "who": who, "seq": 4, "text": "?"} for who in ("aki", "haru")]
        assert faults_of(events) == []


def test_who_is_told_to_reload_need_not_hear_what_was_before() -> None:
    events = good()
    drop(events, what="heard", who="haru", seq=5)
    drop(events, what="heard", who="haru", seq=6)
    assert faults_of(events) != []
    events.insert(2, {"what": "reload", "who": "haru", "seq": 6})
    assert faults_of(events) == []


Harm = Callable[[list[Event]], object]
HARMS: dict[str, tuple[str, Harm]] = {
    "an acknowledged line is gone": ("lost", lambda e: e[-1]["lines"].pop(2)),
    "an acknowledged line stands elsewhere": ("lost", lambda e: e[-1]["lines"][2].__setitem__(0, 9)),
    "a line of nobody": ("invented", lambda e: e[-1]["lines"].append([9, "x", "m9"])),
    "a line of nobody was heard": (
        "invented",
        lambda e: e.insert(-1, {"what": "heard", "who": "aki", "seq": 9, "text": "x"}),
    ),
    "a line is there twice": ("duplicated", lambda e: e[-1]["lines"].append([9, "a1", "m9"])),
    "two lines have one seq": ("duplicated", lambda e: e[-1]["lines"].append([7, "x", "m9"])),
    "two lines have one id": ("duplicated", lambda e: e[-1]["lines"].append([9, "x", "m7"])),
    "a line was heard twice": (
        "duplicated",
        lambda e: e.insert(-1, {"what": "heard", "who": "aki", "seq": 9, "text": "a1"}),
    ),
    "two answers to one line": (
        "duplicated",
        lambda e: e.insert(-1, {"what": "ack", "who": "aki", "text": "a1", "seq": 9, "message": "m9"}),
    ),
    "one answer to two lines": (
        "duplicated",
        lambda e: e.insert(-1, {"what": "ack", "who": "aki", "text": "x", "seq": 5, "message": "m5"}),
    ),
    "a listener goes back": (
        "reordered",
        lambda e: e.insert(-1, {"what": "heard", "who": "aki", "seq": 6, "text": None}),
    ),
    "a seq is two lines": (
        "reordered",
        lambda e: e.insert(-1, {"what": "heard", "who": "ken", "seq": 6, "text": "a2"}),
    ),
    "an author's lines changed places": (
        "reordered",
        lambda e: e.insert(0, {"what": "say", "who": "aki", "text": "a2"}),
    ),
    "a line was never heard": ("never_read", lambda e: drop(e, what="heard", who="haru", seq=6)),
    "a listener heard nothing at all": ("never_read", lambda e: drop(e, what="heard", who="haru")),
}


@pytest.mark.parametrize(("checker", "harm"), HARMS.values(), ids=HARMS)
def test_each_fault_is_found_by_its_checker(checker: str, harm: Harm) -> None:
    events = good()
    harm(events)
    assert checker in {fault.partition(":")[0] for fault in faults_of(events)}


def test_every_checker_is_tried() -> None:
    assert {checker for checker, _ in HARMS.values()} == {checker.__name__ for checker in CHECKERS}


def test_a_history_without_a_read_proves_nothing() -> None:
    with pytest.raises(AssertionError, match="without a read"):
        faults_of(good()[:-1])


def test_a_history_is_kept_line_by_line(tmp_path: Path) -> None:
    history = History(tmp_path / "h.jsonl")
    history.note("say", who="aki", text="集い")
    history.note("ack", who="aki", text="集い", seq=1, message="m")
    assert (history.said, history.acked) == (1, 1)
    assert [event["what"] for event in events_of(tmp_path / "h.jsonl")] == ["say", "ack"]
    assert history.events()[0]["text"] == "集い"
