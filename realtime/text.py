"""Text rules: what a person's words must look like before they are kept (FEATURES §2, §3, §6).

Pure functions: text in, cleaned text out, or `Refusal` (`text_invalid`, `text_too_long`). The weights of the
149.3 rule stand in one table here.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

import regex

from realtime.errors import Refusal

GRAPHEME_CODEPOINTS_MAX = 32
SHORT_TEXT_LIMIT = 149.3
SHORT_TEXT_BYTES_MAX = 4 * 1024
GRAPHEME_WEIGHT = 1.0
URL_WEIGHT_MAX = 23.0

ADDRESS_CHARS_MAX = 254
_ADDRESS = re.compile(
    r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+\Z"
)
_BADGES = frozenset("✓✔☑✅🗸🅥ⓥ🔵☑️🏅🎖")
_OFFICES = ("公式", "運営", "official", "tsudoi運", "管理人", "管理者")
_OFFICE_HANDLES = frozenset(
    {
        "admin",
        "administrator",
        "official",
        "operator",
        "root",
        "support",
        "system",
        "staff",
        "tsudoi",
        "unei",
        "koushiki",
    }
)
HANDLE = re.compile(r"[a-z0-9_]{1,20}\Z")
URL = regex.compile(r"https?://[^\s<>\"'、。」』）\]]+")
_GRAPHEME = regex.compile(r"\X")
# Bidirectional controls and invisibles turn names and lines into something else than they are (FEATURES §2).
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_INVISIBLE = frozenset(
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b\u2060\u2061\u2062\u2063\u2064\u2800\u3164\ufeff\uffa0"
)
# Alone these show nothing: spaces, controls, formats such as joiners and tags, and variation selectors.
_BLANK = frozenset({"Cc", "Cf", "Zl", "Zp", "Zs"})
_SELECTOR = regex.compile(r"\p{Variation_Selector}")
_KEPT_CONTROLS = frozenset("\n\t")


# What most lines are made of: characters that are a cluster each, stay as they are under NFC, and show something.
# Combining marks, half-width voicing marks, jamo, selectors, controls and everything rarer take the careful way.
_PLAIN = (
    r"!-~¡-¬®-ʯ\u0391-\u03a1\u03a3-\u03ff\u0410-\u044f"  # Latin, Greek, Cyrillic
    r"\u2010-\u2015\u2018-\u201f\u2025\u2026"  # dashes, quotes, dots
    r"\u3001-\u3029\u3041-\u3096\u309d-\u30ff\u4e00-\u9fff\uff01-\uff60"  # Japanese
)
_PLAIN_TEXT = re.compile(rf"[ {_PLAIN}]*[{_PLAIN}]\Z")


@dataclass(frozen=True, slots=True)
class TextLimit:
    """How much text a place takes: grapheme clusters and UTF-8 bytes."""

    graphemes: int
    size_bytes: int
    lines: bool = True


NAME_LIMIT = TextLimit(graphemes=30, size_bytes=512, lines=False)


def graphemes(text: str) -> list[str]:
    """Text → extended grapheme clusters (UAX #29)."""
    found: list[str] = _GRAPHEME.findall(text)
    return found


def clean_text(text: str, limit: TextLimit) -> str:
    """A message's text: NFC, CRLF→LF, trailing space trimmed, bounded. Raises `Refusal`."""
    if len(text) <= limit.graphemes and len(text) * 3 <= limit.size_bytes and _PLAIN_TEXT.match(text):
        return text
    cleaned = _normalise(text, lines=limit.lines)
    if not _visible(cleaned):
        raise Refusal("text_invalid", "The text is empty.")
    size = len(cleaned.encode())
    if size > limit.size_bytes:
        raise Refusal("text_too_long", limit=limit.size_bytes, used=size, unit="bytes")
    clusters = _checked_clusters(cleaned)
    if len(clusters) > limit.graphemes:
        raise Refusal("text_too_long", limit=limit.graphemes, used=len(clusters), unit="graphemes")
    return cleaned


def clean_name(text: str, limit: TextLimit) -> str:
    """A display name or title: one line, no bidirectional controls, no invisibles, single spaces."""
    bare = "".join(c for c in text if c not in _BIDI and c not in _INVISIBLE and not _is_control(c))
    return clean_text(" ".join(bare.split()), limit)


def _is_control(char: str) -> bool:
    """Dropped before spaces are told apart, so that none is left beside it."""
    return unicodedata.category(char) == "Cc" and not char.isspace()


def clean_short_text(text: str) -> str:
    """A short text under the 149.3 rule (FEATURES §3). Raises `Refusal` with `limit` and `used`."""
    cleaned = _normalise(text, lines=True)
    if not _visible(cleaned):
        raise Refusal("text_invalid", "The text is empty.")
    used = short_text_cost(cleaned)
    if used > SHORT_TEXT_LIMIT:
        raise Refusal("text_too_long", limit=SHORT_TEXT_LIMIT, used=used, unit="graphemes")
    size = len(cleaned.encode())
    if size > SHORT_TEXT_BYTES_MAX:
        raise Refusal("text_too_long", limit=SHORT_TEXT_BYTES_MAX, used=size, unit="bytes")
    return cleaned


def short_text_cost(text: str) -> float:
    """What a text costs under the 149.3 rule: 1.0 a grapheme cluster, a URL at most 23."""
    cost = 0.0
    position = 0
    for match in URL.finditer(text):
        cost += GRAPHEME_WEIGHT * len(_checked_clusters(text[position : match.start()]))
        cost += min(URL_WEIGHT_MAX, GRAPHEME_WEIGHT * len(_checked_clusters(match.group())))
        position = match.end()
    return cost + GRAPHEME_WEIGHT * len(_checked_clusters(text[position:]))


def has_link(text: str) -> bool:
    """True if the text holds something a page would make a link of."""
    return URL.search(text) is not None or "://" in text or "www." in text.lower()


def clean_handle(text: str) -> str:
    """A handle as kept: `[a-z0-9_]{1,20}` (FEATURES §2). Raises `Refusal` (`text_invalid`)."""
    handle = unicodedata.normalize("NFKC", text).strip().removeprefix("@").lower()
    if not HANDLE.match(handle):
        raise Refusal("text_invalid", "A handle is 1 to 20 of a–z, 0–9 and _.", at="$.handle")
    return handle


def _normalise(text: str, *, lines: bool) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Refusal("text_invalid", "The text has a lone surrogate.") from None
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    kept = _KEPT_CONTROLS if lines else frozenset()
    text = "".join(c for c in text if unicodedata.category(c) != "Cc" or c in kept)
    return "\n".join(line.rstrip() for line in text.split("\n")).strip("\n").rstrip()


def _visible(text: str) -> bool:
    return any(
        c not in _INVISIBLE and unicodedata.category(c) not in _BLANK and not _SELECTOR.match(c) for c in text
    )


def _checked_clusters(text: str) -> list[str]:
    clusters = graphemes(text)
    if any(len(cluster) > GRAPHEME_CODEPOINTS_MAX for cluster in clusters):
        raise Refusal("text_invalid", "A character is stacked from too many marks.")
    return clusters


def clean_display_name(text: str) -> str:
    """A display name (FEATURES §2): 1–30 graphemes, no badge look-alikes, nothing that claims an office."""
    bare = "".join(c for c in text if c not in _BADGES)
    name = clean_name(bare, NAME_LIMIT)
    folded = "".join(unicodedata.normalize("NFKC", name).casefold().split())
    if any(word in folded for word in _OFFICES):
        raise Refusal("text_invalid", "This name is reserved.", at="$.name")
    return name


def check_handle_free(handle: str) -> None:
    """Handles that would be taken for the operators are nobody's. Raises `Refusal` (`handle_taken`)."""
    if handle.strip("_") in _OFFICE_HANDLES:
        raise Refusal("handle_taken", f"The handle {handle} is reserved.", at="$.handle")


def fold_address(text: str) -> str:
    """A mail address as it is compared and written to: NFKC, lower case, trimmed. Raises `Refusal` (`text_invalid`).

    Mail goes to the folded form and to no other: if it went to what was typed, somebody could type an address that
    folds to another person's and read that person's code.
    """
    folded = unicodedata.normalize("NFKC", text).strip().lower()
    if len(folded) > ADDRESS_CHARS_MAX or not _ADDRESS.match(folded):
        raise Refusal("text_invalid", "This is not a mail address.", at="$.address")
    return folded


def clean_optional(text: str, limit: TextLimit) -> str:
    """A text that may be left empty, such as a bio. Raises `Refusal` (`text_invalid`, `text_too_long`)."""
    bare = "".join(c for c in text if c not in _BIDI)
    return clean_text(bare, limit) if bare.strip() else ""
