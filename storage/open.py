"""Opens the Database that the settings name."""

from __future__ import annotations

from realtime.settings import Settings
from storage.database import Means
from storage.postgres import PostgresDatabase
from storage.sqlite import SqliteDatabase


def database_of(settings: Settings, means: Means) -> SqliteDatabase | PostgresDatabase:
    """SQLite for an empty or `sqlite:` URL, PostgreSQL otherwise. Nothing is opened yet."""
    queue_max = settings.limits.write_queue_items_max
    if settings.embedded:
        return SqliteDatabase(settings.sqlite_path, means, queue_max)
    return PostgresDatabase(settings.database_url, means, queue_max)
