"""What may be answered, quoted and passed on: facts in, the reason of a refusal or None out (FEATURES §3). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Way(StrEnum):
    """How a post stands to another."""

    REPLY = "reply"
    QUOTE = "quote"
    REPOST = "repost"


@dataclass(frozen=True, slots=True)
class Target:
    """The other post, which its reader may see. `inside`: it stands in the place that is posted to. `private`: its author's
    posts are for followers. `closed`: it stands in a community that not everybody reads."""

    is_repost: bool
    inside: bool
    private: bool
    closed: bool


def reason_against(way: Way, target: Target) -> str | None:
    """Why it may not be (`details.reason` of `forbidden`), or None. Words that were meant for some are not carried to others,
    also not by whoever wrote them: the place they stand in stays theirs."""
    if target.is_repost:
        return "repost"
    if way is Way.REPLY or target.inside:
        return None
    if target.closed:
        return "closed"
    return "private" if target.private else None
