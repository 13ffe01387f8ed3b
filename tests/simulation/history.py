"""What everybody did and was told, and whether it fits what the database holds at the end (invariants of the wire).

Acknowledgements and frames are noted while the simulation runs; judged is at the end, from the log and the rows alone:
who was inside which room between which entries, who blocked whom when, which session ended when.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from realtime.ids import author_channel
from tests.simulation.disk import Disk
from tests.simulation.world import CRASHES, World

OBEYED_S = 1.0
"""What ends somebody's hearing is obeyed everywhere within this time after its acknowledgement (WIRE §4)."""
DEGRADED_S, SLOW_READS_S = 2.0, 0.4
"""The same where the courier lost it or was away, or the node died before it could hand it over, so that a sweep finds
it: at most 1.5 s to the sweep, its read, and that of the hole; either may be slow."""
BLIND_S = 5.0
"""The same where the database itself was in trouble, and a sweep or two with it."""
DEGRADING = (
    *CRASHES,
    "node drained",
    "parcel lost",
    "parcel late",
    "courier dead",
    "courier hung",
    "courier emptied",
    "subscriber dropped",
)
DEGRADED_SINCE_S = 7.0
"""Of these the longest lasts 5 s, and it takes a second to come back."""
BLINDING = ("database away", "database busy", "database full", "database read error", "queue full")
BLIND_SINCE_S = 4.5
"""Of these the longest lasts 2.5 s, and the next sweep that works may be 1.5 s away."""
FOREVER = float("inf")


class Told(NamedTuple):
    """A durable frame that a device was given. `left` is when it left the server, `asked` when the client had last asked
    where the channel stands."""

    account: str
    session: str
    frame: dict[str, Any]
    left: float
    asked: float


@dataclass(slots=True)
class Stay:
    """An account inside a room: entries after `low` and below `high` are for it. `ended` is when its leaving was
    acknowledged; `begun` from when on all that lies before may be asked for, where it may be at all."""

    low: int
    high: float = FOREVER
    ended: float = FOREVER
    begun: float = FOREVER


@dataclass(slots=True)
class History:
    """See the module. Times are virtual seconds."""

    world: World
    told: list[Told] = field(default_factory=list)
    acks: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    texts: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    posts: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    posted_texts: dict[tuple[str, str], str] = field(default_factory=dict)
    parted: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    requests: dict[tuple[str, str], float] = field(default_factory=dict)
    deleted: dict[str, float] = field(default_factory=dict)
    left: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    blocks: dict[tuple[str, str], list[list[float]]] = field(default_factory=lambda: defaultdict(list))
    unblocks: dict[tuple[str, str], float] = field(default_factory=dict)
    revoked: dict[str, float] = field(default_factory=dict)
    revoking: set[str] = field(default_factory=set)
    arrivals: list[tuple[str, float]] = field(default_factory=list)

    # Noted while it runs

    def requested(self, account: str, frame: dict[str, Any]) -> None:
        """A client asks for something."""
        d, now = frame.get("d", {}), self.world.now()
        if "nonce" in d:
            self.requests.setdefault((account, d["nonce"]), now)
        if frame["op"] == "block.remove":
            self.unblocks[account, d["account"]] = FOREVER
            for span in self.blocks[account, d["account"]]:
                span[1] = min(span[1], now)

    def said(self, account: str, d: dict[str, Any], result: dict[str, Any] | None) -> None:
        """`room.send` was answered."""
        if result is not None:
            self.acks[account, d["nonce"]].append(result)
            self.texts[account, d["nonce"]] = (d["room"], d["text"])

    def posted(self, account: str, d: dict[str, Any], result: dict[str, Any] | None) -> None:
        """`post.create` was answered."""
        if result is not None:
            self.posts[account, d["nonce"]].append(result)
            self.posted_texts[account, d["nonce"]] = d["text"]

    def blocked(self, account: str, other: str, asked: float) -> None:
        """A block was acknowledged that was asked for at `asked`. It stands if no taking back was under way."""
        for a, b in ((account, other), (other, account)):
            self.parted[a, author_channel(b)].append(self.world.now())
        if self.unblocks.get((account, other), 0.0) < asked:
            self.blocks[account, other].append([self.world.now(), FOREVER])

    def unblocked(self, account: str, other: str) -> None:
        """A taking back was acknowledged. One that never is may still happen."""
        self.unblocks[account, other] = self.world.now()

    def connected(self, session: str, asked: float) -> None:
        """A session was let in."""
        self.arrivals.append((session, asked))


