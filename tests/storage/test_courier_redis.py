"""The Redis courier against a server that dies, freezes, forgets, refuses or lies."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator

import pytest

from realtime.parcels import unpack
from storage.courier import CourierState
from storage.courier_redis import RedisCourier
from storage.courier_redis_writer import Echo
from storage.courier_scripts import log_key
from storage.redis_link import Line
from tests.storage.couriers import Cluster, Node, entry
from tests.support.valkey import ValkeyServer
from tests.support.waiting import LoopLag, until

TIMEOUT_S = 0.5
SLACK_S = 0.5
"""What a busy machine may add to a deadline."""
BEAT_S = 0.1
HELD_UP_S = 4 * BEAT_S
"""Longer than the patience for an echo."""


@pytest.fixture
async def cluster(own_valkey: ValkeyServer) -> AsyncIterator[Cluster]:
    cluster = Cluster(own_valkey.url, beat_s=BEAT_S)
    yield cluster
    await cluster.close()


@pytest.fixture
async def pair(cluster: Cluster) -> tuple[Node, Node]:
    return await cluster.open("a", timeout_s=TIMEOUT_S), await cluster.open("b", timeout_s=TIMEOUT_S)


async def flows(a: Node, b: Node, seq: int) -> None:
    """Publish until the other node hears: `a` may notice trouble only after `b` does."""
    await until(lambda: a.courier.healthy and b.courier.healthy, "both healthy")
    a.courier.publish(entry("room:probe", seq))
    await until(lambda: seq in b.seqs("room:probe"), "the probe heard")


def logged(server: ValkeyServer) -> list[bytes]:
    """Every parcel in every stream of the test cluster, as packed."""
    rows = [row for p in range(4) for row in server.command("XRANGE", log_key("test", p), "-", "+")]
    return [fields[b"p"] if isinstance(fields, dict) else fields[1] for _id, fields in rows]


async def test_a_killed_server_comes_back_and_the_node_is_suspect(
    pair: tuple[Node, Node], own_valkey: ValkeyServer
) -> None:
    a, b = pair
    await flows(a, b, 1)
    async with LoopLag() as lag:
        own_valkey.kill()
        await until(lambda: not a.courier.healthy and not b.courier.healthy, "both unhealthy")
        assert (await a.courier.check()).state is CourierState.DEAD
        assert await a.courier.recent() == []
        for seq in range(1, 101):
            a.courier.publish(entry("room:1", seq))
        a.courier.publish(entry("room:1", 0))
    assert lag.worst_s < 0.5, "publishing to a dead server must not hold the loop"
    # A writer learns of the death with its next flush, so the count may follow.
    await until(lambda: a.courier.counters.dropped == 1, "the ephemeral given up")
    assert (a.suspects, b.suspects) == (0, 0), (
        "suspicion is told when the reader is back, to be acted on once"
    )
    own_valkey.start()
    await until(lambda: a.suspects == 1 and b.suspects == 1, "both told")
    await flows(a, b, 2)
    # What waited left as soon as the server came; the other node may have subscribed a moment later, so it is
    # the log, not its ear, that must be whole.
    assert await b.logged("room:1") == list(range(1, 101))
    await until(lambda: b.courier.counters.reconnects == 2, "reader and writer anew")
    assert a.courier.counters.dropped == 1, "the durable waited"


async def test_a_frozen_server_costs_nobody_more_than_the_deadline(
    pair: tuple[Node, Node], own_valkey: ValkeyServer
) -> None:
    a, b = pair
    await flows(a, b, 1)
    loop = asyncio.get_running_loop()
    own_valkey.pause()
    async with LoopLag() as lag:
        begun = loop.time()
        for seq in range(1, 2001):
            a.courier.publish(entry("room:1", seq, frame=b"x" * 2000))
        assert loop.time() - begun < 0.5, "publish never waits"
        begun = loop.time()
        assert await a.courier.recent() == []
        assert loop.time() - begun < TIMEOUT_S + SLACK_S
        begun = loop.time()
        assert (await a.courier.check()).state is CourierState.DEAD
        assert loop.time() - begun < TIMEOUT_S + SLACK_S
        await until(lambda: not a.courier.healthy and not b.courier.healthy, "the freeze noticed")
        begun = loop.time()
        await a.courier.close()
        assert loop.time() - begun < TIMEOUT_S + SLACK_S
    assert lag.worst_s < 0.5
    own_valkey.resume()


async def test_a_stall_stores_nothing_twice_and_loses_nothing(
    pair: tuple[Node, Node], own_valkey: ValkeyServer
) -> None:
    a, b = pair
    await flows(a, b, 1)
    for stall in range(3):
        own_valkey.pause()
        first = stall * 40 + 1
        for seq in range(first, first + 20):
            a.courier.publish(entry("room:1", seq))
        await until(lambda: not a.courier.healthy, "the stall noticed")
        for seq in range(first + 20, first + 40):
            a.courier.publish(entry("room:1", seq))
        own_valkey.resume()
        await until(lambda: a.courier.healthy and b.courier.healthy, "recovered")
    await b.ends_at("room:1", 120)
    entries = [parcel for parcel in logged(own_valkey) if unpack(parcel).channel == "room:1"]
    assert len(entries) == len(set(entries)) == 120
    # A reader that outlasted the stalls missed nothing, one that did not says so.
    assert b.suspects or sorted(b.seqs("room:1")) == list(range(1, 121))


async def test_a_line_to_a_frozen_server_closes_at_once(own_valkey: ValkeyServer) -> None:
    """Unsent bytes must not keep the socket, nor reach the server when it thaws."""
    line = Line(own_valkey.url, TIMEOUT_S)
    await line.open()
    transport = line._transport
    assert transport is not None
    own_valkey.pause()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await line.send(("SET", "late", b"x" * 50_000_000))
    await line.close()
    await until(lambda: transport.get_extra_info("socket").fileno() == -1, "the socket closed")
    own_valkey.resume()
    assert own_valkey.command("GET", "late") is None


async def test_a_number_seen_before_is_refused(pair: tuple[Node, Node], own_valkey: ValkeyServer) -> None:
    """The replay that a stall may or may not provoke, provoked."""
    a, b = pair
    courier = a.courier
    assert isinstance(courier, RedisCourier)
    courier.publish(entry("room:1", 1))
    await until(lambda: b.seqs("room:1") == [1])
    writer = courier._writer
    writer._number -= 1
    courier.publish(entry("room:1", 1))
    await until(lambda: courier.counters.published == 2)
    await flows(a, b, 1)
    assert b.seqs("room:1") == [1]
    assert len([parcel for parcel in logged(own_valkey) if unpack(parcel).channel == "room:1"]) == 1


async def test_a_node_that_restarts_under_its_name_is_heard(cluster: Cluster) -> None:
    b = await cluster.open("b")
    for run in (1, 2, 3):
        a = await cluster.open("a")
        a.courier.publish(entry("room:1", run))
        await b.hears("room:1", run)
        await a.courier.close()
    assert b.seqs("room:1") == [1, 2, 3]


async def test_a_dropped_subscriber_subscribes_again(
    pair: tuple[Node, Node], own_valkey: ValkeyServer
) -> None:
    a, b = pair
    await flows(a, b, 1)
    assert own_valkey.command("CLIENT", "KILL", "TYPE", "pubsub") == 2
    await until(lambda: a.suspects == 1 and b.suspects == 1, "both told")
    await flows(a, b, 2)
    assert b.courier.counters.reconnects == 1


async def test_a_subscriber_too_slow_for_the_server_recovers(
    pair: tuple[Node, Node], own_valkey: ValkeyServer
) -> None:
    """The server drops a lagging subscriber at its output limit, without a word."""
    a, b = pair
    own_valkey.command("CONFIG", "SET", "client-output-buffer-limit", "pubsub 200kb 0 0")
    for seq in range(1, 2001):
        a.courier.publish(entry("room:1", seq, frame=b"x" * 2_000))
    await until(lambda: b.suspects >= 1, "the drop noticed")
    own_valkey.command("CONFIG", "SET", "client-output-buffer-limit", "pubsub 0 0 0")
    await until(lambda: a.courier.counters.published >= 2000, "all sent")
    await flows(a, b, 1)
    assert b.seqs("room:probe") == [1]
    assert b.courier.counters.reconnects >= 1


async def test_an_emptied_server_says_only_what_it_heard_since(
    pair: tuple[Node, Node], own_valkey: ValkeyServer
) -> None:
    a, b = pair
    for seq in range(1, 11):
        a.courier.publish(entry("room:1", seq))
    await b.ends_at("room:1", 10)
    own_valkey.command("FLUSHALL")
    assert await b.logged("room:1") == []
    a.courier.publish(entry("room:1", 11))
    await b.ends_at("room:1", 11)
    assert await b.logged("room:1") == [11]


async def test_a_server_that_forgot_its_functions_learns_them_again(
    pair: tuple[Node, Node], own_valkey: ValkeyServer
) -> None:
    a, b = pair
    for seq in range(1, 6):
        own_valkey.command("SCRIPT", "FLUSH")
        a.courier.publish(entry("room:1", seq))
        a.courier.publish(entry("room:2", seq))
        await b.hears("room:1", seq)
        await b.hears("room:2", seq)
        own_valkey.command("SCRIPT", "FLUSH")
        await b.ends_at("room:1", seq)
    assert a.courier.counters.script_errors == a.courier.counters.reconnects == 0


async def test_a_full_server_still_tells_who_listens(
    pair: tuple[Node, Node], own_valkey: ValkeyServer
) -> None:
    a, b = pair
    await flows(a, b, 1)
    own_valkey.command("CONFIG", "SET", "maxmemory", "1")
    a.courier.publish(entry("room:1", 1))
    await until(lambda: b.seqs("room:1") == [1])
    await until(lambda: a.courier.counters.script_errors == 1)
    assert await b.logged("room:1") == []


async def test_a_server_that_became_a_replica_is_waited_for(
    pair: tuple[Node, Node], own_valkey: ValkeyServer
) -> None:
    a, b = pair
    await flows(a, b, 1)
    own_valkey.command("REPLICAOF", "127.0.0.1", "1")
    a.courier.publish(entry("room:1", 1))
    await until(lambda: not a.courier.healthy, "the refusal noticed")
    own_valkey.command("REPLICAOF", "NO", "ONE")
    await until(lambda: b.seqs("room:1") == [1], "the parcel waited")
    assert a.courier.counters.dropped == 0


async def test_check_tells_a_deaf_node_from_a_dead_server(
    pair: tuple[Node, Node], own_valkey: ValkeyServer
) -> None:
    a, _ = pair
    own_valkey.command("ACL", "SETUSER", "default", "resetchannels")
    await until(lambda: not a.courier.healthy, "deafness noticed")
    health = await a.courier.check()
    assert health.state is CourierState.READER_DEAD
    assert health.ping_ms is not None
    own_valkey.command("ACL", "SETUSER", "default", "allchannels")
    await until(lambda: a.courier.healthy and a.suspects > 0, "hearing again")
    own_valkey.kill()
    health = await a.courier.check()
    assert (health.state, health.ping_ms) == (CourierState.DEAD, None)
    assert health.error


async def test_a_node_that_was_held_up_is_not_deaf(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a node says to itself as its loop is held up leaves only afterwards: the answer cannot be there yet, and to give
    the connection up would lose what others say."""
    said: list[int] = []
    say = Echo.say

    def say_and_stand_still(echo: Echo) -> int:
        said.append(say(echo))
        time.sleep(HELD_UP_S)
        return said[-1]

    monkeypatch.setattr(Echo, "say", say_and_stand_still)
    a, b = await cluster.open("a"), await cluster.open("b")
    for seq in range(1, 11):
        a.courier.publish(entry("room:1", seq))
        await b.hears("room:1", seq)
    await until(lambda: len(said) > 10, "held up often")
    assert b.seqs("room:1") == list(range(1, 11))
    for node in (a, b):
        assert (node.suspects, node.courier.counters.reconnects) == (0, 0)


