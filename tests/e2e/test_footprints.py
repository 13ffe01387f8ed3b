"""No footprints: after an evening of looking nothing stored, logged or measured pairs a viewer with the viewed (FEATURES §3,
FAULTS I25).

What is searched is everything: each row of each table, each line of each log, each line of the metrics, each key of Redis. A
trace is a piece that names the viewer (by account, handle, session or token) and what was viewed (the account, its posts, its
community, its invites). That the search can find one is shown by letting the viewer leave one on purpose.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import orjson
import psycopg
import pytest

from loadtest.client import Client
from tests.e2e.test_gate import Gates, opened
from tests.support.http import http_client, post
from tests.support.pictures import fetch, plain, upload
from tests.support.server import HOST, free_port
from tests.support.smtp import SmtpServer


@pytest.fixture(params=["embedded", "two gateways"])
def gates(request: pytest.FixtureRequest, smtp: SmtpServer) -> Iterator[Gates]:
    # Two gateways of one machine would want two ports; what is measured is the same.
    metrics = {"TSUDOI_METRICS_PORT": str(free_port())} if request.param == "embedded" else {}
    with opened(request, smtp, **metrics) as made:
        made.metrics_port = int(metrics.get("TSUDOI_METRICS_PORT", 0))
        yield made


class Search:
    """`viewer` and `viewed` are words by which each can be known."""

    def __init__(self, gates: Gates, viewer: set[str], viewed: set[str]) -> None:
        self._gates = gates
        self._viewer = re.compile("|".join(map(re.escape, sorted(viewer))).encode())
        self._viewed = re.compile("|".join(map(re.escape, sorted(viewed))).encode())

    def traces(self) -> list[tuple[str, bytes]]:
        """Every piece of everything that names both."""
        return [
            (where, piece)
            for where, piece in self.pieces()
            if self._viewer.search(piece) and self._viewed.search(piece)
        ]

    def pieces(self) -> Iterator[tuple[str, bytes]]:
        """All there is, as small as it is kept."""
        for server in {self._gates.one.pid: self._gates.one, self._gates.two.pid: self._gates.two}.values():
            for line in server.log_text().encode().splitlines():
                yield "log", line
        if self._gates.metrics_port:
            said = httpx2.get(f"http://{HOST}:{self._gates.metrics_port}/metrics")
            assert said.status_code == 200
            for line in said.content.splitlines():
                yield "metrics", line
        if self._gates.database_url:
            yield from self._postgres()
        else:
            yield from self._sqlite()
        if self._gates.redis is not None:
            for key in self._gates.redis.command("KEYS", "*"):
                yield from self._redis(key)

    def _postgres(self) -> Iterator[tuple[str, bytes]]:
        with psycopg.connect(self._gates.database_url) as admin:
            tables = admin.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
            for (name,) in tables:
                for row in admin.execute(f'select * from "{name}"'):
                    yield name, repr(row).encode()

    def _sqlite(self) -> Iterator[tuple[str, bytes]]:
        # A copy: a second SQLite library in this process would take the server's locks with it.
        with tempfile.TemporaryDirectory() as place:
            for path in self._gates.one.data.rglob("tsudoi.sqlite3*"):
                shutil.copy(path, place)
            with sqlite3.connect(Path(place) / "tsudoi.sqlite3") as copy:
                tables = copy.execute(
                    "select name from sqlite_master where type = 'table' and sql not like '%virtual table%'"
                ).fetchall()
                for (name,) in tables:
                    for row in copy.execute(f'select * from "{name}"'):
                        yield name, repr(row).encode()

    def _redis(self, key: bytes) -> Iterator[tuple[str, bytes]]:
        redis = self._gates.redis
        assert redis is not None
        kind = redis.command("TYPE", key)
        match kind:
            case b"stream":
                for each in redis.command("XRANGE", key, "-", "+"):
                    yield key.decode(), key + repr(each).encode()
            case b"hash" | b"zset" | b"set" | b"list" | b"string":
                yield key.decode(), key + (redis.command("DUMP", key) or b"")
            case _:
                raise AssertionError(f"{key!r} is a {kind!r}, which nobody searches yet")


async def look_around(gates: Gates, v: Client, token: str, kaku: Any, place: Any, posts: list[str]) -> None:
    """All the ways of looking there are, at somebody with whom one has nothing to do."""
    account = kaku["account"]
    looks: list[tuple[str, dict[str, Any]]] = [
        ("account.get", {"account": account}),
        ("account.get", {"handle": "kaku"}),
        ("timeline.list", {"which": "profile", "account": account}),
        ("timeline.list", {"which": "thread", "post": posts[0]}),
        ("timeline.list", {"which": "discover"}),
        ("timeline.list", {"which": "follow"}),
        ("timeline.list", {"community": place["id"]}),
        ("timeline.read", {"at": 1}),
        ("post.get", {"posts": posts}),
        ("post.search", {"words": "海"}),
        ("account.search", {"words": "kaku"}),
        ("community.search", {"words": "窓"}),
        ("community.list", {"joined": False}),
        ("community.list", {"account": account}),
        ("community.get", {"community": place["id"]}),
        ("reaction.get", {}),
    ]
    for op, fields in looks:
        await v.call(op, **fields)
        reply = await post(gates.two.url, op, token, **fields)
        assert reply.status == 200, (op, reply.body)
    channels = [f"author:{account}", place["channel"]]
    await v.call("channel.watch", channels=channels)
    for op, fields in (
        ("follow.list", {"which": "following", "account": account}),
        ("reaction.list", {"post": posts[0]}),
    ):
        # What is refused leaves nothing either.
        assert (await post(gates.two.url, op, token, **fields)).status == 403
    async with http_client(gates.two.url) as browser:
        for path in ("/", "/docs", f"/api/v1/post.get?posts={posts[0]}"):
            await browser.get(path, headers={"Authorization": f"Bearer {token}"})


async def test_an_evening_of_looking_leaves_no_trace(gates: Gates) -> None:
    miru = await asyncio.to_thread(gates.account, "miru")
    kaku = await asyncio.to_thread(gates.account, "kaku")
    async with Client(gates.one.ws_url, kaku["token"]) as k, Client(gates.two.ws_url, miru["token"]) as v:
        place = await k.call("community.create", name="窓", nonce="c")
        picture = (await upload(gates.one.url, kaku["token"], plain())).ok["id"]
        asked = [{"id": picture, "alt": "海"}]
        posts = [(await k.send("post.create", text="海が見えた", nonce="1", pictures=asked))["post"]]
        posts.append((await k.send("post.create", text="次は山", community=place["id"], nonce="2"))["post"])
        invite = await k.call("invite.create", nonce="i")
        await look_around(gates, v, miru["token"], kaku, place, posts)
        for part in ("", "/preview"):
            assert (await fetch(gates.two.url, miru["token"], picture, part)).status_code == 200
            assert (await fetch(gates.one.url, miru["token"], picture[::-1], part)).status_code == 404
        reply = await post(
            gates.two.url,
            "invite.get",
            miru["token"],
            body=orjson.dumps({"token": invite["link"].partition("#")[2]}),
        )
        assert reply.status == 200, reply.body
        # Somebody looks on while things happen, and comes back to them.
        posts.append((await k.send("post.create", text="ひとりごと", nonce="3"))["post"])
        await v.until(lambda: len(v.heard("post.created")) == 1)
        await v.call("channel.unwatch", channels=[f"author:{kaku['account']}", place["channel"]])
        ids = {miru["account"], "miru", miru["token"], v.connected["session"]}
        viewed = {kaku["account"], "kaku", place["id"], invite["id"], picture, *posts}
        search = Search(gates, ids, viewed)
    async with Client(gates.one.ws_url, miru["token"], v.ear, v.epoch) as again:
        await look_around(gates, again, miru["token"], kaku, place, posts[:2])
        pieces = await asyncio.to_thread(lambda: list(search.pieces()))
        kinds = {where for where, _ in pieces}
        assert {"log", "account", "post", "community", "session", "reading"} <= kinds
        assert "metrics" in kinds or not gates.metrics_port
        assert await asyncio.to_thread(search.traces) == []
        # And one that is left on purpose is found.
        await again.call("reaction.add", post=posts[0], kind="like")
        left = {where for where, _ in await asyncio.to_thread(search.traces)}
        assert left == {"reaction", "notification_actor"}, "a like is for its post's author to know"
