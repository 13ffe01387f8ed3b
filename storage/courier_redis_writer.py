"""The writing half of the Redis courier: one task, one connection, batches out of the outbox.

Owned by `RedisCourier`. What always holds: nobody waits for it; a batch whose fate is unknown is sent again
under the same number, which the server refuses if it had carried it, so that the log never holds a parcel
twice; the ephemeral are sent at most once and never late.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.exceptions import NoScriptError, ReadOnlyError, ResponseError

from realtime.parcels import Parcel, pack, partition_of
from storage.courier import CourierConfig, CourierCounters
from storage.courier_outbox import Outbox, Waiting
from storage.courier_scripts import CARRY, GUARD_TTL_S, echo_channel, guard_key, live_channel, log_key
from storage.redis_link import TROUBLE, Backoff, Line

log = logging.getLogger(__name__)

FLUSH_PARCELS_MAX = 512
FLUSH_BYTES_MAX = 512 * 1024


@dataclass(slots=True)
class Echo:
    """What a node said to itself last, and what of it the reader has heard. `looks` counts how often it was looked for in
    vain. Patience is looks, not time: where the whole machine stood still, no time was given to answer in."""

    said: int = 0
    heard: int = 0
    looks: int = 0

    def say(self) -> int:
        """The next number to send."""
        self.said += 1
        return self.said

    def hear(self, number: int) -> None:
        """A number came back; if later ones are still on their way, the patience for them starts anew."""
        self.heard = max(self.heard, number)
        self.looks = 0

    def look(self) -> int:
        """How often in a row, this time included, something was outstanding when it was looked."""
        self.looks = self.looks + 1 if self.said > self.heard else 0
        return self.looks

    def forget(self) -> None:
        """A new connection starts without debts."""
        self.heard = self.said
        self.looks = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """Parcels of one partition under a number that rises from batch to batch."""

    number: int
    partition: int
    waiting: Sequence[Waiting[bytes]]


class RedisWriter:
    """Sends what `publish` leaves behind. `writer` is a name no other writer ever had."""

    def __init__(self, config: CourierConfig, writer: str, counters: CourierCounters, echo: Echo) -> None:
        self.alive = False
        self.tried = asyncio.Event()
        self._config = config
        self._writer = writer
        self._counters = counters
        self._echo = echo
        self._outbox: Outbox[bytes] = Outbox(config.buffer_parcels_max, config.buffer_bytes_max, counters)
        self._line = Line(config.redis_url, config.timeout_s)
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._pending: list[Batch] = []
        self._number = 0
        self._beat_due = False

    def publish(self, parcel: Parcel) -> None:
        """As `Courier.publish`. An ephemeral parcel is dropped at once while the server is out of reach."""
        if not parcel.durable and not self.alive:
            self._counters.dropped += 1
            return
        data = pack(parcel)
        partition = partition_of(parcel.channel, self._config.partitions)
        self._outbox.put(Waiting(partition, parcel.durable, len(data), data))
        self._idle.clear()
        self._wake.set()

    async def run(self, backoff: Backoff) -> None:
        """Connect, send, and after trouble begin again; ends only by cancellation."""
        opened = False
        while True:
            try:
                await self._begin()
                self._counters.reconnects += opened
                opened = self.alive = True
                self.tried.set()
                backoff.reset()
                await self._send_for_ever()
            except TROUBLE as trouble:
                log.debug("courier writer: %r", trouble)
            except Exception:
                # A fault of ours must not silence this node; the log says what it was.
                log.exception("the courier's writer failed")
            self.alive = False
            self.tried.set()
            self._echo.forget()
            self._forget_the_ephemeral()
            await self._line.close()
            await asyncio.sleep(backoff.next_s())

    async def drain(self) -> None:
        """Return when everything has left."""
        if self._outbox or self._pending:
            await self._idle.wait()

    async def close(self) -> None:
        """After `run` was cancelled: close the connection and count what never left."""
        self.alive = False
        await self._line.close()
        self._counters.dropped += sum(len(batch.waiting) for batch in self._pending)
        self._pending.clear()
        self._outbox.drop_all()

    async def _begin(self) -> None:
        async with asyncio.timeout(self._config.timeout_s):
            await self._line.open()
            await self._exchange([("SCRIPT", "LOAD", CARRY.text)])
            await self._flush_pending()

    async def _send_for_ever(self) -> None:
        loop = asyncio.get_running_loop()
        beat = loop.call_soon(self._beat)
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                self._gather()
                await self._flush_pending()
                if self._beat_due:
                    self._beat_due = False
                    await self._say()
                    beat = loop.call_later(self._config.beat_s, self._beat)
                if self._outbox:
                    self._wake.set()
                else:
                    self._idle.set()
        finally:
            beat.cancel()

    async def _say(self) -> None:
        number = self._echo.say()
        await self._exchange([("PUBLISH", echo_channel(self._config.prefix, self._writer), number)])

    def _beat(self) -> None:
        self._beat_due = True
        self._wake.set()

    def _gather(self) -> None:
        groups: dict[int, list[Waiting[bytes]]] = {}
        for waiting in self._outbox.take(FLUSH_PARCELS_MAX, FLUSH_BYTES_MAX):
            groups.setdefault(waiting.partition, []).append(waiting)
        for partition, group in groups.items():
            self._number += 1
            self._pending.append(Batch(self._number, partition, group))

    async def _flush_pending(self) -> None:
        """Send all pending batches in one go. They stay pending until the server's word on them came."""
        if not self._pending:
            return
        replies = await self._exchange([self._command(batch) for batch in self._pending])
        unknown = [index for index, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if unknown:
            # The server lost its functions; those batches were certainly not carried.
            again: list[Sequence[str | bytes | int]] = [("SCRIPT", "LOAD", CARRY.text)]
            again += [self._command(self._pending[index]) for index in unknown]
            for index, reply in zip(unknown, (await self._exchange(again))[1:], strict=True):
                replies[index] = reply
        for reply in replies:
            if isinstance(reply, ReadOnlyError):
                raise reply
        for batch, reply in zip(self._pending, replies, strict=True):
            self._settle(batch, reply)
        self._pending.clear()

    def _settle(self, batch: Batch, reply: Any) -> None:
        if isinstance(reply, ResponseError):
            self._counters.script_errors += len(batch.waiting)
            self._counters.dropped += len(batch.waiting)
            return
        self._counters.published += len(batch.waiting)
        self._counters.script_errors += max(0, int(reply))

    def _command(self, batch: Batch) -> Sequence[str | bytes | int]:
        prefix, partition = self._config.prefix, batch.partition
        letters = "".join("d" if waiting.durable else "e" for waiting in batch.waiting)
        keys = (
            log_key(prefix, partition),
            live_channel(prefix, partition),
            guard_key(prefix, partition, self._writer),
        )
        args = (batch.number, GUARD_TTL_S, self._config.log_entries_max, letters)
        return ("EVALSHA", CARRY.sha, 3, *keys, *args, *(waiting.item for waiting in batch.waiting))

    async def _exchange(self, commands: Sequence[Sequence[str | bytes | int]]) -> list[Any]:
        """Commands out, one reply each, refusals as values, all within the deadline."""
        replies: list[Any] = []
        async with asyncio.timeout(self._config.timeout_s):
            await self._line.send(*commands)
            for _ in commands:
                try:
                    replies.append(await self._line.receive())
                except ResponseError as refusal:
                    replies.append(refusal)
        return replies

    def _forget_the_ephemeral(self) -> None:
        self._outbox.drop_ephemeral()
        kept: list[Batch] = []
        for batch in self._pending:
            durable = [waiting for waiting in batch.waiting if waiting.durable]
            self._counters.dropped += len(batch.waiting) - len(durable)
            if durable:
                kept.append(Batch(batch.number, batch.partition, durable))
        self._pending = kept
