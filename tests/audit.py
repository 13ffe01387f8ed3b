"""`./test audit`: known vulnerabilities of the packages that are locked, where pip-audit can be had and reach its source.

What always holds: a vulnerability that it reports is a fault; that it could not be run or could not ask is said, and is
none.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("requirements.lock", "requirements-test.lock")
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


def judge(lock: str, said: str) -> list[str]:
    """The vulnerabilities it names. Raises `ValueError` if it named nothing at all."""
    found: list[dict[str, Any]] = json.loads(said)["dependencies"]
    return [
        f"{lock}: {package['name']} {package.get('version', '?')} has {flaw['id']}"
        for package in found
        for flaw in package.get("vulns", ())
    ]


def run(command: Sequence[str] = MODULE) -> list[str]:
    """Ask about every lock and tell; the faults."""
    print("== audit", flush=True)
    faults = []
    for lock in LOCKS:
        try:
            found = judge(lock, ask(lock, command))
        except (ValueError, KeyError, TypeError):
            print(f"{lock}: could not be audited (pip-audit is not here, or its source does not answer)")
            continue
        print(f"{lock}: {len(found)} known vulnerabilities")
        faults += found
    return faults
