"""Nodes inside the test's own loop: the real assembly on a real port, with its insides in reach.

Processes (kill -9, signals, several cores) are `tests.support.server`'s business.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
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


class QuietServer(uvicorn.Server):
    """uvicorn that leaves signals to the test."""

    def capture_signals(self) -> Any:
        """No handlers."""
        from contextlib import nullcontext

        return nullcontext()


@dataclass(slots=True)
class RunningNode:
    """A node that answers at `url` (http) and `ws_url`."""

    node: Node
    port: int
    server: uvicorn.Server

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
        server.should_exit = True
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
