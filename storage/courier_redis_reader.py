"""The reading half of the Redis courier: one task, one connection, subscribed to every partition.

Owned by `RedisCourier`. What always holds: whenever parcels may have been missed, `on_suspect` is called
after the new subscription stands, so that nothing falls between; a connection that answers nothing is given
up after two beats and a deadline, one that answers pings but carries nothing after `ECHO_BEATS` beats; a process that was
held up itself takes nobody for dead.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

from realtime.parcels import Parcel, unpack
from storage.courier import CourierConfig, CourierCounters, Deliver, Suspect
from storage.courier_redis_writer import Echo
from storage.courier_scripts import echo_channel, live_channel
from storage.redis_link import TROUBLE, Backoff, Line

log = logging.getLogger(__name__)

ECHO_BEATS = 3
ANSWER_LOOKS = 10
"""How often within the deadline it is looked for an answer."""


@dataclass(frozen=True, slots=True)
class Listener:
    """Whom the reader tells what it hears."""

    deliver: Deliver
    on_suspect: Suspect


class RedisReader:
    """Hears the parcels of other nodes. `writer` names the channel on which this node's echo comes back."""

    def __init__(self, config: CourierConfig, writer: str, counters: CourierCounters, echo: Echo) -> None:
        self.alive = False
        self.tried = asyncio.Event()
        self._config = config
        self._counters = counters
        self._echo = echo
        self._echo_channel = echo_channel(config.prefix, writer)
        self._echo_name = self._echo_channel.encode()
        self._own = b"\x1f" + config.origin.encode()
        self._line = Line(config.redis_url, config.timeout_s)
        self._heard = 0

    async def run(self, listener: Listener, backoff: Backoff) -> None:
        """Subscribe, listen, and after trouble begin again; ends only by cancellation."""
        opened = False
        while True:
            try:
                await self._subscribe()
                self._counters.reconnects += opened
                # The very first subscription, in time for `start`, has nothing to have missed.
                suspect = self.tried.is_set()
                opened = self.alive = True
                self.tried.set()
                backoff.reset()
                if suspect:
                    self._tell(listener.on_suspect)
                await self._listen(listener)
            except TROUBLE as trouble:
                log.debug("courier reader: %r", trouble)
            except Exception:
                # A fault of ours must not make this node deaf; the log says what it was.
                log.exception("the courier's reader failed")
            self.alive = False
            self.tried.set()
            await self._line.close()
            await asyncio.sleep(backoff.next_s())

    async def close(self) -> None:
        """After `run` was cancelled: close the connection."""
        self.alive = False
        await self._line.close()

    async def _subscribe(self) -> None:
        names = [live_channel(self._config.prefix, number) for number in range(self._config.partitions)]
        names.append(self._echo_channel)
        async with asyncio.timeout(self._config.timeout_s):
            await self._line.open()
            await self._line.send(("SUBSCRIBE", *names))
            # Parcels may come between the confirmations; `on_suspect` makes good for them, and before the
            # first subscription nobody was told that this node listens.
            confirmed = 0
            while confirmed < len(names):
                confirmed += (await self._line.receive())[0] == b"subscribe"
        self._echo.forget()

    async def _listen(self, listener: Listener) -> None:
        """Parcels are delivered as they arrive; here is only looked after the connection."""
        self._line.attend(lambda replies: self._hear(replies, listener))
        while True:
            before = self._heard
            await self._line.lost(self._config.beat_s)
            self._demand_echo()
            if self._heard == before:
                await self._demand_answer()

    async def _demand_answer(self) -> None:
        """Give up a connection on which nothing comes, not even the answer to a ping, within the deadline."""
        before, timeout_s = self._heard, self._config.timeout_s
        async with asyncio.timeout(timeout_s):
            await self._line.send(("PING",))
        # So many waits instead of one: a machine that stood still gave no time to answer in.
        for _ in range(ANSWER_LOOKS):
            await self._line.lost(timeout_s / ANSWER_LOOKS)
            if self._heard != before:
                return
        raise ConnectionError("Redis does not answer")

    def _hear(self, replies: list[Any], listener: Listener) -> None:
        self._heard += 1
        parcels: list[Parcel] = []
        for reply in replies:
            self._take(reply, parcels)
        if parcels:
            self._counters.received += len(parcels)
            self._tell(listener.deliver, parcels)

    def _take(self, reply: Any, parcels: list[Parcel]) -> None:
        if reply[0] != b"message":
            return
        data = reply[2]
        if reply[1] == self._echo_name:
            self._echo.hear(int(data))
            return
        if data.endswith(self._own, 0, data.find(b"\n")):
            return
        try:
            parcels.append(unpack(data))
        except ValueError:
            self._counters.malformed += 1

    def _demand_echo(self) -> None:
        """Give up a connection on which this node has not heard itself for too long."""
        if self._echo.look() > ECHO_BEATS:
            raise ConnectionError("subscribed, but nothing arrives")

    def _tell(self, told: Any, *args: Any) -> None:
        try:
            told(*args)
        except Exception:
            # A fault of the hub's must not make this node deaf.
            log.exception("a listener of the courier failed")