async def test_bytes_that_are_no_parcel_are_counted_and_dropped(
    pair: tuple[Node, Node], own_valkey: ValkeyServer
) -> None:
    a, b = pair
    for junk in (b"", b"\xff\xfe", b"1\x1fx\n{}", b"9\x1fa\x1f1\x1fk\x1fa\x1f\x1f\x1f1\x1fz\n{}"):
        own_valkey.command("PUBLISH", "test:{p0}:live", junk)
    await until(lambda: b.courier.counters.malformed == 4)
    await flows(a, b, 1)
    assert b.suspects == 0


async def test_a_node_starts_without_a_server(cluster: Cluster, own_valkey: ValkeyServer) -> None:
    own_valkey.kill()
    a = await cluster.open("a", timeout_s=TIMEOUT_S)
    b = await cluster.open("b", timeout_s=TIMEOUT_S)
    assert not a.courier.healthy
    a.courier.publish(entry("room:1", 1))
    own_valkey.start()
    await until(lambda: b.suspects == 1, "told that it may have missed something")
    await flows(a, b, 1)


async def test_a_subscription_that_carries_nothing_does_not_last(
    cluster: Cluster, own_valkey: ValkeyServer
) -> None:
    """Pings are answered, parcels are swallowed: only the node's own echo can tell."""
    async with Swallower(own_valkey.port) as between:
        b = await cluster.open("b", redis_url=between.url, timeout_s=5.0)
        await until(lambda: b.courier.healthy)
        between.swallowing = True
        # Sooner than the five seconds that a lost pong would take.
        await until(lambda: b.suspects >= 1, "given up", deadline_s=4.0)
        between.swallowing = False
        a = await cluster.open("a")
        await until(lambda: b.courier.healthy)
        await flows(a, b, 1)
        assert b.seqs("room:probe") == [1]
        assert b.courier.counters.reconnects >= 1


MESSAGE = re.compile(rb"\*3\r\n\$7\r\nmessage\r\n\$\d+\r\n[^\r]*\r\n\$\d+\r\n[^\r]*\r\n")


class Swallower:
    """A way to the server that can lose everything published, and nothing else."""

    def __init__(self, port: int) -> None:
        self.swallowing = False
        self._target = port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.url = ""

    async def __aenter__(self) -> Swallower:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/0"
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target)
        for source, sink in ((reader, there_writer), (there_reader, writer)):
            task = asyncio.create_task(self._pump(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                sink.write(MESSAGE.sub(b"", data) if self.swallowing else data)
        except ConnectionError:
            pass
        finally:
            sink.transport.abort()
