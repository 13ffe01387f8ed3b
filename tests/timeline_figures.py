"""Figures of timelines (docs/benchmarks.md): `python -m tests.timeline_figures`, on SQLite and, with DATABASE_URL set to an
empty PostgreSQL database, there too.

A reader of 500 authors and 50 communities among a million posts: the first and later pages of Follow, and what a connect
costs the server. Then an author with 50,000 followers beside one with 5, in turns.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import psycopg

from channels import posts, timelines
from channels.accounts import hash_token
from channels.arrival import Credential, arrive
from channels.desk import Actor, Desk
from realtime import posts as p
from realtime.events import encode
from realtime.hub import Hub
from realtime.ids import IdMaker
from realtime.ids import encode as id_of
from realtime.sendqueue import Piece
from realtime.settings import Settings
from storage.accounts import insert_session
from storage.database import Means, Tx
from storage.open import database_of
from storage.posts import insert_posts
from storage.rows import PostRow

AUTHORS, COMMUNITIES, OTHERS, FOLLOWERS = 500, 50, 1_500, 50_000
POSTS, AT_ONCE = 1_000_000, 50_000
TIMES = 400
FIRST_MS = 1_700_000_000_000


def people(tx: Tx, begin: str, count: int) -> list[str]:
    """Accounts with their channels."""
    ids = [id_of(FIRST_MS, secrets.randbits(73)) for _ in range(count)]
    for number, account in enumerate(ids):
        tx.later(
            "insert into account (id, handle, name, created_at, handle_at, state_at)"
            " values (:id, :handle, 'x', 1, 1, 1)",
            id=account,
            handle=f"{begin}{number}",
        )
        for kind in ("author", "user"):
            tx.later("insert into channel (id, seq) values (:id, 0)", id=f"{kind}:{account}")
    return ids


def follow(tx: Tx, follower: str, followee: str) -> None:
    """A follow of long ago."""
    tx.later("insert into follow (follower, followee, at) values (:a, :b, 1)", a=follower, b=followee)


def found(tx: Tx, reader: str, creator: str) -> str:
    """A community with the reader inside."""
    place = id_of(FIRST_MS, secrets.randbits(73))
    tx.rows(
        "insert into community (id, name, purpose, creator, members, created_at) values (:id, 'x', '', :by, 1, 1)",
        id=place,
        by=creator,
    )
    tx.rows("insert into channel (id, seq) values (:id, 0)", id=f"community:{place}")
    tx.rows(
        "insert into community_member (community, account, role, state, from_seq, joined_at)"
        " values (:place, :me, 'member', 'inside', 0, 1)",
        place=place,
        me=reader,
    )
    return place


def write_posts(tx: Tx, homes: list[tuple[str, str, str | None]], seqs: dict[str, int], first: int) -> None:
    """Posts of random homes, one each second; the busiest homes have a hundred times as many as the quietest."""
    random_ = random.Random(first)
    weights = [1.0 / (1 + place % 100) for place in range(len(homes))]
    rows = []
    for number, (home, author, place) in enumerate(random_.choices(homes, weights, k=AT_ONCE), first):
        at = FIRST_MS + 1_000 * number
        seqs[home] = seqs.get(home, 0) + 1
        text = "今日はいい天気" * 5
        rows.append(
            PostRow(id_of(at, random_.getrandbits(73)), home, seqs[home], place, author, at, text, None)
        )
    insert_posts(tx, rows)


class Nobody:
    """A listener that takes what it is given."""

    account = ""

    def write(self, piece: Piece) -> None:
        """Nothing."""

    def write_all(self, pieces: object) -> None:
        """Nothing."""

    def write_recovered(self, data: bytes) -> None:
        """Nothing."""


async def timed(work: Callable[[], Awaitable[object]], times: int = TIMES) -> tuple[float, float]:
    """(median, 99th percentile) of so many runs, in milliseconds."""
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        await work()
        taken.append((time.perf_counter() - begun) * 1_000)
    return statistics.median(taken), statistics.quantiles(taken, n=100)[98]


async def prepare(desk: Desk) -> tuple[str, list[str]]:
    """Everything there is to read; the reader, and two authors: one with many followers, one with few."""
    db = desk.db
    reader, many, few = await db.write(lambda tx: people(tx, "r", 3))
    authors = await db.write(lambda tx: people(tx, "a", AUTHORS))
    others = await db.write(lambda tx: people(tx, "o", OTHERS))
    crowd: list[str] = []
    for part in range(0, FOLLOWERS, 10_000):
        crowd += await db.write(lambda tx, part=part: people(tx, f"c{part}_", 10_000))  # type: ignore[misc]  # bound now

    def ties(tx: Tx) -> list[str]:
        for author in authors:
            follow(tx, reader, author)
        for follower in crowd:
            follow(tx, follower, many)
        for follower in crowd[:5]:
            follow(tx, follower, few)
        return [found(tx, reader, authors[0]) for _ in range(COMMUNITIES)]

    places = await db.write(ties)
    homes: list[tuple[str, str, str | None]] = [(f"author:{who}", who, None) for who in (*authors, *others)]
    homes += [(f"community:{place}", others[0], place) for place in places]
    random.Random(1).shuffle(homes)
    seqs: dict[str, int] = {}
    for first in range(0, POSTS, AT_ONCE):
        await db.write(lambda tx, first=first: write_posts(tx, homes, seqs, first))  # type: ignore[misc]  # bound now
    await db.write(lambda tx: tx.rows("analyze"))
    return reader, [many, few]


async def pages(desk: Desk, reader: Actor) -> None:
    """Follow: the newest page, and pages from anywhere."""

    async def first() -> None:
        encode(await timelines.list_posts(desk, reader, p.TimelineList(which=p.Timeline.FOLLOW)))

    random_ = random.Random(2)

    async def anywhere() -> None:
        at = id_of(FIRST_MS + 1_000 * random_.randrange(1_000, POSTS), 0)
        request = p.TimelineList(which=p.Timeline.FOLLOW, before_post=at)
        assert len((await timelines.list_posts(desk, reader, request)).posts) == 50

    for name, work in (("first page", first), ("page anywhere", anywhere)):
        median, worst = await timed(work)
        print(f"  Follow, {name}: p50 {median:.1f} ms, p99 {worst:.1f} ms")


async def connects(desk: Desk, reader: Actor) -> None:
    """What `connect` costs: who it is and what it hears, and joining all of it."""
    hub = Hub(lambda: None, lambda name: None, lambda parcel, only: None)
    credential = Credential(session=reader.session)
    channels = 0

    async def connect() -> None:
        nonlocal channels
        mark = hub.mark()
        arrival = await arrive(desk, credential, {})
        listener = Nobody()
        hub.add(listener)
        hub.join(listener, arrival.plan.whole, mark)
        encode(arrival.plan.channels)
        channels = len(arrival.plan.channels)
        hub.remove(listener)

    median, worst = await timed(connect)
    print(f"  connect with {channels} channels: p50 {median:.1f} ms, p99 {worst:.1f} ms")


async def authors(desk: Desk, who: list[str]) -> None:
    """Posts of two authors in turns."""
    taken: list[list[float]] = [[], []]
    for _ in range(TIMES):
        for times, account in zip(taken, who, strict=True):
            request = p.PostCreate(text="x", nonce=secrets.token_hex(8))
            begun = time.perf_counter()
            await posts.create(desk, Actor(account, ""), request)
            times.append((time.perf_counter() - begun) * 1_000)
    many, few = (statistics.median(times) for times in taken)
    print(f"  a post: {many:.2f} ms with {FOLLOWERS} followers, {few:.2f} ms with 5: {many / few:.2f} ×")


async def measure(settings: Settings) -> None:
    """All figures on one database."""
    means = Means("figures", lambda: time.time_ns() // 1_000_000, IdMaker(secrets.randbits))
    database = database_of(settings, means)
    await asyncio.to_thread(database.migrate)
    await database.open(lambda parcels: None)
    desk = Desk(database, settings, "a secret of the figures")
    reader, two = await prepare(desk)
    session = id_of(FIRST_MS, secrets.randbits(73))
    if settings.database_url:
        # So much was written at once that PostgreSQL would tidy up in the midst of the measuring.
        with psycopg.connect(settings.database_url, autocommit=True) as plain:
            plain.execute("vacuum analyze")
    await database.write(lambda tx: insert_session(tx, session, reader, hash_token(session), "x"))
    print(await database.version())
    await pages(desk, Actor(reader, session))
    await connects(desk, Actor(reader, session))
    await authors(desk, two)
    await database.close()


def main() -> None:
    """See the module."""
    with tempfile.TemporaryDirectory() as data:
        asyncio.run(measure(Settings(data=Path(data))))
        if url := os.environ.get("DATABASE_URL"):
            asyncio.run(measure(Settings(data=Path(data), database_url=url)))


if __name__ == "__main__":
    main()
