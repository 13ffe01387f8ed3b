"""What is the same word to whoever searches (FEATURES §3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.folding import GRAMS_MAX, fold, grams, holds, needed


@pytest.mark.parametrize(
    "words",
    [
        ("ﾋﾞｰﾙ", "ビール", "びーる", "ビール"),
        ("Ｔｏｋｙｏ", "tokyo", "TOKYO"),
        ("ｶﾞﾝﾀﾞﾑ", "ガンダム", "がんだむ", "ガンダム"),
        ("㌔", "キロ", "きろ"),
        ("ラーメン", "らーめん", "ラ−メン", "ラ―メン", "ら〜めん"),
        ("①番", "1番", "１番"),
        ("ﬁn", "FIN"),
        ("Straße", "STRASSE"),
        ("集い!", "集い", " 集い。"),
    ],
)
def test_these_are_the_same(words: tuple[str, ...]) -> None:
    assert len({fold(word) for word in words}) == 1


@pytest.mark.parametrize(
    ("one", "other"), [("はし", "ばし"), ("びる", "びーる"), ("きよう", "きょう"), ("cafe", "café")]
)
def test_these_are_not(one: str, other: str) -> None:
    assert fold(one) != fold(other)


@pytest.mark.parametrize(
    ("text", "phrase", "expected"),
    [
        ("今日はビールを飲んだ", "ﾋﾞｰﾙ", True),
        ("今日はビールを飲んだ", "飲", True),
        ("今日はビールを飲んだ", "ビル", False),
        ("海が見えた", "海 見", True),
        ("海が見えた", "海見", False),
        ("👨‍👩‍👧と海", "👨‍👩‍👧", True),
        ("👨‍👩‍👧と海", "👨", True),
        ("100円!!", "100", True),
        ("ABC-DEF", "abc def", True),
    ],
)
def test_a_phrase_is_found_where_it_stands(text: str, phrase: str, expected: bool) -> None:
    assert holds(fold(text), fold(phrase)) is expected


def test_grams_are_clusters_and_neighbours() -> None:
    assert grams("びーる 海") == {"び", "ー", "る", "びー", "ーる", "海"}
    assert needed("びーる 海") == {"びー", "ーる", "海"}
    assert grams("") == needed("") == set()
    assert len(grams("".join(map(chr, range(0x4E00, 0x4E00 + 5_000))))) <= GRAMS_MAX + 10_000


@given(st.text(max_size=60))
def test_whatever_is_needed_of_a_text_it_has(text: str) -> None:
    folded = fold(text)
    assert holds(folded, folded)
    assert needed(folded) <= grams(folded)
