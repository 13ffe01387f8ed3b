"""SQLite's files with a bad disk beneath them: no space, input/output errors, and a count of every sync.

What strikes is told by files in a directory, so that a test can turn it on and off from outside the process: `enospc`
(no write is taken), `eio-sync` (a sync fails; what was written may or may not be there). What always holds: each strike
adds a byte to `struck-NAME`, each sync of the log a byte to `syncs`; without such files the disk is as it is.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import apsw

NAME = "tests-bad-disk"
BASE = "unix"
HARMS = ("enospc", "eio-sync")


class Harms:
    """The directory in which a test and the disk it harms leave each other word."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._open: dict[str, int] = {}
        place.mkdir(parents=True, exist_ok=True)

    def on(self, harm: str, text: str = "") -> None:
        """From now on."""
        (self.place / harm).write_text(text)

    def off(self, harm: str) -> None:
        """No longer."""
        (self.place / harm).unlink(missing_ok=True)

    def is_on(self, harm: str) -> bool:
        """Whether it is to strike."""
        return (self.place / harm).exists()

    def count(self, what: str) -> int:
        """How often something was counted."""
        path = self.place / what
        return path.stat().st_size if path.exists() else 0

    def struck(self, harm: str) -> int:
        """How often a harm struck."""
        return self.count(f"struck-{harm}")

    def add(self, what: str) -> None:
        """Count one."""
        # Kept open, because a test may leave no file to open.
        if what not in self._open:
            self._open[what] = os.open(self.place / what, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(self._open[what], b".")

    def strikes(self, harm: str) -> bool:
        """Whether it strikes now; counted."""
        if self.is_on(harm):
            self.add(f"struck-{harm}")
            return True
        return False


class _File(apsw.VFSFile):
    def __init__(self, name: Any, flags: list[int], harms: Harms) -> None:
        super().__init__(BASE, name, flags)
        self._harms = harms
        self._log = bool(flags[0] & apsw.SQLITE_OPEN_WAL)

    def xWrite(self, data: bytes, offset: int) -> None:
        if self._harms.strikes("enospc"):
            raise apsw.FullError("no space left on device")
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:
        if self._harms.strikes("eio-sync"):
            error = apsw.IOError("input/output error")
            error.extendedresult = apsw.SQLITE_IOERR_FSYNC
            raise error
        super().xSync(flags)
        if self._log:
            self._harms.add("syncs")


class BadDisk(apsw.VFS):
    """The whole of it; becomes the disk of every connection opened without naming one."""

    def __init__(self, harms: Harms) -> None:
        self._harms = harms
        super().__init__(NAME, BASE, makedefault=True)

    def xSleep(self, microseconds: int) -> int:
        """As SQLite waits for a lock. The shim would sleep with the interpreter's lock in its hands; SQLite's own disk
        does not."""
        time.sleep(microseconds / 1e6)
        return microseconds

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:
        """Every file: the database, its log, temporary ones."""
        return _File(name, flags, self._harms)
