"""QR codes as SVG: an invite's link on a screen, and on a sheet of paper to put on a wall.

Pure: text in, SVG out. What always holds: the picture is whole in itself (no script, no style, no link), dark on white
with the quiet zone that scanners need, whatever page it stands on; every word of a person is escaped.
"""

from __future__ import annotations

import html
import unicodedata

import segno

QUIET = 4
PAPER_MM = (210, 297)
PAPER_QR_MM = 140
PAPER_TOP_MM = 40
CAPTION_MM = 10
CAPTION_LINES_MAX = 4
CAPTION_CELLS_MAX = 34
"""Cells are half the width of a Japanese character."""


def svg(text: str) -> str:
    """A QR code of `text`; scales to whatever box it is put into. Raises `ValueError` if it is too long."""
    side, path = _modules(text)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" role="img" aria-label="QR"'
        f' shape-rendering="crispEdges"><rect width="{side}" height="{side}" fill="#fff"/>'
        f'<path d="{path}" fill="#000"/></svg>'
    )


def printable(text: str, caption: str) -> str:
    """An A4 sheet with a big QR code of `text` and the caption below. Raises `ValueError` if `text` is too long."""
    width, height = PAPER_MM
    side, path = _modules(text)
    left = (width - PAPER_QR_MM) / 2
    first = PAPER_TOP_MM + PAPER_QR_MM + 2 * CAPTION_MM
    lines = "".join(
        f'<text x="{width / 2:g}" y="{first + number * CAPTION_MM * 1.5:g}">{html.escape(line)}</text>'
        for number, line in enumerate(_lines(caption))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}mm" height="{height}mm"'
        f' viewBox="0 0 {width} {height}" role="img"><rect width="{width}" height="{height}" fill="#fff"/>'
        f'<g transform="translate({left:g} {PAPER_TOP_MM}) scale({PAPER_QR_MM / side:.5f})"'
        f' shape-rendering="crispEdges"><path d="{path}" fill="#000"/></g>'
        f'<g font-family="sans-serif" font-size="{CAPTION_MM}" text-anchor="middle" fill="#000">{lines}</g></svg>'
    )


def _modules(text: str) -> tuple[int, str]:
    """Side in modules with the quiet zone, and one path of all dark runs."""
    code = segno.make_qr(text, error="m")
    rows = [bytes(row) for row in code.matrix_iter(scale=1, border=QUIET)]
    return len(rows), "".join(f"M{x} {y}h{n}v1h-{n}z" for y, row in enumerate(rows) for x, n in _runs(row))


def _runs(row: bytes) -> list[tuple[int, int]]:
    """Where dark modules begin in a row, and how many stand together."""
    found: list[tuple[int, int]] = []
    for x, dark in enumerate(row):
        if dark and x and row[x - 1]:
            begin, length = found[-1]
            found[-1] = (begin, length + 1)
        elif dark:
            found.append((x, 1))
    return found


def _lines(caption: str) -> list[str]:
    """The caption in lines that fit the sheet, words kept whole; what is too much ends in an ellipsis."""
    lines = [""]
    for c in " ".join(_clean(caption).split()):
        if _cells(lines[-1] + c) > CAPTION_CELLS_MAX:
            # A word of Latin letters moves down whole; Japanese may break anywhere.
            kept, space, begun = lines[-1].rpartition(" ")
            whole = bool(space) and _cells(c) == 1 and begun.isascii()
            lines[-1] = kept if whole else lines[-1]
            lines.append(begun if whole else "")
        lines[-1] += c
    if len(lines) > CAPTION_LINES_MAX:
        lines = [*lines[: CAPTION_LINES_MAX - 1], lines[CAPTION_LINES_MAX - 1][:-1] + "…"]
    return [line.strip() for line in lines]


def _cells(text: str) -> int:
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def _clean(caption: str) -> str:
    """Without what XML forbids: controls, lone surrogates, noncharacters."""
    return "".join(
        " " if unicodedata.category(c) in ("Cc", "Cs") or ord(c) & 0xFFFE == 0xFFFE else c for c in caption
    )
