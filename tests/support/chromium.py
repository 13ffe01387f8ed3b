"""Where Chromium is, for the tests that open a real page."""

from __future__ import annotations

import os
import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome")


def find_chromium() -> str | None:
    """The browser's path: `TSUDOI_CHROMIUM` if it names a program, else the first of `NAMES` on PATH."""
    wished = os.environ.get("TSUDOI_CHROMIUM")
    if wished:
        return shutil.which(wished)
    return next(filter(None, map(shutil.which, NAMES)), None)
