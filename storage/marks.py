"""Marks: how far the log had come, noted beside the database, so that an older copy of the data is recognised.

Called by the assembly (`read`, `begin`) and the fan-out's sweep (`note`). What always holds: a mark never runs ahead of
what was committed; losing one costs only the recognition; nothing here raises or waits longer than the deadline.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import NamedTuple

import orjson
from redis.asyncio import Redis

from realtime.settings import Settings
from storage.redis_link import TROUBLE, Script, command_client, run_script

NOTE = Script("""
-- KEYS: the mark. ARGV: epoch, insertion id, 1 to begin an epoch.
-- Returns 0 if the mark is another epoch's.
local before = redis.call('HMGET', KEYS[1], 'epoch', 'n')
if before[1] and ARGV[3] == '0' then
  if before[1] ~= ARGV[1] then return 0 end
  if tonumber(before[2]) >= tonumber(ARGV[2]) then return 1 end
end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'n', ARGV[2])
return 1
""")


class Mark(NamedTuple):
    """The log had reached insertion id `n` in this epoch."""

    epoch: str
    n: int


class Marks:
    """The marks of one installation: a file beside an embedded database, a key where there is Redis."""

    def __init__(self, settings: Settings) -> None:
        self._path: Path | None = None
        self._redis: Redis | None = None
        self._timeout_s = settings.redis_timeout_s
        self._key = f"{settings.redis_prefix}:mark"
        self._noted = Mark("", -1)
        if settings.embedded:
            self._path = settings.sqlite_path.with_suffix(".mark")
        if settings.redis_url:
            self._redis = command_client(settings.redis_url, settings.redis_timeout_s)

    async def read(self) -> list[Mark]:
        """Every mark that can be read."""
        found = [await asyncio.to_thread(self._read_file), await self._read_redis()]
        return [mark for mark in found if mark is not None]

    async def begin(self, mark: Mark) -> None:
        """From now on this epoch counts, whatever was noted before."""
        await self._note(mark, begin=True)

    async def note(self, mark: Mark) -> bool:
        """The log came further. False if another epoch has begun elsewhere: this process serves replaced data."""
        return mark == self._noted or await self._note(mark, begin=False)

    async def close(self) -> None:
        """Leave Redis."""
        if self._redis is not None:
            await self._redis.aclose()
            self._redis = None

    async def _note(self, mark: Mark, *, begin: bool) -> bool:
        self._noted = mark
        await asyncio.to_thread(self._write_file, mark)
        if self._redis is None:
            return True
        try:
            async with asyncio.timeout(self._timeout_s):
                return bool(
                    await run_script(self._redis, NOTE, [self._key], [mark.epoch, mark.n, int(begin)])
                )
        except TROUBLE:
            return True

    async def _read_redis(self) -> Mark | None:
        if self._redis is None:
            return None
        try:
            async with asyncio.timeout(self._timeout_s):
                epoch, n = await self._redis.hmget(self._key, ["epoch", "n"])
        except TROUBLE:
            return None
        return Mark(str(epoch, "ascii"), int(n)) if isinstance(epoch, bytes) and n is not None else None

    def _read_file(self) -> Mark | None:
        if self._path is None:
            return None
        try:
            found = orjson.loads(self._path.read_bytes())
            return Mark(str(found["epoch"]), int(found["n"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _write_file(self, mark: Mark) -> None:
        if self._path is None:
            return
        fresh = self._path.with_suffix(".mark.new")
        try:
            fresh.write_bytes(orjson.dumps(mark._asdict()))
            os.replace(fresh, self._path)
        except OSError:
            # A full disk stops the database itself; a missing mark only hides an older copy.
            fresh.unlink(missing_ok=True)
