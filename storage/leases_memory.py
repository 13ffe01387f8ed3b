"""The leases inside one process: the embedded profile's, and the authority of simulated clusters.

One `MemoryLeases` is shared by all nodes of the process. What always holds: a lease is judged at the moment
of the call by the one clock given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from storage.leases import Announced, NodeLease


@dataclass(slots=True)
class _Held:
    generation: int
    lapses_s: float
    number: int = 0
    people: dict[str, bytes] = field(default_factory=dict)


class MemoryLeases:
    """`Leases` in a dictionary. `clock` gives monotonic seconds."""

    def __init__(self, ttl_s: float, clock: Callable[[], float]) -> None:
        self._ttl_s = ttl_s
        self._clock = clock
        self._generation = 0
        self._held: dict[str, _Held] = {}

    async def register(self, node: str) -> int:
        """As `Leases.register`."""
        self._generation += 1
        self._held[node] = _Held(self._generation, self._clock() + self._ttl_s)
        return self._generation

    async def renew(self, node: str, generation: int) -> bool:
        """As `Leases.renew`."""
        held = self._living().get(node)
        if held is None or held.generation != generation:
            return False
        held.lapses_s = self._clock() + self._ttl_s
        return True

    async def release(self, node: str, generation: int) -> None:
        """As `Leases.release`."""
        held = self._living().get(node)
        if held is not None and held.generation == generation:
            del self._held[node]

    async def nodes(self) -> list[NodeLease]:
        """As `Leases.nodes`."""
        now = self._clock()
        return [
            NodeLease(node, held.generation, round((held.lapses_s - now) * 1000), held.number)
            for node, held in sorted(self._living().items())
        ]

    async def announce(
        self, node: str, generation: int, number: int, changes: Mapping[str, bytes | None]
    ) -> bool:
        """As `Leases.announce`."""
        held = self._living().get(node)
        if held is None or held.generation != generation or number <= held.number:
            return False
        held.number = number
        for account, value in changes.items():
            if value is None:
                held.people.pop(account, None)
            else:
                held.people[account] = value
        return True

    async def people_of(self, node: str) -> Announced | None:
        """As `Leases.people_of`."""
        held = self._living().get(node)
        return Announced(held.generation, held.number, dict(held.people)) if held is not None else None

    def empty(self) -> None:
        """All is lost, as when a server comes back without its data: generations go on rising."""
        self._held.clear()

    async def close(self) -> None:
        """Nothing to let go of."""

    def _living(self) -> dict[str, _Held]:
        now = self._clock()
        self._held = {node: held for node, held in self._held.items() if held.lapses_s > now}
        return self._held
