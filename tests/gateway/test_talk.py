"""The socket end to end on one node: hello, connect, talk, hear, refuse (WIRE §2, §3)."""

from __future__ import annotations

import asyncio
import contextlib

import orjson
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from loadtest.client import Client, ServerRefusal
from realtime.closes import Close
from realtime.settings import Limits
from tests.support.nodes import Start
from tests.support.stalled import stalled
from tests.support.waiting import until


async def test_friends_talk_in_a_group(start_node: Start) -> None:
    server = await start_node()
    aki, haru, mio = await server.friends("aki", "haru", "mio")
    async with server.client(aki) as a, server.client(haru) as h, server.client(mio) as m:
        room = await a.call(
            "room.create", title="集い", accounts=[haru.account.id, mio.account.id], nonce="1"
        )
        for client in (a, h, m):
            await client.until(lambda c=client: f"room:{room['id']}" in c.ear.positions)
        for n in range(20):
            await (a, h, m)[n % 3].say(room["id"], f"line {n}")
        for client in (a, h, m):
            await client.until(lambda c=client: len(c.texts(room["id"])) == 20)
            assert client.texts(room["id"]) == [f"line {n}" for n in range(20)]
        assert a.hello["protocol"] == "tsudoi.v1"
        assert a.connected["account"] == {"id": aki.account.id, "handle": "aki", "name": "aki", "gone": False}


async def test_everybody_gets_the_same_bytes_in_the_same_order(start_node: Start) -> None:
    server = await start_node()
    aki, haru = await server.friends("aki", "haru")
    async with server.client(aki) as a, server.client(haru) as h:
        room = await a.call("room.create", title="集い", accounts=[haru.account.id], nonce="1")
        await asyncio.gather(*(client.say(room["id"], f"{n}") for n in range(25) for client in (a, h)))
        for client in (a, h):
            await client.until(lambda c=client: len(c.texts(room["id"])) == 50)
        heard = [[p for p in c.ear.pushes if p.get("ch") == f"room:{room['id']}"] for c in (a, h)]
        assert heard[0][-50:] == heard[1][-50:]


async def test_who_comes_back_continues_without_hole(start_node: Start) -> None:
    server = await start_node()
    aki, haru = await server.friends("aki", "haru")
    async with server.client(aki) as a:
        async with server.client(haru) as h:
            room = await a.call("room.create", title="集い", accounts=[haru.account.id], nonce="1")
            await a.say(room["id"], "before")
            await h.until(lambda: h.texts(room["id"]) == ["before"])
            ear, epoch = h.ear, h.epoch
        for n in range(30):
            await a.say(room["id"], f"missed {n}")
        async with Client(server.ws_url, haru.token, ear, epoch) as again:
            states = {c["ch"]: c["recovered"] for c in again.connected["channels"]}
            assert states[f"room:{room['id']}"] is True
            await a.say(room["id"], "after")
            await again.until(lambda: again.texts(room["id"])[-1:] == ["after"])
            expected = ["before", *(f"missed {n}" for n in range(30)), "after"]
            assert again.texts(room["id"]) == expected


@pytest.mark.parametrize("case", ["no position", "other epoch", "too far", "ahead"])
async def test_what_cannot_be_continued_says_so(start_node: Start, case: str) -> None:
    server = await start_node(
        Limits(operations_per_s=1e6, operations_burst=1e6, operations_in_flight_max=5000)
    )
    aki, haru = await server.friends("aki", "haru")
    async with server.client(aki) as a:
        room = await a.call("room.create", title="集い", accounts=[haru.account.id], nonce="1")
        lines = 1_001 if case == "too far" else 3
        await asyncio.gather(*(a.say(room["id"], str(n)) for n in range(lines)))
        channel = f"room:{room['id']}"
        positions = {"no position": {}, "ahead": {channel: 10**6}}.get(case, {channel: 2})
        client = server.client(haru)
        client.ear.positions.update(positions)
        client.epoch = "another" if case == "other epoch" else server.node.epoch
        async with client:
            found = {c["ch"]: c for c in client.connected["channels"]}[channel]
            assert found["recovered"] is False
            assert client.texts(room["id"]) == []
            await a.say(room["id"], "from here on")
            await client.until(lambda: client.texts(room["id"]) == ["from here on"])
            assert client.ear.positions[channel] == found["seq"] + 1


