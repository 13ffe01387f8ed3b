"""When a place is too busy, and when it has calmed (FEATURES §3)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from realtime.liveliness import CALM_MS, MINUTE_MS, Liveliness

PLACE = "community:x"


def became_busy(liveliness: Liveliness, times: list[int]) -> list[int]:
    """The moments at which posts at these times made the place busy."""
    return [at for at in times if liveliness.note(PLACE, at)]


def test_more_than_thirty_a_minute_is_busy_and_thirty_is_not() -> None:
    assert became_busy(Liveliness(30), [1_000 * i for i in range(30)]) == []
    assert became_busy(Liveliness(30), [1_000 * i for i in range(31)]) == [30_000]
    # Thirty-one, but the first is a minute ago.
    assert became_busy(Liveliness(30), [2_000 * i for i in range(31)]) == []


def test_it_is_told_once_until_it_has_calmed() -> None:
    liveliness = Liveliness(30)
    assert len(became_busy(liveliness, [500 * i for i in range(500)])) == 1
    last = 500 * 499
    # The fifteenth newest is a minute old.
    calm_from = last - 14 * 500 + MINUTE_MS
    assert liveliness.calmed(calm_from + CALM_MS - 1) == []
    assert liveliness.calmed(calm_from + CALM_MS) == [PLACE]
    assert liveliness.calmed(calm_from + CALM_MS) == []
    assert liveliness.forgotten([PLACE]) == [PLACE]
    assert len(became_busy(liveliness, [10**9 + 500 * i for i in range(100)])) == 1


def test_half_as_many_keep_it_busy_and_fewer_do_not() -> None:
    for a_minute, calms in ((15, False), (13, True)):
        liveliness = Liveliness(30)
        became_busy(liveliness, [1_000 * i for i in range(60)])
        gap = MINUTE_MS // a_minute
        at, calmed = 60_000, False
        while at < 60_000 + 3 * CALM_MS and not calmed:
            at += gap
            liveliness.note(PLACE, at)
            calmed = bool(liveliness.calmed(at))
        assert calmed is calms


def test_none_is_ever_busy_where_that_is_set() -> None:
    assert became_busy(Liveliness(0), list(range(1_000))) == []


@given(
    st.lists(st.integers(0, 40_000), min_size=1, max_size=300),
    st.integers(1, 40),
)
def test_it_is_busy_when_the_last_minute_says_so(gaps: list[int], most: int) -> None:
    liveliness, at, times, busy = Liveliness(most), 0, [], False
    for gap in gaps:
        at += gap
        busy = busy and not liveliness.calmed(at)
        times.append(at)
        crowded = len([each for each in times if each > at - MINUTE_MS]) > most
        assert liveliness.note(PLACE, at) == (crowded and not busy)
        busy = busy or crowded
