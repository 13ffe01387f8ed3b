"""Migrations: numbered SQL files, applied once each, in order, inside one transaction with their record.

Called at start and by `tsudoi migrate`. Two nodes that start at once wait for each other on a lock of the
database. A file that was changed after it was applied is refused: schema history is append-only.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from storage.database import Dialect, Tx

DIRECTORY = Path(__file__).parent / "migrations"
_NAME = re.compile(r"(\d{4})_\w+\.sql\Z")
_WORDS: dict[Dialect, dict[str, str]] = {
    "sqlite": {
        "{int}": "integer",
        "{key}": "text",
        "{bytes}": "blob",
        "{serial}": "integer primary key autoincrement",
    },
    "postgres": {
        "{int}": "bigint",
        "{key}": 'text collate "C"',
        "{bytes}": "bytea",
        "{serial}": "bigint generated always as identity primary key",
    },
}


class MigrationError(RuntimeError):
    """The schema in the database is not one that this program can bring up to date."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file."""

    version: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text as written."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def statements(self, dialect: Dialect) -> list[str]:
        """The statements in the words of a dialect, comments dropped."""
        text = re.sub(r"--[^\n]*", "", self.text)
        for word, meaning in _WORDS[dialect].items():
            text = text.replace(word, meaning)
        found = [statement.strip() for statement in text.split(";")]
        # A statement may be for one dialect alone.
        others = tuple(f"{{{name}}}" for name in _WORDS if name != dialect)
        mine = [each.removeprefix(f"{{{dialect}}}").strip() for each in found if not each.startswith(others)]
        return [each for each in mine if each]


def load(directory: Path = DIRECTORY) -> list[Migration]:
    """All migrations, ascending. Raises `MigrationError` if a number is missing or doubled."""
    found = []
    for path in sorted(directory.iterdir()):
        match = _NAME.match(path.name)
        if match:
            found.append(Migration(int(match[1]), path.stem, path.read_text(encoding="utf-8")))
    if [m.version for m in found] != list(range(1, len(found) + 1)):
        raise MigrationError(f"{directory} must hold 0001, 0002, … without holes")
    return found


def applied_versions(tx: Tx) -> list[int]:
    """The versions recorded in the database, ascending. Raises the driver's error where no record exists."""
    return [row[0] for row in tx.rows("select version from migration order by version")]


def apply(tx: Tx, migrations: list[Migration]) -> list[str]:
    """Bring the schema up to date inside `tx`, which holds the migration lock. Returns the names applied."""
    tx.rows(
        "create table if not exists migration (version integer primary key, name text, checksum text, at bigint)"
    )
    done = {row[0]: row for row in tx.rows("select version, name, checksum from migration")}
    for version, name, checksum in done.values():
        known = next((m for m in migrations if m.version == version), None)
        if known is None:
            raise MigrationError(
                f"the database has migration {name}, which this program does not know: update it"
            )
        if known.checksum != checksum:
            raise MigrationError(f"migration {name} was changed after it was applied")
    applied = []
    for migration in migrations:
        if migration.version in done:
            continue
        for statement in migration.statements(tx.dialect):
            tx.rows(statement)
        tx.rows(
            "insert into migration (version, name, checksum, at) values (:version, :name, :checksum, :at)",
            version=migration.version,
            name=migration.name,
            checksum=migration.checksum,
            at=tx.now_ms(),
        )
        applied.append(migration.name)
    return applied
