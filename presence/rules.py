"""Who sees whose presence: the one verdict about a pair, from what the tables say of it (FEATURES §7). Pure.

What always holds: whoever is apart from, hidden from or unknown to a viewer looks to them like somebody who is offline.
"""

from __future__ import annotations

from typing import NamedTuple

NOBODY, MUTUALS, EVERYONE = "nobody", "mutuals", "everyone"
HERE = ("active", "restricted")


class Pair(NamedTuple):
    """What is kept about a viewer and a target. `shown` is the target's exception for the viewer (1 shown, 0 hidden),
    made at `shown_at`; `viewer_shown` the viewer's for the target. `shown_to` is the audience the target had before
    hiding from everybody; `seen_at` when they were last here, in Unix milliseconds."""

    viewer: str
    target: str
    state: str
    audience: str
    shown_to: str
    seen_at: int | None
    mutual: bool
    apart: bool
    shown: int | None
    shown_at: int | None
    viewer_state: str
    viewer_audience: str
    viewer_shown: int | None


class Sight(NamedTuple):
    """`live`: the viewer sees what the target does now. `knows`: the viewer may know when they were last here, which was
    `seen_at`, or None if nothing is kept of it."""

    live: bool
    knows: bool = False
    seen_at: int | None = None


NOTHING = Sight(live=False)


def covers(audience: str, *, mutual: bool) -> bool:
    """Whether somebody belongs to an audience."""
    return audience == EVERYONE or (audience == MUTUALS and mutual)


def sight(pair: Pair) -> Sight:
    """What the viewer sees of the target. Who hides from somebody does not see them either."""
    if pair.apart or pair.state not in HERE:
        return NOTHING
    if pair.viewer == pair.target:
        return Sight(pair.audience != NOBODY, True, pair.seen_at)
    hides = pair.viewer_audience == NOBODY if pair.viewer_shown is None else not pair.viewer_shown
    if hides or pair.viewer_state not in HERE:
        return NOTHING
    if pair.shown:
        return Sight(True, True, pair.seen_at)
    before = pair.shown_to if pair.audience == NOBODY else pair.audience
    knows = covers(before, mutual=pair.mutual)
    if pair.shown is None:
        return Sight(covers(pair.audience, mutual=pair.mutual), knows, pair.seen_at if knows else None)
    # Hidden from this one: what they may know ages from that moment.
    late = pair.seen_at is not None and pair.shown_at is not None and pair.seen_at > pair.shown_at
    return Sight(False, knows, (pair.shown_at if late else pair.seen_at) if knows else None)


def as_if(pair: Pair, audience: str) -> Pair:
    """The pair under another setting of the target."""
    before = pair.shown_to if pair.audience == NOBODY else pair.audience
    return pair._replace(audience=audience, shown_to=before)


def stranger(own: Pair, *, mutual: bool) -> Pair:
    """Anybody without exceptions who looks at the account of `own`."""
    return own._replace(
        viewer="",
        mutual=mutual,
        apart=False,
        shown=None,
        viewer_state=HERE[0],
        viewer_audience=MUTUALS,
        viewer_shown=None,
    )
