"""Servers as processes of their own: to signal, to kill, and to read the log of."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.support.watchdog import Watchdog, signal_family

ROOT = Path(__file__).resolve().parent.parent.parent
START_S = 30.0
STOP_S = 30.0
OURS = re.compile("TSUDOI_|PORT$|DATABASE_URL$|REDIS_URL$|WEB_CONCURRENCY$|PYTHONPATH$")


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without settings of its own, and with what is given."""
    plain = {name: value for name, value in os.environ.items() if not OURS.match(name)}
    return {**plain, "PYTHONPATH": str(ROOT), **given}


def command_line(*words: str) -> list[str]:
    """`tsudoi …` of this checkout."""
    return [sys.executable, "-P", "-m", "gateway.cli", *words]


def wait_for(condition: Callable[[], object], what: str, seconds: float = START_S) -> None:
    """Return as soon as `condition()` is true; fail with `what` at the deadline."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s in vain: {what}"
        time.sleep(0.02)


class ServerProcess:
    """`tsudoi serve` (or another command that serves), started at once, in a temporary directory if none is set."""

    def __init__(self, env: Mapping[str, str], command: Sequence[str] = ("serve",)) -> None:
        self._home = tempfile.TemporaryDirectory(prefix="tsudoi-server-")
        home = Path(self._home.name)
        self._log = home / "log"
        self._out = home / "out"
        with self._log.open("wb") as log, self._out.open("wb") as out:
            self._process = subprocess.Popen(
                command_line(*command),
                cwd=home,
                env=environment({"TSUDOI_DATA": str(home / "data"), **env}),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
            )
        self._watchdog = Watchdog(self._process.pid)

    @property
    def pid(self) -> int:
        """The process id of what was started: the supervisor's, where there is one."""
        return self._process.pid

    @property
    def url(self) -> str:
        """Address of the HTTP door, once it has been told."""
        found: list[str] = []

        def told() -> bool:
            found[:] = re.findall(
                r"Tsudoi (?:serves )?on (http://\S+)", self._out.read_text() + self.log_text()
            )
            return bool(found) or self._process.poll() is not None

        wait_for(told, "no address was told")
        assert found, f"the server ended with {self._process.returncode}: {self.log_text()}"
        return found[0]

    @property
    def ws_url(self) -> str:
        """Address of the socket."""
        return self.url.replace("http://", "ws://") + "/gateway"

    def log_text(self) -> str:
        """All of standard error so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def out_text(self) -> str:
        """All of standard output so far."""
        return self._out.read_text(encoding="utf-8", errors="replace")

    def ready(self) -> ServerProcess:
        """Wait until `/readyz` says so."""
        wait_for(lambda: self._process.poll() is not None or self._answers(), "the server is not ready")
        assert self._process.poll() is None, self.log_text()
        return self

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(self.url + "/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to `pid` alone."""
        self._process.send_signal(number)

    def wait(self) -> int:
        """The exit code, once it has ended. Raises `subprocess.TimeoutExpired`."""
        return self._process.wait(STOP_S)

    def terminate(self) -> int:
        """SIGTERM; the exit code."""
        self._process.terminate()
        return self.wait()

    def kill(self) -> None:
        """`kill -9` of `pid` alone."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """End it with everything beneath it, and remove what it wrote."""
        if self._process.poll() is None:
            signal_family(self.pid, signal.SIGKILL)
            self._process.wait()
        self._watchdog.off()
        self._home.cleanup()


StartProcess = Callable[..., ServerProcess]


@pytest.fixture
def start_process() -> Iterator[StartProcess]:
    """Starts servers that are gone at the end of the test: `start_process({"PORT": "0"}, ["serve"])`."""
    started: list[ServerProcess] = []

    def start(env: Mapping[str, str] | None = None, command: Sequence[str] = ("serve",)) -> ServerProcess:
        started.append(ServerProcess(env or {}, command))
        return started[-1]

    yield start
    for server in reversed(started):
        server.close()
