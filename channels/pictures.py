"""Pictures by themselves: put one up, look at one, forget those that nothing shows (FEATURES §3, decision 11).

The right to a picture is the right to the post or message that shows it, judged anew whenever somebody looks.
"""

from __future__ import annotations

from typing import NamedTuple

from channels.desk import Actor, Desk
from channels.messages import readable
from channels.pictured import MESSAGE, POST
from realtime.errors import Refusal
from realtime.requests import Uploaded
from storage.database import Tx
from storage.pictures import (
    PREVIEW,
    WHOLE,
    bytes_of,
    count_unclaimed,
    drop_due,
    insert_picture,
    picture_by_id,
)
from storage.rows import MessageRow, PictureRow
from storage.timelines import visible_posts

PARTS = {"": WHOLE, PREVIEW: PREVIEW}
"""What stands behind an id's last slash → which bytes."""
NOTHING = ""
FORGOTTEN_AT_ONCE = 20


class Made(NamedTuple):
    """A picture as it was encoded anew. An empty preview: the whole is small enough to be its own."""

    type: str
    width: int
    height: int
    whole: bytes
    preview: bytes


class Look(NamedTuple):
    """Which part of which picture, and what the browser says that it has of it (an entity tag, or nothing)."""

    picture: str
    part: str
    known: str = ""

    @property
    def tag(self) -> str:
        """The bytes of a picture never change, so its name is their version."""
        return f'"{self.picture}-{self.part}"'


class Seen(NamedTuple):
    """`data` is None where the browser has it already."""

    type: str
    data: bytes | None


async def check_room(desk: Desk, actor: Actor) -> None:
    """Before anything is read or decoded: may this account put up one more? Errors: `full`."""
    await desk.db.read(lambda tx: _check_room(tx, desk, actor))


def _check_room(tx: Tx, desk: Desk, actor: Actor) -> None:
    limit = desk.settings.limits.picture_unclaimed_max
    if count_unclaimed(tx, actor.account) >= limit:
        raise Refusal("full", "Show some of your pictures first, or wait.", limit=limit)


async def keep(desk: Desk, actor: Actor, picture: str, made: Made) -> Uploaded:
    """Keep a picture under an id that nobody can guess. Errors: `full`."""

    def unit(tx: Tx) -> Uploaded:
        _check_room(tx, desk, actor)
        now = tx.now_ms()
        due = now + desk.settings.limits.picture_unclaimed_s * 1000
        row = PictureRow(picture, actor.account, now, due, None, None, made.type, made.width, made.height)
        insert_picture(tx, row, made.whole, made.preview)
        return Uploaded(id=row.id, width=row.width, height=row.height, type=row.type, expires_at=row.due)

    return await desk.db.write(unit)


async def look(desk: Desk, actor: Actor, wanted: Look) -> Seen:
    """The bytes, for whoever may see what shows them. Whatever is in the way is one answer, and up to it the same statements
    run. Errors: `not_found`."""

    def unit(tx: Tx) -> Seen:
        row = picture_by_id(tx, wanted.picture) or NOBODYS
        if not _may_see(tx, actor.account, row):
            raise Refusal("not_found")
        known = wanted.known == wanted.tag
        return Seen(row.type, None if known else bytes_of(tx, row.id, wanted.part))

    return await desk.db.read(unit)


NOBODYS = PictureRow(NOTHING, NOTHING, 0, 0, None, None, "", 0, 0)
"""Stands for a picture that does not exist: nobody put it up, and nothing shows it."""


def _may_see(tx: Tx, viewer: str, row: PictureRow) -> bool:
    ref = row.ref or NOTHING
    post = visible_posts(tx, viewer, [ref if row.kind == POST else NOTHING])
    line = readable(tx, viewer, ref if row.kind == MESSAGE else NOTHING)
    if isinstance(line, MessageRow) and line.deleted_at is None:
        return True
    return bool(post) or (row.ref is None and row.account == viewer)


def forget_due(tx: Tx) -> int:
    """Forget some pictures that nothing shows and nothing may any more; how many. The node's upkeep calls it."""
    return drop_due(tx, tx.now_ms(), FORGOTTEN_AT_ONCE)
