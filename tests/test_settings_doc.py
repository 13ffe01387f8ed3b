"""docs/settings.md names every setting with the default it really has."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from realtime.settings import Limits, Settings, variable_of

PAGE = (Path(__file__).resolve().parent.parent / "docs/settings.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `([A-Z_]+)` \| (.*?) \|", PAGE, re.MULTILINE))


def shown(value: object) -> str:
    if value in ("", ()):
        return "*(empty)*"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def test_every_setting_is_told_with_its_default() -> None:
    settings = Settings()
    expected = {
        variable_of(field.name): shown(getattr(settings, field.name))
        for field in dataclasses.fields(Settings)
        if field.name != "limits"
    }
    limits = {
        variable_of(field.name): shown(getattr(settings.limits, field.name))
        for field in dataclasses.fields(Limits)
    }
    assert expected == {name: value for name, value in ROWS.items() if name not in limits}
    # Of the limits, only those that no client feels stand here.
    assert {name: limits[name] for name in ROWS if name in limits} == {
        name: value for name, value in ROWS.items() if name in limits
    }
