"""Who may see that one is here, in real browsers: one tap, exceptions, blocks (FEATURES §7)."""

from __future__ import annotations

import pytest

from tests.browser.conftest import PHONE, Visit
from tests.browser.test_first_page import post
from tests.browser.test_join import entry, says
from tests.browser.test_presence import SWIFT, dm, dot, is_so, open_dm, row
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


@pytest.fixture
def demo_settings() -> dict[str, str]:
    """Whoever leaves is gone soon."""
    return SWIFT


def test_one_is_hidden_by_one_tap(visit: Visit, demo: ServerProcess, link: str) -> None:
    aki, haru = visit.person(link, "aki", **PHONE), visit.person(link, "haru")
    dm(haru, demo, "aki")
    head = open_dm(haru, "あき")
    open_dm(aki, "はる")
    is_so(head, "いまここにいます")
    dot(aki.locator("#own"), "online")
    aki.locator("#own").click()
    sheet = aki.locator("#visibility")
    is_so(sheet.locator("[data-as=mutuals]"), "オンライン")
    is_so(sheet.locator("[data-as=others]"), "オフライン")
    says(sheet, "書けば、いることは伝わります。")
    nobody = sheet.get_by_role("button", name="誰にも見せない")
    nobody.click()
    is_so(head, "最終ログイン5分以内")
    is_so(sheet.locator("[data-as=mutuals]"), "最終ログイン5分以内")
    assert nobody.get_attribute("aria-pressed") == "true"
    assert aki.evaluate("document.activeElement.dataset.to") == "nobody"
    aki.keyboard.press("Escape")
    dot(aki.locator("#own"), "offline")
    says(aki.locator("#own .unseen"), "")
    # Who hides sees nobody either.
    dot(row(aki, "はる"), "offline")
    assert post(aki, demo.url, "account.get", handle="aki")["settings"]["presence_to"] == "nobody"
    aki.locator("#own").click()
    aki.locator("#visibility [data-to=everyone]").click()
    is_so(head, "いまここにいます")
    is_so(aki.locator("#visibility [data-as=others]"), "オンライン")


def test_one_person_is_an_exception(visit: Visit, demo: ServerProcess, link: str) -> None:
    aki, haru = visit.person(link, "aki"), visit.person(link, "haru")
    dm(haru, demo, "aki")
    head, mine = open_dm(haru, "あき"), open_dm(aki, "はる")
    is_so(mine, "いまここにいます")
    aki.locator("#people-button").click()
    profile = aki.locator("#profile")
    is_so(profile.locator(".profile-head .presence"), "オンライン · いまここにいます")
    profile.get_by_role("button", name="見え方").click()
    sheet = aki.locator("#exception")
    is_so(sheet.locator("[data-as=account]"), "オンライン")
    assert sheet.locator("[aria-pressed=true]").text_content() == "設定どおり"
    sheet.get_by_role("button", name="見せない").click()
    is_so(head, "最終ログイン5分以内")
    # From whom one hides, one does not see either.
    dot(row(aki, "はる"), "offline")
    is_so(sheet.locator("[data-as=account]"), "最終ログイン5分以内")
    for _ in range(2):
        aki.keyboard.press("Escape")
    entry(aki, "menu-settings")
    kept = aki.locator("#exceptions .person-row")
    says(kept, "@haru")
    kept.get_by_role("button").click()
    is_so(head, "いまここにいます")
    is_so(mine, "いまここにいます")
    assert post(aki, demo.url, "presence.exceptions") == {"exceptions": [], "next": None}


def test_whoever_is_blocked_is_not_here_for_the_other(visit: Visit, demo: ServerProcess, link: str) -> None:
    aki, haru = visit.person(link, "aki"), visit.person(link, "haru")
    dm(haru, demo, "aki")
    people = {handle: post(aki, demo.url, "account.get", handle=handle)["id"] for handle in ("aki", "haru")}
    head, mine = open_dm(haru, "あき"), open_dm(aki, "はる")
    is_so(head, "いまここにいます")
    is_so(mine, "いまここにいます")
    aki.locator("#people-button").click()
    aki.locator("#profile").get_by_role("button", name="ブロックする").click()
    aki.locator("#ask-do").click()
    is_so(head, "オフライン")
    dot(row(aki, "はる"), "offline")
    # Neither is told when the other was last here.
    for page, other in ((haru, people["aki"]), (aki, people["haru"])):
        told = post(page, demo.url, "presence.get", accounts=[other])
        assert told["people"] == {other: {"state": "offline", "seen": None, "doing": None}}
