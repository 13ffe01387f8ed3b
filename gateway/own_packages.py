"""A start-up check that our packages are ours: `channels` and `realtime` are also names of other distributions,
which overwrite files without a warning when both are installed into one environment."""

from __future__ import annotations

import importlib.util
from pathlib import Path

NAMES = ("realtime", "storage", "channels", "presence", "gateway", "loadtest")


def foreign() -> str:
    """'' if all packages lie beside this one, else a sentence that names the stranger."""
    home = Path(__file__).resolve().parent.parent
    for name in NAMES:
        spec = importlib.util.find_spec(name)
        found = Path(spec.origin).resolve().parent.parent if spec and spec.origin else None
        if found != home:
            return f"the package '{name}' is not Tsudoi's (found in {found}); use an environment of its own, as ./run does"
    return ""
