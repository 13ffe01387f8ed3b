"""The life of a connection: the whole table, pair by pair, and what follows from it."""

from __future__ import annotations

import itertools

import pytest

from realtime.connection import TRANSITIONS, Action, Signal, State, step

PAIRS = list(itertools.product(State, Signal))
EXPECTED = """
OPENING ACCEPTED  GREETED GREET
OPENING DEADLINE  CLOSED  FORGET
OPENING LOST      CLOSED  FORGET
GREETED CONNECT   JOINING AUTHENTICATE
GREETED OPERATION GREETED REFUSE_ORDER
GREETED DEADLINE  GREETED TIME_OUT
GREETED END       CLOSING CLOSE
GREETED LOST      CLOSED  FORGET
JOINING CONNECT   JOINING REFUSE_TWICE
JOINING OPERATION JOINING REFUSE_EARLY
JOINING JOINED    LIVE    GO_LIVE
JOINING DEADLINE  JOINING TIME_OUT
JOINING END       CLOSING CLOSE
JOINING LOST      CLOSED  FORGET
LIVE    CONNECT   LIVE    REFUSE_TWICE
LIVE    OPERATION LIVE    RUN
LIVE    END       CLOSING CLOSE
LIVE    LOST      CLOSED  FORGET
CLOSING LOST      CLOSED  FORGET
"""
TABLE = {
    (State[state], Signal[signal]): (State[after], Action[action])
    for state, signal, after, action in (line.split() for line in EXPECTED.strip().splitlines())
}


@pytest.mark.parametrize(("state", "signal"), PAIRS, ids=lambda each: each.name)
def test_every_pair_does_what_is_written(state: State, signal: Signal) -> None:
    assert step(state, signal) == TABLE.get((state, signal), (state, Action.NOTHING))


def test_the_table_says_nothing_twice_and_nothing_idle() -> None:
    assert TRANSITIONS == TABLE
    assert all(pair != (after, Action.NOTHING) for pair, (after, _) in TRANSITIONS.items())


def reachable(start: State) -> set[State]:
    """All states that signals can lead to."""
    found = {start}
    for _ in State:
        found |= {step(state, signal)[0] for state in found for signal in Signal}
    return found


def test_every_state_can_be_reached() -> None:
    assert reachable(State.OPENING) == set(State)


def test_closed_is_the_end_and_can_be_reached_from_everywhere() -> None:
    assert reachable(State.CLOSED) == {State.CLOSED}
    for state in set(State) - {State.CLOSED}:
        assert step(state, Signal.LOST) == (State.CLOSED, Action.FORGET)


def test_nobody_comes_back() -> None:
    order = list(State)
    for (state, _), (after, _) in TRANSITIONS.items():
        assert order.index(after) >= order.index(state)


def test_each_way_to_the_end_forgets_once() -> None:
    for state, signal in PAIRS:
        after, action = step(state, signal)
        assert (action is Action.FORGET) is (after is State.CLOSED and state is not State.CLOSED)


def test_operations_run_only_on_a_live_connection() -> None:
    assert {state for state in State if step(state, Signal.OPERATION)[1] is Action.RUN} == {State.LIVE}
    assert {
        pair for pair, (after, _) in TRANSITIONS.items() if after is State.LIVE and pair[0] is not State.LIVE
    } == {(State.JOINING, Signal.JOINED)}


def test_every_action_is_asked_for_somewhere() -> None:
    assert {step(*pair)[1] for pair in PAIRS} == set(Action)
