"""The scenario `presence`: friends who come, go and look away, while others talk. One of those in `loadtest.people.scenarios`.

Everybody is friends with everybody of their circle, so each sees nine others. What must never happen: some time after the last
change, somebody sees a friend other than they are; somebody who lost a link and came back in time is seen to leave.
"""

from __future__ import annotations

import asyncio
from collections.abc import Set
from typing import Any

import orjson

from loadtest.bench.lean import client_frame
from loadtest.people import schedule
from loadtest.people.ledger import Fault
from loadtest.people.meters import Delays
from loadtest.people.person import Person
from loadtest.people.run import Run
from loadtest.people.watcher import Watcher

TOGGLES_A_PERSON_PER_S = 0.25
RETURNING = 100
COMING_PER_S = 20.0
GRACE_S = 10.0
PACE_S = 5.0
SETTLE_S = 60.0
LAPSE_S = 20.0
IN_TIME_S = 10.0
CHANGED, HEAD_BYTES = b'"ev":"presence.changed"', 80


class Friend(Watcher):
    """Somebody who watches their friends. `account` is who they are, `seen` how they see each friend, and since when (by the
    server's clock); `says` is what they are themselves."""

    __slots__ = ("_seeing", "account", "says", "seen")

    def __init__(self, who: str, token: str, seeing: Seeing) -> None:
        super().__init__(who, token, seeing.run.board)
        self._seeing = seeing
        self.account = ""
        self.says = "online"
        self.seen: dict[str, tuple[str, float]] = {}

    def look(self, *, active: bool) -> None:
        """At the screen, or away from it."""
        if self.transport is not None:
            self.says = "online" if active else "idle"
            told = {"op": "presence.set", "d": {"active": active}}
            self.transport.write(client_frame(orjson.dumps(told)))

    def _joined(self, answer: dict[str, Any]) -> None:
        super()._joined(answer)
        self.account = answer["account"]["id"]
        self.says = "online"

    def _frame(self, payload: bytes, now: float) -> None:
        if CHANGED not in payload[:HEAD_BYTES]:
            super()._frame(payload, now)
            return
        pushed = orjson.loads(payload)
        told, at = pushed["d"], pushed["at"] / 1000
        if told["whole"]:
            self.seen = {account: view for account, view in self.seen.items() if account in told["people"]}
        for account, view in told["people"].items():
            self._seeing.heard(self, account, view["state"], at)


