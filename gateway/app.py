"""The composition root: every part of a node is made and joined here, on one screen.

`assemble(settings)` makes the node, `build(node)` the ASGI application whose lifespan starts it and takes it down.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple, TypedDict

import structlog
from starlette.applications import Starlette

from channels import tickets
from channels.desk import Desk
from channels.epochs import settle
from gateway import demo, http
from gateway.node import Node, Parts
from gateway.postman import Postman
from realtime.ids import IdMaker
from realtime.settings import Settings
from storage.accounts import keep_meta_once
from storage.courier import Courier, CourierConfig
from storage.courier_memory import MemoryCourier
from storage.courier_redis import RedisCourier
from storage.database import Means, Tx
from storage.leases import Leases
from storage.leases_memory import MemoryLeases
from storage.leases_redis import LeasesConfig, RedisLeases
from storage.mail import mailer_of
from storage.marks import Mark, Marks
from storage.open import database_of
from storage.sqlite import SqliteDatabase

log = structlog.get_logger("app")


class State(TypedDict):
    """What requests and sockets find in the application's state."""

    node: Node


def build(node: Node) -> Starlette:
    """The application around an assembled node, which its lifespan starts and stops."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[State]:
        await node.start()
        try:
            yield {"node": node}
        finally:
            await node.stop()

    routes = http.routes() + (demo.routes() if node.settings.demo else [])
    return Starlette(routes=routes, middleware=http.middleware(), lifespan=lifespan)


async def assemble(settings: Settings) -> Node:
    """Database, courier, leases and node, joined. Raises `StorageUnavailable`, `MigrationError`."""
    name = secrets.token_hex(4)
    db = database_of(settings, Means(name, now_ms, IdMaker(secrets.randbits)))
    if isinstance(db, SqliteDatabase):
        db.claim()
    await asyncio.to_thread(db.migrate)
    fresh = Installation(tickets.new_key(), secrets.token_hex(32))
    node: Node | None = None

    def committed(parcels: object) -> None:
        if node is not None:
            node.fanout.committed(parcels)  # type: ignore[arg-type]  # a sequence of parcels

    await db.open(committed)
    ours = await db.write(lambda tx: installation(tx, fresh))
    marks = Marks(settings)
    noted = await marks.read()
    epoch = await db.write(lambda tx: settle(tx, noted, secrets.token_hex(8)))
    await marks.begin(Mark(epoch.name, epoch.newest))
    if epoch.reason:
        log.warning("a new epoch begins: clients reload", reason=epoch.reason)
    postman = Postman(db, mailer_of(settings), settings.public_url, ours.secret)
    desk = Desk(db, settings, ours.secret, postman.wake)
    courier = _courier(settings, name, epoch.name)
    node = Node(
        Parts(settings, name, desk, courier, _leases(settings), postman, marks, epoch.name, ours.ticket_key)
    )
    if settings.demo:
        await demo.prepare(desk)
    return node


class Installation(NamedTuple):
    """What all nodes of an installation share; the first node that starts decides it."""

    ticket_key: str
    secret: str


def installation(tx: Tx, fresh: Installation) -> Installation:
    """The installation's values, `fresh` where it has none yet."""
    return Installation(*(keep_meta_once(tx, name, getattr(fresh, name)) for name in Installation._fields))


def now_ms() -> int:
    """Unix milliseconds: the clock of an embedded database."""
    return time.time_ns() // 1_000_000


def _courier(settings: Settings, name: str, epoch: str) -> Courier:
    config = CourierConfig.of(settings, name, epoch)
    if settings.redis_url:
        return RedisCourier(config, random.SystemRandom())
    return MemoryCourier(config)


def _leases(settings: Settings) -> Leases:
    if settings.redis_url:
        return RedisLeases(LeasesConfig.of(settings))
    return MemoryLeases(settings.lease_ttl_s, time.monotonic)
