"""The pure parts of presence: devices, marks, the online table, pace, coalescing, circles, writing."""

from __future__ import annotations

import pytest

from presence.circles import Circles
from presence.coalescing import Coalescing
from presence.devices import Devices, Rules
from presence.marks import Mark, best, mark, pack, unpack
from presence.pace import Pace
from presence.roster import UNKNOWN, Roster, Taken
from presence.typists import Typists
from realtime.sendqueue import Piece

ACTIVE, IDLE = mark(True, "", open_=False, counted=True), mark(False, "", open_=False, counted=True)
PLACE = "community:p"


class Ear:
    """A connection of an account."""

    def __init__(self, account: str) -> None:
        self.account = account
        self.choked = False

    def write(self, piece: Piece) -> None:
        """Not here."""


# Marks


@pytest.mark.parametrize(
    "value", [ACTIVE, IDLE, Mark(True, PLACE, True, True), Mark(True, "room:r", False, False)]
)
def test_a_mark_travels(value: Mark) -> None:
    assert unpack(pack(value)) == value


@pytest.mark.parametrize("data", [b"", b"a", b"xc-", b"azo", b"ac?room:r", b"\xff\xff\xff"])
def test_what_is_no_mark_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"not a mark|decode"):
        unpack(data)


def test_the_best_of_several_makes_the_person() -> None:
    there = Mark(True, PLACE)
    assert best([]) is None
    assert best([IDLE, ACTIVE]) is ACTIVE
    assert best([ACTIVE, there, IDLE]) is there
    assert mark(False, PLACE, open_=True, counted=True) == IDLE, "who is away looks at nothing"


# Devices


PLAIN = Rules()


def people(rules: Rules | None = PLAIN) -> Devices:
    """Devices with one connection of aki."""
    devices = Devices(10.0)
    devices.joined("c1", "aki", active=True)
    if rules is not None:
        devices.ruled("aki", rules)
    return devices


def test_nobody_is_told_of_before_their_rules_are_known() -> None:
    devices = people(None)
    assert devices.mark_of("aki") is None
    assert devices.ruled("aki", Rules())
    assert devices.mark_of("aki") == ACTIVE
    assert devices.ruled("aki", Rules(admitted=False))
    assert devices.mark_of("aki") is None


def test_several_devices_make_one_person() -> None:
    devices = people()
    assert not devices.joined("c2", "aki", active=False), "an idle phone changes nothing"
    assert devices.said("c1", "aki", active=False, place="")
    assert devices.mark_of("aki") == IDLE
    assert devices.said("c2", "aki", active=True, place="room:r")
    assert devices.mark_of("aki") == Mark(True, "room:r", False, True)
    assert devices.displaced("c2", "aki", "room:r")
    assert not devices.displaced("c2", "aki", "room:r")
    assert devices.left("c2", "aki", 0.0)
    assert devices.mark_of("aki") == IDLE
    assert not devices.said("unknown", "aki", active=True, place="")


def test_only_communities_may_be_known_to_others() -> None:
    devices = people(Rules(open=True))
    devices.said("c1", "aki", active=True, place="room:r")
    assert devices.mark_of("aki") == Mark(True, "room:r", False, True)
    devices.said("c1", "aki", active=True, place=PLACE)
    assert devices.mark_of("aki") == Mark(True, PLACE, True, True)
    devices.ruled("aki", Rules(open=False, counted=False))
    assert devices.mark_of("aki") == Mark(True, PLACE, False, False)


def test_the_last_lost_connection_leaves_a_grace() -> None:
    devices = people()
    assert not devices.left("c1", "aki", 100.0)
    assert devices.mark_of("aki") == ACTIVE
    assert devices.gone("aki")
    assert devices.expired(109.9) == []
    assert not devices.joined("c2", "aki", active=True), "back within the grace: nothing has changed"
    assert devices.expired(200.0) == []
    devices.left("c2", "aki", 200.0)
    assert devices.expired(210.0) == [("aki", ACTIVE)]
    assert devices.mark_of("aki") is None
    assert len(devices) == 0
    assert not devices.left("c2", "aki", 211.0)


