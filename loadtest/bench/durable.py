"""Messages acknowledged after fsync and delivered to groups of ten: the durable path whole (docs/benchmarks.md).

Each of the groups has one sender with one message on its way, so as many messages as there are groups wait at any
moment (a closed loop). Everybody's copy is counted and every seq is checked.
"""

from __future__ import annotations

import asyncio
import itertools

from loadtest.bench.figures import Row, percentile
from loadtest.bench.lean import Lean, dial
from loadtest.bench.machine import watched
from loadtest.serving import Circle, Server

GROUP = 10
SENDERS = 64
WARM_S = 2.0
SETTLE_S = 5.0

EMBEDDED = (
    Row("acknowledged", "messages/s", ">= 5,000"),
    Row("ack p50", "ms"),
    Row("ack p99", "ms", "<= 25"),
    Row("delivered p50", "ms"),
    Row("delivered p99", "ms"),
    Row("server CPU", "µs/message", "<= 300"),
    Row("generator", "% of a core"),
)
CLUSTERED = tuple(
    Row(row.name, row.unit, {"acknowledged": ">= 4,000", "ack p99": "<= 40"}.get(row.name, ""))
    for row in EMBEDDED
)


class Group:
    """One room, its people, and when each seq was sent."""

    def __init__(self, room: str) -> None:
        self.room = room.encode()
        self.members: list[Lean] = []
        self.sent_at: dict[int, float] = {}
        self.acks: list[float] = []
        self.delays: list[float] = []
        self.said = 0
        self.measuring = False
        self._own: asyncio.Future[None] | None = None
        self._own_seq = 0

    def deliver(self, room: bytes, seq: int, now: float) -> None:
        """One member's copy."""
        own = self._own
        if own is not None and not own.done() and self.members[0].seqs[room] >= self._own_seq:
            own.set_result(None)
        if self.measuring:
            at = self.sent_at.get(seq)
            if at is not None:
                self.delays.append(now - at)

    async def _heard(self, sender: Lean, seq: int) -> None:
        """The sender's own copy, which may come after the answer."""
        self._own = asyncio.get_running_loop().create_future()
        self._own_seq = seq
        if sender.seqs[self.room] < seq:
            await self._own
        self._own = None

    async def talk(self, stop: asyncio.Event) -> None:
        """Say one line after the other; in its room nobody else speaks, so the next seq is known."""
        sender = self.members[0]
        for number in itertools.count():
            if stop.is_set():
                return
            body = b'{"room":"%s","nonce":"%s-%x","text":"%s %d"}' % (
                self.room,
                sender.name,
                number,
                b"hello " * 4,
                number,
            )
            begun = sender.now()
            self.sent_at[sender.seqs[self.room] + 1] = begun
            answer = await sender.ask("room.send", body)
            if "error" in answer:
                raise RuntimeError(answer["error"]["message"])
            if self.measuring:
                self.acks.append(sender.now() - begun)
            self.said += 1
            if sender.seqs[self.room] < answer["ok"]["seq"]:
                await self._heard(sender, answer["ok"]["seq"])


async def run(
    server: Server, circles: list[Circle], seconds: float
) -> tuple[dict[str, float], list[str], list[str]]:
    """One run: values, doubts, faults."""
    groups = [Group(circle.rooms[0]) for circle in circles]
    for group, circle in zip(groups, circles, strict=True):
        dials = (dial(server.url, token, group.deliver) for token in circle.tokens)
        group.members = await asyncio.gather(*dials)
    stop = asyncio.Event()
    begun = {group: dict.fromkeys(range(len(group.members)), 0) for group in groups}
    for group in groups:
        for number, member in enumerate(group.members):
            begun[group][number] = member.seqs[group.room]
    talks = [asyncio.create_task(group.talk(stop)) for group in groups]
    await asyncio.sleep(WARM_S)
    for group in groups:
        group.measuring = True
    before = sum(group.said for group in groups)
    with watched([server.pid]) as usage:
        await asyncio.sleep(seconds)
    said = sum(group.said for group in groups) - before
    stop.set()
    await asyncio.gather(*talks)
    faults = await _settled(groups, begun)
    for group in groups:
        for member in group.members:
            member.close()
    acks = sorted(itertools.chain.from_iterable(group.acks for group in groups))
    delays = sorted(itertools.chain.from_iterable(group.delays for group in groups))
    values = {
        "acknowledged": said / usage.wall_s,
        "ack p50": percentile(acks, 0.5) * 1e3,
        "ack p99": percentile(acks, 0.99) * 1e3,
        "delivered p50": percentile(delays, 0.5) * 1e3,
        "delivered p99": percentile(delays, 0.99) * 1e3,
        "server CPU": usage.server_s / max(1, said) * 1e6,
        "generator": usage.generator_s / usage.wall_s * 100,
    }
    return values, usage.doubts, faults


async def _settled(groups: list[Group], begun: dict[Group, dict[int, int]]) -> list[str]:
    """Everybody must come to have everything; what is wrong."""
    end = asyncio.get_running_loop().time() + SETTLE_S
    waiting = True
    while waiting and asyncio.get_running_loop().time() < end:
        await asyncio.sleep(0.05)
        waiting = any(
            member.seqs[group.room] - begun[group][n] != group.said
            for group in groups
            for n, member in enumerate(group.members)
        )
    faults = [fault for group in groups for member in group.members for fault in member.faults]
    if waiting:
        faults.append("not every line reached everybody")
    return faults
