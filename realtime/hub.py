"""The hub of a node: who listens to which channel here, and in what order they hear it (HOUSE §3, §4).

Silent: parcels go in from use cases, courier and gap reads; bytes go out to listeners once per tick. What always
holds: a listener gets each durable entry of its channels exactly once, in the order of seq, or its `skip`.

* seq ≤ last is dropped, last + 1 delivered, anything higher held while `on_gap` asks for what is missing.
* A frame is encoded once; the frames of a tick are joined per channel, then per listener, into one write.
* A listener joins at the position its snapshot was read at: entries that came in meanwhile are taken from
  `recent`, and where the hub itself is behind that position the listener waits until it has caught up.
* A listener that must read older entries first is *reading*: it is told nothing, but what takes the channel away from
  it is obeyed; `resume` lets it in where its reading ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from realtime.apart import Apart
from realtime.channel import Channel, Replay, seen_by
from realtime.ids import AUTHOR
from realtime.parcels import Audience, Parcel
from realtime.recent import Recent
from realtime.sendqueue import Piece
from realtime.ws import frame

HELD_MAX = 1_024


class Listener(Protocol):
    """A connection as the hub sees it."""

    account: str

    def write(self, piece: Piece) -> None:
        """Take whole WebSocket frames, ready for the wire. Must not raise and must not call the hub."""

    def write_all(self, pieces: Sequence[Piece]) -> None:
        """Several pieces at once, of one tick."""

    def write_recovered(self, data: bytes) -> None:
        """Take frames that continue a position: as `write`, but outside the bounds for live frames."""


Obey = Callable[[Parcel, Listener | None], None]


class Hub:
    """See the module. `wake()` is called once when there is something to flush; `on_gap(channel)` when a channel
    misses entries; `obey(parcel, only)` after delivering an entry with a target: it may change who listens. With
    `only`, the entry is older than that listener's joining but newer than its snapshot, and concerns it alone."""

    def __init__(self, wake: Callable[[], None], on_gap: Callable[[str], None], obey: Obey) -> None:
        self._wake = wake
        self._on_gap = on_gap
        self._obey = obey
        self._channels: dict[str, Channel] = {}
        self._heard: dict[Listener, list[Channel]] = {}
        self._accounts: dict[str, list[Listener]] = {}
        self._dirty: dict[str, Channel] = {}
        self.recent = Recent()
        self.apart = Apart()
        self.delivered = 0
        self.gaps = 0

    # Listeners

    def add(self, listener: Listener) -> None:
        """A connection whose account is known; it hears nothing yet."""
        self._heard[listener] = []
        self._accounts.setdefault(listener.account, []).append(listener)

    def remove(self, listener: Listener) -> None:
        """A connection that is gone: forget all of it."""
        for channel in self._heard.pop(listener, ()):
            self._drop(channel, listener)
        same = self._accounts.get(listener.account)
        if same is not None and listener in same:
            same.remove(listener)
            if not same:
                del self._accounts[listener.account]
                self.apart.forget(listener.account)

    def of_account(self, account: str) -> list[Listener]:
        """The connections of an account here."""
        return list(self._accounts.get(account, ()))

    def everyone(self) -> list[Listener]:
        """All connections here."""
        return list(self._heard)

    def part(self, a: str, b: str) -> None:
        """One of two accounts blocks the other: what is due is told as it was, and nothing after it."""
        for channel in list(self._dirty.values()):
            self.flush_channel(channel)
        self.apart.part(a, b, self._accounts.keys())

    def hearers(self, name: str) -> list[Listener]:
        """The connections that hear a channel, or are about to."""
        channel = self._channels.get(name)
        return channel.everyone() if channel is not None else []

    def listeners_of(self, name: str) -> list[Listener]:
        """The connections that a channel's entries are told to as they come."""
        channel = self._channels.get(name)
        return list(channel.listeners) if channel is not None else []

    def hears(self, listener: Listener, name: str) -> bool:
        """True if the listener hears (or is about to hear) the channel."""
        channel = self._channels.get(name)
        return channel is not None and channel.has(listener)

    def mark(self) -> int:
        """A point in what was offered; taken before a snapshot is read, given to `join` afterwards."""
        return self.recent.offered

    def join(
        self, listener: Listener, positions: Iterable[tuple[str, int]], mark: int, *, reading: bool = False
    ) -> list[str]:
        """Let `listener` hear channels from (name, seq), both read from the database after `mark`; with `reading`, it
        has yet to read what came before seq. Returns the names it could not join without a hole (too much happened
        meanwhile): read them again and call again."""
        if listener not in self._heard:
            return []
        whole = self.recent.whole_since(mark)
        refused = []
        apart = self.apart.of(listener.account)
        for name, seq in positions:
            if apart and name.startswith(AUTHOR) and name.removeprefix(AUTHOR) in apart:
                # A block that began after the snapshot was read.
                continue
            # An entry obeyed for one channel may have brought or taken another.
            if not self.hears(listener, name) and not (
                whole and self._join_one(listener, name, seq, reading)
            ):
                refused.append(name)
        return refused

    def _join_one(self, listener: Listener, name: str, seq: int, reading: bool) -> bool:
        channel = self._channels.get(name)
        if channel is None:
            channel = self._channels[name] = Channel(name, seq)
            self._heard[listener].append(channel)
            if reading:
                channel.read(listener, seq)
            else:
                self._enter(channel, listener, seq)
            for parcel in self.recent.after(name, seq):
                self._take(channel, parcel)
            if self.recent.top(name) > channel.last:
                self._want(channel, self.recent.top(name))
            return True
        self._heard[listener].append(channel)
        if self._read(channel, listener, seq) if reading else self._enter(channel, listener, seq):
            return True
        self._heard[listener].remove(channel)
        return False

    def _read(self, channel: Channel, listener: Listener, seq: int) -> bool:
        """Among those who have yet to read. What has happened here since the snapshot is obeyed for it now and told in
        its place; False if it is not at hand."""
        missed = self.recent.between(channel.name, seq, channel.last) if channel.last > seq else []
        if missed is None:
            return False
        channel.read(listener, seq)
        for parcel in missed:
            if parcel.target and listener in channel.reading:
                self._obey(parcel, listener)
        if listener in channel.reading:
            channel.read(listener, max(seq, channel.last))
        return True

    def _enter(self, channel: Channel, listener: Listener, seq: int, *, obeyed: bool = False) -> bool:
        """Among the listeners from `seq` on. False if what came since is not at hand. `obeyed`: it was a reader, for
        whom what came since was obeyed when it came."""
        if channel.last > seq:
            missed = self.recent.between(channel.name, seq, channel.last)
            if missed is None:
                return False
            self.flush_channel(channel)
            channel.listeners[listener] = None
            self._play(channel, listener, missed, obeyed=obeyed)
        elif channel.last == seq:
            self.flush_channel(channel)
            channel.listeners[listener] = None
        else:
            # This node's courier is behind the database: hear from `seq` on, not what comes before it again.
            channel.wait(listener, seq)
            self._want(channel, seq)
        return True

    def _play(self, channel: Channel, listener: Listener, parcels: Sequence[Parcel], *, obeyed: bool) -> None:
        """Entries between a listener's snapshot and now: told to it, and obeyed for it."""
        for parcel in parcels:
            if not channel.has(listener):
                return
            apart = self.apart.of(listener.account)
            listener.write_recovered(frame(seen_by(parcel, listener.account, apart)))
            if parcel.target and not obeyed:
                self._obey(parcel, listener)

    def replay(self, listener: Listener, name: str, after: int, least: int) -> int:
        """Let a reading listener have what follows `after` from memory, if the memory reaches from there to the hub's
        own position and that is at least `least`. Returns the position reached: `after` if nothing could be told."""
        channel = self._channels.get(name)
        if channel is None or listener not in channel.reading or channel.last < max(least, after):
            return after
        told = channel.replays.get(after)
        if told is None:
            parcels = self.recent.replay(name, after, channel.last)
            if parcels is None:
                return after
            told = channel.keep_replay(after, parcels)
        self.tell(listener, told)
        return channel.last

    def tell(self, listener: Listener, replay: Replay) -> None:
        """A stretch of entries as this listener may see it now."""
        listener.write_recovered(replay.seen_by(listener.account, self.apart.of(listener.account)))

    def resume(self, listener: Listener, name: str, seq: int) -> bool:
        """A reading listener has read up to `seq`: let it in. False if it must read on. True also if the channel was
        taken away from it meanwhile."""
        channel = self._channels.get(name)
        if channel is None or listener not in channel.reading:
            return True
        snapshot = channel.reading.pop(listener)
        if self._enter(channel, listener, seq, obeyed=True):
            return True
        channel.read(listener, snapshot)
        return False

    def reads(self, listener: Listener, name: str) -> bool:
        """True while the listener has yet to read what came before."""
        channel = self._channels.get(name)
        return channel is not None and listener in channel.reading

    def last(self, name: str) -> int:
        """The newest seq delivered in a channel that is heard here, else 0."""
        channel = self._channels.get(name)
        return channel.last if channel else 0

    def leave(self, listener: Listener, name: str, seq: int = 0) -> bool:
        """Stop hearing a channel, after what is due this tick has been handed over. True if it was heard. An entry
        with `seq` is the reason: it does not concern a listener whose snapshot is as new as it."""
        channel = self._channels.get(name)
        if channel is None or not channel.has(listener) or (seq and channel.snapshot_of(listener) >= seq):
            return False
        self._heard[listener].remove(channel)
        self._drop(channel, listener)
        return True

    def _drop(self, channel: Channel, listener: Listener) -> None:
        self.flush_channel(channel)
        channel.forget(listener)
        if channel.deserted and self._channels.get(channel.name) is channel:
            del self._channels[channel.name]

    # Entries

    def offer(self, parcel: Parcel) -> None:
        """One event from a use case or the courier."""
        if parcel.seq:
            self.recent.add(parcel)
        channel = self._channels.get(parcel.channel)
        if channel is None:
            return
        if parcel.seq:
            self._take(channel, parcel)
        else:
            self._ephemeral(channel, parcel)

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
        if channel is None:
            # Somebody may be about to join at a snapshot that is older than this knowledge.
            if self.recent.top(name) < seq:
                self.recent.note(name, seq)
            return False
        if seq <= channel.last:
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
                channel.hold(parcel)
            else:
                channel.wanted = max(channel.wanted, parcel.seq)
            if not asked:
                self.gaps += 1
                self._on_gap(channel.name)
            return
        next_parcel: Parcel | None = parcel
        while next_parcel is not None:
            self._deliver(channel, next_parcel)
            next_parcel = channel.held.pop(channel.last + 1, None) if channel.held else None

    def _deliver(self, channel: Channel, parcel: Parcel) -> None:
        channel.append(parcel, self.apart.hidden_from(parcel.author))
        self._soil(channel)
        if channel.waiting:
            self._admit(channel)
        if parcel.target:
            self._obey(parcel, None)

    def _soil(self, channel: Channel) -> None:
        if not self._dirty:
            self._wake()
        self._dirty[channel.name] = channel

    def _admit(self, channel: Channel) -> None:
        ready = [listener for seq, listener in channel.waiting if seq <= channel.last]
        if ready:
            channel.waiting = [entry for entry in channel.waiting if entry[0] > channel.last]
            self.flush_channel(channel)
            channel.listeners.update(dict.fromkeys(ready))

    def _ephemeral(self, channel: Channel, parcel: Parcel) -> None:
        piece = Piece(frame(parcel.frame), 1, channel.name, key=parcel.key)
        if parcel.audience is Audience.ALL:
            channel.add_fleeting(piece, self.apart.hidden_from(parcel.author))
            self._soil(channel)
        elif parcel.audience is Audience.ONLY:
            for listener in channel.listeners:
                if listener.account == parcel.target:
                    listener.write(piece)

    # Once per tick

    def flush(self) -> None:
        """Hand everything of this tick to the listeners: joined per channel, then per listener."""
        dirty, self._dirty = self._dirty, {}
        if len(dirty) == 1:
            for channel in dirty.values():
                self._write(channel)
            return
        collected: dict[Listener, list[Piece]] = {}
        for channel in dirty.values():
            for piece, special in channel.due():
                self.delivered += piece.frames * len(channel.listeners)
                for listener in channel.listeners:
                    mine = special.get(listener.account, piece) if special else piece
                    if mine is None:
                        continue
                    pieces = collected.get(listener)
                    if pieces is None:
                        collected[listener] = [mine]
                    else:
                        pieces.append(mine)
        for listener, pieces in collected.items():
            if len(pieces) == 1:
                listener.write(pieces[0])
            else:
                listener.write_all(pieces)

    def flush_channel(self, channel: Channel) -> None:
        """Hand over what is due in one channel now, so that who listens may change at exactly this seq."""
        if channel.soiled:
            self._write(channel)

    def _write(self, channel: Channel) -> None:
        for piece, special in channel.due():
            self.delivered += piece.frames * len(channel.listeners)
            if special:
                for listener in channel.listeners:
                    mine = special.get(listener.account, piece)
                    if mine is not None:
                        listener.write(mine)
            else:
                for listener in channel.listeners:
                    listener.write(piece)
