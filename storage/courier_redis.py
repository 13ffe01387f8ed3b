"""The courier through Redis or Valkey: what several processes, on one machine or many, share.

Assembled from a reader and a writer, each with a connection of its own, and a small client for `recent`. What
always holds: no call waits longer than `timeout_s`; a dead, frozen or emptied server costs liveness between nodes,
never an exception in a caller.
"""

from __future__ import annotations

import asyncio
import random

from redis.asyncio import Redis

from realtime.parcels import Parcel, unpack
from storage.courier import (
    CourierConfig,
    CourierCounters,
    CourierHealth,
    CourierState,
    Deliver,
    Suspect,
)
from storage.courier_redis_reader import Listener, RedisReader
from storage.courier_redis_writer import Echo, RedisWriter
from storage.courier_scripts import log_key
from storage.redis_link import TROUBLE, Backoff, Line, command_client
from storage.tasks import end

CLOSE_S = 0.5


class RedisCourier:
    """The `Courier` of one node. `rng` jitters the reconnects and names this writer."""

    def __init__(self, config: CourierConfig, rng: random.Random) -> None:
        self.counters = CourierCounters()
        self._config = config
        self._rng = rng
        # A node that restarts under its old name must not find its batches taken for carried ones.
        name = f"{config.origin}.{rng.getrandbits(64):016x}"
        echo = Echo()
        self._writer = RedisWriter(config, name, self.counters, echo)
        self._reader = RedisReader(config, name, self.counters, echo)
        self._tasks: list[asyncio.Task[None]] = []
        self._commands: Redis | None = None

    @property
    def healthy(self) -> bool:
        """True while both connections work, as of the last beat."""
        return self._reader.alive and self._writer.alive

    async def start(self, deliver: Deliver, on_suspect: Suspect) -> None:
        """As `Courier.start`."""
        self._commands = command_client(self._config.redis_url, self._config.timeout_s)
        listener = Listener(deliver, on_suspect)
        reader = self._reader.run(listener, Backoff(self._rng))
        self._tasks.append(asyncio.create_task(reader, name="courier reader"))
        # The reader first: a node must hear before others can know that it speaks.
        await self._reader.tried.wait()
        writer = self._writer.run(Backoff(self._rng))
        self._tasks.append(asyncio.create_task(writer, name="courier writer"))
        await self._writer.tried.wait()

    def publish(self, parcel: Parcel) -> None:
        """As `Courier.publish`."""
        self._writer.publish(parcel)

    async def recent(self) -> list[Parcel]:
        """As `Courier.recent`: one round trip for all partitions."""
        if self._commands is None:
            return []
        pipe = self._commands.pipeline(transaction=False)
        for partition in range(self._config.partitions):
            pipe.xrevrange(log_key(self._config.prefix, partition), count=self._config.recent_entries_max)
        try:
            async with asyncio.timeout(self._config.timeout_s):
                streams = await pipe.execute()
        except TROUBLE:
            return []
        finally:
            await pipe.reset()  # type: ignore[no-untyped-call]  # untyped in the library
        found: list[Parcel] = []
        for entries in streams:
            for _, fields in reversed(entries):
                try:
                    found.append(unpack(fields[b"p"]))
                except (ValueError, KeyError):
                    self.counters.malformed += 1
        return sorted(found, key=lambda parcel: parcel.seq)

    async def check(self) -> CourierHealth:
        """As `Courier.check`."""
        line = Line(self._config.redis_url, self._config.timeout_s)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._config.timeout_s):
                await line.open()
                begun = loop.time()
                await line.send(("PING",))
                await line.receive()
        except TROUBLE as trouble:
            return CourierHealth(CourierState.DEAD, error=str(trouble) or type(trouble).__name__)
        finally:
            await line.close()
        ping_ms = (loop.time() - begun) * 1000
        if not self._reader.alive:
            return CourierHealth(CourierState.READER_DEAD, ping_ms, "not subscribed")
        if not self._writer.alive:
            return CourierHealth(CourierState.WRITER_DEAD, ping_ms, "parcels do not leave")
        return CourierHealth(CourierState.OK, ping_ms)

    async def version(self) -> str:
        """What the server calls itself, or '' if it does not answer within the deadline."""
        if self._commands is None:
            return ""
        try:
            async with asyncio.timeout(self._config.timeout_s):
                info = await self._commands.info("server")
        except TROUBLE:
            return ""
        if "valkey_version" in info:
            return f"Valkey {info['valkey_version']}"
        return f"Redis {info['redis_version']}"

    async def close(self) -> None:
        """As `Courier.close`: waits at most `CLOSE_S` for the outbox."""
        if self._writer.alive:
            try:
                async with asyncio.timeout(min(CLOSE_S, self._config.timeout_s)):
                    await self._writer.drain()
            except TimeoutError:
                pass
        await end(self._tasks)
        self._tasks.clear()
        await self._reader.close()
        await self._writer.close()
        if self._commands is not None:
            await self._commands.aclose()
            self._commands = None
