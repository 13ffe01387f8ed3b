"""A reader that stops: bounded, closed as too slow, and nobody else feels it (WIRE §5, FAULTS F12)."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace

import pytest

from realtime.closes import Close
from realtime.settings import Limits
from tests.support.nodes import Start
from tests.support.stalled import Reader, stalled
from tests.support.waiting import until

OPEN = Limits(
    operations_per_s=1e6,
    operations_burst=1e6,
    operations_in_flight_max=10_000,
    queue_bytes_max=64 * 1024,
    socket_send_buffer_bytes=8 * 1024,
    queue_age_s=2.0,
    close_wait_s=1.0,
    tcp_user_timeout_s=5.0,
)


async def test_a_stalled_reader_is_cut_then_closed_within_its_bound_and_others_hear_all(
    start_node: Start,
) -> None:
    server = await start_node(OPEN)
    aki, haru = await server.friends("aki", "haru")
    async with server.client(aki) as a:
        room = (await a.call("room.create", title="集い", accounts=[haru.account.id], nonce="1"))["id"]
        before = set(server.node.sockets)
        # The stalled one joins first, so that the hub is still walking over the others when it has to go.
        raw = (await stalled(server, haru.token))[0]
        (slow,) = server.node.sockets - before
        h = server.client(haru)
        await h.open()
        most = 0
        said = 0
        while said < 600 and server.node.hub.hears(slow, f"room:{room}"):
            said += 10
            await asyncio.gather(*(a.say(room, "x" * 1500) for _ in range(10)))
            if slow._slow is not None:
                most = max(most, slow._slow.queue.size_bytes)
        assert slow in server.node.sockets, "a channel is cut before the connection is given up"
        assert not server.node.hub.hears(slow, f"room:{room}"), "the channel was never cut"
        assert 0 < most <= OPEN.queue_bytes_max + 64 * 1024
        await until(lambda: slow not in server.node.sockets)
        assert slow._close_code == Close.TOO_SLOW
        await h.until(lambda: len(h.texts(room)) == said)
        await until(lambda: slow.transport is None)
        raw.close()
        assert (await h.call("clock.read", t=2))["t"] == 2
        await h.close()


async def test_who_fell_behind_and_syncs_hears_everything_once(start_node: Start) -> None:
    server = await start_node(replace(OPEN, queue_age_s=60.0))
    aki, haru = await server.friends("aki", "haru")
    async with server.client(aki) as a:
        room = (await a.call("room.create", title="集い", accounts=[haru.account.id], nonce="1"))["id"]
        reader = Reader(*await stalled(server, haru.token))
        (slow,) = [s for s in server.node.sockets if s.account == haru.account.id]
        for round_ in range(3):
            while server.node.hub.hears(slow, f"room:{room}"):
                await asyncio.gather(*(a.say(room, "x" * 1500) for _ in range(10)))
            behind = await reader.until("behind")
            assert behind["d"]["seq"] == reader.seqs[-1], "behind tells the last seq that was sent"
            await reader.say("channel.sync", 7 + round_, positions={f"room:{room}": behind["d"]["seq"]})
            await reader.answer(7 + round_)
            await a.say(room, "after")
        tops = await a.call("room.get", room=room)
        await reader.until_seq(tops["seq"])
        first = reader.seqs[0]
        assert reader.seqs == list(range(first, tops["seq"] + 1))
        # A fourth time within the minute is once too often.
        while slow in server.node.sockets:
            await asyncio.gather(*(a.say(room, "x" * 1500) for _ in range(10)))
        assert slow._close_code == Close.TOO_SLOW
        reader.raw.close()


async def test_who_fell_behind_and_loses_the_room_gets_none_of_what_is_unsent(start_node: Start) -> None:
    server = await start_node(replace(OPEN, queue_age_s=60.0, tcp_user_timeout_s=60.0))
    aki, haru = await server.friends("aki", "haru")
    async with server.client(aki) as a:
        room = (await a.call("room.create", title="集い", accounts=[haru.account.id], nonce="1"))["id"]
        reader = Reader(*await stalled(server, haru.token))
        (slow,) = [s for s in server.node.sockets if s.account == haru.account.id]
        while server.node.hub.hears(slow, f"room:{room}"):
            await asyncio.gather(*(a.say(room, "x" * 1500) for _ in range(10)))
        async with server.client(haru) as h:
            await h.call("room.leave", room=room)
            await until(lambda: slow not in server.node.sockets)
        told = []
        with contextlib.suppress(ConnectionError, EOFError):
            while True:
                told.append((await reader.frame()).get("ev"))
        assert "message.created" in told, "what had left before is there"
        assert "behind" not in told, "what waited behind it in this process came after the end"
        reader.raw.close()


@pytest.mark.parametrize(
    ("op", "fields"), [("room.leave", ("room",)), ("session.revoke_all", ())], ids=["room", "session"]
)
async def test_who_loses_room_or_session_gets_none_of_what_the_transport_holds(
    start_node: Start, op: str, fields: tuple[str, ...]
) -> None:
    server = await start_node(replace(OPEN, queue_age_s=60.0, close_wait_s=60.0, tcp_user_timeout_s=60.0))
    aki, haru = await server.friends("aki", "haru")
    async with server.client(aki) as a, server.client(haru) as h:
        room = (await a.call("room.create", title="集い", accounts=[haru.account.id], nonce="1"))["id"]
        await h.until(lambda: f"room:{room}" in h.ear.positions)
        before = set(server.node.sockets)
        reader = Reader(*await stalled(server, haru.token))
        with contextlib.closing(reader.raw):
            (slow,) = server.node.sockets - before
            while slow._slow is None or not slow._slow.queue.holds(f"room:{room}"):
                await a.say(room, "x" * 1500)
            handed_over = next(w.piece.first for w in slow._slow.queue._pieces if w.piece.channel) - 1
            with contextlib.suppress(ConnectionError):
                await h.call(op, **dict.fromkeys(fields, room))
            await until(lambda: slow not in server.node.sockets)
            with contextlib.suppress(ConnectionError, EOFError):
                while True:
                    await reader.frame()
            assert reader.seqs[-1] < handed_over, "what had not left this process came after the end"


async def test_what_waits_unsent_is_not_told_beside_the_answer_of_a_sync(start_node: Start) -> None:
    server = await start_node(replace(OPEN, queue_age_s=60.0))
    aki, haru = await server.friends("aki", "haru")
    async with server.client(aki) as a:
        room = (await a.call("room.create", title="集い", accounts=[haru.account.id], nonce="1"))["id"]
        reader = Reader(*await stalled(server, haru.token))
        (slow,) = [s for s in server.node.sockets if s.account == haru.account.id]
        while slow._slow is None or not slow._slow.queue.holds(f"room:{room}"):
            await a.say(room, "x" * 1500)
        waits = slow._slow.queue
        await reader.say("channel.sync", 7, positions={f"room:{room}": 2})
        await until(lambda: not waits.holds(f"room:{room}"))
        assert server.node.hub.hears(slow, f"room:{room}") or slow.in_flight
        await reader.answer(7)
        reader.raw.close()


async def test_a_reader_that_is_only_slow_gets_everything(start_node: Start) -> None:
    server = await start_node(
        Limits(operations_per_s=1e6, operations_burst=1e6, socket_send_buffer_bytes=8 * 1024)
    )
    aki, haru = await server.friends("aki", "haru")
    async with server.client(aki) as a, server.client(haru) as h:
        room = (await a.call("room.create", title="集い", accounts=[haru.account.id], nonce="1"))["id"]
        raw = (await stalled(server, haru.token))[0]
        for _ in range(20):
            await asyncio.gather(*(a.say(room, "x" * 1500) for _ in range(10)))
        await h.until(lambda: len(h.texts(room)) == 200)
        loop = asyncio.get_running_loop()
        seen = b""
        async with asyncio.timeout(10):
            while seen.count(b'"message.created"') < 200:
                seen += await loop.sock_recv(raw, 1 << 16)
        assert len(server.node.sockets) == 3
        raw.close()
