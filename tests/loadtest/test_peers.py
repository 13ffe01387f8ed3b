"""What the comparison says to each kind of server, what it makes of the answers, and what it draws."""

from __future__ import annotations

import asyncio
import itertools
import re
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from websockets.asyncio.server import ServerConnection, serve

from loadtest.bench import peering
from loadtest.bench.contest import LIMIT, TARGETS, TSUDOI, Contest
from loadtest.bench.loads import (
    BLASTS,
    CALM,
    FRAME_BYTES,
    MANY,
    NATS,
    PLAIN,
    POST,
    ROOMS,
    SIGNAL,
    SOCKET_IO,
    Dialect,
    Load,
    Span,
    Target,
    arguments,
)
from loadtest.bench.peering import PEERS, Unavailable
from loadtest.bench.plots import draw_contest
from loadtest.bench.shots import Generator, Shot, ShotFailed, judged
from loadtest.bench.subjects import Crowd, free_port, program
from loadtest.serving import Circle

SMALL = Load("5 listeners", 5, rate=40)
SMALL_ROOMS = Load("3 rooms of 2", 6, group=2, window=2)
SMALL_MANY = Load("10 channels to 2", 2, channels=10, publishers=10, rate=100, burst=10)
SPAN = Span(0.5, 0.1)


def found(**changes: Any) -> dict[str, Any]:
    """A generator's line of JSON in which nothing is wrong."""
    fine = {"gen_cpu_pct": 20.0, "foreign_pct": 1.0, "msgs_per_s": 80.0, "missing": 0, "dup": 0, "wrong": 0}
    fine |= {"deliv_per_s": 80_000.0, "srv_us_per_deliv": 5.0, "srv_cpu_pct": 40.0, "dead": 0, "stalls": 0}
    return {**fine, "lat_us": {"p50": 2_000.0, "p99": 6_000.0}, **changes}


def test_a_shot_without_time_left_for_the_generator_is_void() -> None:
    assert judged(CALM, found()).doubts == []
    assert judged(CALM, found(gen_cpu_pct=86.0)).doubts == [
        "void: 80 events/s to 1,000: the generator used 86 % of its core"
    ]
    assert judged(CALM, found(msgs_per_s=70.0)).doubts[0].startswith("void: ")
    assert "others used 55 %" in judged(CALM, found(foreign_pct=55.0)).doubts[0]
    assert judged(CALM, found(missing=3, dup=1)).faults == [
        "80 events/s to 1,000: 3 missing",
        "80 events/s to 1,000: 1 dup",
    ]


def test_a_core_carries_what_its_cpu_carries() -> None:
    shot = judged(CALM, found(srv_us_per_deliv=4.0))
    assert (shot.per_core, shot.delay_ms("p99")) == (250_000.0, 6.0)


@pytest.mark.parametrize(
    "dialect", [PLAIN, SOCKET_IO, NATS, SIGNAL], ids=["plain", "socket.io", "nats", "tsudoi"]
)
def test_everybody_is_pushed_frames_of_the_same_length(dialect: Dialect) -> None:
    bare = dialect.pushed.replace("%M", "m" * 34).replace("%l", "community:" + "0" * 26).replace("{ch}", "0")
    assert len(bare) + dialect.pad == FRAME_BYTES
    assert dialect.pad > 0


def test_a_load_reads_the_same_for_every_server() -> None:
    said = arguments(ROOMS, Target(1, [7, 8], PLAIN), Span(8, 2))
    text = " ".join(said)
    assert "--group-size 10 --self-pub" in text
    assert "--pid 7 --pid 8" in text
    assert "--psend" not in said
    many = arguments(MANY, Target(1, [], PLAIN), SPAN)
    assert [word for flag, word in itertools.pairwise(many) if flag == "--psend"] == [
        f"S{number}" for number in range(10)
    ]
    assert any(word.startswith("P%c ") for word in many)
    assert "--psend" not in arguments(CALM, Target(1, [], PLAIN), SPAN)
    assert "--psend" in arguments(CALM, Target(1, [], SIGNAL), SPAN)


