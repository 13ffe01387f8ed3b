"""The token bucket: never more than it should give, never less than it promised."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.bucket import TokenBucket
from realtime.settings import Limits
from realtime.table import OPERATIONS

RATES = st.floats(min_value=0.1, max_value=1_000)
ACTS = st.lists(st.tuples(st.floats(0, 5), st.floats(0, 10)), max_size=60)


def test_a_burst_then_the_rate() -> None:
    bucket = TokenBucket(rate=20, burst=60, now=100.0)
    assert [bucket.take(1, 100.0) for _ in range(61)] == [0] * 60 + [51]
    assert bucket.take(1, 100.051) == 0
    assert bucket.take(1, 100.051) > 0
    assert bucket.take(60, 200.0) == 0
    assert bucket.take(0, 200.0) == 0


@given(RATES, st.floats(min_value=10, max_value=100), ACTS)
def test_over_any_time_it_gives_burst_plus_rate_at_most(
    rate: float, burst: float, acts: list[tuple[float, float]]
) -> None:
    bucket = TokenBucket(rate, burst, 0.0)
    now = given = 0.0
    for wait, cost in acts:
        now += wait
        if bucket.take(cost, now) == 0:
            given += cost
        assert given <= burst + rate * now + 1e-6


@given(RATES, st.floats(min_value=10, max_value=100), ACTS)
def test_whoever_waits_as_told_is_served(rate: float, burst: float, acts: list[tuple[float, float]]) -> None:
    bucket = TokenBucket(rate, burst, 0.0)
    now = 0.0
    for wait, cost in acts:
        now += wait
        retry_ms = bucket.take(cost, now)
        if retry_ms:
            now += retry_ms / 1000
            assert bucket.take(cost, now) == 0


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_fits_into_a_burst(name: str) -> None:
    assert OPERATIONS[name].cost <= Limits().operations_burst
