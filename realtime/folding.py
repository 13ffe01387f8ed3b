"""Folding for search: ﾋﾞｰﾙ = ビール = びーる, and words of one character (FEATURES §3). Pure.

A text is folded, cut into runs at whatever is no letter, digit or symbol, and each run told by its *grams*: every grapheme
cluster alone and every two neighbours. A phrase of any length is in a text only if all its grams are, so an index of grams
finds candidates, and comparing the folded texts decides.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

import regex

GRAMS_MAX = 4_096
"""Of one text; the longest text that is searched for has fewer."""
_KATAKANA = dict(zip(range(0x30A1, 0x30F7), range(0x3041, 0x3097), strict=True)) | {
    0x30FD: 0x309D,
    0x30FE: 0x309E,
}
_RUNS = regex.compile(r"[^\p{P}\p{Z}\p{C}]+")
_CLUSTERS = regex.compile(r"\X")


def fold(text: str) -> str:
    """As it is compared: compatibility forms, case, kana and long marks made one; runs joined by single spaces."""
    text = unicodedata.normalize("NFKC", text).casefold()
    # NFKC again, because folding case may leave what composes; the long mark has many look-alikes.
    text = _long_marks(unicodedata.normalize("NFKC", text)).translate(_KATAKANA)
    return " ".join(_RUNS.findall(text))


def _long_marks(text: str) -> str:
    """A dash between kana is a long mark."""
    return re.sub(r"(?<=[ぁ-ゖァ-ヺー])[‐‑‒–—―−─━~〜～-](?=[ぁ-ゖァ-ヺー]|$|\s)", "ー", text)  # as above


def grams(folded: str) -> set[str]:
    """All grams of a folded text, at most `GRAMS_MAX`."""
    found: set[str] = set()
    for run in folded.split(" "):
        clusters = _CLUSTERS.findall(run)
        found.update(clusters)
        found.update(a + b for a, b in pairwise(clusters))
        if len(found) > GRAMS_MAX:
            break
    return found


def needed(folded: str) -> set[str]:
    """The grams that a text with this phrase has: pairs, and single clusters only where a run is no longer than that."""
    found: set[str] = set()
    for run in folded.split(" "):
        clusters = _CLUSTERS.findall(run)
        if len(clusters) == 1:
            found.add(clusters[0])
        found.update(a + b for a, b in pairwise(clusters))
    return found


def holds(folded: str, phrase: str) -> bool:
    """True if each run of the phrase stands somewhere in the text."""
    return all(run in folded for run in phrase.split(" "))
