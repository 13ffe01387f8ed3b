"""Fixtures for every floor. The servers of `tests/support` are real processes, one of each per test worker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import uvloop

pytest_plugins = [
    "tests.support.postgres",
    "tests.support.valkey",
    "tests.support.world",
    "tests.support.nodes",
    "tests.support.smtp",
]


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Tests run on the loop that the server runs on."""
    return {"uvloop": uvloop.new_event_loop}
