"""What the letters say: both languages, whole, and nothing in them but our own words."""

from __future__ import annotations

import re

import pytest

from channels import codes, letters
from channels.letters import letter_text

FACTS: dict[str, letters.Facts] = {
    "code": {"code": "012345", "minutes": 10},
    "known": {},
    "new_device": {"label": "Firefox (Linux)", "at": 1_763_625_600_123},
    "taken": {},
    "address_changed": {"hours": 48},
    "address_restored": {},
    "recovery_made": {"at": 1_763_625_600_123},
    "test": {},
}
JAPANESE = re.compile(r"[\u3040-\u30ff]")
URL = "https://tsudoi.example"


def test_every_kind_is_tried_here() -> None:
    assert set(FACTS) == set(letters._KINDS)


@pytest.mark.parametrize("kind", FACTS)
@pytest.mark.parametrize("language", ["ja", "en"])
def test_a_letter_is_whole_in_both_languages(kind: str, language: str) -> None:
    text = letter_text(kind, FACTS[kind], language, URL)
    assert "\n" not in text.subject
    assert len(text.subject) < 80
    assert JAPANESE.search(text.subject)
    assert not re.search(r"[{}]|None", text.body)
    japanese = text.body.index("こんにちは")
    english = text.body.index("Hello")
    assert (japanese < english) is (language == "ja")
    assert re.findall(r"\S*://\S*", text.body) == [URL]
    assert text.body.endswith(f"\n-- \nTsudoi 集い\n{URL}\n")


def test_without_a_public_address_there_is_no_link() -> None:
    assert "://" not in letter_text("test", {}).body


def test_a_code_stands_in_the_body_only() -> None:
    text = letter_text("code", FACTS["code"])
    assert text.body.count("012345") == 2
    assert "012345" not in text.subject
    assert "10分" in text.body
    assert "10 minutes" in text.body


def test_a_code_is_made_from_its_seed_and_the_installations_secret() -> None:
    facts = {"seed": "s", "minutes": 10}
    code = codes.code_of("secret", "s")
    assert letters.with_code(facts, "secret") == {**facts, "code": code}
    assert code in letter_text("code", letters.with_code(facts, "secret")).body
    assert letters.with_code({"label": "x"}, "secret") == {"label": "x"}


def test_a_new_device_is_named_with_both_clocks() -> None:
    body = letter_text("new_device", FACTS["new_device"]).body
    assert body.count("Firefox (Linux)") == 2
    assert "2025-11-20 17:00(日本時間)" in body
    assert "2025-11-20 08:00 UTC" in body


def test_a_changed_address_can_be_undone() -> None:
    body = letter_text("address_changed", {"hours": 48}).body
    assert "48時間" in body
    assert "48 hours" in body


@pytest.mark.parametrize(
    "label",
    [
        "https://evil.example/x",
        "www.evil.example",
        "x\r\nBcc: ken@example.org",
        "ken@example.org",
        "<a href='//evil'>",
        "\u202egnp.live",
        "x" * 500,
    ],
)
def test_a_device_cannot_smuggle_a_link(label: str) -> None:
    text = letter_text("new_device", {"label": label, "at": 0}, public_url=URL)
    shown = re.search(r"Device: (.*)\n", text.body)
    assert shown
    assert not re.search(r"[.:/@<>\r\u202e]", shown[1])
    assert len(shown[1]) <= letters.LABEL_CHARS_MAX


@pytest.mark.parametrize(
    ("kind", "facts"),
    [
        ("code", {}),
        ("code", {"seed": "x", "minutes": 10}),
        ("code", {"code": "123456"}),
        ("code", {"code": "12345", "minutes": 10}),
        ("code", {"code": "123456\n", "minutes": 10}),
        ("new_device", {"label": "x"}),
        ("no such kind", {}),
    ],
)
def test_a_letter_with_a_hole_is_never_written(kind: str, facts: letters.Facts) -> None:
    with pytest.raises(ValueError, match=r"without|digits"):
        letter_text(kind, facts)


def test_codes_are_given_up_before_notices() -> None:
    assert letters.keep_ms("code") == 30 * 60_000
    assert letters.keep_ms("new_device") > letters.keep_ms("code")
