"""Migrations: once each, in order, together with their record, also when two nodes start at once."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from storage import migrate
from storage.migrate import Migration, MigrationError
from tests.support.world import BACK_ENDS, open_database

NEXT = len(migrate.load()) + 1


@pytest.mark.parametrize("back_end", BACK_ENDS)
def test_a_second_start_applies_nothing(
    back_end: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    database = open_database(back_end, tmp_path, request)
    assert database.migrate() == []


@pytest.mark.parametrize("back_end", BACK_ENDS)
def test_many_that_start_at_once_apply_each_file_once(
    back_end: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = open_database(back_end, tmp_path, request)
    more = [*migrate.load(), Migration(NEXT, "9999_more", "create table more (id {key} primary key);")]
    monkeypatch.setattr(migrate, "load", lambda: more)
    applied: list[list[str]] = []
    threads = [threading.Thread(target=lambda: applied.append(database.migrate())) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(applied) == [[]] * 5 + [["9999_more"]]


@pytest.mark.parametrize("back_end", BACK_ENDS)
def test_what_the_program_does_not_know_or_finds_changed_is_refused(
    back_end: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = open_database(back_end, tmp_path, request)
    first, *others = migrate.load()
    changed = Migration(1, first.name, first.text + "-- changed")
    monkeypatch.setattr(migrate, "load", lambda: [changed, *others])
    with pytest.raises(MigrationError, match="changed"):
        database.migrate()
    monkeypatch.setattr(migrate, "load", lambda: [])
    with pytest.raises(MigrationError, match="does not know"):
        database.migrate()


@pytest.mark.parametrize("back_end", BACK_ENDS)
def test_a_file_that_fails_leaves_no_trace(
    back_end: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = open_database(back_end, tmp_path, request)
    known = migrate.load()
    bad = Migration(NEXT, "9999_bad", "create table half (id {int}); insert into nothing_here values (1);")
    monkeypatch.setattr(migrate, "load", lambda: [*known, bad])
    with pytest.raises(Exception, match="nothing_here"):
        database.migrate()
    good = Migration(NEXT, "9999_good", "create table half (id {int});")
    monkeypatch.setattr(migrate, "load", lambda: [*known, good])
    assert database.migrate() == ["9999_good"]


@pytest.mark.parametrize("back_end", BACK_ENDS)
async def test_accounts_of_before_get_a_channel_for_their_posts(
    back_end: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = migrate.load()
    monkeypatch.setattr(migrate, "load", lambda: known[:5])
    database = open_database(back_end, tmp_path, request)
    await database.open(lambda parcels: None)
    await database.write(
        lambda tx: tx.rows(
            "insert into account (id, handle, name, created_at, handle_at, state_at)"
            " values ('01A', 'aki', 'aki', 1, 1, 1)"
        )
    )
    await database.close()
    monkeypatch.setattr(migrate, "load", lambda: known)
    database = open_database(back_end, tmp_path, request)
    await database.open(lambda parcels: None)
    rows = await database.read(lambda tx: tx.rows("select id, seq from channel"))
    await database.close()
    assert rows == [("author:01A", 0)]


def test_files_are_numbered_without_holes(tmp_path: Path) -> None:
    (tmp_path / "0001_a.sql").write_text("select 1;")
    (tmp_path / "0003_c.sql").write_text("select 1;")
    with pytest.raises(MigrationError, match="without holes"):
        migrate.load(tmp_path)


def test_every_statement_is_said_in_the_words_of_each_dialect() -> None:
    for migration in migrate.load():
        for dialect in ("sqlite", "postgres"):
            for statement in migration.statements(dialect):
                assert "{" not in statement
                assert "--" not in statement
