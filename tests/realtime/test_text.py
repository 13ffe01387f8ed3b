"""Text rules: what a character is, what a text costs, what is taken out and what is refused."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from realtime.errors import Refusal
from realtime.text import (
    _PLAIN_TEXT,
    GRAPHEME_CODEPOINTS_MAX,
    TextLimit,
    _normalise,
    _visible,
    clean_handle,
    clean_name,
    clean_short_text,
    clean_text,
    graphemes,
    has_link,
    short_text_cost,
)

WIDE = TextLimit(graphemes=2_000, size_bytes=12 * 1024)
NAME = TextLimit(graphemes=30, size_bytes=512, lines=False)


def refused(call: object, *arguments: object) -> Refusal:
    """The refusal a call gives."""
    with pytest.raises(Refusal) as caught:
        call(*arguments)  # type: ignore[operator]
    return caught.value


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("abc", 3),
        ("集い", 2),
        ("が", 1),
        ("か\u3099", 1),
        ("e\u0301", 1),
        ("👨‍👩‍👧‍👦", 1),
        ("👩🏽‍🚀", 1),
        ("🇯🇵", 1),
        ("🇯🇵🇫🇷", 2),
        ("🏴󠁧󠁢󠁳󠁣󠁴󠁿", 1),
        ("❤️", 1),
        ("1️⃣", 1),
        ("葛󠄀", 1),
        ("क्षि", 1),
        ("नमस्ते", 3),
        ("한국", 2),
        ("\u1112\u1161\u11ab", 1),
        ("\r\n", 1),
    ],
)
def test_a_character_is_what_a_person_sees(text: str, count: int) -> None:
    assert len(graphemes(text)) == count


@pytest.mark.parametrize("character", ["a", "集", "👨‍👩‍👧‍👦", "🇯🇵", "か\u3099", "क्षि"])
def test_149_pass_and_150_do_not(character: str) -> None:
    text = character * 149
    if len(text.encode()) <= 4 * 1024:
        assert clean_short_text(text) == unicodedata.normalize("NFC", text)
    refusal = refused(clean_short_text, character * 150)
    assert refusal.code == "text_too_long"
    assert refusal.details == {"limit": 149.3, "used": 150.0, "unit": "graphemes"}


def test_short_texts_have_a_bound_of_bytes_too() -> None:
    heavy = "👨‍👩‍👧‍👦" * 149
    assert short_text_cost(heavy) == 149.0
    assert len(heavy.encode()) <= 4 * 1024
    heavier = "🏴󠁧󠁢󠁳󠁣󠁴󠁿" * 149
    assert len(heavier.encode()) > 4 * 1024
    refusal = refused(clean_short_text, heavier)
    assert refusal.code == "text_too_long"
    assert refusal.details["unit"] == "bytes"
    assert refusal.details["used"] > refusal.details["limit"]


@pytest.mark.parametrize(
    ("text", "cost"),
    [
        ("https://a.jp", 12.0),
        ("https://example.org/" + "a" * 80, 23.0),
        ("見て https://example.org/" + "a" * 80, 26.0),
        ("http://example.org/" + "a" * 40 + " http://example.org/" + "b" * 40, 47.0),
        ("「https://example.org/" + "a" * 40 + "」", 25.0),
        ("ftp://example.org/" + "a" * 22, 40.0),
    ],
)
def test_a_link_costs_at_most_23(text: str, cost: float) -> None:
    assert short_text_cost(text) == cost


def test_links_let_a_long_text_pass() -> None:
    link = "https://example.org/" + "a" * 200
    assert clean_short_text("a" * 125 + " " + link)
    assert refused(clean_short_text, "a" * 126 + " " + link).details["used"] == 150.0


@pytest.mark.parametrize(
    ("text", "links"),
    [("https://a.jp", True), ("www.a.jp", True), ("tel://1", True), ("WWW.a.jp", True), ("a.jp", False)],
)
def test_what_a_page_would_make_a_link_of(text: str, links: bool) -> None:
    assert has_link(text) is links


def test_33_code_points_are_no_character() -> None:
    stacked = "a" + "\u0302" * (GRAPHEME_CODEPOINTS_MAX - 1)
    assert len(unicodedata.normalize("NFC", "b" + "\u0315" * 31)) == 32
    assert clean_text("b" + "\u0315" * 31, WIDE)
    for text in ("b" + "\u0315" * 32, stacked + "\u0302\u0302", "x " + "b" + "\u0315" * 40 + " y"):
        assert refused(clean_text, text, WIDE).code == "text_invalid"
        assert refused(clean_short_text, text).code == "text_invalid"
        assert refused(clean_short_text, "https://a.jp/" + text).code == "text_invalid"


@pytest.mark.parametrize("text", ["\ud800", "a\udfff", "\udc80x", "ok \ud83d"])
def test_lone_surrogates_are_refused(text: str) -> None:
    for rule in (lambda t: clean_text(t, WIDE), lambda t: clean_name(t, NAME), clean_short_text):
        assert refused(rule, text).code == "text_invalid"


@pytest.mark.parametrize(
    "text", ["", " ", "\n\n", "\t", "\u200b", "\u3000", "\u2060\u200b", "\u202e", "\u3164"]
)
def test_what_shows_nothing_is_refused(text: str) -> None:
    for rule in (lambda t: clean_text(t, WIDE), lambda t: clean_name(t, NAME), clean_short_text):
        assert refused(rule, text).code == "text_invalid"


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("か\u3099", "が"),
        ("e\u0301", "é"),
        ("a\r\nb\rc\nd", "a\nb\nc\nd"),
        ("a  \nb\t\n", "a\nb"),
        ("\n\na\n\nb\n\n", "a\n\nb"),
        ("  indented", "  indented"),
        ("a\x00b\x07c\x1bd\x7fe\x85f", "abcdef"),
        ("a\tb", "a\tb"),
        ("قبل\u200fبعد", "قبل\u200fبعد"),
    ],
)
def test_messages_are_tidied(text: str, cleaned: str) -> None:
    assert clean_text(text, WIDE) == cleaned


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("  花  子 ", "花 子"),
        ("花\n子", "花 子"),
        ("a\tb", "a b"),
        ("\u202eevil\u202c", "evil"),
        ("a\u2066b\u2069", "ab"),
        ("ad\u00admin\u200b", "admin"),
        ("\ufeffname\u3164", "name"),
        ("👩‍🚀", "👩‍🚀"),
        ("か\u3099く", "がく"),
        ("a\x00b", "ab"),
    ],
)
def test_names_are_one_honest_line(text: str, cleaned: str) -> None:
    assert clean_name(text, NAME) == cleaned


def test_bounds_say_what_was_used() -> None:
    assert clean_text("あ" * 2_000, WIDE)
    refusal = refused(clean_text, "あ" * 2_001, WIDE)
    assert (refusal.code, refusal.details) == (
        "text_too_long",
        {"limit": 2000, "used": 2001, "unit": "graphemes"},
    )
    refusal = refused(clean_text, "👨‍👩‍👧‍👦" * 600, WIDE)
    assert (refusal.code, refusal.details["unit"]) == ("text_too_long", "bytes")
    assert refused(clean_name, "あ" * 31, NAME).details["used"] == 31


@pytest.mark.parametrize(
    ("text", "handle"),
    [("hanako", "hanako"), ("@Hanako ", "hanako"), ("ｈａｎａ＿１", "hana_1"), ("a" * 20, "a" * 20)],
)
def test_handles(text: str, handle: str) -> None:
    assert clean_handle(text) == handle


@pytest.mark.parametrize("text", ["", "@", "a" * 21, "花子", "a-b", "a b", "a\n", "hanako\nx", "é", "\ud800"])
def test_no_handles(text: str) -> None:
    if text == "a\n":
        assert clean_handle(text) == "a"
    else:
        assert refused(clean_handle, text).code == "text_invalid"


def outcome(rule: Callable[[str], Any], text: str) -> Any:
    """What a rule makes of a text, or the code it refuses with."""
    try:
        return rule(text)
    except Refusal as refusal:
        return refusal


RULES: list[Callable[[str], str]] = [
    lambda text: clean_text(text, WIDE),
    lambda text: clean_name(text, WIDE),
    clean_short_text,
]


@example("\x1b\r0", RULES[1])
@given(st.text(max_size=200), st.sampled_from(RULES))
def test_cleaning_twice_is_cleaning_once(text: str, rule: Callable[[str], str]) -> None:
    once = outcome(rule, text)
    if isinstance(once, Refusal):
        assert once.code in ("text_invalid", "text_too_long")
        return
    assert rule(once) == once
    assert once == unicodedata.normalize("NFC", once)
    assert "\r" not in once
    assert once.encode().decode() == once


@given(st.text(st.characters(codec="utf-8"), max_size=60), st.text(st.characters(codec="utf-8"), max_size=60))
def test_cost_is_never_more_than_the_characters(a: str, b: str) -> None:
    text = f"{a} https://example.org/{'x' * 30} {b}"
    cost = outcome(short_text_cost, text)
    if isinstance(cost, Refusal):
        assert cost.code == "text_invalid"
    else:
        assert cost <= len(graphemes(text)) + 2


PLAIN_ALPHABET = st.characters(
    codec="utf-8",
    categories=[
        "Lu",
        "Ll",
        "Lo",
        "Lm",
        "Nd",
        "Po",
        "Ps",
        "Pe",
        "Pd",
        "Pi",
        "Pf",
        "Sm",
        "Sc",
        "Zs",
        "Mn",
        "So",
        "Sk",
    ],
    max_codepoint=0xFFFF,
)


@given(st.text(PLAIN_ALPHABET, max_size=12))
@settings(max_examples=2_000)
def test_the_short_way_of_plain_text_changes_nothing(text: str) -> None:
    if _PLAIN_TEXT.match(text):
        assert _normalise(text, lines=True) == text
        assert _visible(text)
        assert len(graphemes(text)) == len(text)


def test_every_plain_character_is_one_cluster_beside_every_other_kind() -> None:
    plain = [c for c in map(chr, range(0x10000)) if _PLAIN_TEXT.match(c)]
    assert len(plain) > 21_000
    for c in plain:
        assert unicodedata.normalize("NFC", c) == c
    for other in ("あ", "a", "漢", "ー", "é", "…", "!"):
        joined = other.join(plain)
        assert len(graphemes(joined)) == len(joined)
        assert unicodedata.normalize("NFC", joined) == joined