def test_people_of_a_load_have_a_channel_each(tmp_path: Path) -> None:
    circles = [Circle(["a", "b"], ["R0"], ["C"]), Circle(["c", "d"], ["R1"], ["C"])]
    rooms = Crowd(tmp_path, Load("rooms", 4, group=2), circles)
    assert rooms.tokens.read_text().split() == ["a", "b", "c", "d"]
    assert rooms.lines.read_text().split() == ["room:R0", "room:R0", "room:R1", "room:R1"]
    assert Crowd(tmp_path, Load("one", 3), circles).lines.read_text().split() == ["community:C"] * 4
    assert Crowd(tmp_path, Load("one", 3), circles, bare=True).lines.read_text().split() == ["C"] * 4
    wide = [Circle([str(n) for n in range(4)], ["R0", "R1"], [])]
    many = Crowd(tmp_path, Load("many", 2, channels=2, publishers=2), wide)
    assert many.lines.read_text().split()[2:] == ["room:R0", "room:R1"]
    with pytest.raises(ValueError, match="needs 9 people, there are 4"):
        Crowd(tmp_path, Load("more", 8), circles)


# Servers that are here anyhow are tried as they are; of the others, their words.


@pytest.mark.parametrize("load", [SMALL, SMALL_ROOMS, SMALL_MANY], ids=lambda load: load.name)
@pytest.mark.parametrize("script", ["websockets_server.py", "starlette_server.py"])
async def test_a_test_subject_fans_out(script: str, load: Load) -> None:
    port = free_port()
    command = [sys.executable, "-I", str(peering.PROGRAMS / script), str(port)]
    with program(command, port) as pid:
        shot = await asyncio.to_thread(Generator().shoot, load, Target(port, [pid], PLAIN), SPAN)
    assert shot.faults == []
    assert shot.deliveries > 0


async def _shoot_at(
    door: Callable[[ServerConnection], Awaitable[None]], dialect: Dialect, load: Load
) -> Shot:
    async with serve(door, "127.0.0.1", 0, compression=None) as running:
        port = next(iter(running.sockets)).getsockname()[1]
        return await asyncio.to_thread(Generator().shoot, load, Target(port, [], dialect), SPAN)


async def test_socket_io_is_spoken() -> None:
    rooms: dict[str, list[ServerConnection]] = {}

    async def door(ws: ServerConnection) -> None:
        assert ws.request is not None
        assert ws.request.path == "/socket.io/?EIO=4&transport=websocket"
        await ws.send('0{"sid":"x","pingInterval":25000}')
        assert await ws.recv() == "40"
        await ws.send('40{"sid":"y"}')
        await ws.send("2")
        async for text in ws:
            assert isinstance(text, str)
            if text == "3":
                continue
            said = re.fullmatch(
                r'42\["(join|pub)","c(\d+)"(?:,(\{"m":"wsf:\d{19}:\d{10}","p":"x+"\}))?\]', text
            )
            assert said is not None, text
            if said[1] == "join":
                rooms.setdefault(said[2], []).append(ws)
                await ws.send('42["joined"]')
            else:
                frame = f'42["e",{said[3]}]'
                assert len(frame) == FRAME_BYTES
                for member in rooms[said[2]]:
                    await member.send(frame)

    shot = await _shoot_at(door, SOCKET_IO, SMALL)
    assert (shot.faults, shot.deliveries > 0) == ([], True)


