"""The benchmarks run, count what they claim to count, and say when a promise was broken."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from loadtest.bench.figures import Row, Runs, percentile
from loadtest.bench.home import Home, home
from loadtest.bench.lean import Lean, client_frame, dial
from loadtest.bench.loads import FRAME_BYTES, POST, SIGNAL, SPEAKERS, Dialect, Load, Span
from loadtest.bench.shots import Generator
from loadtest.bench.subjects import Crowd, tsudoi
from loadtest.serving import Circle
from realtime.settings import Limits
from realtime.ws import FrameReader, frame
from tests.support.nodes import Start
from tests.support.waiting import until

ROOT = Path(__file__).resolve().parents[2]
ROOM = "0" * 26


def entry(seq: int, padding: int = 0) -> bytes:
    """A frame of a room's log, as servers send them."""
    return frame(
        orjson.dumps({"ch": f"room:{ROOM}", "seq": seq, "ev": "message.created", "d": {"x": "y" * padding}})
    )


@pytest.mark.parametrize("step", [1, 7, 1000, 10**6])
async def test_a_lean_connection_counts_frames_however_they_are_cut(step: int) -> None:
    heard: list[tuple[bytes, int]] = []
    lean = Lean("t", lambda room, seq, _now: heard.append((room, seq)))
    data = b"".join(entry(seq, padding) for seq, padding in enumerate((0, 200, 70_000, 5), start=1))
    for start in range(0, len(data), step):
        lean.data_received(data[start : start + step])
    assert heard == [(ROOM.encode(), seq) for seq in (1, 2, 3, 4)]
    assert (lean.frames, lean.faults) == (4, [])


async def test_holes_doubles_and_disorder_are_faults() -> None:
    lean = Lean("t", None)
    for seq in (1, 3, 3, 2):
        lean.data_received(entry(seq))
    assert [fault.split(": ")[1] for fault in lean.faults] == ["3 after 1", "3 after 3", "2 after 3"]
    lean.data_received(frame(b'{"ev":"behind","d":{"ch":"room:x","seq":1}}'))
    assert "behind" in lean.faults[-1]


@pytest.mark.parametrize("size", [0, 125, 126, 60_000])
def test_its_frames_are_a_clients(size: int) -> None:
    assert FrameReader(65_536, 8).feed(client_frame(b"x" * size)) == [(1, b"x" * size)]


async def test_it_talks_to_a_node(start_node: Start) -> None:
    server = await start_node(Limits(operations_per_s=1e6, operations_burst=1e6))
    aki, haru = await server.friends("aki", "haru")
    a, h = await dial(server.url, aki.token), await dial(server.url, haru.token)
    await asyncio.gather(a.live, h.live)
    made = await a.ask(
        "room.create", orjson.dumps({"title": "集い", "nonce": "r", "accounts": [haru.account.id]})
    )
    room = made["ok"]["id"]
    sent = await a.ask("room.send", orjson.dumps({"room": room, "text": "やあ", "nonce": "1"}))
    await until(lambda: h.seqs.get(room.encode()) == sent["ok"]["seq"])
    assert h.faults == []
    a.close()
    h.close()
    with pytest.raises(ConnectionError):
        await dial(server.url, "tsd_wrong")


def test_figures_are_medians_and_judge_targets() -> None:
    runs = Runs((Row("fast", "ms", "<= 5"), Row("much", "/s", ">= 1,000"), Row("none")))
    for fast, much in ((1.0, 999.0), (9.0, 5_000.0), (2.0, 10.0)):
        runs.add({"fast": fast, "much": much}, ["noisy"], [])
    assert runs.reaches(runs.rows[0])
    assert not runs.reaches(runs.rows[1])
    text = "\n".join(runs.lines())
    assert "| fast | 2 ms | 1 – 9 | <= 5 ms: reached |" in text
    assert "| much | 999 /s | 10 – 5,000 | >= 1,000 /s: not reached |" in text
    assert "- noisy" in text
    assert percentile([1.0, 2.0, 3.0, 4.0], 0.99) == 4.0


@pytest.mark.parametrize("job", ["durable", "latency"])
async def test_a_benchmark_runs_as_its_reader_would_run_it(tmp_path: Path, job: str) -> None:
    report = tmp_path / "figures.json"
    process = await asyncio.create_subprocess_exec(
        *(
            sys.executable,
            "-m",
            "loadtest.bench",
            "--runs",
            "1",
            "--seconds",
            "0.5",
            "--json",
            str(report),
            job,
        ),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    figures = orjson.loads(report.read_bytes())
    assert figures["faults"] == []
    assert all(value > 0 for values in figures["values"].values() for value in values)
    assert b"SQLite, embedded" in said


@pytest.fixture(scope="module")
def crowded() -> Iterator[tuple[Home, list[Circle]]]:
    """A place with twelve people in circles of four: each circle has ten rooms, all share a community."""
    with home({}) as place:
        yield place, place.seed(12, 4, 10, community=True)


@pytest.mark.parametrize(
    ("load", "words"),
    [
        (Load("one channel", 8, rate=40), SIGNAL),
        (Load("rooms of 4", 12, group=4, window=2), SPEAKERS),
        (Load("10 channels", 2, channels=2, publishers=2, rate=40, burst=2), SIGNAL),
        (Load("posts", 8, rate=20), POST),
    ],
    ids=lambda value: value.name if isinstance(value, Load) else "",
)
async def test_a_load_of_the_hot_path_reaches_everybody(
    crowded: tuple[Home, list[Circle]], load: Load, words: Dialect
) -> None:
    place, circles = crowded
    crowd = Crowd(place.data, load, circles, bare=words is POST)
    with tsudoi(place, crowd, words) as target:
        shot = await asyncio.to_thread(Generator().shoot, load, target, Span(1.0, 0.2))
    assert shot.faults == []
    assert shot.deliveries > 0
    assert shot.found["lat_samples"] > 0
    if words is SIGNAL and load.channels == 1:
        # Header and payload of a frame: what the others' servers push, Tsudoi pushes too.
        assert shot.found["mb_per_s"] * 1e6 / shot.deliveries == pytest.approx(4 + FRAME_BYTES, abs=30)
