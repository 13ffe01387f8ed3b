"""The Python client against real nodes: it stays, keeps what was to be sent, and tells everything once (docs/clients.md)."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.utils import accept_key

from channels.accounts import NewAccount
from loadtest import link
from loadtest.client import EVENTS_MAX, Client, Hole, Options, Overrun, ServerRefusal
from realtime.closes import Close
from realtime.settings import Limits
from tests.support.nodes import RunningNode, Start
from tests.support.waiting import until

STAY = Options(stay=True, remember=True, strict=True)


def staying(server: RunningNode, account: NewAccount, **options: Any) -> Client:
    """A client that comes back by itself."""
    return Client(server.ws_url, account.token, options=dataclasses.replace(STAY, **options))


def cut(server: RunningNode, account: NewAccount) -> None:
    """Cut all links of an account without a word."""
    for socket in server.node.hub.of_account(account.account.id):
        socket.transport.abort()  # type: ignore[attr-defined]


async def room_of(a: Client, account: NewAccount) -> str:
    room: str = (await a.call("room.create", title="集い", accounts=[account.account.id], nonce="g"))["id"]
    return room


async def test_what_is_said_over_lost_links_is_kept_once_and_in_order(start_node: Start) -> None:
    server = await start_node(Limits(operations_burst=1000))
    aki, haru = await server.friends("aki", "haru")
    async with staying(server, aki) as a, staying(server, haru) as h:
        room = await room_of(a, haru)
        lines = [f"line {n}" for n in range(60)]
        saying = [asyncio.create_task(a.say(room, text)) for text in lines]
        lost = 0
        for at in (5, 20, 40):
            await h.until(lambda at=at: len(h.texts(room)) >= at)
            cut(server, aki)
            cut(server, haru)
            lost += 1
            for client in (a, h):
                await client.until(lambda c=client, n=lost: len(c.heard("live")) == n + 1)
        said = await asyncio.gather(*saying)
        assert [each["seq"] for each in said] == sorted(each["seq"] for each in said)
        await a.until(lambda: len(a.texts(room)) == len(lines))
        await h.until(lambda: len(h.texts(room)) == len(lines))
        assert h.texts(room) == a.texts(room) == lines
        assert len(a.heard("live")) == lost + 1


async def test_the_first_words_wait_for_a_server_that_is_not_there_yet(start_node: Start) -> None:
    server = await start_node()
    aki, haru = await server.friends("aki", "haru")
    async with server.client(haru) as h:
        room = await room_of(h, aki)
        listener = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        address = listener.sockets[0].getsockname()
        client = Client(f"ws://127.0.0.1:{address[1]}/gateway", aki.token, options=STAY)
        opening = asyncio.create_task(client.open())
        await until(lambda: client.state == "waiting")
        saying = asyncio.create_task(client.say(room, "もうすぐ"))
        client._url = server.ws_url
        client.online()
        await opening
        await saying
        await h.until(lambda: bool(h.texts(room)))
        assert h.texts(room) == ["もうすぐ"]
        await client.close()
        listener.close()


async def test_events_are_iterated_in_order_and_end_with_the_client(start_node: Start) -> None:
    server = await start_node()
    aki, haru = await server.friends("aki", "haru")
    async with server.client(aki) as a:
        h = staying(server, haru)
        await h.open()
        room = await room_of(a, haru)
        for n in range(3):
            await a.say(room, str(n))
        await h.until(lambda: len(h.texts(room)) == 3)
        await h.close()
        told = [item async for item in h]
    states = [item[1] for item in told if item[0] == "state"]
    assert states == ["connecting", "live", "stopped"]
    texts = [
        item[1]["d"]["message"]["text"] for item in told if item[0] == "event" and "message" in item[1]["d"]
    ]
    assert [text for text in texts if text] == ["0", "1", "2"]


async def test_whoever_does_not_look_is_told_that_something_was_lost() -> None:
    client = Client("ws://127.0.0.1:1/gateway", "t")
    for n in range(EVENTS_MAX + 1):
        client._tell(("event", {"n": n}))
    with pytest.raises(Overrun):
        async for _ in client:
            pass


async def test_a_listener_is_called_at_once_and_may_call_back(start_node: Start) -> None:
    server = await start_node()
    aki, haru = await server.friends("aki", "haru")
    answers: list[asyncio.Task[Any]] = []

    def told(item: tuple[Any, ...]) -> None:
        if (
            item[0] == "event"
            and item[1]["ev"] == "message.created"
            and item[1]["d"]["message"]["text"] == "ping"
        ):
            room = item[1]["d"]["message"]["room"]
            answers.append(asyncio.get_running_loop().create_task(bot.say(room, "pong")))

    bot = staying(server, haru, told=told, remember=False)
    async with server.client(aki) as a, bot:
        room = await room_of(a, haru)
        await a.say(room, "ping")
        await a.until(lambda: a.texts(room) == ["ping", "pong"])
        await asyncio.gather(*answers)
        assert bot.ear.pushes == []


async def test_a_refusal_for_good_is_told_and_the_next_goes_on(start_node: Start) -> None:
    server = await start_node()
    aki, haru = await server.friends("aki", "haru")
    async with staying(server, aki) as a:
        room = await room_of(a, haru)
        said = await asyncio.gather(a.say(room, "あ" * 3000), a.say(room, "短い"), return_exceptions=True)
        assert isinstance(said[0], ServerRefusal)
        assert said[0].code == "text_too_long"
        assert said[0].request_id
        await a.until(lambda: a.texts(room) == ["短い"])


async def test_being_slowed_down_delays_and_loses_nothing(start_node: Start) -> None:
    server = await start_node(Limits(operations_burst=8, operations_per_s=10))
    aki, haru = await server.friends("aki", "haru")
    async with staying(server, aki) as a:
        room = await room_of(a, haru)
        lines = [str(n) for n in range(12)]
        await asyncio.gather(*(a.say(room, text) for text in lines))
        await a.until(lambda: a.texts(room) == lines)
        assert len(a.heard("live")) == 1


async def test_a_verdict_ends_it(start_node: Start) -> None:
    server = await start_node()
    (aki,) = await server.friends("aki")
    async with staying(server, aki) as a:
        for socket in server.node.hub.of_account(aki.account.id):
            socket.close(Close.SUSPENDED, "suspended")  # type: ignore[attr-defined]
        assert await a.ended() == Close.SUSPENDED
        assert a.state == "refused"
        with pytest.raises(ConnectionError):
            await a.say("0" * 26, "だめ")


async def test_a_client_moves_when_it_is_told_to(start_node: Start) -> None:
    server = await start_node()
    aki, haru = await server.friends("aki", "haru")
    async with staying(server, aki) as a:
        room = await room_of(a, haru)
        for socket in server.node.hub.of_account(aki.account.id):
            socket.send(b'{"ev":"reconnect","d":{"after_ms":50}}')  # type: ignore[attr-defined]
        await a.until(lambda: len(a.heard("live")) == 2)
        await a.say(room, "ここで")
        await a.until(lambda: bool(a.texts(room)))
        assert (a.texts(room), len(a.heard("live"))) == (["ここで"], 2)


async def test_a_strict_client_takes_a_hole_for_a_fault(start_node: Start) -> None:
    server = await start_node()
    aki, haru = await server.friends("aki", "haru")
    async with server.client(aki) as a:
        room = await room_of(a, haru)
        frame = f'{{"ch":"room:{room}","seq":99,"ev":"message.created","at":1,"d":{{}}}}'
        for socket in server.node.hub.of_account(aki.account.id):
            socket.send(frame.encode())  # type: ignore[attr-defined]
        with pytest.raises(Hole):
            await a.until(lambda: False)


@contextlib.asynccontextmanager
async def door(answer: bytes) -> AsyncIterator[str]:
    """A server that answers every handshake with the same bytes; its address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/gateway"


