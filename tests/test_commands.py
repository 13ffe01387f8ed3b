"""`./run`, `./test` and `.ci/run` as people meet them: first start, broken downloads, odd machines."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.checkout import TOO_OLD, WITHOUT_PIP, Checkout


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A fresh clone on a machine that has just what the commands promise to need."""
    return Checkout(tmp_path)


def told(output: str) -> dict[str, object]:
    """What the stub says about itself."""
    said: dict[str, object] = json.loads(output)
    return said


@pytest.mark.parametrize(
    ("command", "stub", "default"), [("run", "gateway/cli.py", ["demo"]), ("test", "tests/runner.py", [])]
)
def test_the_first_start_sets_up_and_the_second_just_starts(
    checkout: Checkout, command: str, stub: str, default: list[str]
) -> None:
    status, output, said = checkout.run("a b", "--c=*", "", command=command)
    assert status == 0, said
    assert told(output) == {"argv": ["a b", "--c=*", ""], "file": str(checkout.root / stub), "fixture": 1}
    assert said.count("\n") == 1
    assert "Setting up (once" in said
    checkout.calls.unlink()
    status, output, said = checkout.run(command=command)
    assert (status, told(output)["argv"], said) == (0, default, "")
    assert not checkout.calls.exists(), "a warm start needs no interpreter before its own"


def test_load_and_benchmarks_share_an_environment_of_their_own(checkout: Checkout) -> None:
    for command, stub, first in (("bench", "loadtest/bench", True), ("loadtest", "loadtest", False)):
        status, output, said = checkout.run(command, "a b")
        assert (status, "Setting up (once" in said) == (0, first), said
        assert told(output) == {"argv": ["a b"], "file": f"{checkout.root}/{stub}/__main__.py", "fixture": 1}
    assert not (checkout.root / ".venv").exists(), "whoever measures need not have served before"
    checkout.run()
    assert checkout.installs() == 2, "what draws and measures stays out of the server's own"


def test_the_launcher_in_the_environment_is_the_same_command(checkout: Checkout) -> None:
    checkout.run()
    launcher = checkout.root / ".venv" / "bin" / "tsudoi"
    done = subprocess.run(
        [launcher, "a b"], env=checkout.environment(), capture_output=True, text=True, check=True
    )
    assert told(done.stdout)["argv"] == ["a b"]


def test_a_link_to_the_command_is_the_command(checkout: Checkout) -> None:
    (checkout.tools / "tsudoi").symlink_to(checkout.root / "run")
    env = checkout.environment()
    done = subprocess.run(
        [checkout.tools / "tsudoi", "x"], env=env, capture_output=True, text=True, check=True
    )
    assert told(done.stdout)["argv"] == ["x"]


def test_a_broken_download_heals(checkout: Checkout) -> None:
    wheel = checkout.wheels / "tinyfixture-1-py3-none-any.whl"
    good = wheel.read_bytes()
    for bad in (None, good + b"tampered"):
        wheel.unlink() if bad is None else wheel.write_bytes(bad)
        status, output, said = checkout.run()
        assert (status, output) == (1, "")
        assert "run the same command again" in said.splitlines()[-1]
    wheel.write_bytes(good)
    status, output, _ = checkout.run()
    assert (status, told(output)["fixture"]) == (0, 1)


def test_a_killed_set_up_is_not_believed(checkout: Checkout) -> None:
    # The group is killed when everything is installed, and only the stamp is missing.
    checkout.fake_python("python", at_install='shift; "$TSUDOI_REAL" -m "$@"; kill -9 0')
    process = checkout.start(TSUDOI_REAL=str(checkout.fake_python("real")))
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert list(checkout.root.glob(".venv/lib/*/site-packages/tinyfixture.py"))
    checkout.fake_python("python")
    before = checkout.installs()
    status, output, _ = checkout.run()
    assert (status, told(output)["fixture"]) == (0, 1)
    assert checkout.installs() == before + 1


@pytest.mark.parametrize("flock", [True, False], ids=["flock", "directory"])
def test_concurrent_starts_set_up_once(checkout: Checkout, flock: bool) -> None:
    if not flock:
        (checkout.tools / "flock").unlink()
    processes = [checkout.start(str(number)) for number in range(3)]
    ends = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], ends
    assert [told(output)["argv"] for output, _ in ends] == [["0"], ["1"], ["2"]]
    assert checkout.installs() == 1


def test_the_lock_of_a_dead_process_is_inherited(checkout: Checkout) -> None:
    (checkout.tools / "flock").unlink()
    with subprocess.Popen(["true"]) as dead:
        dead.wait()
    lock = checkout.root / ".cache" / ".venv.lock.d"
    lock.mkdir(parents=True)
    (lock / "pid").write_text(f"{dead.pid}\n")
    assert checkout.run()[0] == 0
    assert not lock.exists()


def test_a_changed_lock_is_installed(checkout: Checkout) -> None:
    checkout.run()
    checkout.release(2)
    status, output, _ = checkout.run()
    assert (status, told(output)["fixture"]) == (0, 2)
    assert checkout.installs() == 2


