"""Counts under posts, told to whoever hears them: one `post.counts` per channel and second, the latest wins (FEATURES §3).

Owned by the fan-out, which notes what commits have changed. What always holds: however often people react, a channel gets
at most one frame a second from this node, and the numbers in it are read from the database after the change. A frame
tells of everything that changed lately, because a slow reader may be left with the last one alone (WIRE §5).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import structlog

from channels.desk import Desk
from channels.reactions import counts_now
from realtime.events import ephemeral_frame
from realtime.parcels import Audience, Parcel
from realtime.posts import PostsCounted
from storage.database import StorageUnavailable

log = structlog.get_logger("counting")
KIND = "post.counts"
EVERY_S = 1.0
SPREAD_S = 0.5
"""A round is spread over this time; the next one begins `EVERY_S` after its end."""

LATELY_S = 15.0
POSTS_TOLD_MAX = 20
POSTS_READ_MAX = 500


class Counting:
    """See the module. `tell` hands a parcel to hub and courier; `spawn` starts a task that the node keeps track of."""

    def __init__(self, desk: Desk, tell: Callable[[Parcel], None], spawn: Callable[..., object]) -> None:
        self._desk = desk
        self._tell = tell
        self._spawn = spawn
        self._loop = asyncio.get_running_loop()
        self._changed: dict[str, dict[str, float]] = {}
        self._due: dict[str, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def note(self, channel: str, post: str) -> None:
        """The counts of a post have changed."""
        posts = self._changed.setdefault(channel, {})
        # The youngest change stands last.
        posts.pop(post, None)
        posts[post] = self._loop.time()
        self._due[channel] = None
        if self._timer is None:
            self._timer = self._loop.call_later(EVERY_S, self._begin)

    def _begin(self) -> None:
        self._spawn(self._round())

    async def _round(self) -> None:
        due = self._taken()
        try:
            await self._say(due)
        except StorageUnavailable as error:
            # Said with the next change; a page reads them anew anyway.
            log.warning("counts could not be read", error=str(error))
        finally:
            self._forget_old()
            self._timer = self._loop.call_later(EVERY_S, self._begin) if self._due or self._changed else None

    def _taken(self) -> dict[str, list[str]]:
        """The channels whose turn it is, and the posts to tell of."""
        taken: dict[str, list[str]] = {}
        room = POSTS_READ_MAX
        for channel in list(self._due):
            posts = list(self._changed[channel])[-POSTS_TOLD_MAX:]
            if taken and len(posts) > room:
                break
            room -= len(posts)
            taken[channel] = posts
            del self._due[channel]
        return taken

    async def _say(self, due: dict[str, list[str]]) -> None:
        if not due:
            return
        at, found = await counts_now(self._desk, [post for posts in due.values() for post in posts])
        pause_s = SPREAD_S / len(due)
        for number, (channel, posts) in enumerate(due.items()):
            if number:
                # Not all at once: what is said meanwhile goes between, instead of waiting behind thousands of frames.
                await asyncio.sleep(pause_s)
            there = [post for post in posts if post in found]
            if there:
                # Whoever is apart from one of the authors is told nothing of the frame.
                authors = "+".join(sorted({found[post].author for post in there}))
                told = PostsCounted(counts={post: found[post].counts for post in there})
                frame = ephemeral_frame(channel, KIND, at, told)
                self._tell(Parcel(channel, 0, KIND, Audience.ALL, authors, KIND, at, "", frame))

    def _forget_old(self) -> None:
        since = self._loop.time() - LATELY_S
        for channel, posts in list(self._changed.items()):
            if channel not in self._due:
                for post in _before(posts, since):
                    del posts[post]
                if not posts:
                    del self._changed[channel]


def _before(posts: dict[str, float], since: float) -> Iterable[str]:
    return [post for post, at in posts.items() if at < since]
