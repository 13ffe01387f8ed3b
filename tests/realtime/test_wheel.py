"""The timer wheel: everything fires once, not early, soon after; after a stall, a moment later."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.wheel import GRACE_TICKS, STALL_TICKS, Wheel

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


@given(
    st.lists(st.floats(0, 300), min_size=1, max_size=30),
    st.floats((STALL_TICKS + 1) * TICK, 600),
    st.booleans(),
)
def test_what_was_due_in_a_stall_waits_a_moment(
    delays: list[float], stall: float, stalls_again: bool
) -> None:
    """What others did meanwhile is unread: first it is read, then they are judged. But not put off for ever."""
    clock = [stall]
    wheel = Wheel(0.0, TICK, 16)
    sleeper = Sleeper(clock)
    for why, delay in enumerate(delays):
        wheel.add(delay, sleeper, why)
    assert wheel.advance(stall) == 0
    # One that begins now begins now.
    wheel.add(GRACE_TICKS * TICK * 2, sleeper, -1)
    moment = GRACE_TICKS * TICK
    wheel.advance(stall + moment - TICK)
    assert sleeper.woken == []
    clock[0] = stall + (STALL_TICKS + 2) * TICK if stalls_again else stall + moment
    wheel.advance(clock[0])
    assert ((-1, clock[0]) in sleeper.woken) is stalls_again
    sleeper.woken = [each for each in sleeper.woken if each[0] >= 0]
    woken = {why for why, _ in sleeper.woken}
    assert {why for why, delay in enumerate(delays) if delay + 2 * TICK <= stall} <= woken
    assert woken <= {why for why, delay in enumerate(delays) if delay <= clock[0] + 1e-5}
    while clock[0] < stall + 310:
        clock[0] += TICK
        wheel.advance(clock[0])
    assert sorted(why for why, _ in sleeper.woken if why >= 0) == list(range(len(delays)))


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


def test_what_begins_while_it_catches_up_begins_now() -> None:
    wheel = Wheel(0.0, TICK)
    clock = [0.0]

    class Asking(Sleeper):
        def on_timer(self, why: int) -> None:
            super().on_timer(why)
            if why == 0:
                wheel.add(3 * TICK, self, 1)

    asking = Asking(clock)
    wheel.add(0, asking, 0)
    clock[0] = STALL_TICKS * TICK
    assert wheel.advance(clock[0]) == 1, "who is asked late has as long to answer"
    while not asking.woken[1:]:
        clock[0] += TICK
        wheel.advance(clock[0])
    assert asking.woken == [(0, STALL_TICKS * TICK), (1, (STALL_TICKS + 4) * TICK)]


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
