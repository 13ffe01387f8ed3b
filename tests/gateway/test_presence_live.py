"""Presence on live sockets: who sees whom come and go, on one node and on two, and who never does."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from channels.accounts import NewAccount
from loadtest.client import WATCHING, Client
from realtime.settings import Limits, Settings
from storage.database import Tx
from storage.presence import begin_hiding, note_seen
from storage.profiles import keep_profile, profile_by_id
from tests.gateway.test_authors_live import two_nodes
from tests.gateway.test_places import founded, refused
from tests.support.nodes import RunningNode, Start
from tests.support.valkey import Shared
from tests.support.waiting import until

FREE = Limits(operations_per_s=1e6, operations_burst=1e6)
GRACE_S, PACE_S = 0.3, 0.7
BACKGROUND = replace(WATCHING, presence="offline")
POCKET = replace(WATCHING, presence="idle")


def told(client: Client, account: NewAccount) -> list[dict[str, Any]]:
    """What a client was told of somebody, in order."""
    return [
        push["d"]["people"][account.account.id]
        for push in client.heard("presence.changed")
        if account.account.id in push["d"]["people"]
    ]


def states(client: Client, account: NewAccount) -> list[str]:
    """The states of it."""
    return [view["state"] for view in told(client, account)]


async def sees(client: Client, account: NewAccount, *expected: str) -> None:
    """Wait until a client was told exactly these states of somebody."""
    await client.until(lambda: states(client, account) == list(expected))


async def whole(client: Client) -> None:
    """Wait until a client was told of everybody it shows."""
    await client.until(lambda: any(push["d"]["whole"] for push in client.heard("presence.changed")))


async def view(client: Client, account: NewAccount) -> dict[str, Any]:
    """How a client sees somebody, asked once."""
    found = await client.call("presence.get", accounts=[account.account.id])
    return found["people"][account.account.id]  # type: ignore[no-any-return]  # JSON


@pytest.fixture
def start_swift(start_node: Start) -> Callable[..., Any]:
    """Nodes with a short grace, on which others see changes soon after one another."""

    async def start(**given: Any) -> RunningNode:
        server = await start_node(FREE, presence_grace_s=GRACE_S, **given)
        server.node.presence._telling._pace._every_s = PACE_S
        return server

    return start


async def test_a_mutual_comes_idles_and_goes(start_swift: Callable[..., Any]) -> None:
    server = await start_swift()
    a, h = await server.friends("aki", "haru")
    async with server.client(a) as aki:
        await whole(aki)
        assert states(aki, h) == []
        assert states(aki, a) == ["online"], "one sees oneself as others do"
        async with server.client(h) as haru:
            await sees(aki, h, "online")
            await sees(haru, a, "online")
        await sees(aki, h, "online", "offline")
        assert told(aki, h)[-1] == {"state": "offline", "seen": "5m", "doing": None}
        await until(lambda: not server.node.presence._seen)
        assert await view(aki, h) == {"state": "offline", "seen": "5m", "doing": None}


async def test_activity_is_told_at_human_pace_and_ends_as_it_is(start_node: Start) -> None:
    server = await start_node(FREE)
    a, h = await server.friends("aki", "haru")
    async with server.client(a) as aki, server.client(h) as haru, server.client(h) as phone:
        await sees(aki, h, "online")
        await haru.call("presence.set", active=False)
        for number in range(20):
            await phone.call("presence.set", active=bool(number % 2))
        await phone.call("presence.set", active=False)
        await sees(aki, h, "online", "idle")
        await phone.call("presence.set", active=True)
        # The second change waits for the pace: five seconds after the first.
        await sees(aki, h, "online", "idle", "online")


async def test_background_work_makes_nobody_online(start_swift: Callable[..., Any]) -> None:
    server = await start_swift()
    a, h = await server.friends("aki", "haru")
    async with server.client(a) as aki:
        await whole(aki)
        async with Client(server.ws_url, h.token, options=BACKGROUND) as sync:
            await whole(sync)
            assert states(sync, a) == ["online"]
            assert (await view(aki, h))["state"] == "offline"
            assert await refused_place(sync) == "not_found"
            await sync.call("presence.set", active=True)
            assert (await view(aki, h))["state"] == "offline"
        async with Client(server.ws_url, h.token, options=POCKET):
            await sees(aki, h, "idle")


async def refused_place(client: Client) -> str:
    """The code with which a place that is not heard is refused."""
    return await refused(client.call("presence.set", place="room:01ARZ3NDEKTSV4RRFFQ69G5FAV"))


async def test_strangers_nobody_and_exceptions(start_swift: Callable[..., Any]) -> None:
    server = await start_swift()
    a, h = await server.friends("aki", "haru")
    k = await server.account("ken")
    async with server.client(a) as aki, server.client(h) as haru, server.client(k) as ken:
        await sees(haru, a, "online")
        answer = await ken.call("presence.watch", accounts=[a.account.id])
        assert answer["people"] == {a.account.id: {"state": "offline", "seen": None, "doing": None}}
        # Everyone, then nobody: a stranger who watches sees both, a mutual sees the end.
        await aki.call("account.update", presence_to="everyone")
        await sees(ken, a, "online")
        await aki.call("account.update", presence_to="nobody")
        await sees(ken, a, "online", "offline")
        await sees(haru, a, "online", "offline")
        assert told(haru, a)[-1] == {"state": "offline", "seen": "5m", "doing": None}
        await until(lambda: not server.node.presence._hidden)
        assert await view(haru, a) == {"state": "offline", "seen": "5m", "doing": None}
        # Who hides sees nobody.
        assert (await view(aki, h))["state"] == "offline"
        assert (await view(aki, a))["state"] == "offline"
        await aki.call("presence.except", account=h.account.id, shown=True)
        await sees(haru, a, "online", "offline", "online")
        assert (await view(aki, h))["state"] == "online"
        assert (await view(ken, a))["state"] == "offline"
        found = await aki.call("presence.exceptions")
        assert [(e["account"]["handle"], e["shown"]) for e in found["exceptions"]] == [("haru", True)]
        await aki.call("account.update", presence_to="mutuals")
        await aki.call("presence.except", account=h.account.id, shown=False)
        await sees(haru, a, "online", "offline", "online", "offline")
        await until(lambda: not server.node.presence._seen)
        assert await view(haru, a) == told(haru, a)[-1] == {"state": "offline", "seen": "5m", "doing": None}
        await aki.call("presence.except", account=h.account.id, shown=None)
        await sees(haru, a, "online", "offline", "online", "offline", "online")


@pytest.mark.parametrize("end", ["block", "unfollow", "hide", "sign out"])
async def test_the_end_of_a_right_is_told_at_once(start_swift: Callable[..., Any], end: str) -> None:
    server = await start_swift()
    a, h = await server.friends("aki", "haru")
    async with server.client(a) as aki, server.client(h) as haru:
        await sees(haru, a, "online")
        match end:
            case "block":
                await aki.call("block.add", account=h.account.id)
            case "unfollow":
                await aki.call("follow.remove", account=h.account.id)
            case "hide":
                await aki.call("account.hide")
            case _:
                with contextlib.suppress(ConnectionError):
                    await aki.call("session.revoke_all")
        await sees(haru, a, "online", "offline")
        known = end in ("hide", "sign out")
        assert told(haru, a)[-1]["seen"] == ("5m" if known else None)
        if end != "sign out":
            assert (await view(haru, a)) == {"state": "offline", "seen": None, "doing": None}
            assert (await view(aki, h))["state"] == "offline"


async def test_who_follows_back_sees_at_once_on_two_nodes(
    postgres_url: str, valkey: Shared, start_node: Start
) -> None:
    one, two = await two_nodes(start_node, postgres_url, valkey)
    a, h = await one.account("aki"), await one.account("haru")
    async with one.client(a) as aki, two.client(h) as haru:
        await whole(aki)
        await whole(haru)
        await aki.call("follow.add", account=h.account.id)
        await haru.call("follow.add", account=a.account.id)
        await sees(aki, h, "online")
        await sees(haru, a, "online")
        await aki.call("presence.set", active=False)
        await sees(haru, a, "online", "idle")
        await haru.call("follow.remove", account=a.account.id)
        await sees(haru, a, "online", "idle", "offline")
        await sees(aki, h, "online", "offline")


async def test_two_nodes_make_one_person(postgres_url: str, valkey: Shared, start_node: Start) -> None:
    common: dict[str, Any] = {
        "database_url": postgres_url,
        "redis_url": valkey.url,
        "redis_prefix": valkey.prefix,
        "presence_grace_s": GRACE_S,
    }
    one, two = await start_node(FREE, **common), await start_node(FREE, **common)
    a, h = await one.friends("aki", "haru")
    async with one.client(a) as aki:
        async with one.client(h), two.client(h) as there:
            await sees(aki, h, "online")
            await sees(there, a, "online")
        async with two.client(h):
            await until(lambda: h.account.id in one.node.presence._roster._merged)
        await sees(aki, h, "online", "offline")


async def test_places_are_told_to_those_who_may_see_them(start_swift: Callable[..., Any]) -> None:
    server = await start_swift()
    a, h, k = await server.friends("aki", "haru", "ken")
    async with server.client(a) as aki, server.client(h) as haru, server.client(k) as ken:
        room = (await aki.call("room.create", title="ふたり", nonce="r", accounts=[h.account.id]))["id"]
        await haru.until(lambda: f"room:{room}" in haru.ear.positions)
        await aki.call("presence.set", place=f"room:{room}")
        await haru.until(lambda: bool(told(haru, a)) and told(haru, a)[-1]["doing"] == f"room:{room}")
        await ken.call("clock.read")
        assert (await view(haru, a))["doing"] == f"room:{room}"
        assert await view(ken, a) == {"state": "online", "seen": None, "doing": None}
        assert all(each["doing"] is None for each in told(ken, a))


async def test_a_crowd_has_a_count_and_names_of_friends_alone(start_swift: Callable[..., Any]) -> None:
    server = await start_swift()
    f, *crowd = await server.friends("founder", "c0", "c1")
    strangers = [await server.account(f"s{number}") for number in range(3)]
    hidden = await server.account("hidden")
    clients = [server.client(each) for each in (f, *crowd, *strangers, hidden)]
    async with clients[0], clients[1], clients[2], clients[3], clients[4], clients[5], clients[6]:
        founder = clients[0]
        channel = f"community:{await founded(*clients)}"
        await clients[6].call("account.update", presence_to="nobody")
        await whole(founder)
        answer = await founder.call("presence.watch", places=[channel])
        assert answer["places"] == {channel: {"count": 0, "few": False, "people": []}}

        def last() -> dict[str, Any] | None:
            found = [p["d"]["places"][channel] for p in founder.heard("presence.changed") if p["d"]["places"]]
            return found[-1] if found else None

        await clients[6].call("presence.set", place=channel)
        await clients[3].call("presence.set", place=channel)
        await founder.until(lambda: last() == {"count": 0, "few": True, "people": []})
        await clients[1].call("presence.set", place=channel)
        await clients[4].call("presence.set", place=channel)
        await founder.until(lambda: last() == {"count": 3, "few": False, "people": [crowd[0].account.id]})
        for number in (1, 3, 4):
            await clients[number].call("presence.set")
        await founder.until(lambda: last() == {"count": 0, "few": False, "people": []})
        assert await refused(founder.call("presence.watch", places=["room:" + channel[10:]])) == "not_found"


def writers(client: Client) -> list[list[str]]:
    """Who was told to be writing, in order."""
    return [push["d"]["accounts"] for push in client.heard("room.typing")]


async def test_writing_is_told_in_the_room_to_those_who_see_the_writer(
    start_swift: Callable[..., Any],
) -> None:
    server = await start_swift()
    a, h, k = await server.friends("aki", "haru", "ken")
    async with server.client(a) as aki, server.client(h) as haru, server.client(k) as ken:
        room = (
            await aki.call("room.create", title="みんな", nonce="r", accounts=[h.account.id, k.account.id])
        )["id"]
        for client in (haru, ken):
            await client.until(lambda c=client: f"room:{room}" in c.ear.positions)
            await whole(client)
        await aki.call("presence.except", account=k.account.id, shown=False)
        await sees(ken, a, "online", "offline")
        await aki.call("room.typing", room=room)
        await haru.until(lambda: writers(haru) == [[a.account.id]])
        assert await refused(aki.call("room.typing", room=room)) == "rate_limited"
        await aki.say(room, "できた")
        await haru.until(lambda: writers(haru) == [[a.account.id], []])
        await haru.call("room.typing", room=room)
        await haru.call("room.typing", room=room, on=False)
        await ken.until(lambda: bool(ken.texts(room)))
        await ken.call("clock.read")
        assert not any(a.account.id in each for each in writers(ken)), "hidden from this one"
        assert writers(aki) == [] or all(a.account.id not in each for each in writers(aki))
        outside = await server.account("outside")
        async with server.client(outside) as other:
            assert await refused(other.call("room.typing", room=room)) == "not_found"


async def test_a_preview_shows_what_others_will_see(start_swift: Callable[..., Any]) -> None:
    server = await start_swift()
    a, h = await server.friends("aki", "haru")
    async with server.client(a) as aki:
        await sees(aki, a, "online")
        now = await aki.call("presence.preview", account=h.account.id)
        assert [now[each]["state"] for each in ("mutuals", "others", "account")] == [
            "online",
            "offline",
            "online",
        ]
        then = await aki.call("presence.preview", presence_to="nobody", account=h.account.id)
        assert then["mutuals"] == {"state": "offline", "seen": "5m", "doing": None}
        assert then["others"] == {"state": "offline", "seen": None, "doing": None}
        await aki.call("account.update", presence_to="nobody")
        await sees(aki, a, "online", "offline")
        async with server.client(h) as haru:
            assert await view(haru, a) == then["mutuals"] == then["account"]


def test_the_settings_say_how_long_people_linger() -> None:
    assert Settings().presence_grace_s == 10.0


def _hid(tx: Tx, account: str) -> None:
    """Somebody was last here less than an hour ago, and hides from everybody since."""
    note_seen(tx, [(account, tx.now_ms() - 3_000_000)])
    begin_hiding(tx, account, "mutuals")
    row = profile_by_id(tx, account)
    assert row is not None
    keep_profile(tx, row._replace(presence_to="nobody"))


async def trace(server: RunningNode, *, hidden: bool) -> list[str]:
    """Everything an observer's socket carries while somebody is here and hides, or is not here at all: the same evening,
    line by line, without what differs by chance."""
    a, h, k = await server.friends("aki", "haru", "ken")
    await server.node.desk.db.write(lambda tx: _hid(tx, h.account.id))
    names = {each.account.id: each.account.handle for each in (a, h, k)}
    lines: list[str] = []

    def tap(way: str, frame: dict[str, Any]) -> None:
        if way == "in" and frame.get("ev") not in ("ping", "hello"):
            text = orjson.dumps(frame, option=orjson.OPT_SORT_KEYS).decode()
            for account, name in names.items():
                text = text.replace(account, name)
            lines.append(re.sub(r"[0-9A-Z]{26}|\d{10,}", "#", text))

    ken = Client(server.ws_url, k.token)
    async with ken, Client(server.ws_url, a.token, options=replace(WATCHING, tap=tap)) as aki:
        channel = f"community:{await founded(ken, aki)}"
        room = (
            await ken.call("room.create", title="みんな", nonce="r", accounts=[a.account.id, h.account.id])
        )["id"]
        await aki.until(lambda: f"room:{room}" in aki.ear.positions)
        await sees(aki, k, "online")
        await aki.call("presence.watch", accounts=[h.account.id], places=[channel])
        # Coming is told in one frame or in two, as it happens; what counts begins here.
        lines.clear()
        if hidden:
            await hide_and_act(server, h, room, channel)
        # Longer than everything that is coalesced, held back or looked at now and then.
        await ken.call("presence.set", active=False)
        await sees(aki, k, "online", "idle")
        await aki.call("presence.get", accounts=[h.account.id])
        await aki.call("presence.watch", accounts=[h.account.id], places=[channel])
        await aki.call("room.get", room=room)
    return lines


async def hide_and_act(server: RunningNode, account: NewAccount, room: str, channel: str) -> None:
    """Be here without being seen, in every way there is but to speak."""
    async with server.client(account) as haru, server.client(account) as phone:
        await haru.call("community.join", community=channel.removeprefix("community:"))
        await haru.until(lambda: f"room:{room}" in haru.ear.positions and channel in haru.ear.positions)
        await until(lambda: not server.node.presence._hidden and not server.node.presence._sights._pairs)
        for place in (f"room:{room}", channel, None):
            await haru.call("presence.set", place=place)
        await haru.call("room.typing", room=room)
        await phone.call("presence.set", active=False)
        await haru.call("room.typing", room=room, on=False)
        await haru.call("message.list", room=room)
        await haru.call("room.read", room=room, seq=1)
        await haru.call("presence.watch", accounts=[], places=[channel])
    await until(lambda: not server.node.presence._devices.rules_of(account.account.id))


async def test_whoever_hides_leaves_the_trace_of_whoever_is_away(
    start_swift: Callable[..., Any], tmp_path: Path
) -> None:
    """I15: not one byte differs."""
    away = await start_swift(data=tmp_path / "away")
    here = await start_swift(data=tmp_path / "here")
    expected = await trace(away, hidden=False)
    assert any('"seen":"1h"' in line for line in expected)
    assert await trace(here, hidden=True) == expected
