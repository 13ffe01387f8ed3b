"""Sets in SQL: how many rows or ids go through one statement, the only place where the two dialects differ.

PostgreSQL takes arrays (`unnest`), SQLite takes JSON (`json_each`). Column names are constants of the callers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import orjson

from storage.database import Row, Tx

Columns = Sequence[tuple[str, str]]
"""(name, type) per column; type is `text` or `bigint`."""


def one_of(tx: Tx, column: str, param: str = "ids") -> str:
    """SQL condition: `column` is among the values given as `param` by `values_of`."""
    if tx.dialect == "postgres":
        return f"{column} = any(:{param}::text[])"
    return f"{column} in (select value from json_each(:{param}))"


def values_of(tx: Tx, values: Iterable[str]) -> object:
    """The parameter for `one_of`: the distinct values, sorted."""
    distinct = sorted(set(values))
    return distinct if tx.dialect == "postgres" else orjson.dumps(distinct).decode()


def table_of(tx: Tx, columns: Columns, rows: Sequence[Row]) -> tuple[str, dict[str, object]]:
    """Rows as a table `v` for a `from` clause, with the parameters it needs."""
    if tx.dialect == "postgres":
        arrays = ", ".join(f":v_{name}::{kind}[]" for name, kind in columns)
        names = ", ".join(name for name, _ in columns)
        params: dict[str, object] = {
            f"v_{name}": [row[i] for row in rows] for i, (name, _) in enumerate(columns)
        }
        return f"unnest({arrays}) as v ({names})", params
    picks = ", ".join(f"value ->> {i} as {name}" for i, (name, _) in enumerate(columns))
    return f"(select {picks} from json_each(:v_rows)) as v", {
        "v_rows": orjson.dumps(rows, default=tuple).decode()
    }


def each_first(tx: Tx, source: str, table: str, condition: str, order: str) -> str:
    """For a `from` clause: the first `:most` rows of `table` (named by the last word) for each row of `source` (`v`), in an
    order. `condition` may name both."""
    name = table.rsplit(maxsplit=1)[-1]
    first = f"where {condition} order by {order} limit :most"
    if tx.dialect == "postgres":
        return f"{source} cross join lateral (select {name}.* from {table} {first}) as {name}"
    return f"{source} join {table} on {name}.rowid in (select {name}.rowid from {table} {first})"


def insert(tx: Tx, table: str, columns: Columns, rows: Sequence[Row]) -> None:
    """Insert all rows with one statement."""
    if rows:
        statement, params = _insert(tx, table, columns, rows)
        tx.rows(statement, **params)


def insert_later(tx: Tx, table: str, columns: Columns, rows: Sequence[Row]) -> None:
    """As `insert`, where nothing depends on it before the commit."""
    if rows:
        statement, params = _insert(tx, table, columns, rows)
        tx.later(statement, **params)


def _insert(tx: Tx, table: str, columns: Columns, rows: Sequence[Row]) -> tuple[str, dict[str, object]]:
    source, params = table_of(tx, columns, rows)
    names = ", ".join(name for name, _ in columns)
    picks = ", ".join(f"v.{name}" for name, _ in columns)
    return f"insert into {table} ({names}) select {picks} from {source}", params


def for_update(tx: Tx) -> str:
    """PostgreSQL locks the rows it reads; SQLite's one writer has locked the file already."""
    return " for update" if tx.dialect == "postgres" else ""


def for_claim(tx: Tx) -> str:
    """As `for_update`, but rows that another node holds are passed over instead of waited for."""
    return f"{for_update(tx)} skip locked" if tx.dialect == "postgres" else ""
