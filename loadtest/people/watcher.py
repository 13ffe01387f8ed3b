"""A person who only watches, as cheap as Python allows: thousands of them share a core (HOUSE §4's mirror image).

It reads of a frame what it must: channel, seq and, by the board, whether these are the bytes that everybody was told. What
always holds: each channel goes on by one from where `connect` said, or from the position it was continued at; anything else is
a `Fault`. It answers pings, is brought back by the run where its link was lost, and is nobody's whole client: those are
`loadtest.client`.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any
from urllib.parse import urlsplit

import orjson

from loadtest.bench.lean import client_frame, upgrade
from loadtest.people.board import Board
from loadtest.people.ledger import PLACES, Fault

HEAD = b'{"ch":"'
SEQ = b'","seq":'
SKIP = b',"ev":"skip","upto":'
UPGRADE_S = 20.0


PONG = client_frame(b'{"op":"pong"}')


class Watcher(asyncio.Protocol):
    """See the module. `seqs` are its positions, kept over connections; `live` resolves to the time of `live`; `transport` is
    None without a link."""

    __slots__ = (
        "_answer",
        "_board",
        "_first",
        "_tail",
        "_upgraded",
        "code",
        "epoch",
        "faults",
        "live",
        "reloads",
        "seqs",
        "token",
        "transport",
        "who",
    )

    def __init__(self, who: str, token: str, board: Board) -> None:
        self.who = who
        self.token = token
        self._board = board
        self.seqs: dict[bytes, int] = {}
        self.epoch = ""
        self.faults: list[Fault] = []
        self.reloads = 0
        self.code = 0
        self.transport: asyncio.Transport | None = None
        self._tail = b""
        self._first = b""
        self._upgraded = False
        self._answer: asyncio.Future[dict[str, Any]]
        self.live: asyncio.Future[float]

    async def connect(self, url: str, local_address: str | None = None) -> None:
        """Connect, continued from where it stood; returns with the answer to `connect`. Raises `ConnectionError`, `OSError`,
        `TimeoutError`."""
        loop = asyncio.get_running_loop()
        self._tail, self._upgraded, self.code = b"", False, 0
        self._answer, self.live = loop.create_future(), loop.create_future()
        where = urlsplit(url)
        secure = where.scheme == "wss"
        async with asyncio.timeout(UPGRADE_S):
            await loop.create_connection(
                lambda: self,
                where.hostname or "",
                where.port or (443 if secure else 80),
                ssl=True if secure else None,
                local_addr=(local_address, 0) if local_address else None,
            )
            assert self.transport is not None
            self.transport.write(upgrade(where.netloc, where.path))
            positions = {name.decode(): seq for name, seq in self.seqs.items()}
            body: dict[str, Any] = {"token": self.token, "client": {"name": "watcher"}}
            if positions:
                body |= {"epoch": self.epoch, "positions": positions}
            self._first = client_frame(orjson.dumps({"id": 1, "op": "connect", "d": body}))
            answer = await self._answer
        if "error" in answer:
            self.close()
            raise ConnectionError(answer["error"]["message"])

    def close(self) -> None:
        """Hang up without a word."""
        if self.transport is not None:
            self.transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """TCP is there."""
        self.transport = transport  # type: ignore[assignment]  # a transport that writes

    def connection_lost(self, exc: Exception | None) -> None:
        """Whoever waits is told."""
        self.transport = None
        error = ConnectionError(f"the server hung up ({self.code or 1006})")
        for future in (self._answer, self.live):
            if not future.done():
                future.set_exception(error)
                future.exception()

    def data_received(self, data: bytes) -> None:
        """Frames, several at a time, whole or not."""
        if self._tail:
            data = self._tail + data
        at, end = 0, len(data)
        if not self._upgraded:
            at = self._shake(data)
            if not self._upgraded:
                self._tail = data
                return
        now = time.perf_counter()
        while end - at >= 2:
            size, start = data[at + 1], at + 2
            if size == 126:
                if end - at < 4:
                    break
                size, start = data[at + 2] << 8 | data[at + 3], at + 4
            elif size == 127:
                if end - at < 10:
                    break
                size, start = int.from_bytes(data[at + 2 : at + 10], "big"), at + 10
            if start + size > end:
                break
            payload = data[start : start + size]
            if data[at] == 0x81:
                self._frame(payload, now)
            elif data[at] == 0x88:
                self.code = int.from_bytes(payload[:2], "big") or 1005
            at = start + size
        self._tail = data[at:] if at < end else b""

    def _shake(self, data: bytes) -> int:
        head, blank, _ = data.partition(b"\r\n\r\n")
        if not blank:
            return 0
        if b" 101 " not in head[:20]:
            if not self._answer.done():
                self._answer.set_exception(ConnectionError(head.split(b"\r\n")[0].decode("latin-1")))
            self.close()
            return 0
        self._upgraded = True
        assert self.transport is not None
        self.transport.write(self._first)
        return len(head) + 4

    def _frame(self, payload: bytes, now: float) -> None:
        if payload.startswith(HEAD):
            quote = payload.find(b'"', 7)
            channel = payload[7:quote]
            if payload.startswith(SEQ, quote):
                self._durable(payload, channel, quote + 8, now)
            return
        self._other(orjson.loads(payload), now)

    def _durable(self, payload: bytes, channel: bytes, at: int, now: float) -> None:
        comma = payload.index(b",", at)
        seq = int(payload[at:comma])
        last = self.seqs.get(channel)
        if last is None:
            self._fault("stranger", channel, seq)
            return
        if seq != last + 1:
            self._fault("hole" if seq > last else "double", channel, seq)
        if payload.startswith(SKIP, comma):
            self.seqs[channel] = int(payload[comma + len(SKIP) : -1])
            return
        self.seqs[channel] = seq
        if channel.startswith(b"user:"):
            self._inbox(orjson.loads(payload))
        else:
            self._board.hear(channel, seq, payload, now)

    def _inbox(self, frame: dict[str, Any]) -> None:
        given = PLACES.get(frame["ev"])
        if given is not None:
            begin, field = given
            self.seqs.setdefault((begin + frame["d"][field]).encode(), frame["d"]["seq"])

    def _other(self, frame: dict[str, Any], now: float) -> None:
        if frame.get("id") == 1:
            if "ok" in frame:
                self._joined(frame["ok"])
            if not self._answer.done():
                self._answer.set_result(frame)
            return
        match frame.get("ev"):
            case "ping":
                if self.transport is not None:
                    self.transport.write(PONG)
            case "hello":
                if self.epoch and self.epoch != frame["d"]["epoch"]:
                    self.seqs.clear()
                self.epoch = frame["d"]["epoch"]
            case "live":
                if not self.live.done():
                    self.live.set_result(now)
            case "resync":
                self.reloads += 1
                self.seqs[frame["d"]["ch"].encode()] = frame["d"]["seq"]
            case "behind":
                self._behind(frame["d"])

    def _behind(self, told: dict[str, Any]) -> None:
        if told.get("reason") != "busy":
            # It has no way to ask for the rest but to come back.
            self.close()
        elif self.transport is not None:
            # Whoever came for a match wants to hear all of it.
            d = {"epoch": self.epoch, "positions": {told["ch"]: told["seq"]}}
            self.transport.write(client_frame(orjson.dumps({"op": "channel.sync", "d": d})))

    def _joined(self, answer: dict[str, Any]) -> None:
        before, self.seqs = self.seqs, {}
        for channel in answer["channels"]:
            name = channel["ch"].encode()
            known = before.get(name)
            if channel["recovered"] and known is not None:
                self.seqs[name] = known
            else:
                self.reloads += known is not None
                self.seqs[name] = channel["seq"]

    def _fault(self, kind: str, channel: bytes, seq: int) -> None:
        self.faults.append(Fault(kind, self.who, channel.decode(), seq, f"after {self.seqs.get(channel)}"))
