"""What every user of Redis here shares: how connections are made, how scripts are run, how long one waits.

Used by the courier's and the leases' Redis adapters. What always holds: the library never retries by itself
(its default retried an append during a stall and stored it twice); every call has a deadline; the caller
sees one family of exceptions, `TROUBLE`.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import hiredis
from redis._parsers.hiredis import NOT_ENOUGH_DATA
from redis.asyncio import BlockingConnectionPool, ConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

TROUBLE = (RedisError, OSError, TimeoutError, RuntimeError)
"""Everything that a call to Redis may raise. The last is uvloop's word for a connection that closes while it is made or written
to."""

_COMMAND_CONNECTIONS_MAX = 8
_READ_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Script:
    """A server-side function by its text; `sha` is the name the server gives it."""

    text: str
    sha: str = field(init=False)

    def __post_init__(self) -> None:
        # SHA-1 is how EVALSHA names scripts; nothing is protected by it.
        digest = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()
        object.__setattr__(self, "sha", digest)


class Backoff:
    """Waits between attempts, growing with decorrelated jitter so that nodes do not come back in step."""

    def __init__(self, rng: random.Random, first_s: float = 0.05, longest_s: float = 2.0) -> None:
        self._rng = rng
        self._first_s = first_s
        self._longest_s = longest_s
        self._last_s = first_s

    def next_s(self) -> float:
        """Seconds to wait before the next attempt."""
        self._last_s = min(self._longest_s, self._rng.uniform(self._first_s, self._last_s * 3))
        return self._last_s

    def reset(self) -> None:
        """An attempt succeeded."""
        self._last_s = self._first_s


def command_client(url: str, timeout_s: float) -> Redis:
    """A client for single commands; the caller still sets the deadline of the whole call."""
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=_COMMAND_CONNECTIONS_MAX,
        timeout=timeout_s,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
    )
    return Redis.from_pool(pool)


async def run_script(client: Redis, script: Script, keys: Sequence[str], args: Sequence[Any]) -> Any:
    """EVALSHA, and EVAL where the server does not know the script. Raises one of `TROUBLE`."""
    try:
        return await client.evalsha(script.sha, len(keys), *keys, *args)
    except NoScriptError:
        return await client.eval(script.text, len(keys), *keys, *args)


Heard = Callable[[list[Any]], None]
"""Given all replies of a chunk of bytes. Must not raise."""


class _Ear(asyncio.Protocol):
    """Parses what a connection brings; `lost` ends with the reason."""

    def __init__(self, reader: Any, heard: Heard) -> None:
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._reader = reader
        self._heard = heard

    def data_received(self, data: bytes) -> None:
        """Bytes; whole replies are told together."""
        replies = []
        try:
            self._reader.feed(data)
            while (reply := self._reader.gets()) is not NOT_ENOUGH_DATA:
                if isinstance(reply, Exception):
                    raise reply
                replies.append(reply)
        except TROUBLE as error:
            self._end(error)
        if replies:
            self._heard(replies)

    def connection_lost(self, exc: Exception | None) -> None:
        """The server hung up, or we did."""
        self._end(exc if isinstance(exc, TROUBLE) else ConnectionError("Redis hung up"))

    def _end(self, error: BaseException) -> None:
        if not self.lost.done():
            self.lost.set_exception(error)
            # Whoever was told to stop listening does not look.
            self.lost.exception()


class Line:
    """One connection that its owner alone uses: raw commands out, replies in. Never reconnects by itself."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        # The pool only translates the URL (TLS, socket, user, database) into a connection.
        self._factory = ConnectionPool.from_url(
            url,
            socket_timeout=None,
            socket_connect_timeout=timeout_s,
            socket_read_size=_READ_BYTES,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
        self._connection: AbstractConnection | None = None
        self._transport: asyncio.WriteTransport | None = None
        self._lost: asyncio.Future[None] | None = None

    async def open(self) -> None:
        """Connect and log in within the deadline. Raises one of `TROUBLE`."""
        await self.close()
        self._connection = self._factory.make_connection()  # type: ignore[no-untyped-call]  # the library leaves it untyped
        async with asyncio.timeout(self._timeout_s):
            await self._connection.connect()
        # The library offers only the polite close, and does that one itself when a send is cut short.
        writer = getattr(self._connection, "_writer", None)
        self._transport = writer.transport if writer is not None else None

    async def send(self, *commands: Sequence[str | bytes | int]) -> None:
        """Write commands in one go; waits while the socket is full, so the caller sets a deadline."""
        pack: Any = hiredis.pack_command  # its type stub knows tuples of one element only
        packed = [pack(tuple(command)) for command in commands]
        await self._open_connection.send_packed_command(packed, check_health=False)

    async def receive(self, timeout_s: float = math.inf) -> Any:
        """The next reply; None when none came in time. A reply that is an error is raised."""
        return await self._open_connection.read_response(timeout=timeout_s, disconnect_on_error=False)

    def attend(self, heard: Heard) -> None:
        """From now on replies are handed over as their bytes arrive, and `receive` is over. At rates of a thousand a second
        they come one by one, and waiting for each in a task costs five times as much as the reply itself."""
        connection = self._open_connection
        assert self._transport is not None
        # What the library has read and not handed out yet comes first.
        parser, stream = getattr(connection, "_parser"), getattr(connection, "_reader")  # noqa: B009  # theirs, untyped
        ear = _Ear(parser._reader, heard)
        self._lost = ear.lost
        self._transport.set_protocol(ear)
        ear.data_received(bytes(stream._buffer))

    async def lost(self, within_s: float) -> None:
        """After `attend`: raises one of `TROUBLE` when the connection is lost within so many seconds, else returns after
        them."""
        assert self._lost is not None
        await asyncio.wait((self._lost,), timeout=within_s)
        if self._lost.done():
            self._lost.result()

    async def close(self) -> None:
        """Drop the connection at once, unsent bytes and all; never waits. A polite close would wait for a
        frozen server to take them, and keep the socket until it does."""
        connection, self._connection = self._connection, None
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()
        if connection is not None:
            await connection.disconnect(nowait=True)

    @property
    def _open_connection(self) -> AbstractConnection:
        if self._connection is None:
            raise ConnectionError("not connected")
        return self._connection
