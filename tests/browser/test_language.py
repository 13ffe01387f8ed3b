"""Two languages in a real browser: chosen by the browser, changed while one writes, kept (FEATURES §11)."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.browser.conftest import DESKTOP, Visit
from tests.browser.test_first_page import ROOM, enter_room, has_value, line, write
from tests.browser.test_join import entry, invite, says

pytestmark = [pytest.mark.browser, pytest.mark.timeout(90)]

JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
MODULE = "document.querySelector('script[type=module]').src.replace(/[a-z]+\\.js$/, '%s')"
DATES = """([language, zone]) => Promise.all([import(DATES), import(WORDS)]).then(([dates, words]) => {
    words.speak(language);
    const at = (day, hour, minute) => new Date(2025, 10, day, hour, minute).getTime();
    const now = at(21, 0, 30);
    return [dates.brief(at(21, 0, 5), now), dates.brief(at(20, 21, 4), now), dates.brief(at(13, 9, 0), now),
        dates.full(at(21, 0, 5), now), dates.day(new Date(2024, 10, 20, 12).getTime(), now)];
})""".replace("DATES)", MODULE % "dates.js" + ")").replace("WORDS)", MODULE % "words.js" + ")")


def of(visit: Visit, locale: str) -> Any:
    """A browser whose owner reads this language."""
    return visit.browser.new_context(locale=locale, timezone_id="Asia/Tokyo", **DESKTOP)


@pytest.mark.parametrize(
    ("locale", "language"), [("ja-JP", "ja"), ("en-GB", "en"), ("fr-FR", "en"), ("ja", "ja"), ("en", "en")]
)
def test_the_browser_says_which_language(visit: Visit, link: str, locale: str, language: str) -> None:
    page = visit.page(link, of(visit, locale))
    says(page.locator("#door-text"), {"ja": "だれになりますか?", "en": "Who will you be?"}[language])
    assert page.locator("html").get_attribute("lang") == language


def test_at_the_door_it_changes_around_what_was_typed(visit: Visit, link: str) -> None:
    url, _ = invite(visit.person(link, "aki"))
    page = visit.page(link, of(visit, "en-GB"))
    page.locator("#door-ways summary").click()
    page.locator("#address").fill("me@example.org")
    page.locator("#invite_code").focus()
    keys = page.context.new_cdp_session(page)
    keys.send("Input.imeSetComposition", {"text": "ａｂｃ", "selectionStart": 3, "selectionEnd": 3})
    # The button was hit in the middle of a conversion: nothing is touched before its end.
    page.evaluate("() => document.querySelector('#door-languages [lang=ja]').click()")
    says(page.locator("#door-text"), "Who will you be?")
    assert page.locator("html").get_attribute("lang") == "en"
    keys.send("Input.insertText", {"text": "ａｂｃ"})
    says(page.locator("#door-text"), "だれになりますか?")
    says(page.locator("label[for=invite_code]"), "招待コード")
    assert page.locator("#address").input_value() == "me@example.org"
    assert page.locator("#invite_code").input_value() == "ａｂｃ"
    assert page.evaluate("document.activeElement.id") == "invite_code"
    page.reload()
    says(page.locator("#door-text"), "だれになりますか?")

    # The landing page of an invite speaks the same language, and changes in the same way.
    page.goto(url)
    page.locator("#open", has_text="招待をひらく").click()
    page.locator("#join-form .strong").click()
    page.locator("#address").fill("me@example.org")
    page.locator("#adult").check()
    page.locator("#languages [lang=en]").click()
    says(page.locator("#gate h2"), "Confirm your e-mail address")
    assert page.locator("#address").input_value() == "me@example.org"
    assert page.locator("#adult").is_checked()
    assert not JAPANESE.search(page.locator("#gate").inner_text().replace("あき", ""))


def test_inside_it_changes_around_what_is_being_written(visit: Visit, link: str) -> None:
    page = visit.person(link, "aki")
    enter_room(page)
    write(page, "見えてる?")
    mine = line(page, "見えてる?")
    mine.hover()
    mine.get_by_role("button", name="返信").click()
    page.locator("#composer-text").fill("書きかけの")
    entry(page, "menu-settings")
    page.locator("#private").check()
    page.locator("#settings [lang=en]").click()
    says(page.locator("#settings h2"), "Settings")
    # What was ticked but not saved is still ticked.
    assert page.locator("#private").is_checked()
    page.keyboard.press("Escape")
    says(page.locator("#link-text"), "Connected")
    says(page.locator("#people-button"), "4 people")
    says(page.locator("#lines .told").first, "You made “はじめての集い”")
    says(page.locator("#lines .told").nth(1), "You brought in はる, みお and けん")
    says(page.locator("#lines .day").first, "today")
    says(page.locator(".room-last"), "You: 見えてる?")
    says(page.locator("#reply-text"), "You: 見えてる?")
    has_value(page, "書きかけの")
    # People's own words are read aloud in their own language.
    assert mine.locator(".text").get_attribute("lang") == "ja"
    shown = page.locator("#house").inner_text()
    for word in (
        ROOM,
        "集い",
        "あき",
        "はる",
        "みお",
        "けん",
        "見えてる?",
        "集まれた!",
        "はや。いま帰りの電車",
        "今日の月、見た?",
        "見た。でかい",
    ):
        shown = shown.replace(word, "")
    # The round signs of people and rooms are one letter each.
    assert not [word for word in shown.split() if len(word) > 1 and JAPANESE.search(word)]
    page.reload()
    says(page.locator("#link-text"), "Connected")


def test_days_are_written_as_people_write_them(visit: Visit, link: str) -> None:
    page = visit.page(link)
    assert page.evaluate(DATES, ["ja", ""]) == [
        "0:05",
        "きのう 21:04",
        "11月13日(木)",
        "きょう 0:05",
        "2024年11月20日(水)",
    ]
    assert page.evaluate(DATES, ["en", ""]) == [
        "0:05",
        "yesterday 21:04",
        "Thu 13 Nov",
        "today 0:05",
        "Wed 20 Nov 2024",
    ]
