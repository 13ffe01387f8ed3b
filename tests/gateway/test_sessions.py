"""Who calls: bearer tokens, cookies with their Origin, tickets, the demo's link, addresses behind proxies."""

from __future__ import annotations

from typing import Any

import httpx2
import orjson
import pytest
from structlog.testing import capture_logs
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from channels import tickets
from channels.accounts import NewAccount
from gateway.auth import COOKIE
from gateway.demo import PEOPLE, link_key
from gateway.peers import client_of
from loadtest.client import Client
from realtime.closes import Close
from realtime.settings import Limits
from tests.support.http import Reply, http_client, post, send
from tests.support.nodes import RunningNode, Start

DAY_MS = 86_400_000


async def sql(server: RunningNode, statement: str, **values: Any) -> None:
    """Change the database beneath the server."""
    await server.node.desk.db.write(lambda tx: tx.rows(statement, **values))


async def by_cookie(server: RunningNode, token: str, **headers: str) -> Reply:
    """`room.list` with a cookie instead of a bearer token."""
    return await send(server.url, "/api/v1/room.list", b"{}", {"Cookie": f"{COOKIE}={token}", **headers})


def address(server: RunningNode) -> str:
    """The origin of the server's own page."""
    return f"http://127.0.0.1:{server.port}"


# Tokens


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer tsd_wrong",
        "Bearer " + "x" * 4_000,
        "Basic dTpw",
        "Bearer é",
    ],
)
async def test_without_a_good_token_everyone_gets_the_same_answer(
    start_node: Start, authorization: str
) -> None:
    server = await start_node()
    headers = {"Authorization": authorization.encode("latin-1")} if authorization else {}
    async with http_client(server.url) as client:
        answer = await client.post("/api/v1/room.list", headers=headers)
    assert told(Reply(answer.status_code, answer.json(), answer.headers)) == NOTHING


def told(reply: Reply) -> tuple[Any, ...]:
    """All that a refusal tells, but for the id of the request."""
    return reply.status, reply.code, reply.error["message"], reply.error["details"]


NOTHING = (401, "unauthenticated", "No valid session came with the request.", {})
"""The one answer that tells nothing."""


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer"])
async def test_a_good_token_is_taken(start_node: Start, scheme: str) -> None:
    server = await start_node()
    (aki,) = await server.friends("aki")
    reply = await send(server.url, "/api/v1/room.list", b"", {"Authorization": f"{scheme} {aki.token}"})
    assert reply.ok["rooms"] == []


async def test_a_revoked_session_is_over(start_node: Start) -> None:
    server = await start_node()
    (aki,) = await server.friends("aki")
    await sql(server, "update session set revoked_at = 1 where id = :id", id=aki.session)
    assert told(await post(server.url, "room.list", aki.token)) == NOTHING


async def test_a_session_unused_for_90_days_is_over(start_node: Start) -> None:
    server = await start_node()
    aki, haru = await server.friends("aki", "haru")
    now = server.node.clock_ms()
    used = "update session set used_at = :at where id = :id"
    await sql(server, used, id=aki.session, at=now - 90 * DAY_MS - 1_000)
    await sql(server, used, id=haru.session, at=now - 90 * DAY_MS + 60_000)
    assert told(await post(server.url, "room.list", aki.token)) == NOTHING
    assert (await post(server.url, "room.list", haru.token)).status == 200
    rows = await server.node.desk.db.read(
        lambda tx: tx.rows("select used_at from session where id = :id", id=haru.session)
    )
    assert rows[0][0] >= now


async def test_a_suspended_account_is_told_so(start_node: Start) -> None:
    server = await start_node()
    (aki,) = await server.friends("aki")
    ticket = (await post(server.url, "session.ticket", aki.token)).ok["ticket"]
    await sql(server, "update account set state = 'suspended' where id = :id", id=aki.account.id)
    reply = await post(server.url, "room.list", aki.token)
    assert (reply.status, reply.code) == (403, "forbidden")
    assert reply.error["details"] == {"reason": "suspended"}
    assert await refused(server, {"token": aki.token}) == ("forbidden", Close.SUSPENDED)
    assert await refused(server, {"ticket": ticket}) == ("forbidden", Close.SUSPENDED)


@pytest.mark.parametrize("name", ["token", "access_token", "session", "authorization", "ticket", COOKIE])
async def test_no_token_is_taken_from_an_address(start_node: Start, name: str) -> None:
    server = await start_node()
    (aki,) = await server.friends("aki")
    assert told(await send(server.url, f"/api/v1/room.list?{name}={aki.token}", b"{}", {})) == NOTHING


