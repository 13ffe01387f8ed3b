"""Who may begin a connection, and how much may wait for all together (WIRE §5)."""

from __future__ import annotations

import asyncio

import pytest

from gateway.admission import Admission, place_of, refusal
from loadtest.client import Client, Options
from realtime.closes import Close
from realtime.settings import Limits
from tests.support.nodes import RunningNode, Start
from tests.support.stalled import stalled
from tests.support.waiting import until

HEAD = (
    b"GET /gateway HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)


async def shakes(server: RunningNode, address: str = "127.0.0.1", more: bytes = b"") -> bytes:
    """The first line of the answer to a handshake, and its Retry-After if there is one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, local_addr=(address, 0))
    writer.write(HEAD + more + b"\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    lines = head.split(b"\r\n")
    return b" ".join([lines[0], *(line for line in lines if line.startswith(b"Retry-After"))])


async def test_an_address_waits_its_turn_and_others_do_not(start_node: Start) -> None:
    server = await start_node(Limits(handshakes_per_address_per_s=0.5, handshakes_per_address_burst=3))
    first = [await shakes(server) for _ in range(5)]
    assert [answer.split()[1] for answer in first] == [b"101"] * 3 + [b"503"] * 2
    assert first[-1].endswith(b"Retry-After: 2")
    assert (await shakes(server, "127.0.0.2")).split()[1] == b"101"
    assert server.node.admission.refused == 2


async def test_a_node_takes_no_more_at_once_than_it_can(start_node: Start) -> None:
    server = await start_node(Limits(handshakes_per_s=0.1, handshakes_burst=4))
    answers = [await shakes(server, f"127.0.0.{n + 1}") for n in range(6)]
    assert [answer.split()[1] for answer in answers] == [b"101"] * 4 + [b"503"] * 2


async def test_behind_a_proxy_the_address_told_by_it_counts(start_node: Start) -> None:
    limits = Limits(handshakes_per_address_per_s=0.1, handshakes_per_address_burst=1)
    server = await start_node(limits, trusted_proxies=("127.0.0.1",))
    told = [b"X-Forwarded-For: %s\r\n" % address for address in (b"192.0.2.1", b"192.0.2.2", b"192.0.2.1")]
    answers = [await shakes(server, more=more) for more in told]
    assert [answer.split()[1] for answer in answers] == [b"101", b"101", b"503"]
    # Somebody who only plays a proxy is one address.
    answers = [await shakes(server, "127.0.0.9", more) for more in told[:2]]
    assert [answer.split()[1] for answer in answers] == [b"101", b"503"]


async def test_an_address_has_so_many_connections(start_node: Start) -> None:
    server = await start_node(Limits(connections_per_address_max=2))
    aki, haru, ken = [await server.account(handle) for handle in ("aki", "haru", "ken")]
    async with server.client(aki), server.client(haru):
        third = server.client(ken)
        with pytest.raises(ConnectionError):
            await third.open()
        assert third.close_code == Close.ADDRESS_FULL
        elsewhere = Client(server.ws_url, ken.token, options=Options(local_address="127.0.0.7"))
        async with elsewhere:
            assert elsewhere.connected["account"]["handle"] == "ken"
    await until(lambda: not server.node.admission._open)
    async with server.client(ken) as again:
        assert again.connected["account"]["handle"] == "ken"


async def test_a_client_waits_as_long_as_it_is_told(start_node: Start) -> None:
    server = await start_node(Limits(handshakes_per_address_per_s=2.0, handshakes_per_address_burst=1))
    aki = await server.account("aki")
    assert (await shakes(server)).split()[1] == b"101"
    async with Client(server.ws_url, aki.token, options=Options(stay=True)) as client:
        assert client.connected["account"]["handle"] == "aki"


async def test_all_queues_together_have_a_bound_and_the_fullest_goes(start_node: Start) -> None:
    server = await start_node(
        Limits(
            operations_per_s=1e6,
            operations_burst=1e6,
            queue_bytes_max=10_000_000,
            queue_frames_max=100_000,
            queues_bytes_max=200_000,
            socket_send_buffer_bytes=8 * 1024,
        )
    )
    aki, haru, ken = await server.friends("aki", "haru", "ken")
    async with server.client(aki) as a:
        made = [
            await a.call("room.create", title="集い", accounts=[one.account.id], nonce=one.token)
            for one in (haru, ken)
        ]
        raw = [(await stalled(server, one.token))[0] for one in (haru, ken)]
        by_account = {socket.account: socket for socket in server.node.sockets}
        light, heavy = by_account[haru.account.id], by_account[ken.account.id]
        while heavy in server.node.sockets:
            await asyncio.gather(*(a.say(made[1]["id"], "x" * 1_900) for _ in range(10)))
            await a.say(made[0]["id"], "x" * 1_900)
        assert heavy._close_code == Close.TOO_SLOW
        assert light in server.node.sockets
        assert server.node.backlog.size_bytes <= 200_000
        for each in raw:
            each.close()
        await until(lambda: light not in server.node.sockets)
        assert server.node.backlog.size_bytes == 0


@pytest.mark.parametrize(
    ("peer", "place"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("", ""),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("not:an:address", "not:an:address"),
    ],
)
def test_what_counts_as_one_address(peer: str, place: str) -> None:
    assert place_of(peer) == place


def test_the_books_close() -> None:
    admission = Admission(Limits(connections_per_address_max=1), 0.0)
    assert admission.enter("192.0.2.1")
    assert not admission.enter("192.0.2.1")
    admission.leave("192.0.2.1")
    admission.leave("192.0.2.1")
    assert not admission._open
    assert b"Retry-After: 1\r\n" in refusal(1)
