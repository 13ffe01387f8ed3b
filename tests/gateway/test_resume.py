"""Resume: what was missed comes whole and once, from memory or log, as fast as the socket takes it (WIRE §3.3, §3.4)."""

from __future__ import annotations

import asyncio
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import apsw

from channels.accounts import NewAccount
from loadtest.client import Client
from realtime.recent import Recent
from realtime.settings import Limits, Settings
from tests.support.nodes import RunningNode, Start, running
from tests.support.stalled import Reader, stalled
from tests.support.waiting import until

FREE = Limits(operations_per_s=1e6, operations_burst=1e6, operations_in_flight_max=10_000)
NARROW = replace(FREE, socket_send_buffer_bytes=8 * 1024, queue_age_s=60.0)


async def group(server: RunningNode, *people: NewAccount) -> tuple[str, dict[str, int]]:
    """A group of friends, made by the first; its id, and its position by channel."""
    async with server.client(people[0]) as client:
        others = [person.account.id for person in people[1:]]
        room = await client.call("room.create", title="集い", accounts=others, nonce="r")
        return room["id"], {f"room:{room['id']}": room["seq"]}


async def speak(server: RunningNode, who: NewAccount, room: str, lines: int, size: int = 0) -> list[str]:
    """So many lines; returns their texts in order."""
    async with server.client(who) as client:
        sent = await asyncio.gather(*(client.say(room, f"{n} " + "x" * size) for n in range(lines)))
    by_seq = sorted((one["seq"], f"{n} " + "x" * size) for n, one in enumerate(sent))
    return [text.strip() for _, text in by_seq]


def back(server: RunningNode, who: NewAccount, positions: dict[str, int]) -> Client:
    """A client that will continue from positions."""
    client = Client(server.ws_url, who.token, epoch=server.node.epoch)
    client.ear.positions.update(positions)
    return client


async def slowly_back(
    server: RunningNode, speaker: NewAccount, who: NewAccount, room: str, positions: dict[str, int]
) -> Reader:
    """More is missed than a socket takes at once, and nothing of it is in memory: a reader who has just begun."""
    await speak(server, speaker, room, 900, size=1_900)
    server.node.hub.recent = Recent()
    epoch = server.node.epoch
    return Reader(*await stalled(server, who.token, b'"recovered":true', positions=positions, epoch=epoch))


async def test_a_resume_is_served_from_memory_and_else_from_the_log(start_node: Start) -> None:
    server = await start_node(FREE)
    aki, haru = await server.friends("aki", "haru")
    room, positions = await group(server, aki, haru)
    async with server.client(aki):
        said = await speak(server, aki, room, 40)
        for queries in (0, 1):
            async with back(server, haru, positions) as client:
                assert client.texts(room) == said
                assert server.node.replays.queries == queries
            server.node.hub.recent = Recent()
            said += await speak(server, aki, room, 1)


async def test_a_stampede_of_equal_resumes_is_a_handful_of_queries(start_node: Start) -> None:
    server = await start_node(FREE)
    people = await server.friends(*(f"p{n}" for n in range(12)))
    room, positions = await group(server, *people)
    said = await speak(server, people[0], room, 300)
    server.node.hub.recent = Recent()
    clients = [back(server, person, positions) for person in people]
    await asyncio.gather(*(client.open() for client in clients))
    assert [client.texts(room) for client in clients] == [said] * 12
    # Each is two portions; alone, the twelve would be 24 queries.
    assert server.node.replays.queries < 24
    assert server.node.replays.shared > 0
    for client in clients:
        await client.close()


async def test_a_start_on_an_older_copy_of_the_data_makes_clients_reload(
    start_node: Start, tmp_path: Path
) -> None:
    settings = Settings(data=tmp_path / "data", limits=FREE)
    copy = tmp_path / "copy.sqlite3"
    async with running(settings) as server:
        aki, haru = await server.friends("aki", "haru")
        room, _ = await group(server, aki, haru)
        await speak(server, aki, room, 5)
        epoch = server.node.epoch
        # By the library the server uses: a second one in this process would drop the locks of the first.
        with (
            closing(apsw.Connection(str(settings.sqlite_path))) as source,
            closing(apsw.Connection(str(copy))) as target,
            target.backup("main", source, "main") as backup,
        ):
            backup.step()
        await speak(server, aki, room, 3)
        async with server.client(haru) as client:
            ear = client.ear
        await server.node.fanout._sweep_once()
    async with running(settings) as server:
        assert server.node.epoch == epoch, "an ordinary restart continues"
    for name in settings.sqlite_path.parent.glob("*.sqlite3*"):
        name.unlink()
    copy.rename(settings.sqlite_path)
    async with running(settings) as server:
        assert server.node.epoch != epoch
        await speak(server, aki, room, 4)
        async with Client(server.ws_url, haru.token, ear, epoch) as client:
            assert not any(channel["recovered"] for channel in client.connected["channels"])
            assert client.texts(room) == []
        renewed = server.node.epoch
    async with running(settings) as server:
        assert server.node.epoch == renewed


