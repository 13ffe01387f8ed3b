"""The writing half of a connection: what it is given leaves in one call, or waits within bounds (WIRE §5).

Base of `gateway.socket.SocketProtocol`. What always holds: nothing here blocks or raises; while the peer takes what
it is given there is no queue; what is shed is told by `behind`, and a connection that cannot be kept within its
bounds is closed as too slow.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from realtime.closes import Close
from realtime.events import Behind, control_frame
from realtime.ids import INBOX
from realtime.sendqueue import Piece, SendQueue
from realtime.ws import frame

if TYPE_CHECKING:
    from gateway.node import Node

WAKE_AGE = 4
BEHINDS_PER_MIN_MAX = 3
MINUTE_S = 60.0


class Slow:
    """What a connection needs only while its reader is slower than its channels, or was so lately."""

    __slots__ = ("behinds", "cut", "drained", "fell", "moved_at", "queue")

    def __init__(self, queue: SendQueue, now: float) -> None:
        self.queue = queue
        self.cut: set[str] = set()
        # Channels it fell behind in since its reader last took everything: the transport may hold frames of them.
        self.fell: set[str] = set()
        self.behinds: list[float] = []
        self.moved_at = now
        self.drained: asyncio.Future[None] | None = None


class Outbound(asyncio.Protocol, ABC):
    """See the module."""

    __slots__ = ("_ending", "_paused", "_slow", "node", "transport")

    node: Node
    transport: asyncio.Transport | None

    def __init__(self) -> None:
        self._ending = False
        self._paused = False
        self._slow: Slow | None = None

    @abstractmethod
    def close(self, code: int, reason: str = "") -> None:
        """Say why and end."""

    @abstractmethod
    def on_timer(self, why: int) -> None:
        """A wake-up of the node's wheel."""

    # asyncio.Protocol

    def pause_writing(self) -> None:
        """The transport's buffer is full: what comes from now on waits in our bounded queue."""
        self._paused = True
        now = self.node.now()
        if self._slow is None:
            self._slow = Slow(SendQueue(self.node.settings.limits, self.node.backlog), now)
        elif not self._slow.queue:
            self._slow.moved_at = now
        self.node.wheel.add(self.node.settings.limits.queue_age_s, self, WAKE_AGE)

    def resume_writing(self) -> None:
        """The peer reads again: hand over what waited, until it is full again."""
        self._paused = False
        slow = self._slow
        if slow is None:
            return
        slow.moved_at = self.node.now()
        while slow.queue and not self._paused and self.transport is not None:
            self.transport.write(slow.queue.pop())
        if not self._paused:
            slow.fell.clear()
            self._let_go()

    def fell_behind(self, channel: str) -> bool:
        """True if it hears a channel no more because it is too slow, and may still hold frames of it."""
        return self._slow is not None and channel in self._slow.fell

    @property
    def choked(self) -> bool:
        """True while the peer does not take what it is given."""
        return self._paused

    async def drained(self) -> bool:
        """Wait until everything handed over has left this process, or nearly. False if the connection ended."""
        while self._paused and not self._ending and self.transport is not None:
            slow = self._slow
            assert slow is not None
            if slow.drained is None:
                slow.drained = asyncio.get_running_loop().create_future()
            await asyncio.shield(slow.drained)
        return not self._ending and self.transport is not None

    def _let_go(self) -> None:
        slow = self._slow
        if slow is not None and slow.drained is not None:
            slow.drained.set_result(None)
            slow.drained = None

    # Listener

    def write(self, piece: Piece) -> None:
        """Whole frames for the peer."""
        if self.transport is None or self._ending:
            return
        if self._paused:
            self._hold(piece)
        else:
            self.transport.write(piece.data)

    def write_all(self, pieces: Sequence[Piece]) -> None:
        """Several pieces of one tick, in one write."""
        if self.transport is None or self._ending:
            return
        if self._paused:
            for piece in pieces:
                self._hold(piece)
        else:
            self.transport.write(b"".join([piece.data for piece in pieces]))

    def write_recovered(self, data: bytes) -> None:
        """Frames that continue a position, outside the bounds for live frames: whoever reads them from the log waits
        for `drained` between one portion and the next."""
        if self.transport is None or self._ending:
            return
        if self._paused and self._slow is not None and self._slow.queue:
            self._slow.queue.push_recovered(data, self.node.now())
        else:
            self.transport.write(data)

    def send(self, payload: bytes) -> None:
        """One JSON object as one frame."""
        self.write(Piece(frame(payload), 1))

    def lost(self, channel: str) -> None:
        """The channel was taken: its unsent frames must not arrive, so a connection holding any starts anew (WIRE
        §4). What the transport holds cannot be looked into, nor can a close be said before it."""
        if self.transport is not None and self.transport.get_write_buffer_size():
            self.transport.abort()
        elif self._slow is not None and self._slow.queue.holds(channel):
            self._too_slow()

    def forget_unsent(self, channel: str) -> None:
        """A channel is about to be told anew, from the client's position."""
        if self._slow is not None:
            self._slow.queue.drop(channel)

    # Inside

    def _hold(self, piece: Piece) -> None:
        slow = self._slow
        assert slow is not None
        if piece.channel and piece.channel in slow.cut:
            return
        now = self.node.now()
        if not slow.queue.push(piece, now) and not self._ending:
            self._shed(slow, now)
        self.node.bound_backlog()

    @property
    def queued_bytes(self) -> int:
        """What waits for this peer."""
        return self._slow.queue.size_bytes if self._slow is not None else 0

    def too_slow(self) -> None:
        """All queues together are too much, and this one is the fullest."""
        self._too_slow()

    def _shed(self, slow: Slow, now: float) -> None:
        dropped = slow.queue.dropped
        cut = slow.queue.shed(now)
        self.node.metrics.dropped(slow.queue.dropped - dropped)
        if cut is None or any(name.startswith(INBOX) for name in cut):
            # The inbox carries what nodes obey, so nobody goes on without it.
            self._too_slow()
            return
        slow.behinds = [at for at in slow.behinds if now - at < MINUTE_S] + [now] * len(cut)
        if len(slow.behinds) > BEHINDS_PER_MIN_MAX:
            self._too_slow()
        elif cut:
            slow.cut.update(cut)
            # On the loop's next turn, because the hub may be walking over its listeners now.
            asyncio.get_running_loop().call_soon(self._fall_behind, cut)

    def _fall_behind(self, cut: dict[str, int]) -> None:
        for name, seq in cut.items():
            self.node.hub.leave(self, name)  # type: ignore[arg-type]  # the whole socket is a Listener
            self.send(frame_behind(name, seq))
            self.node.metrics.fell_behind()
            if self._slow is not None:
                self._slow.cut.discard(name)
                self._slow.fell.add(name)

    def _check_age(self) -> None:
        """The wheel's look at what waits: a reader that takes nothing at all is gone within the bound."""
        slow, limits = self._slow, self.node.settings.limits
        if slow is None or not self._paused:
            return
        now = self.node.now()
        if now - slow.moved_at > limits.queue_age_s and slow.queue:
            self._too_slow()
            return
        if slow.queue.over(now):
            self._shed(slow, now)
        self.node.wheel.add(limits.queue_age_s / 2, self, WAKE_AGE)

    def _too_slow(self) -> None:
        if self._slow is not None:
            self._slow.queue.clear()
        self._close_soon(self.close, Close.TOO_SLOW, "too slow; come back and continue")

    def _close_soon(self, close: Callable[[int, str], None], code: int, reason: str) -> None:
        """Close on the loop's next turn, because the hub may be walking over its listeners now; nothing more is taken
        from this moment."""
        if not self._ending:
            self._ending = True
            self._let_go()
            asyncio.get_running_loop().call_soon(close, code, reason)


def frame_behind(channel: str, seq: int) -> bytes:
    """The JSON of a `behind`."""
    return control_frame("behind", Behind(ch=channel, seq=seq))