async def test_a_deleted_line_is_a_skip_for_who_comes_back(start_node: Start) -> None:
    server = await start_node()
    aki, haru = await server.friends("aki", "haru")
    async with server.client(aki) as a:
        room = await a.call("room.create", title="集い", accounts=[haru.account.id], nonce="1")
        async with server.client(haru) as h:
            ear, epoch = h.ear, h.epoch
        sent = await a.say(room["id"], "ひみつ")
        await a.call("message.delete", message=sent["message"])
        async with Client(server.ws_url, haru.token, ear, epoch) as again:
            skips = [p for p in again.ear.pushes if p["ev"] == "skip"]
            assert [(p["ch"], p["seq"], p["upto"]) for p in skips] == [
                (f"room:{room['id']}", sent["seq"], sent["seq"])
            ]
            assert again.heard("message.deleted")[0]["d"]["message"] == sent["message"]
            assert again.texts(room["id"]) == []


async def test_who_leaves_hears_nothing_more_and_who_joins_hears_from_there(start_node: Start) -> None:
    server = await start_node()
    aki, haru = await server.friends("aki", "haru")
    ken = await server.account("ken")
    async with server.client(aki) as a, server.client(haru) as h, server.client(ken) as k:
        people = [haru.account.id, ken.account.id]
        room = await a.call("room.create", title="集い", accounts=people, nonce="1")
        await k.until(lambda: bool(k.heard("room.invited")))
        await a.say(room["id"], "one")
        await h.until(lambda: h.texts(room["id"]) == ["one"])
        await h.call("room.leave", room=room["id"])
        await k.call("room.join", room=room["id"])
        await k.until(lambda: bool(k.heard("room.joined")))
        await a.say(room["id"], "two")
        await k.until(lambda: k.texts(room["id"]) == ["two"])
        await a.until(lambda: a.texts(room["id"]) == ["one", "two"])
        await h.call("clock.read", t=1)
        assert h.texts(room["id"]) == ["one"]
        with pytest.raises(ServerRefusal) as refused:
            await h.call("message.list", room=room["id"])
        assert refused.value.code == "not_member"
        lines = [
            p["d"]["message"]["system"]["what"]
            for p in a.heard("message.created")
            if p["d"]["message"]["system"]
        ]
        assert lines[-2:] == ["left", "joined"]
        assert "left" not in [
            p["d"]["message"]["system"]["what"]
            for p in k.heard("message.created")
            if p["d"]["message"]["system"]
        ]


async def test_sync_continues_a_channel_on_a_live_socket(start_node: Start) -> None:
    server = await start_node()
    aki, haru = await server.friends("aki", "haru")
    async with server.client(aki) as a, server.client(haru) as h:
        room = await a.call("room.create", title="集い", accounts=[haru.account.id], nonce="1")
        channel = f"room:{room['id']}"
        for n in range(5):
            await a.say(room["id"], str(n))
        await h.until(lambda: len(h.texts(room["id"])) == 5)
        h.ear.positions[channel] -= 3
        synced = await h.call(
            "channel.sync", positions={channel: h.ear.positions[channel], "room:" + "0" * 26: 1}
        )
        assert synced["channels"] == [{"ch": channel, "seq": room["seq"] + 5, "recovered": True}]
        assert h.texts(room["id"]) == ["0", "1", "2", "3", "4", "2", "3", "4"]
        await a.say(room["id"], "5")
        await h.until(lambda: h.texts(room["id"])[-1:] == ["5"])


async def test_two_ways_to_one_channel_tell_nothing_twice(start_node: Start) -> None:
    server = await start_node()
    aki, haru = await server.friends("aki", "haru")
    async with server.client(aki) as a, server.client(haru) as h:
        room = (await a.call("room.create", title="集い", accounts=[haru.account.id], nonce="1"))["id"]
        for n in range(5):
            await a.say(room, str(n))
        await h.until(lambda: len(h.texts(room)) == 5)
        (socket,) = server.node.hub.of_account(haru.account.id)
        for _ in range(3):
            socket.hear(f"room:{room}", 2)  # type: ignore[attr-defined]
        await a.say(room, "last")
        await h.until(lambda: h.texts(room)[-1:] == ["last"])
        await h.call("account.get", handle="aki")
        assert h.texts(room) == ["0", "1", "2", "3", "4", "last"]


