"""What every courier promises, tried on the in-process one and on a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from realtime.parcels import Audience, Parcel
from realtime.settings import Settings
from storage.courier import CourierConfig, CourierState
from tests.storage.couriers import Cluster, Node, entry
from tests.support.waiting import until


@pytest.fixture(params=["memory", "redis"])
async def cluster(request: pytest.FixtureRequest) -> AsyncIterator[Cluster]:
    if request.param == "redis":
        server = request.getfixturevalue("valkey")
        cluster = Cluster(server.url, server.prefix)
    else:
        cluster = Cluster()
    yield cluster
    await cluster.close()


@pytest.fixture
async def pair(cluster: Cluster) -> tuple[Node, Node]:
    return await cluster.open("a"), await cluster.open("b")


async def test_a_parcel_arrives_whole(pair: tuple[Node, Node]) -> None:
    a, b = pair
    sent = Parcel(
        "room:集い", 7, "post.created", Audience.ONLY, "アキ", "ユウ", 1, "a", '{"text":"やあ\n"}'.encode()
    )
    a.courier.publish(sent)
    await until(lambda: b.heard)
    assert b.heard == [sent]
    assert (a.courier.counters.published, b.courier.counters.received) == (1, 1)


async def test_a_node_does_not_hear_itself_and_everyone_else_does(cluster: Cluster) -> None:
    a, b, c = await cluster.open("a"), await cluster.open("b"), await cluster.open("c")
    a.courier.publish(entry("room:1", 1, "a"))
    b.courier.publish(entry("room:2", 1, "b"))
    await until(lambda: len(c.heard) == 2)
    await until(lambda: a.heard and b.heard)
    assert [parcel.origin for parcel in a.heard] == ["b"]
    assert [parcel.origin for parcel in b.heard] == ["a"]
    assert sorted(parcel.origin for parcel in c.heard) == ["a", "b"]


async def test_the_kinds_keep_their_order_within_a_channel(pair: tuple[Node, Node]) -> None:
    a, b = pair
    sent = [entry("room:1", seq if seq % 3 else 0, frame=b"%d" % seq) for seq in range(1, 200)]
    for parcel in sent:
        a.courier.publish(parcel)
    await until(lambda: len(b.heard) == len(sent))
    assert b.heard == sent


async def test_a_burst_arrives_complete_and_in_order(pair: tuple[Node, Node]) -> None:
    a, b = pair
    for seq in range(1, 1001):
        for room in range(10):
            a.courier.publish(entry(f"room:{room}", seq))
    await until(lambda: len(b.heard) >= 10_000)
    for room in range(10):
        assert b.seqs(f"room:{room}") == list(range(1, 1001))
    assert a.courier.counters.published == 10_000
    assert a.courier.counters.dropped == 0


async def test_the_hot_log_keeps_the_durable_only(pair: tuple[Node, Node]) -> None:
    a, b = pair
    sent = [entry("room:1", seq) for seq in (1, 2, 0, 3, 0)]
    for parcel in sent:
        a.courier.publish(parcel)
    await b.ends_at("room:1", 3)
    for node in pair:
        assert await node.courier.recent() == [sent[0], sent[1], sent[3]]


async def test_a_node_that_starts_reads_what_was_carried_before_it(cluster: Cluster) -> None:
    a = await cluster.open("a")
    assert await a.courier.recent() == []
    for seq in (1, 3, 2, 4):
        a.courier.publish(entry("room:1", seq))
        a.courier.publish(entry("room:2", seq + 100))
    await a.ends_at("room:1", 4)
    b = await cluster.open("b")
    assert await b.logged("room:1") == [1, 2, 3, 4]
    assert await b.logged("room:2") == [101, 102, 103, 104]
    assert b.heard == []


async def test_only_the_newest_are_read(cluster: Cluster) -> None:
    a = await cluster.open("a")
    for seq in range(1, 3001):
        a.courier.publish(entry("room:1", seq))
    await a.ends_at("room:1", 3000)
    found = await a.logged("room:1")
    assert found == list(range(3001 - len(found), 3001))
    assert 50 <= len(found) <= 256


async def test_a_full_buffer_drops_the_oldest_and_counts(cluster: Cluster) -> None:
    a, b = await cluster.open("a", buffer_parcels_max=10), await cluster.open("b")
    for seq in range(1, 26):
        a.courier.publish(entry("room:1", seq))
    await until(lambda: len(b.heard) == 10)
    assert b.seqs("room:1") == list(range(16, 26))
    assert (a.courier.counters.dropped, a.courier.counters.published) == (15, 10)


async def test_the_buffer_is_bounded_by_bytes_too(cluster: Cluster) -> None:
    a, b = await cluster.open("a", buffer_bytes_max=50_000), await cluster.open("b")
    for seq in range(1, 11):
        a.courier.publish(entry("room:1", seq, frame=b"x" * 9_500))
    await until(lambda: len(b.heard) == 5)
    assert b.seqs("room:1") == list(range(6, 11))
    assert a.courier.counters.dropped == 5


async def test_closing_hands_over_what_waits_and_leaves_no_task(cluster: Cluster) -> None:
    a, b = await cluster.open("a"), await cluster.open("b")
    for seq in range(1, 501):
        a.courier.publish(entry("room:1", seq))
    await a.courier.close()
    await until(lambda: len(b.heard) == 500)
    assert not a.courier.healthy
    a.courier.publish(entry("room:1", 0))
    await b.courier.close()
    await a.courier.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}


class Failing(Node):
    def deliver(self, parcels: Sequence[Parcel]) -> None:
        super().deliver(parcels)
        raise RuntimeError("a fault of the hub's")


async def test_a_listener_that_fails_does_not_deafen_the_node(cluster: Cluster) -> None:
    a, b = await cluster.open("a"), await cluster.open("b", Failing)
    # The in-process courier leaves the report to the loop; the other one logs.
    asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
    for seq in (1, 2):
        a.courier.publish(entry("room:1", seq))
        await b.hears("room:1", seq)
    assert b.courier.counters.received == 2


async def test_check_and_healthy_agree_on_a_working_courier(pair: tuple[Node, Node]) -> None:
    for node in pair:
        health = await node.courier.check()
        assert health.state is CourierState.OK
        assert health.ping_ms is not None
        assert node.courier.healthy
        assert node.suspects == 0


def test_the_settings_reach_the_courier() -> None:
    settings = Settings(redis_url="redis://h/1", partitions=8, redis_prefix="p", redis_timeout_s=0.5)
    config = CourierConfig.of(settings, "node-1", "e1")
    assert (config.origin, config.redis_url, config.prefix) == ("node-1", "redis://h/1", "p:e1")
    assert (config.partitions, config.timeout_s, config.log_entries_max) == (8, 0.5, 1_000)