# Cookies


async def test_a_cookie_needs_our_own_origin(start_node: Start) -> None:
    server = await start_node()
    (aki,) = await server.friends("aki")
    assert (await by_cookie(server, aki.token, Origin=address(server))).status == 200
    local = f"localhost:{server.port}"
    assert (await by_cookie(server, aki.token, Origin=f"http://{local}", Host=local)).status == 200


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (None, None),
        ("", None),
        ("null", None),
        ("http://evil.example", None),
        ("http://evil.example", "evil.example"),
        ("http://evil.example:{port}", "evil.example:{port}"),
        ("http://127.0.0.1.evil.example:{port}", "127.0.0.1.evil.example:{port}"),
        ("http://localhost.evil.example:{port}", "localhost.evil.example:{port}"),
        ("http://127.0.0.1:{port}", "evil.example"),
        ("http://127.0.0.1:{port}.evil.example", None),
        ("http://127.0.0.1:1", None),
        ("https://127.0.0.1:{port}", None),
        ("http://127.0.0.1:{port}/", None),
        ("http://127.0.0.1:{port}@evil.example", "127.0.0.1:{port}@evil.example"),
    ],
)
async def test_a_cookie_from_elsewhere_is_refused(
    start_node: Start, origin: str | None, host: str | None
) -> None:
    server = await start_node()
    (aki,) = await server.friends("aki")
    headers = {"Origin": origin, "Host": host}
    given = {name: value.format(port=server.port) for name, value in headers.items() if value is not None}
    reply = await by_cookie(server, aki.token, **given)
    assert (reply.status, reply.code) == (403, "forbidden")
    assert (await by_cookie(server, "tsd_wrong", **given)).error["message"] == reply.error["message"]


async def test_the_public_address_and_the_list_of_origins_are_allowed(start_node: Start) -> None:
    server = await start_node(public_url="https://tsudoi.example/", origins=("https://app.example",))
    (aki,) = await server.friends("aki")
    for origin in ("https://tsudoi.example", "https://app.example"):
        assert (await by_cookie(server, aki.token, Origin=origin)).status == 200
    for origin in ("http://tsudoi.example", "https://tsudoi.example:8443", "https://x.app.example"):
        assert (await by_cookie(server, aki.token, Origin=origin)).code == "forbidden"


async def test_two_origins_are_none(start_node: Start) -> None:
    server = await start_node()
    (aki,) = await server.friends("aki")
    headers = [
        ("Cookie", f"{COOKIE}={aki.token}"),
        ("Origin", address(server)),
        ("Origin", "http://evil.example"),
    ]
    async with http_client(server.url) as client:
        assert (await client.post("/api/v1/room.list", headers=headers)).status_code == 403


async def test_a_bearer_needs_no_origin_and_wins_over_a_cookie(start_node: Start) -> None:
    server = await start_node()
    aki, haru = await server.friends("aki", "haru")
    headers = {
        "Authorization": f"Bearer {aki.token}",
        "Cookie": f"{COOKIE}={haru.token}",
        "Origin": "http://evil.example",
    }
    reply = await send(server.url, "/api/v1/session.ticket", b"{}", headers)
    assert server.node.tickets.use(reply.ok["ticket"]) == aki.session


async def test_a_server_that_others_reach_believes_no_host(start_node: Start) -> None:
    server = await start_node(host="0.0.0.0")
    (aki,) = await server.friends("aki")
    assert (await by_cookie(server, aki.token, Origin=address(server))).code == "forbidden"


# Tickets


async def ticket_of(server: RunningNode, account: NewAccount) -> str:
    """A ticket as a page gets it: by its cookie."""
    headers = {"Cookie": f"{COOKIE}={account.token}", "Origin": address(server)}
    return str((await send(server.url, "/api/v1/session.ticket", b"", headers)).ok["ticket"])


async def refused(server: RunningNode, credential: dict[str, str]) -> tuple[str, int | None]:
    """A `connect` that fails: the error's code, and the code of the close that follows."""
    async with connect(server.ws_url, compression=None) as socket:
        await socket.recv()
        await socket.send(
            orjson.dumps({"id": 1, "op": "connect", "d": {**credential, "client": {"name": "t"}}}), text=True
        )
        answer = orjson.loads(await socket.recv())
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        return answer["error"]["code"], socket.close_code