BAD_FRAMES = [
    ('{"id":7,"op":"room.get","d":{}}', 7, "$.d"),
    ('{"id":7,"op":"room.get","d":{"room":1}}', 7, "$.d.room"),
    ('{"id":7,"op":"room.get","d":{"room":"x"}}', 7, "$.d.room"),
    ('{"id":7,"op":"room.get","d":{"room":"' + "0" * 26 + '","extra":1}}', 7, "$.d.extra"),
    ('{"id":7,"op":"room.get","d":{"room":NaN}}', 7, "$"),
    ('{"id":7,"op":"clock.read","d":{"t":1' + "0" * 400 + "}}", 7, "$.d.t"),
    ('{"id":7,"op":"room.send","d":{"room":"' + "0" * 26 + '","nonce":"1","text":"\\ud800"}}', 7, "$"),
    ('{"id":7,"op":"nothing.here"}', 7, "$.op"),
    ('{"id":7,"op":"session.ticket"}', 7, "$.op"),
    ('{"id":7,"op":"connect","d":{}}', 7, "$.op"),
    ('{"id":7,"op":"clock.read","x":1}', 7, "$.x"),
    ('{"id":0,"op":"clock.read"}', None, "$.id"),
    ('{"id":"7","op":"clock.read"}', None, "$.id"),
    ('{"id":7}', 7, "$"),
    ("[]", None, "$"),
    ("nonsense", None, "$"),
    ("", None, "$"),
    ('{"id":7,"op":"clock.read","d":' + "[" * 2000 + "]" * 2000 + "}", 7, "$"),
    ('{"id":7,"op":"clock.read","d":' + '{"t":' * 2000 + "1" + "}" * 2001, 7, "$"),
]


@pytest.mark.parametrize(("frame", "number", "place"), BAD_FRAMES)
async def test_a_bad_frame_is_one_error_that_names_the_place(
    start_node: Start, frame: str, number: int | None, place: str
) -> None:
    server = await start_node()
    (aki,) = await server.friends("aki")
    async with connect(server.ws_url, compression=None) as socket:
        await socket.recv()
        request = {"id": 1, "op": "connect", "d": {"token": aki.token, "client": {"name": "t"}}}
        await socket.send(orjson.dumps(request), text=True)
        assert orjson.loads(await socket.recv())["id"] == 1
        assert orjson.loads(await socket.recv())["ev"] == "live"
        await socket.send(frame)
        answer = orjson.loads(await socket.recv())
        assert answer["error"]["code"] == "bad_request"
        assert answer["error"]["details"]["at"].startswith(place)
        assert answer["id"] == number
        await socket.send('{"id":8,"op":"clock.read","d":{"t":3}}')
        assert orjson.loads(await socket.recv())["ok"]["t"] == 3


@pytest.mark.parametrize(
    ("first", "code"),
    [
        ('{"id":1,"op":"clock.read"}', Close.NOT_THIS_PROTOCOL),
        ("nonsense", Close.NOT_THIS_PROTOCOL),
        ('{"id":1,"op":"connect","d":{"client":{"name":"t"}}}', Close.NOT_THIS_PROTOCOL),
        ('{"id":1,"op":"connect","d":{"client":{"name":"t"},"token":"wrong"}}', Close.SESSION_INVALID),
        ('{"id":1,"op":"connect","d":{"client":{"name":"t"},"ticket":"t1.x.1.y.z"}}', Close.SESSION_INVALID),
    ],
)
async def test_a_wrong_beginning_is_closed_with_its_reason(
    start_node: Start, first: str, code: Close
) -> None:
    server = await start_node()
    async with connect(server.ws_url, compression=None) as socket:
        await socket.recv()
        await socket.send(first)
        with pytest.raises(ConnectionClosed):
            while True:
                await socket.recv()
        assert socket.close_code == code


async def test_without_connect_in_time_the_connection_ends(start_node: Start) -> None:
    server = await start_node(Limits(connect_s=0.3))
    async with connect(server.ws_url, compression=None) as socket:
        await socket.recv()
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        assert socket.close_code == Close.NO_CONNECT


