"""The embedded database alone: one server per file, durable settings, kill -9 keeps what was acknowledged."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import apsw
import pytest

from storage import checkpoint
from storage.database import StorageUnavailable, Tx
from storage.sqlite import VERSION_MIN, SqliteDatabase, connect
from tests.support.waiting import until
from tests.support.world import open_database

ROOT = Path(__file__).resolve().parents[2]


def test_the_bundled_library_is_new_enough() -> None:
    assert tuple(int(part) for part in apsw.sqlite_lib_version().split(".")[:3]) >= VERSION_MIN


def test_a_commit_is_on_disk_and_readers_cannot_write(tmp_path: Path) -> None:
    writer = connect(tmp_path / "f", reader=False)
    assert list(writer.execute("pragma journal_mode")) == [("wal",)]
    assert list(writer.execute("pragma synchronous")) == [(2,)]
    assert list(writer.execute("pragma foreign_keys")) == [(1,)]
    writer.execute("create table t (a)")
    reader = connect(tmp_path / "f", reader=True)
    assert list(reader.execute("pragma wal_autocheckpoint")) == [(0,)]
    with pytest.raises(apsw.ReadOnlyError):
        reader.execute("insert into t values (1)")
    reader.close()
    writer.close()


@pytest.mark.parametrize(
    "late", [False, True], ids=["beside the commits", "by the writer where that does not keep up"]
)
async def test_the_log_is_carried_into_the_file(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    if late:
        monkeypatch.setattr(checkpoint, "LATE_PAGES", 100)
        monkeypatch.setattr(checkpoint, "DUE_PAGES", 1_000_000_000)
    database = open_database("sqlite", tmp_path, request)
    await database.open(lambda parcels: None)
    path = tmp_path / "tsudoi.sqlite3"
    before = path.stat().st_size

    def fill(tx: Tx) -> None:
        tx.rows(
            "insert into meta (name, value) values (:name, :value)", name=tx.new_id(), value="あ" * 1_000_000
        )

    for _ in range(4):
        await database.write(fill)
    # What is in the log alone is not in the file.
    await until(lambda: path.stat().st_size >= before + 8_000_000)
    rows = await database.read(
        lambda tx: tx.rows("select length(value) from meta where value like 'あああ%'")
    )
    assert [row[0] for row in rows] == [1_000_000] * 4
    await database.close()


async def test_one_server_per_file(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    first = open_database("sqlite", tmp_path, request)
    second = open_database("sqlite", tmp_path, request)
    assert isinstance(first, SqliteDatabase)
    assert isinstance(second, SqliteDatabase)
    first.claim()
    with pytest.raises(StorageUnavailable, match="another server"):
        second.claim()
    await first.close()
    second.claim()
    await second.close()


async def test_a_locked_file_is_refused_and_heals(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    database = open_database("sqlite", tmp_path, request)
    await database.open(lambda parcels: None)
    other = apsw.Connection(str(tmp_path / "tsudoi.sqlite3"))
    other.execute("begin exclusive")
    with pytest.raises(StorageUnavailable, match=r"locked|busy"):
        await database.write(lambda tx: tx.rows("insert into meta (name, value) values ('a', '1')"))
    other.execute("rollback")
    await database.write(lambda tx: tx.rows("insert into meta (name, value) values ('b', '1')"))
    assert await database.read(lambda tx: tx.rows("select name from meta")) == [("b",)]
    await database.close()
    other.close()


async def test_a_full_disk_refuses_keeps_the_rest_and_heals(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    database = open_database("sqlite", tmp_path, request)
    await database.open(lambda parcels: None)

    await database.write(lambda tx: tx.rows("pragma max_page_count = 60"))
    kept = []
    refused = []
    for number in range(200):
        try:
            await database.write(
                lambda tx, n=number: tx.rows(
                    "insert into meta (name, value) values (:name, :value)", name=f"n{n}", value="x" * 4000
                )
            )
            kept.append(f"n{number}")
        except StorageUnavailable as error:
            refused.append(str(error))
    assert refused
    assert all("full" in text for text in refused)
    assert {row[0] for row in await database.read(lambda tx: tx.rows("select name from meta"))} == set(kept)
    await database.write(lambda tx: tx.rows("pragma max_page_count = 100000"))
    await database.write(
        lambda tx: tx.rows("insert into meta (name, value) values ('after', :v)", v="x" * 9000)
    )
    assert await database.read(lambda tx: tx.rows("pragma integrity_check")) == [("ok",)]
    await database.close()


WRITER = """
import asyncio, random, sys, time
from pathlib import Path
from realtime.ids import IdMaker
from storage.database import Means
from storage.sqlite import SqliteDatabase

async def main():
    database = SqliteDatabase(Path(sys.argv[1]), Means("t", lambda: 1, IdMaker(random.Random(1).getrandbits)))
    database.migrate()
    await database.open(lambda parcels: None)

    async def one(n):
        await database.write(lambda tx: tx.rows("insert into meta (name, value) values (:n, '1')", n=str(n)))
        sys.stdout.write(f"{n}\\n")
        sys.stdout.flush()

    n = 0
    while True:
        await asyncio.gather(*(one(n + k) for k in range(32)))
        n += 32

asyncio.run(main())
"""


@pytest.mark.parametrize("after", [1, 40, 200])
def test_killed_hard_everything_acknowledged_is_there(tmp_path: Path, after: int) -> None:
    path = tmp_path / "f"
    script = textwrap.dedent(WRITER)
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    acknowledged = [process.stdout.readline().strip() for _ in range(after)]
    process.send_signal(signal.SIGKILL)
    acknowledged += process.stdout.read().split("\n")[:-1]
    process.wait()
    process.stdout.close()
    connection = connect(path, reader=True)
    there = {row[0] for row in connection.execute("select name from meta")}
    assert list(connection.execute("pragma integrity_check")) == [("ok",)]
    connection.close()
    assert set(acknowledged) <= there
    assert len(acknowledged) >= after


async def test_a_read_whose_transaction_ended_under_it_is_unavailable(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    database = open_database("sqlite", tmp_path, request)
    await database.open(lambda parcels: None)

    def broken(tx: Tx) -> None:
        # As the library does on a failure of the disk: first it rolls back, then it raises.
        tx.rows("rollback")
        raise apsw.IOError("disk I/O error")

    with pytest.raises(StorageUnavailable, match="disk I/O error"):
        await database.read(broken)
    assert await database.read(lambda tx: tx.rows("select 1")) == [(1,)]
    await database.close()
