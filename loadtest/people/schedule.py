"""When simulated people come, speak and vanish: decided beforehand, from a seed. Pure; times are seconds from the start.

The load is open-loop: what is due is due, whether or not the server keeps up, and latency counts from the time something was
due. So a server that stalls is measured by everybody who would have waited (no coordinated omission).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

ARRIVAL_SHARE = 0.9
"""Of the arrivals of an evening, so many come in its first part, the rest trickles in."""


def steady(rate: float, seconds: float, start: float = 0.0) -> Iterator[float]:
    """`rate` times a second, evenly."""
    count = int(rate * seconds)
    return (start + number / rate for number in range(count))


def talk(dice: random.Random, rate: float, seconds: float) -> list[float]:
    """As people talk: independent of each other, `rate` a second on average (a Poisson process)."""
    times: list[float] = []
    at = 0.0
    while True:
        at += dice.expovariate(rate)
        if at >= seconds:
            return times
        times.append(at)


def evening(dice: random.Random, people: int, seconds: float) -> list[float]:
    """When each of so many people comes, within `seconds`: few at first, most around the middle, a trickle of late ones.
    Ascending."""
    early = int(people * ARRIVAL_SHARE)
    times = [seconds * dice.betavariate(2.5, 2.5) * 0.8 for _ in range(early)]
    times += [seconds * dice.random() for _ in range(people - early)]
    return sorted(times)


class Absence(NamedTuple):
    """Somebody is out of reach from `at` for `seconds`. A `train` cuts the link at once; a phone that sleeps (`train` false)
    goes on looking connected, and takes nothing."""

    at: float
    seconds: float
    person: int
    train: bool


def absences(dice: random.Random, people: int, seconds: float, share: float = 0.1) -> list[Absence]:
    """A share of people is away once: half of them asleep one by one, half in trains that many sit in together. All are back
    before the last tenth of the time."""
    gone = dice.sample(range(people), int(people * share))
    asleep, riding = gone[: len(gone) // 2], gone[len(gone) // 2 :]
    latest = seconds * 0.9

    def when(least: float, most: float) -> tuple[float, float]:
        length = min(dice.uniform(least, most), latest * 0.6)
        return dice.uniform(seconds * 0.1, max(seconds * 0.1, latest - length)), length

    found = [Absence(*when(3.0, 60.0), person, False) for person in asleep]
    while riding:
        seats = dice.randint(5, 50)
        train, riding = riding[:seats], riding[seats:]
        at, length = when(2.0, 40.0)
        # The carriages enter the tunnel one after the other.
        found += [Absence(at + dice.random() * seconds * 0.01, length, person, True) for person in train]
    return sorted(found)
