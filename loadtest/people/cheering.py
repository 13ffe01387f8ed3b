"""The scenario `cheer`: thousands tap effects while a few talk. One of those in `loadtest.people.scenarios`.

Cheers are kept nowhere and may be lost, so the oracle of lines does not know them. What is looked at here: nobody is told more taps
than were made, nor more often than ten times a second, and the lines said meanwhile arrive as ever.
"""

from __future__ import annotations

import asyncio
import time

from loadtest.people import schedule
from loadtest.people.ledger import Fault
from loadtest.people.run import Run
from loadtest.serving import ServingError

EFFECTS = ("love", "shine", "hoppy", "heartbeat")
LINES_PER_S = 0.4
"""Fewer than make a community pause: whoever hears it anew would miss what is fleeting in between."""
TAPS_PER_S = 8.0
"""What a server lets one account tap."""
FRAMES_PER_S = 10
SETTLE_S, SETTLE_TRIES = 0.1, 50


async def cheer(run: Run) -> None:
    """One community: whole clients tap, everybody watches."""
    circles = run.ground.circles
    place = f"community:{circles[0].communities[0]}"
    tokens = [token for circle in circles for token in circle.tokens][: run.wish.people]
    people = run.whole((token, [place]) for token in tokens[: run.wish.whole])
    if run.wish.rate > TAPS_PER_S * len(people) * 0.8:
        raise ServingError(f"{len(people)} whole clients may not tap {run.wish.rate:.0f} times a second.")
    watchers = run.lean(tokens[run.wish.whole :])
    await run.admit(people)
    await run.seat(watchers)
    begun, cpu = time.perf_counter(), run.ground.cpu_s()
    start = run.start_clock()
    lines = schedule.steady(LINES_PER_S, run.wish.seconds)
    run.begin(run.timetable(start, lines, lambda due: run.dice.choice(people).say(place, run.words(), due)))
    taps = schedule.steady(run.wish.rate, run.wish.seconds)
    await run.timetable(start, taps, lambda due: run.dice.choice(people).tap(place, run.dice.choice(EFFECTS)))
    await run.finish()
    made = run.meters.counts["taps"]
    accepted = made - sum(count for name, count in run.meters.counts.items() if name.startswith("refused"))
    for _ in range(SETTLE_TRIES):
        if min(person.cheered for person in people) >= accepted:
            break
        await asyncio.sleep(SETTLE_S)
    took_s = time.perf_counter() - begun
    run.gather_delays()
    told, frames = [person.cheered for person in people], [person.cheer_frames for person in people]
    for person in people:
        if person.cheered > made:
            what = f"{person.cheered} taps told, {made} made"
            run.verdict.faults.append(Fault("counted", f"person {person.number}", place, 0, what))
        if person.cheer_frames > FRAMES_PER_S * took_s + 2:
            what = f"{person.cheer_frames} frames in {took_s:.1f} s"
            run.verdict.faults.append(Fault("too often", f"person {person.number}", place, 0, what))
    run.figures["frames of cheers a second, at most"] = round(max(frames) / took_s, 2)
    run.figures["taps told, least and most"] = f"{min(told):,} and {max(told):,} of {made:,}"
    if run.ground.pid:
        run.figures["server busy while they cheered"] = round((run.ground.cpu_s() - cpu) / took_s, 3)
    run.verdict.targets["everybody was told every tap"] = min(told) == max(told) == accepted
    p99 = run.meters.delivery.quantiles_ms().get("p99", 0.0)
    run.verdict.targets["lines' p99 ≤ 200 ms"] = p99 <= 200.0
    await run.judge({place: tokens[0]})
