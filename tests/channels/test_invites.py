"""Invites on both back ends: issued, looked at, redeemed once, revoked, reissued; and what nobody may learn (I10–I12)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from channels import invites, signup
from channels.desk import Actor, Visitor
from channels.rules.invites import (
    InviteFacts,
    InviteLimits,
    InviteState,
    IssuerFacts,
    fold_code,
    issue_verdict,
    show_code,
    worth,
)
from realtime import gate as g
from realtime.errors import Refusal
from realtime.requests import Empty
from storage.accounts import bar_invites, set_role, set_state
from storage.database import Tx
from tests.support.world import World

HERE = Visitor("192.0.2.7")


async def issued(world: World, actor: Actor, **fields: Any) -> g.NewInvite:
    return await invites.create(world.desk, actor, g.InviteCreate(nonce=world.nonce, **fields))


def token_of(invite: g.NewInvite) -> str:
    return invite.link.partition("#")[2]


async def looked(world: World, visitor: Visitor = HERE, **key: str) -> g.InvitePreview | Refusal:
    try:
        return await invites.look(world.desk, visitor, g.InviteKey(**key))
    except Refusal as refusal:
        return refusal


async def test_an_invite_is_shown_once_and_kept_as_hashes(world: World) -> None:
    (aki,) = await world.people("aki")
    made = await issued(world, aki)
    assert made.link.startswith("/i#")
    assert len(token_of(made)) >= 22
    assert made.qr.startswith("<svg")
    mine = await invites.list_invites(world.desk, aki, Empty())
    assert [(i.id, i.state, i.uses_max) for i in mine.invites] == [(made.id, "live", 1)]
    assert mine.left == 9
    for table in ("invite", "nonce", "log"):
        rows = await world.desk.db.read(lambda tx, t=table: tx.rows(f"select * from {t}"))
        text = repr(rows)
        assert token_of(made) not in text
        assert made.code.replace("-", "") not in text
    for key in (
        {"token": token_of(made)},
        {"code": made.code},
        {"code": made.code.lower().replace("-", " ")},
    ):
        found = await looked(world, **key)
        assert isinstance(found, g.InvitePreview)
        assert (found.kind, found.issuer.handle) == ("service", "aki")


async def test_the_same_nonce_makes_one_invite(world: World) -> None:
    (aki,) = await world.people("aki")
    first = await invites.create(world.desk, aki, g.InviteCreate(nonce="n"))
    again = await invites.create(world.desk, aki, g.InviteCreate(nonce="n"))
    assert again.id == first.id
    assert len((await invites.list_invites(world.desk, aki, Empty())).invites) == 1
    assert isinstance(await looked(world, token=token_of(again)), g.InvitePreview)
    assert isinstance(await looked(world, token=token_of(first)), Refusal)


async def test_members_have_a_quota_and_operators_many_uses(world: World) -> None:
    (aki,) = await world.people("aki")
    for fields in ({"uses": 2}, {"days": 8}):
        with pytest.raises(Refusal) as refused:
            await issued(world, aki, **fields)
        assert refused.value.code == "forbidden"
    made = [await issued(world, aki) for _ in range(10)]
    with pytest.raises(Refusal) as refused:
        await issued(world, aki)
    assert (refused.value.code, refused.value.details["limit"]) == ("invite_quota", 10)
    await invites.revoke(world.desk, aki, g.InviteRef(invite=made[0].id))
    await issued(world, aki)
    await world.desk.db.write(
        lambda tx: tx.rows("update account set role = 'operator' where id = :id", id=aki.account)
    )
    assert (await issued(world, aki, uses=500, days=100)).uses_max == 500


async def test_a_revoked_and_a_reissued_invite_are_dead_at_once(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    first = await issued(world, aki)
    attempt = await signup.begin(world.desk, HERE, g.InviteKey(token=token_of(first)))
    second = await invites.reissue(world.desk, aki, g.InviteReissue(invite=first.id, nonce="r"))
    refused = await looked(world, token=token_of(first))
    assert isinstance(refused, Refusal)
    assert refused.details["reason"] == "revoked"
    with pytest.raises(Refusal) as gone:
        await signup.resume(world.desk, HERE, g.AttemptRef(attempt=attempt.attempt))
    assert gone.value.code == "not_found"
    assert isinstance(await looked(world, token=token_of(second)), g.InvitePreview)
    for act in (
        invites.revoke(world.desk, haru, g.InviteRef(invite=second.id)),
        invites.reissue(world.desk, haru, g.InviteReissue(invite=second.id, nonce="x")),
        invites.revoke(world.desk, haru, g.InviteRef(invite="0" * 26)),
    ):
        with pytest.raises(Refusal) as refused_act:
            await act
        assert refused_act.value.code == "not_found"


async def test_reissuing_what_is_dead_goes_by_the_quota(world: World) -> None:
    (aki,) = await world.people("aki")
    dead = await issued(world, aki)
    await invites.revoke(world.desk, aki, g.InviteRef(invite=dead.id))
    for number in range(10):
        last = await invites.reissue(world.desk, aki, g.InviteReissue(invite=dead.id, nonce=f"r{number}"))
    with pytest.raises(Refusal) as refused:
        await invites.reissue(world.desk, aki, g.InviteReissue(invite=dead.id, nonce="one more"))
    assert refused.value.code == "invite_quota"
    # A living one gives its own place to its successor.
    await invites.reissue(world.desk, aki, g.InviteReissue(invite=last.id, nonce="in its place"))
    assert (await invites.list_invites(world.desk, aki, Empty())).left == 0


async def test_an_invite_dies_with_its_issuers_standing(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    one, two = await issued(world, aki), await issued(world, haru)
    await world.desk.db.write(lambda tx: bar_invites(tx, aki.account, barred=True))
    await world.desk.db.write(lambda tx: set_state(tx, haru.account, "suspended"))
    for invite in (one, two):
        refused = await looked(world, token=token_of(invite))
        assert isinstance(refused, Refusal)
        assert refused.details["reason"] == "revoked"
    with pytest.raises(Refusal) as barred:
        await issued(world, aki)
    assert barred.value.code == "forbidden"


async def test_typed_codes_tell_nothing_and_links_tell_which(world: World) -> None:
    """Wrong, used, expired, revoked: one answer and the same statements for a typed code (I12)."""
    (aki,) = await world.people("aki")
    used, expired, revoked = [await issued(world, aki) for _ in range(3)]
    await signup.begin(world.desk, HERE, g.InviteKey(token=token_of(used)))
    await world.desk.db.write(
        lambda tx: tx.rows("update invite set expires_at = 1 where id = :id", id=expired.id)
    )
    await invites.revoke(world.desk, aki, g.InviteRef(invite=revoked.id))
    codes = [used.code, expired.code, revoked.code, "0000-0000-0000", "WRONG", "", "💥"]
    answers = []
    for code in codes:
        statements: list[str] = []
        with pytest.MonkeyPatch.context() as patch:
            from storage import postgres, sqlite

            for kind in (sqlite.SqliteTx, postgres.PostgresTx):
                patch.setattr(kind, "rows", recorded(kind.rows, statements))
            refused = await looked(world, code=code)
        assert isinstance(refused, Refusal)
        answers.append((refused.code, refused.message, refused.details, tuple(statements)))
    assert len({repr(answer[:3]) for answer in answers}) == 1
    assert len({answer[3] for answer in answers}) == 1
    told = [await looked(world, token=token_of(i)) for i in (used, expired, revoked)]
    assert [r.details["reason"] for r in told if isinstance(r, Refusal)] == ["redeemed", "expired", "revoked"]


def recorded(rows: Any, statements: list[str]) -> Any:
    def run(self: Tx, sql: str, **params: object) -> Any:
        statements.append(sql)
        return rows(self, sql, **params)

    return run


async def test_a_link_looked_at_from_many_networks_rests_and_its_issuer_is_told(world: World) -> None:
    (aki,) = await world.people("aki")
    made = await issued(world, aki)
    for n in range(20):
        assert isinstance(
            await looked(world, Visitor(f"198.51.100.{n}"), token=token_of(made)), g.InvitePreview
        )
    for n in range(4):
        found = await looked(world, Visitor(f"2001:db8:{n}::1"), token=token_of(made))
        assert isinstance(found, g.InvitePreview)
    paused = await looked(world, Visitor("203.0.113.9"), token=token_of(made))
    assert isinstance(paused, Refusal)
    assert paused.details["reason"] == "paused"
    assert [p.kind for p in world.of(f"user:{aki.account}")][-1] == "invite.paused"
    rows = await world.desk.db.read(lambda tx: tx.rows("select network from invite_tap"))
    assert not any("198.51" in row[0] for row in rows)
    fresh = await invites.reissue(world.desk, aki, g.InviteReissue(invite=made.id, nonce="r"))
    assert isinstance(await looked(world, token=token_of(fresh)), g.InvitePreview)


async def test_a_member_joins_the_room_an_invite_names_once(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    ken = await world.person("ken")
    room = await world.group(aki, haru)
    made = await issued(world, haru, kind="room", room=room.id)
    results = await asyncio.gather(
        *(invites.redeem(world.desk, ken, g.InviteKey(token=token_of(made))) for _ in range(5)),
        return_exceptions=True,
    )
    joined = [r for r in results if isinstance(r, g.Redeemed)]
    assert joined[0].room == room.id
    assert {r.code for r in results if isinstance(r, Refusal)} <= {"invite_invalid"}
    told = [p for p in world.of(f"user:{haru.account}") if p.kind == "invite.redeemed"]
    assert len(told) == 1
    assert not any(p.kind == "invite.redeemed" for p in world.of(f"user:{aki.account}"))
    with pytest.raises(Refusal) as refused:
        await issued(world, ken, kind="service", room=room.id)
    assert refused.value.code == "bad_request"
    stranger = await world.person("mio")
    with pytest.raises(Refusal) as refused:
        await issued(world, stranger, kind="room", room=room.id)
    assert refused.value.code == "not_found"


# The arithmetic

LIMITS = InviteLimits(10, 7, 500, 366)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (InviteFacts("live", 100, 0, 1, 0, True), InviteState.LIVE),
        (InviteFacts("live", 50, 0, 1, 0, True), InviteState.EXPIRED),
        (InviteFacts("live", 100, 1, 1, 0, True), InviteState.REDEEMED),
        (InviteFacts("live", 100, 0, 1, 1, True), InviteState.REDEEMED),
        (InviteFacts("live", 100, 1, 3, 1, True), InviteState.LIVE),
        (InviteFacts("live", 100, 1, 3, 2, True), InviteState.REDEEMED),
        (InviteFacts("paused", 100, 0, 1, 0, True), InviteState.PAUSED),
        (InviteFacts("paused", 50, 0, 1, 0, True), InviteState.EXPIRED),
        (InviteFacts("revoked", 50, 1, 1, 0, True), InviteState.REVOKED),
        (InviteFacts("redeemed", 50, 1, 1, 0, True), InviteState.REDEEMED),
        (InviteFacts("live", 100, 0, 1, 0, False), InviteState.REVOKED),
    ],
)
def test_what_an_invite_is_worth(facts: InviteFacts, expected: InviteState) -> None:
    assert worth(facts, 50) is expected


@pytest.mark.parametrize(
    ("facts", "uses", "days", "expected"),
    [
        (IssuerFacts("member", False, 0), 1, 7, None),
        (IssuerFacts("member", False, 9), 1, 7, None),
        (IssuerFacts("member", False, 10), 1, 7, "invite_quota"),
        (IssuerFacts("member", False, 0), 2, 7, "forbidden"),
        (IssuerFacts("member", False, 0), 1, 8, "forbidden"),
        (IssuerFacts("member", True, 0), 1, 7, "forbidden"),
        (IssuerFacts("operator", False, 99), 500, 366, None),
        (IssuerFacts("operator", False, 0), 501, 1, "bad_request"),
        (IssuerFacts("operator", True, 0), 1, 1, "forbidden"),
    ],
)
def test_who_may_issue_what(facts: IssuerFacts, uses: int, days: int, expected: str | None) -> None:
    assert issue_verdict(facts, uses, days, LIMITS) == expected


@pytest.mark.parametrize(
    ("typed", "folded"),
    [
        ("ABCD-EFGH-JKMN", "ABCDEFGHJKMN"),
        ("abcd efgh jkmn", "ABCDEFGHJKMN"),
        ("ＡＢＣＤ－ＥＦＧＨ－ＪＫＭＮ", "ABCDEFGHJKMN"),
        ("abcdーefghーjkmn", "ABCDEFGHJKMN"),
        ("O0oI-1lLi-2345", "000111112345"),
        ("ABCD-EFGH-JKM", ""),
        ("ABCD-EFGH-JKM!", ""),
        ("", ""),
    ],
)
def test_codes_are_read_as_people_type_them(typed: str, folded: str) -> None:
    assert fold_code(typed) == folded


def test_codes_are_shown_in_fours() -> None:
    assert show_code("ABCDEFGHJKMN") == "ABCD-EFGH-JKMN"


async def test_the_list_says_what_one_may_issue(world: World) -> None:
    aki = await world.person("aki")
    limits = world.desk.settings.limits
    mine = await invites.list_invites(world.desk, aki, Empty())
    assert (mine.uses_max, mine.days_max) == (1, limits.invite_days_max)
    await world.desk.db.write(lambda tx: set_role(tx, aki.account, "operator"))
    mine = await invites.list_invites(world.desk, aki, Empty())
    assert (mine.uses_max, mine.days_max) == (
        limits.operator_invite_uses_max,
        limits.operator_invite_days_max,
    )
