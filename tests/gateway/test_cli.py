"""The command line as a person meets it: what it prints, how it ends, and that mistakes are one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway import own_packages
from gateway.cli import cli
from tests.gateway.processes import OURS, ROOT, StartProcess, command_line, environment, start_process
from tests.support.postgres import PostgresServer
from tests.support.valkey import Shared, ValkeyServer

__all__ = ["start_process"]


@dataclass(frozen=True, slots=True)
class Shell:
    """Runs commands in this process, on one data directory; `env` are settings."""

    data: Path

    def __call__(self, *words: str, code: int = 0, env: Mapping[str, str] | None = None) -> str:
        """What was printed: output if it went well, else the complaint."""
        done = self.result(*words, env=env)
        assert "Traceback" not in done.output
        assert done.exit_code == code, done.output
        return done.stdout if code == 0 else done.stderr

    def result(self, *words: str, env: Mapping[str, str] | None = None) -> Result:
        """All that came of a command."""
        settings: dict[str, str | None] = dict.fromkeys(name for name in os.environ if OURS.match(name))
        settings |= {"TSUDOI_DATA": str(self.data), **(env or {})}
        done = CliRunner().invoke(cli, words, env=settings)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done

    def complaint(self, *words: str, code: int, env: Mapping[str, str] | None = None) -> str:
        """The one line of a refusal."""
        told = self(*words, code=code, env=env)
        assert told.startswith("tsudoi: ")
        assert told.count("\n") == 1
        return told.removeprefix("tsudoi: ").strip()


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Commands on a directory of their own."""
    return Shell(tmp_path / "data")


def run(env: Mapping[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """The same as a process of its own."""
    return subprocess.run(
        command_line(*words), env=environment(env), capture_output=True, text=True, timeout=60, check=False
    )


def complaint(done: subprocess.CompletedProcess[str], code: int) -> str:
    """The one line of a refusal."""
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith("tsudoi: ")
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stdout == ""
    return done.stderr.removeprefix("tsudoi: ").strip()


# migrate, seed


@pytest.mark.parametrize("back_end", ["sqlite", "postgres"])
def test_migrate_applies_once(shell: Shell, back_end: str, request: pytest.FixtureRequest) -> None:
    env = {"DATABASE_URL": request.getfixturevalue("postgres_url")} if back_end == "postgres" else {}
    assert shell("migrate", env=env).startswith("applied: 0001_")
    assert shell("migrate", env=env) == "The schema is up to date.\n"
    assert json.loads(shell("migrate", "--json", env=env)) == {"applied": []}


def test_seed_makes_the_demo_people_once(shell: Shell) -> None:
    assert json.loads(shell("seed", "--json")) == {"made": True}
    assert shell("seed") == "The demo people are there already.\n"
    assert json.loads(shell("seed", "--json")) == {"made": False}
    assert "taken" in shell.complaint("account", "create", "mio", code=1)


# account


def test_an_account_is_made_and_its_token_told_once(shell: Shell) -> None:
    made = json.loads(shell("account", "create", "mio", "--name", "みお 🌙", "--json"))
    assert made["handle"] == "mio"
    assert made["name"] == "みお 🌙"
    assert made["token"].startswith("tsd_")
    assert set(made) == {"account", "handle", "name", "session", "token"}
    lines = shell("account", "create", "ken").splitlines()
    assert lines[0].startswith("@ken (ken), id 0")
    assert lines[1].startswith("token: tsd_")


@pytest.mark.parametrize("handle", ["", "あき", "a b", "x" * 100, "a/b", "-", "Mio!", "\ud800"])
def test_a_handle_that_cannot_be_is_refused(shell: Shell, handle: str) -> None:
    assert shell.complaint("account", "create", handle, code=1)


@pytest.mark.parametrize("name", ["な" * 31, " ", "\u202e", "\ud800"])
def test_a_name_that_cannot_be_is_refused(shell: Shell, name: str) -> None:
    assert shell.complaint("account", "create", "mio", "--name", name, code=1)


def test_a_handle_is_taken_once(shell: Shell) -> None:
    shell("account", "create", "mio")
    assert shell.complaint("account", "create", "mio", code=1) == "The handle mio is taken."
    assert shell.complaint("account", "create", "MIO", "--json", code=1) == "The handle mio is taken."


def test_people_follow_each_other(shell: Shell) -> None:
    for handle in ("mio", "ken"):
        shell("account", "create", handle)
    assert shell("account", "follow", "mio", "ken") == "@mio follows @ken.\n"
    assert shell("account", "follow", "mio", "ken", "--mutual") == "@mio and @ken follow each other.\n"
    told = json.loads(shell("account", "follow", "ken", "mio", "--json"))
    assert told == {"follower": "ken", "followee": "mio", "mutual": False}
    assert "nobody" in shell.complaint("account", "follow", "mio", "nobody", code=1)
    assert shell.complaint("account", "follow", "mio", "mio", code=1) == "Nobody follows themselves."


@pytest.mark.parametrize(
    "words",
    [
        ("account",),
        ("account", "create"),
        ("nonsense",),
        ("migrate", "--nonsense"),
        ("account", "follow", "a"),
    ],
)
def test_a_command_that_is_none_explains_itself(shell: Shell, words: tuple[str, ...]) -> None:
    assert "Usage: " in shell.result(*words).output
    assert shell.result(*words).exit_code == 2


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("serve",),
        ("demo",),
        ("setup",),
        ("migrate",),
        ("doctor",),
        ("seed",),
        ("account",),
        ("account", "create"),
    ],
)
def test_every_command_explains_itself_when_asked(shell: Shell, words: tuple[str, ...]) -> None:
    assert "Usage: " in shell(*words, "--help")


