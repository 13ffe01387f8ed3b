"""The catalogue of effects, version 1 (FEATURES §4): thirteen entries of data and the shapes of their marks.

A new effect is one more entry here, with its vectors (`python -m tests.support.emotext`). What every program must keep to
(bounds, rest, no flash) is proved by `realtime.emotext_safety` in the tests.
"""

from __future__ import annotations

from realtime.emotext import (
    VERSION,
    EmotextCatalogue,
    EmotextCategory,
    EmotextEffect,
    EmotextFrame,
    EmotextGround,
    EmotextMark,
    EmotextMirror,
    EmotextMovement,
    EmotextProgram,
    EmotextShape,
)

Ease = tuple[float, ...]
OUT: Ease = (0.2, 0.7, 0.4, 1.0)
IN: Ease = (0.6, 0.0, 0.8, 0.3)
SWAY: Ease = (0.4, 0.0, 0.6, 1.0)
F = EmotextFrame


def _over(period_ms: int, repeats: int, *frames: EmotextFrame) -> EmotextMovement:
    return EmotextMovement(period_ms=period_ms, repeats=repeats, frames=list(frames))


def _mark(
    shape: str,
    place: tuple[float, float, float, float],
    size: float,
    delay_ms: int,
    movement: EmotextMovement,
) -> EmotextMark:
    x, y, dx, dy = place
    return EmotextMark(shape=shape, x=x, y=y, dx=dx, dy=dy, size=size, delay_ms=delay_ms, movement=movement)


def _glow(color: str, period_ms: int, repeats: int, most: float) -> EmotextGround:
    frames = (F(at=0, opacity=0, ease=SWAY), F(at=0.5, opacity=most, ease=SWAY), F(at=1, opacity=0))
    return EmotextGround(color=color, movement=_over(period_ms, repeats, *frames))


def _twinkle(period_ms: int, repeats: int) -> EmotextMovement:
    return _over(
        period_ms,
        repeats,
        F(at=0, opacity=0, scale=0.3, ease=OUT),
        F(at=0.4, opacity=1, rotate=20, ease=SWAY),
        F(at=1, opacity=0, scale=0.3, rotate=45),
    )


def _rise(period_ms: int, repeats: int, x: float, y: float) -> EmotextMovement:
    """Comes, floats off by x and y em and is gone."""
    return _over(
        period_ms,
        repeats,
        F(at=0, opacity=0, scale=0.4, ease=OUT),
        F(at=0.3, opacity=1, x=x * 0.4, y=y * 0.4),
        F(at=1, opacity=0, x=x, y=y),
    )


_ANGER = _over(
    4000,
    1,
    F(at=0, opacity=0, scale=0.5, ease=OUT),
    F(at=0.06, scale=1.3, ease=SWAY),
    F(at=0.16, ease=OUT),
    F(at=0.36, scale=1.25, ease=SWAY),
    F(at=0.46, ease=OUT),
    F(at=0.66, scale=1.25, ease=SWAY),
    F(at=0.76),
    F(at=0.93),
    F(at=1, opacity=0),
)
_GLOOM = _over(
    4500,
    1,
    F(at=0, opacity=0, y=-0.3, ease=OUT),
    F(at=0.3, opacity=0.8),
    F(at=0.8, opacity=0.8),
    F(at=1, opacity=0),
)

