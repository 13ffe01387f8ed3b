"""A bad day for a client's core: a server that keeps its promises behind a link that does not, all from one seed."""

from __future__ import annotations

import random
from typing import Any

from loadtest.protocol import Protocol

CLIENT = {"name": "t"}


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
        self.drawn: list[float] = []
        self.steps: list[dict[str, Any]] = []
        self.core = Protocol(CLIENT, self.draw)
        self.doubtful: set[str] = set()
        self.handed: dict[str, int] = {}
        self.events = 0
        self.told_to_reload = 0
        self.tell_core("start")

    def draw(self) -> float:
        """A random number for the core, kept for the transcript."""
        self.drawn.append(self.dice.random())
        return self.drawn[-1]

    def tell_core(self, do: str, *what: Any) -> None:
        """One step, kept for the transcript, and what follows from it."""
        self.steps.append({"at": self.now, "do": do, "with": list(what)})
        getattr(self.core, do)(*what, self.now)
        self.look()

    def transcript(self, name: str) -> dict[str, Any]:
        """All that happened to the core; its answers are to be filled in."""
        head = {"name": name, "client": CLIENT, "stay": True, "epoch": "", "positions": {}}
        return {**head, "random": self.drawn, "steps": self.steps}

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
        self.tell_core("frame", self.line.pop(0))

    def lose(self) -> None:
        if self.open:
            self.close()
            self.tell_core("lost", 1006)

    def close(self) -> None:
        self.open = self.live = False
        self.line.clear()

    def pass_time(self) -> None:
        if self.core.deadline is not None:
            self.now = max(self.now, self.core.deadline)
            self.tell_core("tick")

    # The client's side

    def look(self) -> None:
        while self.core.out:
            out, self.core.out = self.core.out, []
            for what, *told in out:
                self.note(what, told)

    def note(self, what: str, told: list[Any]) -> None:
        if what == "open":
            self.open = True
            self.tell_core("opened", {"token": "t"})
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
            assert self.doubtful <= set(told[0]["stale"])
            self.doubtful.clear()
            for name in told[0]["stale"]:
                self.told_to_reload += 1
                self.handed[name] = self.core.streams.positions[name]
        elif what in ("event", "skip"):
            frame = told[0]
            self.events += 1
            last = self.handed.get(frame["ch"])
            if last is not None and frame["seq"] != last + 1:
                # Before `live` it is not known yet which channels are to be read anew; `live` must name this one.
                assert not self.live, (frame, last)
                self.doubtful.add(frame["ch"])
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
