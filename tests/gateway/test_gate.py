"""The gate end to end over real sockets: joining by an invite, browsers' sessions, and ends that close (J1, J2, F27)."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from channels import codes
from channels.entries import account_suspended, emit
from channels.sessions import end_sessions
from loadtest.client import Client
from realtime.closes import Close
from realtime.settings import Limits
from storage.accounts import set_state
from tests.support.http import Reply, http_client, post
from tests.support.nodes import RunningNode, Start
from tests.support.valkey import Shared, ValkeyServer
from tests.support.waiting import until

FREE = Limits(guest_rate_factor=1e6, operations_per_s=1e6, operations_burst=1e6)


async def guest(server: RunningNode, op: str, **fields: Any) -> Reply:
    """An operation of somebody without a session."""
    return await post(server.url, op, body=orjson.dumps(fields))


async def code_sent(server: RunningNode) -> str:
    """The code of the newest letter: what its reader would type."""
    rows = await server.node.desk.db.read(
        lambda tx: tx.rows("select facts from letter where kind = 'code' order by id desc limit 1")
    )
    return codes.code_of(server.node.desk.secret, orjson.loads(rows[0][0])["seed"])


async def come_in(server: RunningNode, key: dict[str, str], handle: str, **fields: Any) -> Any:
    """A whole sign-up by HTTP; what its last step answered."""
    begun = (await guest(server, "account.begin", **key)).ok
    attempt = begun["attempt"]
    address = f"{handle}@example.com"
    await guest(server, "account.address", attempt=attempt, address=address, adult=True, terms="1")
    verified = await guest(server, "account.verify", attempt=attempt, code=await code_sent(server))
    assert verified.ok["step"] == "profile"
    return (await guest(server, "account.create", attempt=attempt, handle=handle, name=handle, **fields)).ok


async def test_a_newcomer_comes_in_by_a_code_and_the_inviter_hears_it_live(start_node: Start) -> None:
    server = await start_node(FREE)
    aki, haru = await server.friends("aki", "haru")
    async with server.client(aki) as a, server.client(haru) as h:
        made = await a.call("invite.create", nonce="1")
        shown = (await guest(server, "invite.get", code=made["code"])).ok
        assert shown["issuer"]["handle"] == "aki"
        entered = await come_in(server, {"code": made["code"]}, "mio")
        await a.until(lambda: bool(a.heard("invite.redeemed")), 1)
        assert a.heard("invite.redeemed")[0]["d"]["account"]["handle"] == "mio"
        async with Client(server.ws_url, entered["token"]) as m:
            assert m.connected["account"]["handle"] == "mio"
            room = await m.call("room.open", account=aki.account.id)
            assert room["state"] == "draft"
        assert h.heard("invite.redeemed") == []
        assert (await guest(server, "invite.get", token="x" * 32)).code == "invite_invalid"


async def test_a_browser_gets_a_cookie_and_never_sees_the_token(start_node: Start) -> None:
    server = await start_node(FREE)
    aki, _ = await server.friends("aki", "haru")
    async with server.client(aki) as a:
        made = await a.call("invite.create", nonce="1")
    token = made["link"].partition("#")[2]
    begun = (await guest(server, "account.begin", token=token)).ok["attempt"]
    await post(
        server.url, "account.address", "", attempt=begun, address="m@example.com", adult=True, terms="1"
    )
    await guest(server, "account.verify", attempt=begun, code=await code_sent(server))
    last = {"attempt": begun, "handle": "mio", "name": "みお", "cookie": True}
    async with http_client(server.url) as browser:
        foreign = await browser.post(
            "/api/v1/account.create", json=last, headers={"origin": "https://evil.example"}
        )
        assert foreign.json()["error"]["code"] == "forbidden"
        assert "set-cookie" not in foreign.headers
        own = await browser.post("/api/v1/account.create", json=last, headers={"origin": server.url})
        assert own.json()["ok"]["token"] is None
        cookie = own.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        ticket = await browser.post("/api/v1/session.ticket", json={}, headers={"origin": server.url})
        assert ticket.json()["ok"]["ticket"]
        out = await browser.post("/api/v1/session.delete", json={}, headers={"origin": server.url})
        assert out.status_code == 200
        assert 'tsudoi_session=""' in out.headers["set-cookie"]
    kept = cookie.partition("tsudoi_session=")[2].partition(";")[0]
    assert (await post(server.url, "session.list", kept)).code == "unauthenticated"


async def test_guests_are_slowed_down_by_network(start_node: Start) -> None:
    server = await start_node()
    answers = [await guest(server, "invite.get", code="0000-0000-0000") for _ in range(12)]
    assert [a.code for a in answers[:10]] == ["invite_invalid"] * 10
    assert answers[-1].code == "rate_limited"


async def ends(client: Client, within_s: float) -> tuple[int | None, float]:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    async with asyncio.timeout(within_s):
        code = await client.ended()
    return code, loop.time() - begun


@pytest.mark.parametrize("how", ["revoke", "revoke_all", "suspend"])
async def test_an_ended_session_closes_on_every_node(
    postgres_url: str, valkey: Shared, start_node: Start, how: str
) -> None:
    common = {"database_url": postgres_url, "redis_url": valkey.url, "redis_prefix": valkey.prefix}
    one, two = await start_node(FREE, **common), await start_node(FREE, **common)
    aki, haru = await one.friends("aki", "haru")
    async with one.client(aki) as a, two.client(haru) as h, one.client(haru) as near:
        room = (await a.call("room.create", title="集い", accounts=[haru.account.id], nonce="1"))["id"]
        for client in (h, near):
            await client.until(lambda c=client: f"room:{room}" in c.ear.positions)
        if how == "suspend":
            await suspend(one, haru.account.id)
        elif how == "revoke":
            await post(one.url, "session.revoke", haru.token, session=haru.session)
        else:
            await post(one.url, "session.revoke_all", haru.token)
        sent = [await a.say(room, f"after {n}") for n in range(5)]
        for client in (h, near):
            code, _ = await ends(client, 1.0)
            assert code == (Close.SUSPENDED if how == "suspend" else Close.SESSION_INVALID)
            assert client.texts(room) == []
        assert len(sent) == 5
        assert (await post(two.url, "room.list", haru.token)).code == "unauthenticated"


async def suspend(server: RunningNode, account: str) -> None:
    """What an operator's suspension does."""

    def unit(tx: Any) -> None:
        set_state(tx, account, "suspended")
        emit(tx, [account_suspended(account)])
        end_sessions(tx, account)

    await server.node.desk.db.write(unit)


