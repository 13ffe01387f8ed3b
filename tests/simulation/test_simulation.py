"""The simulation itself: seeds that keep every promise, the same each time, and mutants that do not (docs/simulation.md)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.simulation.command import Caught, hunt, main, verdict_lines
from tests.simulation.mutants import MUTANTS, Mutant, applied, removal_not_obeyed
from tests.simulation.simulate import simulate
from tests.simulation.world import FAULTS

ROOT = Path(__file__).resolve().parent.parent.parent
BLOCK = 75
BLOCKS = 4


@pytest.mark.parametrize("block", range(BLOCKS))
def test_every_seed_keeps_every_promise_and_every_fault_takes_place(block: int) -> None:
    fired: Counter[str] = Counter()
    faults: list[str] = []
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        verdict = simulate(seed)
        fired += verdict.fired
        if verdict.violations:
            faults += verdict_lines(verdict)
    assert not faults, "\n".join(faults)
    assert [name for name in FAULTS if not fired[name]] == []


@pytest.mark.parametrize("seed", [3, 8, 41])
def test_a_seed_is_the_same_run_each_time(seed: int) -> None:
    first, second = simulate(seed), simulate(seed)
    assert (first.trace_hash, first.frames, first.fired) == (second.trace_hash, second.frames, second.fired)
    assert first.frames > 50


def test_a_seed_is_the_same_run_in_another_process() -> None:
    script = "from tests.simulation.simulate import simulate; print(simulate(8).trace_hash, simulate(9).trace_hash)"
    told = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "4711"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split() == [simulate(8).trace_hash, simulate(9).trace_hash]


@pytest.mark.parametrize("seed", [5, 12, 30])
def test_the_nodes_clocks_change_nothing_but_the_times_they_tell(seed: int) -> None:
    assert simulate(seed, clocks=0).trace_hash == simulate(seed, clocks=1).trace_hash


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_mutant_of_our_code_is_caught(mutant: Mutant) -> None:
    found: Caught = hunt(mutant)
    assert found.seeds, f"{found.name} was not caught"


def test_a_failing_seed_is_told_and_fails_again(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with applied(removal_not_obeyed):
        found = hunt(removal_not_obeyed)
        seed = found.seeds - 1
        assert main(["--seed", str(seed)]) == 1
    said = capsys.readouterr().out
    assert found.text in said
    assert f"again: ./test simulation --seed {seed}" in said
    assert main(["--seed", str(seed)]) == 0
