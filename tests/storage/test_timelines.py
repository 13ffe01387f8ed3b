"""What a timeline's page costs: every query goes by an index, on both databases, and scans no table."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from storage import timelines
from storage.database import Database, Tx
from storage.rooms import heard_by
from storage.timelines import FIRST, LAST, Span
from tests.support.world import BACK_ENDS, open_database

AUTHORS = 300
POSTS = 60_000
READER = "01READER"


def seed(tx: Tx) -> None:
    """Many authors, one reader who follows a few of them, and many posts; by statements of the database's own."""
    series = "(select i from generate_series(:low::int, :high::int) as g (i))"
    if tx.dialect == "sqlite":
        counted = "select :low union all select i + 1 from g where i < :high"
        series = f"(with recursive g (i) as ({counted}) select i from g)"
    account = "'01A' || cast(i as text)"
    columns = "id, handle, name, created_at, handle_at, state_at"
    tx.rows(f"insert into account ({columns}) values (:me, 'reader', 'reader', 1, 1, 1)", me=READER)
    tx.rows(
        f"insert into account ({columns}) select {account}, {account}, 'x', 1, 1, 1 from {series} as s",
        low=1,
        high=AUTHORS,
    )
    tx.rows("insert into channel (id, seq) select 'author:' || id, 0 from account")
    tx.rows("insert into channel (id, seq) select 'user:' || id, 0 from account")
    for follower, followee in ((f"'{READER}'", account), (account, f"'{READER}'")):
        tx.rows(
            f"insert into follow (follower, followee, at) select {follower}, {followee}, 1 from {series} as s",
            low=1,
            high=50,
        )
    number = "substr('00000000' || cast(i as text), length(cast(i as text)) + 1)"
    author = f"'01A' || cast(1 + i % {AUTHORS} as text)"
    tx.rows(
        "insert into post (id, home, seq, author, at, body, root)"
        f" select '01P' || {number}, 'author:' || {author}, i, {author}, i, 'x',"
        f" case when i % 100 = 0 then '01P' || {number} end from {series} as s",
        low=1,
        high=POSTS,
    )


@pytest.fixture(params=BACK_ENDS)
async def full(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A database with many posts, its statistics up to date."""
    database = open_database(request.param, tmp_path, request)
    await database.open(lambda parcels: None)
    await database.write(seed)
    await database.write(lambda tx: tx.rows("analyze"))
    yield database
    await database.close()


class Explained:
    """A transaction that keeps the plan of each statement it runs."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self.plans: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tx, name)

    def rows(self, sql: str, **params: object) -> list[tuple[Any, ...]]:
        """Run it, and explain it before."""
        how = "explain query plan " if self._tx.dialect == "sqlite" else "explain "
        told = self._tx.rows(how + sql, **params)
        self.plans.append("\n".join(str(row[-1]) for row in told))
        return self._tx.rows(sql, **params)


def scans(plan: str) -> list[str]:
    """The big tables that a plan reads whole."""
    # Of a few hundred rows PostgreSQL may rightly prefer to read all; of the posts and the log never.
    return re.findall(
        r"(?:Seq Scan on|SCAN) (?:post\b|p\b|q\b|log\b)(?! USING (?:COVERING )?INDEX \w+ \()", plan
    )


NEWEST = Span(FIRST, LAST, newest=True, limit=51)
PAGES: dict[str, Callable[[Any], Any]] = {
    "follow": lambda tx: timelines.page_of_homes(tx, timelines.homes_of(tx, READER), READER, NEWEST),
    "follow, from the oldest": lambda tx: timelines.page_of_homes(
        tx, timelines.homes_of(tx, READER), READER, Span("01P00001000", LAST, newest=False, limit=51)
    ),
    "profile": lambda tx: timelines.page_of_home(tx, "author:01A7", READER, NEWEST),
    "thread": lambda tx: timelines.page_of_thread(tx, "01P00000100", READER, Span(FIRST, LAST, False, 51)),
    "by id": lambda tx: timelines.visible_posts(tx, READER, ["01P00000100", "01P00000101"]),
    "hearing": lambda tx: heard_by(tx, READER),
    "discover": lambda tx: [timelines.near_communities(tx, READER, 2, 50)] and [1],
}


@pytest.mark.parametrize("name", PAGES)
async def test_no_page_scans_the_posts(full: Database, name: str) -> None:
    def unit(tx: Tx) -> list[str]:
        explained = Explained(tx)
        assert PAGES[name](explained), "a page with something in it"
        return explained.plans

    plans = await full.read(unit)
    assert plans
    assert [found for plan in plans for found in scans(plan)] == [], "\n\n".join(plans)
    if name.startswith("follow"):
        assert all("post_home" in plan for plan in plans[1:]), "\n\n".join(plans)


@pytest.mark.parametrize(
    ("plan", "found"),
    [
        ("SCAN p", ["SCAN p"]),
        ("SCAN post", ["SCAN post"]),
        ("SEARCH p USING INDEX post_home (home=? AND id<?)", []),
        ("  ->  Seq Scan on post p  (cost=0)", ["Seq Scan on post"]),
        ("  ->  Index Scan using post_home on post p", []),
        ("SCAN v VIRTUAL TABLE INDEX 1:", []),
    ],
)
def test_a_scan_would_be_noticed(plan: str, found: list[str]) -> None:
    assert scans(plan) == found


async def test_a_page_costs_the_same_few_statements_however_many_homes(full: Database) -> None:
    def unit(tx: Tx) -> tuple[int, int]:
        explained = Explained(tx)
        page = timelines.page_of_homes(explained, timelines.homes_of(explained, READER), READER, NEWEST)  # type: ignore[arg-type]  # a transaction in all but name
        return len(page), len(explained.plans)

    assert await full.read(unit) == (51, 3)
