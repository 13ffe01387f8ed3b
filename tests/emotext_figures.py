"""What a score costs: the figures of decision 15. Not a test; run by hand:

python -m tests.emotext_figures

A text of 149 graphemes with three effects is compiled, encoded and sampled many times; the middle and the 99th percentile of
each in milliseconds, and the sizes of the largest score and of the catalogue.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from realtime.emotext import resolve
from realtime.emotext_catalogue import CATALOGUE
from realtime.emotext_score import compile_score, sample
from realtime.text import graphemes

ROUNDS = 3000
TEXT = "".join(graphemes("今から観る? 🎉👨‍👩‍👧あつまれ!" * 20)[:149])


def main() -> None:
    """Print everything."""
    wanted = ["super_big", "super_shake", "asease"]
    effects = resolve(CATALOGUE, wanted)
    score = compile_score(TEXT, effects, 1)
    print(f"{len(score.graphemes)} graphemes, {', '.join(wanted)}")
    tell("compile", lambda: compile_score(TEXT, resolve(CATALOGUE, wanted), 1))
    tell("encode", lambda: msgspec.json.encode(score))
    tell("sample", lambda: sample(score, 1234.5))
    print(
        f"score {len(msgspec.json.encode(score))} bytes, catalogue {len(msgspec.json.encode(CATALOGUE))} bytes"
    )


def tell(name: str, work: Callable[[], object]) -> None:
    """Do it often and print how long it took."""
    taken = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        work()
        taken.append((time.perf_counter() - begun) * 1000)
    taken.sort()
    print(f"{name:8} p50 {taken[ROUNDS // 2]:.3f} ms, p99 {taken[ROUNDS * 99 // 100]:.3f} ms")


if __name__ == "__main__":
    main()
