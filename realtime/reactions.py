"""Reactions on the wire: the catalogue of stamps, who left what under a post, and stamps under lines of rooms (FEATURES §3,
§6)."""

from __future__ import annotations

from enum import StrEnum

from realtime.models import AccountCard, Shape
from realtime.operations import Request
from realtime.requests import Id, Limit


class Stamp(StrEnum):
    """A stamp by its id, which never changes; `reaction.get` tells the names."""

    KAWAII = "kawaii"
    SUTEKI = "suteki"
    SUGOI = "sugoi"
    WAKARU = "wakaru"
    WARATTA = "waratta"
    ARIGATO = "arigato"
    OMEDETO = "omedeto"
    OTSUKARE = "otsukare"
    GANBARE = "ganbare"
    OISHISO = "oishiso"
    IKITAI = "ikitai"
    NAKERU = "nakeru"
    BIKKURI = "bikkuri"


class ReactionKind(StrEnum):
    """A stamp, which says something, or a like, which is for the author alone."""

    STAMP = "stamp"
    LIKE = "like"


class StampNames(Shape, frozen=True, kw_only=True):
    """A stamp and what it is called."""

    id: Stamp
    ja: str
    en: str


class Catalogue(Shape, frozen=True, kw_only=True):
    """All stamps, in the order to show them."""

    stamps: list[StampNames]


_NAMES = (
    (Stamp.KAWAII, "かわいい", "Cute"),
    (Stamp.SUTEKI, "すてき", "Lovely"),
    (Stamp.SUGOI, "すごい", "Amazing"),
    (Stamp.WAKARU, "わかる", "So true"),
    (Stamp.WARATTA, "わらった", "Made me laugh"),
    (Stamp.ARIGATO, "ありがとう", "Thank you"),
    (Stamp.OMEDETO, "おめでとう", "Congratulations"),
    (Stamp.OTSUKARE, "おつかれさま", "Well done"),
    (Stamp.GANBARE, "がんばって", "You can do it"),
    (Stamp.OISHISO, "おいしそう", "Looks tasty"),
    (Stamp.IKITAI, "いきたい", "I want to go"),
    (Stamp.NAKERU, "なける", "Moving"),
    (Stamp.BIKKURI, "びっくり", "What a surprise"),
)
CATALOGUE = Catalogue(stamps=[StampNames(id=stamp, ja=ja, en=en) for stamp, ja, en in _NAMES])


class ReactionAdd(Request, frozen=True, kw_only=True):
    """Leave a stamp under a post, in the place of an earlier one, or with `kind` `like` a like."""

    post: Id
    kind: ReactionKind = ReactionKind.STAMP
    stamp: Stamp | None = None


class ReactionRemove(Request, frozen=True, kw_only=True):
    """Take back the stamp or the like one left."""

    post: Id
    kind: ReactionKind = ReactionKind.STAMP


class ReactionList(Request, frozen=True, kw_only=True):
    """A page of who left a stamp or a like under one's own post."""

    post: Id
    kind: ReactionKind = ReactionKind.STAMP
    after: Id | None = None
    limit: Limit = 50


class Reaction(Shape, frozen=True, kw_only=True):
    """What somebody left; `stamp` is null for a like."""

    account: AccountCard
    stamp: Stamp | None = None


class Reactions(Shape, frozen=True, kw_only=True):
    """In an order that tells nothing; `next` continues as `after`, null at the end."""

    reactions: list[Reaction]
    next: str | None


# Under lines of rooms


class MessageReact(Request, frozen=True, kw_only=True):
    """One's stamp under a line, in the place of an earlier one; null takes it back."""

    message: Id
    stamp: Stamp | None = None


class MessageReacted(Shape, frozen=True, kw_only=True):
    """What somebody's stamp under a line is now; null: none. `message_seq` is where the line stands."""

    message: str
    message_seq: int
    account: str
    stamp: Stamp | None = None
