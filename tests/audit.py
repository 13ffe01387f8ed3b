"""`./test audit`: known vulnerabilities of the packages that are locked, where pip-audit can reach its source.

What always holds: a vulnerability that it reports is a fault; that it could not be run or could not ask is said, and is
none. A package that its source knows nothing of (a mirror without PyPI's JSON interface says so of each) counts as not
asked about, never as sound.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("requirements.lock", "requirements-bench.lock", "requirements-test.lock")
ASK_S = 120
MODULE = (sys.executable, "-P", "-m", "pip_audit")
OPTIONS = ("--disable-pip", "--require-hashes", "--progress-spinner", "off", "--format", "json", "-r")


def ask(lock: str, command: Sequence[str] = MODULE) -> str:
    """What the tool says about a lock; '' if it is not here or got no answer."""
    try:
        done = subprocess.run(
            [*command, *OPTIONS, str(ROOT / lock)], capture_output=True, text=True, check=False, timeout=ASK_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout


class Judged(NamedTuple):
    """What was said of a lock: its vulnerabilities, and how many packages were looked up and how many were not."""

    faults: list[str]
    asked: int
    unasked: int


def judge(lock: str, said: str) -> Judged:
    """What the tool's JSON says. Raises `ValueError` and the like if it is none."""
    found: list[dict[str, Any]] = json.loads(said)["dependencies"]
    faults = [
        f"{lock}: {package['name']} {package.get('version', '?')} has {flaw['id']}"
        for package in found
        for flaw in package.get("vulns", ())
    ]
    unasked = sum("skip_reason" in package for package in found)
    return Judged(faults, len(found) - unasked, unasked)


def run(command: Sequence[str] = MODULE) -> list[str]:
    """Ask about every lock and tell; the faults."""
    print("== audit", flush=True)
    faults = []
    for lock in LOCKS:
        try:
            judged = judge(lock, ask(lock, command))
        except (ValueError, KeyError, TypeError):
            judged = Judged([], 0, 0)
        if not judged.asked:
            print(f"{lock}: could not be audited (pip-audit is not here, or its source does not answer)")
            continue
        rest = f"; {judged.unasked} could not be asked about" if judged.unasked else ""
        print(f"{lock}: {len(judged.faults)} known vulnerabilities in {judged.asked} packages{rest}")
        faults += judged.faults
    return faults