def test_a_moved_checkout_heals(checkout: Checkout) -> None:
    checkout.run()
    checkout.root = checkout.root.rename(checkout.base / "moved")
    status, output, _ = checkout.run()
    assert status == 0
    assert told(output)["file"] == str(checkout.root / "gateway/cli.py")


def test_another_interpreter_by_name_is_obeyed_and_then_kept(checkout: Checkout) -> None:
    checkout.run()
    other = str(checkout.fake_python("other"))
    assert checkout.run(TSUDOI_PYTHON=other)[0] == 0
    assert checkout.installs() == 2
    assert checkout.run(TSUDOI_PYTHON=None)[0] == 0
    assert checkout.installs() == 2


def test_the_first_fit_interpreter_on_path_is_taken(checkout: Checkout) -> None:
    checkout.fake_python("python3.14", TOO_OLD)
    checkout.fake_python("python3.13", WITHOUT_PIP)
    (checkout.tools / "python3.12").write_text("#!/bin/sh\nexit 127\n")
    (checkout.tools / "python3.12").chmod(0o755)
    checkout.fake_python("python3")
    status, output, said = checkout.run(TSUDOI_PYTHON=None)
    assert (status, told(output)["fixture"]) == (0, 1), said


@pytest.mark.parametrize("named", [True, False], ids=["named", "on PATH"])
@pytest.mark.parametrize(
    ("probe", "advice"), [(WITHOUT_PIP, "apt install python3-pip"), (TOO_OLD, "older than Python 3.11")]
)
def test_an_unfit_interpreter_gives_one_line(
    checkout: Checkout, probe: str, advice: str, named: bool
) -> None:
    unfit = checkout.fake_python("python3", probe)
    status, output, said = checkout.run(TSUDOI_PYTHON=str(unfit) if named else None)
    assert (status, output, said.count("\n")) == (2, "", 1)
    assert advice in said
    assert not (checkout.root / ".venv").exists()


@pytest.mark.parametrize("wish", [None, "/nowhere/python"])
def test_no_interpreter_gives_one_line(checkout: Checkout, wish: str | None) -> None:
    status, output, said = checkout.run(TSUDOI_PYTHON=wish)
    assert (status, output, said.count("\n")) == (2, "", 1)
    assert "install" in said


def test_odd_settings_of_pip_and_python_do_no_harm(checkout: Checkout) -> None:
    (checkout.home / ".config" / "pip").mkdir(parents=True)
    (checkout.home / ".config" / "pip" / "pip.conf").write_text(
        "[install]\nuser = true\n[global]\ndry-run = true\n"
    )
    (checkout.home / "tinyfixture.py").write_text("VERSION = 'a stranger'")
    (checkout.home / "gateway").mkdir()
    (checkout.home / "gateway" / "cli.py").write_text("print('a stranger')")
    status, output, said = checkout.run(
        PIP_TARGET=str(checkout.home / "elsewhere"),
        PIP_REQUIRE_VIRTUALENV="1",
        PIP_CONSTRAINT="/nowhere",
        PYTHONPATH=str(checkout.home),
    )
    assert status == 0, said
    assert told(output) == {"argv": ["demo"], "file": str(checkout.root / "gateway/cli.py"), "fixture": 1}


def test_where_packages_come_from_is_left_to_pips_settings(checkout: Checkout) -> None:
    (checkout.home / ".config" / "pip").mkdir(parents=True)
    (checkout.home / ".config" / "pip" / "pip.conf").write_text(
        f"[global]\nno-index = true\nfind-links =\n    /nowhere\n    {checkout.wheels}\n"
    )
    status, output, said = checkout.run(WHEELHOUSE=None)
    assert (status, told(output)["fixture"]) == (0, 1), said
    checkout.release(2)
    empty = checkout.base / "empty"
    empty.mkdir()
    assert checkout.run(WHEELHOUSE=None, PIP_FIND_LINKS=str(empty))[0] == 1, "variables win over files"


def fake_tool(checkout: Checkout, name: str, script: str) -> None:
    """A program on the narrow PATH that writes down its call."""
    path = checkout.tools / name
    path.write_text(f'#!/bin/sh\nprintf "%s\\n" "{name} $*" >>"{checkout.calls}"\n{script}\n')
    path.chmod(0o755)


@pytest.mark.parametrize("missing", ["chromium", "nothing"])
def test_the_ci_installs_what_is_missing_and_is_strict(checkout: Checkout, missing: str) -> None:
    (checkout.root / "test").write_text('#!/bin/sh\necho "CI=$CI $*"\n')
    fake_tool(checkout, "dpkg-query", f'case "$*" in *" {missing}") exit 1 ;; esac; printf installed')
    fake_tool(checkout, "apt-get", "")
    fake_tool(checkout, "sudo", 'shift; exec "$@"')
    status, output, said = checkout.run("-k", "a b", command=".ci/run")
    assert (status, output) == (0, "CI=true -k a b\n"), said
    calls = [call for call in checkout.calls.read_text().splitlines() if call.startswith("apt-get")]
    expected = ["apt-get update --quiet", "apt-get install --yes --quiet --no-install-recommends chromium"]
    assert calls == (expected if missing == "chromium" else [])
