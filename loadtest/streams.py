"""Where a client stands in each channel, and what of the arriving frames is handed out (WIRE §3, §4).

Used by `loadtest.protocol` alone; pure. What always holds: the durable events of a channel are handed out once, in
order and without a hole, from its position on; where that cannot be, the channel is told by `reload` or is `stale`.
"""

from __future__ import annotations

from typing import Any

from loadtest.rules import POSITIONS_MAX

PLACES = {
    "room.joined": ("room:", "room"),
    "room.left": ("room:", "room"),
    "community.joined": ("community:", "community"),
    "community.left": ("community:", "community"),
    "follow.began": ("author:", "account"),
    "follow.ended": ("author:", "account"),
}
"""Entries of the inbox that tell what is heard: how the channel's name begins, and the field that ends it."""
LEAVING = ("room.left", "community.left", "follow.ended")
Frame = dict[str, Any]
Told = list[tuple[Any, ...]]


def place_of(event: str, d: dict[str, Any]) -> str:
    """The channel that such an entry speaks of."""
    begin, field = PLACES[event]
    return f"{begin}{d[field]}"


class Streams:
    """See the module. `paused` are the channels whose rest was asked for and not answered yet: what is ahead of it is
    dropped, because it comes again after what is missing."""

    __slots__ = ("_known", "_stale", "doubles", "epoch", "holes", "live", "paused", "positions")

    def __init__(self) -> None:
        self.positions: dict[str, int] = {}
        self.epoch = ""
        self.paused: set[str] = set()
        self.live = False
        self.doubles = 0
        self.holes = 0
        self._stale: dict[str, None] = {}
        # Per channel, how far the inbox was when an answer told where the channel stands: what the inbox said up to
        # there is in that answer already.
        self._known: dict[str, int] = {}

    def forget(self) -> None:
        """Nothing is continued."""
        self.positions.clear()
        self._stale.clear()
        self.epoch = ""

    def lost(self) -> None:
        """The connection broke; positions stay."""
        self.paused.clear()
        self.live = False

    def greet(self, epoch: str) -> None:
        """The server's epoch: positions of another one count as none."""
        if epoch != self.epoch:
            self.positions.clear()
            self.epoch = epoch

    def asked(self) -> dict[str, int]:
        """The positions to show, at most as many as the server takes."""
        return dict(list(self.positions.items())[:POSITIONS_MAX])

    def join(self, channels: list[dict[str, Any]], *, same: bool) -> None:
        """The answer to `connect`: what is heard, and from where. `same` account as before?"""
        before = dict(self.positions)
        self.positions.clear()
        self._known.clear()
        self._note(channels)
        self._stale = {name: None for name in self._stale if any(c["ch"] == name for c in channels)}
        for channel in channels:
            name = channel["ch"]
            continued = channel["recovered"] and name in before
            self.positions[name] = before[name] if continued else channel["seq"]
            if not (continued and same):
                self._stale[name] = None

    def go_live(self) -> list[str]:
        """Everything missed was handed out; the channels that are to be read by page."""
        stale = list(self._stale)
        self._stale.clear()
        self.live = True
        return stale

    def take(self, frame: Frame, told: Told) -> bool:
        """A durable push. True if there is a hole before it: the rest of the channel must be asked for."""
        name: str = frame["ch"]
        seq: int = frame["seq"]
        upto: int = frame.get("upto", seq)
        last = self.positions.get(name)
        if last is not None:
            if upto <= last:
                self.doubles += 1
                return False
            if seq > last + 1:
                self.holes += 1
                return bool(self.pause([name]))
        self.positions[name] = upto
        if frame["ev"] == "skip":
            told.append(("skip", frame))
            return False
        told.append(("event", frame))
        if frame["ev"] in PLACES:
            self._move(frame, told)
        return False

    def _move(self, frame: Frame, told: Told) -> None:
        """The inbox says that a place is heard from now on, or no more. One that was heard before and is given anew from
        further on has lines that never came: they are read by page."""
        place = place_of(frame["ev"], frame["d"])
        if frame["seq"] <= self._known.get(place, 0):
            return
        at = self.positions.get(place)
        if frame["ev"] in LEAVING:
            self._leave(place)
        elif at is None:
            self.positions[place] = frame["d"]["seq"]
        elif at < frame["d"]["seq"]:
            self.reload(place, frame["d"]["seq"], told)

    def _note(self, channels: list[dict[str, Any]]) -> None:
        """An answer told where these channels stand."""
        inbox = max((channel["seq"] for channel in channels if channel["ch"].startswith("user:")), default=0)
        self._known.update({channel["ch"]: inbox for channel in channels if inbox})

    def pause(self, names: list[str]) -> list[str]:
        """The rest of these channels is asked for; those for which it is not yet."""
        fresh = [name for name in names if name not in self.paused]
        self.paused.update(fresh)
        return fresh

    def behind(self, d: dict[str, Any], told: Told) -> list[str]:
        """The server pauses a channel: what is to be asked for. A busy one goes on by itself, or when somebody opens it."""
        if d.get("reason") == "busy":
            told.append(("busy", d["ch"], d["seq"]))
            return []
        return self.pause([d["ch"]])

    def reload(self, name: str, seq: int, told: Told) -> None:
        """The channel goes on after `seq`; what lies before is to be read by page."""
        self.positions[name] = seq
        if self.live:
            told.append(("reload", name, seq))
        else:
            self._stale[name] = None

    def synced(self, names: list[str], channels: list[dict[str, Any]], told: Told) -> None:
        """The answer to `channel.sync` for `names`: what was missed follows, or is to be read by page."""
        answered = {channel["ch"]: channel for channel in channels}
        self.paused.difference_update(names)
        self._note(channels)
        for name in names:
            channel = answered.get(name)
            if channel is None:
                # Not heard any more; the inbox tells why.
                self._leave(name)
            elif not channel["recovered"]:
                self.reload(name, channel["seq"], told)

    def _leave(self, name: str) -> None:
        self.positions.pop(name, None)
        self.paused.discard(name)
        self._stale.pop(name, None)
