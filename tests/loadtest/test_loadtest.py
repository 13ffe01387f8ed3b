"""The load test as operators run it: every scenario against a server it starts, its report, its words (docs/loadtest.md)."""

from __future__ import annotations

import itertools
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from loadtest.people import cli, schedule
from loadtest.people.ground import Ground, Spawn, spawned
from loadtest.people.meters import Delays
from loadtest.people.scenarios import SCENARIOS
from loadtest.serving import Circle, ServingError, read_circles
from tests.support.valkey import Shared

ROOT = Path(__file__).resolve().parents[2]
SMALL = {
    "idle": ("--people", "40", "--seconds", "3"),
    "chatter": ("--people", "40", "--seconds", "6", "--rate", "10"),
    "match": ("--people", "60", "--whole", "20", "--seconds", "3"),
    "timeline": ("--people", "402", "--whole", "40", "--rate", "10", "--seconds", "5"),
    "presence": ("--people", "100", "--whole", "20", "--rate", "10", "--seconds", "9"),
    "stampede": ("--people", "80", "--seconds", "6"),
    "slow": ("--people", "100", "--seconds", "6"),
    "cheer": ("--people", "60", "--whole", "20", "--rate", "40", "--seconds", "6"),
    "invites": ("--people", "60", "--seconds", "3"),
}


def play(*words: str, before: str = "") -> subprocess.CompletedProcess[str]:
    """`python -m loadtest …`, in a shell that was told something `before`."""
    command = [
        "sh",
        "-c",
        f'{before or ":"}; exec "$@"',
        "sh",
        sys.executable,
        "-P",
        "-m",
        "loadtest",
        *words,
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=110, check=False
    )  # our own


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_ends_well_and_tells_what_it_saw(name: str, tmp_path: Path) -> None:
    done = play(name, "--spawn", *SMALL[name], "--report", str(tmp_path / "out"))
    # 3: this machine was too busy for the figures to mean anything. The promises were kept all the same.
    assert done.returncode in (0, 3), done.stdout + done.stderr
    found = orjson.loads((tmp_path / "out" / "report.json").read_bytes())
    assert found["faults"] == {}
    assert found["people"] >= int(SMALL[name][1])
    match name:
        case "idle":
            assert found["figures"]["KiB a connection"] > 0
        case "invites":
            assert found["counts"]["races"] == 6
            assert found["counts"]["refused invite_invalid"] == 6 * 9
        case "presence":
            assert found["counts"]["toggles"] > 0
            assert found["figures"]["changes seen"] > 80 * 9
            assert found["figures"]["come → seen, ms"]["p50"] > 0
        case "stampede":
            assert found["figures"]["all whole after s"] > 0
            assert [what for _, what in found["marks"]] == ["80 links are cut", "everybody is whole again"]
            assert found["counts"]["connects"] == 2 * 80 + 20
        case _:
            assert name != "cheer" or found["counts"]["taps"] == 240
            assert found["counts"]["lines"] > 0
            assert found["deliveries"] >= found["counts"]["lines"]
            assert 0 < found["delivery_ms"]["p50"] <= found["delivery_ms"]["max"]
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert f"Load test: {name}" in page
    assert name in ("idle", "invites") or page.count("<svg") == 2


def test_more_people_than_the_machine_ordinarily_lets_a_process_have_files(tmp_path: Path) -> None:
    crowd = ("--people", "200", "--whole", "20", "--rate", "5", "--seconds", "3")
    done = play("match", "--spawn", *crowd, "--report", str(tmp_path), before="ulimit -Sn 128")
    assert done.returncode in (0, 3), done.stdout + done.stderr
    found = orjson.loads((tmp_path / "report.json").read_bytes())
    assert found["faults"] == {}
    assert found["counts"]["connects"] == 200
    assert found["counts"]["lines"] == 15
    assert found["deliveries"] == 15 * 200, (
        "each line came to everybody, of whom most came as one file too many"
    )


def test_two_nodes_of_which_one_is_killed_lose_nothing(
    tmp_path: Path, postgres_url: str, valkey: Shared
) -> None:
    several = ("--nodes", "2", "--database-url", postgres_url, "--redis-url", valkey.url, "--kill")
    done = play("chatter", "--spawn", *SMALL["chatter"], *several, "--report", str(tmp_path))
    assert done.returncode in (0, 3), done.stdout + done.stderr
    found = orjson.loads((tmp_path / "report.json").read_bytes())
    assert found["faults"] == {}
    assert re.match(r"kill -9 of a node \(\d+\)", found["marks"][0][1])
    assert found["counts"]["links lost"] > 0, "nobody noticed"


def test_authors_are_not_asked_for_more_than_a_server_lets_them_post() -> None:
    done = play("timeline", "--spawn", "--people", "402", "--rate", "50", "--seconds", "3")
    assert (done.returncode, done.stdout) == (1, "")
    assert "2 authors may post 8 times a second together" in done.stderr


