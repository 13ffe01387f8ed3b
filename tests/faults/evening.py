"""People who talk in one room until they are told to stop, whatever happens to the servers; and what they made of it.

Every test of `tests/faults` spends one evening: gates on acknowledgements, strikes, gates again, ends it, and looks at
the history. What always holds: a line is said under one nonce until it is acknowledged; whoever listens writes down all
they were handed; `end` reads the room by page and judges the history with every checker.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import urllib.request
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from channels import accounts
from channels.accounts import NewAccount
from channels.desk import Desk
from gateway.offline import with_desk
from loadtest.client import Client, Options, ServerRefusal
from realtime.settings import Settings
from tests.faults.history import History, faults_of
from tests.faults.vfs import Harms
from tests.support.server import ServerProcess, free_port
from tests.support.waiting import until, until_async

FULL = os.environ.get("TSUDOI_FAULTS") == "full"
PACE = 1.0 if FULL else 5.0
"""What takes long is this much shorter in the ordinary run."""

DEADLINE_S = 60.0
OPEN = {
    "TSUDOI_OPERATIONS_PER_S": "100000",
    "TSUDOI_OPERATIONS_BURST": "100000",
    "TSUDOI_REFUSALS_PER_10S_MAX": "100000",
    "TSUDOI_HANDSHAKES_PER_ADDRESS_PER_S": "100000",
    "TSUDOI_HANDSHAKES_PER_ADDRESS_BURST": "100000",
}


def paced(seconds: float) -> float:
    """So long at full length."""
    return seconds / PACE


class Gateway(ServerProcess):
    """A server with faults within reach and its counters to be read. It keeps its ports over restarts."""

    def __init__(self, env: Mapping[str, str], place: Path) -> None:
        self.harms = Harms(place)
        self._metrics_port = free_port()
        given = {**OPEN, "FAULTS": str(place), "TSUDOI_METRICS_PORT": str(self._metrics_port), **env}
        super().__init__(given, module="tests.faults.launcher")
        self.settings = Settings.from_env({**given, "TSUDOI_DATA": str(self.data)})

    async def counters(self) -> dict[str, float]:
        """All counters, by name (and labels, as the page writes them)."""
        text = await asyncio.to_thread(self._page)
        rows = [line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#")]
        return {name: float(value) for name, value in rows}

    def _page(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._metrics_port}/metrics", timeout=10) as answer:
            return str(answer.read().decode())

    async def counted(self, name: str, least: float = 1.0) -> float:
        """Wait until a counter has come to `least`."""
        found = 0.0

        async def enough() -> bool:
            nonlocal found
            found = (await self.counters()).get(name, 0.0)
            return found >= least

        await until_async(enough, f"{name} comes to {least}")
        return found

    def files(self) -> int:
        """How many files and sockets the process holds open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def holds(self, port: int) -> bool:
        """Whether the process still has a socket to this port of ours."""
        end = f"0100007F:{port:04X}"
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        inodes = {f"socket:[{row[9]}]" for row in rows if row[2] == end}
        place = Path(f"/proc/{self.pid}/fd")
        for name in os.listdir(place):
            with contextlib.suppress(OSError):
                if str((place / name).readlink()) in inodes:
                    return True
        return False

    def complaints(self) -> list[str]:
        """What it has logged that production would look into: errors, and any trace."""
        found = []
        for line in self.log_text().splitlines():
            try:
                level = json.loads(line)["level"]
            except (ValueError, KeyError, TypeError):
                level = "error" if "Traceback" in line else ""
            if level in ("error", "critical") or "Traceback" in line:
                found.append(line)
        return found

    async def people(self, *handles: str) -> list[NewAccount]:
        """New accounts that follow each other, made beside the server."""

        async def work(desk: Desk) -> list[NewAccount]:
            found = [
                await desk.db.write(lambda tx, h=h: accounts.create_account(tx, h, h, "test"))
                for h in handles
            ]
            for a in handles:
                for b in handles:
                    if a != b:
                        await desk.db.write(lambda tx, a=a, b=b: accounts.follow(tx, a, b))
            return found

        return await asyncio.to_thread(with_desk, self.settings, work)


@dataclass
class Person:
    """Someone with a client that stays."""

    account: NewAccount
    client: Client
    talking: asyncio.Task[None] | None = None
    refused: dict[str, int] = field(default_factory=dict)

    @property
    def handle(self) -> str:
        """Their name in the history."""
        return self.account.account.handle

    @property
    def holes(self) -> int:
        """How often a channel did not go on by one, which its client put right by itself."""
        return self.client._core.streams.holes


