"""A real server for end-to-end tests: the command line as its own process, told everything by its environment.

`ServerProcess(env)` serves, `ServerProcess(env, ("demo",))` runs the demo. What always holds: it runs on a port and in
a directory of its own unless `env` says otherwise, keeps both over restarts, and dies with the tests that started it,
however they end.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.support.watchdog import Watchdog, signal_family

ROOT = Path(__file__).resolve().parent.parent.parent
START_S = 60.0
STOP_S = 30.0
PORTS_TRIED = 5
PORTS = (20_000, 32_000)
STEP_S = 0.02
KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "SYSTEMROOT")
HOST = "127.0.0.1"


class ServerProcess:
    """One server. `env` holds its settings; of the tests' own environment only what a process needs is passed on."""

    def __init__(
        self, env: Mapping[str, str], command: Sequence[str] = ("serve",), module: str = "gateway.cli"
    ) -> None:
        self._command = tuple(command)
        self._module = module
        self._place = Path(tempfile.mkdtemp(prefix="tsudoi-server-"))
        self._log = self._place / "server.log"
        self._chosen = "PORT" not in env
        self._env = {name: os.environ[name] for name in KEPT if name in os.environ}
        self._env |= {"PYTHONPATH": str(ROOT), "TSUDOI_DATA": str(self._place / "data"), **env}
        self._env.setdefault("PORT", str(free_port()))
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: Watchdog | None = None

    # Where it is

    @property
    def port(self) -> int:
        """The same over restarts."""
        return int(self._env["PORT"])

    @property
    def url(self) -> str:
        """`http://…` without a slash at the end."""
        return f"http://{HOST}:{self.port}"

    @property
    def ws_url(self) -> str:
        """The address of the socket."""
        return f"ws://{HOST}:{self.port}/gateway"

    @property
    def data(self) -> Path:
        """The directory of everything it keeps."""
        return Path(self._env["TSUDOI_DATA"])

    @property
    def pid(self) -> int:
        """Its process id. Raises `RuntimeError` if it does not run."""
        if self._process is None:
            raise RuntimeError("the server does not run")
        return self._process.pid

    @property
    def running(self) -> bool:
        """True between a start and its end, whoever ended it."""
        return self._process is not None and self._process.poll() is None

    def log_text(self) -> str:
        """All it has said so far, over all of its starts."""
        return self._log.read_text(encoding="utf-8", errors="replace") if self._log.exists() else ""

    def wait_for_log(self, pattern: re.Pattern[str]) -> str:
        """The first match of `pattern` in what it says. Raises `AssertionError` if it never comes."""
        deadline = time.monotonic() + START_S
        while not (found := pattern.search(self.log_text())):
            if not self.running or time.monotonic() > deadline:
                raise AssertionError(f"never said {pattern}:\n{self.log_text()}")
            time.sleep(STEP_S)
        return found[0]

    # Life

    def start(self) -> ServerProcess:
        """Start and return once `/readyz` says yes. Raises `RuntimeError` with its log."""
        for attempt in range(PORTS_TRIED):
            self._launch()
            if self._wait_ready():
                return self
            said = self.log_text()
            self.kill()
            # Another process may have taken the port between its choice and the start.
            if not (self._chosen and "is taken" in said and attempt + 1 < PORTS_TRIED):
                break
            self._env["PORT"] = str(free_port())
        raise RuntimeError(f"the server did not start:\n{said}")

    def stop(self) -> None:
        """SIGTERM; the process must end by itself, in time and with exit code 0."""
        process = self._process
        assert process is not None, "the server does not run"
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"no end {STOP_S} s after SIGTERM:\n{self.log_text()}") from None
        self._ended()
        assert code == 0, f"exit code {code} after SIGTERM:\n{self.log_text()}"

    def kill(self) -> None:
        """`kill -9` of it and of everything beneath it; its data stays."""
        if self._process is not None:
            signal_family(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._ended()

    def wait(self, seconds: float = STOP_S) -> int:
        """Wait for an end that it comes to by itself; the exit code, negative for a signal."""
        process = self._process
        assert process is not None, "the server does not run"
        code = process.wait(seconds)
        self._ended()
        return code

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to it alone."""
        os.kill(self.pid, number)

    def close(self) -> None:
        """Kill what still runs and delete what it kept in a directory of ours."""
        self.kill()
        shutil.rmtree(self._place, ignore_errors=True)

    def __enter__(self) -> ServerProcess:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._process is not None and kind is None:
                self.stop()
        finally:
            self.close()

    # Commands beside it

    def run_cli(self, *arguments: str) -> Any:
        """Run `tsudoi ARGUMENTS… --json` with the same settings; what it printed, parsed."""
        return json.loads(self._run_cli(*arguments, "--json"))

    def run_lines(self, *arguments: str) -> list[Any]:
        """The same for a command that prints a line of JSON for each thing it made."""
        return [json.loads(line) for line in self._run_cli(*arguments).splitlines()]

    def _run_cli(self, *arguments: str) -> str:
        command = [sys.executable, "-P", "-m", "gateway.cli", *arguments]
        done = subprocess.run(
            command, env=self._env, cwd=self._place, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, f"{arguments} ended with {done.returncode}:\n{done.stderr}"
        return done.stdout

    # Inside

    def _launch(self) -> None:
        assert self._process is None, "the server runs already"
        command = [sys.executable, "-P", "-m", self._module, *self._command]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, env=self._env, cwd=self._place, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self._watchdog = Watchdog(self._process.pid)

    def _wait_ready(self) -> bool:
        deadline = time.monotonic() + START_S
        while self.running and time.monotonic() < deadline:
            if self._answers_ready():
                return self.running
            time.sleep(STEP_S)
        return False

    def _answers_ready(self) -> bool:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=2)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _ended(self) -> None:
        self._process = None
        if self._watchdog is not None:
            self._watchdog.off()
            self._watchdog = None


def free_port() -> int:
    """A port that nobody listens on, of those that no system hands out by itself: neither a connection somebody makes
    nor the choice of other tests at the same moment is likely to take it before the server does."""
    while True:
        port = random.randrange(*PORTS)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
