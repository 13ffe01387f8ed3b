"""What one calls others, for oneself alone (FEATURES §2)."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from channels import nicknames, profiles, relations
from realtime.errors import Refusal
from realtime.relations import AccountRef, NicknamePut
from realtime.requests import AccountGet, Empty
from storage.export import everything_of
from storage.profiles import erase
from tests.support.world import World


async def named(world: World, actor: object) -> dict[str, str]:
    """Whom an account calls how."""
    found = await nicknames.list_nicknames(world.desk, actor, Empty())  # type: ignore[arg-type]  # an actor
    return {each.account: each.name for each in found.nicknames}


async def test_a_nickname_is_ones_own_and_ones_devices_hear_of_it(world: World) -> None:
    aki, haru, ken = await world.people("aki", "haru", "ken")
    put = await nicknames.put(world.desk, aki, NicknamePut(account=haru.account, name=" はる\u202eちゃん "))
    assert (put.account, put.name) == (haru.account, "はるちゃん")
    assert await named(world, aki) == {haru.account: "はるちゃん"}
    assert await named(world, haru) == await named(world, ken) == {}
    seen = await profiles.get(world.desk, ken, AccountGet(account=haru.account))
    assert seen.name == "haru"
    assert [p.channel for p in world.parcels if p.kind == "nickname.changed"] == [f"user:{aki.account}"]
    await nicknames.put(world.desk, aki, NicknamePut(account=haru.account, name="はる先輩"))
    await nicknames.put(world.desk, aki, NicknamePut(account=haru.account, name=" "))
    assert await named(world, aki) == {}
    told = [orjson.loads(p.frame)["d"] for p in world.parcels if p.kind == "nickname.changed"]
    assert [each["name"] for each in told] == ["はるちゃん", "はる先輩", ""]


async def test_who_may_be_named_and_how(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    for who, name, code in (
        (aki.account, "わたし", "forbidden"),
        ("0" * 26, "だれか", "not_found"),
        (haru.account, "は" * 31, "text_too_long"),
    ):
        with pytest.raises(Refusal) as refused:
            await nicknames.put(world.desk, aki, NicknamePut(account=who, name=name))
        assert refused.value.code == code
    # To be blocked looks like an unknown id; a name that was given stays, and can be taken back.
    await nicknames.put(world.desk, aki, NicknamePut(account=haru.account, name="はる"))
    await relations.block_add(world.desk, haru, AccountRef(account=aki.account))
    with pytest.raises(Refusal) as refused:
        await nicknames.put(world.desk, aki, NicknamePut(account=haru.account, name="はるさん"))
    assert refused.value.code == "not_found"
    assert await named(world, aki) == {haru.account: "はる"}
    await nicknames.put(world.desk, aki, NicknamePut(account=haru.account, name=""))
    assert await named(world, aki) == {}


async def test_there_is_a_bound_and_renaming_is_not_counted(world: World) -> None:
    aki, haru, ken = await world.people("aki", "haru", "ken")
    settings = world.desk.settings
    desk = replace(world.desk, settings=replace(settings, limits=replace(settings.limits, nicknames_max=1)))
    for name in ("一", "二"):
        await nicknames.put(desk, aki, NicknamePut(account=haru.account, name=name))
    with pytest.raises(Refusal) as refused:
        await nicknames.put(desk, aki, NicknamePut(account=ken.account, name="三"))
    assert refused.value.code == "full"


async def test_a_nickname_is_in_ones_data_and_gone_with_either(world: World) -> None:
    aki, haru, ken = await world.people("aki", "haru", "ken")
    for who, name in ((haru, "はる"), (ken, "けん")):
        await nicknames.put(world.desk, aki, NicknamePut(account=who.account, name=name))
    data = await world.desk.db.read(lambda tx: everything_of(tx, aki.account))
    assert [row["name"] for row in data["nicknames"]] == sorted(
        ["はる", "けん"], key=lambda name: {"はる": haru.account, "けん": ken.account}[name]
    )
    await world.desk.db.write(lambda tx: erase(tx, haru.account))
    assert await named(world, aki) == {ken.account: "けん"}
    await world.desk.db.write(lambda tx: erase(tx, aki.account))
    left = await world.desk.db.read(lambda tx: tx.rows("select count(*) from nickname"))
    assert left == [(0,)]
