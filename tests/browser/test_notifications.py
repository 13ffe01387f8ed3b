"""Notifications in a real browser: told live with their number, read on one device and so on all, found by page (FEATURES §8)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.conftest import DESKTOP, LINK, PHONE, Visit
from tests.browser.test_access import Judge
from tests.browser.test_first_page import count, post
from tests.browser.test_join import entry, says
from tests.browser.test_polling import person_of
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.timeout(90)]


def badge(page: Any, number: int) -> None:
    """Wait until the button has this number, 0: none; the title counts the demo's one unread room too."""
    from playwright.sync_api import expect

    shown = page.locator("#news-badge")
    if number == 0:
        expect(shown).to_be_hidden()
    else:
        expect(shown).to_have_text(str(number))
    expect(page).to_have_title(f"({number + 1}) Tsudoi")


def news(page: Any) -> Any:
    """The list, opened by its button."""
    page.locator("#news-button").click()
    page.locator("#notifications[open]").wait_for()
    return page.locator("#notifications")


def says_something(page: Any, url: str, text: str = "どう?", **fields: Any) -> str:
    """A post of this page's person."""
    return str(post(page, url, "post.create", text=text, nonce=text, **fields)["post"])


def test_what_concerns_one_comes_live_and_reading_clears_the_other_device(
    visit: Visit, demo: ServerProcess, link: str
) -> None:
    from playwright.sync_api import expect

    desk, phone = visit.person(link, "aki"), visit.person(link, "aki", **PHONE)
    haru, ken = visit.person(link, "haru"), visit.person(link, "ken")
    said = says_something(desk, demo.url)
    for page in (desk, phone):
        badge(page, 0)
    post(haru, demo.url, "reaction.add", post=said, kind="like")
    for page in (desk, phone):
        badge(page, 1)
        says(page.locator("body > p.unseen[aria-live]"), "新着のお知らせが1件あります")
    says_something(haru, demo.url, "@aki ねえ")
    post(ken, demo.url, "reaction.add", post=said, kind="like")
    for page in (desk, phone):
        badge(page, 2)
    expect(desk.locator("#news-button")).to_have_attribute("aria-label", "お知らせ (未読 2 件)")
    sheet = news(desk)
    count(sheet.locator(".news-line.fresh"), 2)
    says(sheet.locator("[data-kind=like]"), "けんさんとはるさんがあなたの投稿にいいねしました")
    says(sheet.locator("[data-kind=like] .news-text"), "どう?")
    says(sheet.locator("[data-kind=mention] .news-text"), "@aki ねえ")
    says(sheet.locator(".news-day"), "きょう")
    for page in (desk, phone):
        badge(page, 0)
    # What comes while one looks is there at once, marked, and read.
    post(ken, demo.url, "reaction.add", post=said, stamp="suteki")
    sheet.locator("[data-kind=reaction].fresh").wait_for()
    says(desk.locator("#notifications p.unseen[aria-live]"), "新着のお知らせが1件あります")
    for page in (desk, phone):
        badge(page, 0)
    post(ken, demo.url, "reaction.remove", post=said)
    count(sheet.locator("[data-kind=reaction]"), 0)
    desk.keyboard.press("Escape")
    sheet = news(desk)
    count(sheet.locator(".news-line"), 2)
    count(sheet.locator(".fresh"), 0)
    told = post(phone, demo.url, "notification.list")["notifications"]
    assert [(each["kind"], each["unread"]) for each in told] == [("like", False), ("mention", False)]


def test_a_line_leads_to_what_it_is_about_and_an_empty_list_says_so(
    visit: Visit, demo: ServerProcess, link: str
) -> None:
    aki, haru = visit.person(link, "aki"), visit.person(link, "haru")
    sheet = news(aki)
    says(sheet.locator("#news"), "お知らせはまだありません。")
    haru_id = post(haru, demo.url, "account.get", handle="haru")["id"]
    aki_id = post(haru, demo.url, "account.get", handle="aki")["id"]
    post(haru, demo.url, "follow.remove", account=aki_id)
    post(haru, demo.url, "follow.add", account=aki_id)
    sheet.locator("[data-kind=follow]").wait_for()
    sheet.locator("[data-kind=follow] .news-open").click()
    aki.locator("#profile .profile-head").wait_for()
    aki.keyboard.press("Escape")
    post(aki, demo.url, "account.update", private=True)
    post(haru, demo.url, "follow.remove", account=aki_id)
    post(haru, demo.url, "follow.add", account=aki_id)
    sheet.locator("[data-kind=follow_request] .news-open").click()
    aki.locator(f"#ties [data-account='{haru_id}']").wait_for()
    aki.keyboard.press("Escape")
    post(aki, demo.url, "account.update", private=False)
    said = says_something(aki, demo.url)
    says_something(haru, demo.url, "うん", reply_to=said)
    sheet.locator("[data-kind=reply] .news-open").click()
    says(aki.locator("#thread"), "どう?")
    says(aki.locator("#thread"), "うん")
    aki.keyboard.press("Escape")
    place = post(aki, demo.url, "community.create", name="電車の窓", nonce="c")["id"]
    post(haru, demo.url, "community.join", community=place)
    says(sheet.locator("[data-kind=community_joined]"), "はるさんが「電車の窓」に参加しました")
    sheet.locator("[data-kind=community_joined] .news-open").click()
    says(aki.locator("#places-title"), "電車の窓")
    aki.keyboard.press("Escape")
    post(aki, demo.url, "block.add", account=haru_id)
    says(sheet.locator("#news"), "お知らせはまだありません。")
    assert sheet.locator(".news-line").count() == 0
    assert post(aki, demo.url, "notification.list")["notifications"] == []