class Judge:
    """The end of a run: the database as it is, against what was told."""

    def __init__(self, history: History, disk: Disk) -> None:
        self.h = history
        self.world = history.world
        self.disk = disk
        rows = disk.execute(
            "select channel, seq, kind, ref, audience, target from log order by channel, seq"
        ).fetchall()
        self.log: dict[tuple[str, int], tuple[str, str, str, str]] = {(r[0], r[1]): r[2:] for r in rows}
        found = disk.execute(
            "select id, room, seq, author, body, system, only_for, deleted_at from message"
        ).fetchall()
        self.messages = {r[0]: r for r in found}
        self.rooms = {
            f"room:{r[0]}": r for r in disk.execute("select id, kind, reading, pair from room").fetchall()
        }
        self.stays = self._stays()

    def bound_s(self, ended: float) -> float:
        """Within which time an end, acknowledged at `ended`, is obeyed: by what went wrong around it."""
        world = self.world
        if world.took_place(BLINDING, ended - BLIND_SINCE_S, ended + BLIND_S):
            return BLIND_S
        if world.took_place(DEGRADING, ended - DEGRADED_SINCE_S, ended + DEGRADED_S):
            slow = world.took_place(("slow read",), ended - DEGRADED_S, ended + DEGRADED_S)
            return DEGRADED_S + SLOW_READS_S * slow
        return OBEYED_S

    def wrong(self, invariant: str, text: str) -> None:
        """A promise was broken."""
        self.world.violated(invariant, text)

    def all(self) -> None:
        """Every check."""
        from tests.simulation.judging_posts import PostJudge

        self.posts = PostJudge(self, self.h, self.disk)
        self.acknowledged()
        self.posts.acknowledged()
        self.seqs()
        self.once()
        seen: dict[tuple[str, int], Any] = {}
        for told in self.h.told:
            if told.frame["ev"] != "skip":
                self._same(told, seen)
                self._allowed(told)
        self.sessions()

    # I1, I6

    def acknowledged(self) -> None:
        """Every acknowledged message is kept as it was acknowledged."""
        for (account, nonce), results in self.h.acks.items():
            room, text = self.h.texts[account, nonce]
            for result in results:
                row = self.messages.get(result["message"])
                if row is None:
                    self.wrong("I1", f"{nonce} was acknowledged as {result['message']}, which is not kept")
                elif (row[1], row[2], row[3]) != (room, result["seq"], account) or row[4] not in (text, None):
                    self.wrong("I1", f"{nonce} was acknowledged as {result}, but {row} is kept")
            if len({result["message"] for result in results}) > 1:
                self.wrong("I6", f"{nonce} was acknowledged as several messages")
        kept = {
            **{row[0]: row[5] for row in self.posts.posts.values()},
            **{row[0]: row[7] for row in self.messages.values()},
        }
        for message in self.h.deleted:
            if kept[message] is None:
                self.wrong("I1", f"the deletion of {message} was acknowledged and is not kept")

    def once(self) -> None:
        """One text, one row: texts are unique in a run."""
        counted: dict[tuple[str, str], int] = defaultdict(int)
        for row in self.messages.values():
            if row[4] is not None:
                counted[row[3], row[4]] += 1
        for (account, text), count in counted.items():
            if count > 1:
                self.wrong("I6", f"{account} said {text[:20]!r} once, and it is kept {count} times")

    # I21

    def seqs(self) -> None:
        """Each channel's entries are 1 … seq."""
        counted: dict[str, int] = defaultdict(int)
        for channel, _ in self.log:
            counted[channel] += 1
        for channel, seq in self.disk.execute("select id, seq from channel").fetchall():
            if counted[channel] != seq or any((channel, n) not in self.log for n in range(1, seq + 1)):
                self.wrong("I21", f"{channel} stands at {seq} and has {counted[channel]} entries")

    # I4

    def _same(self, told: Told, seen: dict[tuple[str, int], Any]) -> None:
        frame = told.frame
        place = (frame["ch"], frame["seq"])
        what = (frame["ev"], orjson.dumps(frame["d"]))
        before = seen.setdefault(place, what)
        if before != what and frame["ev"] != "room.updated":
            self.wrong("I4", f"{place} was told as {before} and as {what}")
        entry = self.log.get(place)
        if entry is None or entry[0] != frame["ev"]:
            self.wrong("I4", f"{place} was told as {frame['ev']}, but {entry} is kept")
        elif frame["ev"] == "message.created" and frame["d"]["message"]["id"] != entry[1]:
            self.wrong("I4", f"{place} was told as another message than {entry[1]}")

    # I7, I14, I16

    def _stays(self) -> dict[tuple[str, str], list[Stay]]:
        stays: dict[tuple[str, str], list[Stay]] = defaultdict(list)
        for (channel, seq), (kind, ref, _, target) in self.log.items():
            if channel not in self.rooms or self.rooms[channel][3] is not None:
                continue
            if kind == "message.created" and self.messages[ref][5]:
                for account, low in self._entered(channel, seq, ref):
                    stays[account, channel].append(Stay(low))
            elif kind == "room.member_removed":
                stay = stays[target, channel][-1]
                stay.high = seq
                done = self.disk.committed[channel, seq]
                acks = [at for at in self.h.left[target, channel] if at >= done]
                stay.ended = min(acks, default=FOREVER)
        return stays

    def _entered(self, channel: str, seq: int, message: str) -> list[tuple[str, int]]:
        system = orjson.loads(self.messages[message][5])
        everything = self.rooms[channel][2] == "all" or seq <= 2
        if system["what"] == "created":
            return [(self.messages[message][3], 0)]
        if system["what"] in ("added", "joined"):
            return [(account, 0 if everything else seq - 1) for account in system["accounts"]]
        return []

    def _allowed(self, told: Told) -> None:
        frame = told.frame
        channel, seq = frame["ch"], frame["seq"]
        if channel.startswith("user:"):
            if channel != f"user:{told.account}":
                self.wrong("I7", f"{told.account} was told of {channel} {seq}")
            return
        if channel not in self.rooms:
            self.posts.allowed(told)
            self._audience(told, channel, seq)
            return
        if not self._inside(told, channel, seq):
            self.wrong("I7", f"{told.account} was told {channel} {seq} {frame['ev']} without being inside")
        ref = self._audience(told, channel, seq)
        if frame["ev"] == "message.created" and ref in self.messages:
            self._message(told, self.messages[ref])

    def _audience(self, told: Told, channel: str, seq: int) -> str:
        """Was the entry for them at all? What it refers to."""
        _, ref, audience, target = self.log.get((channel, seq), ("", "", "a", ""))
        if audience == "n" or (audience == "o" and target != told.account):
            self.wrong("I7", f"{told.account} was told {channel} {seq}, which is for {target or 'nobody'}")
        return ref

    def _inside(self, told: Told, channel: str, seq: int) -> bool:
        pair = self.rooms[channel][3]
        if pair is not None:
            return told.account in pair.split(":")
        return any(
            stay.low < seq < stay.high
            and told.asked <= stay.ended
            and told.left <= stay.ended + self.bound_s(stay.ended)
            for stay in self.stays[told.account, channel]
        )

    def _message(self, told: Told, row: tuple[Any, ...]) -> None:
        gone = self.h.deleted.get(row[0], FOREVER)
        if told.asked > gone:
            self.wrong("I14", f"{told.account} was told the words of {row[0]} after they were deleted")
        pair = self.rooms[told.frame["ch"]][3]
        if pair is None or row[3] == told.account:
            return
        said = self._said_at(row)
        done = self.disk.committed[told.frame["ch"], told.frame["seq"]]
        for start, end in self.h.blocks.get((told.account, row[3]), ()):
            if start < said and done < end:
                self.wrong("I16", f"{told.account} blocks {row[3]} and was told {row[0]}")

    def _said_at(self, row: tuple[Any, ...]) -> float:
        text = row[4] or ""
        return self.h.requests.get((row[3], text.split(" ", 1)[0]), -1.0)

    # I8

    def sessions(self) -> None:
        """Nobody hears or comes in by a session that ended."""
        for session, asked in self.h.arrivals:
            if asked > self.h.revoked.get(session, FOREVER):
                self.wrong("I8", f"{session} was let in after it was revoked")
        for told in self.h.told:
            ended = self.h.revoked.get(told.session, FOREVER)
            place = (told.frame["ch"], told.frame["seq"])
            if self.disk.committed.get(place, 0.0) > ended + self.bound_s(ended):
                self.wrong("I8", f"{told.session} was told {place} after it was revoked")
