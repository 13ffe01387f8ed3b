"""What happened, as the clients saw it: a history in JSON lines, and checkers that look for broken promises in it.

In the manner of Jepsen's set-full, total-queue and unique-ids. A history tells what was said (`say`), what was
acknowledged (`ack`), what each listener was handed (`heard`), where it was told to reload (`reload`), and what the room
held at the end (`read`). What always holds: a checker judges by the history alone, never by the server's word.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

Event = dict[str, Any]


class History:
    """Writes events as they happen. `say`: who, text; `ack`: who, text, seq, message; `heard`: who, seq, text (None for
    what is not to be seen); `reload`: who, seq; `read`: lines [[seq, text, message], …]."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.acked = 0
        self.said = 0
        self._lock = threading.Lock()
        self._numbers = itertools.count()

    def note(self, what: str, **fields: Any) -> None:
        """One event, on disk before the next."""
        with self._lock:
            self.said += what == "say"
            self.acked += what == "ack"
            line = {"n": next(self._numbers), "t": time.monotonic(), "what": what, **fields}
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line, ensure_ascii=False) + "\n")

    def events(self) -> list[Event]:
        """All that was noted."""
        return events_of(self.path)


def events_of(path: Path) -> list[Event]:
    """A history read back."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _of(events: Iterable[Event], what: str) -> Iterator[Event]:
    return (event for event in events if event["what"] == what)


def _last_read(events: Sequence[Event]) -> list[list[Any]]:
    reads = list(_of(events, "read"))
    assert reads, "a history without a read at its end proves nothing"
    lines: list[list[Any]] = reads[-1]["lines"]
    return lines


def lost(events: Sequence[Event]) -> list[str]:
    """Acknowledged, and not in the room at the end, or there under another seq."""
    there = {text: seq for seq, text, _ in _last_read(events)}
    return [
        f"acknowledged as {event['seq']}, there as {there.get(event['text'])}: {event['text']}"
        for event in _of(events, "ack")
        if there.get(event["text"]) != event["seq"]
    ]


def invented(events: Sequence[Event]) -> list[str]:
    """In the room or heard, and said by nobody."""
    said = {event["text"] for event in _of(events, "say")}
    found = [text for _, text, _ in _last_read(events)]
    found += [event["text"] for event in _of(events, "heard") if event["text"] is not None]
    return [f"nobody said: {text}" for text in dict.fromkeys(found) if text not in said]


def duplicated(events: Sequence[Event]) -> list[str]:
    """In the room twice, handed to one listener twice, or two lines under one id or seq."""
    lines = _last_read(events)
    faults = [
        f"{n} times in the room: {text}" for text, n in Counter(t for _, t, _ in lines).items() if n > 1
    ]
    faults += [f"{n} lines have the seq {seq}" for seq, n in Counter(s for s, _, _ in lines).items() if n > 1]
    faults += [f"{n} lines have the id {key}" for key, n in Counter(m for _, _, m in lines).items() if n > 1]
    heard = Counter(
        (event["who"], event["text"]) for event in _of(events, "heard") if event["text"] is not None
    )
    faults += [f"{who} heard {n} times: {text}" for (who, text), n in heard.items() if n > 1]
    answers: dict[str, set[tuple[int, str]]] = {}
    for event in _of(events, "ack"):
        answers.setdefault(event["text"], set()).add((event["seq"], event["message"]))
    faults += [f"answered in {len(kept)} ways: {text}" for text, kept in answers.items() if len(kept) > 1]
    owners: dict[str, set[str]] = {}
    for event in _of(events, "ack"):
        owners.setdefault(event["message"], set()).add(event["text"])
    return faults + [f"one id for {sorted(texts)}" for texts in owners.values() if len(texts) > 1]


def reordered(events: Sequence[Event]) -> list[str]:
    """A listener went back, two of them (or one and the room) know one seq by two texts, or an author's lines changed
    places."""
    faults: list[str] = []
    last: dict[str, int] = {}
    known = {seq: text for seq, text, _ in _last_read(events)}
    for event in events:
        if event["what"] == "heard":
            who, seq = event["who"], event["seq"]
            if seq <= last.get(who, -1):
                faults.append(f"{who} heard {seq} after {last[who]}")
            last[who] = max(seq, last.get(who, -1))
            if event["text"] is not None and known.setdefault(seq, event["text"]) != event["text"]:
                faults.append(f"{seq} is {known[seq]!r}, and to {who} {event['text']!r}")
    place = {text: seq for seq, text, _ in _last_read(events)}
    latest: dict[str, tuple[int, str]] = {}
    for event in _of(events, "say"):
        seq = place.get(event["text"])
        before = latest.get(event["who"], (-1, ""))
        if seq is not None and seq < before[0]:
            faults.append(f"{event['text']} stands before {before[1]}")
        if seq is not None:
            latest[event["who"]] = max(before, (seq, event["text"]))
    return faults


def never_read(events: Sequence[Event]) -> list[str]:
    """In the room, and never handed to a listener who was there from its first to its last seq, and who was not told to
    reload at a later one."""
    lines = _last_read(events)
    heard: dict[str, set[int]] = {}
    reloaded: dict[str, int] = {}
    for event in events:
        if event["what"] == "heard":
            heard.setdefault(event["who"], set()).add(event["seq"])
        elif event["what"] == "reload":
            heard.setdefault(event["who"], set())
            reloaded[event["who"]] = max(event["seq"], reloaded.get(event["who"], 0))
    listeners = {event["who"] for event in _of(events, "listens")} | set(heard)
    return [
        f"{who} never heard {seq}: {text}"
        for who in sorted(listeners)
        for seq, text, _ in lines
        if seq not in heard.get(who, set()) and seq > reloaded.get(who, 0)
    ]


CHECKERS = (lost, invented, duplicated, reordered, never_read)


def faults_of(events: Sequence[Event]) -> list[str]:
    """What any checker finds, named by the checker."""
    return [f"{checker.__name__}: {fault}" for checker in CHECKERS for fault in checker(events)]
