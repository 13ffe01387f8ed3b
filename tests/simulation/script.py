"""What people do and what befalls the world in a run: both from the seed.

Texts begin with their nonce and are unique in a run, so that each can be found wherever it turns up.
"""

from __future__ import annotations

import asyncio
from typing import Any

from tests.simulation.cluster import Cluster
from tests.simulation.devices import Device
from tests.simulation.history import History
from tests.simulation.posting import Posting
from tests.simulation.seeing import Looking
from tests.simulation.world import CRASHES, EVENTS, MISHAPS, World

ACTS_S = (6.0, 14.0)
PAUSE_S = (0.005, 0.15)
SLIP_S = (0.005, 0.12)
FADE_S = (4.0, 8.0)
BURST = 40
CHANCES = {
    "database busy": 0.02,
    "database read error": 0.08,
    "database full": 0.02,
    "queue full": 0.01,
    "slow read": 0.5,
    "parcel lost": 0.2,
    "parcel doubled": 0.15,
    "parcel late": 0.2,
    "slow link": 0.05,
}
SPANS_S = (0.5, 5.0)


class People:
    """Everybody who takes part, and what they do next. `places` are groups and communities; `pairs` DMs by both accounts."""

    def __init__(
        self,
        cluster: Cluster,
        history: History,
        devices: list[Device],
        places: tuple[list[str], list[str]],
    ) -> None:
        self.cluster = cluster
        self.world = cluster.world
        self.history = history
        self.devices = devices
        self.groups, communities = places
        self.pairs: dict[tuple[str, str], str] = {}
        self.accounts = list(dict.fromkeys(device.account for device in devices))
        self._count = 0
        self.looking = Looking(self.world)
        self.posting = Posting(self.world, history, (self.accounts, communities), self.nonce)

    def nonce(self) -> str:
        """A new one."""
        self._count += 1
        return f"m{self._count}"

    def act(self) -> None:
        """Somebody does something."""
        chance = self.world.random
        acts = (
            (self.say, 30),
            (self.say_privately, 12),
            (self.delete, 8),
            (self.twice, 3),
            (self.burst, 2),
            (self.leave, 4),
            (self.read, 6),
            (self.open, 3),
            (self.add, 8),
            (self.block, 3),
            (self.unblock, 3),
            (self.revoke, 2),
            (self.go, 5),
            (self.slip, 8),
            (self.fade, 2),
            (self.suspect_hole, 3),
            *self.posting.acts(),
            *self.looking.acts(),
        )
        work = chance.choices([act for act, _ in acts], [weight for _, weight in acts])[0]
        device = chance.choice(self.devices)
        self.world.note(device.name, "does", work.__name__)
        work(device)

    # Words

    def _words(self, device: Device, room: str, size: int = 0) -> dict[str, Any]:
        nonce = self.nonce()
        return {"room": room, "nonce": nonce, "text": f"{nonce} " + "あ" * (size or 3)}

    def _told(self, device: Device, d: dict[str, Any]) -> Any:
        return lambda result: self.history.said(device.account, d, result)

    def say(self, device: Device) -> None:
        """In a group."""
        d = self._words(device, self.world.random.choice(self.groups))
        device.send("room.send", d, self._told(device, d))

    def say_privately(self, device: Device) -> None:
        """To one other person."""
        other = self.world.random.choice([a for a in self.accounts if a != device.account])
        room = self.pairs.get((device.account, other))
        if room is not None:
            d = self._words(device, room)
            device.send("room.send", d, self._told(device, d))

    def twice(self, device: Device) -> None:
        """The same on all devices of an account at once."""
        d = self._words(device, self.world.random.choice(self.groups))
        for each in self.devices:
            if each.account == device.account:
                each.call("room.send", d, self._told(each, d))

    def burst(self, device: Device) -> None:
        """Many long lines at once."""
        room = self.world.random.choice(self.groups)
        for _ in range(BURST):
            d = self._words(device, room, 80)
            device.call("room.send", d, self._told(device, d))

    def read(self, device: Device) -> None:
        """Up to where the device stands: told to one's own devices only, and kept nowhere."""
        room = self.world.random.choice(self.groups)
        seq = device.core.streams.positions.get(f"room:{room}")
        if seq is not None:
            device.call("room.read", {"room": room, "seq": seq})

    def open(self, device: Device) -> None:
        """The DM with anybody; where follows have ended since, the first word is a request."""
        account = device.account
        other = self.world.random.choice([a for a in self.accounts if a != account])

        def told(room: Any) -> None:
            if room is not None:
                self.pairs[account, other] = self.pairs[other, account] = room["id"]

        device.call("room.open", {"account": other}, told)

    def delete(self, device: Device) -> None:
        """One of one's own lines."""
        mine = [
            results[0]["message"]
            for (account, _), results in self.history.acks.items()
            if account == device.account and results[0]["message"] not in self.history.deleted
        ]
        if mine:
            message = self.world.random.choice(mine[-6:])
            device.call("message.delete", {"message": message}, lambda done: self._deleted(message, done))

    def _deleted(self, message: str, done: Any) -> None:
        if done is not None:
            self.history.deleted.setdefault(message, self.world.now())

    # Rooms and relations

    def leave(self, device: Device) -> None:
        """A group."""
        room = self.world.random.choice(self.groups)

        def told(done: Any) -> None:
            if done is not None:
                self.history.left[device.account, f"room:{room}"].append(self.world.now())

        device.call("room.leave", {"room": room}, told)

    def add(self, device: Device) -> None:
        """Somebody to a group."""
        other = self.world.random.choice([a for a in self.accounts if a != device.account])
        room = self.world.random.choice(self.groups)
        device.send("room.add", {"room": room, "accounts": [other], "nonce": self.nonce()})

    def block(self, device: Device) -> None:
        """Somebody."""
        other = self.world.random.choice([a for a in self.accounts if a != device.account])
        account, asked = device.account, self.world.now()

        def told(done: Any) -> None:
            if done is not None:
                self.history.blocked(account, other, asked)

        device.call("block.add", {"account": other}, told)

    def unblock(self, device: Device) -> None:
        """Somebody."""
        marks = [pair for pair in self.history.blocks if pair[0] == device.account]
        if marks:
            account, other = self.world.random.choice(marks)

            def told(done: Any) -> None:
                if done is not None:
                    self.history.unblocked(account, other)

            device.call("block.remove", {"account": other}, told)

    # Devices

    def revoke(self, device: Device) -> None:
        """The session of one's other device."""
        others = [d for d in self.devices if d.account == device.account and d is not device]
        if not others or others[0].session in self.history.revoked:
            return
        session = others[0].session
        self.history.revoking.add(session)

        def told(done: Any) -> None:
            if done is not None:
                self.history.revoked.setdefault(session, self.world.now())

        device.call("session.revoke", {"session": session}, told)

    def go(self, device: Device) -> None:
        """Offline, or online again."""
        if device.core.state == "stopped":
            device.start()
        elif device.core.state != "refused":
            device.stop()

    def slip(self, device: Device) -> None:
        """Come back, while one's other device leaves a group."""
        others = [d for d in self.devices if d.account == device.account and d is not device]
        if others and device.live:
            device.stop()
            device.start()
            self.world._loop.call_later(self.world.between(SLIP_S), self.leave, others[0])

    def fade(self, device: Device) -> None:
        """Stop reading, while somebody says much and one's other device leaves."""
        others = [d for d in self.devices if d.account == device.account and d is not device]
        if others and device.live and device.connection is not None:
            link, call_later = device.connection.link, self.world._loop.call_later
            link.stall(True)
            self.world.count("reader stalled")
            call_later(self.world.between(FADE_S), link.stall, False)
            for room in self.groups:
                for _ in range(12):
                    d = self._words(device, room, 60)
                    others[0].call("room.send", d, self._told(device, d))
                call_later(self.world.between(SLIP_S), self.leave, others[0])

    def suspect_hole(self, device: Device) -> None:
        """Ask for the rest of a channel."""
        names = list(device.core.streams.positions)
        if names:
            device.sync(self.world.random.choice(names))


