"""Another address for one's account, and 72 hours to undo it (FEATURES §2)."""

from __future__ import annotations

import asyncio

import pytest

from channels import address, profiles, sessions, signup
from channels.arrival import Credential, authenticate
from channels.desk import Actor
from realtime import gate as g
from realtime.errors import Refusal
from realtime.requests import AccountGet, Empty
from storage import postgres, sqlite
from storage.accounts import forget_addresses, put_address, set_state
from tests.channels.test_invites import recorded
from tests.channels.test_signup import HERE, letters
from tests.support.world import World


async def living_at(world: World, handle: str, written: str) -> Actor:
    """Somebody with an address."""
    actor = await world.person(handle)
    await world.desk.db.write(lambda tx: put_address(tx, written.lower(), actor.account, written))
    return actor


async def begun(world: World, actor: Actor, written: str) -> g.AddressConfirm:
    """A change that needs but its code."""
    attempt = await address.change(world.desk, actor, g.AddressChange(address=written))
    return g.AddressConfirm(attempt=attempt.attempt, code=(await letters(world))[-1]["code"] or "000000")


async def moved(world: World, actor: Actor, written: str) -> g.AddressChanged:
    """A change, done."""
    return await address.confirm(world.desk, actor, await begun(world, actor, written))


async def key(world: World, written: str) -> g.SessionCreate:
    """A log-in that needs but to be done."""
    attempt = await signup.begin_login(world.desk, HERE, g.SessionBegin(address=written))
    return g.SessionCreate(attempt=attempt.attempt, code=(await letters(world))[-1]["code"] or "000000")


async def in_use(world: World, actor: Actor) -> str:
    """The account's address as it sees it."""
    mine = await profiles.get(world.desk, actor, AccountGet(account=actor.account))
    return mine.settings.address if mine.settings else "?"


async def refused(work: object) -> Refusal:
    """How something was refused."""
    with pytest.raises(Refusal) as found:
        await work  # type: ignore[misc]  # a coroutine of any kind
    return found.value


async def test_the_new_address_counts_and_the_old_one_is_told(world: World) -> None:
    aki = await living_at(world, "aki", "Aki@example.com")
    assert await in_use(world, aki) == "Aki@example.com"
    asked = await address.change(world.desk, aki, g.AddressChange(address=" New@Example.org "))
    assert (asked.step, asked.address) == ("code", "New@Example.org")
    assert await in_use(world, aki) == "Aki@example.com", "nothing has happened yet"
    (letter,) = await letters(world)
    assert (letter["address"], letter["kind"]) == ("new@example.org", "code")
    wrong = "000000" if letter["code"] != "000000" else "111111"
    answer = await refused(
        address.confirm(world.desk, aki, g.AddressConfirm(attempt=asked.attempt, code=wrong))
    )
    assert answer.code == "code_wrong"
    full_width = "".join(chr(ord(c) + 0xFEE0) for c in letter["code"])
    changed = await address.confirm(world.desk, aki, g.AddressConfirm(attempt=asked.attempt, code=full_width))
    assert changed.address == await in_use(world, aki) == "New@Example.org"
    assert {(one["address"], one["kind"]) for one in await letters(world)} >= {
        ("aki@example.com", "address_changed")
    }
    told = [parcel for parcel in world.of(f"user:{aki.account}") if parcel.kind == "address.changed"]
    assert [str(changed.undo_until).encode() in parcel.frame for parcel in told] == [True]
    entered = await signup.login(world.desk, HERE, await key(world, "new@example.org"))
    assert entered.account.id == aki.account
    again = g.AddressConfirm(attempt=asked.attempt, code=letter["code"])
    assert (await refused(address.confirm(world.desk, aki, again))).code == "not_found"


async def test_the_old_address_lets_nobody_in_and_can_undo(world: World) -> None:
    aki = await living_at(world, "aki", "aki@example.com")
    thief = await world.desk.db.write(lambda tx: sessions.begin_session(tx, aki.account, "thief", told=""))
    assert isinstance(thief, g.Entered)
    changed = await moved(world, aki, "thief@example.org")
    old = await key(world, "aki@example.com")
    answer = await refused(signup.login(world.desk, HERE, old))
    assert (answer.code, answer.details) == (
        "conflict",
        {"reason": "address_changed", "until": changed.undo_until},
    )
    # The same code is proof enough.
    entered = await address.undo(world.desk, HERE, old)
    back = await authenticate(world.desk, Credential(token=entered.token or ""))
    assert back.account == aki.account
    assert await in_use(world, back) == "aki@example.com"
    listed = await sessions.list_sessions(world.desk, back, Empty())
    assert [session.id for session in listed.sessions] == [entered.session], "whoever changed it is out"
    with pytest.raises(Refusal):
        await authenticate(world.desk, Credential(token=thief.token or ""))
    assert ("thief@example.org", "address_restored") in {
        (one["address"], one["kind"]) for one in await letters(world)
    }
    assert (await refused(signup.login(world.desk, HERE, await key(world, "thief@example.org")))).code == (
        "code_wrong"
    )
    # What is in use needs no undoing.
    answer = await refused(address.undo(world.desk, HERE, await key(world, "aki@example.com")))
    assert (answer.code, answer.details) == ("conflict", {"reason": "in_use"})


