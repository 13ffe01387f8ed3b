"""Several processes on one port: a supervisor that starts workers, replaces those that die, and passes signals on.

Workers share the port by SO_REUSEPORT, and drain by themselves if the supervisor dies. Two or more need PostgreSQL and Redis; the settings refuse anything else.
"""

from __future__ import annotations

import dataclasses
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from gateway.server import bind
from realtime.settings import Settings

log = structlog.get_logger("workers")
RESTART_FIRST_S = 0.5
RESTART_LONGEST_S = 30.0
STABLE_S = 60.0
POLL_S = 0.1
STOP_S = 45.0


@dataclass(slots=True)
class _Worker:
    """One place for a process. `wait_s` grows while its processes die young."""

    number: int
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    start_at: float = 0.0
    wait_s: float = RESTART_FIRST_S


def supervise(settings: Settings, on_started: Callable[[socket.socket], None]) -> int:
    """Run `settings.processes` workers until a signal; the exit code. `on_started` is told when the first of
    them may be. Raises `SettingsError` if the port is taken."""
    reserve = _reserve(settings)
    port = reserve.getsockname()[1]
    # Nobody writes to it: it ends in the workers when this process does, however it goes.
    pipe, ours = os.pipe()
    signals: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: signals.append(number))
    workers = [_Worker(number) for number in range(settings.processes)]
    log.info("supervising", processes=len(workers), port=port)
    on_started(reserve)
    while not signals:
        for worker in workers:
            _tend(worker, port, pipe)
        time.sleep(POLL_S)
    codes = _stop([worker.process for worker in workers if worker.process is not None], signals)
    reserve.close()
    os.close(pipe)
    os.close(ours)
    log.info("supervisor stopped", codes=codes)
    # A worker that was still starting has no handler yet and ends by the signal itself.
    return 0 if set(codes) <= {0, -signal.SIGTERM} else 1


def _reserve(settings: Settings) -> socket.socket:
    """Keep a port for the workers: bound but never listening, so that connections go to the workers only."""
    # Found free the strict way first: with SO_REUSEPORT alone another supervisor's port could be taken as well.
    with bind(settings) as probe:
        port = probe.getsockname()[1]
    found = bind(dataclasses.replace(settings, port=port), shared=True)
    # Needed to bind where old connections linger; without it from now on, the port is also kept from servers that
    # start before the first worker listens.
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    return found


def _stop(processes: list[subprocess.Popen[bytes]], signals: list[int]) -> list[int]:
    """Pass on the first signal and, once more, the second; kill who is still there after `STOP_S`."""
    end = time.monotonic() + STOP_S
    passed = 0
    while any(process.poll() is None for process in processes):
        wanted = min(len(signals), 2)
        for process in processes if passed < wanted else ():
            process.send_signal(signal.SIGTERM)
        passed = wanted
        if time.monotonic() > end:
            log.error("killing workers that do not stop")
            for process in processes:
                process.kill()
        time.sleep(POLL_S)
    return [process.wait() for process in processes]


def _tend(worker: _Worker, port: int, pipe: int) -> None:
    """Start the worker if it does not run and its wait is over."""
    now = time.monotonic()
    if worker.process is not None:
        code = worker.process.poll()
        if code is None:
            return
        log.error("worker ended", worker=worker.number, pid=worker.process.pid, code=code)
        worker.process = None
        young = now - worker.started < STABLE_S
        worker.wait_s = min(worker.wait_s * 2, RESTART_LONGEST_S) if young else RESTART_FIRST_S
        worker.start_at = now + worker.wait_s
    if now >= worker.start_at:
        worker.process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-P", "-m", "gateway.cli", "serve", "--worker", str(pipe)],
            env={**os.environ, "PORT": str(port)},
            pass_fds=[pipe],
            start_new_session=True,
        )
        worker.started = now
        log.info("worker started", worker=worker.number, pid=worker.process.pid)
