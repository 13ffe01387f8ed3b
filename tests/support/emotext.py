"""Golden vectors of emotext: texts, effects and whose they are, and where everything is at some moments (docs/emotext.md).

`python -m tests.support.emotext` writes what the reference says into the file: read the difference.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from realtime.emotext import EmotextScore, resolve, seed_of
from realtime.emotext_catalogue import CATALOGUE
from realtime.emotext_score import Pose, compile_score, sample

VECTORS = Path(__file__).resolve().parent.parent / "golden/emotext/vectors.json"
DIGITS = 5
MOMENTS = (0, 97.5, 333, 1210, 2999, 6000)
TEXTS = (
    ("集え!", ["super_big", "hoppy", "shine"]),
    ("今 どこ?\n飲も。", ["big", "shake", "uruuru"]),
    ("👨‍👩‍👧🇯🇵👍🏽", ["super_shake", "love"]),
    ("e\u0301क्षिคำ", ["hoppy", "runrun"]),
    ("一" * 163, ["shake"]),
    ("مرحبا يا أصدقاء! שלום " + "ش" * 30, ["hoppy", "shine"]),
    ("a\u3000b\u00a0c\u200bd", ["super_big", "asease"]),
)


def cases() -> list[dict[str, Any]]:
    """What is asked: every effect by itself, then some together, each for the message or post `id`."""
    alone = [("うれしい", [effect.id]) for effect in CATALOGUE.effects]
    asked = enumerate((*alone, *TEXTS))
    return [{"text": text, "effects": ids, "id": f"{number:026X}"} for number, (text, ids) in asked]


def vector(case: dict[str, Any]) -> dict[str, Any]:
    """A case with what the reference makes of it."""
    seed = seed_of(case["id"])
    score = compile_score(case["text"], resolve(CATALOGUE, case["effects"]), seed)
    # Long texts by their delays alone; where the graphemes then are follows from the short ones.
    moments = MOMENTS if len(score.moving) < 20 else ()
    return {
        **case,
        "seed": seed,
        "duration_ms": score.duration_ms,
        "size": score.size,
        "graphemes": score.graphemes,
        "rest": score.rest,
        "moving": score.moving,
        "delays": [layer.delays for layer in score.layers],
        "signs": [layer.signs for layer in score.layers],
        "at": [positions(score, t) for t in moments],
    }


def positions(score: EmotextScore, t: float) -> dict[str, Any]:
    """All positions at a moment, rounded; each as [a, b, c, d, e, f, hue, opacity, blur]."""
    found = sample(score, t)
    return {
        "t": t,
        "graphemes": [flat(pose) for pose in found.graphemes],
        "marks": [flat(pose) for pose in found.marks],
        "ground": round(found.ground, DIGITS) + 0.0,
    }


def flat(pose: Pose) -> list[float]:
    """A pose as a list of rounded numbers."""
    return [round(value, DIGITS) + 0.0 for value in (*pose.matrix, pose.hue, pose.opacity, pose.blur)]


def text_of(vectors: list[dict[str, Any]]) -> str:
    """As they stand in the file: a case and each of its moments are a line."""

    def line(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    parts = []
    for each in vectors:
        head = line({key: value for key, value in each.items() if key != "at"})[1:-1]
        moments = ",\n  ".join(line(moment) for moment in each["at"])
        parts.append("{" + head + ',"at":[' + (f"\n  {moments}\n" if moments else "") + "]}")
    return "[\n" + ",\n".join(parts) + "\n]\n"


def main() -> None:
    """Write the file anew."""
    VECTORS.write_text(text_of([vector(case) for case in cases()]), encoding="utf-8")


if __name__ == "__main__":
    main()
