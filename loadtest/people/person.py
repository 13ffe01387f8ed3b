"""One simulated person: a whole client, a ledger on its wire, and the habits of somebody with friends and a phone.

Made by `loadtest.people.run`. What always holds: what they say is said surely (kept over lost connections until it is
acknowledged), and what they are told to reload they read by page, as a page does.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from dataclasses import dataclass, field
from typing import Any

from loadtest.client import Client, Options, ServerRefusal
from loadtest.people.board import due_of, stamped
from loadtest.people.ledger import BODIES, Ledger
from loadtest.people.meters import Meters
from loadtest.terms import Told

PAGE = 50
SAYING = {
    "room": ("room.send", "message"),
    "community": ("post.create", "post"),
    "author": ("post.create", "post"),
}
READING = {"room": "message.list", "community": "timeline.list"}


@dataclass(frozen=True, slots=True)
class Means:
    """Where to, and where what happens is counted."""

    url: str
    meters: Meters
    delays: list[float]
    """What everybody measured and nobody has counted yet, in seconds."""
    spread: bool
    """Come from an address of one's own in 127.0.0.0/8."""
    run: str = field(default_factory=lambda: secrets.token_hex(4))
    """Begins the nonces: a server remembers those of the same people's last evening."""

    def address(self, number: int) -> str | None:
        """Twenty people share an address, as those in a house do."""
        house = number // 20
        return f"127.{1 + house // 62_500}.{house // 250 % 250}.{1 + house % 250}" if self.spread else None


@dataclass(slots=True)
class Person:
    """See the module. `places` are the channels they talk in."""

    number: int
    token: str
    places: list[str]
    means: Means
    ledger: Ledger = field(init=False)
    client: Client = field(init=False)
    reachable: bool = True
    awake: bool = False
    newest: str = ""
    """The id of the last line of theirs that was acknowledged."""
    cheered: int = 0
    """How many taps they were told of, in so many frames."""
    cheer_frames: int = 0
    aside: list[float] | None = None
    """Where the delays this person measures are kept besides, if anywhere."""
    _said: int = 0
    _since: float = 0.0
    _live: bool = False
    _opening: set[asyncio.Future[Any]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.ledger = Ledger(f"person {self.number}")
        options = Options(
            stay=True,
            told=self._told,
            tap=self.ledger.tap,
            reachable=lambda: self.reachable,
            local_address=self.means.address(self.number),
            name="person",
        )
        self.client = Client(self.means.url, self.token, options=options)

    async def come(self) -> None:
        """Connect."""
        await self.client.open()
        self.awake = True
        self.means.meters.counts["connects"] += 1

    async def leave(self) -> None:
        """Say goodbye."""
        self.awake = False
        await self.client.close()

    async def say(self, place: str, words: str, due: float, reply_to: str | None = None) -> None:
        """A line in a room or community, or a post to whom it may concern (`author:`), due at a time of the run's clock.
        Never raises: what is refused is counted."""
        self._said += 1
        kind, _, name = place.partition(":")
        operation, answer = SAYING[kind]
        nonce = f"{self.means.run} {self.number}.{self._said}"
        where = {} if kind == "author" else {kind: name}
        fields = {**where, "text": stamped(words, due), "nonce": nonce, "reply_to": reply_to}
        meters = self.means.meters
        try:
            sent = await self.client.send(operation, **fields)
        except ServerRefusal as refusal:
            meters.counts[f"refused {refusal.code}"] += 1
            return
        except ConnectionError:
            meters.counts["given up"] += 1
            return
        self.ledger.acked[sent[answer]] = sent["seq"]
        self.newest = sent[answer]
        meters.counts["lines"] += 1
        meters.acknowledgement.add((meters.now - due,))

    async def read(self, place: str) -> None:
        """Open a place: its newest lines, and in a room the read position moved."""
        kind, _, name = place.partition(":")
        page = await self._try(READING[kind], **{kind: name}, limit=PAGE)
        if page is not None and kind == "room":
            await self._try("room.read", room=name, seq=page["seq"])

    async def look(self) -> None:
        """The list of rooms."""
        await self._try("room.list")

    async def browse(self) -> None:
        """The newest of whom they follow."""
        await self._try("timeline.list", which="follow", limit=PAGE)

    async def tap(self, place: str, effect: str) -> None:
        """A tap on an effect, for all who are there."""
        self.means.meters.counts["taps"] += 1
        await self._try("channel.cheer", ch=place, effect=effect)

    async def like(self, post: str) -> None:
        """A like, which only the author is told of."""
        await self._try("reaction.add", post=post, kind="like")

    async def turn_away(self, account: str, seconds: float) -> None:
        """Follow somebody no more, and again after a while."""
        await self._try("follow.remove", account=account)
        await asyncio.sleep(seconds)
        await self._try("follow.add", account=account)

    async def _try(self, operation: str, **fields: Any) -> Any:
        counts = self.means.meters.counts
        with contextlib.suppress(ConnectionError, TimeoutError):
            try:
                found = await self.client.call(operation, **fields)
                counts["reads"] += 1
            except ServerRefusal as refusal:
                counts[f"refused {refusal.code}"] += 1
            else:
                return found
        return None

    # Being away

    def board_train(self) -> None:
        """The link is cut, and there is no network."""
        self.reachable = False
        self.awake = False
        self.client.cut()

    def leave_train(self) -> None:
        """There is a network again."""
        self.reachable = True
        self._is_back()
        self.client.online()

    def pocket(self) -> None:
        """The phone sleeps."""
        self.awake = False
        self.client.sleep()

    def unpocket(self) -> None:
        """The phone is looked at."""
        self._is_back()
        self.client.wake()

    # Inside

    def _is_back(self) -> None:
        self.awake = True
        self._since = self.means.meters.now

    def _told(self, item: Told) -> None:
        meters = self.means.meters
        match item:
            case ("event", frame):
                self._hear(frame)
            case ("busy", channel, seq):
                # Everybody here came to look: what pauses for others is opened.
                wish = self._try("channel.sync", positions={channel: seq}, epoch=self.client.epoch)
                self._opening.add(task := asyncio.ensure_future(wish))
                task.add_done_callback(self._opening.discard)
            case ("state", "live", _):
                # Whoever was asked to move is live twice in a row.
                meters.gauges["live"] = meters.gauges.get("live", 0) + (not self._live)
                self._live = True
            case ("state", "waiting" | "stopped" | "refused" as state, why):
                if self._live:
                    meters.gauges["live"] -= 1
                    meters.counts["links lost"] += state == "waiting"
                self._live = False
                if why:
                    meters.counts[f"lost: {why}"] += 1

    def _hear(self, frame: dict[str, Any]) -> None:
        body = BODIES.get(frame["ev"])
        if frame["ev"] == "channel.cheered":
            self.cheered += sum(frame["d"]["counts"].values())
            self.cheer_frames += 1
        if body is None:
            return
        meters = self.means.meters
        meters.counts["deliveries"] += 1
        due = due_of((frame["d"][body].get("text") or "").encode())
        # What was said while they were away says nothing about the server.
        if due is not None and self.awake and due >= self._since:
            self.means.delays.append(meters.now - due)
            if self.aside is not None:
                self.aside.append(meters.now - due)
