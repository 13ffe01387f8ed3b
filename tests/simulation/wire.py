"""What one connection may be told, checked frame by frame against what was promised on it (WIRE §3, §4).

It knows only the wire: what the client asked for and what came back. What always holds of a right server: each
channel's entries go on by one from the position that was agreed, or `resync` or `behind` says where they stand.
"""

from __future__ import annotations

from typing import Any

from loadtest.streams import LEAVING, PLACES, place_of
from tests.simulation.world import World

Frame = dict[str, Any]


class WireCheck:
    """See the module. `asked_at` is when the client asked for what a channel's replay told: entries that came under a
    later wish obey what was acknowledged before it."""

    def __init__(self, world: World, name: str, account: str) -> None:
        self.world = world
        self.name = name
        self.account = account
        self.started_at = world.now()
        self.asked_at: dict[str, float] = {}
        self.last: dict[str, int] = {}
        self.joined: dict[str, int] = {}
        self.early: dict[str, int] = {}
        self.paused: set[str] = set()
        self.connected = False
        self._asked: dict[str, int] = {}
        self._syncs: dict[int, tuple[float, dict[str, int]]] = {}
        self._connect = 0

    def wrong(self, invariant: str, text: str) -> None:
        """A promise was broken."""
        self.world.violated(invariant, f"{self.name}: {text}")

    def sent(self, frame: Frame) -> None:
        """A frame of the client."""
        if frame["op"] == "connect":
            self._connect = frame["id"]
            self._asked = dict(frame["d"]["positions"])
            self.started_at = self.world.now()
        elif frame["op"] == "channel.sync":
            self._syncs[frame["id"]] = (self.world.now(), dict(frame["d"]["positions"]))

    def heard(self, frame: Frame) -> None:
        """A frame of the server, before the client looks at it."""
        if "id" in frame:
            self._reply(frame)
        elif "seq" in frame:
            self._durable(frame)
        elif frame.get("ev") == "resync":
            self._resync(frame["d"])
        elif frame.get("ev") == "behind":
            self._behind(frame["d"])

    def requested_at(self, channel: str) -> float:
        """When the client last asked where this channel stands."""
        return self.asked_at.get(channel, self.started_at)

    def _reply(self, frame: Frame) -> None:
        number = frame["id"]
        if "error" in frame:
            if frame["error"]["code"] == "internal":
                self.wrong("no faults", f"internal error {frame}")
            self._syncs.pop(number, None)
            return
        if number == self._connect:
            self.connected = True
            for channel in frame["ok"]["channels"]:
                self._begin(channel, self._asked)
        elif number in self._syncs:
            at, asked = self._syncs.pop(number)
            told = {channel["ch"]: channel for channel in frame["ok"]["channels"]}
            for name in asked:
                self.paused.discard(name)
                self.joined.pop(name, None)
                if name in told:
                    self.asked_at[name] = at
                    self._begin(told[name], asked)
                else:
                    self.last.pop(name, None)
                    self.early.pop(name, None)

    def _begin(self, channel: Frame, asked: dict[str, int]) -> None:
        name = channel["ch"]
        if channel["recovered"] and name not in asked:
            self.wrong("I3", f"{name} is continued from no position")
        before = self.last.get(name, 0)
        self.last[name] = asked.get(name, 0) if channel["recovered"] else channel["seq"]
        if channel["recovered"] and before > self.last[name]:
            # Another way led to the channel while this was asked: what it told is not told twice.
            self.joined[name] = before

    def _resync(self, told: Frame) -> None:
        self.last[told["ch"]] = told["seq"]
        self.paused.discard(told["ch"])

    def _behind(self, told: Frame) -> None:
        name = told["ch"]
        if self.last.get(name) != told["seq"]:
            self.wrong("I3", f"{name} is behind at {told['seq']}, but {self.last.get(name)} was told")
        self.paused.add(name)

    def _durable(self, frame: Frame) -> None:
        name, seq = frame["ch"], frame["seq"]
        last = self.last.get(name)
        if name in self.paused:
            self.wrong("I3", f"{name} {seq} came while it was paused")
        after = self.joined.pop(name, None)
        if after is not None and (last is None or (seq != last + 1 and seq > after)):
            last = after
        if last is None:
            # A room may be heard while the entry of the inbox that gives it is still on its way behind older ones.
            self.early[name] = seq - 1
        elif seq <= last:
            self.wrong("I2", f"{name} {seq} came again after {last}")
        elif seq != last + 1:
            self.wrong("I3", f"{name} {seq} came after {last}: a hole")
        self.last[name] = frame.get("upto", seq)
        if frame["ev"] in PLACES and frame["ev"] not in LEAVING:
            self._given(place_of(frame["ev"], frame["d"]), frame["d"]["seq"])

    def _given(self, name: str, after: int) -> None:
        if name not in self.early:
            self.joined[name] = after
        elif self.early.pop(name) > after:
            self.wrong("I3", f"{name} was given after {after}, and heard from later on")
