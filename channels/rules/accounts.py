"""What the state of an account means: who is here, who may come in, who reaches whom. Pure."""

from __future__ import annotations

from enum import StrEnum


class AccountState(StrEnum):
    """`hidden` keeps everything and its sessions, but nobody else finds it; `deleted` has days of grace; `erased` is
    an id and nothing more."""

    ACTIVE = "active"
    RESTRICTED = "restricted"
    HIDDEN = "hidden"
    SUSPENDED = "suspended"
    DELETED = "deleted"
    ERASED = "erased"


HERE = frozenset({AccountState.ACTIVE, AccountState.RESTRICTED})
"""Others find these."""
ADMITTED = frozenset({AccountState.ACTIVE, AccountState.RESTRICTED, AccountState.HIDDEN})
"""Their sessions go on."""


class Sight(StrEnum):
    """What a viewer sees of an account: all of it, that somebody is gone, or nothing at all."""

    WHOLE = "whole"
    GONE = "gone"
    NOTHING = "nothing"


def sight(state: str, *, blocked: bool, met: bool) -> Sight:
    """`blocked`: they block the viewer, which looks like an unknown id. `met`: the viewer is in a room with them."""
    if blocked:
        return Sight.NOTHING
    if state in HERE:
        return Sight.WHOLE
    return Sight.GONE if met else Sight.NOTHING


def request_arrives(write_from: str, *, blocked: bool, share_group: bool) -> bool:
    """Whether a message request reaches the one it is for; its sender is told the same either way."""
    return not blocked and (write_from == "everyone" or share_group)
