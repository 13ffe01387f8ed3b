"""The floors of the house, proved (docs/architecture.md): what may import what, and how large things may be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import house
from tests.support.house import FLOORS, LAWS, Module

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / "loadtest" / "bench" / "peers"

Law = Callable[[Module], Iterator[str]]


def modules() -> Iterator[Module]:
    """Every module of the six packages; the servers of `loadtest/bench/peers` are programs of other environments."""
    for floor in FLOORS:
        for path in sorted((ROOT / floor).rglob("*.py")):
            if PEERS in path.parents:
                continue
            yield Module(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_house_keeps(law: Law) -> None:
    assert [fault for module in modules() for fault in law(module)] == []


def test_the_laws_look_at_every_floor() -> None:
    assert {module.floor for module in modules()} == set(FLOORS)
    assert set(house.MAY_USE) == set(house.MAY_NOT_USE) == set(FLOORS)


def faults(law: Law, path: str, source: str) -> list[str]:
    """What `law` says about a module that exists here only."""
    return list(law(Module(path, source)))


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("realtime/hub.py", "import asyncio"),
        ("realtime/hub.py", "import socket"),
        ("realtime/hub.py", "from redis.asyncio import Redis"),
        ("realtime/hub.py", "import uvicorn"),
        ("realtime/hub.py", "from storage import Database"),
        ("realtime/hub.py", "from tests.support import house"),
        ("realtime/hub.py", "import json, apsw"),
        ("storage/posts.py", "from channels.posts import send"),
        ("storage/posts.py", "import gateway.app as app"),
        ("storage/posts.py", "from starlette.requests import Request"),
        ("channels/rooms.py", "import presence"),
        ("channels/rooms.py", "def late():\n    from presence.state import who"),
        ("channels/rules/permissions.py", "from ...presence import state"),
        ("channels/rooms.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import gateway"),
        ("channels/rooms.py", "import psycopg"),
        ("presence/state.py", "from channels import rooms"),
        ("presence/state.py", "import socket"),
        ("presence/state.py", "import importlib\nimportlib.import_module('channels.rooms')"),
        ("gateway/app.py", "import redis.asyncio"),
        ("gateway/app.py", "import sqlite3"),
        ("gateway/postman.py", "from aiosmtplib import SMTP"),
        ("channels/letters.py", "import smtplib"),
        ("gateway/app.py", "import loadtest"),
        ("loadtest/client.py", "import gateway.auth"),
        ("loadtest/client.py", "from storage import Database"),
        ("loadtest/client.py", "from realtime.parcels import Parcel"),
        ("loadtest/client.py", "from realtime import parcels"),
    ],
)
def test_an_import_of_the_wrong_floor_is_caught(path: str, source: str) -> None:
    assert len(faults(house.floor_faults, path, source)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("realtime/hub.py", "import zlib\nfrom realtime.parcels import Parcel\nfrom . import settings"),
        (
            "storage/posts.py",
            "import apsw, psycopg, redis.asyncio, aiosmtplib, asyncio\nfrom realtime import parcels",
        ),
        (
            "channels/rules/permissions.py",
            "from ..rooms import Room\nfrom storage import rooms\nimport asyncio",
        ),
        ("presence/state.py", "from storage import leases\nimport channels_of_another_name"),
        ("gateway/app.py", "import channels, presence, storage, realtime, starlette, websockets, socket"),
        ("loadtest/client.py", "from realtime.operations import TABLE\nimport websockets, asyncio"),
    ],
)
def test_an_import_of_a_lower_floor_is_free(path: str, source: str) -> None:
    assert faults(house.floor_faults, path, source) == []


@pytest.mark.parametrize(
    "source",
    [
        "async def f(): pass",
        "async def f():\n    await g()",
        "async def f():\n    async with g: pass",
        "async def f():\n    async for _ in g: pass",
        "async def f():\n    return [x async for x in g]",
    ],
)
def test_waiting_on_the_ground_is_caught(source: str) -> None:
    assert faults(house.waiting_faults, "realtime/hub.py", source)
    assert faults(house.waiting_faults, "gateway/app.py", source) == []


@pytest.mark.parametrize(
    "text",
    [
        '"SELECT 1"',
        '"""\n    SELECT id\n    FROM rooms"""',
        'f"SELECT {columns} FROM rooms"',
        'f"UPDATE {table} SET title = 1"',
        '"INSERT INTO rooms VALUES (1)"',
        '"UPDATE rooms SET title = 1"',
        '"DELETE FROM rooms"',
        '"CREATE TABLE rooms (id int)"',
        '"CREATE UNIQUE INDEX i ON rooms (id)"',
    ],
)
def test_sql_above_storage_is_caught(text: str) -> None:
    source = f"def f(columns):\n    return {text}"
    assert len(faults(house.sql_faults, "channels/rooms.py", source)) == 1
    assert len(faults(house.sql_faults, "gateway/app.py", source)) == 1
    assert faults(house.sql_faults, "storage/rooms.py", source) == []


@pytest.mark.parametrize(
    "text", ["DELETE /rooms/{room}", "Select a room", "DELETE", "UPDATE your client", "CREATED"]
)
def test_words_are_not_sql(text: str) -> None:
    assert faults(house.sql_faults, "gateway/app.py", f"x = {text!r}") == []


def test_sizes_are_measured() -> None:
    def size(source: str) -> list[str]:
        return faults(house.size_faults, "gateway/app.py", source)

    assert size("x = 1\n" * 400) == []
    assert len(size("x = 1\n" * 401)) == 1
    assert size("def f():\n" + "    x = 1\n" * 59) == []
    assert len(size("async def f():\n" + "    x = 1\n" * 60)) == 1
    assert size("class C:\n    def f(self, a, b, c, *, d, e): pass") == []
    assert len(size("class C:\n    def f(self, a, b, c, d, *, e, f): pass")) == 1
    assert len(size("def f(a, b, c, d, e, f): pass")) == 1


def test_a_module_without_docstring_is_caught() -> None:
    assert faults(house.docstring_faults, "gateway/app.py", "x = 1")
    assert faults(house.docstring_faults, "gateway/app.py", "")
    assert faults(house.docstring_faults, "gateway/app.py", '"""The doors."""\nx = 1') == []


@pytest.mark.parametrize(
    "source",
    [
        "listeners = {1: 2}",
        "listeners: dict[str, int] = {}",
        "LISTENERS = {}",
        "LISTENERS: list[int] = []",
        "_SEEN = set()",
        "_QUEUE = collections.deque(maxlen=5)",
        "queue = collections.deque([1])",
        "BY_ROOM = defaultdict(list)",
        "COUNT = 0\ndef f():\n    global COUNT\n    COUNT = 1",
    ],
)
def test_state_at_module_level_is_caught(source: str) -> None:
    assert len(faults(house.state_faults, "gateway/app.py", source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "CODES = {4501: 'drain'}",
        "__all__ = ['app']",
        "ORDER: list[str] = ['a', 'b']",
        "SEEN = frozenset()",
        "log = get_logger()",
        "class C:\n    seen: set[int] = set()",
    ],
)
def test_tables_are_not_state(source: str) -> None:
    assert faults(house.state_faults, "gateway/app.py", source) == []
