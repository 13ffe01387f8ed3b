"""Emotext (エモテキ): text that moves. The language: effects, their programs, and what a score is (FEATURES §4).

Pure shapes and the rules of what may be asked for; the effects themselves are data in `realtime.emotext_catalogue`,
`realtime.emotext_score` makes scores of them. Units: `em` of the text, degrees, Unix milliseconds where a time of day is
meant and milliseconds from the beginning elsewhere. `docs/emotext.md` describes the language for others.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from msgspec import field

from realtime.errors import Refusal
from realtime.models import Shape
from realtime.operations import Request
from realtime.requests import Effects, Text

VERSION = 1
DURATION_MS_MAX = 5000
LEAD_MS = 400
"""How long after a line's time its text begins to move: by then all who hear it have it (FEATURES §4, frames)."""


class EmotextCategory(StrEnum):
    """Of each at most one effect; in this order they are applied, the first outermost."""

    SIZE = "size"
    MOTION = "motion"
    MOOD = "mood"


class EmotextMirror(StrEnum):
    """Which graphemes take x and rotate with the other sign: none, every second one, or some by the seed."""

    NONE = "none"
    ALTERNATE = "alternate"
    RANDOM = "random"


class EmotextFrame(Shape, frozen=True, kw_only=True, omit_defaults=True):
    """A keyframe at `at` (0 to 1 of a period): moved by x and y em, scaled, turned by degrees, hue turned by degrees, opacity,
    blurred by em. `ease` is the cubic Bézier (x1, y1, x2, y2) to the next frame, as CSS has it; without it, linear. Fields that
    are missing are as at rest."""

    at: float
    x: float = 0.0
    y: float = 0.0
    scale: float = 1.0
    rotate: float = 0.0
    hue: float = 0.0
    opacity: float = 1.0
    blur: float = 0.0
    ease: tuple[float, ...] | None = None


class EmotextMovement(Shape, frozen=True, kw_only=True):
    """Frames that are gone through `repeats` times. Before it the first frame holds, after it the last."""

    period_ms: int
    repeats: int
    frames: list[EmotextFrame]


class EmotextMark(Shape, frozen=True, kw_only=True):
    """A small drawing near the text: the shape's name, where its middle is (x and y from 0 to 1 of the text's box, then dx and dy
    em further), its size in em, and how it moves after `delay_ms`."""

    shape: str
    x: float
    y: float
    dx: float
    dy: float
    size: float
    delay_ms: int
    movement: EmotextMovement


class EmotextGround(Shape, frozen=True, kw_only=True):
    """A colour behind the text; of the frames only the opacity counts."""

    color: str
    movement: EmotextMovement


class EmotextProgram(Shape, frozen=True, kw_only=True):
    """How an effect moves each grapheme. `size` is the text's own size, before, during and after; `tint` its colour while it
    plays. Grapheme number i waits (i × stagger_ms) modulo spread_ms, and up to scatter_ms more by the seed."""

    movement: EmotextMovement
    size: float = 1.0
    tint: str | None = None
    stagger_ms: int = 0
    spread_ms: int = 0
    scatter_ms: int = 0
    mirror: EmotextMirror = EmotextMirror.NONE
    marks: list[EmotextMark] = field(default_factory=list)
    ground: EmotextGround | None = None


class EmotextEffect(Shape, frozen=True, kw_only=True):
    """An effect: its id, which never changes, what it is called, and what it does. `number` is what the model network calls it,
    where that is known."""

    id: str
    category: EmotextCategory
    ja: str
    en: str
    number: int | None
    program: EmotextProgram


class EmotextShape(Shape, frozen=True, kw_only=True):
    """A drawing: a path of a 24 × 24 square and its colour, and a character for where nothing can be drawn."""

    path: str
    fill: str
    glyph: str


class EmotextCatalogue(Shape, frozen=True, kw_only=True):
    """All effects in the order to show them, and the shapes of their marks."""

    version: int
    effects: list[EmotextEffect]
    shapes: dict[str, EmotextShape]


class EmotextLayer(Shape, frozen=True, kw_only=True):
    """What one effect does to the graphemes that move: for each of them its delay in ms and its sign, 1 or −1."""

    effect: str
    movement: EmotextMovement
    delays: list[int]
    signs: list[int]


class EmotextScore(Shape, frozen=True, kw_only=True):
    """A text and its effects, ready to be played. `graphemes` are the first of the text (of scripts
    that join their letters or run from right to left: words), `rest` is what follows and stands still;
    `moving` are the places of those graphemes that show something. Everything is at rest at `duration_ms`."""

    version: int
    effects: list[str]
    seed: int
    duration_ms: int
    size: float
    tint: str | None
    graphemes: list[str]
    rest: str
    moving: list[int]
    layers: list[EmotextLayer]
    marks: list[EmotextMark]
    ground: EmotextGround | None = None


class EmotextPreview(Request, frozen=True, kw_only=True):
    """A text as it would move, before it is sent."""

    text: Text
    emotext: Effects


class EmotextPreviewed(Shape, frozen=True, kw_only=True):
    """The score, and a picture of it at `GET /emotext/<signed>.svg` until `expires_at`."""

    score: EmotextScore
    id: str
    expires_at: int
    signed: str


def resolve(catalogue: EmotextCatalogue, wanted: Iterable[str | int]) -> tuple[EmotextEffect, ...]:
    """What was asked for → effects, in the order of their categories. Errors: `emotext_unknown`, `emotext_conflict`."""
    known: dict[str | int, EmotextEffect] = {each.id: each for each in catalogue.effects}
    known |= {each.number: each for each in catalogue.effects if each.number is not None}
    found: dict[EmotextCategory, EmotextEffect] = {}
    for name in wanted:
        effect = known.get(name)
        if effect is None:
            raise Refusal("emotext_unknown", f"There is no effect {name!r:.64}.", at="$.emotext")
        if effect.category in found:
            other = found[effect.category].id
            raise Refusal(
                "emotext_conflict", f"{other} and {effect.id} are both of {effect.category}.", at="$.emotext"
            )
        found[effect.category] = effect
    return tuple(found[each] for each in EmotextCategory if each in found)


def seed_of(name: str) -> int:
    """The id of a message or post → the seed of its score (FNV-1a, 32 bits), the same for everybody."""
    value = 0x811C9DC5
    for byte in name.encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value
