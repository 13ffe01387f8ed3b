"""Golden transcripts: what a client does, step by step, for cores in any language (docs/clients.md).

A transcript is `{name, rule, client, stay, epoch, positions, random, steps}`. Each step tells the core something
(`do` with the arguments `with`, at the time `at`, ms) and holds all it must answer (`out`, in order); `positions` and
`deadline` stand in the steps after which they are others than before. `random` are the numbers it draws, in order.

`python -m tests.support.transcripts` writes what the Python core answers into the files: read the difference.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from loadtest.protocol import Protocol

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
HEAD = ("name", "rule", "client", "stay", "epoch", "positions", "random")


def transcripts() -> list[dict[str, Any]]:
    """All of them, by file name."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(GOLDEN.glob("*.json"))]


def play(transcript: dict[str, Any]) -> list[dict[str, Any]]:
    """The steps as the Python core answers them. Raises `AssertionError` if it draws other random numbers."""
    numbers = iter(transcript["random"])
    core = Protocol(transcript["client"], lambda: next(numbers), stay=transcript["stay"])
    core.streams.epoch = transcript["epoch"]
    core.streams.positions.update(transcript["positions"])
    steps = list(_answers(core, transcript))
    left = list(numbers)
    assert left == [], f"{transcript['name']}: {left} were not drawn"
    return steps


def _answers(core: Protocol, transcript: dict[str, Any]) -> Iterator[dict[str, Any]]:
    positions, deadline = transcript["positions"], None
    for step in transcript["steps"]:
        getattr(core, step["do"])(*step.get("with", []), *([] if step["do"] == "forget" else [step["at"]]))
        answer = {key: step[key] for key in ("at", "do", "with") if key in step}
        out, core.out = core.out, []
        answer["out"] = json.loads(json.dumps(out))
        if core.streams.positions != positions:
            positions = answer["positions"] = dict(core.streams.positions)
        if core.deadline != deadline:
            deadline = answer["deadline"] = core.deadline
        yield answer


def text_of(transcript: dict[str, Any]) -> str:
    """As it stands in its file: a step is a few short lines."""

    def line(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False)

    head = [f"  {line(key)}: {line(transcript[key])},\n" for key in HEAD]
    steps = []
    for step in transcript["steps"]:
        told = {key: step[key] for key in ("at", "do", "with") if key in step}
        parts = [line(told)[1:-1]]
        outs = ",\n".join(f"        {line(out)}" for out in step["out"])
        parts.append(f'"out": [\n{outs}\n      ]' if outs else '"out": []')
        parts += [f'"{key}": {line(step[key])}' for key in ("positions", "deadline") if key in step]
        steps.append("    { " + ",\n      ".join(parts) + " }")
    return "{\n" + "".join(head) + '  "steps": [\n' + ",\n".join(steps) + "\n  ]\n}\n"


def main() -> None:
    """Write all files anew."""
    for path in sorted(GOLDEN.glob("*.json")):
        transcript = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(text_of({**transcript, "steps": play(transcript)}), encoding="utf-8")


if __name__ == "__main__":
    main()
