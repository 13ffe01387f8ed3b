"""What a score costs: the figures of decision 15. Not a test; run by hand:

python -m tests.emotext_figures

A text of 149 graphemes with three effects is compiled, encoded and sampled many times; the middle and the 99th percentile of
each in milliseconds, and the sizes of the largest score and of the catalogue. Last, frames a second in Chromium while twelve posts
of 149 letters move at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec

from realtime.emotext import resolve
from realtime.emotext_catalogue import CATALOGUE
from realtime.emotext_score import compile_score, sample
from realtime.text import graphemes
from tests.browser.conftest import FLAGS
from tests.support.chromium import find_chromium
from tests.support.server import ServerProcess

ROUNDS = 3000
TEXT = "".join(graphemes("今から観る? 🎉👨‍👩‍👧あつまれ!" * 20)[:149])
POSTS = 12
TOGETHER = (["hoppy"], ["shine"], ["uruuru"], ["super_shake", "love"], ["big", "hoppy", "love"])
FRAMES = """async ([effects, posts]) => {
  const { put } = await import(document.querySelector("script[src]").src.replace("emotextgallery", "emotextplayer"));
  const list = document.querySelector("#gallery");
  list.style.cssText = "display: block; font-size: 10px; text-align: left";
  const text = "今から観るひとあつまれ!".repeat(20).slice(0, 149);
  const made = Array.from({ length: posts }, () => Object.assign(document.createElement("p"), { textContent: text }));
  list.replaceChildren(...made);
  await Promise.all(made.map((p) => put(p, { id: "", emotext: effects }, true)));
  await new Promise((go) => setTimeout(go, 300));
  const begun = performance.now();
  let count = 0;
  while (performance.now() - begun < 3000) {
    await new Promise(requestAnimationFrame);
    count++;
  }
  return [document.querySelectorAll(".emo-moving").length, (1000 * count) / (performance.now() - begun)];
}"""


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
    frames()


def frames() -> None:
    """How smoothly it moves in a real page."""
    from playwright.sync_api import sync_playwright

    with ServerProcess({}) as server, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        for effects in TOGETHER:
            page: Any = browser.new_page(viewport={"width": 1000, "height": 1100})
            page.goto(f"{server.url}/emotext")
            page.locator("#gallery li").nth(12).wait_for()
            moving, per_s = page.evaluate(FRAMES, [effects, POSTS])
            print(f"{moving} posts, {'+'.join(effects):20} {per_s:.0f} frames/s")
            page.close()
        browser.close()


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
