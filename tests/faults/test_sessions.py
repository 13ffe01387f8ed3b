"""Sessions end and an account is suspended while people talk, with Redis and without it (F27, I8)."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from channels import accounts, oversight
from channels.accounts import NewAccount
from channels.desk import Desk
from gateway.offline import with_desk
from loadtest.client import Client
from realtime.closes import Close
from tests.faults.cluster import Cluster, closed, cluster, delays_s
from tests.faults.evening import Evening, evening
from tests.faults.test_members import befriend
from tests.support.valkey import ValkeyServer
from tests.support.waiting import until

HORIZON_S = {"up": 1.0, "down": 2.0}
NOISE_S = 0.5
"""Of this process, which notes when it heard of an end."""
ENDS = {
    "revoke": ("ken", Close.SESSION_INVALID),
    "revoke_all": ("nao", Close.SESSION_INVALID),
    "suspend": ("rei", Close.SUSPENDED),
}
FIND = (
    "select at from log where channel = 'user:' || %s and kind in ('session.revoked', 'account.suspended')"
    " order by n desc limit 1"
)


@pytest.fixture
async def pair(own_valkey: ValkeyServer, postgres_url: str, tmp_path: Path) -> AsyncIterator[Cluster]:
    async with cluster(tmp_path, postgres_url, own_valkey.url) as found:
        yield found


@dataclass
class Guest:
    """Somebody in the room with one session at both gateways and another at the second."""

    account: NewAccount
    here: Client
    there: Client
    other: Client
    ended: dict[str, tuple[int | None, float]]
    """Of each that has ended: by which code, and when (seconds of this machine's wall clock)."""

    @property
    def clients(self) -> dict[str, Client]:
        """All three."""
        return {"here": self.here, "there": self.there, "other": self.other}


def in_desk(pair: Cluster, unit: Any) -> Any:
    """A unit of work beside the servers, as the command line does it."""

    async def work(desk: Desk) -> Any:
        return await desk.db.write(unit)

    return with_desk(pair.one.settings, work)


async def come(spent: Evening, pair: Cluster, handle: str, stack: AsyncExitStack) -> Guest:
    """A guest who is in the room and hears it on all connections."""
    (account,) = await pair.one.people(handle)
    await befriend(pair.one, "aki", handle)
    id_ = account.account.id
    _, token = await asyncio.to_thread(
        in_desk, pair, lambda tx: accounts.create_session(tx, id_, "another device")
    )
    urls = pair.urls(0, 1)
    guest = Guest(
        account,
        Client(urls[0], account.token),
        Client(urls[1], account.token),
        Client(urls[1], token),
        {},
    )
    aki = spent.people[0].client
    await aki.send("room.add", room=spent.room, accounts=[id_], nonce=f"add {handle}")
    for name, client in guest.clients.items():
        await stack.enter_async_context(client)
        await client.until(lambda c=client: len(heard(c, spent.channel)) >= 3)
        watch = asyncio.create_task(note_end(guest, name, client))
        stack.callback(watch.cancel)
    return guest


async def note_end(guest: Guest, name: str, client: Client) -> None:
    """Write down how and when a connection ends."""
    while client.state not in ("stopped", "refused"):
        await client._next_news()
    guest.ended[name] = (client.close_code, time.time())


def heard(client: Client, channel: str) -> list[int]:
    """When the lines that a connection was told of were said, by the database's clock."""
    return [p["at"] for p in client.ear.pushes if p.get("ch") == channel and p["ev"] == "message.created"]


async def strike(pair: Cluster, guest: Guest, how: str) -> tuple[str, ...]:
    """End what is to be ended; the names of the connections concerned."""
    match how:
        case "revoke":
            await guest.other.call("session.revoke", session=guest.account.session)
            return "here", "there"
        case "revoke_all":
            # The one that asks is closed as well, mostly before it could be answered.
            with contextlib.suppress(ConnectionError):
                await guest.other.call("session.revoke_all")
        case _:
            await asyncio.to_thread(
                in_desk,
                pair,
                lambda tx: oversight.suspend(tx, "cli:test", guest.account.account.handle, "spam"),
            )
    return "here", "there", "other"


@pytest.mark.parametrize("redis", ["up", "down"])
async def test_f27_who_is_ended_hears_nothing_said_later(
    pair: Cluster, own_valkey: ValkeyServer, redis: str, tmp_path: Path
) -> None:
    async with (
        evening(pair.both, pair.urls(0, 1), tmp_path) as spent,
        AsyncExitStack() as stack,
        await psycopg.AsyncConnection.connect(pair.one.settings.database_url, autocommit=True) as database,
    ):
        spent.pause_s = 0.05
        await spent.acked(20)
        guests = {how: await come(spent, pair, handle, stack) for how, (handle, _) in ENDS.items()}
        if redis == "down":
            await asyncio.to_thread(own_valkey.kill)
            for gateway in pair.both:
                while (await gateway.counters())["tsudoi_courier_healthy"]:
                    await spent.acked(1)
        cursor = await database.execute("select extract(epoch from clock_timestamp())")
        ahead_s = float((await cursor.fetchall())[0][0]) - time.time()
        for how, guest in guests.items():
            await one_end(spent, pair, guest, how, HORIZON_S[redis], (database, ahead_s))
        await spent.end()
        for code, least in ((Close.SESSION_INVALID, 5), (Close.SUSPENDED, 3)):
            counted = [closed(await gateway.counters()).get(str(int(code)), 0) for gateway in pair.both]
            assert sum(counted) >= least
            assert all(counted), "one of the gateways ended none"
        lines = await asyncio.to_thread(pair.one.run_cli, "audit", "list", "--target", "rei")
        assert [(line["act"], line["detail"]) for line in lines["audit"]] == [("account.suspend", "spam")]
        for gateway in pair.both:
            assert gateway.complaints() == []


async def one_end(
    spent: Evening,
    pair: Cluster,
    guest: Guest,
    how: str,
    horizon_s: float,
    clock: tuple[psycopg.AsyncConnection[Any], float],
) -> None:
    """Judged by what each connection was told, and by the database's time of it and of the end."""
    database, ahead_s = clock
    code = ENDS[how][1]
    begun = time.monotonic()
    names = await strike(pair, guest, how)
    await until(lambda: set(names) <= set(guest.ended), f"{how}: all have ended", 30)
    cursor = await database.execute(FIND, (guest.account.account.id,))
    ((at,),) = await cursor.fetchall()
    last, bound_s = 0, horizon_s
    # Not before something was said that nobody ended may hear.
    while last <= at + bound_s * 1000:
        await spent.acked(5)
        cursor = await database.execute("select max(at) from log where channel = %s", (spent.channel,))
        ((last,),) = await cursor.fetchall()
        # A machine that is busy shows in how long the lines of others took at the same time.
        events = spent.history.events()
        bound_s = horizon_s + NOISE_S + max(delays_s(events, "haru", begun) + delays_s(events, "aki", begun))
    for name in names:
        ended_by, ended_at = guest.ended[name]
        assert ended_by == code, (how, name)
        assert ended_at + ahead_s - at / 1000 <= bound_s, (how, name)
        assert max(heard(guest.clients[name], spent.channel)) <= at + bound_s * 1000, (how, name)
    if how == "revoke":
        await guest.other.until(lambda: max(heard(guest.other, spent.channel)) > at + bound_s * 1000)
    for url in pair.urls(0, 1):
        again = Client(url, guest.account.token)
        with pytest.raises(ConnectionError):
            await again.open()
        assert again.close_code == Close.SESSION_INVALID
