"""What the command line does to the database without a server: migrate, make accounts, seed.

May run beside a serving node: what it writes is found by that node's sweep.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Awaitable, Callable
from typing import TypeVar

import orjson

from channels import accounts, invites
from channels.accounts import NewAccount
from channels.desk import Actor, Desk
from channels.epochs import EPOCH
from gateway import demo
from gateway.app import now_ms
from gateway.crowd import Circle, Crowd, gather
from realtime.errors import Refusal
from realtime.gate import InviteCreate, NewInvite
from realtime.ids import IdMaker
from realtime.parcels import Parcel
from realtime.settings import Settings
from storage.accounts import meta
from storage.courier import CourierConfig
from storage.courier_redis import RedisCourier
from storage.database import Means
from storage.open import database_of

T = TypeVar("T")


def migrate(settings: Settings) -> list[str]:
    """Apply what is missing; the names applied. Raises `StorageUnavailable`, `MigrationError`."""
    return database_of(settings, _means()).migrate()


def create_account(settings: Settings, handle: str, name: str) -> NewAccount:
    """An account with its first session. Errors: `text_*`, `handle_taken`."""
    return with_desk(
        settings,
        lambda desk: desk.db.write(lambda tx: accounts.create_account(tx, handle, name, "command line")),
    )


def follow(settings: Settings, follower: str, followee: str, *, mutual: bool) -> None:
    """One follows the other, or both each other. Errors: `not_found`, `forbidden`."""

    async def work(desk: Desk) -> None:
        await desk.db.write(lambda tx: accounts.follow(tx, follower, followee))
        if mutual:
            await desk.db.write(lambda tx: accounts.follow(tx, followee, follower))

    with_desk(settings, work)


def issue_invite(settings: Settings, handle: str, uses: int, days: int) -> NewInvite:
    """An invite to the service in somebody's name. Errors: `not_found`, `forbidden`, `invite_quota`, `bad_request`."""

    async def work(desk: Desk) -> NewInvite:
        if not settings.public_url:
            raise Refusal("bad_request", "Set TSUDOI_PUBLIC_URL first: a link needs an address.")
        issuer = await desk.db.read(lambda tx: accounts.find_account(tx, handle))
        request = InviteCreate(nonce=secrets.token_hex(8), uses=uses, days=days)
        return await invites.create(desk, Actor(issuer.id, ""), request)

    return with_desk(settings, work)


def seed(settings: Settings) -> bool:
    """The demo people and their room. False if they are there already."""
    return with_desk(settings, demo.prepare)


def seed_crowd(settings: Settings, crowd: Crowd, say: Callable[[str], None]) -> None:
    """People for load tests: one line of JSON per circle."""

    def tell(circle: Circle) -> None:
        tokens = [member.token for member in circle.members]
        say(
            orjson.dumps(
                {"tokens": tokens, "rooms": circle.rooms, "communities": circle.communities}
            ).decode()
        )

    with_desk(settings, lambda desk: gather(desk, crowd, tell))


def with_desk(settings: Settings, work: Callable[[Desk], Awaitable[T]]) -> T:
    """Run `work` on this installation's database, brought up to date. Raises `StorageUnavailable`.

    What it commits is handed to the courier, so that serving nodes act on it at once; without Redis, or while Redis
    is away, their sweep finds it.
    """

    async def run() -> T:
        db = database_of(settings, _means())
        await asyncio.to_thread(db.migrate)
        committed: list[Parcel] = []
        # Without a courier nobody waits for it, and a crowd commits millions.
        await db.open(committed.extend if settings.redis_url else lambda parcels: None)
        epoch = await db.read(lambda tx: meta(tx, EPOCH)) or ""
        try:
            return await work(Desk(db, settings))
        finally:
            await db.close()
            if committed and settings.redis_url:
                await _carry(settings, epoch, committed)

    return asyncio.run(run())


async def _carry(settings: Settings, epoch: str, parcels: list[Parcel]) -> None:
    config = CourierConfig.of(settings, f"cli-{secrets.token_hex(4)}", epoch)
    courier = RedisCourier(config, random.SystemRandom())
    await courier.start(lambda parcels: None, lambda: None)
    for parcel in parcels:
        courier.publish(parcel)
    await courier.close()


def _means() -> Means:
    return Means("cli", now_ms, IdMaker(secrets.randbits))
