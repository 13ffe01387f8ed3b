"""QR codes as SVG."""

from __future__ import annotations

import segno


def svg(text: str) -> str:
    """A text → a small self-contained SVG of its QR code, dark on white with a quiet zone."""
    code = segno.make(text, error="m", micro=False)
    return code.svg_inline(scale=4, border=4, light="#fff", dark="#1d1a17", svgclass=None, lineclass=None)
