"""Drafts and unsent lines survive reloads, trains and restarts, are everybody's tabs', and nobody else's."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.conftest import DESKTOP, LOSS, Visit
from tests.browser.test_first_page import count, enter_room, has_value, line, said, state, write
from tests.browser.test_tabs import another_tab, texts
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.timeout(90)]

KEPT = "Object.keys(localStorage).filter((key) => /^tsudoi.(line|draft)/.test(key)).length"


def until_kept(page: Any, what: str, text: str) -> None:
    """Wait until the browser keeps this."""
    page.wait_for_function(
        "([what, text]) => Object.entries(localStorage).some("
        "([key, value]) => key.startsWith('tsudoi.' + what) && value.includes(text))",
        arg=[what, text],
    )


def test_a_draft_survives_a_reload_and_ends_with_its_sending(visit: Visit, link: str) -> None:
    aki = visit.person(link, "aki")
    enter_room(aki)
    aki.locator("#composer-text").fill("書きかけの")
    # The page goes before the next time to keep comes.
    aki.locator("#composer-text").press_sequentially("話", delay=0)
    aki.reload()
    enter_room(aki)
    has_value(aki, "書きかけの話")
    aki.locator("#send").click()
    line(aki, "書きかけの話").wait_for()
    aki.reload()
    enter_room(aki)
    line(aki, "書きかけの話").wait_for()
    has_value(aki, "")
    assert said(aki).count("書きかけの話") == 1


def test_a_draft_is_kept_during_a_conversion_without_touching_it(visit: Visit, link: str) -> None:
    aki = visit.person(link, "aki")
    enter_room(aki)
    keys = aki.context.new_cdp_session(aki)
    aki.locator("#composer-text").focus()
    keys.send("Input.imeSetComposition", {"text": "きょう", "selectionStart": 3, "selectionEnd": 3})
    until_kept(aki, "draft", "きょう")
    # The conversion is still the same one: its text is replaced, not added to.
    keys.send("Input.imeSetComposition", {"text": "きょうは", "selectionStart": 4, "selectionEnd": 4})
    keys.send("Input.insertText", {"text": "今日は"})
    has_value(aki, "今日は")
    until_kept(aki, "draft", "今日は")
    assert "今日は" not in said(aki), "keeping is not sending"


def test_an_older_tab_does_not_overwrite_a_newer_draft(visit: Visit, link: str) -> None:
    first = visit.person(link, "aki")
    second = another_tab(visit, first)
    enter_room(first)
    first.locator("#composer-text").fill("古い")
    until_kept(first, "draft", "古い")
    enter_room(second)
    has_value(second, "古い")
    second.locator("#composer-text").fill("新しい")
    until_kept(second, "draft", "新しい")
    # The first one goes, and keeps what it has: that is older.
    first.reload()
    enter_room(first)
    has_value(first, "新しい")
    # What is sent in one is a draft in none.
    second.locator("#send").click()
    line(second, "新しい").wait_for()
    first.reload()
    enter_room(first)
    line(first, "新しい").wait_for()
    has_value(first, "")
    assert [said(first).count(text) for text in ("新しい", "古い")] == [1, 0]


def test_unsent_lines_survive_the_end_of_the_browser_and_come_once(visit: Visit, link: str) -> None:
    visit.forgive(*LOSS)
    haru, aki = visit.person(link, "haru"), visit.person(link, "aki")
    enter_room(haru)
    enter_room(aki)
    context = aki.context
    context.set_offline(True)
    # The link is given up once it is known to carry nothing. Said again: the browser may have said it before it was so.
    aki.evaluate("dispatchEvent(new Event('offline'))")
    state(aki, "電波待ち")
    for number in range(3):
        write(aki, f"圏外 {number}")
    count(aki.locator("#pending .waiting"), 3)
    fate = aki.locator("#pending .beside").first
    assert "未送信" in fate.text_content()
    assert fate.locator("time").count() == 1, "when it was written"
    aki.close()
    context.set_offline(False)
    again = visit.page(link.partition("#")[0], context)
    enter_room(again)
    for page in (again, haru):
        line(page, "圏外 2").wait_for()
        assert [text for text in texts(page) if "圏外" in text] == ["圏外 0", "圏外 1", "圏外 2"]
    count(again.locator("#pending .line"), 0)


def test_lines_of_two_tabs_leave_in_their_order(visit: Visit, demo: ServerProcess, link: str) -> None:
    visit.forgive(*LOSS)
    haru, first = visit.person(link, "haru"), visit.person(link, "aki")
    second = another_tab(visit, first)
    for page in (haru, first, second):
        enter_room(page)
    demo.kill()
    for page in (first, second):
        state(page, "電波待ち")
    for number in range(4):
        write((first, second)[number % 2], f"交互に {number}")
        for page in (first, second):
            page.locator("#pending .waiting", has_text=f"交互に {number}").wait_for()
    demo.start()
    for page in (first, second, haru):
        line(page, "交互に 3").wait_for()
        count(page.locator("#pending .line"), 0)
        assert [text for text in texts(page) if "交互" in text] == [f"交互に {n}" for n in range(4)]


def test_the_words_of_one_account_never_show_for_another(
    visit: Visit, demo: ServerProcess, link: str
) -> None:
    visit.forgive(*LOSS, "401")
    aki = visit.person(link, "aki")
    enter_room(aki)
    demo.kill()
    state(aki, "電波待ち")
    write(aki, "あきの圏外")
    aki.locator("#composer-text").fill("あきの下書き")
    until_kept(aki, "draft", "あきの下書き")
    aki.locator("#leave").click()
    demo.start()
    aki.reload()
    aki.locator("[data-handle=mio]").click()
    enter_room(aki)
    has_value(aki, "")
    count(aki.locator("#pending .line"), 0)
    count(line(aki, "あきの圏外"), 0)
    aki.locator("#leave").click()
    aki.locator("[data-handle=aki]").click()
    enter_room(aki)
    line(aki, "あきの圏外").wait_for()
    has_value(aki, "あきの下書き")
    # Logging out forgets.
    aki.locator("#menu-button").click()
    aki.locator("#log-out").click()
    aki.locator("#ask-do").click()
    aki.locator("[data-handle=aki]").wait_for()
    assert aki.evaluate(KEPT) == 0


def test_log_out_in_one_tab_empties_all(visit: Visit, link: str) -> None:
    visit.forgive("401", "403")
    first = visit.page(link, visit.context(**DESKTOP))
    first.locator("[data-handle=aki]").click()
    second = another_tab(visit, first)
    for page in (first, second):
        enter_room(page)
        page.locator("#composer-text").fill("ひみつ")
        until_kept(page, "draft", "ひみつ")
    second.locator("#menu-button").click()
    second.locator("#log-out").click()
    second.locator("#ask-do").click()
    second.locator("#door:visible").wait_for()
    first.locator("#door:visible").wait_for()
    first.reload()
    first.locator("#door:visible").wait_for()
    assert first.evaluate(KEPT) == 0


def test_what_one_was_to_say_is_not_said_by_whoever_comes_in_meanwhile(
    visit: Visit, demo: ServerProcess, link: str
) -> None:
    visit.forgive(*LOSS)
    haru, aki, mio = (visit.person(link, handle) for handle in ("haru", "aki", "mio"))
    for page in (haru, aki):
        enter_room(page)
    session = mio.context.cookies()
    mio.close()
    demo.kill()
    state(aki, "電波待ち")
    write(aki, "あきの言葉")
    until_kept(aki, "line", "あきの言葉")
    # Another tab of this browser came in as somebody else while the link was away.
    aki.context.clear_cookies()
    aki.context.add_cookies(session)
    demo.start()
    aki.locator("#me", has_text="みおさん").wait_for()
    enter_room(aki)
    count(aki.locator("#pending .line"), 0)
    write(aki, "みおの言葉")
    for page in (aki, haru):
        line(page, "みおの言葉").wait_for()
        count(line(page, "あきの言葉"), 0)
    assert said(aki) == said(haru)
    assert said(haru)[-1] == "みおの言葉"