async def test_retry_after_of_a_full_door_is_kept_to() -> None:
    async with door(b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n") as url:
        client = Client(url, "t", options=STAY)
        opening = asyncio.create_task(client.open())
        await until(lambda: client.state == "waiting")
        deadline = client._core.deadline
        assert deadline is not None
        left_ms = deadline - asyncio.get_running_loop().time() * 1000
        assert 6_500 < left_ms <= 7_500
        await client.close()
        with pytest.raises(ConnectionError):
            await opening


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", b"nonsense\r\n\r\n"]
)
async def test_without_stay_a_door_that_does_not_open_is_told(answer: bytes) -> None:
    async with door(answer) as url:
        client = Client(url, "t")
        with pytest.raises(Exception) as told:  # noqa: PT011  # the library has one exception for each fault
            await client.open()
        assert not isinstance(told.value, AssertionError)
        assert client.state == "stopped"
        await client.close()


async def test_a_client_may_come_from_any_address_of_its_own(start_node: Start) -> None:
    server = await start_node()
    (aki,) = await server.friends("aki")
    async with staying(server, aki, local_address="127.0.0.7"):
        (socket,) = server.node.hub.of_account(aki.account.id)
        assert socket.peer == "127.0.0.7"  # type: ignore[attr-defined]


async def test_closing_in_every_state_leaves_nothing_behind(start_node: Start) -> None:
    server = await start_node()
    (aki,) = await server.friends("aki")
    before = asyncio.all_tasks()
    never = Client(server.ws_url, aki.token)
    await never.close()
    halfway = staying(server, aki)
    opening = asyncio.create_task(halfway.open())
    await asyncio.sleep(0)
    await halfway.close()
    with pytest.raises(ConnectionError):
        await opening
    once = server.client(aki)
    await once.open()
    await once.close()
    await once.close()
    assert once.close_code == 1000
    await until(lambda: not server.node.hub.of_account(aki.account.id))
    await until(lambda: asyncio.all_tasks() <= before)


