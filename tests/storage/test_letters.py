"""Letters that wait, on both databases: due in time, in one pair of hands, gone when done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

import pytest

from realtime.errors import Refusal
from storage import letters
from storage.database import Tx
from tests.support.world import World

T = TypeVar("T")
LEASE_MS = 60_000


async def put(world: World, count: int, delay_ms: int = 0) -> None:
    def unit(tx: Tx) -> None:
        for n in range(count):
            letters.put_letter(tx, f"p{n}@example.org", "code", {"code": f"{n:06}"}, delay_ms)

    await world.desk.db.write(unit)


def claim(limit: int = 10, lease_ms: int = LEASE_MS) -> Callable[[Tx], list[letters.LetterRow]]:
    return lambda tx: letters.claim_due(tx, limit, lease_ms)


async def test_a_letter_is_claimed_once_with_all_it_holds(world: World) -> None:
    db = world.desk.db
    await db.write(
        lambda tx: letters.put_letter(tx, "mio@example.org", "x", {"label": "みお's", "at": 2**41})
    )
    (letter,) = await db.write(claim())
    assert (letter.address, letter.kind, letter.tries) == ("mio@example.org", "x", 1)
    assert letter.facts == {"label": "みお's", "at": 2**41}
    assert 0 <= letter.age_ms < 60_000
    assert await db.write(claim()) == []
    assert await db.read(letters.waiting) == 1
    await db.write(lambda tx: letters.done(tx, [letter.id]))
    assert await db.read(letters.waiting) == 0


async def test_a_letter_whose_time_has_not_come_stays(world: World) -> None:
    await put(world, 1, delay_ms=3_600_000)
    assert await world.desk.db.write(claim()) == []


async def test_the_oldest_leave_first_and_no_more_than_asked(world: World) -> None:
    await put(world, 5)
    first = await world.desk.db.write(claim(3))
    rest = await world.desk.db.write(claim(3))
    assert [letter.address for letter in first + rest] == [f"p{n}@example.org" for n in range(5)]
    assert len(first) == 3


async def test_a_letter_comes_back_after_its_lease_and_after_a_failure(world: World) -> None:
    db = world.desk.db
    await put(world, 1)
    (lost,) = await db.write(claim(lease_ms=0))
    (again,) = await db.write(claim())
    assert (again.id, again.tries) == (lost.id, 2)
    await db.write(lambda tx: letters.failed(tx, again.id, 3_600_000))
    assert await db.write(claim()) == []
    await db.write(lambda tx: letters.failed(tx, again.id, 0))
    assert [letter.tries for letter in await db.write(claim())] == [3]


async def test_claimers_at_the_same_time_never_get_the_same_letter(world: World) -> None:
    db = world.desk.db
    await put(world, 60)

    async def claimer() -> list[str]:
        mine: list[str] = []
        while found := await db.write(claim(4)):
            mine += [letter.id for letter in found]
        return mine

    hands = await asyncio.gather(*(claimer() for _ in range(4)))
    found = [letter for hand in hands for letter in hand]
    assert len(found) == len(set(found))
    # Who passed over what others held may have gone home early; nothing is lost, it is still due.
    found += [letter.id for letter in await db.write(claim(60))]
    assert len(found) == len(set(found)) == 60


async def test_what_was_rolled_back_is_not_mailed(world: World) -> None:
    def unit(tx: Tx) -> None:
        letters.put_letter(tx, "mio@example.org", "code", {"code": "123456"})
        raise Refusal("conflict")

    with pytest.raises(Refusal):
        await world.desk.db.write(unit)
    assert await world.desk.db.read(letters.waiting) == 0


async def test_a_letter_for_nobody_costs_the_same_statements(world: World) -> None:
    class Counting:
        def __init__(self, tx: Tx) -> None:
            self.tx = tx
            self.said: list[str] = []

        def __getattr__(self, name: str) -> object:
            return getattr(self.tx, name)

        def rows(self, sql: str, **params: object) -> object:
            self.said.append(sql)
            return self.tx.rows(sql, **params)

    def unit(tx: Tx) -> list[list[str]]:
        found = []
        for kind, facts in (("code", {"code": "123456"}), (letters.NOTHING, {"code": "123456"})):
            counting = Counting(tx)
            letters.put_letter(counting, "mio@example.org", kind, facts)  # type: ignore[arg-type]  # a Tx by delegation
            found.append(counting.said)
        return found

    known, unknown = await world.desk.db.write(unit)
    assert known == unknown
