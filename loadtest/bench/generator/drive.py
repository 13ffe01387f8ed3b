"""The runs: at a fixed rate, or as fast as the server delivers.

Used by the program alone. At a fixed rate the plan does not wait for the server: an event carries the time at which it was
due, so a server (or generator) that stalls pays for the whole stall in its delays. `blast` keeps `window` events on their way.
"""

from __future__ import annotations

import random
import select
import time
from dataclasses import dataclass, field
from typing import Any

from loadtest.bench.figures import percentile
from loadtest.bench.generator.links import BINARY, Link, Links
from loadtest.bench.generator.options import Options
from loadtest.bench.generator.tally import Tally
from loadtest.bench.generator.template import Template
from loadtest.bench.machine import all_s, family, memory_kib, process_s

TURN_NS = 5_000_000
CATCH_UP_MAX = 64
DRAIN_S = 5.0
LATE_S = 0.1
STALL_NS = 3_000_000_000


@dataclass(slots=True)
class Moment:
    """Counters at one moment; the difference of two is what a run reports."""

    at: float
    received: int
    published: int
    reads: int
    bytes_in: int
    server_s: float
    own_s: float
    all_s: float


@dataclass(slots=True)
class Course:
    """What goes on during a run."""

    published: int = 0
    expected: int = 0
    sent: list[int] = field(default_factory=list)
    lag_ns: int = 0
    stalls: int = 0


class Drive:
    """One run over links that are ready."""

    def __init__(self, options: Options, links: Links, chance: random.Random) -> None:
        self._options = options
        self._links = links
        self._chance = chance
        self.tally = Tally(options, links, chance)
        self.course = Course(sent=[0] * options.groups)
        self._members: list[list[Link]] = [[] for _ in range(options.groups)]
        for link in links.all:
            if not link.publisher and link.ready:
                self._members[link.speaker.group].append(link)
        self._publishers = [link for link in links.all if link.publisher]
        self._poll_fd = [links.epoll.fileno()]
        self._beats = 0
        self._begun = time.perf_counter()
        self._pids: list[int] = options.pids
        # When the next event is due; when something arrived last, and how much had.
        self._next_ns = 0
        self._moved = (0, 0)

    def look(self, wait_ns: int) -> None:
        """Wait for at most so long, then take what is there. `epoll` alone waits whole milliseconds."""
        if wait_ns > 0:
            select.select(self._poll_fd, (), (), wait_ns / 1e9)
        self.tally.receive(self._links.epoll.poll(0))
        if self._options.beat_every:
            self._beat()

    def _beat(self) -> None:
        """Heartbeats, spread over all connections."""
        options = self._options
        due = int((time.perf_counter() - self._begun) / options.beat_every * options.n)
        while self._beats < due:
            link = self._links.all[self._beats % options.n]
            self._beats += 1
            if link.ready and not link.dead:
                self._links.send(link, Template(options.beat, link.speaker).make())

    def rest(self, seconds: float) -> None:
        """Only look, for some time."""
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            self.look(TURN_NS)

    def moment(self) -> Moment:
        """The counters now."""
        server = sum(process_s(pid) for root in self._pids for pid in family(root))
        tally = self.tally
        own = time.process_time()
        return Moment(
            time.perf_counter(),
            tally.received,
            self.course.published,
            tally.reads,
            tally.bytes_in,
            server,
            own,
            all_s(),
        )

    def publish(self, due_ns: int) -> None:
        """One event, as of the time it was due."""
        course, options = self.course, self._options
        number = course.published + 1
        group = self._chance.randrange(options.groups) if options.groups > 1 else 0
        speaker = self._speaker(number, group)
        course.published = number
        if speaker is None:
            return
        course.sent[group] += 1
        course.expected += len(self._members[group])
        self.tally.ids[number] = (group, course.sent[group])
        if speaker.pub is None:
            speaker.pub = Template(options.pub, speaker.speaker, options.pad)
        payload = speaker.pub.make(number, due_ns)
        self._links.send(speaker, payload, BINARY if options.pub_bin else 1)

    def _speaker(self, number: int, group: int) -> Link | None:
        if self._options.self_pub:
            members = self._members[group]
            speaker = self._chance.choice(members) if members else None
        else:
            speaker = self._publishers[number % len(self._publishers)]
        return speaker if speaker is not None and not speaker.dead else None

    def run(self) -> tuple[Moment, Moment]:
        """Warm up, measure, then wait until all has come or cannot come any more."""
        options = self._options
        self.rest(options.settle)
        turn = self._rate_turn if options.mode == "rate" else self._blast_turn
        start = time.monotonic_ns()
        self._next_ns, self._moved = start, (start, 0)
        warm_ns = start + int(options.warm * 1e9)
        while time.monotonic_ns() < warm_ns:
            turn()
        self.tally.measuring = True
        self.course.lag_ns = 0
        begin = self.moment()
        end_ns = time.monotonic_ns() + int(options.secs * 1e9)
        while time.monotonic_ns() < end_ns and self._links.ready:
            turn()
        end = self.moment()
        self.tally.measuring = False
        self._drain()
        return begin, end

    def _rate_turn(self) -> None:
        options, course = self._options, self.course
        step = int(1e9 / options.rate * options.burst)
        now = time.monotonic_ns()
        for _ in range(CATCH_UP_MAX):
            if self._next_ns > now:
                break
            course.lag_ns = max(course.lag_ns, now - self._next_ns)
            for _ in range(options.burst):
                self.publish(self._next_ns)
            self._next_ns += step
        self.look(min(TURN_NS, self._next_ns - time.monotonic_ns()))

    def _blast_turn(self) -> None:
        course, tally = self.course, self.tally
        room = max(1, self._options.group_size or self._options.n)
        while course.expected - tally.received < self._options.window * room:
            before = course.expected
            self.publish(time.monotonic_ns())
            if course.expected == before:
                break
        self.look(TURN_NS)
        now = time.monotonic_ns()
        if tally.received != self._moved[1]:
            self._moved = (now, tally.received)
        elif now - self._moved[0] > STALL_NS:
            course.stalls += 1
            course.expected = tally.received
            self._moved = (now, tally.received)

    def _drain(self) -> None:
        end = time.perf_counter() + DRAIN_S
        while self.tally.received < sum(
            sent * len(members) for sent, members in zip(self.course.sent, self._members, strict=True)
        ):
            if time.perf_counter() > end or not self._links.ready:
                break
            self.look(TURN_NS)
        self.rest(LATE_S)


