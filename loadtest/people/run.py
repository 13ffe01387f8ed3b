"""One run of a load test: people on a ground, a clock that waits for nobody, and a verdict.

Scenarios (`loadtest.people.scenarios`) say who does what; here is what they share. What always holds: what is due is begun
when it is due, whether or not the last thing was answered; and no run ends without the oracle.
"""

from __future__ import annotations

import asyncio
import gc
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from loadtest.bench.machine import BUSY_MAX, all_s
from loadtest.people import oracle
from loadtest.people.board import Board
from loadtest.people.ground import Ground
from loadtest.people.ledger import Fault
from loadtest.people.meters import Meters, beat
from loadtest.people.person import Means, Person
from loadtest.people.schedule import Absence
from loadtest.people.watcher import Watcher

WORDS = [
    "ねえ",
    "見て",
    "今ここ",
    "いいね",
    "行く",
    "待って",
    "もう着いた",
    "ほんと?",
    "笑",
    "おつかれ",
    "乾杯",
    "また明日",
    "海が見える",
    "次の駅",
    "ただいま",
]
GC_THRESHOLDS = (50_000, 20, 1_000)
CONNECTING_AT_ONCE = 64
SETTLE_S = 60.0
TRIES = 8


@dataclass(frozen=True, slots=True)
class Wish:
    """What a run is to be. `rate` is lines a second, of all people together."""

    people: int
    rate: float
    seconds: float
    seed: int
    whole: int = 200
    """Of those who only watch, so many are whole clients all the same."""
    kill_at: float = 0.0
    """Kill a node after this share of the time; 0 never."""


@dataclass(slots=True)
class Verdict:
    """How it ended. `faults` are broken promises, `void` why the figures mean nothing; `targets` say which figures to aim for were
    reached, and change no exit code: machines differ, promises do not."""

    faults: list[Fault] = field(default_factory=list)
    void: list[str] = field(default_factory=list)
    targets: dict[str, bool] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """No promise was broken, and the run says something."""
        return not self.faults and not self.void

    @property
    def kinds(self) -> dict[str, int]:
        """How many faults of each kind."""
        return dict(Counter(fault.kind for fault in self.faults))


