"""Ends a server when the tests that started it are gone, however they went.

Run as `python watchdog.py PID DIRECTORY…` with a pipe as standard input. The end of the pipe without the word
`off` means that the parent died: the process PID and all beneath it are killed, the directories removed.
A pipe is used instead of PR_SET_PDEATHSIG, because that signal comes when the starting *thread* ends, which
may be long before the tests do. Standard library only, so that it starts in some milliseconds.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

OFF_S = 10.0


def family(pid: int) -> list[int]:
    """`pid` and all processes beneath it, the eldest first (read from /proc)."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name stands in brackets and may hold anything; the parent's number is second after it.
            parent = int(stat.read_text(errors="replace").rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found = [pid]
    for elder in found:
        found.extend(children.get(elder, ()))
    return found


def signal_family(pid: int, number: signal.Signals) -> None:
    """Send `number` to `pid` and to all beneath it; silently nothing if it is gone."""
    with contextlib.suppress(ProcessLookupError):
        # Stopped, it starts no more children while they are being counted.
        os.kill(pid, signal.SIGSTOP)
        for member in family(pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(member, number)


class Watchdog:
    """Guards one started process from the side of the tests. `off()` must be called once it has ended."""

    def __init__(self, pid: int, *directories: Path) -> None:
        command = [sys.executable, "-I", "-S", __file__, str(pid), *map(str, directories)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)

    def off(self) -> None:
        """Send the watchdog home: there is nothing left to guard. One that does not go is not waited for."""
        try:
            self._process.communicate(b"off", timeout=OFF_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def main() -> None:
    """Wait for the parent's end or its word."""
    if sys.stdin.buffer.read() == b"off":
        return
    signal_family(int(sys.argv[1]), signal.SIGKILL)
    for directory in sys.argv[2:]:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
