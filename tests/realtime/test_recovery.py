"""Where a connection continues: positions against tops (WIRE §3.3, §3.4)."""

from __future__ import annotations

import pytest

from realtime.recovery import CHANNEL_ENTRIES_MAX, CONNECTION_ENTRIES_MAX, Standing, Stretch, continued, plan


@pytest.mark.parametrize(
    ("standing", "position", "stretch", "recovered"),
    [
        (Standing(10, 0), 10, None, True),
        (Standing(0, 0), 0, None, True),
        (Standing(10, 0), 7, (7, 10), True),
        (Standing(10, 7), 7, (7, 10), True),
        (Standing(10, 8), 7, None, False),
        (Standing(10, 0), 11, None, False),
        (Standing(10, 0), None, None, False),
        (Standing(2_000, 0), 2_000 - CHANNEL_ENTRIES_MAX, (2_000 - CHANNEL_ENTRIES_MAX, 2_000), True),
        (Standing(2_000, 0), 1_999 - CHANNEL_ENTRIES_MAX, None, False),
    ],
)
def test_a_channel(
    standing: Standing, position: int | None, stretch: tuple[int, int] | None, recovered: bool
) -> None:
    made = plan({"c": standing}, {} if position is None else {"c": position})
    assert made.stretches == ([Stretch("c", *stretch)] if stretch else [])
    assert made.whole == ([] if stretch else [("c", standing.top)])
    assert [(told.ch, told.seq, told.recovered) for told in made.channels] == [("c", standing.top, recovered)]


def test_a_connection_reads_no_more_than_its_bound() -> None:
    standings = {str(n): Standing(CHANNEL_ENTRIES_MAX, 0) for n in range(8)}
    made = plan(standings, dict.fromkeys(standings, 0))
    assert sum(s.upto - s.after for s in made.stretches) == CONNECTION_ENTRIES_MAX
    assert [told.recovered for told in made.channels] == [True] * 5 + [False] * 3
    assert len(made.whole) == 3


def test_positions_of_channels_one_may_not_hear_say_nothing() -> None:
    made = plan({}, {"room:secret": 4})
    assert made == ([], [], [])


def test_asking_once_more_continues_where_the_client_is() -> None:
    made = plan({"a": Standing(5, 0), "b": Standing(9, 0), "c": Standing(7, 0)}, {"a": 5, "b": 3})
    assert continued(made, ["b", "c"]) == {"b": 3, "c": 7}
