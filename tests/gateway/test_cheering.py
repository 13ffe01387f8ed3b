"""Cheers and toasts on live sockets, on one node and on two: counted, never doubled, never told to whom they are not for
(FEATURES §4)."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from channels.accounts import NewAccount
from loadtest.client import Client, ServerRefusal
from realtime.settings import Limits
from tests.gateway.test_two_nodes import Pair, pair, start_pair  # noqa: F401  # fixtures
from tests.support.http import post
from tests.support.nodes import RunningNode, Start

FREE = Limits(operations_per_s=1e6, operations_burst=1e6, cheers_per_s=1e6, cheers_burst=1e6)


def cheered(client: Client) -> Counter[str]:
    """All that was told, added up."""
    total: Counter[str] = Counter()
    for push in client.heard("channel.cheered"):
        total.update(push["d"]["counts"])
    return total


async def group(node: RunningNode, people: list[NewAccount]) -> str:
    """The channel of a group of all."""
    others = [each.account.id for each in people[1:]]
    made = await post(node.url, "room.create", people[0].token, title="応援", nonce="1", accounts=others)
    return f"room:{made.ok['id']}"


async def refused(work: Any) -> str:
    with pytest.raises(ServerRefusal) as refusal:
        await work
    return refusal.value.code


async def test_taps_are_added_up_and_told_at_most_ten_times_a_second(start_node: Start) -> None:
    node = await start_node(FREE)
    people = await node.friends("aki", "haru")
    channel = await group(node, people)
    async with node.client(people[0]) as aki, node.client(people[1]) as haru:
        begun = asyncio.get_running_loop().time()
        for _ in range(6):
            await asyncio.gather(
                *(aki.call("channel.cheer", ch=channel, effect="love") for _ in range(50)),
                *(haru.call("channel.cheer", ch=channel, effect=131075) for _ in range(10)),
            )
            await asyncio.sleep(0.05)
        for client in (aki, haru):
            await client.until(lambda c=client: cheered(c) == {"love": 300, "shine": 60})
        told = haru.heard("channel.cheered")
        assert all(push["ch"] == channel and "seq" not in push for push in told)
        # However slow the machine: ten a second of the time it took, and one for each end of it.
        assert (
            len(told)
            == node.node.fanout.cheering.told
            <= 10 * (asyncio.get_running_loop().time() - begun) + 2
        )
        times = [push["at"] for push in told]
        # A tenth of a second by the loop's clock; the wall clock may differ a little.
        assert all(b - a >= 90 for a, b in pairwise(times))
        rows = await node.node.desk.db.read(
            lambda tx: tx.rows("select count(*) from log where kind like '%cheer%'")
        )
        assert rows[0][0] == 0


async def test_who_may_not_write_there_cheers_nobody(start_node: Start) -> None:
    node = await start_node(FREE)
    people = await node.friends("aki", "haru")
    ken = await node.account("ken")
    channel = await group(node, people)
    place = await post(node.url, "community.create", people[0].token, name="電車", nonce="c")
    async with node.client(people[1]) as haru, node.client(ken) as outsider:
        for op, fields in (("channel.cheer", {"effect": "love"}), ("channel.toast", {})):
            assert await refused(outsider.call(op, ch=channel, **fields)) == "not_found"
            assert (
                await refused(outsider.call(op, ch=f"community:{place.ok['id']}", **fields)) == "not_member"
            )
            assert await refused(outsider.call(op, ch=f"user:{ken.account.id}", **fields)) == "not_found"
        assert await refused(haru.call("channel.cheer", ch=channel, effect="twirl")) == "emotext_unknown"
        # By HTTP too, and whoever is not inside any more is asked again.
        assert (
            await post(node.url, "channel.cheer", ken.token, ch=channel, effect="love")
        ).code == "not_found"
        await haru.call("channel.cheer", ch=channel, effect="love")
        await haru.until(lambda: cheered(haru) == {"love": 1})
        await haru.call("room.leave", room=channel.removeprefix("room:"))
        assert await refused(haru.call("channel.cheer", ch=channel, effect="love")) in (
            "not_found",
            "not_member",
        )


async def test_nobody_taps_without_end(start_node: Start) -> None:
    node = await start_node(Limits(cheers_per_s=0.001, cheers_burst=3, toasts_per_min=0.001))
    people = await node.friends("aki", "haru")
    channel = await group(node, people)
    async with node.client(people[0]) as aki:
        for _ in range(3):
            await aki.call("channel.cheer", ch=channel, effect="love")
        assert await refused(aki.call("channel.cheer", ch=channel, effect="love")) == "rate_limited"
        # A person's taps are counted, not a connection's.
        again = await post(node.url, "channel.cheer", people[0].token, ch=channel, effect="love")
        assert again.code == "rate_limited"
        await aki.call("channel.toast", ch=channel)
        assert await refused(aki.call("channel.toast", ch=channel)) == "rate_limited"


async def told_apart(one: RunningNode, two: RunningNode) -> tuple[dict[str, int], ...]:
    """ken blocks haru, and all three tap and count down; what aki, haru and ken were told in the end."""
    people = await one.friends("aki", "haru", "ken")
    channel = await group(one, people)
    await post(one.url, "block.add", people[2].token, account=people[1].account.id)
    async with one.client(people[0]) as aki, two.client(people[1]) as haru, one.client(people[2]) as ken:
        for client in (aki, haru, ken):
            await client.until(lambda c=client: channel in c.ear.positions)
        await haru.call("channel.cheer", ch=channel, effect="love")
        await aki.until(lambda: cheered(aki) == {"love": 1})
        for _ in range(4):
            await ken.call("channel.cheer", ch=channel, effect="shine")
        # By HTTP nothing is known of a caller but the name.
        await post(two.url, "channel.cheer", people[1].token, ch=channel, effect="love")
        await aki.call("channel.cheer", ch=channel, effect="big")
        await aki.until(lambda: cheered(aki) == {"love": 2, "shine": 4, "big": 1})
        await haru.until(lambda: cheered(haru) == {"love": 2, "big": 1})
        await ken.until(lambda: cheered(ken) == {"shine": 4, "big": 1})
        await ken.call("channel.toast", ch=channel)
        await aki.until(lambda: bool(aki.heard("channel.toasted")))
        await aki.call("channel.toast", ch=channel, what="kanpai")
        for client in (haru, ken):
            await client.until(
                lambda c=client: any(p["d"]["what"] == "kanpai" for p in c.heard("channel.toasted"))
            )
        assert [p["d"]["what"] for p in haru.heard("channel.toasted")] == ["kanpai"]
        return cheered(aki), cheered(haru), cheered(ken)


# Neither of the two who are apart is told of the other's taps; the third of everybody's.
APART = ({"love": 2, "shine": 4, "big": 1}, {"love": 2, "big": 1}, {"shine": 4, "big": 1})


async def test_people_who_are_apart_are_not_counted_for_each_other(start_node: Start) -> None:
    node = await start_node(FREE)
    assert await told_apart(node, node) == APART


async def test_nor_on_two_nodes(start_pair: Any, valkey: Any) -> None:  # noqa: F811  # a fixture
    one, two = await start_pair(valkey.url, valkey.prefix)
    assert await told_apart(one, two) == APART


async def test_two_nodes_add_up_and_tell_once(start_pair: Any, valkey: Any) -> None:  # noqa: F811  # a fixture
    one, two = await start_pair(valkey.url, valkey.prefix)
    people = await one.friends("aki", "haru")
    channel = await group(one, people)
    async with one.client(people[0]) as aki, two.client(people[1]) as haru:
        for client in (aki, haru):
            await client.until(lambda c=client: channel in c.ear.positions)
        for _ in range(10):
            await aki.call("channel.cheer", ch=channel, effect="love")
            await haru.call("channel.cheer", ch=channel, effect="love")
        for client in (aki, haru):
            await client.until(lambda c=client: cheered(c) == {"love": 20})
        for node, client in ((one, aki), (two, haru)):
            assert len(client.heard("channel.cheered")) == node.node.fanout.cheering.told


async def test_a_toast_is_the_same_moment_for_everybody(start_node: Start) -> None:
    node = await start_node()
    people = await node.friends("aki", "haru")
    channel = await group(node, people)
    async with node.client(people[0]) as aki, node.client(people[1]) as haru:
        begun = await aki.call("clock.read", t=1)
        made = await aki.call("channel.toast", ch=channel, what="kanpai")
        for client in (aki, haru):
            await client.until(lambda c=client: bool(c.heard("channel.toasted")))
            (told,) = client.heard("channel.toasted")
            expected = {"account": people[0].account.id, "what": "kanpai", "play_at": made["play_at"]}
            assert told["d"] == expected
        assert made["play_at"] >= begun["server_time"] + 3_000


async def test_a_tally_that_is_none_is_left_out(start_node: Start) -> None:
    from gateway.cheering import TALLY
    from realtime.parcels import Audience, Parcel

    node = await start_node(FREE)
    people = await node.friends("aki", "haru")
    channel = await group(node, people)
    async with node.client(people[0]) as aki:
        node.node.fanout.take((Parcel(channel, 0, TALLY, Audience.NOBODY, "", "", 1, "other", b"[]"),))
        frame = b'{"plain":{"love":2},"named":{}}'
        node.node.fanout.take((Parcel(channel, 0, TALLY, Audience.NOBODY, "", "", 1, "other", frame),))
        await aki.until(lambda: cheered(aki) == {"love": 2})
