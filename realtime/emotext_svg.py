"""A score as an animated picture: SVG with CSS animations, no script, nothing from elsewhere (FEATURES §4).

Pure. Words are escaped, without control characters and without what turns the direction of others; every grapheme stands by
itself. Whatever the text, the picture has at most `SVG_BYTES_MAX` bytes. It plays once and rests; for whoever wants less motion
it stands still. Its one style sheet has a hash (`style_hash`), so that a policy can allow it and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

import regex

from realtime.emotext import EmotextFrame, EmotextMovement, EmotextScore, EmotextShape

SVG_BYTES_MAX = 192 * 1024
WIDTH_EM, BASE_PX = 20.0, 28
MARGIN_EM = 1.2
LINE_EM = 1.45
LATIN_EM = 0.58
INK, PAPER = "#1c1b22", "#ffffff"
_CLOSING = frozenset(
    "、。，．,.!?！？）)」』】〉》〕]}’”ー々ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮ…‥・:;：；%％"
)
_OPENING = frozenset("（(「『【〈《〔[{‘“")
_UNSEEN = regex.compile(
    r"[\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]"
)
_STYLE = regex.compile(r"<style>(.*)</style>", regex.DOTALL)


class Placed(NamedTuple):
    """A grapheme in its place: its number among those that move (None: it stands still), and its middle in em."""

    text: str
    number: int | None
    x: float
    y: float


def svg_of(score: EmotextScore, shapes: Mapping[str, EmotextShape]) -> str:
    """A score → a whole SVG document."""
    lines = _lines(_pieces(score), WIDTH_EM / score.size)
    placed = list(_placed(lines))
    height = (len(lines) * LINE_EM + 2 * MARGIN_EM) * score.size * BASE_PX
    width = (WIDTH_EM / score.size + 2 * MARGIN_EM) * score.size * BASE_PX
    font_px = BASE_PX * score.size
    box = (max(_width(line) for line in lines), len(lines) * LINE_EM)
    words = " ".join("".join(score.graphemes).split()) + ("…" if score.rest else "")
    body = [*_ground(score, box), *(_text(score, each) for each in placed), *_marks(score, shapes, box)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(width)} {_n(height)}" width="{_n(width)}"'
        f' height="{_n(height)}" role="img" font-size="{_n(font_px)}"><title>\u2068{clean(words)}\u2069</title>'
        f"<style>{_style(score)}</style>"
        f'<rect width="100%" height="100%" rx="12" fill="{PAPER}"/>'
        f'<g transform="translate({_n(MARGIN_EM * font_px)} {_n(MARGIN_EM * font_px)})">{"".join(body)}</g></svg>'
    )


def style_hash(svg: str) -> str:
    """What a content security policy says to allow this picture's style sheet alone."""
    found = _STYLE.search(svg)
    digest = hashlib.sha256((found[1] if found else "").encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def clean(text: str) -> str:
    """Words as they may stand in a document of others."""
    return escape(_UNSEEN.sub("", text), {'"': "&quot;"})


# Where the graphemes stand


class Piece(NamedTuple):
    """A grapheme, how wide it may be in em, and its number among those that move."""

    text: str
    width: float
    number: int | None


def _pieces(score: EmotextScore) -> list[Piece]:
    numbers = {place: number for number, place in enumerate(score.moving)}
    found = [Piece(each, _em(each), numbers.get(place)) for place, each in enumerate(score.graphemes)]
    return [*found, *([Piece("…", 1.0, None)] if score.rest else [])]


def _em(text: str) -> float:
    """A guess that is never far off: whoever draws may have any font."""
    if text == "\n":
        return 0.0
    if unicodedata.east_asian_width(text[0]) in "WF" or "\ufe0f" in text:
        return 1.0
    if unicodedata.bidirectional(text[0]) in ("R", "AL"):
        return LATIN_EM * sum(not unicodedata.combining(char) for char in text)
    return 1.0 if text[0] >= "\u2000" else LATIN_EM


def _width(line: Sequence[Piece]) -> float:
    return sum(piece.width for piece in line)


def _lines(pieces: Sequence[Piece], most: float) -> list[list[Piece]]:
    """Lines of at most so many em; closing marks stay with what is before them, opening ones and Latin words together."""
    lines: list[list[Piece]] = [[]]
    for unit in _units(pieces):
        if unit[0].text == "\n":
            lines.append([])
            continue
        if lines[-1] and _width(lines[-1]) + _width(unit) > most:
            lines.append([])
        for piece in unit:
            if lines[-1] and _width(lines[-1]) + piece.width > most and _width(unit) > most:
                lines.append([])
            lines[-1].append(piece)
    return [_ordered(line) for line in lines]


def _units(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    """What stays on one line."""
    unit: list[Piece] = []
    for piece in pieces:
        if unit and not _clings(unit[-1].text, piece.text):
            yield unit
            unit = []
        unit.append(piece)
    if unit:
        yield unit


def _clings(before: str, after: str) -> bool:
    if before == "\n" or after == "\n":
        return False
    return after in _CLOSING or before in _OPENING or (_latin(before) and _latin(after))


def _latin(text: str) -> bool:
    return not text.isspace() and text[0] < "\u0250"


def _ordered(line: list[Piece]) -> list[Piece]:
    """Words that run from right to left change places where they follow each other."""
    found: list[Piece] = []
    begin = 0
    while begin < len(line):
        end = begin
        last = begin
        while end < len(line) and (_rightward(line[end]) or (line[end].text.isspace() and end > begin)):
            end += 1
            last = end if _rightward(line[end - 1]) else last
        if last == begin:
            found.append(line[begin])
            begin += 1
        else:
            found += line[begin:last][::-1]
            begin = last
    return found


def _rightward(piece: Piece) -> bool:
    return unicodedata.bidirectional(piece.text[0]) in ("R", "AL")


def _placed(lines: Sequence[Sequence[Piece]]) -> Iterator[Placed]:
    for row, line in enumerate(lines):
        x = 0.0
        for piece in line:
            if not piece.text.isspace():
                yield Placed(piece.text, piece.number, x + piece.width / 2, (row + 0.5) * LINE_EM)
            x += piece.width


# What is drawn, and how it moves


def _text(score: EmotextScore, placed: Placed) -> str:
    inner = f'<text y=".35em">{clean(placed.text)}</text>'
    if placed.number is not None:
        for number in reversed(range(len(score.layers))):
            layer = score.layers[number]
            turned = "m" if layer.signs[placed.number] < 0 else ""
            inner = f'<g class="l{number}{turned} d{layer.delays[placed.number]}">{inner}</g>'
    font_px = BASE_PX * score.size
    return f'<g transform="translate({_n(placed.x * font_px)} {_n(placed.y * font_px)})">{inner}</g>'


def _ground(score: EmotextScore, box: tuple[float, float]) -> Iterator[str]:
    if score.ground is not None:
        yield (
            f'<rect class="b" x="-.4em" y="-.2em" width="{_n(box[0] + 0.8)}em" height="{_n(box[1] + 0.4)}em"'
            f' rx=".4em" fill="{score.ground.color}"/>'
        )


def _marks(
    score: EmotextScore, shapes: Mapping[str, EmotextShape], box: tuple[float, float]
) -> Iterator[str]:
    font_px = BASE_PX * score.size
    for number, mark in enumerate(score.marks):
        shape = shapes[mark.shape]
        x, y = mark.x * box[0] + mark.dx, mark.y * box[1] + mark.dy
        scale = mark.size * font_px / 24
        yield (
            f'<g transform="translate({_n(x * font_px)} {_n(y * font_px)})"><g class="m{number}">'
            f'<path transform="scale({_n(scale)}) translate(-12 -12)" d="{shape.path}" fill="{shape.fill}"/></g></g>'
        )


def _style(score: EmotextScore) -> str:
    rules = [
        f"text{{fill:{INK};text-anchor:middle;unicode-bidi:isolate;"
        "font-family:'Hiragino Sans','Noto Sans CJK JP','Noto Sans JP','Yu Gothic',Meiryo,sans-serif}"
    ]
    for number, layer in enumerate(score.layers):
        for sign, turned in ((1, ""), (-1, "m")):
            if sign in layer.signs:
                name = f"l{number}{turned}"
                rules += [_keyframes(name, layer.movement, sign), _played(name, layer.movement)]
    delays = sorted({delay for layer in score.layers for delay in layer.delays if delay})
    rules += [f".d{delay}{{animation-delay:{delay}ms}}" for delay in delays]
    for number, mark in enumerate(score.marks):
        name = f"m{number}"
        rules += [_keyframes(name, mark.movement, 1), _played(name, mark.movement, mark.delay_ms)]
        rules.append(f".{name}{{opacity:0}}")
    if score.ground is not None:
        rules += [
            _keyframes("b", score.ground.movement, 1),
            _played("b", score.ground.movement),
            ".b{opacity:0}",
        ]
    if score.tint:
        rules.append(
            f"@keyframes t{{0%,100%{{fill:{score.tint}}}}}g>text{{animation:t {score.duration_ms}ms}}"
        )
    rules.append("@media(prefers-reduced-motion:reduce){*{animation:none!important}}")
    return "".join(rules)


def _played(name: str, movement: EmotextMovement, delay_ms: int = 0) -> str:
    begins = f" {delay_ms}ms" if delay_ms else ""
    return f".{name}{{animation:{name} {movement.period_ms}ms linear{begins} {movement.repeats} both}}"


def _keyframes(name: str, movement: EmotextMovement, sign: int) -> str:
    frames = movement.frames
    faded = any(frame.opacity != 1 for frame in frames)
    filtered = any(frame.hue or frame.blur for frame in frames)
    steps = "".join(_step(frame, sign, faded=faded, filtered=filtered) for frame in frames)
    return f"@keyframes {name}{{{steps}}}"


def _step(frame: EmotextFrame, sign: int, *, faded: bool, filtered: bool) -> str:
    says = [
        f"transform:translate({_n(frame.x * sign)}em,{_n(frame.y)}em) rotate({_n(frame.rotate * sign)}deg)"
        f" scale({_n(frame.scale)})"
    ]
    says += [f"opacity:{_n(frame.opacity)}"] if faded else []
    says += [f"filter:hue-rotate({_n(frame.hue)}deg) blur({_n(frame.blur)}em)"] if filtered else []
    if frame.ease is not None:
        says.append(f"animation-timing-function:cubic-bezier({','.join(map(_n, frame.ease))})")
    return f"{_n(frame.at * 100)}%{{{';'.join(says)}}}"


def _n(number: float) -> str:
    """A short decimal; nothing has an exponent or a negative zero."""
    return f"{round(number, 4) + 0.0:.4f}".rstrip("0").rstrip(".")
