"""What `./test` runs beside pytest: the judgements of `./test autobahn` and `./test audit`."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from tests import audit, autobahn
from tests.gateway.conformance import cases


def all_well() -> dict[str, dict[str, Any]]:
    """A report in which everything is as it should be."""
    found = {}
    for case in cases():
        behavior = autobahn.ALLOWED.get(case.number, ("OK", ""))[0]
        found[case.number] = {"behavior": behavior, "behaviorClose": "OK"}
    return found


def test_a_report_is_right_if_it_is_exactly_as_allowed() -> None:
    found = all_well()
    assert autobahn.judge(found) == []
    assert set(autobahn.ALLOWED) <= set(found)
    for number, behavior in (("5.3", "FAILED"), ("1.2.1", "OK"), ("6.4.3", "OK"), ("5.3", "NON-STRICT")):
        assert len(autobahn.judge({**found, number: {"behavior": behavior, "behaviorClose": "OK"}})) == 1
    assert len(autobahn.judge({**found, "5.3": {"behavior": "OK", "behaviorClose": "UNCLEAN"}})) == 1
    del found["7.1.1"]
    assert autobahn.judge(found) == ["246 cases ran, not 247"]


def test_without_the_suite_the_run_is_not_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TSUDOI_AUTOBAHN", "/nowhere/python2.7")
    assert autobahn.run() == [autobahn.ABSENT]


def test_a_vulnerability_is_a_fault() -> None:
    flaw = {"id": "PYSEC-2026-1"}
    said = {
        "dependencies": [
            {"name": "a", "version": "1", "vulns": []},
            {"name": "b", "version": "2", "vulns": [flaw]},
        ]
    }
    judged = audit.judge("x.lock", json.dumps(said))
    assert judged == (["x.lock: b 2 has PYSEC-2026-1"], 2, 0)
    command = [sys.executable, "-c", f"print({json.dumps(said)!r})"]
    assert audit.run(command) == [f"{lock}: b 2 has PYSEC-2026-1" for lock in audit.LOCKS]


def test_what_could_not_be_asked_about_is_not_called_sound(capsys: pytest.CaptureFixture[str]) -> None:
    said = {
        "dependencies": [{"name": "a", "version": "1", "vulns": []}, {"name": "b", "skip_reason": "unknown"}]
    }
    assert audit.run([sys.executable, "-c", f"print({json.dumps(said)!r})"]) == []
    told = capsys.readouterr().out
    assert told.count("0 known vulnerabilities in 1 packages; 1 could not be asked about") == len(audit.LOCKS)


UNKNOWN = json.dumps({"dependencies": [{"name": "a", "skip_reason": "not found"}], "fixes": []})


@pytest.mark.parametrize("said", ["", "no network", "[]", "{}", UNKNOWN])
def test_an_audit_that_could_not_ask_is_no_fault(said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit.run([sys.executable, "-c", f"print({said!r})"]) == []
    assert capsys.readouterr().out.count("could not be audited") == len(audit.LOCKS)
