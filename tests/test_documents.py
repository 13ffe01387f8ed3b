"""What the documents say exists, exists: tests, files and functions they name."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted((*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")))
NAMED = re.compile(r"`((?:[\w.-]+/)+[\w.-]+\.(?:py|js|md|json))(?:::([\w.]+))?`")


@cache
def names_in(path: Path) -> frozenset[str]:
    """Every function, method and class of a Python file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, kinds))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_what_is_named_is_there(document: Path) -> None:
    missing = []
    for name, part in NAMED.findall(document.read_text(encoding="utf-8")):
        path = ROOT / name
        if not path.is_file() or (part and part.split(".")[-1] not in names_in(path)):
            missing.append(f"{name}::{part}" if part else name)
    assert missing == []


def test_the_guarantees_name_many_tests() -> None:
    text = (ROOT / "docs/guarantees.md").read_text(encoding="utf-8")
    tests = {found for found in NAMED.findall(text) if found[0].startswith("tests/")}
    assert len(tests) >= 40
