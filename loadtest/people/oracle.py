"""The oracle: what everybody was told, held against what the server says was said (WIRE §4).

It asks by pages, with connections of its own, so that history and live delivery are two witnesses. What always holds: a run
in which a line was lost, doubled, out of order, changed, missed, or told to somebody it was not for has faults.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from loadtest.client import Client, Options, ServerRefusal
from loadtest.people.board import Board
from loadtest.people.ledger import BODIES, Fault, Ledger, Line, line_of
from loadtest.people.watcher import Watcher

PAGE = 100
AT_ONCE = 16
PATIENCE_S = 120.0
PAGES = {
    "room": ("message.list", "messages"),
    "community": ("timeline.list", "posts"),
    "author": ("timeline.list", "posts"),
}


@dataclass(slots=True)
class History:
    """One channel as its pages tell it. `people` are those it is for; None where it is for everybody."""

    lines: dict[int, Line | None] = field(default_factory=dict)
    top: int = 0
    people: frozenset[str] | None = None


class Reader:
    """Reads histories as one of those who may. One connection for many channels."""

    def __init__(self, url: str, token: str) -> None:
        self._client = Client(url, token, options=Options(stay=True, name="oracle"))
        self.account = ""

    async def __aenter__(self) -> Reader:
        await self._client.open()
        self.account = self._client.connected["account"]["id"]
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._client.close()

    async def read(self, channel: str, after: int = 0) -> History:
        """All of a channel that lies after a seq."""
        kind, _, place = channel.partition(":")
        operation, rows = PAGES[kind]
        found, last = History(), "0" * 26
        if kind == "room":
            room = await self._ask("room.get", room=place)
            found.people = frozenset(one["account"]["id"] for one in room["people"])
        while True:
            page = await self._ask(operation, **self._from(kind, place, after, last), limit=PAGE)
            found.top = page["seq"]
            for row in page[rows]:
                found.lines[row["seq"]] = line_of(row)
                after, last = row["seq"], row["id"]
            if not page["more_after"]:
                return found

    @staticmethod
    def _from(kind: str, place: str, after: int, last: str) -> dict[str, Any]:
        """Where the next page begins; a person's posts are paged by post."""
        if kind == "author":
            return {"which": "profile", "account": place, "after_post": last}
        return {kind: place, "after": after}

    async def _ask(self, operation: str, **fields: Any) -> Any:
        end = asyncio.get_running_loop().time() + PATIENCE_S
        while True:
            try:
                return await self._client.call(operation, **fields)
            except ServerRefusal as refusal:
                if refusal.retry_ms is None or asyncio.get_running_loop().time() > end:
                    raise
                await asyncio.sleep(refusal.retry_ms / 1000)
            except (ConnectionError, TimeoutError):
                if asyncio.get_running_loop().time() > end:
                    raise
                await asyncio.sleep(0.5)


async def histories(url: str, wanted: dict[str, str]) -> dict[str, History]:
    """Channel → token of somebody who may read it; the histories."""
    by_token: dict[str, list[str]] = {}
    for channel, token in wanted.items():
        by_token.setdefault(token, []).append(channel)
    found: dict[str, History] = {}
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(token: str, channels: list[str]) -> None:
        async with gate, Reader(url, token) as reader:
            for channel in channels:
                found[channel] = await reader.read(channel)

    await asyncio.gather(*(one(token, channels) for token, channels in by_token.items()))
    return found


def judge_ledger(
    ledger: Ledger, account: str, found: dict[str, History], *, settled: bool = True
) -> list[Fault]:
    """All faults of one person: those of the wire, and those against the histories. `settled`: they were connected to the
    end, so everything must have come."""
    faults = ledger.faults()
    for name, stream in ledger.all_streams():
        history = found.get(name)
        if history is None:
            continue
        if history.people is not None and account not in history.people:
            faults += [
                Fault("stranger", ledger.who, name, seq, "not inside")
                for seq in stream.told
                if stream.told[seq]
            ]
            continue
        faults += _differences(ledger.who, name, stream.told, history)
        if settled and stream is ledger.streams.get(name) and stream.next <= history.top:
            faults += [
                Fault("hole", ledger.who, name, seq, "never came")
                for seq in range(stream.next, history.top + 1)
            ]
    known = {line.id for history in found.values() for line in history.lines.values() if line is not None}
    faults += [
        Fault("lost", ledger.who, "", seq, f"{message} was acknowledged")
        for message, seq in ledger.acked.items()
        if message not in known
    ]
    return faults


def _differences(who: str, name: str, told: dict[int, Line | None], history: History) -> Iterable[Fault]:
    for seq, line in told.items():
        if line is None:
            continue
        kept = history.lines.get(seq)
        if kept is None:
            yield Fault("stranger", who, name, seq, "in no history")
        elif kept != line:
            yield Fault("content", who, name, seq, "not what the history says")


def judge_board(board: Board, found: dict[str, History]) -> list[Fault]:
    """What the watchers heard together."""
    faults = [
        Fault("content", "watchers", channel.decode(), seq, "told differently")
        for channel, seq in board.differ
    ]
    for channel, lines in board.lines.items():
        history = found.get(channel.decode())
        if history is None:
            continue
        told: dict[int, Line | None] = {}
        for seq, (frame, _) in lines.items():
            event = orjson.loads(frame)
            body = BODIES.get(event["ev"])
            told[seq] = line_of(event["d"][body]) if body else None
        faults += _differences("watchers", channel.decode(), told, history)
    return faults


def judge_watchers(watchers: Sequence[Watcher], found: dict[str, History]) -> list[Fault]:
    """Each for itself: contiguous, and to the end unless its link was lost since."""
    faults = []
    for watcher in watchers:
        faults += watcher.faults
        if watcher.transport is None:
            continue
        for channel, at in watcher.seqs.items():
            history = found.get(channel.decode())
            if history is not None and at < history.top:
                faults += [
                    Fault("hole", watcher.who, channel.decode(), seq, "never came")
                    for seq in range(at + 1, history.top + 1)
                ]
    return faults
