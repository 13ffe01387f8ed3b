"""What people share in a run: posts to whom follows them and to communities, answers, and who follows whom.

The counterpart of `tests.simulation.script` for timelines. Texts begin with their nonce, as everywhere in a run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from realtime.ids import author_channel, community_channel
from tests.simulation.devices import Device
from tests.simulation.history import History
from tests.simulation.world import World

RECENT = 8
"""What people answer and take back is among the newest."""


class Posting:
    """`places` are communities. `nonce()` makes a new one."""

    def __init__(
        self,
        world: World,
        history: History,
        people: tuple[list[str], list[str]],
        nonce: Callable[[], str],
    ) -> None:
        self.world = world
        self.history = history
        self.accounts, self.places = people
        self._nonce = nonce

    def acts(self) -> tuple[tuple[Callable[[Device], None], int], ...]:
        """What there is to do, and how likely each is."""
        return (
            (self.share, 9),
            (self.post, 9),
            (self.answer, 3),
            (self.take_back, 4),
            (self.unfollow, 4),
            (self.follow, 5),
            (self.join, 4),
            (self.part, 3),
        )

    def _say(self, device: Device, **fields: Any) -> None:
        nonce = self._nonce()
        d = {"nonce": nonce, "text": f"{nonce} あああ", **fields}
        device.send("post.create", d, lambda result: self.history.posted(device.account, d, result))

    def share(self, device: Device) -> None:
        """With whoever follows."""
        self._say(device)

    def post(self, device: Device) -> None:
        """To a community; whoever is outside is refused."""
        self._say(device, community=self.world.random.choice(self.places))

    def answer(self, device: Device) -> None:
        """A post of anybody's."""
        posts = [results[0]["post"] for results in self.history.posts.values()]
        if posts:
            self._say(device, reply_to=self.world.random.choice(posts[-RECENT:]))

    def take_back(self, device: Device) -> None:
        """One of one's own posts."""
        mine = [
            results[0]["post"]
            for (account, _), results in self.history.posts.items()
            if account == device.account and results[0]["post"] not in self.history.deleted
        ]
        if mine:
            post = self.world.random.choice(mine[-RECENT:])
            device.call("post.delete", {"post": post}, lambda done: self._deleted(post, done))

    def _deleted(self, post: str, done: Any) -> None:
        if done is not None:
            self.history.deleted.setdefault(post, self.world.now())

    def _other(self, device: Device) -> str:
        return self.world.random.choice([each for each in self.accounts if each != device.account])

    def follow(self, device: Device) -> None:
        """Somebody, perhaps again."""
        device.call("follow.add", {"account": self._other(device)})

    def unfollow(self, device: Device) -> None:
        """Somebody."""
        other = self._other(device)
        told = self._leaving(device.account, author_channel(other))
        device.call("follow.remove", {"account": other}, told)

    def join(self, device: Device) -> None:
        """A community, perhaps again."""
        device.call("community.join", {"community": self.world.random.choice(self.places)})

    def part(self, device: Device) -> None:
        """From a community."""
        place = self.world.random.choice(self.places)
        told = self._leaving(device.account, community_channel(place))
        device.call("community.leave", {"community": place}, told)

    def _leaving(self, account: str, channel: str) -> Callable[[Any], None]:
        def told(done: Any) -> None:
            if done is not None:
                self.history.left[account, channel].append(self.world.now())

        return told
