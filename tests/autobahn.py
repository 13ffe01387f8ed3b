"""`./test autobahn`: the Autobahn test suite itself against our WebSocket protocol class, where it can be had.

The suite runs on Python 2.7 with the package `autobahntestsuite`: in the interpreter that `TSUDOI_AUTOBAHN` names, else
in `python2.7` of PATH or of pyenv. What always holds: every case that is not OK stands in `ALLOWED` with its reason, and
every case that stands there is as it says; without the suite the run says so and is not right.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import uvloop

from gateway.socket import SocketProtocol
from tests.gateway.echoing import EchoNode, Nobody, echoing

ABSENT = "the suite is not here: name a Python 2.7 that has autobahntestsuite in TSUDOI_AUTOBAHN"
CASES = 247
BINARY = "binary messages are refused with 1003 by design"
LATE = "invalid UTF-8 within one frame is told at its end"
TOLD = "the suite only tells what it sees"
ALLOWED: dict[str, tuple[str, str]] = {
    **{f"1.2.{number}": ("FAILED", BINARY) for number in range(1, 9)},
    **{f"6.4.{number}": ("NON-STRICT", LATE) for number in (3, 4)},
    **{f"7.13.{number}": ("INFORMATIONAL", TOLD) for number in (1, 2)},
    "7.1.6": ("INFORMATIONAL", TOLD),
}


def interpreters() -> Iterator[str]:
    """Where a Python 2.7 may be."""
    if given := os.environ.get("TSUDOI_AUTOBAHN"):
        yield given
        return
    if found := shutil.which("python2.7"):
        yield found
    for path in sorted(Path.home().glob(".pyenv/versions/2.7*/bin/python2.7")):
        yield str(path)


def find() -> str | None:
    """An interpreter that has the suite."""
    for python in interpreters():
        try:
            done = subprocess.run(
                [python, "-c", "import autobahntestsuite"], capture_output=True, check=False, timeout=60
            )
        except OSError:
            continue
        if done.returncode == 0:
            return python
    return None


async def report(python: str, place: Path) -> dict[str, Any]:
    """Let the suite loose on an echo server; what it found, by case."""
    node, nobody = EchoNode(), Nobody()
    loop = asyncio.get_running_loop()
    with echoing():
        server = await loop.create_server(
            lambda: SocketProtocol(None, nobody, {"node": node}), "127.0.0.1", 0
        )
        turning = asyncio.create_task(turn(node))
        port = server.sockets[0].getsockname()[1]
        spec = {
            "outdir": str(place / "report"),
            "servers": [{"agent": "tsudoi", "url": f"ws://127.0.0.1:{port}/gateway"}],
            "cases": [f"{section}.*" for section in (1, 2, 3, 4, 5, 6, 7, 10)],
            "exclude-cases": [],
            "exclude-agent-cases": {},
        }
        (place / "spec.json").write_text(json.dumps(spec))
        words = [python, "-c", "from autobahntestsuite.wstest import run; run()"]
        words += ["-m", "fuzzingclient", "-s", str(place / "spec.json")]
        with (place / "said").open("wb") as said:
            suite = await asyncio.create_subprocess_exec(*words, cwd=place, stdout=said, stderr=said)
            await suite.wait()
        turning.cancel()
        server.close()
    index = place / "report" / "index.json"
    assert index.exists(), (place / "said").read_text(errors="replace")
    return dict(json.loads(index.read_text())["tsudoi"])


async def turn(node: EchoNode) -> None:
    """The node's wheel."""
    while True:
        await asyncio.sleep(node.wheel.tick_s)
        node.wheel.advance(node.now())


def judge(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What is not as it should be."""
    faults = [] if len(found) == CASES else [f"{len(found)} cases ran, not {CASES}"]
    for number, case in found.items():
        wanted = ALLOWED.get(number, ("OK", ""))[0]
        if case["behavior"] != wanted:
            faults.append(f"{number} is {case['behavior']}, not {wanted}")
        elif wanted != "FAILED" and case["behaviorClose"] not in ("OK", "INFORMATIONAL"):
            faults.append(f"{number} ends {case['behaviorClose']}")
    return faults


def run() -> list[str]:
    """Run it and print the figures; the faults."""
    print("== autobahn", flush=True)
    python = find()
    if python is None:
        return [ABSENT]
    with tempfile.TemporaryDirectory(prefix="tsudoi-autobahn-") as place:
        found = uvloop.run(report(python, Path(place)))
    by_outcome: dict[str, int] = {}
    for case in found.values():
        by_outcome[case["behavior"]] = by_outcome.get(case["behavior"], 0) + 1
    print(", ".join(f"{count} {outcome}" for outcome, count in sorted(by_outcome.items())))
    return judge(found)
