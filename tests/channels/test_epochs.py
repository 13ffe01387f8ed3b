"""When a new epoch begins: a start on an older copy of the data, and never otherwise (WIRE §4)."""

from __future__ import annotations

from channels.epochs import settle
from storage.log import newest_n
from storage.marks import Mark
from tests.support.world import World


async def begun(world: World, fresh: str, *marks: Mark) -> tuple[str, bool]:
    """The epoch that a start finds with these marks, and whether it began it."""
    epoch = await world.desk.db.write(lambda tx: settle(tx, marks, fresh))
    return epoch.name, bool(epoch.reason)


async def test_the_first_start_begins_one_and_later_starts_keep_it(world: World) -> None:
    assert await begun(world, "one") == ("one", False)
    newest = await world.desk.db.read(newest_n)
    assert await begun(world, "two") == ("one", False)
    assert await begun(world, "two", Mark("one", newest)) == ("one", False)
    await world.group((await world.people("aki"))[0])
    assert await begun(world, "two", Mark("one", newest)) == ("one", False)


async def test_a_log_that_ends_before_its_mark_begins_another_once(world: World) -> None:
    await begun(world, "one")
    newest = await world.desk.db.read(newest_n)
    older = Mark("one", newest + 1)
    assert await begun(world, "two", older) == ("two", True)
    # The others of a deploy read the mark before the first of them could renew it.
    assert await begun(world, "three", older) == ("two", False)
    assert await begun(world, "three", Mark("two", newest)) == ("two", False)


async def test_a_copy_from_before_the_last_epoch_begins_another(world: World) -> None:
    await begun(world, "one")
    assert await begun(world, "three", Mark("two", 0)) == ("three", True)
    assert await begun(world, "four", Mark("two", 10**6)) == ("three", False)


async def test_one_mark_of_several_is_enough(world: World) -> None:
    await begun(world, "one")
    newest = await world.desk.db.read(newest_n)
    assert await begun(world, "two", Mark("one", newest), Mark("one", newest + 5)) == ("two", True)