async def test_a_ticket_serves_where_there_is_no_token(start_node: Start) -> None:
    server = await start_node()
    (aki,) = await server.friends("aki")
    asked: list[str] = []

    async def ticket() -> str:
        # The first one is used up by the time it is shown.
        if not asked:
            used, _ = server.node.tickets.issue(aki.session)
            assert server.node.tickets.use(used)
        else:
            used, _ = server.node.tickets.issue(aki.session)
        asked.append(used)
        return used

    client = Client(server.ws_url, "", options=dataclasses.replace(STAY, ticket=ticket))
    async with client:
        assert client.connected["account"]["handle"] == "aki"
        assert len(asked) == 2, "a ticket that was refused is replaced once"
        cut(server, aki)
        await client.until(lambda: len(client.heard("live")) == 2)
        assert len(asked) == 3


async def test_without_a_session_there_is_no_ticket_and_no_other_try() -> None:
    async def ticket() -> str:
        raise ServerRefusal({"code": "unauthenticated", "message": "", "retry_ms": None, "details": {}})

    client = Client("ws://127.0.0.1:1/gateway", "", options=dataclasses.replace(STAY, ticket=ticket))
    with pytest.raises(ConnectionError):
        await client.open()
    assert client.state == "refused"


async def test_a_server_that_says_goodbye_and_stays_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "CLOSE_S", 0.2)
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        key = re.search(rb"Sec-WebSocket-Key: (\S+)", head)
        assert key is not None
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Protocol: tsudoi.v1\r\nSec-WebSocket-Accept: "
            + accept_key(key[1].decode()).encode()
            + b"\r\n\r\n\x88\x02"
            + (4508).to_bytes(2, "big")
        )
        # Its close is answered, and then nothing more is done.
        await reader.read()
        ended.set()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        client = Client(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/gateway", "tsd_x")
        # Long before the silence would be noticed.
        async with asyncio.timeout(5):
            with pytest.raises(ConnectionError):
                await client.open()
        assert client.close_code == 4508
        await asyncio.wait_for(ended.wait(), 5)
