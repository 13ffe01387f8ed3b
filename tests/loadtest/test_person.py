"""What one person of a load test notes of their link."""

from __future__ import annotations

from loadtest.people.meters import Meters
from loadtest.people.person import Means, Person


async def test_whoever_moves_to_another_node_counts_once() -> None:
    meters = Meters()
    person = Person(0, "t", [], Means("http://127.0.0.1:1", meters, [], False))
    seen = []
    for state in ("live", "connecting", "live", "waiting", "live", "stopped"):
        person._told(("state", state, None))
        seen.append(meters.gauges["live"])
    assert seen == [1, 1, 1, 0, 1, 0]
    assert meters.counts["links lost"] == 1
