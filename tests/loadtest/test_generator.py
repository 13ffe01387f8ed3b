"""The load generator counts what arrives however it is cut, and finds what is missing, doubled, or in the wrong room."""

from __future__ import annotations

import asyncio
import random
import re
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import pytest
from websockets.asyncio.server import ServerConnection, serve

from loadtest.bench.generator.options import Options, parse
from loadtest.bench.generator.template import TIME_BASE, Speaker, Template

ROOT = Path(__file__).resolve().parents[2]
EVENT = re.compile(r"P(\d+) (.*wsf:\d{19}:(\d{10}).*)", re.DOTALL)

Fate = Callable[[int, int], int]
"""How often a listener (by the order of subscribing) gets an event (by its number)."""


@dataclass
class FanOut:
    """The plain dialect (loadtest/bench/peers/README.md), with faults on purpose."""

    fate: Fate = lambda listener, event: 1
    channels: dict[str, list[ServerConnection]] = field(default_factory=dict)
    listeners: int = 0

    async def door(self, ws: ServerConnection) -> None:
        """One connection."""
        async for text in ws:
            assert isinstance(text, str)
            if text.startswith("S"):
                self.channels.setdefault(text[1:], []).append(ws)
                await ws.send("OK")
                continue
            found = EVENT.match(text)
            assert found is not None, text
            for place, member in enumerate(self.channels[found[1]]):
                for _ in range(self.fate(place, int(found[3]))):
                    await member.send(found[2])


@asynccontextmanager
async def listening(server: FanOut) -> AsyncIterator[int]:
    """The port of a server."""
    async with serve(server.door, "127.0.0.1", 0, compression=None) as running:
        yield next(iter(running.sockets)).getsockname()[1]


async def generate(port: int, *arguments: str) -> tuple[int, dict[str, object]]:
    """Run the program as the benchmarks do: its status and its line of JSON."""
    words = ("--send", "S%g", "--wait", "OK", "--psend", "S999", "--pwait", "OK", "--pub", "P%g é %M %p")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "loadtest.bench.generator", "--port", str(port), *words),
        *("--warm", "0.1", "--settle", "0.1", "--secs", "0.5", *arguments),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, orjson.loads(said.splitlines()[-1])


@pytest.mark.parametrize(
    "load",
    [
        ("--n", "7", "--mode", "rate", "--rate", "40", "--burst", "2"),
        ("--n", "7", "--mode", "blast", "--window", "3", "--sample", "2"),
        ("--n", "12", "--group-size", "3", "--self-pub", "--mode", "blast", "--window", "4"),
    ],
    ids=["rate", "blast", "rooms"],
)
async def test_what_arrives_is_counted_and_whole(load: tuple[str, ...]) -> None:
    async with listening(FanOut()) as port:
        status, found = await generate(port, *load)
    assert status == 0
    assert found["dead"] == found["missing"] == found["dup"] == found["extra"] == found["wrong"] == 0
    assert float(str(found["deliv_per_s"])) > 0
    assert float(str(found["lat_samples"])) > 0


async def test_what_is_missing_is_found_on_every_connection() -> None:
    """Of seven listeners one is sampled; the sixth does not get the fifth event."""
    async with listening(FanOut(lambda listener, event: int((listener, event) != (5, 5)))) as port:
        status, found = await generate(port, "--n", "7", "--rate", "40", "--sample", "1")
    assert (status, found["missing"], found["dup"]) == (4, 1, 0)


async def test_a_double_does_not_stand_in_for_what_is_missing() -> None:
    """Everybody gets the fourth event twice, and the fifth never."""
    async with listening(FanOut(lambda _listener, event: {4: 2, 5: 0}.get(event, 1))) as port:
        status, found = await generate(port, "--n", "3", "--rate", "40", "--sample", "3")
    assert (status, found["missing"], found["dup"]) == (4, 3, 3)


async def test_a_room_hears_only_its_own() -> None:
    server = FanOut()
    async with listening(server) as port:
        # Both rooms are one, so each hears the other's events, too.
        server.channels["1"] = server.channels.setdefault("0", [])
        load = ("--n", "4", "--group-size", "2", "--self-pub", "--rate", "40", "--sample", "4")
        _, found = await generate(port, *load)
    assert int(str(found["wrong"])) > 0


async def test_nobody_there_is_an_error() -> None:
    async with listening(FanOut()) as port:
        pass
    status, found = await generate(port, "--n", "2", "--hs-timeout", "1")
    assert status == 3
    assert "error" in found


def test_templates_are_made_for_a_speaker_and_an_event() -> None:
    speaker = Speaker(7, 2, b"tok", b"room:X")
    template = Template(b"%d %g %s %l %p|%m|%c|%t|%M|%%|%z|%", speaker, pad=3)
    at = TIME_BASE + 5
    assert template.make(42, 5) == (
        b"7 2 tok room:X xxx|0000000042|2|%d|wsf:%d:0000000042|%%|%%z|%%" % (at, at)
    )


def test_steps_keep_their_order_and_escapes() -> None:
    found = parse(
        [
            "--port",
            "1",
            "--wait",
            "a",
            "--send",
            r"b\r\n",
            "--send-bin",
            r"\x01",
            "--psend",
            "p",
            "--reply",
            "2=>3",
        ]
    )
    assert [(step.text, step.wait, step.binary) for step in found.steps] == [
        (b"a", True, False),
        (b"b\r\n", False, False),
        (b"\x01", False, True),
    ]
    assert [step.text for step in found.psteps] == [b"p"]
    assert found.replies == [(b"2", b"3")]


def test_rooms_and_speakers_follow_from_the_options() -> None:
    rooms = Options(port=1, n=25, group_size=10, self_pub=True)
    assert (rooms.groups, rooms.publishers, rooms.group_of(24)) == (3, 0, 2)
    one = Options(port=1, n=25, pubs=2)
    assert (one.groups, one.publishers, one.group_of(24)) == (1, 2, 0)


@pytest.mark.parametrize("seed", range(3))
def test_bytes_are_counted_however_they_are_cut(seed: int) -> None:
    """The cuts of reads fall anywhere, also into a marker, on sampled and on counted connections."""
    import socket

    from loadtest.bench.generator.links import Link, Links
    from loadtest.bench.generator.tally import Tally

    chance = random.Random(seed)
    options = Options(port=1, n=2, sample=1)
    links = Links(options)
    far = []
    for index in range(2):
        near, other = socket.socketpair()
        near.setblocking(False)
        far.append(other)
        link = Link(Speaker(index, 0), False, [], near, 0.0, upgraded=True, ready=True)
        links.all.append(link)
        links.by_fd[near.fileno()] = link
    tally = Tally(options, links, chance)
    tally.ids.update({number: (0, number) for number in range(1, 201)})
    data = b"".join(b"\x81\x2e wsf:%d:%010d w ws" % (TIME_BASE, number) for number in range(1, 201))
    for link, other in zip(links.all, far, strict=True):
        at = 0
        while at < len(data):
            size = chance.choice((1, 2, 3, 20, 47, 1000))
            other.send(data[at : at + size])
            at += size
            tally.receive([(link.sock.fileno(), 1)])
    assert (tally.received, tally.doubles, tally.disorder, tally.wrong) == (400, 0, 0, 0)
    assert tally.missing([200]) == (0, 0)
    for sock in (*far, *(link.sock for link in links.all)):
        sock.close()
    links.epoll.close()