def measure(options: Options, chance: random.Random) -> dict[str, Any]:
    """A whole run: everybody in, the load, and what was found, under the names that docs/benchmarks.md lists."""
    links = Links(options)
    memory = _memory(options)
    begun = time.perf_counter()
    server_before = sum(process_s(pid) for root in options.pids for pid in family(root))
    links.open_all()
    entered = time.perf_counter() - begun
    server_s = sum(process_s(pid) for root in options.pids for pid in family(root)) - server_before
    if not links.ready:
        return {"label": options.label, "error": f"no connection came in: {links.first_fault}"}
    dead = links.dead
    drive = Drive(options, links, chance)
    drive.rest(options.settle)
    with_all = _memory(options)
    begin, end = drive.run()
    took = sorted(links.took)
    count = max(1, len(links.all) - dead)
    return {
        "label": options.label,
        "n": options.n,
        "mode": options.mode,
        "groups": options.groups,
        "ready": count,
        "dead": links.dead,
        "fault": links.first_fault,
        "connects_per_s": count / entered,
        "hs_ms_p50": percentile(took, 0.5) * 1e3,
        "hs_ms_p99": percentile(took, 0.99) * 1e3,
        "srv_us_per_conn": server_s / count * 1e6,
        "pss_kib_per_conn": (with_all - memory) / count,
        "pss0": memory,
        "pss1": with_all,
        "pss2": _memory(options),
        **_figures(drive, begin, end),
    }


def _memory(options: Options) -> int:
    return sum(memory_kib(pid) for root in options.pids for pid in family(root))


def _figures(drive: Drive, begin: Moment, end: Moment) -> dict[str, Any]:
    tally, course = drive.tally, drive.course
    secs = max(1e-9, end.at - begin.at)
    delivered = end.received - begin.received
    server_s, own_s = end.server_s - begin.server_s, end.own_s - begin.own_s
    missing, extra = tally.missing(course.sent)
    delays = sorted(tally.delays_ns)
    shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999, "max": 1.0}
    return {
        "secs": secs,
        "deliveries": delivered,
        "deliv_per_s": delivered / secs,
        "msgs_per_s": (end.published - begin.published) / secs,
        "mb_per_s": (end.bytes_in - begin.bytes_in) / secs / 1e6,
        "reads_per_s": (end.reads - begin.reads) / secs,
        "lat_us": {
            name: percentile(delays, share) / 1e3 if delays else 0.0 for name, share in shares.items()
        },
        "lat_samples": len(delays),
        "missing": missing,
        "dup": tally.doubles,
        "extra": extra,
        "reord": tally.disorder,
        "wrong": tally.wrong,
        "stalls": course.stalls,
        "srv_cpu_pct": server_s / secs * 100,
        "srv_us_per_deliv": server_s / delivered * 1e6 if delivered else 0.0,
        "gen_cpu_pct": own_s / secs * 100,
        "maxlag_ms": course.lag_ns / 1e6,
        "foreign_pct": max(0.0, end.all_s - begin.all_s - server_s - own_s) / secs * 100,
    }
