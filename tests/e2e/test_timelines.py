"""What is shared, end to end with real processes on both back ends: on two hundred screens in order, through a tunnel, and not
on the screen of whoever was blocked (J3, J6, J12)."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from loadtest.client import Client
from loadtest.people.board import Board, stamped
from loadtest.people.watcher import Watcher
from tests.e2e.test_first_conversation import House, house
from tests.support.waiting import until

__all__ = ["house"]

FOLLOWERS = 200
POSTS = 20
SOON_S = 1.0
"""J3, J12."""

BUSY_FACTOR = 5
"""This machine runs other tests beside: what a promise says is asked of a median, and this many times it of the slowest."""


def texts(client: Client, channel: str) -> list[str]:
    """The words of the posts that a client was told in a channel, in order."""
    return [
        push["d"]["post"]["text"]
        for push in client.ear.pushes
        if push["ev"] == "post.created" and push["ch"] == channel
    ]


async def test_a_post_is_on_two_hundred_screens_in_order(house: House) -> None:
    (line,) = await asyncio.to_thread(
        house.one.run_lines,
        "seed",
        *("--people", str(FOLLOWERS + 1)),
        *("--circle", str(FOLLOWERS + 1)),
        *("--rooms", "0"),
    )
    author, *followers = line["tokens"]
    board = Board(time.perf_counter())
    screens = [Watcher(f"screen {number}", token, board) for number, token in enumerate(followers)]
    for number in range(0, len(screens), 20):
        some = screens[number : number + 20]
        doors = [(house.one, house.two)[at % 2].ws_url for at in range(len(some))]
        # Twenty of an address, as in the houses of a town.
        address = f"127.0.{number // 20 + 1}.1"
        await asyncio.gather(
            *(screen.connect(door, address) for screen, door in zip(some, doors, strict=True))
        )
        await asyncio.gather(*(screen.live for screen in some))
    async with Client(house.one.ws_url, author) as a:
        channel = f"author:{a.connected['account']['id']}".encode()
        sent = []
        for number in range(POSTS):
            due = time.perf_counter() - board.begun
            sent.append(await a.send("post.create", text=stamped(f"{number}", due), nonce=f"{number}"))
            await asyncio.sleep(0.1)
        top = sent[-1]["seq"]
        await until(lambda: all(screen.seqs[channel] == top for screen in screens))
    delays = sorted(board.take_delays())
    assert len(delays) == FOLLOWERS * POSTS
    assert [screen.faults for screen in screens] == [[]] * FOLLOWERS
    assert board.differ == []
    assert sorted(board.lines[channel]) == [each["seq"] for each in sent]
    assert delays[len(delays) // 2] <= SOON_S
    assert delays[int(len(delays) * 0.99)] <= SOON_S * BUSY_FACTOR
    for screen in screens:
        screen.close()


async def test_a_tunnel_takes_nothing_and_doubles_nothing(house: House) -> None:
    aki, haru = house.account("aki"), house.account("haru")
    house.one.run_cli("account", "follow", "haru", "aki")
    async with Client(house.one.ws_url, aki["token"]) as a:
        channel = f"author:{aki['account']}"
        h = Client(house.two.ws_url, haru["token"])
        await h.open()
        await a.send("post.create", text="乗った", nonce="in")
        await h.until(lambda: texts(h, channel) == ["乗った"])
        h.cut()
        said = [f"トンネルのあいだ {number}" for number in range(60)]
        for number, text in enumerate(said):
            await a.send("post.create", text=text, nonce=f"{number}")
        again = Client(house.one.ws_url, haru["token"], h.ear, h.epoch)
        began = time.perf_counter()
        async with again:
            await again.until(lambda: len(texts(again, channel)) >= 61)
            took = time.perf_counter() - began
            await a.send("post.create", text="出た", nonce="out")
            await again.until(lambda: texts(again, channel)[-1] == "出た")
            assert texts(again, channel) == ["乗った", *said, "出た"]
            shown = await again.call("timeline.list", which="follow", limit=100)
            assert [post["text"] for post in shown["posts"]] == ["乗った", *said, "出た"]
    assert took <= 2.0 * BUSY_FACTOR


@pytest.mark.parametrize("who", ["author blocks", "reader blocks", "reader leaves"])
async def test_who_was_blocked_is_told_nothing_more_on_any_gateway(house: House, who: str) -> None:
    aki, haru = house.account("aki"), house.account("haru")
    house.one.run_cli("account", "follow", "haru", "aki", "--mutual")
    place: Any
    async with (
        Client(house.one.ws_url, aki["token"]) as a,
        Client(house.two.ws_url, haru["token"]) as h,
        Client(house.one.ws_url, haru["token"]) as other,
    ):
        place = await a.call("community.create", name="窓", nonce="c")
        await h.call("community.join", community=place["id"])
        await other.until(lambda: bool(other.heard("community.joined")))
        homes = {f"author:{aki['account']}": {}, place["channel"]: {"community": place["id"]}}

        async def post(text: str) -> None:
            for number, fields in enumerate(homes.values()):
                await a.send("post.create", text=text, nonce=f"{text} {number}", **fields)

        await post("前")
        for client in (h, other):
            await client.until(lambda c=client: all(texts(c, home) == ["前"] for home in homes))  # type: ignore[misc]  # bound now
        if who == "reader leaves":
            await a.call("account.update", private=True)
            await h.call("follow.remove", account=aki["account"])
            await h.call("community.leave", community=place["id"])
            await other.until(
                lambda: bool(other.heard("community.left")) and bool(other.heard("follow.ended"))
            )
        else:
            one, blocked = (a, haru) if who == "author blocks" else (h, aki)
            await one.call("block.add", account=blocked["account"])
            await asyncio.sleep(SOON_S)
        await post("あと")
        # What comes behind it by the same way says that it would have been there.
        ken = house.account("ken")
        house.one.run_cli("account", "follow", "haru", "ken")
        async with Client(house.one.ws_url, ken["token"]) as k:
            for client in (h, other):
                await client.until(lambda c=client: f"author:{ken['account']}" in c.ear.positions)  # type: ignore[misc]  # bound now
            await k.send("post.create", text="別の人", nonce="k")
            for client in (h, other):
                await client.until(lambda c=client: texts(c, f"author:{ken['account']}") == ["別の人"])  # type: ignore[misc]  # bound now
                assert [texts(client, home) for home in homes] == [["前"], ["前"]]
        shown = await h.call("timeline.list", which="follow")
        assert [each["text"] for each in shown["posts"]] == ["別の人"]
        seen = await h.call("timeline.list", community=place["id"])
        assert [each["text"] for each in seen["posts"]] == (["前", "あと"] if who == "reader leaves" else [])
