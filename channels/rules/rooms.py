"""Who may do what in a room: facts in, an error code or None out (FEATURES §6).

Pure arithmetic, judged inside the transaction after the room's channel is locked. A stranger is told `not_found`
for everything, so that nobody learns which rooms exist.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from realtime.models import MemberState, RoomKind, RoomState


class Act(StrEnum):
    """What someone wants to do."""

    KNOW = "know"
    READ = "read"
    SEND = "send"
    SIGNAL = "signal"
    REACT = "react"
    RENAME = "rename"
    SET_READING = "set_reading"
    ADD = "add"
    LEAVE = "leave"
    JOIN = "join"
    ACCEPT = "accept"
    DECLINE = "decline"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Facts:
    """How someone stands to a room. `standing` None: never had to do with it. `own`: the message is theirs.
    `followed_back`: the other one of the DM follows them."""

    kind: RoomKind
    state: RoomState
    standing: MemberState | None
    creator: bool = False
    own: bool = False
    followed_back: bool = False


_WAITING = (MemberState.REQUESTED, MemberState.DECLINED)


def verdict(act: Act, facts: Facts) -> str | None:
    """None if it is allowed, else the code of WIRE §7 to refuse with."""
    if facts.standing is None:
        return "not_found"
    if facts.kind is RoomKind.GROUP:
        return _group(act, facts, facts.standing)
    return _dm(act, facts, facts.standing)


def _group(act: Act, facts: Facts, standing: MemberState) -> str | None:
    match act:
        case Act.KNOW:
            return None if standing in (MemberState.INSIDE, MemberState.INVITED) else "not_member"
        case Act.JOIN:
            return None if standing in (MemberState.INSIDE, MemberState.INVITED) else "forbidden"
        case Act.DECLINE:
            return None if standing in (MemberState.INVITED, MemberState.DECLINED) else "forbidden"
        case Act.ACCEPT:
            return "forbidden"
        case _ if standing is not MemberState.INSIDE:
            return "not_member"
        case Act.SET_READING:
            return None if facts.creator else "forbidden"
        case Act.DELETE:
            return None if facts.own else "forbidden"
        case _:
            return None


def _dm(act: Act, facts: Facts, standing: MemberState) -> str | None:
    inside = standing is MemberState.INSIDE
    asked = standing in _WAITING
    match act:
        case Act.KNOW:
            return None if inside or asked else "not_member"
        case Act.READ:
            return None if inside or standing is MemberState.REQUESTED else "not_member"
        case Act.SEND:
            return _dm_send(facts, inside=inside, asked=asked)
        case Act.SIGNAL | Act.REACT if inside and facts.state is RoomState.OPEN:
            return None
        case Act.ACCEPT:
            return None if asked or (inside and facts.state is RoomState.OPEN) else "forbidden"
        case Act.DECLINE:
            return None if asked else "forbidden"
        case Act.DELETE:
            if not inside:
                return "not_member"
            return None if facts.own else "forbidden"
        case _:
            return "forbidden" if inside or asked else "not_member"


def _dm_send(facts: Facts, *, inside: bool, asked: bool) -> str | None:
    """Answering a request accepts it. Whoever asked waits for the answer, or for being followed."""
    if asked:
        return None
    if not inside:
        return "not_member"
    if facts.state is RoomState.REQUEST and not facts.followed_back:
        return "forbidden"
    return None