async def test_after_three_days_the_old_address_is_nobodys(world: World) -> None:
    aki, ken = await living_at(world, "aki", "aki@example.com"), await world.person("ken")
    changed = await moved(world, aki, "new@example.org")
    assert 72 * 3_600_000 - 60_000 < changed.undo_until - await world.now() <= 72 * 3_600_000
    late = await key(world, "aki@example.com")
    assert (await begun(world, ken, "aki@example.com")).code == "000000", "it is somebody's until then"
    await world.desk.db.write(lambda tx: tx.rows("update address set until = 1 where until is not null"))
    assert (await refused(address.undo(world.desk, HERE, late))).code == "code_wrong"
    await moved(world, ken, "aki@example.com")
    assert await in_use(world, ken) == "aki@example.com"
    await moved(world, aki, "third@example.org")
    await world.desk.db.write(lambda tx: tx.rows("update address set until = 1 where until is not null"))
    await world.desk.db.write(forget_addresses)
    rows = await world.desk.db.read(lambda tx: tx.rows("select address from address order by address"))
    assert rows == [("aki@example.com",), ("third@example.org",)]


@pytest.mark.parametrize(
    ("by", "left"),
    [
        ("a@example.com", {"a@example.com": None}),
        ("b@example.com", {"a@example.com": "until", "b@example.com": None}),
    ],
)
async def test_of_several_changes_each_address_undoes_what_came_after_it(
    world: World, by: str, left: dict[str, str | None]
) -> None:
    aki = await living_at(world, "aki", "a@example.com")
    for written in ("b@example.com", "c@example.com"):
        await moved(world, aki, written)
    await address.undo(world.desk, HERE, await key(world, by))
    rows = await world.desk.db.read(lambda tx: tx.rows("select address, until from address order by address"))
    assert {found: "until" if until else None for found, until in rows} == left


async def test_who_changes_back_has_the_old_one_in_use_again(world: World) -> None:
    aki = await living_at(world, "aki", "a@example.com")
    await moved(world, aki, "b@example.com")
    await moved(world, aki, "a@example.com")
    assert await in_use(world, aki) == "a@example.com"
    assert (await signup.login(world.desk, HERE, await key(world, "a@example.com"))).token
    assert (await refused(signup.login(world.desk, HERE, await key(world, "b@example.com")))).code == (
        "conflict"
    )


async def test_two_changes_at_once_leave_one_address_in_use(world: World) -> None:
    aki = await living_at(world, "aki", "a@example.com")
    codes = [await begun(world, aki, written) for written in ("b@example.com", "c@example.com")]
    await asyncio.gather(*(address.confirm(world.desk, aki, code) for code in codes))
    rows = await world.desk.db.read(lambda tx: tx.rows("select count(*) from address where until is null"))
    assert rows == [(1,)]


async def test_whose_an_address_is_is_not_told(world: World) -> None:
    """Same answers, same statements; only the letters differ (FAULTS S18)."""
    aki = await living_at(world, "aki", "aki@example.com")
    await living_at(world, "ken", "ken@example.com")
    traces = []
    for written in ("ken@example.com", "nobody@example.com"):
        statements: list[str] = []
        with pytest.MonkeyPatch.context() as patch:
            for kind in (sqlite.SqliteTx, postgres.PostgresTx):
                patch.setattr(kind, "rows", recorded(kind.rows, statements))
            asked = await address.change(world.desk, aki, g.AddressChange(address=written))
            wrong = g.AddressConfirm(attempt=asked.attempt, code="000000")
            answer = await refused(address.confirm(world.desk, aki, wrong))
        traces.append((asked.step, answer.code, answer.message, answer.details, tuple(statements)))
    assert traces[0] == traces[1]
    kinds = [(letter["address"], letter["kind"]) for letter in await letters(world)]
    assert kinds == [("ken@example.com", "taken"), ("nobody@example.com", "code")]


async def test_whoever_is_first_has_the_address(world: World) -> None:
    aki, ken = await living_at(world, "aki", "aki@example.com"), await world.person("ken")
    code = await begun(world, aki, "free@example.com")
    await moved(world, ken, "free@example.com")
    assert (await refused(address.confirm(world.desk, aki, code))).code == "code_wrong"
    assert await in_use(world, aki) == "aki@example.com"


async def test_a_change_is_its_beginners_and_bounded(world: World) -> None:
    aki, ken = await living_at(world, "aki", "aki@example.com"), await world.person("ken")
    code = await begun(world, aki, "new@example.com")
    assert (await refused(address.confirm(world.desk, ken, code))).code == "not_found"
    same = await refused(address.change(world.desk, aki, g.AddressChange(address="AKI@example.com")))
    assert (same.code, same.details) == ("conflict", {"reason": "same"})
    assert (await refused(address.change(world.desk, aki, g.AddressChange(address="no")))).code == (
        "text_invalid"
    )
    for number in range(world.desk.settings.limits.mails_per_hour_max - 1):
        await address.change(world.desk, aki, g.AddressChange(address=f"many{number}@example.com"))
    more = await refused(address.change(world.desk, aki, g.AddressChange(address="more@example.com")))
    assert more.code == "rate_limited"


async def test_a_suspended_account_gets_its_address_back_and_stays_out(world: World) -> None:
    aki = await living_at(world, "aki", "aki@example.com")
    await moved(world, aki, "new@example.com")
    await world.desk.db.write(lambda tx: set_state(tx, aki.account, "suspended"))
    answer = await refused(address.undo(world.desk, HERE, await key(world, "aki@example.com")))
    assert (answer.code, answer.details) == ("forbidden", {"reason": "suspended"})
    await world.desk.db.write(lambda tx: set_state(tx, aki.account, "active"))
    assert (await signup.login(world.desk, HERE, await key(world, "aki@example.com"))).token
