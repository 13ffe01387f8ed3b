"""What no score may do, as functions that find it: flash, move too wildly, last too long, leave its rest (FEATURES §4).

WCAG 2.3.1 allows at most three flashes within any second; a flash is a pair of opposing changes of luminance of a tenth of its
range or more. What changes luminance here is opacity, hue, the ground's opacity, and the colour put on and taken off at both
ends. All curves lie within their ends, so between two frames everything rises or falls the whole way: the extremes are the
frames, and what is counted here holds for every moment, not only for some that were looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from realtime.emotext import (
    DURATION_MS_MAX,
    EmotextCatalogue,
    EmotextCategory,
    EmotextEffect,
    EmotextFrame,
    EmotextMovement,
    EmotextScore,
)

SECOND_MS = 1000
FLASHES_PER_S_MAX = 3.0
OPACITY_STEP = 0.1
HUE_STEP_DEG = 36.0
FRAMES_MAX = 12
MARKS_MAX = 8
PERIOD_MS_MIN = 150
SIZE_MAX = 3.0
TRAVEL_PER_S_MAX = {"x": 3.0, "y": 3.0, "rotate": 240.0, "scale": 3.0}
"""How far a grapheme may go within a second, back and forth together: em, degrees, multiples. Twice the amplitude times the
frequency; small shakes may be quick, large ones must be slow."""
REST = EmotextFrame(at=1.0)


class Step(NamedTuple):
    """A change of one value from one frame to the next."""

    begins_ms: float
    ends_ms: float
    change: float


def flashes_per_s(score: EmotextScore) -> float:
    """The most flashes that any place of the score sees within any second: of a grapheme, the ground behind it and the liveliest
    mark above it, all counted together."""
    layers = [_most_within(list(_swings(layer.movement, 0))) for layer in score.layers]
    marks = [_most_within(list(_swings(mark.movement, mark.delay_ms))) for mark in score.marks]
    ground = _most_within(list(_swings(score.ground.movement, 0))) if score.ground else 0
    tint = _most_within([0.0, float(score.duration_ms)]) if score.tint else 0
    # Each with its own worst second, as if all of these fell together.
    return (sum(layers) + max(marks, default=0) + ground + tint) / 2


def _swings(movement: EmotextMovement, delay_ms: int) -> Iterator[float]:
    """When opacity or hue has changed so much, one way, that it counts."""
    yield from _turns(movement, delay_ms, lambda frame: frame.opacity, OPACITY_STEP)
    yield from _turns(movement, delay_ms, lambda frame: frame.hue, HUE_STEP_DEG)


def _turns(
    movement: EmotextMovement, delay_ms: int, value: Callable[[EmotextFrame], float], step: float
) -> Iterator[float]:
    """The ends of all changes in one direction that reach `step` together."""
    rising: bool | None = None
    gone = 0.0
    at = 0.0
    for each in steps(movement, value):
        if not each.change:
            continue
        if rising is not None and rising != (each.change > 0):
            if abs(gone) >= step - 1e-9:
                yield delay_ms + at
            gone = 0.0
        rising = each.change > 0
        gone += each.change
        at = each.ends_ms
    if abs(gone) >= step - 1e-9:
        yield delay_ms + at


def _most_within(moments: Sequence[float]) -> int:
    """How many of the moments fall into one second at most."""
    ordered = sorted(moments)
    return max((sum(begin <= each <= begin + SECOND_MS for each in ordered) for begin in ordered), default=0)


def steps(movement: EmotextMovement, value: Callable[[EmotextFrame], float]) -> Iterator[Step]:
    """Every change of a value, of all repeats; between repeats it may jump."""
    period = movement.period_ms
    for repeat in range(movement.repeats):
        begin = repeat * period
        if repeat:
            yield Step(begin, begin, value(movement.frames[0]) - value(movement.frames[-1]))
        for a, b in pairwise(movement.frames):
            yield Step(begin + a.at * period, begin + b.at * period, value(b) - value(a))


def travel_per_s(score: EmotextScore, channel: str) -> float:
    """How far a grapheme goes in one channel (a field of `EmotextFrame`) within any second, all layers together. What only
    touches the second is counted whole, so this is never too little."""
    return sum(
        _farthest(list(steps(layer.movement, lambda frame: getattr(frame, channel))))
        for layer in score.layers
    )


def _farthest(found: Sequence[Step]) -> float:
    return max(
        (
            sum(
                abs(s.change)
                for s in found
                if s.ends_ms > begin.begins_ms and s.begins_ms < begin.begins_ms + SECOND_MS
            )
            for begin in found
        ),
        default=0.0,
    )


def faults_of(effect: EmotextEffect, catalogue: EmotextCatalogue) -> Iterator[str]:
    """What is wrong with an entry of the catalogue, in words; nothing if it may stand there."""
    program = effect.program
    yield from _movement_faults(program.movement, lasting=True)
    if program.movement.frames[-1] != REST:
        yield "it does not come to rest"
    waits = (program.spread_ms - 1 if program.spread_ms else 0) + program.scatter_ms
    if waits + program.movement.period_ms * program.movement.repeats > DURATION_MS_MAX:
        yield "it lasts too long"
    if not 1 <= program.size <= SIZE_MAX or (program.size != 1) != (effect.category is EmotextCategory.SIZE):
        yield "its size does not fit its category"
    plain = all((f.hue, f.opacity, f.blur) == (0, 1, 0) for f in program.movement.frames)
    dressed = not plain or program.tint or program.marks or program.ground
    if dressed and effect.category is not EmotextCategory.MOOD:
        # So that no two layers of a score share a channel that does not compose.
        yield "only moods have colour, opacity, blur, marks and ground"
    if len(program.marks) > MARKS_MAX:
        yield "it has too many marks"
    for mark in program.marks:
        yield from _movement_faults(mark.movement, lasting=False)
        if mark.shape not in catalogue.shapes:
            yield f"there is no shape {mark.shape}"
        if mark.delay_ms + mark.movement.period_ms * mark.movement.repeats > DURATION_MS_MAX:
            yield "a mark lasts too long"
    if program.ground is not None:
        yield from _movement_faults(program.ground.movement, lasting=False)
        if program.ground.movement.period_ms * program.ground.movement.repeats > DURATION_MS_MAX:
            yield "its ground lasts too long"


def _movement_faults(movement: EmotextMovement, *, lasting: bool) -> Iterator[str]:
    """`lasting`: of the text itself, which is seen before and after; everything else comes from nothing and leaves nothing."""
    frames = movement.frames
    places = [frame.at for frame in frames]
    if not 2 <= len(frames) <= FRAMES_MAX or places[0] != 0 or places[-1] != 1:
        yield "its frames do not go from 0 to 1"
    if any(a >= b for a, b in pairwise(places)):
        yield "its frames are out of order"
    if movement.period_ms < PERIOD_MS_MIN or movement.repeats < 1:
        yield "its period is too short"
    if (
        lasting
        and movement.repeats > 1
        and any(
            getattr(frames[0], name) != getattr(REST, name)
            for name in ("x", "y", "scale", "rotate", "hue", "opacity", "blur")
        )
    ):
        yield "it jumps between its repeats"
    if not lasting and (frames[0].opacity or frames[-1].opacity):
        yield "it does not come from nothing, or leaves something"
    if any(not all(0 <= part <= 1 for part in frame.ease) for frame in frames if frame.ease is not None):
        yield "a curve leaves its ends"
    if any(not 0 <= f.opacity <= 1 or f.blur < 0 or f.scale <= 0 for f in frames):
        yield "a frame is out of bounds"
