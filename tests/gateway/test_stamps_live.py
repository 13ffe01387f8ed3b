"""Stamps under lines of rooms on live sockets: on every node, and by who was away (FEATURES §6)."""

from __future__ import annotations

from typing import Any

from loadtest.client import Client
from tests.gateway.test_authors_live import FREE, two_nodes
from tests.support.nodes import Start
from tests.support.valkey import Shared


def stamps(client: Client) -> list[tuple[str, str | None]]:
    """(line, stamp) of every change heard."""
    return [(push["d"]["message"], push["d"]["stamp"]) for push in client.heard("message.reacted")]


async def test_a_stamp_is_heard_on_the_other_node_in_its_place(
    postgres_url: str, valkey: Shared, start_node: Start
) -> None:
    one, two = await two_nodes(start_node, postgres_url, valkey)
    people = await one.friends("aki", "haru")
    async with one.client(people[0]) as aki, two.client(people[1]) as haru:
        ids = [people[1].account.id]
        room = (await aki.call("room.create", title="集い", accounts=ids, nonce="1"))["id"]
        await haru.until(lambda: f"room:{room}" in haru.ear.positions)
        said = (await aki.say(room, "みて"))["message"]
        await haru.until(lambda: haru.texts(room) == ["みて"])
        await haru.call("message.react", message=said, stamp="sugoi")
        await haru.call("message.react", message=said)
        for client in (aki, haru):
            await client.until(lambda c=client: stamps(c) == [(said, "sugoi"), (said, None)])
        assert aki.ear.positions[f"room:{room}"] == haru.ear.positions[f"room:{room}"]


async def test_who_was_away_hears_what_stands_without_hole(start_node: Start) -> None:
    server = await start_node(FREE)
    a, h = await server.friends("aki", "haru")
    async with server.client(a) as aki, server.client(h) as haru:
        room = (await aki.call("room.create", title="集い", accounts=[h.account.id], nonce="1"))["id"]
        await haru.until(lambda: f"room:{room}" in haru.ear.positions)
        said = [(await aki.say(room, text))["message"] for text in ("ひとつ", "ふたつ")]
        await haru.until(lambda: haru.texts(room) == ["ひとつ", "ふたつ"])
        ear, epoch = haru.ear, haru.epoch
        await haru.close()
        for message in said:
            await aki.call("message.react", message=message, stamp="kawaii")
        await aki.call("message.delete", message=said[0])
    async with Client(server.ws_url, h.token, ear, epoch) as haru:
        assert stamps(haru) == [(said[1], "kawaii")]
        page: dict[str, Any] = await haru.call("message.list", room=room)
        shown = {each["id"]: each["reactions"] for each in page["messages"]}
        assert shown[said[1]] == {"kawaii": [a.account.id]}
        assert shown[said[0]] == {}
