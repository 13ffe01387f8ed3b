"""What SQLite's log holds is carried into the file by a thread of its own, so that no commit waits for it.

Used by `storage.sqlite`. By itself SQLite does this in the commit that fills the log, which then takes a hundred times as long as
the others, and everybody in it. What always holds: a checkpoint is passive: it waits for nobody, nobody waits for it, and one that
could not be done is tried with the next commit. Where it does not keep up, the writer does it after all, so the log has a bound.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

import apsw

DUE_PAGES = 1_000
"""When the log is carried over: SQLite's own measure, 4 MB."""

LATE_PAGES = 20_000
"""When the writer does it itself: 80 MB. Reading gets slower with the length of the log."""


class Checkpointer:
    """`connect` opens the file; `failed` hears what went wrong, and does not return if the process is to end."""

    def __init__(self, connect: Callable[[], apsw.Connection], failed: Callable[[apsw.Error], None]) -> None:
        self._connect = connect
        self._failed = failed
        self._due = threading.Event()
        self._over = False
        self._thread = threading.Thread(target=self._run, name="sqlite-checkpoint", daemon=True)

    def watch(self, writer: apsw.Connection) -> None:
        """Look after what this connection commits, instead of SQLite's own checkpoint."""
        writer.set_wal_hook(self._committed)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End; one that is under way is finished."""
        self._over = True
        self._due.set()
        if self._thread.is_alive():
            self._thread.join()

    def _committed(self, writer: apsw.Connection, name: str, pages: int) -> int:
        if pages >= LATE_PAGES:
            # Trouble here is trouble of the next commit, too, which will tell of it.
            with contextlib.suppress(apsw.Error):
                writer.wal_checkpoint(name, apsw.SQLITE_CHECKPOINT_PASSIVE)
        elif pages >= DUE_PAGES:
            self._due.set()
        return apsw.SQLITE_OK

    def _run(self) -> None:
        connection: apsw.Connection | None = None
        while True:
            self._due.wait()
            self._due.clear()
            if self._over:
                break
            try:
                connection = connection or self._connect()
                connection.wal_checkpoint(None, apsw.SQLITE_CHECKPOINT_PASSIVE)
            except apsw.Error as error:
                self._failed(error)
        if connection is not None:
            connection.close()
