"""Recovery codes: ways in for somebody who cannot read their mail any more (FEATURES §2)."""

from __future__ import annotations

import asyncio
import re

import pytest

from channels import recovery_codes, sessions
from channels.arrival import Credential, authenticate
from channels.desk import Actor
from realtime import gate as g
from realtime.errors import Refusal
from realtime.requests import Empty
from storage import postgres, sqlite
from storage.accounts import put_address, set_state
from tests.channels.test_invites import recorded
from tests.channels.test_signup import HERE, letters
from tests.support.world import World

SHAPE = re.compile(r"[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){3}")
DAY_MS = 86_400_000


async def living_at(world: World, handle: str) -> Actor:
    """Somebody with an address."""
    actor = await world.person(handle)
    address = f"{handle}@example.com"
    await world.desk.db.write(lambda tx: put_address(tx, address, actor.account, address))
    return actor


async def made(world: World, actor: Actor) -> list[str]:
    """New codes."""
    return (await recovery_codes.make(world.desk, actor, Empty())).codes


async def left(world: World, actor: Actor) -> int:
    """How many are left."""
    return (await recovery_codes.get(world.desk, actor, Empty())).left


async def recover(world: World, handle: str, code: str) -> g.Entered | str:
    """Get in by one: how, or the code of the refusal."""
    try:
        request = g.SessionRecover(handle=handle, code=code, label="電話")
        return await recovery_codes.recover(world.desk, HERE, request)
    except Refusal as refusal:
        return refusal.code


async def test_each_lets_in_once_and_the_others_are_told(world: World) -> None:
    aki = await living_at(world, "aki")
    codes = await made(world, aki)
    assert len(set(codes)) == world.desk.settings.limits.recovery_codes
    assert all(SHAPE.fullmatch(code) for code in codes)
    entered = await recover(world, "@AKI", codes[0])
    assert isinstance(entered, g.Entered)
    there = await authenticate(world.desk, Credential(token=entered.token or ""))
    assert (there.account, there.session) == (aki.account, entered.session)
    assert [parcel.kind for parcel in world.of(f"user:{aki.account}")] == ["session.created"]
    assert [(letter["address"], letter["kind"]) for letter in await letters(world)] == [
        ("aki@example.com", "recovery_made"),
        ("aki@example.com", "new_device"),
    ]
    assert await recover(world, "aki", codes[0]) == "code_wrong"
    # As it is typed on a phone: full width, small, with blanks and the letters that look like digits.
    typed = codes[1].lower().replace("-", " ").replace("0", "o").replace("1", "l").translate(FULL)
    assert isinstance(await recover(world, "aki", typed), g.Entered)
    assert await left(world, aki) == len(codes) - 2


FULL = {ord(c): ord(c) + 0xFEE0 for c in "0123456789abcdefghjkmnpqrstvwxyz"}


async def test_of_many_who_try_one_gets_in(world: World) -> None:
    code, *_ = await made(world, await living_at(world, "aki"))
    found = await asyncio.gather(*(recover(world, "aki", code) for _ in range(20)))
    assert sum(isinstance(one, g.Entered) for one in found) == 1
    assert found.count("code_wrong") == 19


@pytest.mark.parametrize("end", ["newer", "all out", "others out", "one out", "suspended", "deleted"])
async def test_when_they_end(world: World, end: str) -> None:
    aki = await living_at(world, "aki")
    code, *_ = await made(world, aki)
    expected = "code_wrong"
    match end:
        case "newer":
            await made(world, aki)
        case "all out":
            await sessions.revoke_all(world.desk, aki, g.SessionRevokeAll())
        case "others out":
            await sessions.revoke_all(world.desk, aki, g.SessionRevokeAll(others=True))
        case "one out":
            await sessions.log_out(world.desk, aki, Empty())
            expected = ""
        case "suspended":
            await world.desk.db.write(lambda tx: set_state(tx, aki.account, "suspended"))
            assert await recover(world, "aki", code) == "forbidden"
            # Not for ever: it was not used up.
            await world.desk.db.write(lambda tx: set_state(tx, aki.account, "active"))
            expected = ""
        case "deleted":
            await world.desk.db.write(lambda tx: set_state(tx, aki.account, "deleted"))
            expected = ""
    found = await recover(world, "aki", code)
    assert (found if isinstance(found, str) else "") == expected


async def test_two_who_make_some_at_once_leave_one_set(world: World) -> None:
    aki = await living_at(world, "aki")
    await asyncio.gather(*(made(world, aki) for _ in range(4)))
    assert await left(world, aki) == world.desk.settings.limits.recovery_codes


async def test_somebody_elses_code_is_none(world: World) -> None:
    aki, ken = await living_at(world, "aki"), await living_at(world, "ken")
    code, *_ = await made(world, aki)
    await made(world, ken)
    assert await recover(world, "ken", code) == "code_wrong"
    assert await recover(world, "aki", "") == "code_wrong"
    assert await recover(world, "a k i", code) == "text_invalid"
    assert isinstance(await recover(world, "aki", code), g.Entered)


async def test_whether_there_is_such_an_account_is_not_told(world: World) -> None:
    """Same answers, same statements (FAULTS S18)."""
    await made(world, await living_at(world, "aki"))
    await living_at(world, "ken")
    traces = []
    for handle in ("aki", "ken", "nobody"):
        statements: list[str] = []
        with pytest.MonkeyPatch.context() as patch:
            for kind in (sqlite.SqliteTx, postgres.PostgresTx):
                patch.setattr(kind, "rows", recorded(kind.rows, statements))
            request = g.SessionRecover(handle=handle, code="0000-0000-0000-0000")
            with pytest.raises(Refusal) as refused:
                await recovery_codes.recover(world.desk, HERE, request)
        traces.append((refused.value.code, refused.value.message, refused.value.details, tuple(statements)))
    assert traces[0] == traces[1] == traces[2]
    assert len(traces[0][-1]) >= 3


async def test_they_are_offered_after_a_week_until_there_are_some(world: World) -> None:
    aki = await living_at(world, "aki")
    state = await recovery_codes.get(world.desk, aki, Empty())
    assert (state.left, state.made_at, state.due) == (0, None, False)
    await world.desk.db.write(
        lambda tx: tx.rows("update account set created_at = created_at - :week", week=7 * DAY_MS)
    )
    assert (await recovery_codes.get(world.desk, aki, Empty())).due
    await made(world, aki)
    state = await recovery_codes.get(world.desk, aki, Empty())
    assert not state.due
    assert state.made_at is not None
    assert abs(state.made_at - await world.now()) < 60_000


async def test_how_often_they_are_made_is_bounded_as_mail_is(world: World) -> None:
    aki = await living_at(world, "aki")
    for _ in range(world.desk.settings.limits.mails_per_hour_max):
        kept = await made(world, aki)
    with pytest.raises(Refusal) as refused:
        await made(world, aki)
    assert refused.value.code == "rate_limited"
    assert isinstance(await recover(world, "aki", kept[0]), g.Entered)


async def test_no_code_is_stored_in_the_clear(world: World) -> None:
    aki = await living_at(world, "aki")
    codes = await made(world, aki)
    rows = await world.desk.db.read(lambda tx: tx.rows("select account, hash, made_at from recovery_code"))
    kept = await world.desk.db.read(lambda tx: tx.rows("select facts from letter"))
    assert len(rows) == len(codes)
    for code in codes:
        assert code not in str(rows) + str(kept)
        assert code.replace("-", "") not in str(rows) + str(kept)
