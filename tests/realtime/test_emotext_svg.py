"""Scores as pictures: well-formed, bounded, harmless, and laid out as text is (FEATURES §4)."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.emotext import resolve
from realtime.emotext_catalogue import CATALOGUE
from realtime.emotext_score import compile_score
from realtime.emotext_svg import SVG_BYTES_MAX, clean, style_hash, svg_of

SVG = "{http://www.w3.org/2000/svg}"
ALL = [["big", "hoppy", "angry"], ["super_big", "super_shake", "love"], ["shake"], ["uruuru"]]


def drawn(text: str, effects: list[str], seed: int = 1) -> str:
    return svg_of(compile_score(text, resolve(CATALOGUE, effects), seed), CATALOGUE.shapes)


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)  # our own document


def texts(svg: str) -> list[str]:
    """The graphemes as they are drawn."""
    return [each.text or "" for each in parsed(svg).iter(f"{SVG}text")]


def lines(svg: str) -> list[str]:
    """The graphemes of each line, from left to right."""
    found: dict[float, list[tuple[float, str]]] = {}
    for group in parsed(svg)[3]:
        text = next(group.iter(f"{SVG}text"), None)
        if text is not None:
            x, y = map(float, re.findall(r"[\d.]+", group.attrib["transform"])[:2])
            found.setdefault(y, []).append((x, text.text or ""))
    return ["".join(text for _, text in sorted(found[y])) for y in sorted(found)]


@given(st.text(max_size=200), st.sampled_from(ALL), st.integers(0, 2**32 - 1))
def test_any_text_is_a_small_document_without_script(text: str, effects: list[str], seed: int) -> None:
    svg = drawn(f"あ{text}", effects, seed)
    root = parsed(svg)
    assert len(svg.encode()) <= SVG_BYTES_MAX
    allowed = {"svg", "title", "style", "rect", "g", "text", "path"}
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= allowed
    names = {name for element in root.iter() for name in element.attrib}
    assert names <= {
        *(
            "viewBox",
            "width",
            "height",
            "role",
            "font-size",
            "rx",
            "fill",
            "transform",
            "class",
            "d",
            "x",
            "y",
        )
    }


def test_the_largest_score_is_still_bounded() -> None:
    wide = "👨‍👩‍👧‍👦" * 160
    for effects in ALL:
        assert len(drawn(wide, effects).encode()) <= SVG_BYTES_MAX


def test_words_are_words() -> None:
    evil = "<script>alert(1)</script>&\"'\u202e\u2066\x00\ufffe</style>"
    svg = drawn(f"あ{evil}", ["big"])
    assert "".join(texts(svg)) == "あ<script>alert(1)</script>&\"'</style>"
    title = parsed(svg).find(f"{SVG}title")
    assert title is not None
    assert title.text == "\u2068あ<script>alert(1)</script>&\"'</style>\u2069"
    assert clean("a\u200eb\rc\u2028") == "abc"
    # What belongs to a character stays with it.
    assert texts(drawn("👨‍👩‍👧か゚❤️", ["big"])) == ["👨‍👩‍👧", "か゚", "❤️"]


def test_closing_marks_stay_with_what_is_before_them() -> None:
    text = "一二三四五六七八九十一二三四五六七八九十。「はい」"
    assert lines(drawn(text, ["shake"])) == ["一二三四五六七八九十一二三四五六七八九", "十。「はい」"]
    assert lines(drawn("あ\nい\n\nう", ["shake"])) == ["あ", "い", "う"]
    latin = lines(drawn("hello wonderful world of moving words that go on", ["super_big"]))
    assert all(set(line) for line in latin)
    assert "".join(latin) == "hellowonderfulworldofmovingwordsthatgoon"
    assert all(word in "|".join(latin) for word in ("hello", "wonderful", "world", "moving", "words"))
    endless = lines(drawn("w" * 100, ["shake"]))
    assert len(endless) > 1
    assert "".join(endless) == "w" * 100


def test_words_from_right_to_left_stand_in_their_order() -> None:
    assert lines(drawn("ab שלום עולם cd", ["shake"])) == ["ab" + "עולם" + "שלום" + "cd"]


def test_a_long_text_is_cut_with_a_sign() -> None:
    assert texts(drawn("あ" * 300, ["shake"]))[-2:] == ["あ", "…"]


def test_it_plays_what_the_score_says_once_and_not_for_who_wants_it_still() -> None:
    svg = drawn("あい", ["big", "hoppy", "love"])
    style = svg.partition("<style>")[2].partition("</style>")[0]
    assert "@keyframes l0{0%{transform:translate(0em,0em) rotate(0deg) scale(0.67);" in style
    assert ".l1{animation:l1 720ms linear 6 both}" in style
    assert ".d70{animation-delay:70ms}" in style
    assert "infinite" not in style
    assert "hue-rotate(-18deg)" in style
    assert "translate(-" not in style.partition("@keyframes l0")[2].partition("@keyframes l1")[0]
    assert "@media(prefers-reduced-motion:reduce){*{animation:none!important}}" in style
    assert not re.search(r"url\(|@import|e-\d|nan|inf\b", style)
    assert style_hash(svg).startswith("'sha256-")
    assert style_hash(svg) != style_hash(drawn("あい", ["big", "hoppy"]))


@pytest.mark.parametrize("effects", ALL, ids="+".join)
def test_every_class_that_moves_has_its_rule(effects: list[str]) -> None:
    svg = drawn("あいうえお。", effects, 3)
    style = svg.partition("<style>")[2].partition("</style>")[0]
    used = {name for each in re.findall(r'class="([^"]+)"', svg) for name in each.split()} - {"d0"}
    ruled = set(re.findall(r"\.([a-z]\w*)\{", style))
    assert used <= ruled
    moving = {name for name in used if name[0] in "lmb"}
    assert moving == set(re.findall(r"@keyframes (\w+)", style)) - {"t"}