async def test_a_ticket_connects_once(start_node: Start) -> None:
    server = await start_node()
    (aki,) = await server.friends("aki")
    ticket = await ticket_of(server, aki)
    async with connect(
        server.ws_url, additional_headers={"Origin": address(server)}, compression=None
    ) as socket:
        await socket.recv()
        frame = {"id": 1, "op": "connect", "d": {"ticket": ticket, "client": {"name": "page"}}}
        await socket.send(orjson.dumps(frame), text=True)
        answer = orjson.loads(await socket.recv())
        assert answer["ok"]["account"]["handle"] == "aki"
        assert answer["ok"]["session"] == aki.session
        assert await refused(server, {"ticket": ticket}) == ("unauthenticated", Close.SESSION_INVALID)


async def test_a_ticket_expires(start_node: Start) -> None:
    server = await start_node()
    (aki,) = await server.friends("aki")
    reply = await post(server.url, "session.ticket", aki.token)
    now = server.node.clock_ms()
    assert now < reply.ok["expires_at"] <= now + 60_000
    key = await server.node.desk.db.read(
        lambda tx: tx.rows("select value from meta where name = 'ticket_key'")
    )
    late = tickets.make(key[0][0], aki.session, now - 1)
    assert await refused(server, {"ticket": late}) == ("unauthenticated", Close.SESSION_INVALID)


async def test_a_forged_ticket_is_refused(start_node: Start) -> None:
    server = await start_node()
    aki, haru = await server.friends("aki", "haru")
    good = await ticket_of(server, aki)
    version, session, expires, random, signature = good.split(".")
    forged = [
        ".".join((version, haru.session, expires, random, signature)),
        ".".join((version, session, str(int(expires) + 1), random, signature)),
        ".".join((version, session, expires, random, signature[::-1])),
        ".".join(("t2", session, expires, random, signature)),
        tickets.make(tickets.new_key(), aki.session, int(expires)),
        good + ".", good[:-1], good + "あ", "x", "....", "t1....", aki.session,
    ]  # fmt: skip
    for ticket in forged:
        assert await refused(server, {"ticket": ticket}) == ("unauthenticated", Close.SESSION_INVALID), ticket
    assert server.node.tickets.use(good) == aki.session


async def test_a_ticket_is_no_token_and_a_token_no_ticket(start_node: Start) -> None:
    server = await start_node()
    (aki,) = await server.friends("aki")
    ticket = await ticket_of(server, aki)
    assert told(await post(server.url, "room.list", ticket)) == NOTHING
    assert (await refused(server, {"token": ticket}))[0] == "unauthenticated"
    assert (await refused(server, {"ticket": aki.token}))[0] == "unauthenticated"
    assert (await refused(server, {"token": aki.token, "ticket": ticket}))[0] == "bad_request"
    assert (await refused(server, {}))[0] == "bad_request"


async def test_a_ticket_of_a_revoked_session_is_refused(start_node: Start) -> None:
    server = await start_node()
    (aki,) = await server.friends("aki")
    ticket = await ticket_of(server, aki)
    await sql(server, "update session set revoked_at = 1 where id = :id", id=aki.session)
    assert await refused(server, {"ticket": ticket}) == ("unauthenticated", Close.SESSION_INVALID)


# The demo


async def demo_post(
    server: RunningNode, path: str, origin: str | None = None, **fields: Any
) -> httpx2.Response:
    """A call of the demo's page."""
    headers = {"Origin": address(server) if origin is None else origin}
    async with http_client(server.url) as client:
        return await client.post(path, json=fields, headers={k: v for k, v in headers.items() if v})


async def test_the_demo_gives_a_session_to_who_holds_the_link(start_node: Start) -> None:
    server = await start_node(demo=True)
    key = await link_key(server.node.desk)
    people = (await demo_post(server, "/demo/people", key=key)).json()["ok"]["people"]
    assert [(each["handle"], each["name"]) for each in people] == list(PEOPLE)
    answer = await demo_post(server, "/demo/session", key=key, handle="mio")
    assert answer.json()["ok"]["account"]["handle"] == "mio"
    assert answer.headers["cache-control"] == "no-store"
    name, _, rest = answer.headers["set-cookie"].partition("=")
    token, *attributes = [part.strip() for part in rest.split(";")]
    assert name == COOKIE
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(attributes)
    assert token not in answer.text
    reply = await by_cookie(server, token, Origin=address(server))
    assert [room["title"] for room in reply.ok["rooms"]] == ["はじめての集い"]
    async with Client(server.ws_url, token) as client:
        assert client.connected["account"]["handle"] == "mio"


