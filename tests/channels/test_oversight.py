"""What operators do and look at: the effect of every act, and the line that each act and look leaves (FEATURES §9)."""

from __future__ import annotations

import pytest

from channels import moderation, oversight, profiles
from channels.arrival import Credential, authenticate
from realtime import relations as n
from realtime.errors import Refusal
from realtime.requests import AccountGet, Empty
from storage.accounts import account_by_id, set_role
from storage.database import Tx
from storage.invites import InviteRow, insert_invite, invites_of, use_invite
from tests.support.world import World


async def acts(world: World) -> list[tuple[str, str, str]]:
    """(who, what, about whom) of all audit lines."""
    rows = await world.desk.db.read(lambda tx: tx.rows("select actor, act, target from audit order by id"))
    return [(row[0], row[1], row[2]) for row in rows]


def invite(tx: Tx, issuer: str, *users: str) -> None:
    """An invite by which some came."""
    made = tx.new_id()
    row = InviteRow(
        made, "service", issuer, None, made + "t", made + "c", 9, 0, "live", tx.now_ms(), tx.now_ms() + 10**6
    )
    insert_invite(tx, row)
    for user in users:
        use_invite(tx, row, user)


async def test_suspending_ends_sessions_and_tells_the_hubs_first_why(world: World) -> None:
    from channels.accounts import create_account

    new = await world.desk.db.write(lambda tx: create_account(tx, "ken", "ken", "test"))
    aki = await world.person("aki")
    await world.desk.db.write(lambda tx: oversight.suspend(tx, "cli:root", "ken", "spam"))
    kinds = [parcel.kind for parcel in world.of(f"user:{new.account.id}")]
    assert kinds == ["account.suspended", "session.revoked"]
    with pytest.raises(Refusal):
        await authenticate(world.desk, Credential(token=new.token))
    with pytest.raises(Refusal) as refused:
        await profiles.get(world.desk, aki, AccountGet(handle="ken"))
    assert refused.value.code == "not_found"
    with pytest.raises(Refusal) as refused:
        await world.desk.db.write(lambda tx: oversight.suspend(tx, "cli:root", "ken", "again"))
    assert refused.value.code == "conflict"
    await world.desk.db.write(lambda tx: oversight.restore(tx, "cli:root", "ken"))
    assert (await profiles.get(world.desk, aki, AccountGet(handle="ken"))).id == new.account.id
    assert await acts(world) == [
        ("cli:root", "account.suspend", new.account.id),
        ("cli:root", "account.restore", new.account.id),
    ]


async def test_the_deleted_are_not_suspended_back_to_life(world: World) -> None:
    ken = await world.person("ken")
    await profiles.delete(world.desk, ken, Empty())
    for act in (
        lambda tx: oversight.suspend(tx, "x", "ken", "spam"),
        lambda tx: oversight.restore(tx, "x", "ken"),
    ):
        with pytest.raises(Refusal) as refused:
            await world.desk.db.write(act)
        assert refused.value.code == "conflict"


async def test_the_tree_shows_who_came_by_whom(world: World) -> None:
    aki, b, c, d = [await world.person(name) for name in ("aki", "bun", "chie", "dai")]

    def plant(tx: Tx) -> None:
        invite(tx, aki.account, b.account, d.account)
        invite(tx, b.account, c.account)
        invite(tx, c.account, aki.account)

    await world.desk.db.write(plant)
    found = await world.desk.db.write(lambda tx: oversight.tree(tx, "x", "aki"))
    assert [(row.depth, row.handle) for row in found] == [(0, "aki"), (1, "bun"), (2, "chie"), (1, "dai")]
    assert await acts(world) == [("x", "account.tree", aki.account)]


async def test_invites_are_barred_allowed_and_revoked(world: World) -> None:
    ken = await world.person("ken")
    await world.desk.db.write(lambda tx: invite(tx, ken.account))
    for act, barred, states in (("bar", 1, ["live"]), ("allow", 0, ["live"]), ("revoke-all", 0, ["revoked"])):
        await world.desk.db.write(lambda tx, act=act: oversight.change_invites(tx, "x", "ken", act))  # type: ignore[misc]  # bound now
        row = await world.desk.db.read(lambda tx: account_by_id(tx, ken.account))
        assert row is not None
        assert row.invites_barred == barred
        left = await world.desk.db.read(lambda tx: invites_of(tx, ken.account, 9))
        assert [each.state for each in left] == states
    assert [act for _, act, _ in await acts(world)] == ["invites.bar", "invites.allow", "invites.revoke-all"]


async def test_looking_leaves_a_line_with_whom_it_concerned(world: World) -> None:
    aki, ken = await world.people("aki", "ken")
    room = await world.group(aki, ken)
    said = await world.say(ken, room.id, "ひどい言葉")
    made = []
    for kind, target, reason in (("account", ken.account, "spam"), ("message", said.message, "danger")):
        request = n.ReportCreate(
            kind=n.ReportKind(kind), target=target, reason=n.ReportReason(reason), nonce=world.nonce
        )
        made.append((await moderation.report(world.desk, aki, request)).id)
    queue = await world.desk.db.write(lambda tx: oversight.reports(tx, "x"))
    assert [row.id for row in queue] == made[::-1]
    row, evidence = await world.desk.db.write(lambda tx: oversight.report(tx, "x", made[1]))
    assert "ひどい言葉" in str(evidence)
    with pytest.raises(Refusal):
        await world.desk.db.write(lambda tx: oversight.report(tx, "x", "0" * 26))
    lines = await world.desk.db.write(lambda tx: oversight.audit_lines(tx, "x", "ken"))
    assert [line.act for line in lines] == ["report.show"]
    assert [act for _, act, _ in await acts(world)] == ["report.list", "report.show", "audit.list"]
    assert row.reporter == aki.account


async def test_only_operators_lend_their_name(world: World) -> None:
    ken = await world.person("ken")
    with pytest.raises(Refusal) as refused:
        await world.desk.db.read(lambda tx: oversight.operator_of(tx, "ken"))
    assert refused.value.code == "forbidden"
    await world.desk.db.write(lambda tx: set_role(tx, ken.account, "operator"))
    assert await world.desk.db.read(lambda tx: oversight.operator_of(tx, "ken")) == "@ken"
