"""Scores: a text and its effects compiled to what is played, and the reference of where everything is at a moment.

Pure and deterministic: the same text, effects and seed make the same score everywhere. `gateway/web/emotext.js` does the same in
the page; `tests/golden/emotext/vectors.json` holds the two together (FEATURES §4). Bounded: at most `MOVING_MAX` graphemes move,
everything rests after `DURATION_MS_MAX`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import regex

from realtime.emotext import (
    DURATION_MS_MAX,
    VERSION,
    EmotextEffect,
    EmotextFrame,
    EmotextLayer,
    EmotextMirror,
    EmotextMovement,
    EmotextProgram,
    EmotextScore,
)
from realtime.errors import Refusal
from realtime.text import GRAPHEME_CODEPOINTS_MAX

MOVING_MAX = 160
"""More than the 149 of a post; of a longer message the beginning moves."""
_CLUSTER = regex.compile(r"\X")
WORD_MAX = 24
"""Letters of one word that move together, where they cannot be told apart."""
_JOINED = regex.compile(
    r"[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}\p{Script=Mongolian}]"
)
_BLANK = regex.compile(r"\p{White_Space}+\Z")
_BITS = 0xFFFFFFFF
_BISECTIONS = 48


def compile_score(text: str, effects: Sequence[EmotextEffect], seed: int) -> EmotextScore:
    """A clean text and resolved effects (`realtime.emotext.resolve`) → their score. `seed` is of 32 bits. Errors:
    `text_invalid` for a text that shows nothing, or whose characters are stacked from too many marks."""
    graphemes, end = _beginning(text)
    moving = [place for place, each in enumerate(graphemes) if not _BLANK.match(each)]
    if not moving:
        raise Refusal("text_invalid", "There is no text to move.", at="$.text")
    layers = [_layer(effect, number, seed, moving) for number, effect in enumerate(effects)]
    marks = [mark for effect in effects for mark in effect.program.marks]
    ground = next((e.program.ground for e in effects if e.program.ground), None)
    ends = [max(each.delays) + _length(each.movement) for each in layers]
    ends += [each.delay_ms + _length(each.movement) for each in marks]
    ends += [_length(ground.movement)] if ground else []
    return EmotextScore(
        version=VERSION,
        effects=[effect.id for effect in effects],
        seed=seed,
        duration_ms=min(max(ends, default=0), DURATION_MS_MAX),
        size=math.prod(effect.program.size for effect in effects),
        tint=next((e.program.tint for e in effects if e.program.tint), None),
        graphemes=graphemes,
        rest=text[end:],
        moving=moving,
        layers=layers,
        marks=marks,
        ground=ground,
    )


def _beginning(text: str) -> tuple[list[str], int]:
    """The first graphemes of a text, and where they end. Letters of scripts that join their letters, or that run from right
    to left, are one piece as far as they stand together: alone they would look or stand otherwise."""
    found: list[str] = []
    end = letters = 0
    for match in _CLUSTER.finditer(text):
        if match.end() - end > GRAPHEME_CODEPOINTS_MAX:
            raise Refusal("text_invalid", "A character is stacked from too many marks.", at="$.text")
        letters = letters + 1 if _JOINED.match(match.group()) else 0
        if 1 < letters <= WORD_MAX:
            found[-1] += match.group()
        elif len(found) == MOVING_MAX:
            break
        else:
            letters = min(letters, 1)
            found.append(match.group())
        end = match.end()
    return found, end


def _layer(effect: EmotextEffect, number: int, seed: int, moving: Sequence[int]) -> EmotextLayer:
    program = effect.program
    drawn = program.scatter_ms or program.mirror is EmotextMirror.RANDOM
    draws = [_draw(seed, number, place) for place in moving] if drawn else [0] * len(moving)
    return EmotextLayer(
        effect=effect.id,
        movement=program.movement,
        delays=[_delay(program, place, draw) for place, draw in zip(moving, draws, strict=True)],
        signs=[_sign(program.mirror, place, draw) for place, draw in zip(moving, draws, strict=True)],
    )


def _delay(program: EmotextProgram, place: int, draw: int) -> int:
    waits = place * program.stagger_ms % program.spread_ms if program.spread_ms else 0
    return waits + (draw >> 1) % (program.scatter_ms + 1)


def _sign(mirror: EmotextMirror, place: int, draw: int) -> int:
    match mirror:
        case EmotextMirror.NONE:
            return 1
        case EmotextMirror.ALTERNATE:
            return -1 if place % 2 else 1
        case EmotextMirror.RANDOM:
            return -1 if draw & 1 else 1


def _draw(seed: int, layer: int, place: int) -> int:
    """A number of 32 bits that looks like chance: seed, layer and place mixed as `docs/emotext.md` says."""
    value = (seed ^ (place + 1) * 0x9E3779B1 ^ (layer + 1) * 0x85EBCA6B) & _BITS
    value = (value ^ value >> 16) * 0x7FEB352D & _BITS
    value = (value ^ value >> 15) * 0x846CA68B & _BITS
    return value ^ value >> 16


def _length(movement: EmotextMovement) -> int:
    return movement.period_ms * movement.repeats


# Where everything is


class Pose(NamedTuple):
    """Where a grapheme or mark is: the matrix (a, b, c, d, e, f) as CSS writes it, with e and f in em of the text, about its
    own middle; hue in degrees, opacity, blur in em."""

    matrix: tuple[float, float, float, float, float, float]
    hue: float
    opacity: float
    blur: float


class Positions(NamedTuple):
    """Everything at a moment: the graphemes that move, the marks, and the opacity of the ground (0 without one)."""

    graphemes: list[Pose]
    marks: list[Pose]
    ground: float


def sample(score: EmotextScore, t: float) -> Positions:
    """The score at `t` ms from its beginning."""
    graphemes = []
    for number in range(len(score.moving)):
        frames = [
            (frame_at(each.movement, t - each.delays[number]), each.signs[number]) for each in score.layers
        ]
        graphemes.append(_pose(frames))
    marks = [_pose([(frame_at(mark.movement, t - mark.delay_ms), 1)]) for mark in score.marks]
    ground = frame_at(score.ground.movement, t).opacity if score.ground else 0.0
    return Positions(graphemes, marks, ground)


def frame_at(movement: EmotextMovement, since: float) -> EmotextFrame:
    """The frame in which a movement is, so many ms after it began."""
    frames = movement.frames
    if since <= 0:
        return frames[0]
    if since >= _length(movement):
        return frames[-1]
    progress = since % movement.period_ms / movement.period_ms
    for a, b in pairwise(frames):
        if progress < b.at:
            return _between(a, b, _eased(a.ease, (progress - a.at) / (b.at - a.at)))
    return frames[-1]


def _between(a: EmotextFrame, b: EmotextFrame, part: float) -> EmotextFrame:
    return EmotextFrame(
        at=0.0,
        x=a.x + (b.x - a.x) * part,
        y=a.y + (b.y - a.y) * part,
        scale=a.scale + (b.scale - a.scale) * part,
        rotate=a.rotate + (b.rotate - a.rotate) * part,
        hue=a.hue + (b.hue - a.hue) * part,
        opacity=a.opacity + (b.opacity - a.opacity) * part,
        blur=a.blur + (b.blur - a.blur) * part,
    )


def _eased(ease: tuple[float, ...] | None, part: float) -> float:
    """The curve's y where its x is `part`: a cubic Bézier from (0, 0) to (1, 1), as CSS Easing Functions defines it."""
    if ease is None:
        return part
    x1, y1, x2, y2 = ease
    low, high = 0.0, 1.0
    # x rises with the parameter, because x1 and x2 lie within 0 and 1.
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if _bezier(x1, x2, middle) < part:
            low = middle
        else:
            high = middle
    return _bezier(y1, y2, (low + high) / 2)


def _bezier(a: float, b: float, s: float) -> float:
    rest = 1 - s
    return 3 * a * s * rest * rest + 3 * b * s * s * rest + s * s * s


def _pose(frames: Sequence[tuple[EmotextFrame, int]]) -> Pose:
    """Frames of the layers, the outermost first: matrices multiply, hues and blurs add up, opacities multiply."""
    a, b, c, d, e, f = 1.0, 0.0, 0.0, 1.0, 0.0, 0.0
    hue, opacity, blur = 0.0, 1.0, 0.0
    for frame, sign in frames:
        x, y, turn = frame.x * sign, frame.y, math.radians(frame.rotate * sign)
        e, f = a * x + c * y + e, b * x + d * y + f
        cos, sin = math.cos(turn) * frame.scale, math.sin(turn) * frame.scale
        a, b, c, d = a * cos + c * sin, b * cos + d * sin, c * cos - a * sin, d * cos - b * sin
        hue += frame.hue
        opacity *= frame.opacity
        blur += frame.blur
    return Pose((a, b, c, d, e, f), hue, opacity, blur)
