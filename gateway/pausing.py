"""Places that are too busy pause for whoever is not looking, and go on by themselves when they are calm (FEATURES §3).

Owned by the fan-out, which shows it every post. What always holds: a connection that watches a channel, or opened it by
`channel.sync`, hears all of it; every other one is told `behind` with the reason `busy` and the last seq it was sent, and
is continued from there when the place has calmed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from realtime.events import Behind, control_frame
from realtime.hub import Hub
from realtime.ids import COMMUNITY
from realtime.liveliness import Liveliness
from realtime.parcels import Parcel

LOOK_S = 5.0
POSTED = "post.created"
BUSY = "busy"


class Pausing:
    """See the module. Listeners are the node's sockets."""

    def __init__(self, hub: Hub, most_per_min: int, clock_ms: Callable[[], int]) -> None:
        self._hub = hub
        self._clock_ms = clock_ms
        self._liveliness = Liveliness(most_per_min)
        self._paused: dict[str, WeakKeyDictionary[Any, int]] = {}
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._seen: dict[str, int] = {}

    def posted(self, parcel: Parcel) -> None:
        """An entry came in, maybe for the second time."""
        name = parcel.channel
        if parcel.kind != POSTED or not name.startswith(COMMUNITY) or parcel.seq <= self._seen.get(name, 0):
            return
        self._seen[name] = parcel.seq
        if self._liveliness.note(name, parcel.at):
            self._paused[name] = WeakKeyDictionary()
            # Not while the hub may be walking over its listeners.
            self._loop.call_soon(self._pause_all, name)
        if self._timer is None:
            self._timer = self._loop.call_later(LOOK_S, self._look)

    def is_busy(self, name: str) -> bool:
        """True while a channel pauses for whoever does not watch it."""
        return name in self._paused

    def _pause_all(self, name: str) -> None:
        paused = self._paused.get(name)
        if paused is None:
            return
        for listener in self._hub.listeners_of(name):
            socket: Any = listener  # every listener of a node is one of its sockets, but for its probe
            if socket.watches(name):
                continue
            at = self._hub.last(name)
            if self._hub.leave(listener, name):
                paused[listener] = at
                socket.send(control_frame("behind", Behind(ch=name, seq=at, reason=BUSY)))

    def _look(self) -> None:
        """Who came meanwhile pauses too; what has calmed goes on."""
        self._timer = None
        for name in self._liveliness.calmed(self._clock_ms()):
            for socket, at in self._paused.pop(name, {}).items():
                if not self._hub.hears(socket, name):
                    socket.hear(name, at)
        for name in self._paused:
            self._pause_all(name)
        quiet = self._liveliness.forgotten(self._seen)
        for name in quiet:
            del self._seen[name]
        if self._seen:
            self._timer = self._loop.call_later(LOOK_S, self._look)
