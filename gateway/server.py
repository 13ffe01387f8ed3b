"""Runs one process: uvicorn on our listening socket, our signal handlers before its own, our protocol class in its hook.

SIGTERM and SIGINT drain first (paced `reconnect`, then 4501) and stop the HTTP server afterwards; a second signal
stops at once. A worker whose supervisor dies drains as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import logging
import os
import resource
import signal
import socket
from collections.abc import Callable, Generator
from dataclasses import dataclass

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
FILES_MAX = 1_048_576
# Connections are small graphs that live long: full collections over all of them would stall the loop.
GC_THRESHOLDS = (20_000, 50, 100)
HURRY_S = 2.0


@dataclass(frozen=True, slots=True)
class Owner:
    """Who runs the process: told when the port answers; `pipe` ends when a supervisor does."""

    on_started: Callable[[Node], None] = lambda node: None
    pipe: int | None = None


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling; the owner hears when the port answers."""

    def __init__(self, node: Node, owner: Owner) -> None:
        super().__init__(config_of(node))
        self._node = node
        self._owner = owner

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Signals are ours."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn, then tell."""
        await super().startup(sockets)
        self._owner.on_started(self._node)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn, which at a second signal leaves the application standing: it is taken down all the same."""
        await super().shutdown(sockets)
        if self.force_exit:
            try:
                async with asyncio.timeout(HURRY_S):
                    await self.lifespan.shutdown()
            except TimeoutError:
                log.error("stopped in the middle", node=self._node.name)
                logging.shutdown()
                # What was acknowledged is committed; whatever hangs now must not keep the process.
                os._exit(1)


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


def address_of(settings: Settings, listener: socket.socket) -> str:
    """Where a browser on this machine finds the listener."""
    port = listener.getsockname()[1]
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{port}"


def _take_all_files() -> None:
    """Each connection is an open file; the ordinary soft limit of 1,024 would be the first wall."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, FILES_MAX)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def run(settings: Settings, listener: socket.socket, owner: Owner | None = None) -> None:
    """Serve until a signal; returns after a clean shutdown. Raises `StorageUnavailable`, `MigrationError`."""
    _take_all_files()
    uvloop.run(_serve(settings, listener, owner or Owner()))


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


async def _serve(settings: Settings, listener: socket.socket, owner: Owner) -> None:
    node = await assemble(settings)
    server = _Server(node, owner)
    stopping: list[asyncio.Task[None]] = []

    async def drain() -> None:
        if owner.pipe is not None:
            # Other workers have the port too: whoever is sent away must not come back to this one.
            for each in server.servers:
                each.close()
        if server.started:
            await node.drain()
        server.should_exit = True

    def stop() -> None:
        if not stopping:
            stopping.append(asyncio.create_task(drain()))

    def signalled() -> None:
        if stopping:
            log.warning("stopping at once", node=node.name)
            server.force_exit = server.should_exit = True
        stop()

    _serve_metrics(node)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signalled)
    # A terminal that goes away ends a process like any other; of workers, the supervisor makes a roll of it.
    loop.add_signal_handler(signal.SIGHUP, stop if owner.pipe is None else lambda: None)
    if owner.pipe is not None:
        _watch(owner.pipe, stop)
    # What lives now lives as long as the process: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    await server.serve([listener])


def _serve_metrics(node: Node) -> None:
    """Metrics on their own port, if one is set; of several processes each takes the next. Raises `SettingsError`."""
    settings = node.settings
    if not settings.metrics_port:
        return
    ports = range(settings.metrics_port, settings.metrics_port + settings.processes)
    for port in ports:
        try:
            node.metrics.serve(settings.host, port)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                continue
            raise SettingsError(f"cannot serve metrics on port {port}: {error.strerror}") from None
        log.info("metrics", port=port)
        return
    raise SettingsError(f"TSUDOI_METRICS_PORT {settings.metrics_port} is taken")


def _watch(pipe: int, stop: Callable[[], None]) -> None:
    """Call `stop` once the other end of the pipe is closed, as it is when the process holding it dies."""
    loop = asyncio.get_running_loop()

    def ended() -> None:
        loop.remove_reader(pipe)
        log.warning("the supervisor is gone")
        stop()

    loop.add_reader(pipe, ended)
