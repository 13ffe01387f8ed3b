"""The permission rule of rooms, cell by cell: every act against every standing (FEATURES §6)."""

from __future__ import annotations

import itertools

import pytest

from channels.rules.rooms import Act, Facts, verdict
from realtime.models import MemberState, RoomKind, RoomState

INSIDE, INVITED, REQUESTED = MemberState.INSIDE, MemberState.INVITED, MemberState.REQUESTED
DECLINED, LEFT = MemberState.DECLINED, MemberState.LEFT

# One letter per standing, in this order: inside, invited, requested, declined, left, stranger.
# . allowed · F forbidden · M not_member · N not_found
STANDINGS = (INSIDE, INVITED, REQUESTED, DECLINED, LEFT, None)
CODES = {".": None, "F": "forbidden", "M": "not_member", "N": "not_found"}
GROUP = {
    Act.KNOW: "..MMMN",
    Act.READ: ".MMMMN",
    Act.SEND: ".MMMMN",
    Act.SIGNAL: ".MMMMN",
    Act.REACT: ".MMMMN",
    Act.RENAME: ".MMMMN",
    Act.SET_READING: "FMMMMN",
    Act.ADD: ".MMMMN",
    Act.LEAVE: ".MMMMN",
    Act.JOIN: "..FFFN",
    Act.ACCEPT: "FFFFFN",
    Act.DECLINE: "F.F.FN",
    Act.DELETE: "FMMMMN",
}
DM_OPEN = {
    Act.KNOW: ".M..MN",
    Act.READ: ".M.MMN",
    Act.SEND: ".M..MN",
    Act.SIGNAL: ".MFFMN",
    Act.REACT: ".MFFMN",
    Act.RENAME: "FMFFMN",
    Act.SET_READING: "FMFFMN",
    Act.ADD: "FMFFMN",
    Act.LEAVE: "FMFFMN",
    Act.JOIN: "FMFFMN",
    Act.ACCEPT: ".F..FN",
    Act.DECLINE: "FF..FN",
    Act.DELETE: "FMMMMN",
}
DM_REQUEST = {**DM_OPEN, Act.SEND: "FM..MN", Act.SIGNAL: "FMFFMN", Act.REACT: "FMFFMN", Act.ACCEPT: "FF..FN"}
DM_DRAFT = {**DM_OPEN, Act.SIGNAL: "FMFFMN", Act.REACT: "FMFFMN", Act.ACCEPT: "FF..FN"}

CELLS = [
    (act, kind, state, standing, CODES[row[place]])
    for kind, state, table in (
        (RoomKind.GROUP, RoomState.OPEN, GROUP),
        (RoomKind.DM, RoomState.OPEN, DM_OPEN),
        (RoomKind.DM, RoomState.REQUEST, DM_REQUEST),
        (RoomKind.DM, RoomState.DRAFT, DM_DRAFT),
    )
    for act, row in table.items()
    for place, standing in enumerate(STANDINGS)
]


@pytest.mark.parametrize(("act", "kind", "state", "standing", "expected"), CELLS)
def test_each_cell(
    act: Act, kind: RoomKind, state: RoomState, standing: MemberState | None, expected: str | None
) -> None:
    assert verdict(act, Facts(kind, state, standing)) == expected


def test_the_tables_know_every_act() -> None:
    for table in (GROUP, DM_OPEN, DM_REQUEST, DM_DRAFT):
        assert set(table) == set(Act)


def test_what_makes_a_difference_makes_only_that_difference() -> None:
    for kind, state, standing, act in itertools.product(RoomKind, RoomState, STANDINGS, Act):
        plain = verdict(act, Facts(kind, state, standing))
        creator = verdict(act, Facts(kind, state, standing, creator=True))
        own = verdict(act, Facts(kind, state, standing, own=True))
        followed = verdict(act, Facts(kind, state, standing, followed_back=True))
        creator_counts = kind is RoomKind.GROUP and act is Act.SET_READING and standing is INSIDE
        own_counts = act is Act.DELETE and standing is INSIDE
        followed_counts = (
            kind is RoomKind.DM and act is Act.SEND and state is RoomState.REQUEST and standing is INSIDE
        )
        assert creator == (None if creator_counts else plain)
        assert own == (None if own_counts else plain)
        assert followed == (None if followed_counts else plain)
