"""The scenarios of a load test: who does what in an evening. Each is a coroutine over a `Run`.

The figures to aim for stand in `Scenario.targets`; what must never happen is the oracle's business.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from loadtest.client import ServerRefusal
from loadtest.people import schedule
from loadtest.people.cheering import cheer
from loadtest.people.ground import Spawn
from loadtest.people.ledger import Fault
from loadtest.people.meters import Delays
from loadtest.people.person import Person
from loadtest.people.run import Run, Wish
from loadtest.people.seeing import presence
from loadtest.people.sharing import timeline
from loadtest.people.watcher import Watcher
from loadtest.serving import Circle

READS_PER_LINE = 10
QUIET_RATE = 10.0
RACERS = 10
LONG = 1_900
ONE_PLACE = {"circle": 100, "rooms": 0, "communities": 1}


@dataclass(frozen=True, slots=True)
class Scenario:
    """`people`, `rate` (lines a second) and `seconds` are what is played if nothing else is wished. `ground` says what server to
    start for it."""

    name: str
    summary: str
    play: Callable[[Run], Awaitable[None]]
    people: int
    rate: float
    seconds: float
    ground: dict[str, Any] = field(default_factory=dict)
    besides: int = 0
    """People besides those who are counted."""

    def spawn(self, people: int, **more: object) -> Spawn:
        """The server to start for so many people."""
        return Spawn(people=people + self.besides, **{**self.ground, **more})


def rooms_of(circles: list[Circle]) -> dict[str, str]:
    """For each room the token of somebody who reads it."""
    return {f"room:{room}": circle.tokens[0] for circle in circles for room in circle.rooms}


def friends(circles: list[Circle]) -> list[tuple[str, list[str]]]:
    """Everybody with the rooms of their circle."""
    return [
        (token, [f"room:{room}" for room in circle.rooms]) for circle in circles for token in circle.tokens
    ]


def awake(run: Run, people: list[Person]) -> Person | None:
    """Somebody who is there to speak."""
    for _ in range(20):
        person = run.dice.choice(people)
        if person.awake:
            return person
    return None


# idle


async def idle(run: Run) -> None:
    """Everybody is there and nobody says a word: what a connection costs."""
    tokens = [token for token, _ in friends(run.ground.circles)][: run.wish.people]
    before_kib = run.ground.memory_kib()
    watchers = run.lean(tokens)
    begun = time.perf_counter()
    await run.seat(watchers)
    run.figures["connects/s"] = round(len(watchers) / (time.perf_counter() - begun), 1)
    await asyncio.sleep(1.0)
    if run.ground.pid:
        run.figures["KiB a connection"] = round((run.ground.memory_kib() - before_kib) / len(watchers), 2)
    start, cpu = run.start_clock(), run.ground.cpu_s()
    await run.until(start + run.wish.seconds)
    if run.ground.pid:
        run.figures["server CPU % of a core, idle"] = round(
            100 * (run.ground.cpu_s() - cpu) / run.wish.seconds, 2
        )
    lost = [watcher.who for watcher in watchers if watcher.transport is None]
    run.verdict.faults += [Fault("lost connection", who, "", 0, "while nothing happened") for who in lost]
    await run.finish()
    await run.judge({})


# chatter


async def chatter(run: Run) -> None:
    """Friends talk in their groups: ten reads to a line, phones that sleep, trains, and a node that dies if that is wished."""
    people = run.whole(friends(run.ground.circles)[: run.wish.people])
    start, seconds = run.start_clock(), run.wish.seconds
    coming = schedule.evening(run.dice, len(people), min(seconds / 3, 60.0))
    order = run.dice.sample(people, len(people))
    run.begin(_arrive(run, start, coming, order))
    talking = start + seconds / 4
    run.begin(run.absent(talking, schedule.absences(run.dice, len(people), seconds * 0.75)))
    run.begin(_strike(run, start))
    times = schedule.talk(run.dice, run.wish.rate, seconds * 0.75)

    def act(due: float) -> Awaitable[None] | None:
        person = awake(run, people)
        return _line_and_reads(run, people, person, due) if person is not None else None

    await run.timetable(talking, times, act)
    await run.finish()
    await run.judge(rooms_of(run.ground.circles))


async def _arrive(run: Run, start: float, times: list[float], people: list[Person]) -> None:
    for at, person in zip(times, people, strict=True):
        await run.until(start + at)
        run.begin(run.again(person.come))


async def _strike(run: Run, start: float) -> None:
    """A node dies, or a deploy happens, at the busiest."""
    if run.wish.kill_at:
        await run.until(start + run.wish.seconds * run.wish.kill_at)
        pid = run.ground.kill_one()
        run.meters.mark(f"kill -9 of a node ({pid})")
    elif run.ground.nodes > 1:
        await run.until(start + run.wish.seconds * 0.6)
        run.ground.roll()
        run.meters.mark("deploy: every node is replaced")


async def _line_and_reads(run: Run, people: list[Person], person: Person, due: float) -> None:
    run.begin(person.say(run.dice.choice(person.places), run.words(), due))
    for _ in range(READS_PER_LINE):
        await asyncio.sleep(run.dice.expovariate(20.0))
        reader = awake(run, people)
        if reader is not None:
            await (reader.look() if run.dice.random() < 0.3 else reader.read(run.dice.choice(reader.places)))


# match


async def match(run: Run) -> None:
    """A live match: one community, a few speak, everybody watches."""
    circles = run.ground.circles
    place = f"community:{circles[0].communities[0]}"
    tokens = [token for circle in circles for token in circle.tokens][: run.wish.people]
    people = run.whole((token, [place]) for token in tokens[: run.wish.whole])
    watchers = run.lean(tokens[run.wish.whole :])
    await run.admit(people)
    await run.seat(watchers)
    start, cpu = run.start_clock(), run.ground.cpu_s()
    times = schedule.steady(run.wish.rate, run.wish.seconds)
    await run.timetable(start, times, lambda due: run.dice.choice(people).say(place, run.words(), due))
    await run.finish()
    await asyncio.sleep(1.0)
    run.gather_delays()
    if run.ground.pid:
        run.figures["server CPU µs a delivery"] = round(
            1e6 * (run.ground.cpu_s() - cpu) / max(1, run.meters.counts["deliveries"]), 2
        )
    p99 = run.meters.delivery.quantiles_ms().get("p99", 0.0)
    run.verdict.targets["p99 ≤ 200 ms"] = p99 <= 200.0
    await run.judge({place: tokens[0]})


# stampede


async def stampede(run: Run) -> None:
    """All links are cut at once and everybody comes back, while a few talk on in quiet channels."""
    quiet_circles, circles = run.ground.circles[:2], run.ground.circles[2:]
    place = f"community:{circles[0].communities[0]}"
    quiet = run.whole(friends(quiet_circles))
    watchers = run.lean([token for token, _ in friends(circles)][: run.wish.people])
    await run.admit(quiet)
    await run.seat(watchers)
    start, seconds = run.start_clock(), run.wish.seconds
    cut_at = start + seconds / 3
    calm, storm = Delays(), Delays()
    heard = Heard(quiet)
    run.begin(_talk_quietly(run, quiet, start, seconds))
    await run.until(cut_at)
    calm.add(heard.take())
    run.meters.mark(f"{len(watchers)} links are cut")
    for watcher in watchers:
        watcher.close()
    run.meters.gauges["live"] = len(quiet)
    for number in range(20):
        await quiet[number % len(quiet)].say(place, run.words(), run.meters.now)
    begun = time.perf_counter()
    jitter_s = min(max(len(watchers) / 2, 500), 10_000) / 1000
    await asyncio.gather(
        *(_return(run, number, watcher, jitter_s) for number, watcher in enumerate(watchers))
    )
    whole_s = time.perf_counter() - begun
    run.meters.mark("everybody is whole again")
    storm.add(heard.take())
    run.figures["all whole after s"] = round(whole_s, 2)
    run.figures["quiet channels before, ms"] = calm.quantiles_ms()
    run.figures["quiet channels meanwhile, ms"] = storm.quantiles_ms()
    run.verdict.targets["all whole in ≤ 10 s"] = whole_s <= 10.0
    run.verdict.targets["quiet channels' p99 ≤ 1 s meanwhile"] = (
        storm.quantiles_ms().get("p99", 0.0) <= 1000.0
    )
    await run.finish()
    run.board.take_delays()
    await run.judge({place: circles[0].tokens[0], **rooms_of(run.ground.circles)})


class Heard:
    """What a few people measured, apart from all others."""

    def __init__(self, people: list[Person]) -> None:
        self._delays: list[float] = []
        for person in people:
            person.aside = self._delays

    def take(self) -> list[float]:
        """Since the last time, in seconds."""
        found = self._delays[:]
        self._delays.clear()
        return found


async def _talk_quietly(run: Run, people: list[Person], start: float, seconds: float) -> None:
    times = schedule.steady(QUIET_RATE, seconds)
    await run.timetable(
        start, times, lambda due: (p := run.dice.choice(people)).say(p.places[0], run.words(), due)
    )


async def _return(run: Run, number: int, watcher: Watcher, jitter_s: float) -> None:
    await asyncio.sleep(run.dice.uniform(0, jitter_s))
    await run.sit(watcher, number)


# slow


async def slow(run: Run) -> None:
    """One person in ten stops reading for a while: the others feel nothing, and the slow ones are whole in the end."""
    circles = run.ground.circles
    people = run.whole(friends(circles)[: run.wish.people])
    await run.admit(people)
    slow_ones = people[: max(1, len(people) // 10)]
    others = people[len(slow_ones) :]
    start, third = run.start_clock(), run.wish.seconds / 3
    heard = Heard(others)
    times = schedule.steady(run.wish.rate, run.wish.seconds)
    run.begin(run.timetable(start, times, lambda due: _long_line(run, run.dice.choice(others), due)))
    await run.until(start + third)
    before, meanwhile = Delays(), Delays()
    before.add(heard.take())
    for person in slow_ones:
        person.pocket()
    run.meters.mark(f"{len(slow_ones)} stop reading")
    await run.until(start + 2 * third)
    meanwhile.add(heard.take())
    for person in slow_ones:
        person.unpocket()
    run.meters.mark("they read again")
    await run.until(start + 3 * third)
    await run.finish()
    run.figures["others before, ms"] = before.quantiles_ms()
    run.figures["others meanwhile, ms"] = meanwhile.quantiles_ms()
    p99 = before.quantiles_ms().get("p99", 0.0)
    run.verdict.targets["others' p99 ≤ max(2 ×, +20 ms)"] = meanwhile.quantiles_ms().get("p99", 0.0) <= max(
        2 * p99, p99 + 20
    )
    run.figures["times somebody fell behind"] = sum(person.ledger.behinds for person in slow_ones)
    await run.judge(rooms_of(circles))


async def _long_line(run: Run, person: Person, due: float) -> None:
    """So long that those who stop reading soon hold more than is kept for them."""
    words = " ".join(run.words() for _ in range(150))
    await person.say(person.places[0], words[:LONG], due)


# invites


async def invites(run: Run) -> None:
    """Each circle gives one place away, and ten strangers reach for it at once: one gets it."""
    circles = run.ground.circles
    people = run.whole(friends(circles)[: run.wish.people])
    await run.admit(people)
    size = len(circles[0].tokens)
    hosts = people[::size]
    start = run.start_clock()
    rounds = max(1, min(len(hosts), int(run.wish.rate * run.wish.seconds)))
    times = schedule.steady(run.wish.rate, rounds / run.wish.rate)
    strangers = [person for person in people if person not in hosts]
    host = iter(hosts)
    await run.timetable(start, times, lambda due: _race(run, next(host), strangers, due))
    await run.finish()
    await run.judge(rooms_of(circles))


async def _race(run: Run, host: Person, strangers: list[Person], due: float) -> None:
    room = host.places[0].removeprefix("room:")
    nonce = f"{host.means.run} race {host.number}"
    made = await host.client.call("invite.create", nonce=nonce, kind="room", room=room)
    racers = run.dice.sample([one for one in strangers if host.places[0] not in one.places], RACERS)
    tries = await asyncio.gather(*(_redeem(run, racer, made["code"]) for racer in racers))
    run.meters.acknowledgement.add((run.meters.now - due,))
    run.meters.counts["races"] += 1
    won = tries.count("won")
    if won != 1:
        run.verdict.faults.append(
            Fault(
                "uses",
                f"person {host.number}",
                host.places[0],
                won,
                f"{won} of {RACERS} got the one place: {tries}",
            )
        )


async def _redeem(run: Run, racer: Person, code: str) -> str:
    try:
        await racer.client.call("invite.redeem", code=code)
    except ServerRefusal as refusal:
        run.meters.counts[f"refused {refusal.code}"] += 1
        return refusal.code
    return "won"


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("idle", "nobody says a word", idle, 5_000, 1.0, 30.0),
        Scenario(
            "chatter",
            "friends in groups: lines, reads, sleeping phones, trains",
            chatter,
            500,
            50.0,
            60.0,
            {"follows": "all"},
        ),
        Scenario(
            "match",
            "one community, thousands watch",
            match,
            5_000,
            20.0,
            60.0,
            ONE_PLACE,
        ),
        Scenario(
            "timeline",
            "authors whom two hundred follow",
            timeline,
            3_015,
            60.0,
            60.0,
            {"circle": 201, "rooms": 0},
        ),
        Scenario(
            "presence",
            "friends come, go and look away",
            presence,
            5_000,
            60.0,
            60.0,
            {"circle": 10, "follows": "all"},
        ),
        Scenario("stampede", "all come back at once", stampede, 5_000, 10.0, 30.0, {"communities": 1}, 20),
        Scenario("slow", "some stop reading", slow, 100, 60.0, 30.0, {"circle": 100}),
        Scenario("cheer", "hundreds tap effects", cheer, 2_000, 500.0, 20.0, ONE_PLACE),
        Scenario("invites", "many reach for one place", invites, 300, 5.0, 10.0),
    )
}


def wish_of(
    scenario: Scenario, people: int | None, rate: float | None, seconds: float | None, seed: int
) -> Wish:
    """What was asked for, else what the scenario is played with."""
    return Wish(
        people=people or scenario.people,
        rate=rate or scenario.rate,
        seconds=seconds or scenario.seconds,
        seed=seed,
    )