async def test_nats_is_spoken() -> None:
    subjects: dict[str, list[ServerConnection]] = {}

    async def door(ws: ServerConnection) -> None:
        await ws.send(b'INFO {"headers":true}\r\n')
        async for data in ws:
            assert isinstance(data, bytes)
            publish = re.fullmatch(rb"PUB (\S+) (\d+)\r\n(.*)\r\n", data, re.DOTALL)
            if publish is not None:
                assert int(publish[2]) == len(publish[3])
                for member in subjects[publish[1].decode()]:
                    await member.send(b"MSG %s 1 %s\r\n%s\r\n" % publish.group(1, 2, 3))
                continue
            for line in data.split(b"\r\n"):
                if line.startswith(b"SUB "):
                    subjects.setdefault(line.split()[1].decode(), []).append(ws)
                elif line == b"PING":
                    await ws.send(b"PONG\r\n")

    shot = await _shoot_at(door, NATS, SMALL)
    assert (shot.faults, shot.deliveries > 0) == ([], True)


async def test_nobody_answering_is_said() -> None:
    with pytest.raises(ShotFailed, match=r"5 listeners: .*no connection"):
        await asyncio.to_thread(Generator().shoot, SMALL, Target(free_port(), [], PLAIN), SPAN)


def test_what_cannot_be_had_is_said_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peering.shutil, "which", lambda *_args, **_kwargs: None)
    node = next(peer for peer in PEERS if peer.name == "Node ws")
    with pytest.raises(Unavailable, match="node is not on PATH"):
        node.prepare(tmp_path)

    def offline(*_args: object, **_kwargs: object) -> object:
        return peering.subprocess.CompletedProcess([], 1, "", "one\nno network\n")

    monkeypatch.setattr(peering.subprocess, "run", offline)
    starlette = next(peer for peer in PEERS if peer.name == "Starlette")
    for _ in range(2):
        # The second time shows that half an environment is not taken for a whole one.
        with pytest.raises(Unavailable, match="could not install it: no network"):
            starlette.prepare(tmp_path)


def test_every_peer_is_pinned_and_has_its_server() -> None:
    for path in peering.PROGRAMS.glob("*.txt"):
        lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
        assert lines, path
        assert [line for line in lines if "==" not in line] == []
        script = path.stem.replace("-", "_").removeprefix("python_") + "_server.py"
        assert (peering.PROGRAMS / script).exists()
    names = {peer.name for peer in PEERS}
    assert {name for _, name in TARGETS} <= names
    assert {load for load, _ in TARGETS} <= {load.name for load in (CALM, *BLASTS, ROOMS)}


def _contest() -> Contest:
    contest = Contest()
    for ours, theirs in ((4.0, 8.0), (5.0, 25.0), (6.0, 18.0)):
        contest.add(TSUDOI, ROOMS, judged(ROOMS, found(srv_us_per_deliv=ours)))
        contest.add("Node ws", ROOMS, judged(ROOMS, found(srv_us_per_deliv=theirs)))
        contest.add(LIMIT, ROOMS, judged(ROOMS, found(srv_us_per_deliv=2.0, gen_cpu_pct=99.0)))
    contest.absent["nats-server"] = "nats-server is not on PATH"
    return contest


def test_what_counts_is_the_ratio_of_each_round() -> None:
    contest = _contest()
    assert contest.ratio(ROOMS.name, "Node ws") == 3.0
    text = "\n".join(contest.lines())
    assert "| Node ws | 55,556 | 18.00 | 6.0 | 3.00 | >= 1.4: reached |" in text
    assert "- nats-server is not in it: nats-server is not on PATH" in text
    assert text.count("void") == 1


def test_pictures_are_made_and_say_what_they_show(tmp_path: Path) -> None:
    (path,) = draw_contest(_contest(), tmp_path)
    assert path.name == "bench-1000-rooms-of-10.svg"
    text = path.read_text()
    ElementTree.fromstring(text)
    for word in ("Node ws", TSUDOI, LIMIT, "200 k"):
        assert word in text
    (again,) = draw_contest(_contest(), tmp_path / "again")
    assert again.read_text() == text
    assert POST.pad == 0
