"""Names that would be taken for something else than they are (FEATURES §2)."""

from __future__ import annotations

import pytest

from realtime.errors import Refusal
from realtime.text import check_handle_free, clean_display_name


@pytest.mark.parametrize(
    "name",
    [
        "公式",
        "つどい公式",
        "公　式",
        "運営",
        "運営からのお知らせ",
        "Official",
        "ＯＦＦＩＣＩＡＬ",
        "o f f i c i a l",
        "公\u200b式",
        "公\u202e式",
        "✓公式✓",
    ],
)
def test_nobody_names_themselves_an_office(name: str) -> None:
    with pytest.raises(Refusal) as refused:
        clean_display_name(name)
    assert refused.value.code == "text_invalid"


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("みお✓", "みお"),
        ("☑ みお ✔", "みお"),
        ("み\u202eお", "みお"),
        ("み\u200bお\u2060", "みお"),
        ("  み  お ", "み お"),
        ("みお👩‍👩‍👧", "みお👩‍👩‍👧"),
        ("か\u3099", "が"),
    ],
)
def test_what_misleads_is_taken_out_and_the_rest_stays(typed: str, kept: str) -> None:
    assert clean_display_name(typed) == kept


@pytest.mark.parametrize("name", ["", " ", "✓", "\u202e\u200b", "あ" * 31])
def test_a_name_is_one_to_thirty_characters(name: str) -> None:
    with pytest.raises(Refusal):
        clean_display_name(name)


@pytest.mark.parametrize("handle", ["admin", "_admin_", "root", "official", "tsudoi"])
def test_handles_of_offices_are_nobodys(handle: str) -> None:
    with pytest.raises(Refusal) as refused:
        check_handle_free(handle)
    assert refused.value.code == "handle_taken"
