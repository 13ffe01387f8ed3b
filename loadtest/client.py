"""A well-mannered client of the wire: what bots, tests and simulated people talk with (docs/clients.md).

The rules are `loadtest.protocol`'s; here are the clock, the socket and asyncio. It knows nothing of the server but
the frames. No task stands by for a client and none is made for a call: one timer, one socket.

    async with Client("wss://tsudoi.example/gateway", token, options=Options(stay=True)) as client:
        async for kind, *told in client: ...
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import orjson

from loadtest.link import FAILURES, Link, dial, retry_ms_of
from loadtest.protocol import Protocol
from loadtest.terms import WATCHING, Ear, Hole, Options, Overrun, ServerRefusal, Told

__all__ = ["EVENTS_MAX", "Client", "Ear", "Hole", "Options", "Overrun", "ServerRefusal"]

CALL_S = 15.0
EVENTS_MAX = 10_000


class Client:
    """One account's connection. Use as an async context manager; `token` is a bearer token, `url` the `ws://…/gateway`."""

    __slots__ = (
        "_armed",
        "_closing",
        "_core",
        "_credential",
        "_dialing",
        "_draining",
        "_events",
        "_link",
        "_loop",
        "_news",
        "_options",
        "_overrun",
        "_timer",
        "_url",
        "_waiting",
        "close_code",
        "ear",
        "failure",
        "hello",
    )

    def __init__(
        self, url: str, token: str, ear: Ear | None = None, epoch: str = "", options: Options = WATCHING
    ) -> None:
        self._url = url
        self._credential = {"token": token, "presence": options.presence}
        self._options = options
        self._core = Protocol({"name": options.name}, random.random, stay=options.stay)
        self._core.streams.epoch = epoch
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._events: deque[Told] = deque()
        self._news: list[asyncio.Future[None]] = []
        self._link: Link | None = None
        self._dialing: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._armed = 0.0
        self._closing: Link | None = None
        self._draining = False
        self._overrun = False
        self._loop: asyncio.AbstractEventLoop
        self.ear = ear or Ear()
        self.hello: dict[str, Any] = {}
        self.close_code: int | None = None
        self.failure: BaseException | None = None

    async def __aenter__(self) -> Client:
        await self.open()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    # What it knows

    @property
    def state(self) -> str:
        """stopped, connecting, waiting, live or refused."""
        return self._core.state

    @property
    def connected(self) -> dict[str, Any]:
        """The answer to the last `connect`."""
        return self._core.connected

    @property
    def epoch(self) -> str:
        """The epoch that the positions belong to."""
        return self._core.streams.epoch

    @epoch.setter
    def epoch(self, epoch: str) -> None:
        self._core.streams.epoch = epoch

    # Life

    async def open(self) -> None:
        """Connect; returns when everything missed has come (`live`). Raises `ConnectionError` if that is refused, or,
        without `stay`, does not succeed at once."""
        self._loop = asyncio.get_running_loop()
        self._core.streams.positions = self.ear.positions
        self.failure = None
        self._core.start(self._now())
        self._drain()
        while self.state not in ("live", "stopped", "refused"):
            await self._next_news()
        if self.state != "live":
            raise self.failure or ConnectionError(f"refused with {self.close_code}")

    async def close(self) -> None:
        """Say goodbye, and wait until the server has heard it."""
        if not hasattr(self, "_loop"):
            return
        self._core.stop(self._now())
        self._drain()
        while self._closing is not None and self._closing.close_code is None:
            await self._next_news()

    async def ended(self) -> int | None:
        """Wait for the end of the connection; its close code."""
        async with asyncio.timeout(CALL_S):
            while self.state not in ("stopped", "refused"):
                await self._next_news()
        return self.close_code

    def online(self) -> None:
        """There is a network again, or the machine was woken: look at once whether the link carries."""
        self._core.online(self._now())
        self._drain()

    def cut(self) -> None:
        """The network is gone, without a word; see `Options.reachable` for how long."""
        if self._link is not None:
            self._link.abort()

    def sleep(self) -> None:
        """Take nothing from now on, as a phone in a pocket."""
        if self._link is not None:
            self._link.pause()

    def wake(self) -> None:
        """Take what has come meanwhile, and look at once whether the link carries."""
        if self._link is not None:
            self._link.resume()
        self.online()

    # Talking

    async def call(self, op: str, **fields: Any) -> Any:
        """One operation, now; its result. Raises `ServerRefusal`, `ConnectionError`, `TimeoutError`."""
        async with asyncio.timeout(CALL_S):
            return await self._result(self._core.call(op, fields, self._now()))

    async def send(self, op: str, **fields: Any) -> Any:
        """One durable operation (`fields` has a `nonce`), surely: over lost connections until it is acknowledged.
        Raises `ServerRefusal` if it is refused for good, `ConnectionError` if this client ends before."""
        return await self._result(self._core.send(op, fields, self._now()))

    async def say(self, room: str, text: str, nonce: str = "") -> Any:
        """A message under a fresh nonce; with `stay`, surely and in order."""
        run = self.send if self._options.stay else self.call
        return await run("room.send", room=room, text=text, nonce=nonce or secrets.token_hex(8))

    async def send_raw(self, data: str | bytes) -> None:
        """Anything at all, for tests of what the server refuses."""
        assert self._link is not None
        self._link.send(data.encode() if isinstance(data, str) else data, text=isinstance(data, str))

    # Hearing

    async def __aiter__(self) -> AsyncIterator[Told]:
        """What the core tells (see `loadtest.protocol`): state, live, event, reload; ends with the client."""
        while True:
            while self._events:
                yield self._events.popleft()
            if self._overrun:
                raise Overrun
            if self.state in ("stopped", "refused"):
                return
            await self._next_news()

    async def until(self, condition: Callable[[], bool], seconds: float = CALL_S) -> None:
        """Wait until something heard makes `condition` true."""
        async with asyncio.timeout(seconds):
            while not condition():
                if self.failure is not None:
                    raise self.failure
                await self._next_news()

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

    # Owner of the link

    def opened(self, link: Link) -> None:
        """The handshake is done."""
        self._link = link
        if self._options.tap is not None:
            self._options.tap("open", {})
        self._core.opened(self._credential, self._now())

    def take(self, link: Link, data: bytes) -> None:
        """A text frame."""
        if link is not self._link:
            return
        frame = orjson.loads(data)
        if self._options.tap is not None:
            self._options.tap("in", frame)
        if self._options.remember:
            self._note(frame)
        core = self._core
        core.frame(frame, self._now())
        streams = core.streams
        if self._options.strict and streams.holes + streams.doubles:
            self.failure = self.failure or Hole(f"{frame} at {streams.positions.get(frame.get('ch', ''))}")
        self._drain()

    def gone(self, link: Link, code: int) -> None:
        """A link is no more."""
        self.close_code = code
        if link is self._link:
            self._link = None
            self._core.lost(code, self._now())
        self._drain()

    # Inside

    def _now(self) -> float:
        return self._loop.time() * 1000

    def _note(self, frame: dict[str, Any]) -> None:
        if frame.get("ev", "ping") != "ping":
            self.ear.pushes.append(frame)
        elif frame.get("id", 0) is None:
            self.ear.pushes.append({"ev": "error", "d": frame["error"]})

    async def _result(self, number: int) -> Any:
        future = self._waiting[number] = self._loop.create_future()
        self._drain()
        try:
            return await future
        finally:
            self._waiting.pop(number, None)

    def _drain(self) -> None:
        """Do what the core says, also what it says meanwhile, in order."""
        if self._draining:
            return
        self._draining = True
        core = self._core
        while core.out:
            out, core.out = core.out, []
            for item in out:
                self._do(item)
        self._draining = False
        self._arm()
        if self._news:
            news, self._news = self._news, []
            for waiter in news:
                if not waiter.done():
                    waiter.set_result(None)

    def _do(self, item: Told) -> None:
        match item:
            case ("event" | "live" | "reload" | "busy", *_):
                self._tell(item)
            case ("send", frame):
                if self._link is not None:
                    if self._options.tap is not None:
                        self._options.tap("out", frame)
                    self._link.send(orjson.dumps(frame))
            case ("ok", number, result):
                self._settle(number, result, None)
            case ("error", number, error):
                self._settle(number, None, error)
            case ("state", state, _):
                if state in ("stopped", "refused") and self.failure is None:
                    self.failure = ConnectionError(f"{state}; closed with {self.close_code}")
                self._tell(item)
            case ("open",):
                self._dialing = self._loop.create_task(self._dial())
            case ("close", code):
                self._hang_up(code)
            case ("hello", hello):
                self.hello = hello

    def _tell(self, item: Told) -> None:
        if self._options.told is not None:
            self._options.told(item)
        elif len(self._events) < EVENTS_MAX:
            self._events.append(item)
        else:
            self._overrun = True

    def _settle(self, number: int, result: Any, error: Mapping[str, Any] | None) -> None:
        future = self._waiting.pop(number, None)
        if future is None or future.done():
            return
        if error is None:
            future.set_result(result)
        elif error["code"] == "offline":
            future.set_exception(
                ConnectionError(f"no connection; the last was closed with {self.close_code}")
            )
        elif error["code"] == "timeout":
            future.set_exception(TimeoutError())
        else:
            future.set_exception(ServerRefusal(error))

    async def _dial(self) -> None:
        try:
            if self._options.reachable is not None and not self._options.reachable():
                raise OSError("there is no network")
            if self._options.ticket is not None:
                self._credential = {
                    "ticket": await self._options.ticket(),
                    "presence": self._options.presence,
                }
            await dial(self._url, self, self._options.local_address)
        except ServerRefusal as refusal:
            self._not_opened(refusal, refusal.code, refusal.retry_ms)
        except FAILURES as error:
            self._not_opened(error, "offline", retry_ms_of(error))
        self._dialing = None
        self._drain()

    def _not_opened(self, error: BaseException, code: str, retry_ms: float | None) -> None:
        if not self._options.stay:
            self.failure = error
        self._core.failed(code, retry_ms, self._now())

    def _hang_up(self, code: int) -> None:
        link, self._link = self._link, None
        if link is not None:
            self._closing = link
            link.close(code)
        elif self._dialing is not None and self._dialing is not asyncio.current_task():
            self._dialing.cancel()
            self._dialing = None

    def _arm(self) -> None:
        """One timer, set anew only if something is due before it."""
        due = self._core.deadline
        if self._timer is not None and (due is None or due < self._armed):
            self._timer.cancel()
            self._timer = None
        if due is not None and self._timer is None:
            self._armed = due
            self._timer = self._loop.call_at(due / 1000, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._core.tick(self._now())
        self._drain()

    async def _next_news(self) -> None:
        waiter = self._loop.create_future()
        self._news.append(waiter)
        await waiter
