"""One person's ledger: every frame their connections carried, held against what the wire promises (WIRE §3, §4).

Fed by a tap on the wire, so that it trusts neither the server nor the client. What always holds: each durable entry of a
channel is counted once, and what is missing, doubled, out of order or not theirs is a `Fault`; what the server *said* it does
not continue (`recovered:false`, `resync`) is a reload, not a fault.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

PLACES = {
    "room.joined": ("room:", "room"),
    "community.joined": ("community:", "community"),
    "follow.began": ("author:", "account"),
}
LEAVING = {
    "room.left": ("room:", "room"),
    "community.left": ("community:", "community"),
    "follow.ended": ("author:", "account"),
}
BODIES = {"message.created": "message", "post.created": "post"}


class Fault(NamedTuple):
    """A broken promise. `kind` is hole, double, reorder, stranger (a channel or a line that is not theirs), content (not what
    the history says), position (a continuation from elsewhere than where they stood), lost (acknowledged, and nowhere) or
    unanswered (what was asked surely had no answer when the evening was long over)."""

    kind: str
    who: str
    channel: str
    seq: int
    what: str = ""


class Line(NamedTuple):
    """Something said, as somebody was told it."""

    id: str
    author: str
    text: str


@dataclass(slots=True)
class Stream:
    """One channel of one person: `next` is the seq that must come, `missing` those that were jumped over."""

    next: int
    told: dict[int, Line | None] = field(default_factory=dict)
    missing: set[int] = field(default_factory=set)


class Ledger:
    """See the module. `who` names the person in faults."""

    __slots__ = ("_asked", "_faults", "_known", "acked", "behinds", "past", "reloads", "streams", "who")

    def __init__(self, who: str) -> None:
        self.who = who
        self.streams: dict[str, Stream] = {}
        self.past: list[tuple[str, Stream]] = []
        self.acked: dict[str, int] = {}
        self.reloads = 0
        self.behinds = 0
        self._faults: list[Fault] = []
        self._asked: dict[int, tuple[str, dict[str, Any]]] = {}
        # Per channel, how far the inbox was when an answer told where the channel stands (docs/clients.md, rule 1).
        self._known: dict[str, int] = {}

    def fault(self, kind: str, channel: str, seq: int, what: str = "") -> None:
        """Write one down."""
        self._faults.append(Fault(kind, self.who, channel, seq, what))

    def faults(self) -> list[Fault]:
        """All of them, holes that nothing filled included."""
        holes = [
            Fault("hole", self.who, name, seq)
            for name, stream in self.all_streams()
            for seq in sorted(stream.missing)
        ]
        return self._faults + holes

    def all_streams(self) -> list[tuple[str, Stream]]:
        """Every channel heard, also those heard no more."""
        return [*self.past, *self.streams.items()]

    def tap(self, way: str, frame: dict[str, Any]) -> None:
        """A frame on the wire: `out` to the server, `in` from it, or `open` (a new connection begins)."""
        if way == "open":
            self._asked.clear()
        elif way == "out":
            if "id" in frame and frame["op"] in ("connect", "channel.sync", "channel.watch"):
                self._asked[frame["id"]] = frame["op"], frame["d"]
        elif "seq" in frame:
            self._entry(frame)
        elif frame.get("id") in self._asked:
            self._answer(frame)
        elif frame.get("ev") == "behind":
            self.behinds += 1
        elif frame.get("ev") == "resync":
            self._reload(frame["d"]["ch"], frame["d"]["seq"])
        elif "ch" in frame and frame["ch"] not in self.streams:
            self.fault("stranger", frame["ch"], 0, frame["ev"])

    def _answer(self, frame: dict[str, Any]) -> None:
        op, asked = self._asked.pop(frame["id"])
        if "ok" not in frame:
            return
        told = {channel["ch"]: channel for channel in frame["ok"]["channels"]}
        positions = asked.get("positions", {})
        inbox = max((told[name]["seq"] for name in told if name.startswith("user:")), default=0)
        self._known.update(dict.fromkeys(told, inbox))
        for name, channel in told.items():
            self._continue(name, channel, positions.get(name))
        gone = [name for name in self.streams if name not in told]
        for name in gone if op == "connect" else [name for name in gone if name in positions]:
            self._leave(name)

    def _continue(self, name: str, channel: dict[str, Any], at: int | None) -> None:
        stream = self.streams.get(name)
        if stream is None:
            recovered = channel["recovered"] and at is not None
            self.streams[name] = Stream((at if recovered and at is not None else channel["seq"]) + 1)
        elif not channel["recovered"] or at is None:
            self._reload(name, channel["seq"])
        elif at + 1 > stream.next:
            self.fault("position", name, at, f"continued after {at}, told up to {stream.next - 1}")
        else:
            # What a broken link took with it comes again.
            stream.next = at + 1

    def _reload(self, name: str, seq: int) -> None:
        stream = self.streams.setdefault(name, Stream(seq + 1))
        if stream.next != seq + 1:
            self.reloads += 1
            stream.next = seq + 1

    def _entry(self, frame: dict[str, Any]) -> None:
        name, seq = frame["ch"], frame["seq"]
        stream = self.streams.get(name)
        if stream is None:
            self.fault("stranger", name, seq, frame["ev"])
            return
        if seq < stream.next:
            kind = "reorder" if seq in stream.missing else "double"
            stream.missing.discard(seq)
            self.fault(kind, name, seq)
        elif seq > stream.next:
            stream.missing.update(range(stream.next, seq))
        stream.next = max(stream.next, frame.get("upto", seq) + 1)
        self._keep(stream, frame)
        if name.startswith("user:"):
            self._obey(frame)

    def _keep(self, stream: Stream, frame: dict[str, Any]) -> None:
        body = BODIES.get(frame["ev"])
        line = line_of(frame["d"][body]) if body else None
        before = stream.told.setdefault(frame["seq"], line)
        # Deleted meanwhile is a skip; anything else must be the same words.
        if before is not None and line is not None and before != line:
            self.fault("content", frame["ch"], frame["seq"], "told twice, differently")

    def _obey(self, frame: dict[str, Any]) -> None:
        given = PLACES.get(frame["ev"])
        if given is not None:
            name, after = given[0] + frame["d"][given[1]], frame["d"]["seq"]
            known = self.streams.get(name)
            if frame["seq"] <= self._known.get(name, 0):
                return
            if known is None:
                self.streams[name] = Stream(after + 1)
            elif after + 1 > known.next:
                self._reload(name, after)
        left = LEAVING.get(frame["ev"])
        if left is not None:
            name = left[0] + frame["d"][left[1]]
            if frame["seq"] > self._known.get(name, 0):
                self._leave(name)

    def _leave(self, name: str) -> None:
        """Heard no more: what was missing until now stays missing."""
        stream = self.streams.pop(name, None)
        if stream is not None:
            self.past.append((name, stream))

    def settled(self, tops: dict[str, int]) -> list[str]:
        """The channels that have not yet come to where the server says they stand."""
        return [name for name, stream in self.streams.items() if stream.next <= tops.get(name, 0)]


def line_of(body: dict[str, Any]) -> Line | None:
    """A message or post, of a push or of a page → the line, or None for what is deleted or technical."""
    if body.get("text") is None:
        return None
    author = body["author"]
    return Line(body["id"], author if isinstance(author, str) else author["id"], body["text"])
