"""A further device, let in by a QR code that another one shows (FEATURES §2)."""

from __future__ import annotations

import asyncio

import pytest

from channels import handover, sessions
from channels.arrival import Credential, authenticate
from channels.desk import Actor
from realtime import gate as g
from realtime.errors import Refusal
from realtime.requests import Empty
from storage.accounts import put_address, set_state
from tests.channels.test_signup import HERE, letters
from tests.support.world import World


async def offered(world: World, actor: Actor) -> str:
    """The token of what was offered just now."""
    return (await handover.offer(world.desk, actor, Empty())).link.partition("#")[2]


async def take(world: World, token: str) -> g.Entered | str:
    """Get in by a token: how, or the code of the refusal."""
    try:
        return await handover.take(world.desk, HERE, g.SessionTake(token=token, label="電話"))
    except Refusal as refusal:
        return refusal.code


async def test_a_further_device_sees_whose_it_would_be_and_gets_in_once(world: World) -> None:
    aki = await world.person("aki")
    await world.desk.db.write(lambda tx: put_address(tx, "aki@example.com", aki.account, "Aki@example.com"))
    made = await handover.offer(world.desk, aki, Empty())
    path, _, token = made.link.partition("#")
    assert path.endswith("/d")
    assert made.qr.startswith("<svg ")
    assert 110_000 < made.expires_at - await world.now() <= 120_000
    for _ in range(2):
        shown = await handover.look(world.desk, HERE, g.SessionKey(token=token))
        assert shown.account.handle == "aki"
    entered = await take(world, token)
    assert isinstance(entered, g.Entered)
    there = await authenticate(world.desk, Credential(token=entered.token or ""))
    assert (there.account, there.session) == (aki.account, entered.session)
    assert [parcel.kind for parcel in world.of(f"user:{aki.account}")] == ["session.created"]
    assert [(letter["address"], letter["kind"]) for letter in await letters(world)] == [
        ("aki@example.com", "new_device")
    ]
    assert await take(world, token) == "not_found"
    with pytest.raises(Refusal):
        await handover.look(world.desk, HERE, g.SessionKey(token=token))


async def test_of_many_who_scan_one_gets_in(world: World) -> None:
    token = await offered(world, await world.person("aki"))
    found = await asyncio.gather(*(take(world, token) for _ in range(20)))
    assert sum(isinstance(one, g.Entered) for one in found) == 1


@pytest.mark.parametrize("end", ["late", "newer", "logged out", "suspended", "other purpose"])
async def test_what_is_offered_ends(world: World, end: str) -> None:
    aki = await world.person("aki")
    token, expected = await offered(world, aki), "not_found"
    match end:
        case "late":
            await world.desk.db.write(lambda tx: tx.rows("update attempt set expires_at = 1"))
        case "newer":
            await offered(world, aki)
        case "logged out":
            await sessions.log_out(world.desk, aki, Empty())
        case "suspended":
            await world.desk.db.write(lambda tx: set_state(tx, aki.account, "suspended"))
            expected = "forbidden"
        case "other purpose":
            await world.desk.db.write(lambda tx: tx.rows("update attempt set purpose = 'login'"))
    assert await take(world, token) == expected


async def test_somebody_elses_offer_stays(world: World) -> None:
    aki, ken = await world.people("aki", "ken")
    token = await offered(world, aki)
    await offered(world, ken)
    await sessions.log_out(world.desk, ken, Empty())
    assert isinstance(await take(world, token), g.Entered)
