"""Taps added up: whoever is apart from somebody is counted by name, and left out for whom they are apart from (FEATURES §4)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from realtime.cheers import NAMED_MAX, Tally

PEOPLE = ["aki", "haru", "ken", "mio"]
TAPS = st.lists(st.tuples(st.sampled_from(PEOPLE), st.sampled_from(["love", "shine"])), max_size=60)
PAIRS = st.sets(
    st.tuples(st.sampled_from(PEOPLE), st.sampled_from(PEOPLE)).filter(lambda pair: pair[0] < pair[1])
)


@given(st.lists(TAPS, min_size=1, max_size=4), PAIRS)
def test_everybody_is_told_the_taps_of_those_they_are_not_apart_from(
    nodes: list[list[tuple[str, str]]], pairs: set[tuple[str, str]]
) -> None:
    def apart(a: str, b: str) -> bool:
        return (min(a, b), max(a, b)) in pairs

    total = Tally()
    for taps in nodes:
        tally = Tally()
        for account, effect in taps:
            tally.add(account if any(apart(account, other) for other in PEOPLE) else "", effect)
        total.merge(tally)
    for viewer in PEOPLE:
        wanted: dict[str, int] = {}
        for account, effect in (tap for taps in nodes for tap in taps):
            if not apart(account, viewer):
                wanted[effect] = wanted.get(effect, 0) + 1
        assert total.seen(lambda account, viewer=viewer: not apart(account, viewer)) == wanted


def test_names_are_bounded_and_nobody_is_counted_for_another() -> None:
    tally = Tally()
    for number in range(NAMED_MAX + 50):
        tally.add(f"a{number}", "love")
    assert len(tally.named) == NAMED_MAX
    tally.add("a0", "love")
    assert tally.seen(lambda account: True) == {"love": NAMED_MAX + 1}
    other = Tally()
    other.add("b", "love")
    other.add("a1", "shine")
    tally.merge(other)
    assert "b" not in tally.named
    assert tally.named["a1"] == {"love": 1, "shine": 1}
