"""The Database contract: plain synchronous units of work in the database's own threads (HOUSE §3).

The second floor hands in functions of a `Tx`; they run in a thread, see one consistent state, and either commit
whole or leave nothing. Two implementations: `storage.sqlite` (embedded) and `storage.postgres`.

What always holds: the awaiting caller resumes only after the commit is durable; the entries a unit appended are
offered to `on_commit` on the event loop right after the commit, before the caller resumes, even if the caller is
gone by then; a unit that raises leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from realtime.ids import IdMaker
from realtime.parcels import Parcel

T = TypeVar("T")
Row = tuple[Any, ...]
Dialect = Literal["sqlite", "postgres"]
OnCommit = Callable[[Sequence[Parcel]], None]


class StorageUnavailable(Exception):
    """The database cannot serve now (down, full, locked, or its queue is full). Nothing was kept; try again."""


@dataclass(frozen=True, slots=True)
class Means:
    """What every transaction is given from outside. `clock_ms` serves where the database has no clock of its own."""

    node: str
    clock_ms: Callable[[], int]
    ids: IdMaker


class Tx(Protocol):
    """One transaction. SQL is written once for both dialects, with `:name` parameters."""

    dialect: Dialect
    node: str
    """The node this transaction runs on: the origin of its parcels."""
    parcels: list[Parcel]
    """What to offer to hub and courier once the commit is durable."""

    def rows(self, sql: str, **params: object) -> list[Row]:
        """Run one statement and return all rows (empty if it returns none)."""

    def later(self, sql: str, **params: object) -> None:
        """Run a statement of whose outcome nothing depends, before the next `rows` or the commit: on PostgreSQL it
        shares their round trip, and what it raises is raised there."""

    def now_ms(self) -> int:
        """Unix milliseconds by the database's clock, the same throughout the transaction."""

    def new_id(self) -> str:
        """A new id stamped with `now_ms`."""


Unit = Callable[[Tx], T]
"""A unit of work. It runs in a database thread: it must not touch the event loop or shared state."""


class Batch(Protocol):
    """A hot write, run set-at-a-time: a fixed number of statements for any number of items."""

    name: str

    def run(self, tx: Tx, items: Sequence[Any]) -> list[Any]:
        """One outcome per item, in order; an outcome that is an exception is raised to that item's caller."""


class Database(Protocol):
    """See the module. All methods are called on the event loop; they raise `StorageUnavailable`."""

    dialect: Dialect

    async def open(self, on_commit: OnCommit) -> None:
        """Start the threads; the schema must be migrated."""

    async def read(self, unit: Unit[T]) -> T:
        """Run a unit that only reads, on one snapshot."""

    async def write(self, unit: Unit[T]) -> T:
        """Run a unit in a transaction of its own and commit it."""

    async def hot(self, batch: Batch, item: Any) -> Any:
        """Join `item` to the next run of `batch`; returns its outcome after the commit."""

    async def version(self) -> str:
        """What the server calls itself."""

    async def close(self) -> None:
        """Finish what was begun, refuse what comes later, stop the threads."""


def first(rows: Sequence[Row]) -> Row | None:
    """The first row, or None."""
    return rows[0] if rows else None
