"""The contract of the leases: which nodes live, and who is connected to them.

Called by the presence floor. Two adapters live behind it: `leases_memory` for one process, `leases_redis`
for many. What always holds: one clock judges every lease (the adapter's, never a node's own); a generation is
given once and rises, so that whatever an older one still writes is refused; people are kept with their node's
lease and vanish with it, in the same moment, for everybody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol


class Announced(NamedTuple):
    """All that a living node has said: its generation, the number of its last announcement, account → what it says."""

    generation: int
    number: int
    people: dict[str, bytes]


class LeasesUnavailable(Exception):  # a state of the world, not a mistake
    """The leases cannot be reached now. Nothing is known about the call's effect; all calls may be repeated."""


@dataclass(frozen=True, slots=True)
class NodeLease:
    """A living lease, the milliseconds it has left by the adapter's clock, and the number of its last announcement."""

    node: str
    generation: int
    remaining_ms: int
    number: int = 0


class Leases(Protocol):
    """Every method raises `LeasesUnavailable`, within the deadline, and nothing else."""

    async def register(self, node: str) -> int:
        """Take the node's lease, from whoever held it, with an empty table. Returns the new generation,
        higher than any given before to any node."""
        ...

    async def renew(self, node: str, generation: int) -> bool:
        """Prolong the lease to its full length. False if it lapsed or a newer generation holds it: register
        again and announce everyone anew."""
        ...

    async def release(self, node: str, generation: int) -> None:
        """Give the lease and its people up at once. Without effect for a dead generation."""
        ...

    async def nodes(self) -> list[NodeLease]:
        """The living leases, by node."""
        ...

    async def announce(
        self, node: str, generation: int, number: int, changes: Mapping[str, bytes | None]
    ) -> bool:
        """Change the node's part of the online table, all or nothing; None takes an account off. `number` (1, 2, …)
        says which announcement of this generation it is, and is used once: one that was not answered may have been heard,
        or be heard later, so what is said again is another one. False, with nothing changed, if the generation is not
        the living one or a number as high was heard. Does not prolong the lease."""
        ...

    async def people_of(self, node: str) -> Announced | None:
        """A living node's part of the online table, None if its lease is over."""
        ...

    async def close(self) -> None:
        """Let go of connections; leases live on until they lapse."""
        ...
