"""Several processes on one port: a supervisor that starts workers, replaces those that die, and passes signals on.

Workers share the port by SO_REUSEPORT. Two or more need PostgreSQL and Redis; the settings refuse anything else.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from types import FrameType

import structlog

from gateway.server import bind
from realtime.settings import Settings

log = structlog.get_logger("workers")
RESTART_FIRST_S = 0.5
RESTART_LONGEST_S = 30.0
STABLE_S = 60.0
POLL_S = 0.1


@dataclass(slots=True)
class _Worker:
    """One place for a process. `wait_s` grows while its processes die young."""

    number: int
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    start_at: float = 0.0
    wait_s: float = RESTART_FIRST_S
    ends: list[int] = field(default_factory=list)


def supervise(settings: Settings) -> int:
    """Run `settings.processes` workers until a signal; the exit code."""
    # Bound but never listening: it keeps the port, and the kernel sends connections to the workers only.
    reserve = bind(settings, shared=True)
    port = reserve.getsockname()[1]
    stopping = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    workers = [_Worker(number) for number in range(settings.processes)]
    log.info("supervising", processes=len(workers), port=port)
    while not stopping:
        for worker in workers:
            _tend(worker, port)
        time.sleep(POLL_S)
    for worker in workers:
        if worker.process is not None:
            worker.process.send_signal(signal.SIGTERM)
    codes = [worker.process.wait() for worker in workers if worker.process is not None]
    reserve.close()
    return 0 if all(code == 0 for code in codes) else 1


def _tend(worker: _Worker, port: int) -> None:
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
        worker.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "gateway.cli", "serve", "--worker"],
            env={**os.environ, "PORT": str(port)},
            start_new_session=True,
        )
        worker.started = now
        log.info("worker started", worker=worker.number, pid=worker.process.pid)
