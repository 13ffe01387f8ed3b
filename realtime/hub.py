"""The hub of a node: who listens to which channel here, and in what order they hear it (HOUSE §3, §4).

Silent: parcels go in from use cases, courier and gap reads; bytes go out to listeners once per tick. What always
holds: a listener gets each durable entry of its channels exactly once, in the order of seq, or its `skip`.

* seq ≤ last is dropped, last + 1 delivered, anything higher held while `on_gap` asks for what is missing.
* A frame is encoded once; the frames of a tick are joined per channel, then per listener, into one write.
* A listener joins at the position its snapshot was read at: entries that came in meanwhile are taken from
  `recent`, and where the hub itself is behind that position the listener waits until it has caught up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from realtime.events import skip_frame
from realtime.parcels import Audience, Parcel
from realtime.ws import frame

RECENT_MAX = 8_192
RECENT_BYTES_MAX = 32 * 1024 * 1024
HELD_MAX = 1_024


class Listener(Protocol):
    """A connection as the hub sees it."""

    account: str

    def write(self, data: bytes, frames: int) -> None:
        """Take whole WebSocket frames, ready for the wire. Must not raise and must not call the hub."""

    def write_recovered(self, data: bytes) -> None:
        """Take frames that continue a position: as `write`, but outside the bounds for live frames."""


class Channel:
    """One channel with listeners here. `last` is the newest seq delivered."""

    __slots__ = ("default", "frames", "held", "last", "listeners", "name", "special", "waiting", "wanted")

    def __init__(self, name: str, last: int) -> None:
        self.name = name
        self.last = last
        self.listeners: dict[Listener, None] = {}
        self.held: dict[int, Parcel] = {}
        self.waiting: list[tuple[int, Listener]] = []
        self.wanted = 0
        self.default: list[bytes] = []
        self.special: dict[str, list[bytes]] = {}
        self.frames = 0

    @property
    def gap(self) -> bool:
        """True while entries are known to exist that have not come."""
        return bool(self.held) or self.wanted > self.last


class Hub:
    """See the module. `wake()` is called once when there is something to flush; `on_gap(channel)` when a channel
    misses entries; `obey(parcel)` after delivering an entry that changes who listens."""

    def __init__(
        self, wake: Callable[[], None], on_gap: Callable[[str], None], obey: Callable[[Parcel], None]
    ) -> None:
        self._wake = wake
        self._on_gap = on_gap
        self._obey = obey
        self._channels: dict[str, Channel] = {}
        self._heard: dict[Listener, set[str]] = {}
        self._accounts: dict[str, set[Listener]] = {}
        self._dirty: dict[str, Channel] = {}
        self._recent: deque[Parcel] = deque()
        self._recent_bytes = 0
        self._offered = 0
        self.delivered = 0
        self.gaps = 0

    # Listeners

    def add(self, listener: Listener) -> None:
        """A connection whose account is known; it hears nothing yet."""
        self._heard[listener] = set()
        self._accounts.setdefault(listener.account, set()).add(listener)

    def remove(self, listener: Listener) -> None:
        """A connection that is gone: forget all of it."""
        for name in self._heard.pop(listener, ()):
            self._drop(name, listener)
        same = self._accounts.get(listener.account)
        if same is not None:
            same.discard(listener)
            if not same:
                del self._accounts[listener.account]

    def of_account(self, account: str) -> list[Listener]:
        """The connections of an account here."""
        return list(self._accounts.get(account, ()))

    def hears(self, listener: Listener, name: str) -> bool:
        """True if the listener hears (or is about to hear) the channel."""
        return name in self._heard.get(listener, ())

    def mark(self) -> int:
        """A point in what was offered; taken before a snapshot is read, given to `join` afterwards."""
        return self._offered

    def join(self, listener: Listener, positions: Iterable[tuple[str, int]], mark: int) -> list[str]:
        """Let `listener` hear channels from (name, seq), both read from the database after `mark`. Returns the names
        it could not join without a hole (too much happened meanwhile): read them again and call again."""
        heard = self._heard.get(listener)
        if heard is None:
            return []
        missed = self._offered - mark
        since: dict[str, list[Parcel]] = {}
        for parcel in list(self._recent)[-missed:] if missed else ():
            since.setdefault(parcel.channel, []).append(parcel)
        refused = []
        for name, seq in positions:
            if name in heard:
                continue
            if missed <= len(self._recent) and self._join_one(listener, name, seq, since.get(name, [])):
                heard.add(name)
            else:
                refused.append(name)
        return refused

    def _join_one(self, listener: Listener, name: str, seq: int, since: Sequence[Parcel]) -> bool:
        channel = self._channels.get(name)
        if channel is None:
            channel = self._channels[name] = Channel(name, seq)
            channel.listeners[listener] = None
            for parcel in since:
                self._take(channel, parcel)
        elif channel.last > seq:
            found = {parcel.seq: parcel for parcel in since}
            if not all(n in found for n in range(seq + 1, channel.last + 1)):
                return False
            self.flush_channel(channel)
            self.catch_up(listener, [found[n] for n in range(seq + 1, channel.last + 1)])
            channel.listeners[listener] = None
        elif channel.last == seq:
            self.flush_channel(channel)
            channel.listeners[listener] = None
        else:
            # This node's courier is behind the database: hear from `seq` on, not what comes before it again.
            channel.waiting.append((seq, listener))
            self._want(channel, seq)
        return True

    def catch_up(self, listener: Listener, parcels: Sequence[Parcel]) -> None:
        """Write entries, in the given order, to one listener as it may see them."""
        frames = [frame(seen_by(parcel, listener.account)) for parcel in parcels]
        if frames:
            listener.write_recovered(b"".join(frames))

    def leave(self, listener: Listener, name: str) -> bool:
        """Stop hearing a channel, after what is due this tick has been handed over. True if it was heard."""
        heard = self._heard.get(listener)
        if heard is None or name not in heard:
            return False
        heard.discard(name)
        self._drop(name, listener)
        return True

    def _drop(self, name: str, listener: Listener) -> None:
        channel = self._channels.get(name)
        if channel is None:
            return
        self.flush_channel(channel)
        channel.listeners.pop(listener, None)
        channel.waiting = [entry for entry in channel.waiting if entry[1] is not listener]
        if not channel.listeners and not channel.waiting:
            del self._channels[name]

    # Entries

    def offer(self, parcel: Parcel) -> None:
        """One event from a use case or the courier."""
        if parcel.seq:
            self._remember(parcel)
        channel = self._channels.get(parcel.channel)
        if channel is None:
            return
        if parcel.seq:
            self._take(channel, parcel)
        else:
            self._ephemeral(channel, parcel)

    def _remember(self, parcel: Parcel) -> None:
        recent = self._recent
        recent.append(parcel)
        self._offered += 1
        self._recent_bytes += len(parcel.frame)
        while len(recent) > RECENT_MAX or self._recent_bytes > RECENT_BYTES_MAX:
            self._recent_bytes -= len(recent.popleft().frame)

    def fill(self, parcels: Sequence[Parcel]) -> None:
        """Entries read from the database, ascending per channel."""
        for parcel in parcels:
            self.offer(parcel)

    def gap_of(self, name: str) -> tuple[int, int] | None:
        """(after, upto) of what a channel misses below its newest known entry, or None."""
        channel = self._channels.get(name)
        if channel is None or not channel.gap:
            return None
        return channel.last, max(channel.wanted, *channel.held) if channel.held else channel.wanted

    def suspect(self, name: str, seq: int) -> bool:
        """The log is known to reach `seq`: ask for what is missing. True if this channel was behind."""
        channel = self._channels.get(name)
        if channel is None or seq <= channel.last:
            return False
        self._want(channel, seq)
        return True

    def names(self) -> list[str]:
        """All channels heard here."""
        return list(self._channels)

    def _want(self, channel: Channel, seq: int) -> None:
        asked = channel.gap
        channel.wanted = max(channel.wanted, seq)
        if not asked:
            self.gaps += 1
            self._on_gap(channel.name)

    def _take(self, channel: Channel, parcel: Parcel) -> None:
        if parcel.seq <= channel.last:
            return
        if parcel.seq > channel.last + 1:
            asked = channel.gap
            if len(channel.held) < HELD_MAX:
                channel.held[parcel.seq] = parcel
            else:
                channel.wanted = max(channel.wanted, parcel.seq)
            if not asked:
                self.gaps += 1
                self._on_gap(channel.name)
            return
        next_parcel: Parcel | None = parcel
        while next_parcel is not None:
            self._deliver(channel, next_parcel)
            next_parcel = channel.held.pop(channel.last + 1, None)

    def _deliver(self, channel: Channel, parcel: Parcel) -> None:
        channel.last = parcel.seq
        channel.held.pop(parcel.seq, None)
        self._append(channel, parcel, frame(parcel.frame))
        if channel.waiting:
            self._admit(channel)
        if parcel.target:
            self._obey(parcel)

    def _admit(self, channel: Channel) -> None:
        ready = [listener for seq, listener in channel.waiting if seq <= channel.last]
        if ready:
            channel.waiting = [entry for entry in channel.waiting if entry[0] > channel.last]
            self.flush_channel(channel)
            channel.listeners.update(dict.fromkeys(ready))

    def _ephemeral(self, channel: Channel, parcel: Parcel) -> None:
        if parcel.audience is Audience.ALL:
            self._append(channel, parcel, frame(parcel.frame))
        elif parcel.audience is Audience.ONLY:
            data = frame(parcel.frame)
            for listener in channel.listeners:
                if listener.account == parcel.target:
                    listener.write(data, 1)

    def _append(self, channel: Channel, parcel: Parcel, data: bytes) -> None:
        if parcel.audience is not Audience.ALL:
            own = data
            data = frame(skip_frame(channel.name, parcel.seq, parcel.seq))
            if parcel.audience is Audience.ONLY and parcel.target not in channel.special:
                channel.special[parcel.target] = list(channel.default)
            for account, chunks in channel.special.items():
                seen = parcel.audience is Audience.ONLY and account == parcel.target
                chunks.append(own if seen else data)
        else:
            for chunks in channel.special.values():
                chunks.append(data)
        channel.default.append(data)
        if not self._dirty:
            self._wake()
        self._dirty[channel.name] = channel

    # Once per tick

    def flush(self) -> None:
        """Hand everything of this tick to the listeners: joined per channel, then per listener."""
        dirty, self._dirty = self._dirty, {}
        if len(dirty) == 1:
            for channel in dirty.values():
                self._write(channel)
            return
        collected: dict[Listener, list[bytes]] = {}
        frames: dict[Listener, int] = {}
        for channel in dirty.values():
            count = len(channel.default)
            if not count:
                continue
            data = b"".join(channel.default)
            special = {account: b"".join(chunks) for account, chunks in channel.special.items()}
            channel.default, channel.special = [], {}
            self.delivered += count * len(channel.listeners)
            for listener in channel.listeners:
                mine = special.get(listener.account, data) if special else data
                chunks = collected.get(listener)
                if chunks is None:
                    collected[listener] = [mine]
                    frames[listener] = count
                else:
                    chunks.append(mine)
                    frames[listener] += count
        for listener, chunks in collected.items():
            listener.write(chunks[0] if len(chunks) == 1 else b"".join(chunks), frames[listener])

    def flush_channel(self, channel: Channel) -> None:
        """Hand over what is due in one channel now, so that who listens may change at exactly this seq."""
        if channel.default:
            self._write(channel)

    def _write(self, channel: Channel) -> None:
        count = len(channel.default)
        if not count:
            return
        data = b"".join(channel.default)
        special, channel.default, channel.special = channel.special, [], {}
        self.delivered += count * len(channel.listeners)
        if special:
            joined = {account: b"".join(chunks) for account, chunks in special.items()}
            for listener in channel.listeners:
                listener.write(joined.get(listener.account, data), count)
            return
        for listener in channel.listeners:
            listener.write(data, count)


def seen_by(parcel: Parcel, account: str) -> bytes:
    """The JSON of a durable entry as one account may see it: its frame, or the `skip` all others get."""
    if parcel.audience is Audience.ALL or (parcel.audience is Audience.ONLY and parcel.target == account):
        return parcel.frame
    return skip_frame(parcel.channel, parcel.seq, parcel.seq)
