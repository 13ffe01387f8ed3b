"""What every use case works with: the database, the settings, and who is asking."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from realtime.settings import Settings
from storage.database import Database


@dataclass(frozen=True, slots=True)
class Desk:
    """The means of the second floor, put together once by the assembly."""

    db: Database
    settings: Settings
    secret: str = ""
    """A key of the installation, for hashes that nobody else can make."""
    letters_wait: Callable[[], None] = lambda: None
    """Call it after the commit of a letter, for known and unknown addresses alike: it leaves at once."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks: an account through one of its sessions. `door` words of the session are for its owner only."""

    account: str
    session: str
    handle: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks without a session: only where from is known."""

    address: str
