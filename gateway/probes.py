"""Probes: `/healthz` (the process lives) and `/readyz` (it should get connections), as WIRE §4 has them.

503 when starting, draining, without the database, or while this node's reader stays dead though a fresh connection
to Redis works. A dead Redis is 200 with `degraded`: everything said here is still kept and delivered here.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from realtime.events import encode
from storage.courier import CourierState
from storage.database import StorageUnavailable

if TYPE_CHECKING:
    from gateway.node import Node

DATABASE_S = 1.0
SAME_ANSWER_S = 0.5


async def healthz(request: Request) -> Response:
    """The process answers."""
    return Response(b"ok\n", media_type="text/plain")


async def readyz(request: Request) -> Response:
    """Should this node get connections, and what is wrong if not."""
    node: Node = request.state.node
    report = await node.readiness.look()
    status = 503 if report["status"] == "unready" else 200
    return Response(encode(report), status, {"cache-control": "no-store"}, "application/json")


class Readiness:
    """Looks at database and courier, at most twice a second however often it is asked; what the node knows by
    itself is told at once."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._found: tuple[list[str], list[str]] = ([], [])
        self._until = 0.0
        self._lock = asyncio.Lock()

    async def look(self) -> dict[str, Any]:
        """`status` is ready, degraded or unready; `reasons` say why in words."""
        node = self._node
        async with self._lock:
            if node.now() >= self._until:
                self._found = await self._look()
                self._until = node.now() + SAME_ANSWER_S
        fatal, minor = self._found
        if not node.delivery.own_ok:
            fatal = ["nothing reaches the connections of this node", *fatal]
        if node.upkeep.replaced:
            fatal = ["the data was replaced under this process: restart it", *fatal]
        if node.draining:
            fatal = ["draining", *fatal]
        elif not node.ready:
            fatal = ["starting", *fatal]
        return {
            "status": "unready" if fatal else "degraded" if minor else "ready",
            "reasons": fatal + minor,
            "node": node.name,
            "connections": len(node.sockets),
        }

    async def _look(self) -> tuple[list[str], list[str]]:
        """What is fatal and what is not, among the things outside."""
        node = self._node
        fatal: list[str] = []
        if not await self._database_answers():
            fatal.append("the database does not answer")
        minor: list[str] = []
        if not node.courier.healthy or not node.delivery.courier_ok:
            health = await node.courier.check()
            deaf = health.state is CourierState.OK and not node.delivery.courier_ok
            if deaf or health.state is CourierState.READER_DEAD:
                fatal.append("Redis answers, but this node hears nothing from it")
            elif health.state is not CourierState.OK:
                minor.append(f"the courier is {health.state.value}: {health.error}".rstrip(": "))
        return fatal, minor

    async def _database_answers(self) -> bool:
        try:
            async with asyncio.timeout(DATABASE_S):
                await self._node.desk.db.read(lambda tx: tx.now_ms())
        except (TimeoutError, StorageUnavailable):
            return False
        return True
