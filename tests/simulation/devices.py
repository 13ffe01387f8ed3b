"""Simulated devices: production's client core over a simulated link, and what its owner would see on the screen.

What always holds: what a device shows of a room is only what the wire told it: a page, and the events after it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import orjson
from websockets.speedups import apply_mask

from loadtest.protocol import Protocol
from loadtest.streams import LEAVING, PLACES, place_of
from tests.simulation.cluster import Cluster
from tests.simulation.history import History, Told
from tests.simulation.network import Link
from tests.simulation.seeing import Glass
from tests.simulation.wire import WireCheck

MASK = b"\x11\x22\x33\x44"
REQUEST = (
    b"GET /gateway HTTP/1.1\r\nHost: simulated\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: tsudoi.v1\r\n\r\n"
)
TEXT, CLOSE = 1, 8
PAGE_S = 0.7
CLOCKS = frozenset({"server_time", "t"})


@dataclass(slots=True)
class View:
    """A room, an author or a community as one device shows it: everything above `low`. `stale` until a page was read."""

    low: int
    page_seq: int
    page: dict[int, tuple[str, str | None]] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    stale: bool = False

    def lines(self) -> dict[int, tuple[str, str | None]]:
        """seq → (id, text) of the lines shown: the page, and the events after it folded over it."""
        shown = dict(self.page)
        for frame in self.events:
            if frame["seq"] <= self.page_seq:
                continue
            if frame["ev"] in ("message.created", "post.created"):
                said = frame["d"].get("message") or frame["d"]["post"]
                shown[said["seq"]] = (said["id"], said["text"])
            elif frame["ev"] in ("message.deleted", "post.deleted"):
                shown.pop(frame["d"].get("message_seq") or frame["d"]["post_seq"], None)
        return shown


class Connection:
    """One link's worth of a device: bytes to frames."""

    def __init__(self, device: Device, check: WireCheck) -> None:
        self._device = device
        self._buffer = b""
        self._upgraded = False
        self.check = check
        self.left = 0.0
        self.link: Link

    def arrived(self, data: bytes, left: float) -> None:
        """Bytes of the server, which left it then."""
        self._buffer += data
        self.left = left
        if not self._upgraded:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            self._upgraded = True
            self._buffer = rest
            self._device.opened(self, accepted=b" 101 " in head)
        while (message := self._next()) is not None:
            self._device.heard(self, *message)

    def _next(self) -> tuple[int, bytes] | None:
        data = self._buffer
        if len(data) < 2:
            return None
        size, start = data[1] & 127, 2
        if size == 126:
            size, start = int.from_bytes(data[2:4], "big"), 4
        elif size == 127:
            size, start = int.from_bytes(data[2:10], "big"), 10
        if len(data) < start + size or (size == 0 and len(data) < start):
            return None
        self._buffer = data[start + size :]
        return data[0] & 15, data[start : start + size]

    def gone(self) -> None:
        """The link is no more."""
        self._device.gone(self, 1006)


def client_frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """One masked frame."""
    size = len(payload)
    head = bytes((0x80 | opcode,)) + (
        bytes((0x80 | size,)) if size < 126 else bytes((0x80 | 126,)) + size.to_bytes(2, "big")
    )
    return head + MASK + apply_mask(payload, MASK)