@pytest.mark.parametrize("answers", [True, False], ids=["answered late", "never answered"])
async def test_an_end_that_lasts_beyond_the_time_to_connect_is_an_end(
    start_node: Start, answers: bool
) -> None:
    server = await start_node(Limits(connect_s=0.3, close_wait_s=2.0))
    raw, _ = await stalled(server, "tsd_nobodys", until=b'"error"')
    with raw:
        await asyncio.sleep(1.2)
        if answers:
            await asyncio.get_running_loop().sock_sendall(raw, b"\x88\x80\0\0\0\0")
        async with asyncio.timeout(3):
            with contextlib.suppress(ConnectionResetError):
                while await asyncio.get_running_loop().sock_recv(raw, 4096):
                    pass
    await until(
        lambda: not server.node.sockets and not server.server.server_state.connections, "nobody is left"
    )


async def test_heartbeat_asks_and_a_silent_client_is_let_go(start_node: Start) -> None:
    server = await start_node(Limits(ping_interval_s=0.5, pong_wait_s=0.5))
    (aki,) = await server.friends("aki")
    async with connect(server.ws_url, compression=None) as silent, server.client(aki) as answering:
        await silent.recv()
        request = {"id": 1, "op": "connect", "d": {"token": aki.token, "client": {"name": "t"}}}
        await silent.send(orjson.dumps(request), text=True)
        with pytest.raises(ConnectionClosed):
            while True:
                await silent.recv()
        assert silent.close_code == Close.NO_PONG
        assert (await answering.call("clock.read", t=1))["t"] == 1


async def test_too_much_too_fast_is_refused_and_then_closed(start_node: Start) -> None:
    server = await start_node(Limits(operations_burst=10, operations_per_s=1))
    (aki,) = await server.friends("aki")
    client = server.client(aki)
    async with client:
        results = await asyncio.gather(
            *(client.call("account.get", handle="aki") for _ in range(60)), return_exceptions=True
        )
        refused = [r for r in results if isinstance(r, ServerRefusal)]
        assert refused
        assert {r.code for r in refused} == {"rate_limited"}
        assert all(r.retry_ms for r in refused)
        assert await client.ended() == Close.ABUSIVE_RATE


async def test_a_sixth_connection_retires_the_one_silent_longest(start_node: Start) -> None:
    server = await start_node()
    (aki,) = await server.friends("aki")
    clients = [server.client(aki) for _ in range(6)]
    for client in clients[:5]:
        await client.open()
    for client in [clients[0], *clients[2:5]]:
        await client.call("clock.read")
    await clients[5].open()
    assert await clients[1].ended() == Close.RETIRED
    for client in [clients[0], *clients[2:]]:
        assert (await client.call("clock.read", t=4))["t"] == 4
        await client.close()


async def test_an_oversized_message_closes_with_1009(start_node: Start) -> None:
    server = await start_node()
    (aki,) = await server.friends("aki")
    client = server.client(aki)
    async with client:
        await client.send_raw('{"id":2,"op":"clock.read","d":{"t":"' + "x" * 66_000 + '"}}')
        assert await client.ended() == Close.TOO_BIG


async def test_a_binary_frame_closes_with_1003(start_node: Start) -> None:
    server = await start_node()
    (aki,) = await server.friends("aki")
    client = server.client(aki)
    async with client:
        await client.send_raw(b"\x00\x01")
        assert await client.ended() == Close.UNSUPPORTED_DATA


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/other", {}, 404),
        ("/gateway?token=x", {}, 400),
        ("/gateway", {"Origin": "https://evil.example"}, 403),
        ("/gateway", {"Origin": "null"}, 403),
    ],
)
async def test_a_handshake_from_elsewhere_is_refused(
    start_node: Start, path: str, headers: dict[str, str], status: int
) -> None:
    server = await start_node()
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"ws://127.0.0.1:{server.port}{path}", additional_headers=headers, compression=None)
    assert refused.value.response.status_code == status


async def test_our_own_page_may_connect(start_node: Start) -> None:
    server = await start_node()
    origin = f"http://127.0.0.1:{server.port}"
    async with connect(server.ws_url, additional_headers={"Origin": origin}, compression=None) as socket:
        assert orjson.loads(await socket.recv())["ev"] == "hello"