async def test_a_slow_resume_holds_little_and_ends_live_without_a_hole(start_node: Start) -> None:
    server = await start_node(NARROW)
    aki, haru = await server.friends("aki", "haru")
    room, positions = await group(server, aki, haru)
    reader = await slowly_back(server, aki, haru, room, positions)
    (socket,) = [s for s in server.node.sockets if s.account == haru.account.id]
    most = 0
    async with server.client(aki) as a:
        top = (await a.call("room.get", room=room))["seq"]
        for n in range(60):
            await a.say(room, f"meanwhile {n}")
            for _ in range(14):
                await reader.frame()
            assert socket.transport is not None
            most = max(most, socket.transport.get_write_buffer_size())
        await reader.until_seq(top + 60)
        await a.say(room, "live")
        await reader.until_seq(top + 61)
    first = positions[f"room:{room}"] + 1
    assert reader.seqs == list(range(first, top + 62))
    assert most < 600_000, "no more than one portion of the log waits in this process"
    reader.raw.close()


async def test_who_leaves_during_a_slow_resume_gets_no_further_portion(start_node: Start) -> None:
    server = await start_node(NARROW)
    aki, haru = await server.friends("aki", "haru")
    room, positions = await group(server, aki, haru)
    reader = await slowly_back(server, aki, haru, room, positions)
    (socket,) = [s for s in server.node.sockets if s.account == haru.account.id]
    async with server.client(haru) as other_device:
        await until(lambda: socket.choked)
        await other_device.call("room.leave", room=room)
        # What the transport holds cannot be taken back, so the connection starts anew.
        await until(lambda: socket.transport is None)
    async with back(server, haru, positions) as again:
        assert again.texts(room) == []
        assert f"room:{room}" not in [c["ch"] for c in again.connected["channels"]]
    reader.raw.close()


async def test_a_sync_during_a_resume_takes_it_over(start_node: Start) -> None:
    server = await start_node(NARROW)
    aki, haru = await server.friends("aki", "haru")
    room, positions = await group(server, aki, haru)
    channel = f"room:{room}"
    reader = await slowly_back(server, aki, haru, room, positions)
    for _ in range(30):
        await reader.frame()
    at = reader.seqs[-1]
    await reader.say("channel.sync", 9, positions={channel: at})
    frame = await reader.answer(9)
    assert frame["ok"]["channels"][0]["recovered"]
    before = len(reader.seqs)
    top = frame["ok"]["channels"][0]["seq"]
    await reader.until_seq(top)
    assert reader.seqs[before:] == list(range(at + 1, top + 1))
    async with server.client(aki) as a:
        await a.say(room, "live")
    await reader.until_seq(top + 1)
    reader.raw.close()


async def test_resumes_during_resumes_leave_nothing_behind(start_node: Start) -> None:
    server = await start_node(FREE)
    aki, haru = await server.friends("aki", "haru")
    room, positions = await group(server, aki, haru)
    said = await speak(server, aki, room, 500)
    channel = f"room:{room}"
    async with back(server, haru, positions) as client:
        (socket,) = server.node.hub.of_account(haru.account.id)
        top = client.ear.positions[channel]
        for missed in (400, 3, 250, 0, 499):
            server.node.hub.recent = Recent()
            client.ear.positions[channel] = top - missed
            synced = await client.call("channel.sync", positions={channel: top - missed})
            assert [row["recovered"] for row in synced["channels"]] == [True]
            await client.until(lambda: client.ear.positions[channel] == top)
        await until(lambda: socket.reading is None)  # type: ignore[attr-defined]
        assert client.texts(room)[:500] == said
        assert client.texts(room)[-499:] == said[-499:]
        async with server.client(aki) as a:
            await a.say(room, "end")
        await client.until(lambda: client.texts(room)[-1] == "end")


async def test_a_sync_of_the_inbox_hears_the_room_that_it_tells_of(start_node: Start) -> None:
    server = await start_node()
    aki, haru = await server.friends("aki", "haru")
    inbox = f"user:{haru.account.id}"
    hub = server.node.hub
    offer = hub.offer
    async with server.client(aki) as a, server.client(haru) as h:
        at = h.ear.positions[inbox]
        # This node has not heard yet what the database says already.
        hub.offer = lambda parcel: None if parcel.channel == inbox else offer(parcel)  # type: ignore[method-assign]  # late
        room = (await a.call("room.create", title="集い", accounts=[haru.account.id], nonce="1"))["id"]
        await h.send_raw(f'{{"id":900,"op":"channel.sync","d":{{"positions":{{"{inbox}":{at}}}}}}}')
        await h.until(lambda: bool(h.heard("room.joined")))
        hub.offer = offer  # type: ignore[method-assign]  # in time again
        await until(lambda: any(hub.hears(one, f"room:{room}") for one in hub.of_account(haru.account.id)))
        await a.say(room, "やあ")
        await h.until(lambda: bool(h.texts(room)))
        assert h.texts(room) == ["やあ"]
