"""The first conversation, end to end with real processes: on one SQLite file, and on PostgreSQL and Valkey with two
gateways of which one is killed mid-talk. What was acknowledged is kept, once, in order, for everyone (WIRE §4)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from loadtest.client import Client, ServerRefusal
from tests.support.server import ServerProcess
from tests.support.valkey import ValkeyServer

WINDOW = 6
LIMITS = {"TSUDOI_OPERATIONS_BURST": "1000"}
LOST = (ConnectionError, ConnectionClosed, OSError, TimeoutError)


@dataclass(slots=True)
class House:
    """The gateways of one installation; on the embedded back end both names are the same process."""

    one: ServerProcess
    two: ServerProcess
    says: str

    def account(self, handle: str) -> dict[str, Any]:
        """A new account, made as an operator makes it."""
        found: dict[str, Any] = self.one.run_cli("account", "create", handle)
        return found


@pytest.fixture(params=["embedded", "two gateways"])
def house(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> Iterator[House]:
    with contextlib.ExitStack() as stack:
        if request.param == "embedded":
            server = stack.enter_context(ServerProcess(LIMITS))
            pair = (server, server)
        else:
            valkey: ValkeyServer = request.getfixturevalue("own_valkey")
            env = {**LIMITS, "DATABASE_URL": request.getfixturevalue("postgres_url"), "REDIS_URL": valkey.url}
            pair = (stack.enter_context(ServerProcess(env)), stack.enter_context(ServerProcess(env)))
        checks = {row["what"]: row["says"] for row in pair[0].run_cli("doctor")["checks"]}
        says = "; ".join(
            f"{what}: {checks[what]}" for what in ("SQLite", "PostgreSQL", "courier") if what in checks
        )
        pids = sorted({server.pid for server in pair})
        record_property("ran against", f"gateway pids {pids}; {says}")
        yield House(*pair, says)


async def reconnected(url: str, before: Client, token: str) -> Client:
    """The same person again, continued from what `before` heard; tries until a gateway answers."""
    async with asyncio.timeout(20):
        while True:
            client = Client(url, token, before.ear, before.epoch)
            try:
                await client.open()
                return client
            except LOST:
                await client.close()
                await asyncio.sleep(0.05)


async def say_surely(client: Client, room: str, text: str) -> bool:
    """Say something; False if the connection was lost before the answer came."""
    try:
        await client.say(room, text, nonce=text)
    except LOST:
        return False
    return True


async def history(client: Client, room: str) -> list[tuple[int, str]]:
    """All lines of a room by page, ascending."""
    found: list[tuple[int, str]] = []
    after, more = 0, True
    while more:
        page = await client.call("message.list", room=room, after=after, limit=100)
        found += [(m["seq"], m["text"]) for m in page["messages"] if m["text"] is not None]
        more = page["more_after"]
        after = page["messages"][-1]["seq"] if page["messages"] else after
    return found


async def test_friends_talk_while_a_gateway_is_killed(house: House) -> None:
    aki, haru = house.account("aki"), house.account("haru")
    house.one.run_cli("account", "follow", "aki", "haru", "--mutual")
    a, h = Client(house.one.ws_url, aki["token"]), Client(house.two.ws_url, haru["token"])
    await a.open()
    await h.open()
    room = (await a.call("room.create", title="集い", accounts=[haru["account"]], nonce="g"))["id"]
    await h.until(lambda: f"room:{room}" in h.ear.positions)
    lines = [f"{who} {n}" for n in range(60) for who in ("aki", "haru")]
    unanswered: list[str] = []

    async def talk(client: Client, texts: list[str]) -> None:
        for begin in range(0, len(texts), WINDOW):
            window = texts[begin : begin + WINDOW]
            answers = await asyncio.gather(*(say_surely(client, room, text) for text in window))
            unanswered.extend(text for text, sure in zip(window, answers, strict=True) if not sure)

    talking = [asyncio.create_task(talk(a, lines[0::2])), asyncio.create_task(talk(h, lines[1::2]))]
    await h.until(lambda: len(h.texts(room)) >= 20)
    await asyncio.to_thread(house.two.kill)
    await asyncio.gather(*talking)
    if house.one is house.two:
        await asyncio.to_thread(house.one.start)
    await h.close()
    again_h = await reconnected(house.one.ws_url, h, haru["token"])
    again_a = a
    if house.one is house.two:
        await a.close()
        again_a = await reconnected(house.one.ws_url, a, aki["token"])
    mine = {"aki": again_a, "haru": again_h}
    assert unanswered, "the kill came too late to interrupt anybody"
    for text in unanswered:
        assert await say_surely(mine[text.split()[0]], room, text)
    for client in mine.values():
        await client.until(lambda c=client: len(c.texts(room)) >= len(lines))
    kept = await history(again_a, room)
    assert sorted(text for _, text in kept) == sorted(lines)
    assert [seq for seq, _ in kept] == list(range(kept[0][0], kept[0][0] + len(lines)))
    for client in mine.values():
        assert client.texts(room) == [text for _, text in kept]
    if house.one is not house.two:
        await asyncio.to_thread(house.two.start)
        await again_h.close()
        back = await reconnected(house.two.ws_url, again_h, haru["token"])
        await again_a.say(room, "おかえり")
        await back.until(lambda: back.texts(room)[-1:] == ["おかえり"])
        await back.close()
    for client in mine.values():
        await client.close()


async def test_a_request_is_asked_answered_and_talked(house: House) -> None:
    aki, ken = house.account("aki"), house.account("ken")
    async with Client(house.one.ws_url, aki["token"]) as a, Client(house.two.ws_url, ken["token"]) as k:
        room = (await a.call("room.open", account=ken["account"]))["id"]
        await a.say(room, "はじめまして")
        with pytest.raises(ServerRefusal) as refused:
            await a.say(room, "ねえ")
        assert refused.value.code == "forbidden"
        await k.until(lambda: bool(k.heard("room.requested")))
        assert k.texts(room) == []
        waiting = await k.call("room.list", standing="requested")
        assert waiting["rooms"][0]["last"]["text"] == "はじめまして"
        await k.call("room.accept", room=room)
        await k.until(lambda: bool(k.heard("room.joined")))
        await a.until(lambda: any(push["d"]["state"] == "open" for push in a.heard("room.updated")))
        await a.say(room, "うれしい")
        await k.until(lambda: k.texts(room) == ["うれしい"])
        await k.say(room, "こちらこそ")
        await a.until(lambda: a.texts(room) == ["はじめまして", "うれしい", "こちらこそ"])
        assert [text for _, text in await history(k, room)] == ["はじめまして", "うれしい", "こちらこそ"]


async def test_an_operator_makes_accounts_beside_the_running_server(house: House) -> None:
    aki = house.account("aki")
    async with Client(house.two.ws_url, aki["token"]) as a:
        mio = house.account("mio")
        assert (await a.call("account.get", handle="mio"))["id"] == mio["account"]
        house.one.run_cli("account", "follow", "mio", "aki")
        room = await a.call("room.open", account=mio["account"])
        assert room["state"] == "open"
