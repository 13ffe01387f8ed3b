"""Mutants of presence, as in `tests.simulation.mutants`."""

from __future__ import annotations

from contextlib import ExitStack
from unittest.mock import patch

from presence.devices import Devices
from presence.keeper import Keeper
from presence.pace import Pace
from presence.roster import Changes, Roster
from presence.service import Service


def the_dead_stay(stack: ExitStack) -> None:
    """Nobody is declared dead."""

    def kept(self: Roster, node: str) -> Changes:
        return []

    stack.enter_context(patch.object(Roster, "drop", kept))


def a_lost_link_is_no_end(stack: ExitStack) -> None:
    """Whoever lost their last connection stays for ever."""
    stack.enter_context(patch.object(Devices, "expired", lambda self, now: []))


def a_new_generation_says_nothing(stack: ExitStack) -> None:
    """A node that registers again does not say again who is there."""
    register = Keeper._register

    async def silent(self: Keeper) -> None:
        again = self.generation != 0
        await register(self)
        if again:
            self._unsaid = {}

    stack.enter_context(patch.object(Keeper, "_register", silent))


def hiding_not_obeyed(stack: ExitStack) -> None:
    """Nodes do not listen to whom somebody shows themselves."""
    stack.enter_context(patch.object(Service, "ruled", lambda self, account: None))


def ends_of_follows_not_obeyed(stack: ExitStack) -> None:
    """Whoever was a mutual once is one for as long as the connection lasts."""
    stack.enter_context(patch.object(Service, "befriended", lambda self, account: None))


def held_changes_forgotten(stack: ExitStack) -> None:
    """What came too soon after another change is never told."""
    stack.enter_context(patch.object(Pace, "due", lambda self, now: []))


PRESENCE = (
    the_dead_stay,
    a_lost_link_is_no_end,
    a_new_generation_says_nothing,
    hiding_not_obeyed,
    ends_of_follows_not_obeyed,
    held_changes_forgotten,
)
