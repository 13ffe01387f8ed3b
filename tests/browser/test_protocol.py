"""The page's protocol core in a real browser, against the same transcripts as the Python client (docs/clients.md)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.conftest import Visit
from tests.support.badlink import bad_day
from tests.support.server import ServerProcess
from tests.support.transcripts import play, transcripts

pytestmark = [pytest.mark.browser, pytest.mark.timeout(90)]

PLAY = """async (transcripts) => {
  const { Protocol } = await import("/web/protocol.js");
  const plain = (value) => JSON.parse(JSON.stringify(value));
  return transcripts.map((transcript) => {
    const numbers = [...transcript.random];
    const draw = () => numbers.length ? numbers.shift() : NaN;
    const core = new Protocol(transcript.client, draw, { stay: transcript.stay });
    core.streams.epoch = transcript.epoch;
    for (const [ch, seq] of Object.entries(transcript.positions)) core.streams.positions.set(ch, seq);
    let positions = plain(transcript.positions);
    let deadline = null;
    const steps = transcript.steps.map((step) => {
      core[step.do](...(step.with ?? []), step.at);
      const answer = { at: step.at, do: step.do, ...(step.with && { with: step.with }), out: plain(core.out) };
      core.out = [];
      const now = Object.fromEntries(core.streams.positions);
      const same = (a, b) => JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort());
      if (!same(now, positions)) answer.positions = positions = now;
      if (core.deadline !== deadline) answer.deadline = deadline = core.deadline;
      return answer;
    });
    return { steps, left: numbers };
  });
}"""

MANY = """async () => {
  const { Protocol } = await import("/web/protocol.js");
  const core = new Protocol({ name: "t" }, Math.random);
  core.streams.epoch = "e";
  for (let n = 0; n < 1003; n++) core.streams.positions.set(`room:x${n}`, n);
  core.start(0);
  core.opened({ ticket: "t" }, 1);
  core.frame({ ev: "hello", d: { protocol: "tsudoi.v1", epoch: "e", reconnect_jitter_ms: 500 } }, 2);
  return core.out.at(-1)[1].d.positions;
}"""


def test_the_pages_core_keeps_to_the_transcripts(visit: Visit) -> None:
    visit.forgive("404")
    wanted = transcripts()
    assert len(wanted) >= 25
    # Beyond what somebody thought of: what happened on bad days, as the Python core answered it.
    for seed in range(60):
        day = bad_day(seed, 0.2, 300).transcript(f"bad day {seed}")
        wanted.append({**day, "steps": play(day)})
    with ServerProcess({}) as server:
        page: Any = visit.page(f"{server.url}/docs")
        played = page.evaluate(PLAY, wanted)
        assert page.evaluate(MANY) == {f"room:x{n}": n for n in range(1_000)}
        visit.leave()
    for transcript, answer in zip(wanted, played, strict=True):
        assert answer == {"steps": transcript["steps"], "left": []}, transcript["name"]