# doctor


def checks(told: str) -> dict[str, tuple[bool, str]]:
    """The doctor's report by what it looked at."""
    return {row["what"]: (row["ok"], row["says"]) for row in json.loads(told)["checks"]}


def test_the_doctor_finds_nothing_wrong(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (1_024, 65_536))
    assert "no database yet" in shell("doctor")
    shell("migrate")
    report = checks(shell("doctor", "--json"))
    assert all(ok for ok, _ in report.values())
    assert {
        "python",
        "packages",
        "open files",
        "data directory",
        "SQLite",
        "courier",
        "mail",
        "address",
    } == set(report)


def test_the_doctor_looks_at_real_servers(
    shell: Shell, postgres_url: str, valkey: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (65_536, 65_536))
    monkeypatch.setattr("gateway.doctor.SLOW_MS", 5_000.0)
    env = {"DATABASE_URL": postgres_url, "REDIS_URL": valkey.url}
    before = shell.result("doctor", env=env)
    assert before.exit_code == 1
    assert "tsudoi migrate" in before.stdout
    shell("migrate", env=env)
    report = checks(shell("doctor", "--json", env=env))
    assert report["PostgreSQL"][1].startswith("PostgreSQL ")
    assert report["courier"][0]


def test_the_doctor_tells_what_is_wrong(
    shell: Shell,
    own_postgres: PostgresServer,
    own_valkey: ValkeyServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (1_024, 2_048))
    (tmp_path / "file").touch()
    own_postgres.kill()
    own_valkey.kill()
    env = {
        "DATABASE_URL": own_postgres.url,
        "REDIS_URL": own_valkey.url,
        "TSUDOI_DATA": str(tmp_path / "file" / "data"),
        "TSUDOI_HOST": "0.0.0.0",
    }
    done = shell.result("doctor", "--json", env=env)
    assert done.exit_code == 1
    assert json.loads(done.stdout)["ok"] is False
    report = checks(done.stdout)
    for what, hint in {
        "open files": "ulimit -Hn",
        "data directory": "TSUDOI_DATA",
        "PostgreSQL": "DATABASE_URL",
        "courier": "REDIS_URL",
        "address": "TSUDOI_PUBLIC_URL",
    }.items():
        assert not report[what][0]
        assert hint in report[what][1]
        assert "\n" not in report[what][1]
    assert shell.result("doctor", env=env).stdout.count("BAD ") == 5


def test_the_doctor_reads_the_real_limit(shell: Shell) -> None:
    words = " ".join(command_line("doctor"))
    done = subprocess.run(
        ["/bin/sh", "-c", f"ulimit -n 1024; exec {words}"],
        env=environment({"TSUDOI_DATA": str(shell.data)}),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "BAD open files: the server takes up to 1024; raise it (ulimit -Hn)" in done.stdout
    assert done.stderr == ""


# Wrong settings


@pytest.mark.parametrize("command", ["serve", "demo", "migrate", "doctor", "seed"])
@pytest.mark.parametrize(
    ("env", "named"),
    [
        ({"PORT": "http"}, "PORT"),
        ({"PORT": "70000"}, "PORT"),
        ({"TSUDOI_PING_INTERVAL_S": "soon"}, "TSUDOI_PING_INTERVAL_S"),
        ({"DATABASE_URL": "mysql://here/db"}, "DATABASE_URL"),
        ({"REDIS_URL": "localhost:6379"}, "REDIS_URL"),
        ({"REDIS_URL": "redis://localhost:port"}, "REDIS_URL"),
        ({"REDIS_URL": "redis://[::1"}, "REDIS_URL"),
        ({"WEB_CONCURRENCY": "0"}, "WEB_CONCURRENCY"),
        ({"WEB_CONCURRENCY": "2"}, "one SQLite file and the in-process courier serve one process only"),
        ({"WEB_CONCURRENCY": "2", "DATABASE_URL": "postgresql://x/y"}, "REDIS_URL"),
    ],
)
def test_a_wrong_setting_is_named(shell: Shell, command: str, env: dict[str, str], named: str) -> None:
    assert named in shell.complaint(command, env=env, code=2)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "tsudoi.example"])