def test_graces_end_in_the_order_they_began() -> None:
    devices = Devices(10.0)
    for number in range(3):
        devices.joined(number, f"p{number}", active=True)
        devices.left(number, f"p{number}", float(number))
    devices.joined("again", "p0", active=True)
    devices.left("again", "p0", 5.0)
    assert [account for account, _ in devices.expired(12.0)] == ["p1", "p2"]
    assert [account for account, _ in devices.expired(15.0)] == ["p0"]


# The online table


def test_batches_apply_in_their_order_and_of_their_generation() -> None:
    roster = Roster("a")
    assert roster.apply("b", 7, 1, {"yuu": ACTIVE}) == (Taken.AHEAD, []), "nothing is known of it yet"
    assert roster.replace("b", 7, 1, {"yuu": ACTIVE}) == [("yuu", None)]
    assert roster.apply("b", 7, 1, {"yuu": None}) == (Taken.OLD, [])
    assert roster.apply("b", 7, 3, {"yuu": None}) == (Taken.AHEAD, [])
    assert roster.apply("b", 6, 2, {"yuu": None}) == (Taken.OLD, []), "a dead generation"
    assert roster.apply("b", 8, 1, {"yuu": None}) == (Taken.AHEAD, []), "a new one"
    assert roster.apply("b", 7, 2, {"yuu": IDLE, "mei": ACTIVE}) == (
        Taken.APPLIED,
        [("yuu", ACTIVE), ("mei", None)],
    )
    assert roster.replace("b", 7, 1, {}) == [], "an answer that was overtaken"
    assert roster.standing("yuu") == IDLE
    assert roster.others() == {"b": (7, 2)}


def test_one_person_on_two_nodes_goes_with_the_last() -> None:
    roster = Roster("a")
    roster.own("yuu", IDLE)
    roster.replace("b", 1, 0, {"yuu": ACTIVE})
    assert roster.standing("yuu") == ACTIVE
    assert roster.own("yuu", None) == []
    assert roster.drop("b") == [("yuu", ACTIVE)]
    assert roster.standing("yuu") is None
    assert len(roster) == 0


def test_in_doubt_nobody_is_offline() -> None:
    roster = Roster("a")
    roster.own("aki", ACTIVE)
    roster.replace("b", 1, 0, {"yuu": ACTIVE, "aki": IDLE})
    assert roster.doubt("b", doubtful=True) == [("yuu", ACTIVE)], (
        "whom this node knows itself is not in doubt"
    )
    assert roster.standing("yuu") is UNKNOWN
    assert not roster.known
    assert roster.doubt("b", doubtful=True) == []
    assert roster.doubt("b", doubtful=False) == [("yuu", UNKNOWN)]
    assert roster.known


def test_crowds_are_those_who_count() -> None:
    roster = Roster("a")
    roster.own("aki", Mark(True, PLACE))
    roster.own("hidden", Mark(True, PLACE, False, False))
    roster.replace("b", 1, 0, {"yuu": Mark(True, PLACE), "mei": ACTIVE})
    assert list(roster.at(PLACE)) == ["aki", "hidden", "yuu"]
    assert roster.crowd(PLACE) == 2
    roster.doubt("b", doubtful=True)
    assert roster.crowd(PLACE) == 1
    roster.own("aki", Mark(True, "community:q"))
    assert (roster.crowd(PLACE), roster.crowd("community:q")) == (0, 1)
    roster.own("hidden", None)
    assert list(roster.at(PLACE)) == []


# Pace, coalescing


