"""Presence while gateways die, stand still or are cut off, clients freeze, and Redis forgets or hangs (F1, F4, F6, F10, F11, F29).

Two friends on two gateways, and a third on the first one who must never be seen to change. What is judged is what each was
told, in order: who is merely out of sight is never offline, and whoever is gone is so once.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from channels.accounts import NewAccount
from loadtest.client import WATCHING, Client
from tests.faults.cluster import Cluster, closed, cluster
from tests.faults.evening import paced
from tests.support.valkey import Shared, ValkeyServer
from tests.support.waiting import until

TTL_S = 6.0
"""Shorter than at full length, and long enough to come back in time on a machine that others use too."""
GRACE_S = 1
LATE_S = 30.0
"""Far more than anything takes, for a machine that others use too."""
COMES_BACK = replace(WATCHING, stay=True, strict=False)


TIMES = {
    "TSUDOI_PRESENCE_GRACE_S": str(GRACE_S),
    "TSUDOI_LEASE_TTL_S": str(TTL_S),
    "TSUDOI_LEASE_RENEW_S": str(TTL_S / 3),
}


@pytest.fixture
async def pair(own_valkey: ValkeyServer, postgres_url: str, tmp_path: Path) -> AsyncIterator[Cluster]:
    async with cluster(tmp_path, postgres_url, own_valkey.url, **TIMES) as found:
        yield found


def states(client: Client, account: NewAccount) -> list[str]:
    """What a client was told of somebody since it came, in order."""
    found: list[str] = []
    for push in client.heard("presence.changed"):
        view = push["d"]["people"].get(account.account.id)
        if view is not None and found[-1:] != [view["state"]]:
            found.append(view["state"])
    return found


@dataclass
class Friends:
    """aki and ken on the first gateway, haru on the second; each has seen the other two come."""

    accounts: list[NewAccount]
    clients: list[Client]

    def seen(self, viewer: int, target: int) -> list[str]:
        """What one was told of another."""
        return states(self.clients[viewer], self.accounts[target])

    async def becomes(self, viewer: int, target: int, *expected: str) -> None:
        """Wait until one was told just this of another."""
        await until(
            lambda: self.seen(viewer, target) == list(expected),
            f"{viewer} sees {target} {expected}; was told {self.seen(viewer, target)}",
            LATE_S,
        )


@asynccontextmanager
async def friends(pair: Cluster) -> AsyncIterator[Friends]:
    """Made, befriended and connected over doors that can be shut."""
    accounts = await pair.one.people("aki", "haru", "ken")
    aki, haru, ken = (
        Client(url, account.token, options=COMES_BACK)
        for url, account in zip(pair.urls(0, 1, 0), accounts, strict=True)
    )
    async with aki, haru, ken:
        clients = [aki, haru, ken]
        for one in clients:
            for other in accounts:
                if other.token != accounts[clients.index(one)].token:
                    await one.call("follow.add", account=other.account.id)
        met = Friends(accounts, clients)
        for viewer in range(3):
            for target in range(3):
                if viewer != target:
                    await met.becomes(viewer, target, "online")
        yield met


async def test_f1_whoever_was_on_a_gateway_that_died_is_gone_once_and_whoever_returns_never_was(
    pair: Cluster,
) -> None:
    async with friends(pair) as met:
        await asyncio.to_thread(pair.two.kill)
        pair.doors[1].there = pair.one.port
        await until(lambda: met.clients[1].state == "live", "haru is back", LATE_S)
        # Longer than the lease: whoever came back in time was never seen to leave.
        await asyncio.sleep(TTL_S + 3)
        assert met.seen(0, 1) == met.seen(2, 1) == ["online"]
        await asyncio.to_thread(pair.two.start)
        pair.doors[1].there = pair.two.port
        pair.doors[1].reset()
        await until(lambda: met.clients[1].state == "live", "haru is there again", LATE_S)
        await asyncio.sleep(2)
        pair.doors[1].refusing = True
        await asyncio.to_thread(pair.two.kill)
        await met.becomes(0, 1, "online", "offline")
        await asyncio.sleep(2)
        assert met.seen(0, 1) == met.seen(2, 1) == ["online", "offline"]
        assert met.seen(0, 2) == ["online"]


async def test_f4_leases_that_are_lost_come_back_before_anybody_looks_gone(
    pair: Cluster, own_valkey: ValkeyServer
) -> None:
    async with friends(pair) as met:
        taken = "lease taken"
        before = [gateway.log_text().count(taken) for gateway in pair.both]
        await asyncio.to_thread(own_valkey.command, "FLUSHALL")
        await until(
            lambda: all(g.log_text().count(taken) > n for g, n in zip(pair.both, before, strict=True)),
            "both have registered again",
            LATE_S,
        )
        await met.clients[1].call("presence.set", active=False)
        await until(lambda: met.seen(0, 1)[-1:] == ["idle"], "haru is seen to look away", LATE_S)
        # In doubt for a moment, perhaps, where this takes longer than two sweeps.
        assert "offline" not in met.seen(1, 0) + met.seen(1, 2) + met.seen(2, 0) + met.seen(0, 1)


async def test_f6_while_redis_hangs_friends_elsewhere_are_unknown_and_not_offline(
    pair: Cluster, own_valkey: ValkeyServer
) -> None:
    async with friends(pair) as met:
        own_valkey.pause()
        try:
            await met.becomes(0, 1, "online", "unknown")
            await met.becomes(1, 0, "online", "unknown")
            # One's own gateway knows its people without Redis.
            await met.clients[2].call("presence.set", active=False)
            await met.becomes(0, 2, "online", "idle")
            await asyncio.sleep(TTL_S + 1)
            assert "offline" not in met.seen(0, 1) + met.seen(1, 0)
        finally:
            own_valkey.resume()
        await met.becomes(0, 1, "online", "unknown", "online")
        await met.becomes(1, 0, "online", "unknown", "online")
        await met.becomes(1, 2, "online", "unknown", "idle")


async def test_f10_a_gateway_that_is_cut_off_loses_its_people_for_the_others_and_no_one_for_itself(
    pair: Cluster,
) -> None:
    async with friends(pair) as met:
        way = pair.redis[1]
        way.up.silent = way.down.silent = True
        way.refusing = True
        # The side that still reaches the leases knows: haru's gateway may be gone, and is taken for it.
        await met.becomes(0, 1, "online", "offline")
        await met.becomes(1, 0, "online", "unknown")
        way.up.silent = way.down.silent = False
        way.refusing = False
        way.reset()
        await met.becomes(0, 1, "online", "offline", "online")
        await met.becomes(1, 0, "online", "unknown", "online")
        assert met.seen(0, 2) == ["online"]


async def test_f11_who_froze_is_gone_once_and_only_after_being_let_go(
    postgres_url: str, valkey: Shared, tmp_path: Path
) -> None:
    beats = {"TSUDOI_PING_INTERVAL_S": str(paced(25)), "TSUDOI_PONG_WAIT_S": str(paced(10))}
    settings = {"TSUDOI_REDIS_PREFIX": valkey.prefix, **TIMES, **beats}
    async with cluster(tmp_path, postgres_url, valkey.url, **settings) as pair, friends(pair) as met:
        door = pair.doors[1]
        door.up.held = door.down.held = True
        begun = time.monotonic()
        await met.becomes(0, 1, "online", "offline")
        assert time.monotonic() - begun < paced(25 + 10) + GRACE_S + 5, (
            "seen for longer than a ping, its wait and the grace"
        )
        assert closed(await pair.two.counters()).get("4503"), "gone before it was let go"
        assert door.up.struck.get("held", 0) + door.down.struck.get("held", 0) > 0
        door.up.held = door.down.held = False
        await met.becomes(0, 1, "online", "offline", "online")
        await met.becomes(2, 1, "online", "offline", "online")
        assert met.seen(0, 2) == ["online"]


async def test_f29_a_gateway_that_stood_still_tells_nothing_of_before(pair: Cluster) -> None:
    async with friends(pair) as met:
        pair.two.signal(signal.SIGSTOP)
        try:
            await met.becomes(0, 1, "online", "offline")
            await met.clients[0].call("presence.set", active=False)
            before = pair.two.log_text().count("lease taken")
        finally:
            pair.two.signal(signal.SIGCONT)
        await until(lambda: pair.two.log_text().count("lease taken") > before, "it registered again", LATE_S)
        await met.becomes(0, 1, "online", "offline", "online")
        await until(lambda: met.seen(1, 0)[-1:] == ["idle"], "haru sees what is", LATE_S)
        # In doubt for a moment, perhaps; never what nobody was.
        assert set(met.seen(1, 0)) <= {"online", "unknown", "idle"}
        assert set(met.seen(1, 2)) <= {"online", "unknown"}
