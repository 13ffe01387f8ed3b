"""The life of a connection as a table (WIRE §3): state × signal → next state and what to do.

Silent: no socket, no clock. The gateway's socket class feeds it signals and carries out the actions; any pair
not in the table changes nothing, so a late timer or a second close is harmless.

    OPENING ──accepted──▶ GREETED ──connect──▶ JOINING ──joined──▶ LIVE
                             │ 4001, 4504         │ 4401, 4403, 4504  │ 4503, 4501, 4508 …
                             ▼ end                ▼ end               ▼ end
                          CLOSING ◀───────────────┴───────────────────┘ ──lost──▶ CLOSED

Nothing but the loss of its socket ends a connection that was greeted: until then the close that was begun is still to be carried out.
"""

from __future__ import annotations

from enum import IntEnum, auto


class State(IntEnum):
    """Where a connection stands."""

    OPENING = auto()
    GREETED = auto()
    JOINING = auto()
    LIVE = auto()
    CLOSING = auto()
    CLOSED = auto()


class Signal(IntEnum):
    """What can happen to it."""

    ACCEPTED = auto()
    CONNECT = auto()
    OPERATION = auto()
    JOINED = auto()
    DEADLINE = auto()
    END = auto()
    LOST = auto()


class Action(IntEnum):
    """What the socket class does about it."""

    NOTHING = auto()
    GREET = auto()
    AUTHENTICATE = auto()
    RUN = auto()
    GO_LIVE = auto()
    REFUSE_ORDER = auto()
    REFUSE_EARLY = auto()
    REFUSE_TWICE = auto()
    TIME_OUT = auto()
    CLOSE = auto()
    FORGET = auto()


TRANSITIONS: dict[tuple[State, Signal], tuple[State, Action]] = {
    (State.OPENING, Signal.ACCEPTED): (State.GREETED, Action.GREET),
    (State.OPENING, Signal.DEADLINE): (State.CLOSED, Action.FORGET),
    (State.OPENING, Signal.LOST): (State.CLOSED, Action.FORGET),
    (State.GREETED, Signal.CONNECT): (State.JOINING, Action.AUTHENTICATE),
    (State.GREETED, Signal.OPERATION): (State.GREETED, Action.REFUSE_ORDER),
    (State.GREETED, Signal.DEADLINE): (State.GREETED, Action.TIME_OUT),
    (State.GREETED, Signal.END): (State.CLOSING, Action.CLOSE),
    (State.GREETED, Signal.LOST): (State.CLOSED, Action.FORGET),
    (State.JOINING, Signal.CONNECT): (State.JOINING, Action.REFUSE_TWICE),
    (State.JOINING, Signal.OPERATION): (State.JOINING, Action.REFUSE_EARLY),
    (State.JOINING, Signal.JOINED): (State.LIVE, Action.GO_LIVE),
    (State.JOINING, Signal.DEADLINE): (State.JOINING, Action.TIME_OUT),
    (State.JOINING, Signal.END): (State.CLOSING, Action.CLOSE),
    (State.JOINING, Signal.LOST): (State.CLOSED, Action.FORGET),
    (State.LIVE, Signal.CONNECT): (State.LIVE, Action.REFUSE_TWICE),
    (State.LIVE, Signal.OPERATION): (State.LIVE, Action.RUN),
    (State.LIVE, Signal.END): (State.CLOSING, Action.CLOSE),
    (State.LIVE, Signal.LOST): (State.CLOSED, Action.FORGET),
    (State.CLOSING, Signal.LOST): (State.CLOSED, Action.FORGET),
}


def step(state: State, signal: Signal) -> tuple[State, Action]:
    """One transition; a pair the table does not know leaves the state as it is and asks for nothing."""
    return TRANSITIONS.get((state, signal), (state, Action.NOTHING))
