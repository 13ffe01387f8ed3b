"""Communities in a real browser: found, found again, joined, posted to, live in two browsers (FEATURES §3, §5, §11)."""

from __future__ import annotations

from typing import Any

import pytest

from realtime.text import short_text_cost
from tests.browser.conftest import PHONE, Visit
from tests.browser.test_first_page import count
from tests.browser.test_join import entry, says

pytestmark = [pytest.mark.browser, pytest.mark.timeout(90)]
TEXTS = (
    "",
    "集い",
    "👨‍👩‍👧‍👦👍🏽",
    "が",
    "क्षि",
    "見て https://example.org/a/very/long/path/that/goes/on ね",
    "http://a.jp、http://b.jp",
    "a\r\nb",
)


def places(page: Any) -> Any:
    """The communities, opened from the menu."""
    entry(page, "menu-places")
    page.locator("#places[open]").wait_for()
    return page.locator("#places")


def found(page: Any, name: str) -> Any:
    """A new community, shown to its founder."""
    sheet = places(page)
    sheet.locator("summary").click()
    sheet.locator("#place_name").fill(name)
    sheet.locator("#place_purpose").fill("窓から見えたもの")
    sheet.locator("#place-form [type=submit]").click()
    says(sheet.locator("#places-title"), name)
    return sheet


def say(sheet: Any, text: str) -> None:
    """Post it."""
    sheet.locator("#post_text").fill(text)
    sheet.locator("#post-form [type=submit]").click()


def texts(sheet: Any) -> list[str]:
    """The posts on the screen, the newest first."""
    return list(sheet.locator(".post-text").all_text_contents())


def test_a_place_is_found_read_joined_and_posted_to_live(visit: Visit, link: str) -> None:
    aki, haru = visit.person(link, "aki"), visit.person(link, "haru", **PHONE)
    mine = found(aki, "電車の窓")
    say(mine, "海が見えた")
    count(mine.locator(".post"), 1)
    theirs = places(haru)
    theirs.locator("[data-which=open]").click()
    theirs.locator("#place_words").fill("窓")
    theirs.locator("#place-search [type=submit]").click()
    theirs.locator("[data-place]", has_text="電車の窓").click()
    says(theirs.locator(".post-text").first, "海が見えた")
    # To look on is not to be inside, and what is said comes all the same.
    count(theirs.locator("#post_text"), 0)
    say(mine, "次は山")
    says(theirs.locator(".post-text").first, "次は山")
    theirs.locator("#place-standing").click()
    theirs.locator("#post_text").wait_for()
    say(theirs, "こちらは雨")
    says(mine.locator(".post-text").first, "こちらは雨")
    assert texts(mine) == texts(theirs) == ["こちらは雨", "次は山", "海が見えた"]
    mine.locator(".post", has_text="次は山").locator(".tool").click()
    aki.locator("#ask-do").click()
    count(theirs.locator(".post"), 2)
    assert texts(theirs) == ["こちらは雨", "海が見えた"]
    # Only one's own can be deleted.
    count(theirs.locator(".tool"), 1)
    theirs.locator("#place-standing").click()
    count(theirs.locator("#post_text"), 0)


def test_what_is_being_written_stays_while_posts_come(visit: Visit, link: str) -> None:
    aki, haru = visit.person(link, "aki"), visit.person(link, "haru")
    mine = found(aki, "書きかけ")
    theirs = places(haru)
    theirs.locator("[data-which=open]").click()
    theirs.locator("[data-place]", has_text="書きかけ").click()
    theirs.locator("#place-standing").click()
    theirs.locator("#post_text").click()
    session = haru.context.new_cdp_session(haru)
    session.send("Input.imeSetComposition", {"text": "うみ", "selectionStart": 2, "selectionEnd": 2})
    say(mine, "ひとつめ")
    count(theirs.locator(".post"), 1)
    # The conversion is still open, in the same field.
    assert haru.evaluate("document.activeElement.id") == "post_text"
    session.send("Input.insertText", {"text": "海"})
    assert theirs.locator("#post_text").input_value() == "海"
    count(theirs.locator(".post"), 1)


def test_149_characters_fit_and_the_page_counts_as_the_server_does(visit: Visit, link: str) -> None:
    aki = visit.person(link, "aki")
    sheet = found(aki, "短いことば")
    sheet.locator("#post_text").fill("あ" * 150)
    says(sheet.locator("#post-form small.over"), "-0.7")
    sheet.locator("#post-form [type=submit]").click()
    says(sheet.locator("#post_text-fault"), "149.3文字まで")
    assert sheet.locator("#post_text").input_value() == "あ" * 150
    sheet.locator("#post_text").fill("あ" * 149)
    says(sheet.locator("#post-form small").last, "0.3")
    sheet.locator("#post-form [type=submit]").click()
    count(sheet.locator(".post"), 1)
    counted = aki.evaluate(
        "async (texts) => { const { cost } = await import('/web/short.js'); return texts.map(cost); }",
        list(TEXTS),
    )
    assert counted == [short_text_cost(text.replace("\r\n", "\n")) for text in TEXTS]


def test_posts_are_found_by_a_word_and_a_reconnect_misses_nothing(visit: Visit, link: str) -> None:
    aki, haru = visit.person(link, "aki"), visit.person(link, "haru")
    mine = found(aki, "電波のないところ")
    say(mine, "ﾋﾞｰﾙがおいしい")
    count(mine.locator(".post"), 1)
    theirs = places(haru)
    theirs.locator("[data-which=posts]").click()
    theirs.locator("#place_words").fill("びーる")
    theirs.locator("#place-search [type=submit]").click()
    theirs.locator(".people-list button", has_text="おいしい").click()
    says(theirs.locator("#places-title"), "電波のないところ")
    haru.context.set_offline(True)
    visit.forgive("ERR_INTERNET_DISCONNECTED", "Failed to load")
    say(mine, "聞こえないあいだ")
    count(mine.locator(".post"), 2)
    haru.context.set_offline(False)
    count(theirs.locator(".post"), 2)
    assert texts(theirs) == ["聞こえないあいだ", "ﾋﾞｰﾙがおいしい"]
