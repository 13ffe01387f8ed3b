"""The doctor: looks at an installation from outside and says what it finds, in words a person can act on."""

from __future__ import annotations

import asyncio
import platform
import resource
import secrets
import time
from typing import Any

from gateway import own_packages
from gateway.app import now_ms
from realtime.ids import IdMaker
from realtime.settings import Settings
from storage.courier import CourierConfig, CourierState
from storage.courier_redis import RedisCourier
from storage.database import Means, StorageUnavailable
from storage.mail import MailTrouble, mailer_of
from storage.migrate import MigrationError, load
from storage.open import database_of
from storage.sqlite import sqlite_version

Check = dict[str, Any]
FILES_WANTED = 4_096
SLOW_MS = 50.0


def examine(settings: Settings) -> list[Check]:
    """All checks: what, ok, says."""
    return [
        _python(),
        _packages(),
        _files(),
        _data(settings),
        *asyncio.run(_servers(settings)),
        _exposure(settings),
    ]


def _check(what: str, ok: bool, says: str) -> Check:
    return {"what": what, "ok": ok, "says": says}


def _python() -> Check:
    return _check("python", True, f"{platform.python_version()} on {platform.system()} {platform.release()}")


def _packages() -> Check:
    wrong = own_packages.foreign()
    return _check("packages", not wrong, wrong or "all packages are Tsudoi's own")


def _files() -> Check:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    advice = "" if hard >= FILES_WANTED else "; raise it (ulimit -Hn), each connection needs one"
    return _check("open files", hard >= FILES_WANTED, f"the server takes up to {hard}{advice}")


def _data(settings: Settings) -> Check:
    try:
        settings.data.mkdir(parents=True, exist_ok=True)
        probe = settings.data / f".doctor-{secrets.token_hex(4)}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        return _check(
            "data directory", False, f"{settings.data} cannot be written: {error.strerror}; set TSUDOI_DATA"
        )
    return _check("data directory", True, f"{settings.data} can be written")


def _exposure(settings: Settings) -> Check:
    from realtime.places import is_loopback

    if is_loopback(settings.host) or settings.public_url.startswith("https://"):
        return _check("address", True, settings.public_url or f"this machine only ({settings.host})")
    says = f"listens on {settings.host} without TSUDOI_PUBLIC_URL=https://…: browsers will send cookies in the clear"
    return _check("address", False, says)


async def _servers(settings: Settings) -> list[Check]:
    return [await _database(settings), await courier(settings), await _mail(settings)]


async def _database(settings: Settings) -> Check:
    what = "SQLite" if settings.embedded else "PostgreSQL"
    db = database_of(settings, Means("doctor", now_ms, IdMaker(secrets.randbits)))
    try:
        if settings.embedded and not settings.sqlite_path.exists():
            return _check(what, True, f"{sqlite_version()}; no database yet at {settings.sqlite_path}")
        await db.open(lambda parcels: None)
        begun = time.monotonic()
        version = await db.version()
        took_ms = (time.monotonic() - begun) * 1000
        pending = await db.read(lambda tx: len(load()) - _applied(tx))
        says = f"{version}, {took_ms:.1f} ms" + (
            f"; {pending} migrations to apply: tsudoi migrate" if pending else ""
        )
        return _check(what, pending == 0, says)
    except (StorageUnavailable, MigrationError) as error:
        return _check(what, False, f"{error}; check DATABASE_URL")
    except Exception as error:
        return _check(what, False, f"{error}; tsudoi migrate makes the tables")
    finally:
        await db.close()


def _applied(tx: Any) -> int:
    from storage.migrate import applied_versions

    return len(applied_versions(tx))


async def courier(settings: Settings) -> Check:
    """Is what carries entries between nodes there, and quick."""
    if not settings.redis_url:
        return _check("courier", True, "in this process: one process only")
    import random

    redis = RedisCourier(CourierConfig.of(settings, "doctor", "doctor"), random.SystemRandom())
    await redis.start(lambda parcels: None, lambda: None)
    try:
        health = await redis.check()
        version = await redis.version()
    finally:
        await redis.close()
    if health.state is CourierState.OK:
        slow = (health.ping_ms or 0) > SLOW_MS
        return _check("courier", not slow, f"{version}, {health.ping_ms:.1f} ms" + ("; slow" if slow else ""))
    return _check("courier", False, f"{health.state.value}: {health.error}; check REDIS_URL")


async def _mail(settings: Settings) -> Check:
    mailer = mailer_of(settings)
    if mailer is None:
        return _check("mail", True, "not set up, nobody can sign up or log in by mail: tsudoi setup")
    try:
        return _check("mail", True, await mailer.check())
    except MailTrouble as trouble:
        return _check("mail", False, f"{trouble.reason}; check TSUDOI_SMTP_URL")
