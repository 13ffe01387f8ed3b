"""Points of the security list that no other test proves (docs/security.md); each test bears its number."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from channels import accounts, invites, tickets
from loadtest.client import ServerRefusal
from realtime.closes import Close
from realtime.settings import Limits
from storage.database import StorageUnavailable
from tests.gateway.conformance import TEXT, Frame
from tests.support.http import http_client, post
from tests.support.nodes import Start

PUBLIC = "https://tsudoi.example"


@pytest.mark.parametrize(("public_url", "wanted"), [(PUBLIC, True), ("", False), ("http://192.0.2.1", False)])
async def test_s1_behind_https_browsers_are_told_to_stay_there(
    start_node: Start, public_url: str, wanted: bool
) -> None:
    server = await start_node(public_url=public_url)
    async with http_client(server.url) as client:
        for path in ("/", "/healthz", "/nothing", "/api/v1/room.list"):
            kept = (await client.get(path)).headers.get("strict-transport-security")
            assert kept == ("max-age=31536000" if wanted else None)


@pytest.mark.parametrize(
    ("public_url", "proto", "status"),
    [
        (PUBLIC, "http", 403),
        (PUBLIC, "ws", 403),
        (PUBLIC, "https, http", 403),
        (PUBLIC, "https", 101),
        (PUBLIC, "wss", 101),
        (PUBLIC, "http, https", 101),
        (PUBLIC, None, 101),
        ("", "http", 101),
    ],
)
async def test_s1_a_socket_that_came_in_plain_is_refused_behind_a_proxy(
    start_node: Start, public_url: str, proto: str | None, status: int
) -> None:
    """The last word is that of the proxy nearest to us."""
    server = await start_node(public_url=public_url, trusted_proxies=("127.0.0.1",))
    headers = {} if proto is None else {"X-Forwarded-Proto": proto}
    try:
        async with connect(server.ws_url, additional_headers=headers, compression=None):
            found = 101
    except InvalidStatus as refused:
        found = refused.response.status_code
    assert found == status


async def test_s8_secrets_are_long_random_and_kept_as_hashes(start_node: Start) -> None:
    server = await start_node()
    people = [await server.account(f"p{number}") for number in range(20)]
    tokens = [person.token for person in people]
    assert len(set(tokens)) == len(tokens)
    for token in tokens:
        raw = token.removeprefix(accounts.TOKEN_PREFIX)
        assert len(base64.urlsafe_b64decode(raw + "=" * (-len(raw) % 4))) * 8 >= 128
    assert min(accounts.TOKEN_BYTES, invites.TOKEN_BYTES) * 8 >= 128
    assert len(tickets.new_key()) * 4 >= 128
    rows = await server.node.desk.db.read(lambda tx: tx.rows("select * from session"))
    assert len(rows) == len(tokens)
    assert [token for token in tokens if any(token[4:] in str(row) for row in rows)] == []


async def test_s15_compression_is_never_agreed_and_compressed_frames_end_the_connection(
    start_node: Start,
) -> None:
    server = await start_node()
    async with connect(server.ws_url, compression="deflate") as socket:
        assert socket.response is not None
        assert "Sec-WebSocket-Extensions" not in socket.response.headers
        assert socket.protocol.extensions == []
        assert orjson.loads(await socket.recv())["ev"] == "hello"
        socket.transport.write(Frame(TEXT, b"\x00" * 60, bits=4).data)
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        assert socket.close_code == Close.PROTOCOL_ERROR


async def test_s20_without_the_database_nobody_gets_in_and_nobody_is_turned_out(
    start_node: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await start_node()
    (aki,) = await server.friends("aki")
    async with server.client(aki) as inside:

        async def down(*_: Any) -> Any:
            raise StorageUnavailable("gone")

        for name in ("read", "write", "hot"):
            monkeypatch.setattr(server.node.desk.db, name, down)
        for token in (aki.token, "tsd_wrong", ""):
            reply = await post(server.url, "room.list", token)
            assert reply.status in (401, 503)
            assert reply.status == 503 or not token
        for token in (aki.token, "tsd_wrong"):
            async with connect(server.ws_url, compression=None) as socket:
                await socket.recv()
                request = {"op": "connect", "id": 1, "d": {"token": token, "client": {"name": "t"}}}
                await socket.send(orjson.dumps(request), text=True)
                assert orjson.loads(await socket.recv())["error"]["code"] == "unavailable"
                with pytest.raises(ConnectionClosed):
                    await socket.recv()
                assert socket.close_code == Close.SERVER_ERROR
        with pytest.raises(ServerRefusal) as refused:
            await inside.call("room.list")
        assert refused.value.code == "unavailable"
        assert (await inside.call("clock.read", t=1))["t"] == 1
        monkeypatch.undo()
        assert (await inside.call("room.list"))["rooms"] == []


async def test_s12_every_bound_of_a_connection_is_a_setting_and_told(start_node: Start) -> None:
    server = await start_node(Limits(operations_burst=7, frame_in_bytes_max=5_000))
    async with connect(server.ws_url, compression=None) as socket:
        told = orjson.loads(await socket.recv())["d"]["limits"]
    assert (told["operations_burst"], told["frame_in_bytes"]) == (7, 5_000)
