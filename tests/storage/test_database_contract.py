"""What both databases promise (storage/database.py): whole or nothing, after the commit, in order, whatever fails."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from realtime.parcels import Audience, Parcel
from storage import log
from storage.accounts import keep_meta_once, meta
from storage.database import Database, StorageUnavailable, Tx
from storage.log import Draft
from tests.support.waiting import until
from tests.support.world import BACK_ENDS, open_database

Committed = list[Sequence[Parcel]]


@pytest.fixture(params=BACK_ENDS)
async def base(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Database, Committed]]:
    committed: Committed = []
    database = await asyncio.to_thread(open_database, request.param, tmp_path, request)
    await database.open(committed.append)
    yield database, committed
    await database.close()


def put(tx: Tx, name: str, value: str = "1") -> str:
    tx.rows("insert into meta (name, value) values (:name, :value)", name=name, value=value)
    return name


def parcel(name: str) -> Parcel:
    return Parcel(name, 1, "x", Audience.ALL, "", "", 0, "test", b"{}")


class Puts:
    """A batch that keeps names with one statement each; it breaks on a bad one."""

    name = "puts"

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.gate = threading.Event()
        self.gate.set()

    def run(self, tx: Tx, items: Sequence[Any]) -> list[Any]:
        self.gate.wait(5)
        self.sizes.append(len(items))
        outcomes: list[Any] = []
        for item in items:
            if item == "break":
                raise ValueError("this item breaks its batch")
            if item == "refuse":
                outcomes.append(KeyError("refused"))
                continue
            tx.parcels.append(parcel(item))
            outcomes.append(put(tx, item))
        return outcomes


async def names(database: Database) -> list[str]:
    rows = await database.read(
        lambda tx: tx.rows("select name from meta where name not like 'z%' order by name")
    )
    return [row[0] for row in rows]


async def test_a_unit_commits_whole(base: tuple[Database, Committed]) -> None:
    database, _ = base
    assert await database.write(lambda tx: [put(tx, "a"), put(tx, "b")]) == ["a", "b"]
    assert await names(database) == ["a", "b"]


async def test_a_unit_that_raises_leaves_nothing(base: tuple[Database, Committed]) -> None:
    database, committed = base

    def unit(tx: Tx) -> None:
        put(tx, "a")
        tx.parcels.append(parcel("a"))
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await database.write(unit)
    assert await names(database) == []
    assert committed == []


async def test_a_statement_that_fails_leaves_nothing_and_the_thread_lives(
    base: tuple[Database, Committed],
) -> None:
    database, _ = base

    def unit(tx: Tx) -> None:
        put(tx, "a")
        put(tx, "a")

    with pytest.raises(Exception, match=r"(?i)unique|duplicate"):
        await database.write(unit)
    with pytest.raises(Exception, match=r"(?i)nothing_here"):
        await database.read(lambda tx: tx.rows("select * from nothing_here"))
    await database.write(lambda tx: put(tx, "b"))
    assert await names(database) == ["b"]


async def test_units_that_come_together_each_keep_their_own_fate(base: tuple[Database, Committed]) -> None:
    database, _ = base

    def unit(number: int) -> Callable[[Tx], str]:
        def run(tx: Tx) -> str:
            put(tx, f"n{number:03}")
            if number % 5 == 0:
                raise ValueError(number)
            return f"n{number:03}"

        return run

    results = await asyncio.gather(*(database.write(unit(n)) for n in range(60)), return_exceptions=True)
    kept = [f"n{n:03}" for n in range(60) if n % 5]
    assert [r for r in results if isinstance(r, str)] == kept
    assert await names(database) == kept


async def test_entries_are_offered_before_the_caller_resumes(base: tuple[Database, Committed]) -> None:
    database, committed = base

    def unit(tx: Tx) -> None:
        tx.parcels.append(parcel("a"))

    await database.write(unit)
    assert [p.channel for batch in committed for p in batch] == ["a"]


async def test_entries_are_offered_even_if_the_caller_is_gone(base: tuple[Database, Committed]) -> None:
    database, committed = base
    entered, gate = threading.Event(), threading.Event()

    def unit(tx: Tx) -> None:
        put(tx, "a")
        tx.parcels.append(parcel("a"))
        entered.set()
        gate.wait(5)

    caller = asyncio.create_task(database.write(unit))
    await asyncio.to_thread(entered.wait, 5)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    assert committed == []
    gate.set()
    await until(lambda: committed)
    assert await names(database) == ["a"]


async def test_a_batch_runs_as_a_set_and_answers_each(base: tuple[Database, Committed]) -> None:
    database, committed = base
    batch = Puts()
    batch.gate.clear()
    waiting = [asyncio.create_task(database.hot(batch, f"n{n:02}")) for n in range(20)]
    waiting.append(asyncio.create_task(database.hot(batch, "refuse")))
    await asyncio.sleep(0)
    batch.gate.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert results[:20] == [f"n{n:02}" for n in range(20)]
    assert isinstance(results[20], KeyError)
    assert len(batch.sizes) <= 3
    assert [p.channel for some in committed for p in some] == [f"n{n:02}" for n in range(20)]


async def test_one_bad_item_does_not_take_its_batch_along(base: tuple[Database, Committed]) -> None:
    database, committed = base
    batch = Puts()
    batch.gate.clear()
    items = ["a", "b", "break", "c"]
    waiting = [asyncio.create_task(database.hot(batch, item)) for item in items]
    await asyncio.sleep(0)
    batch.gate.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [r if isinstance(r, str) else type(r) for r in results] == ["a", "b", ValueError, "c"]
    assert await names(database) == ["a", "b", "c"]
    assert sorted(p.channel for some in committed for p in some) == ["a", "b", "c"]


async def test_a_read_sees_one_snapshot_and_writes_nothing(base: tuple[Database, Committed]) -> None:
    database, _ = base
    await database.write(lambda tx: put(tx, "a"))
    reading, gate = threading.Event(), threading.Event()

    def unit(tx: Tx) -> list[int]:
        count = "select count(*) from meta where name not like 'z%'"
        before = tx.rows(count)[0][0]
        reading.set()
        gate.wait(5)
        return [before, tx.rows(count)[0][0]]

    task = asyncio.create_task(database.read(unit))
    await asyncio.to_thread(reading.wait, 5)
    await database.write(lambda tx: put(tx, "b"))
    gate.set()
    assert await task == [1, 1]
    with pytest.raises(Exception, match=r"(?i)readonly|read-only"):
        await database.read(lambda tx: put(tx, "c"))
    assert await names(database) == ["a", "b"]


async def test_the_first_of_many_decides_a_value(base: tuple[Database, Committed]) -> None:
    database, _ = base
    found = await asyncio.gather(
        *(database.write(lambda tx, n=n: keep_meta_once(tx, "epoch", f"e{n}")) for n in range(20))
    )
    assert len(set(found)) == 1
    assert await database.read(lambda tx: meta(tx, "epoch")) == found[0]


async def test_seqs_rise_by_one_under_many_writers(base: tuple[Database, Committed]) -> None:
    database, _ = base
    await database.write(lambda tx: [log.create_channel(tx, name) for name in ("room:a", "room:b", "user:c")])

    def unit(number: int) -> Callable[[Tx], list[tuple[str, int]]]:
        # In opposite orders on purpose: locks are taken in sorted order whatever the caller writes.
        channels = ["room:a", "room:b", "user:c"][:: 1 if number % 2 else -1]

        def run(tx: Tx) -> list[tuple[str, int]]:
            rows = log.append(tx, [Draft(name, "x", f"{number}", "me") for name in channels])
            return [(row.channel, row.seq) for row in rows]

        return run

    results = await asyncio.gather(*(database.write(unit(n)) for n in range(80)))
    for place, name in enumerate(("room:a", "room:b", "user:c")):
        mine = sorted(seq for rows in results for channel, seq in rows if channel == name)
        assert mine == list(range(1, 81)), place
    rows = await database.read(lambda tx: log.read(tx, [("room:a", 10, 20), ("user:c", 0, 5)], 100))
    assert [(row.channel, row.seq) for row in rows] == [
        *(("room:a", n) for n in range(11, 21)),
        *(("user:c", n) for n in range(1, 6)),
    ]


async def test_the_tail_names_what_came_since(base: tuple[Database, Committed]) -> None:
    database, _ = base
    await database.write(lambda tx: [log.create_channel(tx, name) for name in ("room:a", "room:b")])
    await database.write(lambda tx: log.append(tx, [Draft("room:a", "x", "1", "me")]))
    begin = await database.read(log.newest_n)
    assert await database.read(lambda tx: log.tail(tx, begin, 0)) == (begin, begin, {}, [])
    await database.write(lambda tx: log.append(tx, [Draft("room:a", "x", "1", "me")] * 3))
    await database.write(lambda tx: log.append(tx, [Draft("room:b", "x", "1", "me")]))
    found = await database.read(lambda tx: log.tail(tx, begin, 10_000))
    assert found.tops == {"room:a": 4, "room:b": 1}
    assert found.told == []
    told = (await database.read(lambda tx: log.tail(tx, begin, 10_000, ["y", "x"]))).told
    assert told == [("x", "room:a", "", seq) for seq in (2, 3, 4)] + [("x", "room:b", "", 1)]
    moved, newest, *_ = await database.read(lambda tx: log.tail(tx, begin, -10_000))
    assert moved == newest == await database.read(log.newest_n)
    assert await database.read(lambda tx: log.tail(tx, moved, 10_000)) == (moved, moved, {}, [])


async def test_old_entries_go_but_the_newest_of_each_channel(base: tuple[Database, Committed]) -> None:
    database, _ = base
    await database.write(lambda tx: [log.create_channel(tx, name) for name in ("room:a", "room:b")])
    for _ in range(4):
        await database.write(lambda tx: log.append(tx, [Draft("room:a", "x", "1", "me")] * 3))
        await database.write(lambda tx: log.append(tx, [Draft("room:b", "x", "1", "me")]))
    later = await database.read(lambda tx: tx.now_ms()) + 1

    async def left() -> dict[str, list[int]]:
        rows = await database.read(lambda tx: log.read(tx, [("room:a", 0, 99), ("room:b", 0, 99)], 99))
        return {name: [row.seq for row in rows if row.channel == name] for name in ("room:a", "room:b")}

    # Nothing is old enough: nothing goes, and there is nothing further to look at.
    assert await database.write(lambda tx: log.purge(tx, 0, 0, 3)) == (0, None)
    gone = await database.write(lambda tx: log.purge(tx, 0, later, 3))
    assert gone.entries == 10
    assert await left() == {"room:a": [10, 11, 12], "room:b": [2, 3, 4]}
    assert gone.next_n == await database.read(log.newest_n)
    assert await database.write(lambda tx: log.purge(tx, gone.next_n or 0, later, 3)) == (0, None)
    assert await database.write(lambda tx: log.purge(tx, 0, later, 3)) == (0, gone.next_n)


async def test_after_close_everything_is_refused(base: tuple[Database, Committed]) -> None:
    database, _ = base
    last = asyncio.create_task(database.write(lambda tx: put(tx, "last")))
    await asyncio.sleep(0)
    await database.close()
    assert await last == "last"
    with pytest.raises(StorageUnavailable):
        await database.write(lambda tx: put(tx, "late"))


async def test_a_full_queue_is_refused_before_anything_begins(
    base: tuple[Database, Committed], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    database, _ = base
    small = await asyncio.to_thread(open_database, database.dialect, tmp_path / "small", request)
    for lane in vars(small).values():
        if hasattr(lane, "_limit"):
            lane._limit = 10
    await small.open(lambda parcels: None)
    gate = threading.Event()
    tasks = [asyncio.create_task(small.write(lambda tx: gate.wait(5))) for _ in range(4)]
    await asyncio.sleep(0.05)
    tasks += [asyncio.create_task(small.write(lambda tx: gate.wait(5))) for _ in range(40)]
    await asyncio.sleep(0)
    gate.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert any(isinstance(result, StorageUnavailable) for result in results)
    assert any(result is True for result in results)
    await small.close()


async def test_the_loop_goes_on_while_the_database_works(base: tuple[Database, Committed]) -> None:
    database, _ = base
    turned = threading.Event()
    # It ends only if the loop turns meanwhile.
    work = asyncio.create_task(database.write(lambda tx: turned.wait(30)))
    for _ in range(10):
        await asyncio.sleep(0.01)
        assert not work.done()
    turned.set()
    assert await work
