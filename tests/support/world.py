"""A desk on a real database, and the people at it: what use-case tests of both back ends are written with."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from channels import accounts
from channels.desk import Actor, Desk
from realtime.ids import IdMaker
from realtime.models import Room
from realtime.parcels import Parcel
from realtime.requests import RoomCreate, RoomSend, Sent
from realtime.settings import Settings
from storage.accounts import add_follow
from storage.database import Means, Tx
from storage.open import database_of
from storage.postgres import PostgresDatabase
from storage.sqlite import SqliteDatabase

BACK_ENDS = ("sqlite", "postgres")


class World:
    """A desk with what it committed (`parcels`), and short ways to make people and rooms."""

    def __init__(self, desk: Desk, parcels: list[Parcel]) -> None:
        self.desk = desk
        self.parcels = parcels
        self._nonces = itertools.count(1)

    @property
    def nonce(self) -> str:
        """A new nonce."""
        return f"n{next(self._nonces)}"

    async def now(self) -> int:
        """The database's clock, in ms."""
        return await self.desk.db.read(lambda tx: tx.now_ms())

    async def person(self, handle: str) -> Actor:
        """A new account."""
        new = await self.desk.db.write(lambda tx: accounts.create_account(tx, handle, handle, "test"))
        return Actor(new.account.id, new.session, handle, handle)

    async def people(self, *handles: str, mutual: bool = True) -> list[Actor]:
        """New accounts; each follows each, if `mutual`."""
        found = [await self.person(handle) for handle in handles]
        for a in handles if mutual else ():
            for b in handles:
                if a != b:
                    await self.follow(a, b)
        return found

    async def follow(self, a: str, b: str) -> None:
        """a follows b, and has done so for long: nobody is told."""

        def unit(tx: Tx) -> None:
            add_follow(tx, accounts.find_account(tx, a).id, accounts.find_account(tx, b).id)

        await self.desk.db.write(unit)

    async def group(self, creator: Actor, *others: Actor, title: str = "集い", **fields: object) -> Room:
        """A new group."""
        from channels import rooms

        request = RoomCreate(title=title, nonce=self.nonce, accounts=[o.account for o in others], **fields)  # type: ignore[arg-type]  # fields of the request
        return await rooms.create(self.desk, creator, request)

    async def say(self, actor: Actor, room: str, text: str = "やあ", **fields: object) -> Sent:
        """A message."""
        from channels import messages

        fields.setdefault("nonce", self.nonce)
        return await messages.send(self.desk, actor, RoomSend(room=room, text=text, **fields))  # type: ignore[arg-type]  # fields of the request

    def of(self, channel: str) -> list[Parcel]:
        """The durable parcels of a channel, in the order of commit."""
        return [parcel for parcel in self.parcels if parcel.channel == channel and parcel.durable]


def open_database(
    back_end: str, tmp_path: Path, request: pytest.FixtureRequest, settings: Settings | None = None
) -> SqliteDatabase | PostgresDatabase:
    """A fresh, migrated database of one back end."""
    url = request.getfixturevalue("postgres_url") if back_end == "postgres" else ""
    chosen = settings or Settings(database_url=url, data=tmp_path)
    randbits = random.Random(7).getrandbits
    means = Means("test", lambda: time.time_ns() // 1_000_000, IdMaker(randbits))
    database = database_of(chosen, means)
    database.migrate()
    return database


@pytest.fixture(params=BACK_ENDS)
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """A world on each back end in turn."""
    parcels: list[Parcel] = []

    def keep(committed: Sequence[Parcel]) -> None:
        parcels.extend(committed)

    database = await asyncio.to_thread(open_database, request.param, tmp_path, request)
    await database.open(keep)
    yield World(Desk(database, Settings(data=tmp_path), "a secret of the tests"), parcels)
    await database.close()
