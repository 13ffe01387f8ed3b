"""Someone leaves, is away, is invited again and rejoins, while others talk as fast as they can (F28)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import psycopg

from loadtest.client import Client
from tests.faults.cluster import Cluster, cluster
from tests.faults.evening import FULL, Evening, evening
from tests.support.valkey import Shared


def seqs(pushes: list[dict[str, Any]], channel: str) -> list[int]:
    """The seqs of a channel's entries that were handed out, skips too."""
    return [
        seq for p in pushes if p.get("ch") == channel for seq in range(p["seq"], p.get("upto", p["seq"]) + 1)
    ]


def bodies(pushes: list[dict[str, Any]], channel: str) -> dict[int, str]:
    """What was said in a channel, by seq."""
    return {
        p["seq"]: p["d"]["message"]["text"]
        for p in pushes
        if p.get("ch") == channel and p["ev"] == "message.created" and p["d"]["message"]["text"] is not None
    }


async def test_f28_who_leaves_sees_nothing_later_wherever_they_come_back(
    postgres_url: str, valkey: Shared, tmp_path: Path
) -> None:
    more = {"TSUDOI_REDIS_PREFIX": valkey.prefix}
    async with (
        cluster(tmp_path, postgres_url, valkey.url, **more) as pair,
        evening(pair.both, pair.urls(0, 1, 0), tmp_path) as spent,
    ):
        spent.pause_s = 0.0
        (ken,) = await pair.one.people("ken")
        await befriend(pair.one, "aki", "ken")
        removals = [await one_round(spent, pair, ken, round_) for round_ in range(6 if FULL else 3)]
        assert removals == sorted(set(removals)), "each round took them out anew"
        await spent.end()


async def befriend(gateway: Any, one: str, two: str) -> None:
    """Two follow each other."""
    await asyncio.to_thread(gateway.run_cli, "account", "follow", one, two, "--mutual")


def removed_at(url: str, account: str) -> int:
    """The seq of the entry by which somebody was last taken out of a room, from the database."""
    sql = "select max(seq) from log where kind = 'room.member_removed' and target = %s"
    with psycopg.connect(url) as database:
        return int(database.execute(sql, (account,)).fetchall()[0][0])


async def one_round(spent: Evening, pair: Cluster, ken: Any, round_: int) -> int:
    """Ken is let in, hears, has one device away, leaves by another: none hears anything later. The seq of the removal."""
    aki, urls, url = spent.people[0], pair.urls(0, 1), pair.one.settings.database_url
    away = Client(urls[0], ken.token)
    here, there = Client(urls[0], ken.token), Client(urls[1], ken.token)
    async with here, there:
        await aki.client.send("room.add", room=spent.room, accounts=[ken.account.id], nonce=f"add {round_}")
        for client in (here, there):
            await client.until(lambda c=client: spent.channel in c.ear.positions)
        await away.open()
        await spent.acked(10)
        await away.close()
        await spent.acked(10)
        await here.call("room.leave", room=spent.room)
        for client in (here, there):
            await client.until(lambda c=client: bool(c.heard("room.left")))
        removed = await asyncio.to_thread(removed_at, url, ken.account.id)
        await spent.acked(30)
        for client in (here, there):
            await client.call("clock.read", t=1)
            assert client.failure is None
            heard = seqs(client.ear.pushes, spent.channel)
            assert heard, "it heard nothing before"
            assert [seq for seq in bodies(client.ear.pushes, spent.channel) if seq > removed] == []
            assert max(heard) <= removed, "a skip from beyond the removal"
    # The device that was away continues from before the removal.
    again = Client(urls[1], ken.token, away.ear, away.epoch)
    async with again:
        await spent.acked(10)
        await again.call("clock.read", t=1)
        assert [seq for seq in bodies(again.ear.pushes, spent.channel) if seq > removed] == []
        assert spent.channel not in again.ear.positions
    return removed
