"""What `./test` does once its environment stands: style, types, tests, and one summary at the end.

Called by `./test` alone. Always holds: the exit status is 0 only if everything that was asked for was run and
was right; a run in which no test was executed is never right.
"""

from __future__ import annotations

import dataclasses
import importlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from tests import audit

ROOT = Path(__file__).resolve().parent.parent

USAGE = """\
usage: ./test                 style, types, then all tests on all cores
       ./test lint            style and types only
       ./test PATH… | -k WORD | any other pytest argument: these tests only, without style and types
       ./test --strict …      a skipped test is a failure (so it is when CI=true)
       ./test faults          servers, disks and networks under fault, at full speed and length
       ./test autobahn        the WebSocket conformance suite, where Python 2.7 has it
       ./test audit           known vulnerabilities of our packages, where pip-audit and the network are there
       ./test screenshots     makes the pictures of docs/images anew
       ./test simulation      seeds of the simulated cluster: --seeds N, --seed K, --mutants (docs/simulation.md)

What the tests use, if given, instead of starting their own:
       TEST_POSTGRES_URL      a PostgreSQL whose user may create databases
       TEST_REDIS_URL         a Redis or Valkey that may be emptied
       TSUDOI_CHROMIUM        the browser, else chromium or google-chrome on PATH
       TSUDOI_AUTOBAHN        a Python 2.7 that has autobahntestsuite, else python2.7 on PATH
       WHEELHOUSE=dir         packages for the set-up, without network
       TSUDOI_PYTHON=path     the interpreter for the set-up"""

LINT = {
    "ruff check": ("ruff", "check", "."),
    "ruff format": ("ruff", "format", "--check", "."),
    "mypy": ("mypy",),
}

ALONE = {"autobahn": "tests.autobahn", "audit": "tests.audit"}
PASSED, SKIPPED, FAILED = range(3)
RAN_AGAINST = "ran against"
OVERDUE = "tests.support.overdue"
"""A plugin by its name, so that the workers load it too."""


@dataclasses.dataclass(eq=False)  # pytest keeps plugins in sets
class Tally:
    """A pytest plugin that counts tests, not phases: a test is as bad as its worst phase."""

    outcomes: dict[str, int] = dataclasses.field(default_factory=dict)
    reasons: dict[str, str] = dataclasses.field(default_factory=dict)
    seen: list[str] = dataclasses.field(default_factory=list)
    """What tests said they ran against (`record_property("ran against", …)`)."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One phase (set-up, call, tear-down) of one test has ended, here or in a worker."""
        if report.when == "call" or not report.passed:
            self._note(report)
        if report.failed:
            # At once, and again with pytest's own summary: a run that is cut short has told by then what went wrong.
            print(f"\nFAILED in {report.when}: {report.nodeid}\n{report.longreprtext}", flush=True)
        if report.when == "call":
            self.seen += [
                f"{report.nodeid}: {text}" for name, text in report.user_properties if name == RAN_AGAINST
            ]

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A module could not be read, or asked to be skipped; every worker tells of it."""
        if not report.passed:
            self._note(report)

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        outcome = {"passed": PASSED, "skipped": SKIPPED}.get(report.outcome, FAILED)
        if outcome == SKIPPED:
            self.reasons[report.nodeid] = skip_reason(report)
        self.outcomes[report.nodeid] = max(outcome, self.outcomes.get(report.nodeid, PASSED))

    def count(self, outcome: int) -> int:
        """How many tests ended so."""
        return sum(1 for each in self.outcomes.values() if each == outcome)

    def skips(self) -> list[str]:
        """One line for each skipped test."""
        return [
            f"skipped {node}: {reason}"
            for node, reason in sorted(self.reasons.items())
            if self.outcomes[node] == SKIPPED
        ]


def skip_reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Why the test did not run, without pytest's file and line."""
    expected = getattr(report, "wasxfail", None)
    if expected is not None:
        return f"fails as expected: {expected}"
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    return str(report.longrepr)


def run_lint(run: Callable[[Sequence[str]], int]) -> list[str]:
    """Run every check of style and types; the names of those that failed."""
    failed = []
    for name, command in LINT.items():
        print(f"== {name}", flush=True)
        if run([sys.executable, "-m", *command]):
            failed.append(name)
    return failed


