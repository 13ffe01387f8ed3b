"""The scenario `timeline`: what authors share with those who follow them. One of those in `loadtest.people.scenarios`."""

from __future__ import annotations

import asyncio

from loadtest.people import schedule
from loadtest.people.person import Person
from loadtest.people.run import Run
from loadtest.serving import ServingError

AUTHOR_POSTS_PER_S = 4.0
"""A little less than a server lets one account post."""

POSTS_SHARE = 0.7
"""Of what is said, so much are posts of the authors; the rest answers them."""


async def timeline(run: Run) -> None:
    """Authors whom two hundred follow post and are answered; people read, like, turn away from somebody and come back."""
    circles = run.ground.circles
    most = AUTHOR_POSTS_PER_S * len(circles)
    if POSTS_SHARE * run.wish.rate > most:
        raise ServingError(
            f"{len(circles)} authors may post {most:.0f} times a second together: a lower --rate, or more --people."
        )
    room = max(1, run.wish.whole // len(circles))
    authors, others = [], []
    for circle in circles:
        # The first of a circle is whom the others follow.
        author, *friends_ = run.whole((token, []) for token in circle.tokens[:room])
        authors.append(author)
        others += [(friend, author) for friend in friends_]
    watchers = run.lean([token for circle in circles for token in circle.tokens[room:]])
    await run.admit(run.people)
    await run.seat(watchers)
    for author in authors:
        author.places = [f"author:{author.client.connected['account']['id']}"]
    start, cpu = run.start_clock(), run.ground.cpu_s()
    times = schedule.talk(run.dice, run.wish.rate, run.wish.seconds)
    await run.timetable(start, times, lambda due: _share(run, authors, others, due))
    figure_cpu = run.ground.cpu_s() - cpu
    await run.finish()
    await asyncio.sleep(1.0)
    run.gather_delays()
    if run.ground.pid:
        run.figures["server busy while they talked"] = round(figure_cpu / run.wish.seconds, 3)
    p99 = run.meters.delivery.quantiles_ms().get("p99", 0.0)
    run.verdict.targets["p99 ≤ 50 ms"] = p99 <= 50.0
    # An answer stands with its author, as every post outside of communities does.
    await run.judge(
        {
            f"author:{person.client.connected['account']['id']}": person.token
            for person in run.people
            if person in authors or person.newest
        }
    )


async def _share(run: Run, authors: list[Person], others: list[tuple[Person, Person]], due: float) -> None:
    """One post, and what else people do meanwhile: three answers to ten posts, more reading than writing."""
    dice = run.dice
    reader, author = dice.choice(others) if others else (None, dice.choice(authors))
    what, turns, wait = dice.random(), dice.random(), dice.uniform(0.5, 3.0)
    words = run.words()
    if reader is None or what < POSTS_SHARE or not author.newest:
        await author.say(author.places[0], words, due)
    else:
        await reader.say(author.places[0], words, due, reply_to=author.newest)
    if reader is None:
        return
    await (reader.browse() if what < 0.5 else reader.like(author.newest) if author.newest else reader.look())
    if turns < 0.02:
        run.begin(reader.turn_away(author.places[0].removeprefix("author:"), wait))
