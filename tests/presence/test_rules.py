"""Who sees whose presence: the verdict about a pair, by tables and as a whole (FEATURES §7)."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence.rules import NOTHING, Pair, Sight, as_if, sight, stranger
from realtime.presence import Seen, seen_within

BASE = Pair(
    viewer="v",
    target="t",
    state="active",
    audience="mutuals",
    shown_to="mutuals",
    seen_at=500,
    mutual=True,
    apart=False,
    shown=None,
    shown_at=None,
    viewer_state="active",
    viewer_audience="mutuals",
    viewer_shown=None,
)
SEES = Sight(True, True, 500)
KNOWS = Sight(False, True, 500)


@dataclass(frozen=True)
class Case:
    """Fields that differ from a pair of mutuals, and what comes of them."""

    name: str
    sight: Sight
    fields: dict[str, object] = field(default_factory=dict)


CASES = (
    Case("mutuals", SEES),
    Case("a stranger of somebody for mutuals", NOTHING, {"mutual": False}),
    Case("a stranger of somebody for everyone", SEES, {"mutual": False, "audience": "everyone"}),
    Case("nobody: looks offline, and as known as before", KNOWS, {"audience": "nobody"}),
    Case("nobody, once for everyone", KNOWS, {"audience": "nobody", "shown_to": "everyone", "mutual": False}),
    Case("nobody, to a stranger", NOTHING, {"audience": "nobody", "mutual": False}),
    Case("shown to this one though nobody", SEES, {"audience": "nobody", "shown": 1, "shown_at": 9}),
    Case("shown to a stranger", SEES, {"mutual": False, "shown": 1, "shown_at": 9}),
    Case(
        "hidden from this one, whose knowledge stops there",
        Sight(False, True, 400),
        {"shown": 0, "shown_at": 400},
    ),
    Case("hidden from this one, gone before", KNOWS, {"shown": 0, "shown_at": 900}),
    Case("hidden from a stranger", NOTHING, {"shown": 0, "shown_at": 400, "mutual": False}),
    Case("who hides sees nobody", NOTHING, {"viewer_audience": "nobody"}),
    Case("but whom they show themselves to", SEES, {"viewer_audience": "nobody", "viewer_shown": 1}),
    Case("who hides from this one", NOTHING, {"viewer_shown": 0}),
    Case("blocked, either way", NOTHING, {"apart": True, "audience": "everyone", "shown": 1, "shown_at": 1}),
    Case("a hidden account", NOTHING, {"state": "hidden"}),
    Case("a deleted one", NOTHING, {"state": "deleted", "audience": "everyone"}),
    Case("a viewer who is hidden", NOTHING, {"viewer_state": "hidden"}),
    Case("restricted people are here", SEES, {"state": "restricted", "viewer_state": "restricted"}),
    Case("oneself", SEES, {"viewer": "t"}),
    Case("oneself as others see one", KNOWS, {"viewer": "t", "audience": "nobody"}),
    Case("never here", Sight(True, True, None), {"seen_at": None}),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_verdict(case: Case) -> None:
    assert sight(BASE._replace(**case.fields)) == case.sight


AUDIENCES = st.sampled_from(["everyone", "mutuals", "nobody"])
STATES = st.sampled_from(["active", "restricted", "hidden", "suspended", "deleted", "erased"])
PAIRS = st.builds(
    Pair,
    viewer=st.just("v"),
    target=st.just("t"),
    state=STATES,
    audience=AUDIENCES,
    shown_to=st.sampled_from(["everyone", "mutuals"]),
    seen_at=st.none() | st.integers(0, 1_000),
    mutual=st.booleans(),
    apart=st.booleans(),
    shown=st.sampled_from([None, 0, 1]),
    shown_at=st.integers(0, 1_000),
    viewer_state=STATES,
    viewer_audience=AUDIENCES,
    viewer_shown=st.sampled_from([None, 0, 1]),
)


@given(PAIRS)
def test_what_holds_of_every_pair(pair: Pair) -> None:
    found = sight(pair)
    if pair.apart or pair.state not in ("active", "restricted") or pair.viewer_shown == 0 or pair.shown == 0:
        assert not found.live
    if found.seen_at is not None:
        assert found.knows
        assert pair.seen_at is not None
        assert found.seen_at <= pair.seen_at, (
            "nobody looks as if they had been here later than they were seen"
        )
    # Who hides from everybody cannot be told from who is merely offline: all but `live` is as it was before.
    if pair.audience == "nobody" and pair.shown is None:
        before = sight(pair._replace(audience=pair.shown_to))
        assert (found.knows, found.seen_at) == (before.knows, before.seen_at)


@given(PAIRS, AUDIENCES)
def test_a_preview_is_what_would_be(pair: Pair, audience: str) -> None:
    then = as_if(pair, audience)
    assert then.audience == audience
    assert sight(stranger(then, mutual=True)).live == (
        audience != "nobody" and pair.state in ("active", "restricted")
    )
    assert sight(stranger(then, mutual=False)).live == (
        audience == "everyone" and pair.state in ("active", "restricted")
    )


@pytest.mark.parametrize(
    ("minutes", "seen"),
    [
        (-5, Seen.MINUTES_5),
        (5, Seen.MINUTES_5),
        (5.1, Seen.MINUTES_15),
        (15, Seen.MINUTES_15),
        (30, Seen.MINUTES_30),
        (60, Seen.HOURS_1),
        (61, Seen.HOURS_3),
        (360, Seen.HOURS_6),
        (700, Seen.HOURS_12),
        (1_440, Seen.HOURS_24),
        (2_880, Seen.DAYS_2),
        (4_320, Seen.DAYS_3),
        (4_321, Seen.LONGER),
    ],
)
def test_the_buckets(minutes: float, seen: Seen) -> None:
    assert seen_within(round(minutes * 60_000)) is seen
