"""docs/protocol.md: its tables are the code's, its examples are real frames, its links lead somewhere."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from gateway import reference
from gateway.asyncapi import asyncapi_document
from gateway.reference import BLOCK, Drift, anchor, rewritten
from realtime.closes import MEANINGS
from realtime.errors import ERRORS
from realtime.events import EVENTS
from realtime.ids import is_id
from realtime.settings import Limits
from realtime.table import OPERATIONS

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "docs/protocol.md").read_text(encoding="utf-8")
EXAMPLES = [
    json.loads(line)
    for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    for line in block.strip().splitlines()
]
SOCKET = asyncapi_document("1.2.3", Limits())


def test_the_tables_are_what_the_code_says() -> None:
    assert rewritten(PAGE) == PAGE, "run: python -m gateway.reference"


def test_an_old_table_is_found_and_made_anew() -> None:
    old = PAGE.replace("`room.send`", "`room.shout`")
    assert old != PAGE
    assert rewritten(old) != old


def test_a_lost_table_is_told() -> None:
    with pytest.raises(Drift, match="closes"):
        rewritten(PAGE.replace("generated:closes", "generated:doors"))
    with pytest.raises(Drift):
        rewritten(PAGE + next(BLOCK.finditer(PAGE))[0])


def test_check_writes_nothing_and_tells_by_its_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "protocol.md"
    monkeypatch.setattr(reference, "PAGE", page)
    stale = PAGE.replace("`room.send`", "`room.shout`")
    page.write_text(stale, encoding="utf-8")
    assert reference.main(["--check"]) == 1
    assert page.read_text(encoding="utf-8") == stale
    assert reference.main([]) == 0
    assert page.read_text(encoding="utf-8") == rewritten(stale)
    assert reference.main(["--check"]) == 0


def test_everything_is_told() -> None:
    for name in (*OPERATIONS, *EVENTS, *ERRORS):
        assert f"`{name}`" in PAGE
    for code in MEANINGS:
        assert f"| {int(code)} |" in PAGE
    for name in OPERATIONS:
        assert f"#### `{name}`\n" in PAGE


def test_links_lead_to_headings() -> None:
    headings = [
        re.sub(r"[^a-z0-9 _-]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)
    ]
    assert len(headings) == len(set(headings))
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= set(headings)
    assert anchor("room.send") == "roomsend"


def test_shapes_named_in_tables_are_told() -> None:
    shapes = set(re.findall(r"^#### `([A-Z]\w+)`$", PAGE, re.MULTILINE))
    named = {
        name
        for name in re.findall(r"`([A-Z]\w+)`", PAGE)
        if not re.match(rf".*^`{name}`: ", PAGE, re.S | re.M)
    }
    assert named - {"Origin", "ClientInfo"} <= shapes


def test_there_are_examples_of_every_kind() -> None:
    kinds = {frame.get("ev", frame.get("op")) or sorted(frame)[0] for frame in EXAMPLES}
    assert {"hello", "connect", "live", "room.send", "message.created", "skip", "error"} <= kinds


@pytest.mark.parametrize("frame", EXAMPLES, ids=lambda frame: str(frame)[:40])
def test_an_example_is_a_real_frame(frame: dict[str, Any]) -> None:
    if "op" in frame:
        names = [frame["op"]]
    elif "ev" in frame:
        names = [f"push.{frame['ev']}"]
    else:
        names = ["error"] if "error" in frame else [f"{op}.ok" for op in ("connect", "room.send")]
    assert any(message_validator(name).is_valid(frame) for name in names)


@pytest.mark.parametrize("frame", EXAMPLES, ids=lambda frame: str(frame)[:40])
def test_ids_of_examples_are_ids(frame: dict[str, Any]) -> None:
    for word in re.findall(r"[0-9A-Z]{20,}", json.dumps(frame)):
        assert is_id(word), word


def message_validator(name: str) -> Any:
    """A validator of one message of the AsyncAPI document."""
    payload = SOCKET["components"]["messages"][name]["payload"]
    return jsonschema_rs.Draft202012Validator({**payload, "components": SOCKET["components"]})