_PROGRAMS: dict[str, EmotextProgram] = {
    "big": EmotextProgram(
        size=1.5,
        movement=_over(600, 1, F(at=0, scale=0.67, ease=OUT), F(at=0.55, scale=1.08, ease=SWAY), F(at=1)),
    ),
    "super_big": EmotextProgram(
        size=2.2,
        movement=_over(
            900,
            1,
            F(at=0, scale=0.45, ease=OUT),
            F(at=0.5, scale=1.14, ease=SWAY),
            F(at=0.78, scale=0.97, ease=SWAY),
            F(at=1),
        ),
    ),
    "hoppy": EmotextProgram(
        stagger_ms=70,
        spread_ms=560,
        movement=_over(
            720,
            6,
            F(at=0, ease=OUT),
            F(at=0.38, y=-0.42, ease=IN),
            F(at=0.72, ease=OUT),
            F(at=0.86, y=-0.07, ease=IN),
            F(at=1),
        ),
    ),
    "shake": EmotextProgram(
        scatter_ms=240,
        mirror=EmotextMirror.RANDOM,
        movement=_over(
            240,
            18,
            F(at=0, ease=OUT),
            F(at=0.25, x=0.07, rotate=4, ease=SWAY),
            F(at=0.75, x=-0.07, rotate=-4, ease=IN),
            F(at=1),
        ),
    ),
    "super_shake": EmotextProgram(
        scatter_ms=160,
        mirror=EmotextMirror.RANDOM,
        movement=_over(
            160,
            26,
            F(at=0),
            F(at=0.25, x=0.1, y=0.06, rotate=7),
            F(at=0.75, x=-0.1, y=-0.06, rotate=-7),
            F(at=1),
        ),
    ),
    "angry": EmotextProgram(
        tint="#c92a2a",
        mirror=EmotextMirror.ALTERNATE,
        movement=_over(
            800,
            5,
            F(at=0, ease=OUT),
            F(at=0.2, scale=1.13, rotate=3, ease=SWAY),
            F(at=0.4, scale=0.98, rotate=-2, ease=SWAY),
            F(at=0.6, scale=1.06, ease=SWAY),
            F(at=1),
        ),
        marks=[
            _mark("anger", (1, 0, 0.35, -0.2), 0.8, 0, _ANGER),
            _mark("puff", (0, 0, -0.3, -0.1), 0.6, 200, _rise(1200, 3, -0.5, -0.6)),
            _mark("puff", (1, 0, 0.5, 0.3), 0.5, 700, _rise(1200, 3, 0.5, -0.5)),
        ],
        ground=_glow("#fa5252", 1600, 3, 0.14),
    ),
    "down": EmotextProgram(
        tint="#5c6b8a",
        stagger_ms=40,
        spread_ms=400,
        movement=_over(
            4500,
            1,
            F(at=0, ease=SWAY),
            F(at=0.25, y=0.12, rotate=7, scale=0.94, opacity=0.75),
            F(at=0.8, y=0.14, rotate=8, scale=0.94, opacity=0.75, ease=SWAY),
            F(at=1),
        ),
        marks=[
            _mark("gloom", (1, 0, -0.5, -0.2), 0.9, 0, _GLOOM),
            _mark("drop", (0, 1, 0.4, 0), 0.4, 1200, _rise(1500, 2, 0, 0.5)),
        ],
        ground=_glow("#4c5f87", 4800, 1, 0.12),
    ),
    "shine": EmotextProgram(
        tint="#b07900",
        stagger_ms=90,
        spread_ms=900,
        movement=_over(
            1000,
            4,
            F(at=0, ease=SWAY),
            F(at=0.3, scale=1.07, hue=25, y=-0.03, ease=SWAY),
            F(at=0.7, hue=-10, ease=SWAY),
            F(at=1),
        ),
        marks=[
            _mark("star", (0, 0, -0.2, -0.1), 0.7, 0, _twinkle(1200, 4)),
            _mark("star", (0.3, 0, 0, -0.25), 0.4, 400, _twinkle(1100, 4)),
            _mark("star", (0.75, 1, 0, 0.15), 0.5, 250, _twinkle(1150, 4)),
            _mark("star", (1, 0, 0.25, 0), 0.6, 650, _twinkle(1050, 4)),
            _mark("star", (0.1, 1, 0, 0.2), 0.35, 850, _twinkle(1000, 4)),
        ],
    ),
    "love": EmotextProgram(
        tint="#d6336c",
        stagger_ms=80,
        spread_ms=800,
        mirror=EmotextMirror.ALTERNATE,
        movement=_over(
            1000,
            4,
            F(at=0, ease=SWAY),
            F(at=0.35, y=-0.08, scale=1.08, rotate=4, hue=-18, ease=SWAY),
            F(at=0.7, y=0.02, rotate=-3, hue=8, ease=SWAY),
            F(at=1),
        ),
        marks=[
            _mark("heart", (0.05, 0, 0, 0), 0.6, 0, _rise(1500, 3, -0.2, -0.9)),
            _mark("heart", (0.35, 0, 0, 0.1), 0.4, 450, _rise(1400, 3, 0.2, -0.8)),
            _mark("heart", (0.7, 0, 0, 0), 0.5, 200, _rise(1500, 3, -0.1, -0.9)),
            _mark("heart", (1, 0, 0.1, 0.2), 0.7, 600, _rise(1400, 3, 0.3, -1.0)),
        ],
        ground=_glow("#f783ac", 2300, 2, 0.16),
    ),
    "heartbeat": EmotextProgram(
        tint="#e03131",
        movement=_over(
            900,
            5,
            F(at=0, ease=OUT),
            F(at=0.12, scale=1.2, ease=SWAY),
            F(at=0.26, ease=OUT),
            F(at=0.38, scale=1.14, ease=SWAY),
            F(at=0.55),
            F(at=1),
        ),
        marks=[
            _mark("heart", (1, 0, 0.4, 0.1), 0.7, 0, _rise(900, 5, 0.1, -0.3)),
            _mark("heart", (0, 1, -0.35, -0.1), 0.5, 110, _rise(900, 5, -0.1, -0.25)),
        ],
        ground=_glow("#ff8787", 900, 5, 0.09),
    ),
    "runrun": EmotextProgram(
        tint="#087f5b",
        stagger_ms=90,
        spread_ms=720,
        mirror=EmotextMirror.ALTERNATE,
        movement=_over(
            820,
            5,
            F(at=0, ease=SWAY),
            F(at=0.25, rotate=9, y=-0.14, x=0.03, hue=20, ease=SWAY),
            F(at=0.5, ease=SWAY),
            F(at=0.75, rotate=-9, y=-0.14, x=-0.03, hue=20, ease=SWAY),
            F(at=1),
        ),
        marks=[
            _mark("note", (0, 0, -0.2, 0), 0.6, 0, _rise(1400, 3, -0.4, -0.7)),
            _mark("note", (0.55, 0, 0, 0), 0.5, 500, _rise(1300, 3, 0.3, -0.8)),
            _mark("note", (1, 0, 0.2, 0.1), 0.7, 250, _rise(1400, 3, 0.4, -0.7)),
        ],
    ),
    "asease": EmotextProgram(
        tint="#1971c2",
        scatter_ms=200,
        mirror=EmotextMirror.RANDOM,
        movement=_over(
            400,
            11,
            F(at=0, ease=SWAY),
            F(at=0.3, x=0.035, y=-0.02, rotate=1.5, ease=SWAY),
            F(at=0.7, x=-0.035, y=0.01, rotate=-1.5, ease=SWAY),
            F(at=1),
        ),
        marks=[
            _mark("drop", (1, 0, 0.3, 0), 0.45, 0, _rise(900, 5, 0.4, -0.5)),
            _mark("drop", (1, 0, 0.1, -0.2), 0.35, 300, _rise(900, 5, 0.2, -0.6)),
            _mark("drop", (0, 0, -0.2, 0), 0.4, 450, _rise(900, 5, -0.4, -0.5)),
        ],
    ),
    "uruuru": EmotextProgram(
        tint="#2b6cb0",
        stagger_ms=110,
        spread_ms=880,
        movement=_over(
            1300,
            3,
            F(at=0, ease=SWAY),
            F(at=0.35, y=0.06, scale=1.05, opacity=0.8, blur=0.05, ease=SWAY),
            F(at=0.7, y=-0.02, scale=0.98, opacity=0.92, blur=0.02, ease=SWAY),
            F(at=1),
        ),
        marks=[
            _mark("drop", (0.15, 1, 0, -0.1), 0.4, 0, _rise(1500, 3, 0, 0.6)),
            _mark("drop", (0.85, 1, 0, -0.1), 0.45, 500, _rise(1400, 3, 0, 0.6)),
            _mark("star", (1, 0, 0.1, 0), 0.4, 300, _twinkle(1200, 3)),
        ],
        ground=_glow("#74c0fc", 2400, 2, 0.14),
    ),
}

