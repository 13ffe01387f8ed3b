"""Runs one process: uvicorn on our listening socket, our signal handlers before its own, our protocol class in its hook.

SIGTERM and SIGINT drain first (paced `reconnect`, then 4501) and stop the HTTP server afterwards; a second signal
stops at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import signal
import socket
from collections.abc import Callable, Generator

import structlog
import uvicorn
import uvloop

from gateway.app import assemble, build
from gateway.door import DoorProtocol
from gateway.node import Node
from gateway.socket import SocketProtocol
from realtime.settings import Settings, SettingsError

log = structlog.get_logger("server")
BACKLOG = 4_096
PORTS_TRIED = 100
GRACE_S = 5


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling; `on_started` is called when the port answers."""

    on_started: Callable[[], None] | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Signals are ours."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn, then tell."""
        await super().startup(sockets)
        if self.on_started is not None:
            self.on_started()


def bind(settings: Settings, *, shared: bool = False) -> socket.socket:
    """A listening socket; a `shared` one is only bound, so that several processes may listen on it.
    Port 0 searches from `port_first`. Raises `SettingsError` if the port is taken."""
    first = settings.port or settings.port_first
    for port in range(first, first + (1 if settings.port else PORTS_TRIED)):
        found = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            found.bind((settings.host, port))
            if not shared:
                # Taken for good only now: a port that is merely bound can be bound by others too.
                found.listen(BACKLOG)
        except OSError as error:
            found.close()
            if error.errno != errno.EADDRINUSE:
                raise SettingsError(f"cannot listen on {settings.host}:{port}: {error.strerror}") from None
            continue
        return found
    raise SettingsError(f"port {first} of {settings.host} is taken; set PORT to a free one")


def run(
    settings: Settings, listener: socket.socket, on_started: Callable[[Node], None] | None = None
) -> None:
    """Serve until a signal; returns after a clean shutdown. Raises `StorageUnavailable`, `MigrationError`."""
    uvloop.run(_serve(settings, listener, on_started))


def config_of(node: Node) -> uvicorn.Config:
    """How uvicorn serves a node: our protocol classes in its hooks, none of its own opinions."""
    trusted = ",".join(node.settings.trusted_proxies)
    return uvicorn.Config(
        build(node),
        ws=SocketProtocol,
        http=DoorProtocol,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(trusted),
        forwarded_allow_ips=trusted or None,
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=30,
        backlog=BACKLOG,
    )


async def _serve(
    settings: Settings, listener: socket.socket, on_started: Callable[[Node], None] | None
) -> None:
    node = await assemble(settings)
    server = _Server(config_of(node))
    server.on_started = (lambda: on_started(node)) if on_started else None
    stopping: list[asyncio.Task[None]] = []

    async def drain() -> None:
        if server.started:
            await node.drain()
        server.should_exit = True

    def stop() -> None:
        if stopping:
            server.force_exit = server.should_exit = True
        else:
            stopping.append(asyncio.create_task(drain()))

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    # What lives now lives as long as the process: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    await server.serve([listener])