class Evening:
    """See the module. Made by `evening`."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.people: list[Person] = []
        self.room = ""
        # Nobody who is away for as long as a client may wait misses more than a resume holds (1,000 entries).
        self.pause_s = 0.1 if FULL else 0.01
        self._stopped = False
        self.lives = 0

    @property
    def channel(self) -> str:
        """The room's channel."""
        return f"room:{self.room}"

    async def begin(self, accounts: Sequence[NewAccount], urls: Sequence[str]) -> None:
        """Everybody connects, the first one makes the room, all hear it."""
        for account, url in zip(accounts, urls, strict=True):
            person = Person(account, Client(url, account.token))
            person.client = Client(url, account.token, options=self._options(person))
            self.people.append(person)
            await person.client.open()
        others = [account.account.id for account in accounts[1:]]
        made = await self.people[0].client.send("room.create", title="集い", accounts=others, nonce="evening")
        self.room = made["id"]
        for person in self.people:
            await person.client.until(lambda p=person: self.channel in p.client.ear.positions)
            self.history.note("listens", who=person.handle)

    def _options(self, person: Person) -> Options:
        def told(item: tuple[Any, ...]) -> None:
            match item:
                case ("event", {"ev": "message.created", "ch": ch, "seq": seq, "d": d}) if ch == self.channel:
                    self.history.note("heard", who=person.handle, seq=seq, text=d["message"]["text"])
                case ("reload", ch, seq) if ch == self.channel:
                    self.history.note("reload", who=person.handle, seq=seq)
                case ("live", {"stale": stale}):
                    self.lives += 1
                    if self.room and self.channel in stale:
                        at = person.client.ear.positions[self.channel]
                        self.history.note("reload", who=person.handle, seq=at)

        return Options(stay=True, told=told, remember=True)

    def talk(self) -> None:
        """From now on everybody talks."""
        for person in self.people:
            person.talking = asyncio.create_task(self._talk(person))

    async def _talk(self, person: Person) -> None:
        number = 0
        while not self._stopped:
            number += 1
            await self.say(person, f"{person.handle} {number}")
            await asyncio.sleep(self.pause_s)

    async def say(self, person: Person, text: str) -> dict[str, Any]:
        """One line, under one nonce until it is acknowledged."""
        self.history.note("say", who=person.handle, text=text)
        while True:
            try:
                sent = await person.client.send("room.send", room=self.room, text=text, nonce=text[-64:])
            except ServerRefusal as refusal:
                person.refused[refusal.code] = person.refused.get(refusal.code, 0) + 1
                if refusal.code not in ("unavailable", "internal", "rate_limited"):
                    raise
                continue
            self.history.note("ack", who=person.handle, text=text, seq=sent["seq"], message=sent["message"])
            return dict(sent)

    async def acked(self, more: int) -> None:
        """Wait until so many more lines are acknowledged."""
        goal = self.history.acked + more
        await until(lambda: self._sound() and self.history.acked >= goal, f"{more} more", DEADLINE_S)

    def _sound(self) -> bool:
        for person in self.people:
            if person.talking is not None and person.talking.done():
                person.talking.result()
            assert person.client.state != "refused", person.client.failure
        return True

    async def end(self) -> list[dict[str, Any]]:
        """Everybody finishes their line; all hear everything; the history is sound. Returns it."""
        self._stopped = True
        async with asyncio.timeout(DEADLINE_S):
            await asyncio.gather(*(person.talking for person in self.people if person.talking is not None))
        top = (await self.people[0].client.call("room.get", room=self.room))["seq"]
        for person in self.people:
            await until(
                lambda p=person: p.client.ear.positions.get(self.channel, 0) >= top,
                f"{person.handle} hears all up to {top}",
                DEADLINE_S,
            )
        self.history.note("read", lines=await self.read())
        events = self.history.events()
        assert self.history.acked > 0
        assert faults_of(events) == [], f"see {self.history.path}"
        return events

    async def read(self) -> list[list[Any]]:
        """The whole room by page."""
        found: list[list[Any]] = []
        after, more = 0, True
        while more:
            page = await self.people[0].client.call("message.list", room=self.room, after=after, limit=100)
            found += [[m["seq"], m["text"], m["id"]] for m in page["messages"] if m["text"] is not None]
            more = page["more_after"]
            after = page["messages"][-1]["seq"] if page["messages"] else after
        return found

    async def leave(self) -> None:
        """Everybody goes home."""
        self._stopped = True
        for person in self.people:
            if person.talking is not None:
                person.talking.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await person.talking
            await person.client.close()


@asynccontextmanager
async def evening(gateways: Sequence[Gateway], urls: Sequence[str], place: Path) -> AsyncIterator[Evening]:
    """An evening of one person per address in `urls`, already talking."""
    spent = Evening(History(place / "history.jsonl"))
    handles = ["aki", "haru", "mio", "ken", "nao"][: len(urls)]
    try:
        await spent.begin(await gateways[0].people(*handles), urls)
        spent.talk()
        yield spent
    finally:
        await spent.leave()
