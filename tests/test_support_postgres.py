"""The test servers themselves: a proof is worth no more than the server it ran against."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.support import postgres
from tests.support.postgres import PostgresDatabases, PostgresMissingError, PostgresServer, find_programs
from tests.support.watchdog import family

QUICK_S = 2


def ask(url: str, query: str) -> object:
    """The first value of the first row."""
    with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
        row = connection.execute(query.encode()).fetchone()
    return row and row[0]


def test_a_real_server_answers(postgres_url: str) -> None:
    assert str(ask(postgres_url, "SELECT version()")).startswith("PostgreSQL ")
    assert ask(postgres_url, "SELECT lower('ÉÄ')") == "éä"
    assert ask(postgres_url, "SHOW max_connections") == "200" or "TEST_POSTGRES_URL" in os.environ


def test_every_database_is_fresh(postgres_server: PostgresDatabases) -> None:
    first, second = postgres_server.create_database(), postgres_server.create_database()
    try:
        assert first != second
        with psycopg.connect(first, autocommit=True) as connection:
            connection.execute("CREATE TABLE only_in_first ()")
        assert ask(second, "SELECT count(*) FROM pg_tables WHERE tablename = 'only_in_first'") == 0
    finally:
        postgres_server.drop_database(first)
        postgres_server.drop_database(second)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        ask(first, "SELECT 1")


def test_a_database_is_dropped_from_under_a_leaked_connection(postgres_server: PostgresDatabases) -> None:
    url = postgres_server.create_database()
    with psycopg.connect(url, autocommit=True) as leaked:
        postgres_server.drop_database(url)
        with pytest.raises(psycopg.OperationalError):
            leaked.execute("SELECT 1")


def test_the_url_of_a_database_keeps_the_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PostgresDatabases, "_administer", lambda *_: None)
    made = PostgresDatabases("postgresql://me@there:1234/main?sslmode=disable").create_database()
    assert made.startswith("postgresql://me@there:1234/tsudoi_test_")
    assert made.endswith("?sslmode=disable")


def test_what_was_committed_survives_kill_and_restart(own_postgres: PostgresServer) -> None:
    url = own_postgres.create_database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept (n int)")
        connection.execute("INSERT INTO kept VALUES (1)")
        own_postgres.kill()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    own_postgres.start()
    assert ask(url, "SELECT n FROM kept") == 1
    own_postgres.restart()
    assert ask(url, "SELECT n FROM kept") == 1
    own_postgres.stop()
    with pytest.raises(psycopg.OperationalError):
        ask(url, "SELECT 1")
    own_postgres.start()
    assert ask(url, "SELECT n FROM kept") == 1


def test_a_paused_server_is_silent_and_goes_on(own_postgres: PostgresServer) -> None:
    own_postgres.pause()
    with pytest.raises(psycopg.errors.ConnectionTimeout):
        psycopg.connect(own_postgres.url, connect_timeout=QUICK_S)
    own_postgres.resume()
    assert ask(own_postgres.url, "SELECT 1") == 1


def test_the_server_never_runs_as_root(own_postgres: PostgresServer) -> None:
    owners = {Path(f"/proc/{pid}").stat().st_uid for pid in family(own_postgres.pid)}
    assert len(owners) == 1
    assert 0 not in owners


def test_programs_out_of_reach_are_copied(tmp_path: Path) -> None:
    package = tmp_path / "closed" / "package"
    (package / "install" / "bin").mkdir(parents=True)
    (package / "install" / "bin" / "postgres").write_text("program")
    (tmp_path / "closed" / "package.libs").mkdir()
    (tmp_path / "closed" / "package.libs" / "library").write_text("library")
    (tmp_path / "closed").chmod(0o700)
    programs, home = package / "install" / "bin", tmp_path / "home"
    copied = postgres._usable_programs(programs, home, {"user": 65534})
    assert (copied / "postgres").read_text() == "program"
    assert (copied.parents[2] / "package.libs" / "library").read_text() == "library"
    assert copied.is_relative_to(home)
    assert postgres._usable_programs(programs, home, {}) == programs


if os.geteuid() == 0:  # others run the server as themselves; for them there is nothing to prove or to skip

    def test_root_can_start_programs_that_nobody_cannot_reach(tmp_path: Path) -> None:
        locked = tmp_path / "locked"
        locked.mkdir(mode=0o700)
        server = PostgresServer(postgres._copy_installation(find_programs().resolve(), locked))
        try:
            server.start()
            assert ask(server.url, "SELECT 1") == 1
        finally:
            server.close()


def test_a_server_ends_with_the_tests_that_started_it() -> None:
    script = (
        "import os, signal\n"
        "from tests.support.postgres import PostgresServer, find_programs\n"
        "server = PostgresServer(find_programs())\n"
        "server.start()\n"
        "print(server.pid, server.home, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    # The watchdog holds the other end of this pipe: it is closed when the last of them has gone.
    root = Path(postgres.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=root, check=False, timeout=60
    )
    pid, home = done.stdout.decode().split()
    assert not Path(home).exists()
    assert not is_running(int(pid))


def is_running(pid: int) -> bool:
    """True if `pid` is a process that has not ended (one that nobody has waited for has)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_missing_server_is_a_visible_skip_or_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TSUDOI_TEST_STRICT", raising=False)
    with pytest.raises(pytest.skip.Exception, match="none here"), postgres._or_skip():
        raise PostgresMissingError("none here")
    monkeypatch.setenv("TSUDOI_TEST_STRICT", "1")
    with pytest.raises(pytest.fail.Exception, match="none here"), postgres._or_skip():
        raise PostgresMissingError("none here")
