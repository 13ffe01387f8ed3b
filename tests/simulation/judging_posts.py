"""Whether what people were told of posts fits what the database holds at the end; the timelines' part of
`tests.simulation.history`."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import orjson

from channels.post_entries import AUTHOR_LEFT, COMMUNITY_LEFT
from realtime.ids import author_channel
from tests.simulation.disk import Disk
from tests.simulation.history import FOREVER, History, Judge, Stay, Told

BEGINNINGS = ("follow.began", "community.joined")
ENDINGS = (AUTHOR_LEFT, COMMUNITY_LEFT)


class PostJudge:
    """See the module."""

    def __init__(self, judge: Judge, history: History, disk: Disk) -> None:
        self.judge = judge
        self.h = history
        self.disk = disk
        rows = disk.execute("select id, home, seq, author, body, deleted_at from post").fetchall()
        self.posts: dict[str, tuple[Any, ...]] = {row[0]: row for row in rows}
        self.stays = self._stays()

    def _stays(self) -> dict[tuple[str, str], list[Stay]]:
        """From when to when each account heard each author and community, by the log."""
        stays: dict[tuple[str, str], list[Stay]] = defaultdict(list)
        rows = self.disk.execute("select channel, seq, kind, target, extra from log order by n").fetchall()
        for channel, seq, kind, target, extra in rows:
            if kind in BEGINNINGS:
                account = channel.removeprefix("user:")
                stay = Stay(orjson.loads(extra)["seq"])
                # A block ends it without a word to the one who is blocked.
                begun = self.disk.committed[channel, seq]
                if kind == "follow.began":
                    # Whoever follows may read what was posted before, too.
                    stay.begun = begun
                parted = [at for at in self.h.parted[account, target] if at >= begun]
                stay.ended = min(parted, default=FOREVER)
                stays[account, target].append(stay)
            elif kind in ENDINGS and stays[target, channel]:
                stay = stays[target, channel][-1]
                stay.high = seq
                done = self.disk.committed[channel, seq]
                acks = [at for at in self.h.left[target, channel] if at >= done]
                stay.ended = min(stay.ended, *acks, FOREVER)
        return stays

    def acknowledged(self) -> None:
        """I1, I6: what was acknowledged is kept as it was acknowledged, once."""
        for (account, nonce), results in self.h.posts.items():
            text = self.h.posted_texts[account, nonce]
            for result in results:
                row = self.posts.get(result["post"])
                if row is None:
                    self.judge.wrong("I1", f"{nonce} was acknowledged as {result['post']}, which is not kept")
                elif (row[2], row[3]) != (result["seq"], account) or row[4] not in (text, None):
                    self.judge.wrong("I1", f"{nonce} was acknowledged as {result}, but {row} is kept")
            if len({result["post"] for result in results}) > 1:
                self.judge.wrong("I6", f"{nonce} was acknowledged as several posts")
        texts = [(row[3], row[4]) for row in self.posts.values() if row[4]]
        if len(texts) != len(set(texts)):
            self.judge.wrong("I6", "a post is kept twice")

    def allowed(self, told: Told) -> None:
        """I7, I14, I16 of one frame of an author's or a community's channel."""
        channel, seq = told.frame["ch"], told.frame["seq"]
        own = channel == author_channel(told.account)
        if not own and not self._inside(told, channel, seq):
            self.judge.wrong(
                "I7", f"{told.account} was told {channel} {seq} without following or being inside"
            )
        if told.frame["ev"] != "post.created":
            return
        post = told.frame["d"]["post"]
        row = self.posts.get(post["id"])
        if row is None or (row[1], row[2]) != (channel, seq):
            self.judge.wrong("I4", f"{channel} {seq} was told as {post['id']}, but {row} is kept")
            return
        if told.asked > self.h.deleted.get(row[0], FOREVER):
            self.judge.wrong("I14", f"{told.account} was told the words of {row[0]} after they were deleted")
        self._apart(told, row)

    def _inside(self, told: Told, channel: str, seq: int) -> bool:
        return any(
            (stay.low < seq or told.asked >= stay.begun)
            and seq < stay.high
            and told.asked <= stay.ended
            and told.left <= stay.ended + self.judge.bound_s(stay.ended)
            for stay in self.stays[told.account, channel]
        )

    def _apart(self, told: Told, row: tuple[Any, ...]) -> None:
        author = row[3]
        if author == told.account:
            return
        said = self.h.requests.get((author, (row[4] or "").split(" ", 1)[0]), -1.0)
        for pair in ((told.account, author), (author, told.account)):
            for start, end in self.h.blocks.get(pair, ()):
                # Obeyed by every node as soon as it hears of the block; after its end all may be read again.
                if start + self.judge.bound_s(start) < said and told.left < end:
                    self.judge.wrong(
                        "I16", f"{pair[0]} blocks {pair[1]}, and {told.account} was told {row[0]}"
                    )
