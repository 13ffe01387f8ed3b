"""Emotext in a real browser: the page's twin of the engine, what Chromium makes of a score, and how text moves in the page."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.browser.conftest import Visit
from tests.support.emotext import VECTORS
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

TWIN = """async ([catalogue, vectors]) => {
  const { compile, effectsOf, sample } = await import("/web/emotext.js");
  return vectors.map(({ text, effects, seed, at }) => {
    const score = compile(text, effectsOf(catalogue, effects), seed);
    return {
      text, effects, seed,
      duration_ms: score.duration_ms, size: score.size, graphemes: score.graphemes, rest: score.rest,
      moving: score.moving,
      delays: score.layers.map((layer) => layer.delays), signs: score.layers.map((layer) => layer.signs),
      at: at.map(({ t }) => ({ t, ...sample(score, t) })),
    };
  });
}"""


def test_the_pages_twin_says_what_the_reference_says(visit: Visit) -> None:
    visit.forgive("404")
    kept: list[dict[str, Any]] = json.loads(VECTORS.read_text(encoding="utf-8"))
    with ServerProcess({}) as server:
        page = visit.page(f"{server.url}/docs")
        made = page.evaluate(TWIN, [catalogue(), kept])
        visit.leave()
    for old, new in zip(kept, made, strict=True):
        assert {**old, "at": 0} == {**new, "at": 0}
        for a, b in zip(old["at"], new["at"], strict=True):
            assert a["ground"] == pytest.approx(b["ground"], abs=2e-5)
            for which in ("graphemes", "marks"):
                assert len(a[which]) == len(b[which])
                for expected, found in zip(a[which], b[which], strict=True):
                    assert found == pytest.approx(expected, abs=2e-5)


def catalogue() -> Any:
    """The catalogue as it travels."""
    import msgspec

    from realtime.emotext_catalogue import CATALOGUE

    return msgspec.to_builtins(CATALOGUE)