_SIZE, _MOTION, _MOOD = EmotextCategory
_NAMES = (
    ("big", _SIZE, "ビッグ", "Big", 1),
    ("super_big", _SIZE, "超ビッグ", "Super big", 2),
    ("hoppy", _MOTION, "ぴょんぴょん", "Hoppy", 65537),
    ("shake", _MOTION, "シェイク", "Shake", 65538),
    ("super_shake", _MOTION, "超シェイク", "Super shake", 65539),
    ("angry", _MOOD, "ぷんぷん", "Angry", 131073),
    ("down", _MOOD, "しょんぼり", "Down", 131074),
    ("shine", _MOOD, "きらきら", "Shiny", 131075),
    ("love", _MOOD, "らぶらぶ", "In love", 131076),
    ("heartbeat", _MOOD, "どきどき", "Heartbeat", 131077),
    ("runrun", _MOOD, "るんるん", "Cheerful", None),
    ("asease", _MOOD, "あせあせ", "Flustered", None),
    ("uruuru", _MOOD, "うるうる", "Teary", None),
)

SHAPES = {
    "star": EmotextShape(
        path="M12 1 14.6 9.4 23 12 14.6 14.6 12 23 9.4 14.6 1 12 9.4 9.4Z", fill="#f2b705", glyph="✦"
    ),
    "heart": EmotextShape(
        path="M12 21C5 15 2 11.5 2 8A5 5 0 0 1 12 6A5 5 0 0 1 22 8C22 11.5 19 15 12 21Z",
        fill="#f06595",
        glyph="♥",
    ),
    "drop": EmotextShape(
        path="M12 2C16 9 19 12 19 16A7 6.5 0 0 1 5 16C5 12 8 9 12 2Z", fill="#4dabf7", glyph="💧"
    ),
    "note": EmotextShape(
        path="M9 3 20 1V16A3.5 3 0 1 1 17.5 13.2V6L11.5 7.2V19A3.5 3 0 1 1 9 16.2Z",
        fill="#12b886",
        glyph="♪",
    ),
    "anger": EmotextShape(
        path="M9 1V9H1V6.5H6.5V1ZM15 1H17.5V6.5H23V9H15ZM1 15H9V23H6.5V17.5H1ZM15 15H23V17.5H17.5V23H15Z",
        fill="#e03131",
        glyph="💢",
    ),
    "puff": EmotextShape(
        path="M6 20A5 5 0 0 1 5 10A6 6 0 0 1 16 7A5 5 0 0 1 19 16A4 4 0 0 1 17 20Z",
        fill="#adb5bd",
        glyph="☁",
    ),
    "gloom": EmotextShape(path="M3 2H5V20H3ZM10 2H12V16H10ZM17 2H19V21H17Z", fill="#7c8db5", glyph="|||"),
}

CATALOGUE = EmotextCatalogue(
    version=VERSION,
    effects=[
        EmotextEffect(id=id_, category=category, ja=ja, en=en, number=number, program=_PROGRAMS[id_])
        for id_, category, ja, en, number in _NAMES
    ],
    shapes=SHAPES,
)