async def test_a_cookie_for_https_is_secure(start_node: Start) -> None:
    server = await start_node(demo=True, public_url="https://tsudoi.example")
    key = await link_key(server.node.desk)
    answer = await demo_post(server, "/demo/session", "https://tsudoi.example", key=key, handle="aki")
    assert "secure" in answer.headers["set-cookie"].lower()


@pytest.mark.parametrize("path", ["/demo/people", "/demo/session"])
async def test_the_demo_needs_key_and_origin(start_node: Start, path: str) -> None:
    server = await start_node(demo=True)
    key = await link_key(server.node.desk)
    for origin, given, status in (
        ("http://evil.example", key, 403),
        ("", key, 403),
        (None, "", 403),
        (None, "あ", 403),
        (None, key[:-1], 403),
        (None, 5, 400),
    ):
        answer = await demo_post(server, path, origin, key=given, handle="aki")
        assert answer.status_code == status, (origin, given)
        assert "set-cookie" not in answer.headers
    assert (await demo_post(server, path, handle="aki")).status_code == 400
    assert (await demo_post(server, path, key=key, handle="aki", more=1)).status_code == 400
    if path == "/demo/session":
        assert (await demo_post(server, path, key=key, handle="nobody")).status_code == 404


@pytest.mark.parametrize("path", ["/demo/people", "/demo/session"])
async def test_outside_the_demo_there_is_no_way_in(start_node: Start, path: str) -> None:
    server = await start_node()
    assert (await demo_post(server, path, key="", handle="aki")).status_code == 404


# Addresses and the log


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "expected"),
    [
        ("10.0.0.1", ["1.2.3.4"], (), "10.0.0.1"),
        ("10.0.0.9", ["1.2.3.4"], ("10.0.0.1",), "10.0.0.9"),
        ("10.0.0.1", ["1.2.3.4"], ("10.0.0.1",), "1.2.3.4"),
        ("10.0.0.1", ["6.6.6.6, 1.2.3.4"], ("10.0.0.0/8",), "1.2.3.4"),
        ("10.0.0.1", ["6.6.6.6", "1.2.3.4, 10.0.0.2"], ("10.0.0.0/8",), "1.2.3.4"),
        ("10.0.0.1", ["6.6.6.6, nonsense, 10.0.0.2"], ("10.0.0.0/8",), "10.0.0.2"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], ("10.0.0.0/8",), "10.0.0.3"),
        ("10.0.0.1", [], ("10.0.0.1",), "10.0.0.1"),
        ("10.0.0.1", ["", " , "], ("10.0.0.1",), "10.0.0.1"),
        ("::1", ["2001:db8::5"], ("::1",), "2001:db8::5"),
        ("10.0.0.1", ["1.2.3.4"], ("nonsense",), "10.0.0.1"),
        ("10.0.0.1", ["6.6.6.6, 1.2.3.4"], ("*",), "6.6.6.6"),
        ("", ["1.2.3.4"], ("10.0.0.1",), ""),
    ],
)
def test_only_trusted_proxies_are_believed(
    peer: str, forwarded: list[str], trusted: tuple[str, ...], expected: str
) -> None:
    assert client_of(peer, forwarded, trusted) == expected


@pytest.mark.parametrize("trusted", [True, False])
async def test_addresses_are_those_of_clients(start_node: Start, trusted: bool) -> None:
    server = await start_node(
        Limits(operations_burst=1, operations_per_s=0.01), trusted_proxies=("127.0.0.1",) if trusted else ()
    )
    forwarded = [{"X-Forwarded-For": f"6.6.6.6, 192.0.2.{n}"} for n in range(8)]
    statuses = {(await send(server.url, "/api/v1/clock.read", b"", headers)).status for headers in forwarded}
    assert statuses == ({200} if trusted else {200, 429})
    with capture_logs() as logs:
        async with connect(server.ws_url, additional_headers=forwarded[0], compression=None) as socket:
            await socket.recv()
            await socket.send('{"op":"connect","id":1,"d":{"token":"tsd_wrong","client":{"name":"t"}}}')
            await socket.recv()
        await send(server.url, "/api/v1/room.list", b"", {**forwarded[0], "Origin": "http://evil.example"})
    peer = "192.0.2.0" if trusted else "127.0.0.1"
    assert [(entry["event"], entry["code"], entry["peer"]) for entry in logs] == [
        ("connect refused", "unauthenticated", peer),
        ("refused", "unauthenticated", peer),
    ]
    assert logs[1]["origin"] == "http://evil.example"
