"""What posts and messages have to do with pictures: taken when one is written, told whenever it is read.

A picture is taken once, by who put it up, in the transaction of the post or message that shows it, which says of it all that
readers are told; so reading costs nothing more, and what has no pictures asks for none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec
from msgspec import UnsetType

from realtime.errors import Refusal
from realtime.events import encode
from realtime.models import Picture
from realtime.requests import PictureRef
from realtime.settings import Limits
from realtime.text import TextLimit, clean_optional
from storage.database import Tx
from storage.pictures import Claim, claim, locked_pictures
from storage.rows import PictureRow

POST, MESSAGE = "post", "message"
ALT_BYTES_MAX = 8 * 1024
_shown = msgspec.json.Decoder(list[Picture])


class Wanted(NamedTuple):
    """A picture to be shown; the words are clean."""

    id: str
    alt: str


def wanted(asked: Sequence[PictureRef] | UnsetType, limits: Limits) -> tuple[Wanted, ...]:
    """What a request asks to show. Errors: `bad_request` (one of them twice), `text_too_long`, `text_invalid`."""
    if isinstance(asked, UnsetType):
        return ()
    if len({each.id for each in asked}) < len(asked):
        raise Refusal("bad_request", "A picture is shown once.", at="$.pictures")
    limit = TextLimit(limits.picture_alt_graphemes_max, ALT_BYTES_MAX)
    return tuple(Wanted(each.id, clean_optional(each.alt, limit)) for each in asked)


def pictures_view(kept: str | None) -> list[Picture]:
    """What a row says of its pictures → their shapes on the wire."""
    return _shown.decode(kept) if kept else []


class Stock:
    """The pictures that the items of a batch want, locked. Where none wants any, nothing is asked of the database."""

    def __init__(self, tx: Tx, items: Iterable[Sequence[Wanted]]) -> None:
        ids = [each.id for pictures in items for each in pictures]
        self._rows: dict[str, PictureRow] = locked_pictures(tx, ids) if ids else {}
        self._claims: list[Claim] = []
        self._tx = tx

    def refusal(self, account: str, pictures: Sequence[Wanted]) -> Refusal | None:
        """Why an account may not show these. Somebody else's, a shown one, one that is due and none at all are one answer."""
        for each in pictures:
            row = self._rows.get(each.id)
            usable = row is not None and row.account == account and row.ref is None
            if row is None or not usable or row.due <= self._tx.now_ms():
                return Refusal(
                    "not_found",
                    "This picture is not here any more: put it up again.",
                    reason="picture",
                    at="$.pictures",
                    picture=each.id,
                )
        return None

    def take(self, kind: str, ref: str, pictures: Sequence[Wanted]) -> str | None:
        """They are shown by this from now on; what its row says of them. Ask `refusal` before."""
        if not pictures:
            return None
        shown = []
        for each in pictures:
            row = self._rows.pop(each.id)
            self._claims.append(Claim(row.id, kind, ref))
            shown.append(Picture(id=row.id, width=row.width, height=row.height, type=row.type, alt=each.alt))
        return encode(shown).decode()

    def keep(self) -> None:
        """Write down what was taken."""
        if self._claims:
            claim(self._tx, self._claims)