class Nemesis:
    """What befalls the world."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.world = cluster.world

    def choose(self) -> None:
        """Which mishaps may happen in this run, and which process ends where."""
        chance = self.world.random
        for name in MISHAPS:
            if chance.random() < 0.4:
                self.world.chances[name] = CHANCES[name] * chance.random()
        if chance.random() < 0.25:
            # Much happens between a snapshot and what is made of it.
            self.world.chances["slow read"] = 0.9
        for name in CRASHES:
            if chance.random() < 0.35:
                self.world.armed[name] = chance.randrange(60)

    async def run(self) -> None:
        """One event after the other, until cancelled."""
        chance = self.world.random
        events = chance.sample(EVENTS, 4)
        while True:
            await asyncio.sleep(self.world.between((0.2, 3.0)))
            name = chance.choice(events)
            await getattr(self, name.replace(" ", "_"))(self.world.between(SPANS_S))

    async def database_away(self, span_s: float) -> None:
        """No transaction begins."""
        self.world.count("database away")
        self.cluster.disk.away = True
        await asyncio.sleep(span_s / 2)
        self.cluster.disk.away = False

    async def courier_dead(self, span_s: float) -> None:
        """It refuses."""
        await self._courier("courier dead", "dead", span_s)

    async def courier_hung(self, span_s: float) -> None:
        """It answers nothing."""
        await self._courier("courier hung", "hung", span_s)

    async def courier_emptied(self, span_s: float) -> None:
        """It comes back with nothing."""
        self.cluster.bus.empty()
        await self._courier("courier emptied", "dead", span_s / 4)

    async def _courier(self, name: str, state: str, span_s: float) -> None:
        self.world.count(name)
        self.cluster.bus.set(state)
        await asyncio.sleep(span_s)
        self.cluster.bus.set("ok")

    async def subscriber_dropped(self, span_s: float) -> None:
        """A node hears nothing and does not know."""
        node = self.world.random.choice(self.cluster.nodes)
        if node.courier is not None:
            self.world.count("subscriber dropped")
            node.courier.dropped_until = self.world.now() + span_s

    async def leases_away(self, span_s: float) -> None:
        """No lease can be renewed."""
        self.world.count("leases away")
        self.cluster.bus.leases_away = True
        await asyncio.sleep(span_s)
        self.cluster.bus.leases_away = False

    async def link_cut(self, span_s: float) -> None:
        """A connection breaks."""
        links = self.cluster.links()
        if links:
            self.world.count("link cut")
            self.world.random.choice(links).cut()

    async def link_silent(self, span_s: float) -> None:
        """A connection carries nothing any more, and nobody is told."""
        links = self.cluster.links()
        if links and self.world.random.random() < 0.3:
            self.world.count("link silent")
            self.world.random.choice(links).fall_silent()

    async def reader_stalled(self, span_s: float) -> None:
        """A client does not read for a while."""
        links = self.cluster.links()
        if links:
            self.world.count("reader stalled")
            link = self.world.random.choice(links)
            link.stall(True)
            asyncio.get_running_loop().call_later(span_s * 2, link.stall, False)

    async def node_drained(self, span_s: float) -> None:
        """A graceful restart."""
        node = self.world.random.choice(self.cluster.nodes)
        if node.up:
            self.world.count("node drained")
            node.run(node.drain())

    async def clock_jumped(self, span_s: float) -> None:
        """The database's clock is set."""
        self.world.count("clock jumped")
        self.world.skew_ms = self.world.random.choice((-3_600_000, -5_000, 0, 7_000, 3_600_000))


async def evening(world: World, people: People, nemesis: Nemesis) -> None:
    """Everybody comes online, then things happen, and go wrong."""
    for device in people.devices:
        device.start()
    await asyncio.sleep(0.2)
    nemesis.choose()
    world.calm = False
    trouble = asyncio.ensure_future(nemesis.run())
    end = world.now() + world.between(ACTS_S)
    while world.now() < end:
        await asyncio.sleep(world.between(PAUSE_S))
        people.act()
    trouble.cancel()