async def test_an_ended_session_closes_without_redis_too(
    postgres_url: str, own_valkey: ValkeyServer, start_node: Start
) -> None:
    common = {"database_url": postgres_url, "redis_url": own_valkey.url}
    one, two = await start_node(FREE, **common), await start_node(FREE, **common)
    (haru,) = await one.friends("haru")
    async with two.client(haru) as h:
        await asyncio.to_thread(own_valkey.kill)
        await until(lambda: not two.node.courier.healthy)
        await post(one.url, "session.revoke_all", haru.token)
        code, took_s = await ends(h, 2.0)
        assert code == Close.SESSION_INVALID
        assert took_s <= 2.0


async def test_of_a_hundred_racers_on_two_nodes_one_wins(
    postgres_url: str, valkey: Shared, start_node: Start
) -> None:
    common = {"database_url": postgres_url, "redis_url": valkey.url, "redis_prefix": valkey.prefix}
    nodes = [await start_node(FREE, **common) for _ in range(2)]
    (aki,) = await nodes[0].friends("aki")
    async with nodes[0].client(aki) as a:
        made = await a.call("invite.create", nonce="1")
        results = await asyncio.gather(
            *(post(nodes[n % 2].url, "account.begin", "", code=made["code"]) for n in range(100))
        )
        assert sum(r.status == 200 for r in results) == 1
        assert {r.code for r in results if r.status != 200} == {"invite_invalid"}
        listed = await a.call("invite.list")
        assert listed["invites"][0]["state"] == "live"
        await a.call("invite.revoke", invite=made["id"])
        assert (await a.call("invite.list"))["invites"][0]["state"] == "revoked"
