"""Who may do what in a community: facts in, an error code or None out (FEATURES §5). Pure, judged inside the transaction
after the community's channel is locked."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Act(StrEnum):
    """What someone wants to do."""

    READ = "read"
    JOIN = "join"
    LEAVE = "leave"
    POST = "post"


@dataclass(frozen=True, slots=True)
class Facts:
    """How someone stands to a community that exists."""

    inside: bool


def verdict(act: Act, facts: Facts) -> str | None:
    """None if it is allowed, else the code of WIRE §7 to refuse with. A public community is read and joined by everybody;
    to be heard in it one is inside."""
    match act:
        case Act.READ | Act.JOIN:
            return None
        case Act.LEAVE | Act.POST:
            return None if facts.inside else "not_member"
