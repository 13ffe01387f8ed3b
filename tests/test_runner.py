"""`./test` beyond its set-up: what is counted, what fails, what the last lines say."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests import runner
from tests.runner import FAILED, PASSED, SKIPPED, Tally
from tests.support.chromium import find_chromium

ALL_KINDS = """\
import pytest

def test_right(): pass

def test_wrong(): assert False

@pytest.mark.skip(reason="no moon tonight")
def test_skipped(): pass

@pytest.mark.xfail(reason="known")
def test_known(): assert False

@pytest.fixture
def broken():
    yield
    assert False

def test_wrong_at_tear_down(broken): pass

@pytest.fixture
def unready():
    assert False

def test_wrong_at_set_up(unready): pass
"""


def run(*arguments: str, **env: str) -> tuple[int, list[str]]:
    """Run the runner as a process of its own; its status and the lines after the last heading."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    clean |= {"CI": "", "TSUDOI_TEST_STRICT": "", **env}
    command = [sys.executable, "-m", "tests.runner", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=runner.ROOT, env=clean, check=False)
    return done.returncode, done.stdout.partition("== summary\n")[2].splitlines()


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "two workers"])
def test_every_kind_of_end_is_counted_once(tmp_path: Path, workers: tuple[str, ...]) -> None:
    (tmp_path / "test_kinds.py").write_text(ALL_KINDS)
    (tmp_path / "test_unreadable.py").write_text("import nothing_of_this_name")
    (tmp_path / "test_all_skipped.py").write_text(
        "import pytest\npytest.skip('not here', allow_module_level=True)"
    )
    status, lines = run(str(tmp_path), "--continue-on-collection-errors", *workers)
    assert status == 1
    assert lines[-1] == "1 passed, 4 failed, 3 skipped"
    reasons = [line.rpartition(": ")[2] for line in lines if line.startswith("skipped ")]
    assert sorted(reasons) == ["known", "no moon tonight", "not here"]


HANGS = """\
import time
import pytest

@pytest.fixture
def endless():
    yield
    while True:
        time.sleep(1)

def test_that_never_tidies_up(endless):
    assert False, "wrong before it hangs"

def test_that_takes_no_hint():
    while True:
        try:
            time.sleep(1)
        except BaseException:
            pass

def test_behind_it(): pass
"""


def test_a_test_that_hangs_fails_by_name_and_the_others_run(tmp_path: Path) -> None:
    path = tmp_path / "test_hangs.py"
    path.write_text(HANGS)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    command = [sys.executable, "-m", "tests.runner", str(path), "-n", "1", "--timeout", "1"]
    done = subprocess.run(
        [*command, "-o", "overdue_grace=1"],
        capture_output=True,
        text=True,
        cwd=runner.ROOT,
        env=clean,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "1 passed, 2 failed, 0 skipped"
    for name in ("test_that_never_tidies_up", "test_that_takes_no_hint"):
        assert f"::{name}" in done.stdout
        assert f"in {name.replace('test_that_never_tidies_up', 'endless')}" in done.stderr, "its stack"
    assert done.stdout.index("wrong before it hangs") < done.stdout.index("== FAILURES ==")


def test_a_right_run_ends_with_its_counts_alone(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_it(): pass\ndef test_more(): pass")
    status, lines = run(str(tmp_path / "test_it.py") + "::test_it")
    assert (status, lines[-1], len(lines)) == (0, "1 passed, 0 failed, 0 skipped", 2)


def test_the_projects_own_tests_can_be_chosen() -> None:
    status, lines = run("tests/test_house.py", "-k", "sizes or docstring")
    assert (status, lines[-1]) == (0, "3 passed, 0 failed, 0 skipped")


@pytest.mark.parametrize(("arguments", "env"), [(("--strict",), {}), ((), {"CI": "true"})])
def test_a_strict_run_takes_no_skips(tmp_path: Path, arguments: tuple[str, ...], env: dict[str, str]) -> None:
    (tmp_path / "test_it.py").write_text(
        "import os, pytest\n"
        "def test_it(): assert os.environ['TSUDOI_TEST_STRICT'] == '1'\n"
        "def test_skipped(): pytest.skip('no moon')"
    )
    status, lines = run(*arguments, str(tmp_path), **env)
    assert (status, lines[-1]) == (1, "1 passed, 0 failed, 1 skipped")
    assert "FAILED: tests were skipped, and the run is strict" in lines


def test_no_tests_are_a_failure(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_it(): pass")
    status, lines = run(str(tmp_path), "-k", "another name")
    assert (status, lines[-1]) == (1, "0 passed, 0 failed, 0 skipped")
    assert "FAILED: no tests executed" in lines


def test_only_skips_are_no_proof() -> None:
    tally = Tally({"a": SKIPPED}, {"a": "no moon"})
    assert runner.verdict(0, tally, strict=False) == ["no tests executed"]


def test_a_crash_of_pytest_is_a_failure() -> None:
    assert runner.verdict(3, Tally({"a": PASSED}), strict=False) == ["pytest ended with status 3"]
    assert runner.verdict(0, Tally({"a": PASSED}), strict=True) == []


def test_the_summary_counts_and_names() -> None:
    tally = Tally({"a": PASSED, "b": FAILED, "c": SKIPPED, "d": PASSED}, {"c": "no moon"})
    assert runner.summary(tally, ["mypy failed"], 1.25) == [
        "",
        "== summary",
        "skipped c: no moon",
        "FAILED: mypy failed",
        "1.2 s",
        "2 passed, 1 failed, 1 skipped",
    ]
    assert runner.summary(None, [], 1)[-1] == "style and types: passed"


def test_a_failed_check_of_style_does_not_hide_the_next() -> None:
    seen = []

    def fails_but_for_mypy(command: Sequence[str]) -> int:
        seen.append(command[2])
        return command[2] != "mypy"

    assert runner.run_lint(fails_but_for_mypy) == ["ruff check", "ruff format"]
    assert seen == ["ruff", "ruff", "mypy"]


def test_paths_are_those_of_the_callers_directory(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").touch()
    there = f"{tmp_path.resolve()}/test_it.py"
    given = ["-x", "test_it.py::test_a", "-k", "test_it.py", "another.py", "test_it.py"]
    expected = ["-x", f"{there}::test_a", "-k", "test_it.py", "another.py", there]
    assert runner.from_root(given, tmp_path) == expected


def test_help_tells_every_way() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.runner", "--help"],
        capture_output=True,
        text=True,
        cwd=runner.ROOT,
        check=True,
    )
    for word in (
        "lint",
        "faults",
        "autobahn",
        "audit",
        "--strict",
        "TEST_POSTGRES_URL",
        "TEST_REDIS_URL",
        "TSUDOI_CHROMIUM",
    ):
        assert word in done.stdout


def test_chromium_is_found_by_wish_then_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("google-chrome", "chromium", "mine"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("TSUDOI_CHROMIUM", raising=False)
    assert find_chromium() == str(tmp_path / "chromium")
    monkeypatch.setenv("TSUDOI_CHROMIUM", str(tmp_path / "mine"))
    assert find_chromium() == str(tmp_path / "mine")
    monkeypatch.setenv("TSUDOI_CHROMIUM", "/nowhere")
    assert find_chromium() is None