def test_the_demo_stays_on_this_machine(shell: Shell, host: str) -> None:
    assert "TSUDOI_HOST" in shell.complaint("demo", env={"TSUDOI_HOST": host}, code=2)


# What is in the way


@pytest.mark.parametrize("command", ["migrate", "seed"])
def test_a_database_that_cannot_be_opened_is_one_line(shell: Shell, tmp_path: Path, command: str) -> None:
    (tmp_path / "file").touch()
    assert "file" in shell.complaint(command, code=1, env={"TSUDOI_DATA": str(tmp_path / "file" / "x")})
    (tmp_path / "tsudoi.sqlite3").write_bytes(b"not a database, but long enough to look at" * 100)
    assert "not a database" in shell.complaint(command, code=1, env={"TSUDOI_DATA": str(tmp_path)})
    for url in ("postgresql://127.0.0.1:1/none", "postgresql://127.0.0.1:port/none", "postgresql://[x/none"):
        assert shell.complaint(command, code=1, env={"DATABASE_URL": url})


def test_a_database_of_a_newer_program_is_refused(shell: Shell) -> None:
    import sqlite3
    from contextlib import closing

    shell("migrate")
    with closing(sqlite3.connect(shell.data / "tsudoi.sqlite3")) as connection, connection:
        connection.execute("insert into migration values (9999, '9999_later', '', 0)")
    assert "9999_later" in shell.complaint("migrate", code=1)


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_what_stops_a_server_from_starting_is_one_line(tmp_path: Path, command: str) -> None:
    (tmp_path / "file").touch()
    assert "TSUDOI_DATA" in complaint(quiet({"TSUDOI_DATA": str(tmp_path / "file" / "x")}, command), 2)
    (tmp_path / "tsudoi.sqlite3").write_bytes(b"not a database, but long enough to look at" * 100)
    assert "not a database" in complaint(quiet({"TSUDOI_DATA": str(tmp_path)}, command), 1)


def quiet(env: Mapping[str, str], command: str) -> subprocess.CompletedProcess[str]:
    """A server that ought not to start; of the demo without its first line."""
    done = run({"TSUDOI_LOG_LEVEL": "error", **env}, command)
    told = [
        line for line in done.stderr.splitlines(keepends=True) if not line.startswith("Starting Tsudoi on")
    ]
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout, "".join(told))


def test_one_file_has_one_server_and_one_port_has_one(start_process: StartProcess, tmp_path: Path) -> None:
    data = {"TSUDOI_DATA": str(tmp_path / "one")}
    server = start_process(data).ready()
    second = complaint(quiet(data, "serve"), 1)
    assert second == f"another server already uses {tmp_path}/one/tsudoi.sqlite3"
    port = server.url.rpartition(":")[2]
    third = complaint(quiet({"TSUDOI_DATA": str(tmp_path / "two"), "PORT": port}, "serve"), 2)
    assert third == f"port {port} of 127.0.0.1 is taken; set PORT to a free one"
    assert run(data, "account", "create", "mio").returncode == 0, "commands work beside a server"
    other = start_process({"TSUDOI_DATA": str(tmp_path / "two")}).ready()
    assert other.url != server.url
    assert other.terminate() == server.terminate() == 0


# Strangers


def stranger(tmp_path: Path, name: str) -> Path:
    """A package of the same name, as another distribution would install it."""
    package = tmp_path / "strangers" / name
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('the stranger was run')\n")
    return package.parent


@pytest.mark.parametrize("name", [name for name in own_packages.NAMES if name != "gateway"])
def test_a_foreign_package_is_found_before_it_is_run(tmp_path: Path, name: str) -> None:
    place = stranger(tmp_path, name)
    done = run({"PYTHONPATH": f"{place}{os.pathsep}{ROOT}"}, "migrate")
    told = complaint(done, 2)
    assert told.startswith(f"the package '{name}' is not Tsudoi's (found in {place})")


def test_help_is_quick_because_little_is_imported() -> None:
    code = "import sys, gateway.cli; print([n for n in ('uvicorn', 'psycopg', 'apsw', 'channels') if n in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], env=environment({}), capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


# invite


def test_an_operator_issues_an_invite_with_a_sheet_to_print(shell: Shell, tmp_path: Path) -> None:
    shell("account", "create", "mio")
    env = {"TSUDOI_PUBLIC_URL": "https://tsudoi.example"}
    sheet = tmp_path / "sheet.svg"
    done = shell.result("invite", "mio", "--print", str(sheet), "--json", env=env)
    assert done.exit_code == 0, done.output
    made = json.loads(done.stdout)
    assert made["link"].startswith("https://tsudoi.example/i#")
    assert sheet.read_text(encoding="utf-8").startswith("<svg")
    many = shell.result("invite", "mio", "--uses", "30", env=env)
    assert many.exit_code == 1
    assert many.stdout == ""
    assert "\n" not in many.stderr.strip()
    assert shell.result("invite", "mio").exit_code == 1
    assert shell.result("invite", "nobody", env=env).exit_code == 1