def test_people_who_are_not_there_are_missed(tmp_path: Path) -> None:
    people = tmp_path / "people.jsonl"
    people.write_text('{"tokens":["a"],"rooms":["r"],"communities":[]}', encoding="utf-8")
    words = ("match", "--url", "http://127.0.0.1:1", "--tokens", str(people), "--people", "20")
    done = CliRunner().invoke(cli.main, words)
    assert "20 people are wished, and 1 are there" in done.output
    people.write_text(orjson.dumps({"tokens": ["a"] * 20, "rooms": ["r"], "communities": []}).decode())
    assert "share a community" in CliRunner().invoke(cli.main, words).output


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("match",), "Say --spawn, or --url"),
        (("match", "--spawn", "--url", "http://127.0.0.1:1"), "Say --spawn, or --url"),
        (("match", "--url", "http://127.0.0.1:1"), "tsudoi seed --people"),
        (("chatter", "--spawn", "--nodes", "2"), "need --database-url and --redis-url"),
        (("nothing", "--spawn"), "is not one of"),
        (("idle", "--spawn", "--people", "1"), "not in the range"),
    ],
)
def test_what_cannot_be_played_is_said_in_words(words: tuple[str, ...], expected: str) -> None:
    done = CliRunner().invoke(cli.main, words)
    assert done.exit_code in (1, 2)
    assert expected in done.output


def test_help_names_every_scenario_with_examples() -> None:
    told = CliRunner().invoke(cli.main, ["--help"]).output
    assert all(each.name in told and each.summary in told for each in SCENARIOS.values())
    assert "Examples:" in told


def test_only_one_of_several_nodes_of_ours_is_killed() -> None:
    with pytest.raises(ServingError, match="--nodes 2"):
        Ground("http://127.0.0.1:1", []).kill_one()
    with pytest.raises(ServingError, match="need"), spawned(Spawn(people=20, nodes=2)):
        pass


def test_people_are_read_from_what_seed_prints() -> None:
    assert read_circles('{"tokens":["a"],"rooms":["r"],"communities":[]}\n\n') == [Circle(["a"], ["r"], [])]
    for wrong in ("{", '{"tokens":[]}', '["a"]', '{"tokens":[],"rooms":[],"x":1}'):
        with pytest.raises(ServingError, match="seed"):
            read_circles(wrong)


# Schedules


def test_the_same_seed_is_the_same_evening() -> None:
    def plan(seed: int) -> tuple[object, ...]:
        dice = random.Random(seed)
        return (
            schedule.talk(dice, 20.0, 30.0),
            schedule.evening(dice, 300, 60.0),
            schedule.absences(dice, 300, 60.0),
        )

    assert plan(1) == plan(1) != plan(2)


def test_talk_is_as_frequent_as_wished_and_independent() -> None:
    times = schedule.talk(random.Random(1), 50.0, 200.0)
    assert times == sorted(times)
    assert times[0] >= 0
    assert times[-1] < 200.0
    assert abs(len(times) - 10_000) < 4 * 100, "a Poisson count has a standard deviation of 100"
    gaps = [b - a for a, b in itertools.pairwise(times)]
    mean = sum(gaps) / len(gaps)
    spread = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert 0.9 < spread / mean < 1.1, "an exponential's deviation is its mean"


def test_steady_is_steady() -> None:
    assert list(schedule.steady(4.0, 1.0, 10.0)) == [10.0, 10.25, 10.5, 10.75]


def test_most_come_in_the_middle_and_all_in_time() -> None:
    times = schedule.evening(random.Random(1), 1_000, 100.0)
    assert times == sorted(times)
    assert len(times) == 1_000
    assert times[0] >= 0
    assert times[-1] <= 100.0
    middle = sum(1 for at in times if 20 <= at <= 60)
    assert middle > 600


@pytest.mark.parametrize("seconds", [5.0, 60.0, 600.0])
def test_whoever_is_away_comes_back_in_time_and_trains_are_shared(seconds: float) -> None:
    found = schedule.absences(random.Random(1), 2_000, seconds)
    assert len(found) == 200
    assert len({each.person for each in found}) == 200
    assert all(each.at >= 0 and each.at + each.seconds <= seconds for each in found)
    lengths = [each.seconds for each in found if each.train]
    assert len(set(lengths)) < len(lengths) / 3
    assert sum(1 for each in found if not each.train) == 100


def test_delays_are_kept_to_three_digits() -> None:
    delays = Delays()
    delays.add([0.001] * 990 + [0.1234] * 9 + [5.0])
    found = delays.quantiles_ms()
    assert found["p50"] == pytest.approx(1.0, rel=0.01)
    assert found["p99.9"] == pytest.approx(123.4, rel=0.01)
    assert found["max"] == pytest.approx(5000, rel=0.01)
    assert delays.count == 1_000
    assert delays.turn_second()["p50"] == found["p50"]
    assert delays.turn_second() == {}
    assert delays.quantiles_ms() == found
    assert Delays().curve() == []
