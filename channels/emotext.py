"""Emotext: which effects there are, what a text may carry, how it looks before it is sent, and as a picture (FEATURES §4).

A picture is made of what is kept, never of words in an address: of a post by its id, for whoever may read the post; of a preview by
an id that this installation signed, for whoever holds it, for minutes. Anything else would put anybody's words under our name.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence

import orjson
from msgspec import UnsetType

from channels.desk import Actor, Desk, Visitor
from realtime.emotext import (
    EmotextCatalogue,
    EmotextPreview,
    EmotextPreviewed,
    EmotextScore,
    resolve,
    seed_of,
)
from realtime.emotext_catalogue import CATALOGUE
from realtime.emotext_score import compile_score
from realtime.emotext_svg import svg_of
from realtime.errors import Refusal
from realtime.ids import is_id
from realtime.requests import Empty
from realtime.text import clean_short_text
from storage.database import Tx
from storage.emotext import PreviewRow, insert_preview, preview_by_id
from storage.timelines import visible_posts

PREVIEW_MS = 10 * 60_000
PREVIEWS_MAX = 20
_SIGNED = "emotext"


def chosen(asked: Sequence[str | int] | UnsetType, text: str) -> str | None:
    """What a clean text is to carry, as its row keeps it. Errors: `emotext_unknown`, `emotext_conflict`, `text_invalid`."""
    if isinstance(asked, UnsetType) or not asked:
        return None
    effects = resolve(CATALOGUE, asked)
    if not text:
        raise Refusal("text_invalid", "There is no text to move.", at="$.emotext")
    return orjson.dumps([effect.id for effect in effects]).decode()


def effects_view(kept: str | None) -> list[str]:
    """What a row keeps → the ids of its effects."""
    found: list[str] = orjson.loads(kept) if kept else []
    return found


async def list_effects(desk: Desk, who: Actor | Visitor, request: Empty) -> EmotextCatalogue:
    """All effects with their programs: so a new one needs no new client."""
    return CATALOGUE


async def preview(desk: Desk, actor: Actor, request: EmotextPreview) -> EmotextPreviewed:
    """A text as it would move. Errors: `text_*`, `emotext_*`."""
    text = clean_short_text(request.text)
    kept = chosen(request.emotext, text)
    if kept is None:
        raise Refusal("bad_request", "Name an effect.", at="$.emotext")

    def unit(tx: Tx) -> PreviewRow:
        at = tx.now_ms()
        row = PreviewRow(tx.new_id(), actor.account, at, at + PREVIEW_MS, text, kept)
        insert_preview(tx, row, PREVIEWS_MAX)
        return row

    row = await desk.db.write(unit)
    return EmotextPreviewed(
        score=_score(row.body, row.emotext, row.id),
        id=row.id,
        expires_at=row.due,
        signed=f"{row.id}.{row.due}.{_signature(desk.secret, row.id, row.due)}",
    )


async def preview_svg(desk: Desk, signed: str) -> str:
    """The picture of a preview, for whoever holds its signed id. Errors: `not_found`, whatever is wrong with it."""
    preview_id, _, rest = signed.partition(".")
    due, _, signature = rest.partition(".")
    good = is_id(preview_id) and due.isascii() and due.isdigit() and len(due) < 16 and signature.isascii()
    if not good or not hmac.compare_digest(signature, _signature(desk.secret, preview_id, int(due))):
        raise Refusal("not_found")
    row = await desk.db.read(lambda tx: preview_by_id(tx, preview_id))
    if row is None:
        raise Refusal("not_found")
    return _svg(row.body, row.emotext, row.id)


async def post_svg(desk: Desk, actor: Actor, post: str) -> str:
    """The picture of a post that moves, for whoever may read it; of what stands behind a mask there is none. Errors:
    `not_found`."""
    if not is_id(post):
        raise Refusal("not_found")
    row = (await desk.db.read(lambda tx: visible_posts(tx, actor.account, [post]))).get(post)
    if row is None or not row.body or not row.emotext or row.mask:
        raise Refusal("not_found")
    return _svg(row.body, row.emotext, row.id)


def _svg(text: str, kept: str, name: str) -> str:
    return svg_of(_score(text, kept, name), CATALOGUE.shapes)


def _score(text: str, kept: str, name: str) -> EmotextScore:
    """What a newer gateway knows and this one does not is as if it had not been asked for."""
    here = {effect.id for effect in CATALOGUE.effects}
    effects = resolve(CATALOGUE, [each for each in effects_view(kept) if each in here])
    return compile_score(text, effects, seed_of(name))


def _signature(secret: str, preview_id: str, due: int) -> str:
    body = f"{_SIGNED}.{preview_id}.{due}".encode()
    digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
