"""Several processes on one port: a supervisor that starts workers, replaces those that die, and passes signals on.

Workers share the port by SO_REUSEPORT, and drain by themselves if the supervisor dies. Two or more need PostgreSQL and
Redis; the settings refuse anything else. SIGHUP rolls them: one place after the other gets a new process, and only when
that one answers is the old one told to drain, so that the port is always served. A roll whose new process does not come
up ends there, and the old ones go on.
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
READY_S = 60.0


@dataclass(slots=True)
class _Worker:
    """One place for a process. `wait_s` grows while its processes die young; `leaving` drains after a roll."""

    number: int
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    start_at: float = 0.0
    wait_s: float = RESTART_FIRST_S
    leaving: subprocess.Popen[bytes] | None = None


@dataclass(slots=True)
class _Port:
    """What every worker gets: the port, and the pipe that ends with the supervisor."""

    port: int
    pipe: int


class _Roll:
    """One SIGHUP carried out, step by step, while the supervisor tends its workers."""

    def __init__(self, workers: list[_Worker], place: _Port) -> None:
        self._left = list(workers)
        self._place = place
        self._fresh: subprocess.Popen[bytes] | None = None
        self._ready = -1
        self._end = 0.0
        log.info("rolling", workers=len(workers))

    def step(self) -> bool:
        """Go on if one can. False when the roll has ended."""
        worker = self._left[0]
        if worker.leaving is not None:
            return self._wait_for_leaving(worker)
        if self._fresh is None:
            self._ready, theirs = os.pipe()
            os.set_blocking(self._ready, False)
            self._fresh = _start(self._place, theirs)
            os.close(theirs)
            self._end = time.monotonic() + READY_S
            return True
        answers = _answers(self._ready)
        if answers is None and time.monotonic() < self._end:
            return True
        os.close(self._ready)
        fresh, self._fresh = self._fresh, None
        if not answers:
            log.error(
                "rolled no further: a new worker does not answer", worker=worker.number, code=fresh.poll()
            )
            fresh.kill()
            fresh.wait()
            return False
        old, worker.process, worker.started = worker.process, fresh, time.monotonic()
        log.info("worker started", worker=worker.number, pid=fresh.pid)
        if old is not None and old.poll() is None:
            old.send_signal(signal.SIGTERM)
            worker.leaving = old
            self._end = time.monotonic() + STOP_S
            return True
        return self._next()

    def _wait_for_leaving(self, worker: _Worker) -> bool:
        assert worker.leaving is not None
        if worker.leaving.poll() is None:
            if time.monotonic() > self._end:
                log.error("killing a worker that does not stop", worker=worker.number)
                worker.leaving.kill()
            return True
        log.info("worker left", worker=worker.number, pid=worker.leaving.pid, code=worker.leaving.poll())
        worker.leaving = None
        return self._next()

    def _next(self) -> bool:
        self._left.pop(0)
        if not self._left:
            log.info("rolled")
        return bool(self._left)

    def processes(self) -> list[subprocess.Popen[bytes]]:
        """What it has begun and not handed over."""
        return [self._fresh] if self._fresh is not None else []


def _answers(ready: int) -> bool | None:
    """True when the other end said so, False when it is gone, None while it starts."""
    try:
        return bool(os.read(ready, 1))
    except BlockingIOError:
        return None


def supervise(settings: Settings, on_started: Callable[[socket.socket], None]) -> int:
    """Run `settings.processes` workers until a signal; the exit code. `on_started` is told when the first of
    them may be. Raises `SettingsError` if the port is taken."""
    reserve = _reserve(settings)
    port = reserve.getsockname()[1]
    # Nobody writes to it: it ends in the workers when this process does, however it goes.
    pipe, ours = os.pipe()
    signals: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, frame: signals.append(number))
    workers = [_Worker(number) for number in range(settings.processes)]
    log.info("supervising", processes=len(workers), port=port)
    on_started(reserve)
    place = _Port(port, pipe)
    roll: _Roll | None = None
    while not _wants_to_stop(signals):
        for worker in workers:
            _tend(worker, place)
        if roll is None and signals:
            # However often it was asked for meanwhile, one roll that begins now serves all.
            signals.clear()
            roll = _Roll(workers, place)
        if roll is not None and not roll.step():
            roll = None
        time.sleep(POLL_S)
    every = [worker.process for worker in workers] + [worker.leaving for worker in workers]
    every += roll.processes() if roll is not None else []
    codes = _stop([process for process in every if process is not None], signals)
    reserve.close()
    os.close(pipe)
    os.close(ours)
    log.info("supervisor stopped", codes=codes)
    # A worker that was still starting has no handler yet and ends by the signal itself.
    return 0 if set(codes) <= {0, -signal.SIGTERM} else 1


def _wants_to_stop(signals: list[int]) -> bool:
    return any(number != signal.SIGHUP for number in signals)


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
        wanted = min(sum(number != signal.SIGHUP for number in signals), 2)
        for process in processes if passed < wanted else ():
            process.send_signal(signal.SIGTERM)
        passed = wanted
        if time.monotonic() > end:
            log.error("killing workers that do not stop")
            for process in processes:
                process.kill()
        time.sleep(POLL_S)
    return [process.wait() for process in processes]


def _tend(worker: _Worker, place: _Port) -> None:
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
        worker.process = _start(place)
        worker.started = now
        log.info("worker started", worker=worker.number, pid=worker.process.pid)


def _start(place: _Port, ready: int | None = None) -> subprocess.Popen[bytes]:
    """A new process; it writes a byte to `ready` as soon as it answers."""
    command = [sys.executable, "-P", "-m", "gateway.cli", "serve", "--worker", str(place.pipe)]
    kept = [place.pipe]
    if ready is not None:
        command += ["--ready", str(ready)]
        kept.append(ready)
    return subprocess.Popen(  # noqa: S603 - our own interpreter and module
        command,
        env={**os.environ, "PORT": str(place.port)},
        pass_fds=kept,
        start_new_session=True,
    )
