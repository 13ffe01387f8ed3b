"""Nodes inside the test's own loop: the real assembly on a real port, with its insides in reach.

Processes (kill -9, signals, several cores) are `tests.support.server`'s business.
"""

from __future__ import annotations

import asyncio
import dataclasses
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from channels import accounts
from channels.accounts import NewAccount
from gateway.app import assemble
from gateway.node import Node
from gateway.server import bind, config_of
from loadtest.client import Client
from realtime.settings import Limits, Settings

CLOSING_LOOKS = 50
"""Connections have a tenth of a second to close, as uvicorn gives them."""


class QuietServer(uvicorn.Server):
    """uvicorn that leaves signals to the test, and does not let it wait: a thousand tests stop a node."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._told = asyncio.Event()

    def stop(self) -> None:
        """End now."""
        self.should_exit = True
        self._told.set()

    def capture_signals(self) -> Any:
        """No handlers."""
        return nullcontext()

    async def main_loop(self) -> None:
        """As uvicorn, which looks each tenth of a second whether it is to end."""
        await self.on_tick(0)
        await self._told.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn, which waits for a tenth of a second even where nobody is connected any more."""
        for each in [*self.servers, *(sockets or ())]:
            each.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        for _ in range(CLOSING_LOOKS):
            if not self.server_state.connections:
                break
            await asyncio.sleep(0.002)
        async with asyncio.timeout(self.config.timeout_graceful_shutdown):
            await self._wait_tasks_to_complete()
        await self.lifespan.shutdown()


@dataclass(slots=True)
class RunningNode:
    """A node that answers at `url` (http) and `ws_url`."""

    node: Node
    port: int
    server: QuietServer

    @property
    def url(self) -> str:
        """Address of the HTTP door."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        """Address of the socket."""
        return f"ws://127.0.0.1:{self.port}/gateway"

    async def account(self, handle: str) -> NewAccount:
        """A new account with a token."""
        return await self.node.desk.db.write(lambda tx: accounts.create_account(tx, handle, handle, "test"))

    async def friends(self, *handles: str) -> list[NewAccount]:
        """New accounts that all follow each other."""
        found = [await self.account(handle) for handle in handles]
        for a in handles:
            for b in handles:
                if a != b:
                    await self.node.desk.db.write(lambda tx, a=a, b=b: accounts.follow(tx, a, b))  # type: ignore[misc]  # bound now
        return found

    def client(self, account: NewAccount) -> Client:
        """A client of this account, not connected yet."""
        return Client(self.ws_url, account.token)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[RunningNode]:
    """A node on a free port for the length of a `with`."""
    node = await assemble(settings)
    listener = bind(dataclasses.replace(settings, port=0, port_first=20_000))
    server = QuietServer(config_of(node))
    task = asyncio.create_task(server.serve([listener]))
    while not server.started:
        await asyncio.sleep(0.005)
        if task.done():
            task.result()
    try:
        yield RunningNode(node, listener.getsockname()[1], server)
    finally:
        server.stop()
        await task


Start = Callable[..., Awaitable[RunningNode]]


@pytest.fixture
async def start_node(tmp_path: Path) -> AsyncIterator[Start]:
    """Starts nodes that are stopped at the end of the test: `await start_node(limits=…, **settings)`."""
    stack: list[Any] = []

    async def start(limits: Limits | None = None, **fields: Any) -> RunningNode:
        settings = Settings(**{"data": tmp_path, "limits": limits or Limits(), **fields})
        context = running(settings)
        node = await context.__aenter__()
        stack.append(context)
        return node

    yield start
    for context in reversed(stack):
        await context.__aexit__(None, None, None)