def test_others_see_one_change_in_five_seconds_and_the_last_word() -> None:
    pace = Pace(5.0)
    assert pace.changed("aki", None, 0.0)
    assert not pace.changed("aki", ACTIVE, 1.0)
    assert pace.shown("aki", IDLE) == ACTIVE, "what they saw last"
    assert not pace.changed("aki", IDLE, 2.0)
    assert pace.shown("aki", None) == ACTIVE
    assert pace.due(4.9) == []
    assert pace.due(5.0) == ["aki"]
    assert pace.shown("aki", None) is None
    assert not pace.changed("aki", None, 6.0)
    assert pace.due(10.0) == ["aki"]
    assert pace.due(20.0) == []
    assert pace.changed("aki", ACTIVE, 20.0)


def test_what_is_noted_is_handed_out_once_and_not_too_often() -> None:
    waiting: Coalescing[str] = Coalescing(0.5, 0.05)
    waiting.note("c1", "aki", 0.0)
    waiting.note("c1", "yuu", 0.01)
    waiting.note("c1", "aki", 0.02)
    assert waiting.take(0.04) is None
    assert waiting.take(0.05) == ("c1", ["aki", "yuu"])
    assert waiting.take(9.0) is None
    waiting.note("c1", "mei", 0.1)
    assert waiting.next_due() == pytest.approx(0.55)
    waiting.later("c1", ["aki"], 0.2)
    assert waiting.take(0.55) == ("c1", ["aki", "mei"])
    waiting.note("c2", "aki", 0.6)
    waiting.forget("c2")
    assert waiting.take(99.0) is None
    assert len(waiting) == 0


# Circles


def test_a_connection_is_told_of_whom_it_shows_and_its_account_may_see() -> None:
    circles = Circles()
    phone, desk, other = Ear("me"), Ear("me"), Ear("you")
    assert [circles.add(each) for each in (phone, desk, other)] == [True, False, True]
    assert circles.settle("me", {"aki": True, "yuu": False}) == ["aki"]
    assert list(circles.told_of("aki")) == [phone, desk]
    assert list(circles.told_of("yuu")) == []
    assert circles.interested("yuu") == ["me"], "shown, though not seen"
    circles.watch(phone, {"mei": True, "ken": False})
    assert list(circles.told_of("mei")) == [phone]
    assert list(circles.shown_by("me", phone)) == ["aki", "mei"]
    assert list(circles.shown_by("me", desk)) == ["aki"]
    assert circles.judge("me", "yuu", live=True)
    assert not circles.judge("me", "yuu", live=True)
    assert circles.shows(desk, "yuu")
    assert circles.settle("me", {"yuu": True}) == ["aki"], "no mutual any more"
    circles.watch(phone, {})
    assert list(circles.told_of("mei")) == []
    circles.remove(phone)
    circles.remove(desk)
    assert circles.interested("yuu") == []
    assert circles.ears_of("me") == ()


def test_those_who_look_at_a_place() -> None:
    circles = Circles()
    ear = Ear("me")
    circles.add(ear)
    circles.look(ear, [PLACE, PLACE, "community:q"])
    assert circles.lookers(PLACE) == [ear]
    circles.look(ear, ["community:q"])
    assert circles.lookers(PLACE) == []
    circles.remove(ear)
    assert circles.lookers("community:q") == []


# Writing


def test_writing_is_a_lease() -> None:
    typists = Typists(12.0)
    assert typists.began("r", "aki", 0.0)
    assert not typists.began("r", "aki", 6.0), "still writing"
    assert typists.began("r", "yuu", 7.0)
    assert typists.said_at("r", "aki") == 6.0
    assert typists.writing("r") == ["aki", "yuu"]
    assert typists.lapsed(17.9) == []
    assert typists.lapsed(18.0) == [("r", "aki")]
    assert typists.rooms_of("yuu") == ["r"]
    assert typists.gone("yuu") == ["r"]
    assert not typists.anybody("r")
    assert not typists.ended("r", "yuu")
