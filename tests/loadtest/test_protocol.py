"""The silent core of the Python client: golden transcripts, and random schedules of a bad link (docs/clients.md)."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.protocol import Protocol
from loadtest.rules import POSITIONS_MAX, verdict
from realtime.closes import Close, may_retry
from tests.support.transcripts import GOLDEN, play, text_of, transcripts

TRANSCRIPTS = transcripts()


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda each: each["name"])
def test_the_core_keeps_to_the_transcript(transcript: dict[str, Any]) -> None:
    assert play(transcript) == transcript["steps"]


def test_transcripts_stand_as_they_are_written() -> None:
    assert len(TRANSCRIPTS) >= 25
    for path, transcript in zip(sorted(GOLDEN.glob("*.json")), TRANSCRIPTS, strict=True):
        assert path.read_text(encoding="utf-8") == text_of(transcript)


def test_the_verdict_is_the_table_of_closes() -> None:
    for code in Close:
        assert (verdict(code) == "again") is may_retry(code), code


def test_no_more_positions_are_shown_than_the_server_takes() -> None:
    core = Protocol({"name": "t"}, random.random)
    core.streams.epoch = "e"
    core.streams.positions.update({f"room:{n:04}": n for n in range(POSITIONS_MAX + 3)})
    core.start(0)
    core.opened({"token": "t"}, 1)
    core.frame(hello("e"), 2)
    shown = core.out[-1][1]["d"]["positions"]
    assert shown == {f"room:{n:04}": n for n in range(POSITIONS_MAX)}


def hello(epoch: str) -> dict[str, Any]:
    return {"ev": "hello", "d": {"protocol": "tsudoi.v1", "epoch": epoch, "reconnect_jitter_ms": 500}}


class BadWorld:
    """A server that keeps its promises, behind a link that loses, doubles and reorders pushes; and what was handed
    out on the other side of it. Replies and control frames arrive, or the link is lost."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.now = 0.0
        self.epoch = "e0"
        self.tops = {"user:me": 0, "room:a": 0, "room:b": 3}
        self.kept_from = dict.fromkeys(self.tops, 0)
        self.line: list[dict[str, Any]] = []
        self.open = False
        self.live = False
        self.core = Protocol({"name": "t"}, dice.random)
        self.handed: dict[str, int] = {}
        self.events = 0
        self.told_to_reload = 0
        self.core.start(self.now)
        self.look()

    # The server

    def entry(self, channel: str, seq: int) -> dict[str, Any]:
        if seq % 5 == 0:
            return {"ch": channel, "seq": seq, "ev": "skip", "upto": seq}
        return {"ch": channel, "seq": seq, "ev": "message.created", "at": 1, "d": {}}

    def continued(self, positions: dict[str, int], names: list[str]) -> tuple[list[Any], list[Any]]:
        channels, missed = [], []
        for name in names:
            position, top = positions.get(name), self.tops[name]
            recovered = position is not None and self.kept_from[name] <= position <= top
            channels.append({"ch": name, "seq": top, "recovered": recovered})
            if recovered and position is not None:
                missed += [self.entry(name, seq) for seq in range(position + 1, top + 1)]
        return channels, missed

    def asked(self, frame: dict[str, Any]) -> None:
        op, d = frame["op"], frame.get("d", {})
        if op not in ("connect", "channel.sync"):
            return
        positions = d["positions"] if d["epoch"] == self.epoch else {}
        names = list(self.tops) if op == "connect" else [n for n in d["positions"] if n in self.tops]
        channels, missed = self.continued(positions, names)
        if op == "connect":
            ok = {"account": {"id": "me"}, "badges": {}, "channels": channels}
            self.line += [{"id": frame["id"], "ok": ok}, *missed, {"ev": "live", "d": {}}]
        else:
            self.line += [{"id": frame["id"], "ok": {"channels": channels}}, *missed]

    def append(self) -> None:
        name = self.dice.choice(list(self.tops))
        self.tops[name] += 1
        if self.open:
            self.line.append(self.entry(name, self.tops[name]))

    def forget_some(self) -> None:
        name = self.dice.choice(list(self.tops))
        self.kept_from[name] = self.dice.randint(0, self.tops[name])

    def restore(self) -> None:
        self.epoch += "'"
        self.tops = {name: self.dice.randint(0, top) for name, top in self.tops.items()}
        self.kept_from = dict.fromkeys(self.tops, 0)
        self.lose()

    def tell(self) -> None:
        name = self.dice.choice(list(self.tops))
        if not self.open or not self.live:
            return
        if self.dice.random() < 0.5:
            self.line.append({"ev": "behind", "d": {"ch": name, "seq": 1}})
        else:
            self.line.append({"ev": "resync", "d": {"ch": name, "seq": self.tops[name], "reason": "x"}})

    # The link

    def deliver(self, harm: float) -> None:
        if not self.line:
            return
        push = "seq" in self.line[0]
        fate = self.dice.random() if push else 1.0
        if fate < harm:
            self.line.pop(0)
            return
        if fate < 2 * harm:
            self.line.insert(self.dice.randrange(len(self.line)) + 1, self.line[0])
        elif fate < 3 * harm and len(self.line) > 1 and "seq" in self.line[1]:
            self.line[0], self.line[1] = self.line[1], self.line[0]
        self.core.frame(self.line.pop(0), self.now)
        self.look()

    def lose(self) -> None:
        if self.open:
            self.close()
            self.core.lost(1006, self.now)
            self.look()

    def close(self) -> None:
        self.open = self.live = False
        self.line.clear()

    def pass_time(self) -> None:
        if self.core.deadline is not None:
            self.now = max(self.now, self.core.deadline)
            self.core.tick(self.now)
            self.look()

    # The client's side

    def look(self) -> None:
        while self.core.out:
            out, self.core.out = self.core.out, []
            for what, *told in out:
                self.note(what, told)

    def note(self, what: str, told: list[Any]) -> None:
        if what == "open":
            self.open = True
            self.core.opened({"token": "t"}, self.now)
            self.line.append(hello(self.epoch))
        elif what == "close":
            self.close()
        elif what == "send" and self.open:
            self.asked(told[0])
        elif what == "reload":
            self.told_to_reload += 1
            self.handed[told[0]] = told[1]
        elif what == "live":
            self.live = True
            for name in told[0]["stale"]:
                self.told_to_reload += 1
                self.handed[name] = self.core.streams.positions[name]
        elif what in ("event", "skip"):
            frame = told[0]
            self.events += 1
            last = self.handed.get(frame["ch"])
            # Before `live` the channels that are stale are not known yet; they are set by it.
            if last is not None and self.live:
                assert frame["seq"] == last + 1, (frame, last)
            self.handed[frame["ch"]] = frame.get("upto", frame["seq"])

    def settle(self) -> None:
        """The link is good again: everything is delivered, then a new connection finds what was lost at the end."""
        for _ in range(2):
            for _ in range(400):
                if not self.line and self.core.state == "live" and not self.core.streams.paused:
                    break
                if self.line:
                    self.deliver(0)
                else:
                    self.pass_time()
            self.lose()
        while self.core.state != "live" or self.line:
            if self.line:
                self.deliver(0)
            else:
                self.pass_time()


