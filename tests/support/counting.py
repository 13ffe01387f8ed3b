"""A desk whose database writes down the statements that are run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from channels.desk import Desk
from storage.database import Batch, Row, Tx, Unit


class ListeningTx:
    """A transaction that notes its statements."""

    def __init__(self, tx: Tx, heard: list[str]) -> None:
        self._tx = tx
        self._heard = heard

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tx, name)

    def rows(self, sql: str, **params: object) -> list[Row]:
        """As of the transaction."""
        self._heard.append(sql)
        return self._tx.rows(sql, **params)

    def later(self, sql: str, **params: object) -> None:
        """As of the transaction."""
        self._heard.append(sql)
        self._tx.later(sql, **params)


class _ListeningBatch:
    def __init__(self, batch: Batch, heard: list[str]) -> None:
        self.name = batch.name
        self._batch = batch
        self._heard = heard

    def run(self, tx: Tx, items: Sequence[Any]) -> list[Any]:
        return self._batch.run(ListeningTx(tx, self._heard), items)


class _Listening:
    def __init__(self, db: Any, heard: list[str]) -> None:
        self._db = db
        self._heard = heard

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    async def read(self, unit: Unit[Any]) -> Any:
        return await self._db.read(lambda tx: unit(ListeningTx(tx, self._heard)))

    async def write(self, unit: Unit[Any]) -> Any:
        return await self._db.write(lambda tx: unit(ListeningTx(tx, self._heard)))

    async def hot(self, batch: Batch, item: Any) -> Any:
        return await self._db.hot(_ListeningBatch(batch, self._heard), item)


def listening(desk: Desk) -> tuple[Desk, list[str]]:
    """The desk, and the statements that are run through it from now on."""
    heard: list[str] = []
    return replace(desk, db=_Listening(desk.db, heard)), heard