@pytest.fixture
def free(visit: Visit) -> Iterator[ServerProcess]:
    """A demo in which a test may act as fast as it can."""
    quick = {"TSUDOI_OPERATIONS_PER_S": "1000", "TSUDOI_OPERATIONS_BURST": "1000"}
    with ServerProcess(quick, ("demo",)) as server:
        yield server
        visit.leave()


def test_many_are_read_by_page_as_one_goes_down(visit: Visit, free: ServerProcess) -> None:
    demo, link = free, free.wait_for_log(LINK)
    aki, haru = visit.person(link, "aki", **PHONE), visit.person(link, "haru")
    for number in range(40):
        says_something(haru, demo.url, f"@aki {number}")
    badge(aki, 40)
    sheet = news(aki)
    says(sheet.locator(".news-line").first, "@aki 39")
    sheet.locator(".news-line").nth(29).scroll_into_view_if_needed()
    aki.mouse.wheel(0, 5_000)
    count(sheet.locator(".news-line"), 40)
    says(sheet.locator(".news-line").last, "@aki 0")
    badge(aki, 0)
    told = sheet.locator(".news-line .news-text").all_text_contents()
    assert told == [f"@aki {number}" for number in range(39, -1, -1)]


def test_a_kind_is_switched_off_in_the_settings_and_stays_off(
    visit: Visit, demo: ServerProcess, link: str
) -> None:
    from playwright.sync_api import expect

    context = visit.context(**DESKTOP)
    aki, haru = person_of(visit, link, context, "aki"), visit.person(link, "haru")
    said = says_something(aki, demo.url)
    news(aki).locator("#news-settings").click()
    box = aki.locator("#news_like")
    expect(box).to_be_checked()
    box.uncheck()
    aki.wait_for_function(
        """async () => {
          const asked = { method: "POST", body: "{}", headers: { "content-type": "application/json" } };
          const { ok } = await (await fetch("/api/v1/notification.get", asked)).json();
          return ok.switches.some(({ kind, on }) => kind === "like" && !on);
        }"""
    )
    aki.reload()
    aki.locator("#house:visible").wait_for()
    entry(aki, "menu-settings")
    expect(aki.locator("#news_like")).not_to_be_checked()
    expect(aki.locator("#news_reply")).to_be_checked()
    aki.keyboard.press("Escape")
    post(haru, demo.url, "reaction.add", post=said, kind="like")
    post(haru, demo.url, "reaction.add", post=said, stamp="kawaii")
    badge(aki, 1)
    says(news(aki).locator(".news-line"), "スタンプ")
    kinds = [each["kind"] for each in post(aki, demo.url, "notification.list")["notifications"]]
    assert kinds == ["reaction"]


def test_the_list_keeps_the_rules_and_speaks_both_languages(
    visit: Visit, demo: ServerProcess, link: str
) -> None:
    aki, haru = visit.person(link, "aki"), visit.person(link, "haru")
    said = says_something(aki, demo.url)
    post(haru, demo.url, "reaction.add", post=said, kind="like")
    says_something(haru, demo.url, "うん", reply_to=said)
    badge(aki, 2)
    judge = Judge(aki)
    sheet = news(aki)
    count(sheet.locator(".fresh"), 2)
    assert judge.dialog() == []
    aki.keyboard.press("Escape")
    entry(aki, "menu-settings")
    aki.locator("#news-switches").wait_for()
    aki.locator("#settings .language[lang=en], #settings .language:has-text('English')").first.click()
    aki.keyboard.press("Escape")
    says(news(aki).locator("[data-kind=like]"), "はる liked your post")
