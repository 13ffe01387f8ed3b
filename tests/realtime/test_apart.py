"""Who does not see whom: whatever the order of snapshots, blocks, ends and departures (FEATURES §9)."""

from __future__ import annotations

import random

import pytest

from realtime.apart import NOTED_MAX, Apart


def test_a_block_is_symmetric_and_only_of_those_who_are_here() -> None:
    apart = Apart()
    assert apart.know("a", [], apart.begun)
    apart.part("a", "b", here={"a"})
    assert (set(apart.of("a")), set(apart.of("b"))) == ({"b"}, set())
    assert set(apart.hidden_from("b")) == {"a"}
    assert not apart.hidden_from("a"), "b is not here"
    apart.rejoin("b", "a")
    assert not apart.of("a")
    assert not apart.hidden_from("b")


def test_a_block_between_snapshot_and_arrival_is_not_missed() -> None:
    apart = Apart()
    mark = apart.begun
    apart.part("x", "a", here=set())
    assert apart.know("a", ["c"], mark)
    assert set(apart.of("a")) == {"x", "c"}
    assert set(apart.hidden_from("x")) == {"a"}


def test_an_end_between_snapshot_and_arrival_is_an_end() -> None:
    apart = Apart()
    mark = apart.begun
    apart.part("x", "a", here=set())
    apart.rejoin("a", "x")
    assert apart.know("a", [], mark)
    assert not apart.of("a")


def test_what_is_older_than_what_is_remembered_has_to_be_read_again() -> None:
    apart = Apart()
    mark = apart.begun
    for number in range(NOTED_MAX + 1):
        apart.part("x", str(number), here=set())
    assert not apart.know("a", [], mark)
    assert not apart.of("a")
    assert apart.know("a", [], mark + 1)


def test_a_newer_snapshot_replaces_an_older_one() -> None:
    apart = Apart()
    assert apart.know("a", ["b", "c"], apart.begun)
    assert apart.know("a", ["c"], apart.begun)
    assert set(apart.of("a")) == {"c"}
    assert not apart.hidden_from("b")
    apart.forget("a")
    assert not apart.of("a")
    assert not apart.hidden_from("c")


@pytest.mark.parametrize("seed", range(30))
def test_it_is_what_a_plain_model_says(seed: int) -> None:
    """Against a table of pairs and a set of those who are here."""
    dice = random.Random(seed)
    people = [f"p{number}" for number in range(6)]
    apart, pairs, here = Apart(), set[frozenset[str]](), set[str]()
    snapshots: dict[str, tuple[list[str], int]] = {}
    for _ in range(400):
        a, b = dice.sample(people, 2)
        match dice.randrange(5):
            case 0:
                pairs.add(frozenset((a, b)))
                apart.part(a, b, here)
            case 1 if frozenset((a, b)) in pairs:
                pairs.discard(frozenset((a, b)))
                apart.rejoin(a, b)
                # A snapshot that still has the pair would be one of a database that has not seen the end.
                snapshots = {who: s for who, s in snapshots.items() if who not in (a, b)}
            case 2 if a not in here and a not in snapshots:
                others = [other for other in people if frozenset((a, other)) in pairs]
                snapshots[a] = (others, apart.begun)
            case 3 if a in snapshots:
                assert apart.know(a, *snapshots.pop(a))
                here.add(a)
            case 4 if a in here:
                here.discard(a)
                apart.forget(a)
        for who in people:
            expected = (
                {other for other in people if frozenset((who, other)) in pairs} if who in here else set()
            )
            assert set(apart.of(who)) == expected
            hidden = {other for other in here if frozenset((who, other)) in pairs}
            assert set(apart.hidden_from(who)) == hidden
