"""Nodes for the courier's tests: a courier with what it heard, and clusters of them on either adapter."""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections.abc import Sequence
from typing import Any

from realtime.parcels import Audience, Parcel
from storage.courier import Courier, CourierConfig
from storage.courier_memory import MemoryBus, MemoryCourier
from storage.courier_redis import RedisCourier
from tests.support.waiting import until, until_async


def entry(channel: str, seq: int, origin: str = "a", frame: bytes = b"{}") -> Parcel:
    """A parcel; durable with seq > 0."""
    return Parcel(
        channel, seq, "message.posted", Audience.ALL, "author", "", 1_700_000_000_000, origin, frame
    )


@dataclasses.dataclass
class Node:
    """A started courier and its ears."""

    courier: Courier
    heard: list[Parcel] = dataclasses.field(default_factory=list)
    suspects: int = 0

    def deliver(self, parcels: Sequence[Parcel]) -> None:
        self.heard.extend(parcels)

    def suspect(self) -> None:
        self.suspects += 1

    def seqs(self, channel: str) -> list[int]:
        return [parcel.seq for parcel in self.heard if parcel.channel == channel]

    async def hears(self, channel: str, seq: int) -> None:
        """Wait until the newest heard of a channel is `seq`."""
        await until(lambda: self.seqs(channel)[-1:] == [seq], f"{channel} heard up to {seq}")

    async def logged(self, channel: str) -> list[int]:
        """What the hot log, read from here, holds of a channel."""
        return [parcel.seq for parcel in await self.courier.recent() if parcel.channel == channel]

    async def ends_at(self, channel: str, seq: int) -> None:
        """Wait until the hot log, read from here, ends a channel at `seq`."""

        async def ended() -> bool:
            return (await self.logged(channel))[-1:] == [seq]

        await until_async(ended, f"{channel} logged up to {seq}")


class Cluster:
    """Opens nodes on one shared bus or server, and closes them all."""

    def __init__(self, url: str = "", prefix: str = "test", beat_s: float = 1.0) -> None:
        self._url = url
        self._prefix = prefix
        self._beat_s = beat_s
        self._bus = MemoryBus(log_entries_max=200)
        self._opened: list[Node] = []

    async def open(self, origin: str, kind: type[Node] = Node, **config: Any) -> Node:
        """A started node of a kind; `config` are fields of `CourierConfig`."""
        base = CourierConfig(
            origin, self._url, self._prefix, partitions=4, beat_s=self._beat_s, log_entries_max=200
        )
        config_ = dataclasses.replace(base, **config)
        courier: Courier = (
            RedisCourier(config_, random.Random()) if self._url else MemoryCourier(config_, self._bus)
        )
        node = kind(courier)
        self._opened.append(node)
        await node.courier.start(node.deliver, node.suspect)
        return node

    async def close(self) -> None:
        await asyncio.gather(*(node.courier.close() for node in self._opened))