def bad_day(seed: int, harm: float, steps: int) -> BadWorld:
    """So many random acts of the world, then peace."""
    dice = random.Random(seed)
    world = BadWorld(dice)
    for _ in range(steps):
        world.now += dice.randint(0, 50)
        chance = dice.random()
        if chance < 0.3:
            world.append()
        elif chance < 0.9:
            world.deliver(harm)
        elif chance < 0.93:
            world.tell()
        elif chance < 0.97:
            world.pass_time()
        elif chance < 0.98:
            world.lose()
        elif chance < 0.995:
            world.forget_some()
        else:
            world.restore()
    world.settle()
    return world


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32), st.floats(0, 0.3), st.integers(20, 300))
def test_whatever_the_link_does_nothing_is_missed_or_doubled_silently(
    seed: int, harm: float, steps: int
) -> None:
    world = bad_day(seed, harm, steps)
    assert world.core.streams.positions == world.tops
    assert world.handed == world.tops


def test_the_bad_link_is_bad_enough_to_try_everything() -> None:
    worlds = [bad_day(seed, 0.2, 300) for seed in range(40)]
    assert sum(world.core.streams.holes for world in worlds) > 100
    assert sum(world.core.streams.doubles for world in worlds) > 100
    assert sum(world.told_to_reload for world in worlds) > 100
    assert sum(world.events for world in worlds) > 1_000