class Device:
    """One session of an account."""

    def __init__(self, cluster: Cluster, history: History, account: str, session: str, token: str) -> None:
        self.cluster = cluster
        self.world = cluster.world
        self.history = history
        self.account = account
        self.session = session
        self.name = f"d{session[-4:]}"
        self.random = random.Random(f"{self.world.seed}/{session}")
        self.core = Protocol({"name": "simulated"}, self.random.random)
        self.views: dict[str, View] = {}
        self.glass = Glass()
        self.connection: Connection | None = None
        self._token = token
        self._calls: dict[int, Any] = {}
        self._draining = False
        self._timer: Any = None
        self._dials = 0

    # Its owner

    @property
    def now_ms(self) -> float:
        """The clock of the core."""
        return self.world.now() * 1000

    @property
    def live(self) -> bool:
        """True while everything missed has come."""
        return self.core.state == "live"

    def start(self) -> None:
        """Come online."""
        self.core.start(self.now_ms)
        self.drain()

    def stop(self) -> None:
        """Go offline."""
        self.core.stop(self.now_ms)
        self.drain()

    def call(self, op: str, d: dict[str, Any], told: Any = None) -> None:
        """An operation now or never. `told(result)` hears how it went; None if it was refused or not answered."""
        self._calls[self.core.call(op, d, self.now_ms)] = told
        self.drain()

    def send(self, op: str, d: dict[str, Any], told: Any = None) -> None:
        """A durable operation, until it is acknowledged."""
        self._calls[self.core.send(op, d, self.now_ms)] = told
        self.drain()

    def sync(self, channel: str) -> None:
        """Suspect a hole."""
        if self.live and channel in self.core.streams.positions:
            self.core._ask_rest(self.core.streams.pause([channel]), self.now_ms)
            self.drain()

    # The core

    def drain(self) -> None:
        """Do what the core says, in order."""
        if self._draining:
            return
        self._draining = True
        while self.core.out:
            out, self.core.out = self.core.out, []
            for item in out:
                self._do(item)
        self._draining = False
        self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self.core.deadline
        if due is not None:
            self._timer = self.world._loop.call_at(due / 1000 + 1e-6, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self.core.tick(self.now_ms)
        self.drain()

    def _do(self, item: tuple[Any, ...]) -> None:
        match item:
            case ("send", frame):
                self._send(frame)
            case ("open",):
                self._dials += 1
                self.world._loop.call_later(self.world.between((0.001, 0.02)), self._dial, self._dials)
            case ("close", _):
                self._hang_up()
            case ("event", frame):
                self._show(frame)
            case ("live", told):
                self.views = {n: view for n, view in self.views.items() if n in self.core.streams.positions}
                self._reload([*told["stale"], *(name for name, view in self.views.items() if view.stale)])
            case ("reload", channel, _):
                self._reload([channel])
            case ("ok", number, result):
                self._answered(number, result)
            case ("error", number, error):
                self._refused(number, error)
            case ("state", state, reason):
                self.world.note(self.name, "is", state, reason)
                if state == "refused" and self.session not in self.history.revoking:
                    self.world.violated("I18", f"{self.name} was refused for good: {reason}")

    def _answered(self, number: int, result: Any) -> None:
        told = self._calls.pop(number, None)
        if told is not None:
            told(result)

    def _refused(self, number: int, error: dict[str, Any]) -> None:
        self.world.note(self.name, "refused", error["code"])
        told = self._calls.pop(number, None)
        if told is not None:
            told(None)

    # The link

    def _dial(self, number: int) -> None:
        if number != self._dials or self.core.state != "connecting":
            return
        node = self.random.choice(self.cluster.nodes)
        check = WireCheck(self.world, f"{self.name}@{node.process.name}", self.account)
        connection = Connection(self, check)
        connection.link = Link(self.world, self.cluster.link_number(), connection)
        self.connection = connection
        if not node.accept(connection.link):
            self.connection = None
            self.core.failed("offline", None, self.now_ms)
            self.drain()
            return
        connection.link.up(REQUEST, whole=True)

    def opened(self, connection: Connection, *, accepted: bool) -> None:
        """The handshake was answered."""
        if connection is self.connection and accepted:
            self.glass.opened()
            self.core.opened({"token": self._token}, self.now_ms)
            self.drain()

    def _send(self, frame: dict[str, Any]) -> None:
        if self.connection is not None:
            self.world.note(self.name, "sends", frame.get("op"), frame.get("d", {}).get("nonce", ""))
            if "id" in frame:
                self.connection.check.sent(frame)
            self.history.requested(self.account, frame)
            self.connection.link.up(client_frame(orjson.dumps(frame)))

    def _hang_up(self) -> None:
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.link.up(client_frame((1000).to_bytes(2, "big"), CLOSE))
            connection.link.hang_up()

    def heard(self, connection: Connection, opcode: int, payload: bytes) -> None:
        """A frame of the server."""
        if connection is not self.connection:
            return
        if opcode == CLOSE:
            connection.link.up(client_frame(payload[:2], CLOSE))
            connection.link.hang_up()
            self.gone(connection, int.from_bytes(payload[:2], "big"))
            return
        frame = orjson.loads(payload)
        self.world.note(self.name, "hears", *_shown(frame))
        connection.check.heard(frame)
        if "seq" in frame:
            check = connection.check
            asked = check.requested_at(frame["ch"])
            self.history.told.append(Told(self.account, self.session, frame, connection.left, asked))
        elif frame.get("ch", "").startswith("user:") and frame["ch"] != f"user:{self.account}":
            self.world.violated("I7", f"{self.name} was told of {frame['ch']}")
        else:
            self.glass.take(frame)
        if "ok" in frame and frame["ok"].get("session"):
            self.history.connected(self.session, connection.check.started_at)
        self.core.frame(frame, self.now_ms)
        self.drain()

    def gone(self, connection: Connection, code: int) -> None:
        """The link is no more."""
        if connection is self.connection:
            self.connection = None
            self.world.note(self.name, "lost", code)
            self.core.lost(code, self.now_ms)
            self.drain()

    # The screen

    def _show(self, frame: dict[str, Any]) -> None:
        channel = frame["ch"]
        if channel in self.views and "seq" in frame:
            self.views[channel].events.append(frame)
        elif frame["ev"] in PLACES:
            # By the core's position: an old entry of the inbox may be older than the answer to `connect`.
            place = place_of(frame["ev"], frame["d"])
            at = self.core.streams.positions.get(place)
            if frame["ev"] in LEAVING:
                if at is None:
                    self.views.pop(place, None)
            elif place not in self.views and at is not None:
                self.views[place] = View(at, at)

    def _reload(self, channels: list[str]) -> None:
        for channel in dict.fromkeys(channels):
            if not channel.startswith("user:"):
                self.views.setdefault(channel, View(0, 0)).stale = True
                self._read_page(channel)

    def _read_page(self, channel: str) -> None:
        view = self.views.get(channel)
        if view is not None and view.stale and self.live:
            kind, _, place = channel.partition(":")
            if kind == "room":
                op, where = "message.list", {"room": place}
            else:
                author = {"which": "profile", "account": place}
                op, where = "timeline.list", author if kind == "author" else {"community": place}
            self.call(op, {**where, "limit": 100}, lambda page: self._page(channel, view, page))

    def _page(self, channel: str, view: View, page: dict[str, Any] | None) -> None:
        if self.views.get(channel) is not view:
            return
        if page is None:
            self.world._loop.call_later(PAGE_S, self._read_page, channel)
            return
        lines = page["messages"] if "messages" in page else page["posts"]
        view.low = lines[0]["seq"] - 1 if lines and page["more_before"] else 0
        view.page_seq = page["seq"]
        view.page = {m["seq"]: (m["id"], m["text"]) for m in lines if not m.get("deleted")}
        view.events = [frame for frame in view.events if frame["seq"] > view.page_seq]
        view.stale = False


def _shown(frame: dict[str, Any]) -> list[Any]:
    """A frame as the trace keeps it: without what the server's wall clock says."""
    d = frame.get("d", frame.get("ok"))
    if isinstance(d, dict):
        d = {name: value for name, value in d.items() if name not in CLOCKS}
    return [frame.get("ch", ""), frame.get("seq", ""), frame.get("ev", frame.get("id")), d]
