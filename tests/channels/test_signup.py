"""Sign-up, log-in and sessions on both back ends (FEATURES §2, J1, I10)."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from channels import codes, invites, sessions, signup
from channels.arrival import Credential, authenticate
from channels.desk import Actor, Visitor
from realtime import gate as g
from realtime.errors import Refusal
from realtime.requests import Empty
from storage.accounts import set_state
from tests.support.world import World

HERE = Visitor("192.0.2.7")


async def invited(world: World, actor: Actor, **fields: Any) -> str:
    made = await invites.create(world.desk, actor, g.InviteCreate(nonce=world.nonce, **fields))
    return made.link.partition("#")[2]


async def letters(world: World) -> list[dict[str, Any]]:
    """The letters that wait, oldest first, with the code that the sender would write."""
    rows = await world.desk.db.read(lambda tx: tx.rows("select address, kind, facts from letter order by id"))
    found = []
    for address, kind, facts in rows:
        known = orjson.loads(facts)
        code = codes.code_of(world.desk.secret, known["seed"]) if "seed" in known else None
        found.append({"address": address, "kind": kind, "code": code})
    return found


async def to_profile(world: World, token: str, address: str) -> str:
    """A sign-up up to its last step; the attempt."""
    begun = await signup.begin(world.desk, HERE, g.InviteKey(token=token))
    request = g.AccountAddress(attempt=begun.attempt, address=address, adult=True, terms="1")
    await signup.give_address(world.desk, HERE, request)
    code = (await letters(world))[-1]["code"]
    await signup.verify(world.desk, HERE, g.AccountVerify(attempt=begun.attempt, code=code or ""))
    return begun.attempt


async def signed_up(world: World, token: str, handle: str, **fields: Any) -> g.Entered:
    attempt = await to_profile(world, token, f"{handle}@example.com")
    return await signup.create(
        world.desk, HERE, g.AccountCreate(attempt=attempt, handle=handle, name=handle, **fields)
    )


async def test_a_newcomer_comes_in_follows_and_the_inviter_is_told(world: World) -> None:
    (aki,) = await world.people("aki")
    token = await invited(world, aki)
    begun = await signup.begin(world.desk, HERE, g.InviteKey(token=token))
    assert (begun.step, begun.invite.issuer.handle if begun.invite else "") == ("address", "aki")
    assert begun.terms == "1"
    request = g.AccountAddress(attempt=begun.attempt, address=" Mio@Example.com ", adult=True, terms="1")
    assert (await signup.give_address(world.desk, HERE, request)).step == "code"
    (letter,) = await letters(world)
    assert (letter["address"], letter["kind"]) == ("mio@example.com", "code")
    full_width = "".join(chr(ord(c) + 0xFEE0) for c in letter["code"])
    verified = await signup.verify(world.desk, HERE, g.AccountVerify(attempt=begun.attempt, code=full_width))
    assert verified.step == "profile"
    resumed = await signup.resume(world.desk, HERE, g.AttemptRef(attempt=begun.attempt))
    assert (resumed.step, resumed.address, resumed.terms) == ("profile", "Mio@Example.com", "1")
    entered = await signup.create(
        world.desk, HERE, g.AccountCreate(attempt=begun.attempt, handle="Mio_3", name="みお", label="電話")
    )
    assert entered.account.handle == "mio_3"
    actor = await authenticate(world.desk, Credential(token=entered.token or ""))
    assert actor.account == entered.account.id
    told = [p for p in world.of(f"user:{aki.account}") if p.kind == "invite.redeemed"]
    assert orjson.loads(told[0].frame)["d"]["account"]["handle"] == "mio_3"
    follows = await world.desk.db.read(lambda tx: tx.rows("select follower, followee from follow"))
    assert follows == [(entered.account.id, aki.account)]
    state = (await invites.list_invites(world.desk, aki, Empty())).invites[0]
    assert (state.state, state.uses) == ("redeemed", 1)


async def test_the_box_may_be_cleared_and_the_room_is_joined(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    room = await world.group(aki, haru)
    token = await invited(world, aki, kind="room", room=room.id)
    entered = await signed_up(world, token, "mio", follow_inviter=False)
    inside = await world.desk.db.read(
        lambda tx: tx.rows("select state from member where account = :id", id=entered.account.id)
    )
    assert inside == [("inside",)]
    follows = await world.desk.db.read(
        lambda tx: tx.rows("select 1 from follow where follower = :id", id=entered.account.id)
    )
    assert follows == []


async def test_of_a_hundred_racers_for_one_use_one_wins(world: World) -> None:
    (aki,) = await world.people("aki")
    token = await invited(world, aki)
    results = await asyncio.gather(
        *(signup.begin(world.desk, HERE, g.InviteKey(token=token)) for _ in range(100)),
        return_exceptions=True,
    )
    won = [r for r in results if isinstance(r, g.Attempt)]
    lost = [r for r in results if isinstance(r, Refusal)]
    assert (len(won), len(lost)) == (1, 99)
    assert {r.code for r in lost} == {"invite_invalid"}


async def test_a_failed_or_late_sign_up_gives_the_use_back(world: World) -> None:
    (aki,) = await world.people("aki")
    token = await invited(world, aki)
    first = await signup.begin(world.desk, HERE, g.InviteKey(token=token))
    await world.desk.db.write(lambda tx: tx.rows("update attempt set expires_at = 1"))
    with pytest.raises(Refusal) as gone:
        await signup.resume(world.desk, HERE, g.AttemptRef(attempt=first.attempt))
    assert gone.value.code == "not_found"
    attempt = await to_profile(world, token, "mio@example.com")
    for handle, code in (("aki", "handle_taken"), ("a b", "text_invalid"), ("admin", "handle_taken")):
        with pytest.raises(Refusal) as refused:
            await signup.create(
                world.desk, HERE, g.AccountCreate(attempt=attempt, handle=handle, name="みお")
            )
        assert refused.value.code == code
    with pytest.raises(Refusal) as refused:
        await signup.create(
            world.desk, HERE, g.AccountCreate(attempt=attempt, handle="mio", name="運営チーム")
        )
    assert refused.value.code == "text_invalid"
    entered = await signup.create(
        world.desk, HERE, g.AccountCreate(attempt=attempt, handle="mio", name="みお")
    )
    assert entered.account.handle == "mio"
    with pytest.raises(Refusal):
        await signup.create(world.desk, HERE, g.AccountCreate(attempt=attempt, handle="mio2", name="みお"))


async def test_whoever_holds_the_link_may_begin_again_in_another_browser(world: World) -> None:
    """An in-app browser forgot, a mail app came between: a minute and a half later the link works again (J16)."""
    (aki,) = await world.people("aki")
    token = await invited(world, aki)
    key = g.InviteKey(token=token)
    lost = await signup.begin(world.desk, HERE, key)
    with pytest.raises(Refusal) as held:
        await signup.begin(world.desk, HERE, key)
    assert held.value.details["reason"] == "redeemed"
    await world.desk.db.write(lambda tx: tx.rows("update attempt set touched_at = 1"))
    assert (await invites.look(world.desk, HERE, key)).issuer.handle == "aki"
    again = await asyncio.gather(
        *(signup.begin(world.desk, HERE, key) for _ in range(5)), return_exceptions=True
    )
    assert sum(isinstance(found, g.Attempt) for found in again) == 1
    with pytest.raises(Refusal) as gone:
        await signup.resume(world.desk, HERE, g.AttemptRef(attempt=lost.attempt))
    assert gone.value.code == "not_found"


async def test_a_confirmed_address_holds_its_use(world: World) -> None:
    (aki,) = await world.people("aki")
    token = await invited(world, aki)
    attempt = await to_profile(world, token, "mio@example.com")
    await world.desk.db.write(lambda tx: tx.rows("update attempt set touched_at = 1"))
    with pytest.raises(Refusal):
        await signup.begin(world.desk, HERE, g.InviteKey(token=token))
    entered = await signup.create(
        world.desk, HERE, g.AccountCreate(attempt=attempt, handle="mio", name="みお")
    )
    assert entered.account.handle == "mio"


async def test_a_known_and_an_unknown_address_cannot_be_told_apart(world: World) -> None:
    """Same answers, same statements; only the letters differ, and only their owner reads them (FAULTS S18)."""
    (aki,) = await world.people("aki")
    await signed_up(world, await invited(world, aki), "mio")
    traces = {}
    for address in ("mio@example.com", "nobody@example.com"):
        statements: list[str] = []
        with pytest.MonkeyPatch.context() as patch:
            from storage import postgres, sqlite
            from tests.channels.test_invites import recorded

            for kind in (sqlite.SqliteTx, postgres.PostgresTx):
                patch.setattr(kind, "rows", recorded(kind.rows, statements))
            begun = await signup.begin_login(world.desk, HERE, g.SessionBegin(address=address))
            with pytest.raises(Refusal) as refused:
                await signup.login(world.desk, HERE, g.SessionCreate(attempt=begun.attempt, code="000000"))
        answer = (begun.step, refused.value.code, refused.value.message, refused.value.details)
        traces[address] = (answer, tuple(statements))
    assert traces["mio@example.com"] == traces["nobody@example.com"]
    kinds = [letter["kind"] for letter in await letters(world)]
    assert kinds[-2:] == ["code", "nothing"]
    token = await invited(world, aki)
    begun = await signup.begin(world.desk, HERE, g.InviteKey(token=token))
    request = g.AccountAddress(attempt=begun.attempt, address="MIO@example.com", adult=True, terms="1")
    assert (await signup.give_address(world.desk, HERE, request)).step == "code"
    assert (await letters(world))[-1] == {"address": "mio@example.com", "kind": "known", "code": None}


async def test_a_code_lives_ten_minutes_and_five_tries(world: World) -> None:
    (aki,) = await world.people("aki")
    await signed_up(world, await invited(world, aki), "mio")
    for spoil in ("tries", "time", "used"):
        begun = await signup.begin_login(world.desk, HERE, g.SessionBegin(address="mio@example.com"))
        code = (await letters(world))[-1]["code"]
        right = g.SessionCreate(attempt=begun.attempt, code=code or "")
        if spoil == "tries":
            wrong = "000000" if code != "000000" else "111111"
            for _ in range(5):
                with pytest.raises(Refusal):
                    await signup.login(world.desk, HERE, g.SessionCreate(attempt=begun.attempt, code=wrong))
        elif spoil == "time":
            await world.desk.db.write(lambda tx: tx.rows("update attempt set code_expires_at = 1"))
        else:
            await signup.login(world.desk, HERE, right)
        with pytest.raises(Refusal) as refused:
            await signup.login(world.desk, HERE, right)
        assert refused.value.code in ("code_wrong", "not_found")


async def test_mails_and_tries_are_bounded_per_address(world: World) -> None:
    await world.people("aki")
    for address in ("a@example.com", "b@example.com"):
        for _ in range(5):
            await signup.begin_login(world.desk, HERE, g.SessionBegin(address=address))
        with pytest.raises(Refusal) as refused:
            await signup.begin_login(world.desk, HERE, g.SessionBegin(address=address))
        assert refused.value.code == "rate_limited"
    begun = await signup.begin_login(world.desk, HERE, g.SessionBegin(address="c@example.com"))
    outcomes = []
    for _ in range(21):
        with pytest.raises(Refusal) as refused:
            await signup.login(world.desk, HERE, g.SessionCreate(attempt=begun.attempt, code="123123"))
        outcomes.append(refused.value.code)
    assert outcomes == ["code_wrong"] * 20 + ["rate_limited"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"adult": False}, "underage"),
        ({"terms": "0"}, "conflict"),
        ({"address": "no address"}, "text_invalid"),
        ({"address": "a@b"}, "text_invalid"),
        ({"address": "a\r\nBcc: x@example.com"}, "text_invalid"),
        ({"attempt": "wrong"}, "not_found"),
    ],
)
async def test_a_bad_step_is_refused(world: World, fields: dict[str, Any], code: str) -> None:
    (aki,) = await world.people("aki")
    begun = await signup.begin(world.desk, HERE, g.InviteKey(token=await invited(world, aki)))
    good = {"attempt": begun.attempt, "address": "mio@example.com", "adult": True, "terms": "1"}
    with pytest.raises(Refusal) as refused:
        await signup.give_address(world.desk, HERE, g.AccountAddress(**{**good, **fields}))
    assert refused.value.code == code
    assert await letters(world) == []


async def test_one_account_per_address(world: World) -> None:
    (aki,) = await world.people("aki")
    attempts = [await to_profile(world, await invited(world, aki), "mio@example.com") for _ in range(2)]
    results = await asyncio.gather(
        *(
            signup.create(world.desk, HERE, g.AccountCreate(attempt=a, handle=f"mio{n}", name="みお"))
            for n, a in enumerate(attempts)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(r, g.Entered) for r in results) == 1
    assert {r.code for r in results if isinstance(r, Refusal)} == {"conflict"}


async def test_sessions_are_listed_ended_and_told_of(world: World) -> None:
    (aki,) = await world.people("aki")
    entered = await signed_up(world, await invited(world, aki), "mio", label="電話")
    begun = await signup.begin_login(world.desk, HERE, g.SessionBegin(address="mio@example.com"))
    code = (await letters(world))[-1]["code"]
    second = await signup.login(
        world.desk, HERE, g.SessionCreate(attempt=begun.attempt, code=code or "", label="机")
    )
    actor = Actor(entered.account.id, second.session)
    listed = (await sessions.list_sessions(world.desk, actor, Empty())).sessions
    assert {(s.label, s.current) for s in listed} == {("電話", False), ("机", True)}
    kinds = [p.kind for p in world.of(f"user:{actor.account}")]
    assert kinds == ["session.created"]
    assert (await letters(world))[-1]["kind"] == "new_device"
    other = await world.person("ken")
    with pytest.raises(Refusal) as refused:
        await sessions.revoke(world.desk, other, g.SessionRef(session=second.session))
    assert refused.value.code == "not_found"
    assert (await sessions.revoke_all(world.desk, actor, g.SessionRevokeAll(others=True))).ended == 1
    with pytest.raises(Refusal):
        await authenticate(world.desk, Credential(token=entered.token or ""))
    await authenticate(world.desk, Credential(token=second.token or ""))
    await sessions.log_out(world.desk, actor, Empty())
    with pytest.raises(Refusal):
        await authenticate(world.desk, Credential(token=second.token or ""))
    revoked = [p for p in world.of(f"user:{actor.account}") if p.kind == "session.revoked"]
    assert {p.target for p in revoked} == {entered.session, second.session}


async def test_the_suspended_do_not_come_in_and_the_deleted_come_back(world: World) -> None:
    (aki,) = await world.people("aki")
    entered = await signed_up(world, await invited(world, aki), "mio")
    for state, inside in (("suspended", False), ("deleted", True)):
        await world.desk.db.write(lambda tx, s=state: set_state(tx, entered.account.id, s))
        begun = await signup.begin_login(world.desk, HERE, g.SessionBegin(address="mio@example.com"))
        code = (await letters(world))[-1]["code"]
        request = g.SessionCreate(attempt=begun.attempt, code=code or "")
        if inside:
            assert (await signup.login(world.desk, HERE, request)).account.id == entered.account.id
        else:
            with pytest.raises(Refusal) as refused:
                await signup.login(world.desk, HERE, request)
            assert refused.value.code == "forbidden"


async def test_nothing_stored_holds_a_secret(world: World) -> None:
    (aki,) = await world.people("aki")
    token = await invited(world, aki)
    begun = await signup.begin(world.desk, HERE, g.InviteKey(token=token))
    request = g.AccountAddress(attempt=begun.attempt, address="mio@example.com", adult=True, terms="1")
    await signup.give_address(world.desk, HERE, request)
    code = (await letters(world))[-1]["code"]
    assert code
    tables = ("invite", "attempt", "letter", "session", "nonce", "log", "tally", "account")
    stored = ""
    for table in tables:
        stored += repr(await world.desk.db.read(lambda tx, t=table: tx.rows(f"select * from {t}")))
    for secret in (token, begun.attempt, f"'{code}'", f'"{code}"'):
        assert secret not in stored
