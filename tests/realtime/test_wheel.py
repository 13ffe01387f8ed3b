"""The timer wheel: everything fires once, not early, soon after, and after a stall all that is due."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.wheel import Wheel

TICK = 0.25


class Sleeper:
    """Notes when it was woken, and why."""

    def __init__(self, clock: list[float]) -> None:
        self.clock = clock
        self.woken: list[tuple[int, float]] = []

    def on_timer(self, why: int) -> None:
        """Woken."""
        self.woken.append((why, self.clock[0]))


@given(
    st.lists(st.tuples(st.floats(0, 40), st.floats(0, 3)), min_size=1, max_size=40),
    st.integers(min_value=2, max_value=64),
)
def test_each_fires_once_neither_early_nor_much_later(timers: list[tuple[float, float]], slots: int) -> None:
    clock = [0.0]
    wheel = Wheel(0.0, TICK, slots)
    sleeper = Sleeper(clock)
    due: list[float] = []
    at = 0.0
    fired = 0
    for delay, pause in timers:
        at += pause
        while clock[0] + TICK <= at:
            clock[0] += TICK
            fired += wheel.advance(clock[0])
        wheel.add(delay, sleeper, len(due))
        due.append(at + delay)
    while clock[0] < max(due) + 3 * TICK:
        clock[0] += TICK
        fired += wheel.advance(clock[0])
    assert fired == len(due)
    assert sorted(why for why, _ in sleeper.woken) == list(range(len(due)))
    for why, when in sleeper.woken:
        assert due[why] - 1e-5 <= when < due[why] + 2 * TICK + 1e-5


@given(st.lists(st.floats(0, 300), min_size=1, max_size=30), st.floats(0, 600))
def test_a_stall_is_caught_up_at_once(delays: list[float], stall: float) -> None:
    clock = [stall]
    wheel = Wheel(0.0, TICK, 16)
    sleeper = Sleeper(clock)
    for why, delay in enumerate(delays):
        wheel.add(delay, sleeper, why)
    wheel.advance(stall)
    woken = {why for why, _ in sleeper.woken}
    assert {why for why, delay in enumerate(delays) if delay + 2 * TICK <= stall} <= woken
    assert woken <= {why for why, delay in enumerate(delays) if delay <= stall + 1e-5}
    clock[0] = 1_000.0
    wheel.advance(1_000.0)
    assert sorted(why for why, _ in sleeper.woken) == list(range(len(delays)))
    assert wheel.advance(2_000.0) == 0


def test_whoever_is_woken_may_sleep_again() -> None:
    clock = [0.0]
    wheel = Wheel(0.0, TICK, 4)

    class Restless(Sleeper):
        def on_timer(self, why: int) -> None:
            super().on_timer(why)
            wheel.add(4 * TICK, self, why + 1)

    restless = Restless(clock)
    wheel.add(0, restless, 0)
    for _ in range(50):
        clock[0] += TICK
        wheel.advance(clock[0])
    assert [why for why, _ in restless.woken] == list(range(10))


@pytest.mark.parametrize("now", [0.0, 0.1, 0.249])
def test_nothing_fires_within_the_tick_it_was_added_in(now: float) -> None:
    clock = [now]
    wheel = Wheel(0.0, TICK)
    sleeper = Sleeper(clock)
    wheel.add(0, sleeper, 1)
    assert wheel.advance(now) == 0
    assert wheel.advance(TICK) == 1


def test_a_clock_that_stands_or_steps_back_fires_nothing() -> None:
    wheel = Wheel(10.0, TICK)
    sleeper = Sleeper([0.0])
    wheel.add(0, sleeper, 1)
    assert [wheel.advance(now) for now in (10.0, 9.0, 0.0, 10.2)] == [0, 0, 0, 0]
    assert wheel.advance(10.25) == 1
