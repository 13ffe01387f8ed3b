"""A process dies at every step at which something becomes durable; what was acknowledged is there, once (F18, F19)."""

from __future__ import annotations

import asyncio
import random
import shutil
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import apsw
import psycopg
import pytest

from storage.sqlite import connect
from tests.faults.evening import FULL, Gateway, evening
from tests.faults.history import events_of
from tests.faults.launcher import POINTS
from tests.support.valkey import Shared


@dataclass
class Pair:
    """Two gateways (one and the same on the embedded database), and the addresses people use."""

    one: Gateway
    two: Gateway

    @property
    def urls(self) -> list[str]:
        """One person at each."""
        return [self.one.ws_url, self.two.ws_url]

    @property
    def both(self) -> list[Gateway]:
        """Each once."""
        return [self.one] if self.one is self.two else [self.one, self.two]


@pytest.fixture(params=["sqlite", "postgres"])
async def pair(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Pair]:
    """Not started yet."""
    if request.param == "sqlite":
        one = two = Gateway({}, tmp_path / "one")
    else:
        valkey: Shared = request.getfixturevalue("valkey")
        env = {
            "DATABASE_URL": request.getfixturevalue("postgres_url"),
            "REDIS_URL": valkey.url,
            "TSUDOI_REDIS_PREFIX": valkey.prefix,
        }
        one, two = Gateway(env, tmp_path / "one"), Gateway(env, tmp_path / "two")
    yield Pair(one, two)
    for gateway in (one, two):
        gateway.close()


async def start(pair: Pair) -> None:
    """All that do not run yet."""
    await asyncio.gather(*(asyncio.to_thread(g.start) for g in pair.both if not g.running))


@pytest.mark.parametrize("point", ["before commit", "after commit", "after ack"])
async def test_f18_what_was_acknowledged_outlives_a_crash_and_a_retry_is_one_line(
    pair: Pair, point: str, tmp_path: Path
) -> None:
    await start(pair)
    async with evening(pair.both, pair.urls, tmp_path) as spent:
        for _ in range(3 if FULL else 2):
            await spent.acked(10)
            harms = pair.two.harms
            before = harms.struck(point)
            harms.on("crash", point)
            assert await asyncio.to_thread(pair.two.wait) == -signal.SIGKILL
            assert harms.struck(point) == before + 1
            harms.off("crash")
            await start(pair)
        await spent.acked(10)
        await spent.end()


async def test_f18_a_crash_in_the_middle_of_the_migrations_leaves_nothing_half_done(pair: Pair) -> None:
    harms = pair.one.harms
    harms.on("crash", "mid-migration")
    with pytest.raises(RuntimeError, match="did not start"):
        await asyncio.to_thread(pair.one.start)
    assert harms.struck("mid-migration") == 1
    assert tables(pair.one) == 0, "half a schema"
    harms.off("crash")
    await start(pair)
    assert tables(pair.one) > 10


def tables(gateway: Gateway) -> int:
    """How many tables the database has."""
    url = gateway.settings.database_url
    if url:
        with psycopg.connect(url) as database:
            sql = "select count(*) from information_schema.tables where table_schema = 'public'"
            return int(database.execute(sql).fetchall()[0][0])
    connection = apsw.Connection(str(gateway.settings.sqlite_path))
    try:
        return int(
            connection.execute("select count(*) from sqlite_schema where type = 'table'").fetchall()[0][0]
        )
    finally:
        connection.close()


def test_f18_every_point_is_tried() -> None:
    tried = {"before commit", "after commit", "after ack", "mid-migration"}
    assert set(POINTS) == tried


COPIES = 40 if FULL else 12
CUTS = 25 if FULL else 10


async def test_f19_a_torn_log_is_some_moment_of_the_past_and_whole(tmp_path: Path) -> None:
    """Copies of database and log at random instants, the log cut anywhere: what opens is a prefix, and no line of it
    is half there. A copy that was not cut holds all that had been acknowledged before it."""
    gateway = Gateway({}, tmp_path / "faults")
    await asyncio.to_thread(gateway.start)
    path = gateway.settings.sqlite_path
    # The file itself changes at a checkpoint only; of a log that was checkpointed no crash can take anything away.
    born = path.stat().st_mtime_ns
    dice = random.Random(19)
    copies: list[tuple[Path, int]] = []
    try:
        async with evening([gateway], [gateway.ws_url] * 2, tmp_path) as spent:
            spent.pause_s = 0.0
            for number in range(COPIES):
                await spent.acked(dice.randint(1, 12))
                acked = spent.history.acked
                copy = tmp_path / f"copy{number}"
                await asyncio.to_thread(copy_of, path, copy)
                if path.stat().st_mtime_ns != born:
                    break
                copies.append((copy, acked))
            await spent.end()
            truth = [row[1] for row in await spent.read()]
    finally:
        gateway.close()
    acks = [event["text"] for event in events_of(tmp_path / "history.jsonl") if event["what"] == "ack"]
    assert len(copies) >= COPIES // 4
    torn = 0
    for copy, acked in copies:
        data, log = copy.read_bytes(), copy.with_name(copy.name + "-wal").read_bytes()
        whole = lines_of(copy)
        assert whole == truth[: len(whole)]
        assert set(acks[:acked]) <= set(whole), "acknowledged before the copy, and not in it"
        lengths = set()
        for _ in range(CUTS):
            cut = tmp_path / "cut"
            cut.write_bytes(data)
            junk = dice.randbytes(dice.choice([0, 0, 24, 4096]))
            cut.with_name("cut-wal").write_bytes(log[: dice.randint(0, len(log))] + junk)
            found = lines_of(cut)
            assert found == truth[: len(found)]
            assert len(found) <= len(whole)
            lengths.add(len(found))
        torn += len(lengths) > 1
    assert torn, "no cut took anything away"


def copy_of(path: Path, to: Path) -> None:
    """The database and then its log, while somebody writes."""
    shutil.copy(path, to)
    shutil.copy(path.with_name(path.name + "-wal"), to.with_name(to.name + "-wal"))


def lines_of(path: Path) -> list[str]:
    """Every line said, in order; the file is whole, and so is each line: with its entry and its nonce."""
    connection = connect(path, reader=False)
    try:
        assert connection.execute("pragma integrity_check").fetchall() == [("ok",)]
        assert connection.execute("pragma foreign_key_check").fetchall() == []
        has = connection.execute("select count(*) from sqlite_schema where name = 'message'").fetchall()
        if has == [(0,)]:
            return []
        rows = connection.execute(
            "select m.body, l.seq = m.seq and n.nonce is not null from message m"
            " left join log l on l.ref = m.id and l.kind = 'message.created'"
            " left join nonce n on n.account = m.author and n.nonce = m.body"
            " where m.system is null order by m.seq"
        ).fetchall()
        assert all(kept for _, kept in rows), "a line without its entry or its nonce"
        return [text for text, _ in rows]
    finally:
        connection.close()
