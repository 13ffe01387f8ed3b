"""The silent core of the Python client: golden transcripts, and random schedules of a bad link (docs/clients.md)."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.protocol import Protocol
from loadtest.rules import POSITIONS_MAX, verdict
from realtime.closes import Close, may_retry
from tests.support.badlink import bad_day, hello
from tests.support.transcripts import GOLDEN, play, text_of, transcripts

TRANSCRIPTS = transcripts()


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda each: each["name"])
def test_the_core_keeps_to_the_transcript(transcript: dict[str, Any]) -> None:
    assert play(transcript) == transcript["steps"]


def test_transcripts_stand_as_they_are_written() -> None:
    assert len(TRANSCRIPTS) >= 25
    for path, transcript in zip(sorted(GOLDEN.glob("*.json")), TRANSCRIPTS, strict=True):
        assert path.read_text(encoding="utf-8") == text_of(transcript)


def test_the_verdict_is_the_table_of_closes() -> None:
    for code in Close:
        assert (verdict(code) == "again") is may_retry(code), code


def test_no_more_positions_are_shown_than_the_server_takes() -> None:
    core = Protocol({"name": "t"}, random.random)
    core.streams.epoch = "e"
    core.streams.positions.update({f"room:{n:04}": n for n in range(POSITIONS_MAX + 3)})
    core.start(0)
    core.opened({"token": "t"}, 1)
    core.frame(hello("e"), 2)
    shown = core.out[-1][1]["d"]["positions"]
    assert shown == {f"room:{n:04}": n for n in range(POSITIONS_MAX)}


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32), st.floats(0, 0.3), st.integers(20, 300))
def test_whatever_the_link_does_nothing_is_missed_or_doubled_silently(
    seed: int, harm: float, steps: int
) -> None:
    world = bad_day(seed, harm, steps)
    assert world.core.streams.positions == world.tops
    assert world.handed == world.tops


def test_the_bad_link_is_bad_enough_to_try_everything() -> None:
    worlds = [bad_day(seed, 0.2, 300) for seed in range(40)]
    assert sum(world.core.streams.holes for world in worlds) > 100
    assert sum(world.core.streams.doubles for world in worlds) > 100
    assert sum(world.told_to_reload for world in worlds) > 100
    assert sum(world.events for world in worlds) > 1_000
