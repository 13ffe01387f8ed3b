"""The leases in Redis or Valkey: one authority for all nodes of a cluster.

What always holds: a call is one server-side function, ends within `timeout_s`, and is never repeated here,
so the caller knows when it has been heard; every trouble comes out as `LeasesUnavailable`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from realtime.settings import Settings
from storage.leases import Announced, LeasesUnavailable, NodeLease
from storage.leases_scripts import ANNOUNCE, NODES, PEOPLE_OF, REGISTER, RELEASE, RENEW
from storage.redis_link import TROUBLE, Script, command_client, run_script


@dataclass(frozen=True, slots=True)
class LeasesConfig:
    """Where the leases are and how long one lasts."""

    redis_url: str
    prefix: str = "tsudoi"
    ttl_s: float = 15.0
    timeout_s: float = 1.0

    @classmethod
    def of(cls, settings: Settings) -> LeasesConfig:
        """The configuration that the process settings imply."""
        return cls(settings.redis_url, settings.redis_prefix, settings.lease_ttl_s, settings.redis_timeout_s)


class RedisLeases:
    """`Leases` in one hash slot of a server."""

    def __init__(self, config: LeasesConfig) -> None:
        self._timeout_s = config.timeout_s
        self._ttl_ms = max(1, round(config.ttl_s * 1000))
        self._client = command_client(config.redis_url, config.timeout_s)
        base = f"{config.prefix}:{{leases}}:"
        self._generation = base + "generation"
        self._nodes = base + "nodes"
        self._lease = base + "node:"
        self._people = base + "people:"

    async def register(self, node: str) -> int:
        """As `Leases.register`."""
        keys = (self._generation, self._nodes, self._lease + node, self._people + node)
        return int(await self._run(REGISTER, keys, (node, self._ttl_ms)))

    async def renew(self, node: str, generation: int) -> bool:
        """As `Leases.renew`."""
        keys = (self._lease + node, self._people + node)
        return bool(await self._run(RENEW, keys, (generation, self._ttl_ms)))

    async def release(self, node: str, generation: int) -> None:
        """As `Leases.release`."""
        keys = (self._lease + node, self._people + node, self._nodes)
        await self._run(RELEASE, keys, (generation, node))

    async def nodes(self) -> list[NodeLease]:
        """As `Leases.nodes`."""
        rows = await self._run(NODES, (self._nodes,), (self._lease, self._people))
        return sorted(
            (
                NodeLease(node.decode(), int(generation), int(left), int(number))
                for node, generation, left, number in rows
            ),
            key=lambda lease: lease.node,
        )

    async def announce(
        self, node: str, generation: int, number: int, changes: Mapping[str, bytes | None]
    ) -> bool:
        """As `Leases.announce`."""
        args: list[Any] = [generation, number, sum(value is not None for value in changes.values())]
        for account, value in changes.items():
            if value is not None:
                args += (account, value)
        args += (account for account, value in changes.items() if value is None)
        return bool(await self._run(ANNOUNCE, (self._lease + node, self._people + node), args))

    async def people_of(self, node: str) -> Announced | None:
        """As `Leases.people_of`."""
        found = await self._run(PEOPLE_OF, (self._lease + node, self._people + node), ())
        if not found:
            return None
        generation, flat = found
        held = {key.decode(): value for key, value in zip(flat[::2], flat[1::2], strict=True)}
        return Announced(int(generation), int(held.pop("", 0)), held)

    async def close(self) -> None:
        """As `Leases.close`."""
        await self._client.aclose()

    async def _run(self, script: Script, keys: Sequence[str], args: Sequence[Any]) -> Any:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await run_script(self._client, script, keys, args)
        except TROUBLE as trouble:
            raise LeasesUnavailable(str(trouble) or type(trouble).__name__) from trouble