def run_tests(arguments: Sequence[str], tally: Tally) -> int:
    """Run pytest in this process (its workers are their own); its exit status."""
    print("== pytest", flush=True)
    return int(pytest.main(["-p", OVERDUE, *arguments], plugins=[tally]))


def verdict(status: int, tally: Tally, *, strict: bool) -> list[str]:
    """Why the tests as a whole are not right; empty if they are."""
    faults = []
    if tally.count(PASSED) + tally.count(FAILED) == 0:
        faults.append("no tests executed")
    if status not in (0, int(pytest.ExitCode.NO_TESTS_COLLECTED)):
        faults.append(f"pytest ended with status {status}")
    if strict and tally.count(SKIPPED):
        faults.append("tests were skipped, and the run is strict")
    return faults


def from_root(arguments: Sequence[str], here: Path) -> list[str]:
    """The arguments with paths of the caller's directory made good for the checkout's root."""
    moved = []
    for before, argument in zip(("", *arguments), arguments, strict=False):
        path, mark, node = argument.partition("::")
        is_path = not argument.startswith("-") and before not in ("-k", "-m") and (here / path).exists()
        moved.append(str((here / path).resolve()) + mark + node if is_path else argument)
    return moved


def is_strict(arguments: Sequence[str], env: Mapping[str, str]) -> bool:
    """True if a skip is to count as a failure."""
    return "--strict" in arguments or env.get("CI") == "true" or env.get("TSUDOI_TEST_STRICT") == "1"


def main(arguments: Sequence[str]) -> int:
    """Run what `arguments` ask for and print the summary."""
    if {"--help", "-h"} & set(arguments):
        print(USAGE)
        return 0
    began = time.monotonic()
    here = Path.cwd()
    os.chdir(ROOT)
    strict = is_strict(arguments, os.environ)
    if strict:
        os.environ["TSUDOI_TEST_STRICT"] = "1"
    wanted = [argument for argument in arguments if argument != "--strict"]
    if wanted[:1] == ["simulation"]:
        from tests.simulation.command import main as simulation

        return simulation(wanted[1:])
    if wanted == ["screenshots"]:
        os.environ["TSUDOI_SCREENSHOTS"] = "1"
        wanted = ["tests/browser/test_screenshots.py"]
    if wanted == ["faults"]:
        os.environ["TSUDOI_FAULTS"] = "full"
        wanted = ["tests/faults", "--timeout", "600"]
    if wanted and wanted[0] in ALONE:
        return alone(ALONE[wanted[0]], began)
    faults = [f"{name} failed" for name in run_lint(subprocess.call)] if wanted in ([], ["lint"]) else []
    tally = None
    if wanted != ["lint"]:
        tally = Tally()
        status = run_tests(from_root(wanted, here) or ["-n", str(workers()), "--dist", "worksteal"], tally)
        faults += verdict(status, tally, strict=strict)
    if not wanted and os.environ.get("CI") == "true":
        faults += audit.run()
    print("\n".join(summary(tally, faults, time.monotonic() - began)))
    return 1 if faults else 0


def alone(name: str, began: float) -> int:
    """Run something that is no test of pytest's; its module has a `run` that returns what is wrong."""
    faults = importlib.import_module(name).run()
    print("\n".join(["", "== summary", *(f"FAILED: {fault}" for fault in faults)]))
    print(f"{time.monotonic() - began:.1f} s")
    return 1 if faults else 0


def workers() -> int:
    """How many tests run at once: more than there are processors, because a test waits for nearly half of its time."""
    return cores() + (cores() + 1) // 2


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def summary(tally: Tally | None, faults: Sequence[str], wall_s: float) -> list[str]:
    """The lines that end a run; the last one tells it all. `tally` is None if no tests were asked for."""
    last = "style and types: failed" if faults else "style and types: passed"
    if tally is not None:
        counts = [tally.count(outcome) for outcome in (PASSED, FAILED, SKIPPED)]
        last = "{} passed, {} failed, {} skipped".format(*counts)
    skips = tally.skips() if tally is not None else []
    seen = [f"ran against: {each}" for each in tally.seen] if tally is not None else []
    return [
        "",
        "== summary",
        *seen,
        *skips,
        *(f"FAILED: {fault}" for fault in faults),
        f"{wall_s:.1f} s",
        last,
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