class Seeing:
    """What all friends see of each other, and how long it took."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.circles: list[list[Friend]] = []
        self.came: dict[str, float] = {}
        self.delays = Delays()
        self.changes = 0
        self.hasty = 0
        self.paced = False

    def heard(self, friend: Friend, account: str, state: str, at: float) -> None:
        """Somebody was told of somebody."""
        before = friend.seen.get(account)
        if before is not None and before[0] == state:
            return
        self.changes += 1
        self.hasty += self.paced and before is not None and at - before[1] < PACE_S
        friend.seen[account] = (state, at)
        came = self.came.get(account)
        if came is not None and state == "online" and friend.account != account:
            self.delays.add((self.run.meters.now - came,))

    async def settle(self, gone: Set[str] = frozenset()) -> None:
        """Wait until everybody who is here sees every friend as they are. Who does not see it in the end is a fault."""
        begun = self.run.meters.now
        while (wrong := self._wrong(gone)) and self.run.meters.now - begun < SETTLE_S:  # noqa: ASYNC110  # thousands of views set no event
            await asyncio.sleep(0.1)
        self.run.verdict.faults += wrong

    def _wrong(self, gone: Set[str]) -> list[Fault]:
        return [
            Fault("presence", friend.who, other.account, 0, f"seen {seen}, is {truth}")
            for circle in self.circles
            for friend in circle
            if friend.transport is not None
            for other in circle
            if (seen := friend.seen.get(other.account, ("offline", 0.0))[0])
            != (truth := "offline" if other.account in gone or other.transport is None else other.says)
        ]


async def presence(run: Run) -> None:
    """A third quiet, a third in which everybody looks away and back, a third in which some go and come; people talk all along."""
    seeing = Seeing(run)
    talkers = await _seat(run, seeing)
    start, third = run.start_clock(), run.wish.seconds / 3
    heard: list[float] = []
    for person in talkers:
        person.aside = heard
    times = schedule.steady(run.wish.rate, run.wish.seconds)
    run.begin(
        run.timetable(
            start, times, lambda due: (p := run.dice.choice(talkers)).say(p.places[0], run.words(), due)
        )
    )
    quiet, storm, coming = Delays(), Delays(), Delays()
    for number, (delays, act) in enumerate(((quiet, None), (storm, _storm), (coming, _go_and_come))):
        cpu = run.ground.cpu_s()
        if act is not None:
            run.begin(act(run, seeing, third))
        await run.until(start + (number + 1) * third)
        delays.add(heard)
        heard.clear()
        if run.ground.pid:
            run.figures[f"server busy, {('quiet', 'toggling', 'coming')[number]}"] = round(
                (run.ground.cpu_s() - cpu) / third, 3
            )
    await run.finish()
    gone = await _strike(run, seeing) if run.wish.kill_at else set()
    await seeing.settle(gone)
    _tell(run, seeing, quiet, storm)
    await run.judge({place: person.token for person in talkers for place in person.places})


async def _seat(run: Run, seeing: Seeing) -> list[Person]:
    """Everybody comes; the first circles are whole people, who talk."""
    circles = run.ground.circles
    whole = max(1, min(run.wish.whole, run.wish.people // 5) // len(circles[0].tokens))
    talkers = run.whole(
        (token, [f"room:{room}" for room in circle.rooms])
        for circle in circles[:whole]
        for token in circle.tokens
    )
    for circle in circles[whole:]:
        first = len(run.watchers)
        friends = [
            Friend(f"friend {first + number}", token, seeing) for number, token in enumerate(circle.tokens)
        ]
        run.watchers += friends
        seeing.circles.append(friends)
    await run.admit(talkers)
    await run.seat(run.watchers)
    await seeing.settle()
    seeing.paced = True
    return talkers


async def _storm(run: Run, seeing: Seeing, seconds: float) -> None:
    """Everybody looks away and back, each by themselves."""
    everybody = [friend for circle in seeing.circles for friend in circle]
    start = run.meters.now
    run.meters.mark("everybody looks away and back")
    rate = TOGGLES_A_PERSON_PER_S * len(everybody)
    for at in schedule.talk(run.dice, rate, seconds - 1.0):
        await run.until(start + at)
        friend = run.dice.choice(everybody)
        friend.look(active=friend.says == "idle")
        run.meters.counts["toggles"] += 1


async def _go_and_come(run: Run, seeing: Seeing, seconds: float) -> None:
    """Some hang up, are gone when their grace is over, and come back one after the other."""
    everybody = [
        (number, friend)
        for number, friend in enumerate(run.watchers)
        if isinstance(friend, Friend) and friend.transport is not None
    ]
    chosen = run.dice.sample(everybody, min(RETURNING, len(everybody) // 4))
    for _, friend in chosen:
        friend.close()
    run.meters.mark(f"{len(chosen)} leave")
    run.meters.gauges["live"] -= len(chosen)
    await asyncio.sleep(GRACE_S + 2 * PACE_S + 2.0)
    run.meters.mark("they come back")
    for number, friend in chosen:
        await run.sit(friend, number)
        seeing.came[friend.account] = run.meters.now
        await asyncio.sleep(1 / COMING_PER_S)
    await asyncio.sleep(2.0)
    seeing.came.clear()


async def _strike(run: Run, seeing: Seeing) -> set[str]:
    """A node dies; of those on it one half comes back elsewhere at once, the others never do."""
    run.meters.mark(f"kill -9 of a node ({run.ground.kill_one()})")
    struck = run.meters.now
    await asyncio.sleep(0.5)
    here = [(number, each) for number, each in enumerate(run.watchers) if isinstance(each, Friend)]
    lost = [(number, friend) for number, friend in here if friend.transport is None]
    before = {id(friend): dict(friend.seen) for _, friend in here if friend.transport is not None}
    back, away = lost[::2], {friend.account for _, friend in lost[1::2]}
    await asyncio.gather(*(run.sit(friend, number) for number, friend in back))
    in_time = {friend.account for _, friend in back} if run.meters.now - struck < IN_TIME_S else set()
    await seeing.settle(away)
    right_s = run.meters.now - struck
    run.figures["people on the node that died"] = len(lost)
    run.figures["right everywhere after s"] = round(right_s, 1)
    run.verdict.targets[f"right everywhere within {LAPSE_S:.0f} s of a node's death"] = right_s <= LAPSE_S
    for _, friend in here:
        for account, view in before.get(id(friend), {}).items():
            # Whoever was away from the screen is at it now.
            if account in in_time and view[0] == "online" and friend.seen.get(account) != view:
                what = f"came back in time, and was seen {friend.seen.get(account)}"
                run.verdict.faults.append(Fault("flapping", friend.who, account, 0, what))
    return away


def _tell(run: Run, seeing: Seeing, quiet: Delays, storm: Delays) -> None:
    figures, targets = run.figures, run.verdict.targets
    figures["come → seen, ms"] = seeing.delays.quantiles_ms()
    figures["lines in the quiet, ms"] = quiet.quantiles_ms()
    figures["lines while all toggle, ms"] = storm.quantiles_ms()
    figures["changes seen"] = seeing.changes
    p99, then = quiet.quantiles_ms().get("p99", 0.0), storm.quantiles_ms().get("p99", 0.0)
    targets["nobody is seen to change twice in 5 s"] = seeing.hasty == 0
    targets["seen by a friend: p99 ≤ 1 s"] = seeing.delays.quantiles_ms().get("p99", 0.0) <= 1000.0
    targets["lines' p99 while all toggle ≤ max(2 ×, +20 ms)"] = then <= max(2 * p99, p99 + 20)
