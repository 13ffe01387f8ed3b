"""A node proves its own delivery path, and gives its connections up when it fails (WIRE §4)."""

from __future__ import annotations

import contextlib

import pytest
from websockets.exceptions import ConnectionClosed

from gateway.delivery import FAILURES_MAX, DeliveryProbe
from realtime.closes import Close
from tests.support.nodes import RunningNode, Start
from tests.support.valkey import Shared


async def rounds(probe: DeliveryProbe, count: int = FAILURES_MAX) -> None:
    for _ in range(count):
        await probe.round()


async def status(server: RunningNode) -> tuple[str, list[str]]:
    server.node.readiness._until = 0.0
    report = await server.node.readiness.look()
    return report["status"], report["reasons"]


async def test_a_sound_node_hears_itself_both_ways(start_node: Start) -> None:
    server = await start_node(probe_s=3600.0)
    probe = server.node.delivery
    await rounds(probe, 3)
    assert probe._failures == {"own": 0, "courier": 0}
    assert await status(server) == ("ready", [])
    assert len(server.node.sockets) == 0, "the probe is nobody's connection"


async def test_a_node_that_delivers_nothing_gives_its_connections_up_and_comes_back(
    start_node: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await start_node(probe_s=3600.0, probe_wait_s=0.1)
    aki = await server.account("aki")
    async with server.client(aki) as a:
        with monkeypatch.context() as broken:
            broken.setattr(server.node.hub, "flush", server.node.hub._dirty.clear)
            await rounds(server.node.delivery)
            assert await a.ended() == Close.SERVER_ERROR
            kind, reasons = await status(server)
            assert kind == "unready"
            assert "nothing reaches the connections of this node" in reasons
            refused = server.client(aki)
            with pytest.raises((ConnectionError, ConnectionClosed)):
                await refused.open()
        await rounds(server.node.delivery, 1)
        assert (await status(server))[0] == "ready"
    async with server.client(aki) as again:
        assert again.connected["account"]["handle"] == "aki"


async def test_a_flush_that_fails_leaves_nobody_with_a_hole(
    start_node: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await start_node(probe_s=3600.0)
    aki, haru = await server.friends("aki", "haru")
    async with server.client(aki) as a, server.client(haru) as h:
        room = (await a.call("room.create", title="集い", accounts=[haru.account.id], nonce="r"))["id"]
        await h.until(lambda: f"room:{room}" in h.ear.positions)

        def broken() -> None:
            raise RuntimeError("a fault of ours")

        with monkeypatch.context() as patched:
            patched.setattr(server.node.hub, "flush", broken)
            # Said it is, in any case; whether the answer is sent before the connection is given up, the loop decides.
            with contextlib.suppress(ConnectionError):
                await a.say(room, "lost on the way", nonce="kept")
            assert await a.ended() == Close.SERVER_ERROR
            assert await h.ended() == Close.SERVER_ERROR
    async with type(h)(server.ws_url, haru.token, h.ear, h.epoch) as again:
        assert again.texts(room) == ["lost on the way"]
    await server.node.delivery.round()
    assert server.node.delivery.own_ok


async def test_a_deaf_reader_is_known_though_redis_answers(
    postgres_url: str, valkey: Shared, start_node: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await start_node(
        database_url=postgres_url,
        redis_url=valkey.url,
        redis_prefix=valkey.prefix,
        probe_s=3600.0,
        probe_wait_s=1.0,
    )
    probe = server.node.delivery
    await probe.round()
    assert probe._failures == {"own": 0, "courier": 0}
    with monkeypatch.context() as deaf:
        deaf.setattr(server.node.courier, "publish", lambda parcel: None)
        await rounds(probe)
        kind, reasons = await status(server)
        assert (kind, reasons) == ("unready", ["Redis answers, but this node hears nothing from it"])
        assert probe.own_ok
    await probe.round()
    assert await status(server) == ("ready", [])
