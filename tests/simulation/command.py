"""`./test simulation`: many seeds, one seed again with its trace, or the mutants.

Called by `tests.runner`. The exit status is 0 only if every seed kept every promise and every kind of fault took
place; with `--mutants`, if each mutant was caught.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from tests.simulation.mutants import MUTANTS, Mutant, applied
from tests.simulation.simulate import Verdict, simulate
from tests.simulation.world import FAULTS

MUTANT_SEEDS = 500
TRACE_LINES = 200


class Caught(NamedTuple):
    """How a mutant was found: after how many seeds (0: not at all), and what it broke first."""

    name: str
    seeds: int
    broken: str
    text: str


def hunt(mutant: Mutant, seeds: int = MUTANT_SEEDS) -> Caught:
    """Seed after seed until one notices the mutant."""
    with applied(mutant):
        for seed in range(seeds):
            verdict = simulate(seed)
            if verdict.violations:
                broken = ", ".join(sorted({text.partition(":")[0] for text in verdict.violations}))
                return Caught(mutant.__name__, seed + 1, broken, verdict.violations[0])
    return Caught(mutant.__name__, 0, "", "")


def hunt_number(number: int) -> Caught:
    """As `hunt`, by the mutant's place in the table."""
    return hunt(MUTANTS[number])


def faults_table(fired: Counter[str]) -> list[str]:
    """How often each fault took place."""
    return [f"{fired[name]:>8}  {name}" for name in FAULTS]


def verdict_lines(verdict: Verdict) -> list[str]:
    """A failing seed, and how to see it again."""
    lines = [f"seed {verdict.seed} FAILED (trace {verdict.trace_hash})"]
    lines += [f"  {text}" for text in verdict.violations]
    return [*lines, f"  again: ./test simulation --seed {verdict.seed}"]


def run_seeds(first: int, count: int) -> int:
    """Seeds first … first + count - 1, on all cores."""
    began = time.monotonic()
    fired: Counter[str] = Counter()
    failed: list[int] = []
    with multiprocessing.Pool(len(os.sched_getaffinity(0))) as pool:
        for verdict in pool.imap_unordered(simulate, range(first, first + count), chunksize=8):
            fired += verdict.fired
            if verdict.violations:
                failed.append(verdict.seed)
                print("\n".join(verdict_lines(verdict)), flush=True)
    silent = [name for name in FAULTS if not fired[name]]
    print("\n".join(["faults that took place:", *faults_table(fired)]))
    if silent:
        print(f"never took place: {', '.join(silent)}")
    print(f"{count} seeds, {len(failed)} failed, {time.monotonic() - began:.1f} s")
    return 1 if failed or silent else 0


def run_one(seed: int) -> int:
    """One seed; its trace if it fails."""
    verdict = simulate(seed, keep_trace=True)
    if verdict.violations:
        print("\n".join([*verdict.trace[-TRACE_LINES:], *verdict_lines(verdict)]))
        path = f"simulation-{seed}.trace"
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(verdict.trace))
        print(f"  the whole trace: {path}")
        return 1
    print("\n".join(faults_table(verdict.fired)))
    print(f"seed {seed}: nothing wrong, {verdict.virtual_s:.1f} virtual seconds, trace {verdict.trace_hash}")
    return 0


def run_mutants() -> int:
    """Every mutant until it is caught."""
    with multiprocessing.Pool(len(os.sched_getaffinity(0))) as pool:
        caught = pool.map(hunt_number, range(len(MUTANTS)), chunksize=1)
    for mutant, found in zip(MUTANTS, caught, strict=True):
        told = (mutant.__doc__ or "").strip().replace("\n    ", " ")
        print(f"| {found.name.replace('_', ' ')} | {told} | {found.seeds or 'not caught'} | {found.broken} |")
    return 0 if all(found.seeds for found in caught) else 1


def main(arguments: Sequence[str]) -> int:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(prog="./test simulation", description="Seeded simulation of the server.")
    parser.add_argument("--seeds", type=int, default=300, help="how many seeds to run")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="run this one; a failure shows its trace")
    parser.add_argument(
        "--mutants", action="store_true", help="try each mutant of our code until it is caught"
    )
    options = parser.parse_args(arguments)
    if options.mutants:
        return run_mutants()
    return run_one(options.seed) if options.seed is not None else run_seeds(options.first, options.seeds)
