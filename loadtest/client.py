"""A well-mannered client of the wire, over the `websockets` library: what bots, tests and simulated people talk with.

It knows nothing of the server but the frames: answers pings, numbers its requests, follows `seq` per channel and
keeps what it heard in order. It does not reconnect by itself; `positions` and `epoch` let its owner continue.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

SUBPROTOCOL = Subprotocol("tsudoi.v1")
CALL_S = 15.0


class ServerRefusal(Exception):
    """The server answered with an error; the fields are those of WIRE §2."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(f"{error['code']}: {error['message']}")
        self.code: str = error["code"]
        self.retry_ms: int | None = error["retry_ms"]
        self.details: Mapping[str, Any] = error["details"]
        self.request_id: str = error["request_id"]


class Hole(AssertionError):
    """A channel's seq did not go on by one: the server broke its promise."""


@dataclass(slots=True)
class Ear:
    """What was heard: pushes in the order they came, and the last seq per channel."""

    pushes: list[dict[str, Any]] = field(default_factory=list)
    positions: dict[str, int] = field(default_factory=dict)

    def hear(self, push: dict[str, Any]) -> None:
        """Keep a push. Raises `Hole` if it does not continue its channel."""
        channel, seq = push.get("ch"), push.get("seq")
        if channel is not None and seq is not None:
            last = self.positions.get(channel)
            if last is not None and seq != last + 1:
                raise Hole(f"{channel}: {seq} after {last}")
            self.positions[channel] = push.get("upto", seq)
        elif push["ev"] == "resync":
            self.positions[push["d"]["ch"]] = push["d"]["seq"]
        if push["ev"] == "room.joined":
            self.positions["room:" + push["d"]["room"]] = push["d"]["seq"]
        self.pushes.append(push)


class Client:
    """One connection. Use as an async context manager; `token` is a bearer token, `url` the `ws://…/gateway`."""

    def __init__(self, url: str, token: str, ear: Ear | None = None, epoch: str = "") -> None:
        self._url = url
        self._token = token
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._news = asyncio.Event()
        self._socket: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None
        self.ear = ear or Ear()
        self.epoch = epoch
        self.hello: dict[str, Any] = {}
        self.connected: dict[str, Any] = {}
        self.failure: BaseException | None = None

    async def __aenter__(self) -> Client:
        await self.open()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def open(self) -> None:
        """Handshake, hello, connect; returns when everything missed has come (`live`)."""
        self._socket = await connect(
            self._url,
            subprotocols=[SUBPROTOCOL],
            compression=None,
            ping_interval=None,
            max_size=None,
        )
        self.hello = orjson.loads(await self._socket.recv())["d"]
        self._reader = asyncio.create_task(self._read())
        same = self.epoch == self.hello["epoch"]
        self.epoch = self.hello["epoch"]
        request = {
            "token": self._token,
            "client": {"name": "tsudoi client"},
            "epoch": self.epoch,
            "positions": dict(self.ear.positions) if same else {},
        }
        self.connected = await self.call("connect", **request)
        await self.until(lambda: any(push["ev"] == "live" for push in self.ear.pushes[::-1]))

    async def close(self) -> None:
        """Say goodbye and stop reading."""
        if self._socket is not None:
            await self._socket.close()
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)

    @property
    def close_code(self) -> int | None:
        """Why the connection ended, once it has."""
        return self._socket.close_code if self._socket is not None else None

    async def call(self, op: str, **fields: Any) -> Any:
        """One operation; its result. Raises `ServerRefusal`, `ConnectionClosed`, `TimeoutError`."""
        assert self._socket is not None
        number = next(self._ids)
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._socket.send(orjson.dumps({"id": number, "op": op, "d": fields}), text=True)
        async with asyncio.timeout(CALL_S):
            return await future

    async def send_raw(self, data: str | bytes) -> None:
        """Anything at all, for tests of what the server refuses."""
        assert self._socket is not None
        await self._socket.send(data)

    async def say(self, room: str, text: str, nonce: str = "") -> Any:
        """A message under a fresh nonce."""
        return await self.call("room.send", room=room, text=text, nonce=nonce or secrets.token_hex(8))

    async def until(self, condition: Callable[[], bool], seconds: float = CALL_S) -> None:
        """Wait until something heard makes `condition` true."""
        async with asyncio.timeout(seconds):
            while not condition():
                if self.failure is not None:
                    raise self.failure
                self._news.clear()
                await self._news.wait()

    async def ended(self) -> int | None:
        """Wait for the end of the connection; its close code."""
        assert self._reader is not None
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([self._reader], timeout=CALL_S)
        return self.close_code

    def heard(self, event: str) -> list[dict[str, Any]]:
        """Pushes of one kind, in order."""
        return [push for push in self.ear.pushes if push["ev"] == event]

    def texts(self, room: str) -> list[str]:
        """The texts heard live in a room, in order."""
        return [
            push["d"]["message"]["text"]
            for push in self.heard("message.created")
            if push["ch"] == f"room:{room}" and push["d"]["message"]["text"] is not None
        ]

    async def _read(self) -> None:
        assert self._socket is not None
        try:
            async for data in self._socket:
                await self._take(orjson.loads(data))
        except ConnectionClosed:
            pass
        except Exception as error:
            self.failure = error
        finally:
            gone = self.failure or ConnectionError(f"closed with {self.close_code}")
            self.failure = gone
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(gone)
            self._news.set()

    async def _take(self, frame: dict[str, Any]) -> None:
        assert self._socket is not None
        if "ev" not in frame:
            self._answer(frame)
        elif frame["ev"] == "ping":
            await self._socket.send('{"op":"pong"}')
        else:
            self.ear.hear(frame)
        self._news.set()

    def _answer(self, frame: dict[str, Any]) -> None:
        if frame["id"] is None:
            self.ear.pushes.append({"ev": "error", "d": frame["error"]})
            return
        future = self._waiting.pop(frame["id"])
        if "error" in frame:
            future.set_exception(ServerRefusal(frame["error"]))
            return
        if "channels" in frame["ok"]:
            for channel in frame["ok"]["channels"]:
                if not channel["recovered"]:
                    self.ear.positions[channel["ch"]] = channel["seq"]
        future.set_result(frame["ok"])