class Run:
    """See the module."""

    def __init__(self, ground: Ground, wish: Wish) -> None:
        self.ground = ground
        self.wish = wish
        self.meters = Meters()
        self.dice = random.Random(wish.seed)  # noqa: S311  # people, not secrets
        # Apart, so that how often a server says no changes nothing of the evening.
        self._patience = random.Random(wish.seed)  # noqa: S311
        self.board = Board(self.meters.begun)
        self.people: list[Person] = []
        self.watchers: list[Watcher] = []
        self.verdict = Verdict()
        self.figures: dict[str, Any] = {}
        self.phase = "getting ready"
        self.settle_s = SETTLE_S
        self._means = Means(ground.socket_url, self.meters, [], ground.near)
        self._doing: set[asyncio.Task[Any]] = set()
        self._failure: BaseException | None = None
        self._foreign = (all_s(), ground.cpu_s(), time.process_time(), time.perf_counter())

    # People

    def whole(self, tokens: Iterable[tuple[str, list[str]]]) -> list[Person]:
        """Whole people: (token, channels they talk in) each."""
        made = [
            Person(len(self.people) + number, token, places, self._means)
            for number, (token, places) in enumerate(tokens)
        ]
        self.people += made
        return made

    def lean(self, tokens: Iterable[str]) -> list[Watcher]:
        """People who only watch."""
        first = len(self.watchers)
        made = [
            Watcher(f"watcher {first + number}", token, self.board) for number, token in enumerate(tokens)
        ]
        self.watchers += made
        return made

    async def admit(self, people: Sequence[Person]) -> None:
        """Everybody connects, as fast as they are let in."""
        await self._each(people, self._come)

    async def _come(self, person: Person) -> None:
        await self.again(person.come)

    async def seat(self, watchers: Sequence[Watcher]) -> None:
        """Every watcher connects and has what it missed."""
        numbers = {id(watcher): number for number, watcher in enumerate(self.watchers)}
        await self._each(watchers, lambda watcher: self.sit(watcher, numbers[id(watcher)]))

    async def sit(self, watcher: Watcher, number: int) -> None:
        """A watcher, the run's `number`th, connects and has what it missed."""

        async def once() -> None:
            # Behind the whole people, who have the first addresses.
            await watcher.connect(self.ground.socket_url, self._means.address(len(self.people) + number))
            await watcher.live

        await self.again(once)
        self.meters.counts["connects"] += 1
        self.meters.gauges["live"] = self.meters.gauges.get("live", 0) + 1

    async def again(self, work: Callable[[], Awaitable[None]]) -> None:
        """Try a few times, waiting longer each time: a server that admits so many at once says no to the rest."""
        for number in range(TRIES):
            try:
                await work()
                return
            except OSError:
                if number == TRIES - 1:
                    raise
                await asyncio.sleep(self._patience.uniform(0, min(10.0, 0.5 * 2**number)))

    async def _each(self, items: Sequence[Any], work: Callable[[Any], Awaitable[None]]) -> None:
        gate = asyncio.Semaphore(CONNECTING_AT_ONCE)

        async def one(item: Any) -> None:
            async with gate:
                await work(item)

        await asyncio.gather(*(one(item) for item in items))

    # Time

    def words(self) -> str:
        """Something people say."""
        return " ".join(self.dice.choices(WORDS, k=self.dice.randint(1, 5)))

    def start_clock(self) -> float:
        """The part that is measured begins; the time by the run's clock."""
        self.phase = "running"
        # Thousands of people are millions of objects: looking through all of them took a tenth of a second now and then, which
        # everybody would have measured as the server's.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        return self.meters.now

    async def until(self, due: float) -> None:
        """Wait for a time of the run's clock; late is noted, not made up for."""
        wait = due - self.meters.now
        if wait > 0:
            await asyncio.sleep(wait)
        self.meters.lag(max(0.0, self.meters.now - due))

    async def timetable(
        self, start: float, times: Iterable[float], act: Callable[[float], Awaitable[Any] | None]
    ) -> None:
        """Begin `act(due)` at each of the times, ascending seconds after `start`; none waits for another."""
        for at in times:
            due = start + at
            await self.until(due)
            work = act(due)
            if work is not None:
                self.begin(work)

    def begin(self, work: Awaitable[Any]) -> None:
        """Something that goes on by itself; it is waited for before the oracle is asked."""
        task = asyncio.ensure_future(work)
        self._doing.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._doing.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._failure = self._failure or task.exception()

    async def absent(self, start: float, absences: Iterable[Absence]) -> None:
        """People vanish and come back."""
        for absence in absences:
            await self.until(start + absence.at)
            self.begin(self._away(absence))

    async def _away(self, absence: Absence) -> None:
        person = self.people[absence.person]
        if not person.awake:
            return
        self.meters.counts["trains" if absence.train else "sleeps"] += 1
        (person.board_train if absence.train else person.pocket)()
        await asyncio.sleep(absence.seconds)
        (person.leave_train if absence.train else person.unpocket)()

    async def tick(self, show: Callable[[dict[str, float]], None]) -> None:
        """Once a second: collect, and show."""
        measuring = asyncio.ensure_future(beat(self.meters))
        try:
            while True:
                await asyncio.sleep(1.0)
                self.gather_delays()
                show(self.meters.turn_second())
        finally:
            measuring.cancel()

    def gather_delays(self) -> None:
        """What everybody measured since the last time."""
        watched = self.board.take_delays()
        self.meters.counts["deliveries"] += len(watched)
        self.meters.delivery.add(watched)
        self.meters.delivery.add(self._means.delays)
        self._means.delays.clear()

    # The end

    async def finish(self) -> None:
        """Wait for what was begun, and what that began. Raises what went wrong in it."""
        self.phase = "finishing"
        end = time.monotonic() + self.settle_s
        while self._doing and (left := end - time.monotonic()) > 0:
            await asyncio.wait(set(self._doing), timeout=left)
        if self._failure is not None:
            raise self._failure
        if self._doing:
            # Somebody still speaks: what no history holds yet would be taken for lost.
            what = f"{len(self._doing)} things that people did had not ended after {self.settle_s:g} seconds"
            self.verdict.faults.append(Fault("unanswered", "people", "", 0, what))

    async def judge(self, readers: dict[str, str]) -> None:
        """Ask the oracle; `readers` names for each channel the token of somebody who may read it."""
        self.gather_delays()
        self._note_generator()
        await self._bring_back()
        self.phase = "asking the oracle"
        found = await oracle.histories(self.ground.socket_url, readers)
        tops = {name: history.top for name, history in found.items()}
        end = time.monotonic() + self.settle_s
        while time.monotonic() < end and not self._all_there(tops):  # noqa: ASYNC110  # two thousand ledgers set no event
            await asyncio.sleep(0.1)
        self.gather_delays()
        faults = self.verdict.faults
        for person in self.people:
            account = person.client.connected.get("account", {}).get("id", "")
            faults += oracle.judge_ledger(person.ledger, account, found, settled=person.awake)
        faults += oracle.judge_board(self.board, found)
        faults += oracle.judge_watchers(self.watchers, found)
        self.figures["channels judged"] = len(found)
        self.figures["lines in the histories"] = sum(
            1 for history in found.values() for line in history.lines.values() if line is not None
        )
        self.figures["reloads"] = sum(person.ledger.reloads for person in self.people) + sum(
            w.reloads for w in self.watchers
        )

    async def _bring_back(self) -> None:
        """Watchers whose links were lost: they are to have everything, too."""
        lost = [watcher for watcher in self.watchers if watcher.transport is None]
        if lost:
            self.meters.counts["links lost"] += len(lost)
            self.meters.gauges["live"] -= len(lost)
            await self.seat(lost)

    def _all_there(self, tops: dict[str, int]) -> bool:
        people = all(not person.ledger.settled(tops) for person in self.people if person.awake)
        return people and all(
            at >= tops.get(name.decode(), 0)
            for watcher in self.watchers
            if watcher.transport is not None
            for name, at in watcher.seqs.items()
        )

    def _note_generator(self) -> None:
        before, server, own, at = self._foreign
        wall = time.perf_counter() - at
        own_s, server_s = time.process_time() - own, self.ground.cpu_s() - server
        self.figures["generator busy"] = round(own_s / wall, 3)
        if self.ground.pid:
            self.figures["server busy"] = round(server_s / wall, 3)
            self.figures["server memory MiB"] = round(self.ground.memory_kib() / 1024, 1)
            self.figures["others busy"] = round(max(0.0, all_s() - before - own_s - server_s) / wall, 3)
        worst = max((row["busy"] for row in self.meters.seconds[3:]), default=0.0)
        if self.meters.busy > BUSY_MAX:
            self.verdict.void.append(
                f"the load used {self.meters.busy:.0%} of its core: what it measured is itself"
            )
        self.figures["generator busiest second"] = round(worst, 3)

    async def dismiss(self) -> None:
        """Everybody goes."""
        for watcher in self.watchers:
            watcher.close()
        await self._each(
            [person for person in self.people if person.client.state != "stopped"],
            lambda person: person.leave(),
        )
