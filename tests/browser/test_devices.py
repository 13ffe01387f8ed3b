"""One's devices and one's address in a real browser: a further device by QR code, another address, and its undoing (FEATURES §2)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.conftest import PHONE, Visit
from tests.browser.test_first_page import count, post
from tests.browser.test_join import FULL_WIDTH, entry, mailed, says, token_of
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.timeout(90)]


def settings(page: Any) -> Any:
    """One's settings, once they are there."""
    entry(page, "menu-settings")
    page.locator("#mail-now").wait_for()
    return page.locator("#settings")


def moved(page: Any, address: str) -> None:
    """Change to an address, with the code typed by a Japanese input method's digits."""
    page.locator("#mail_new").fill(address)
    page.locator("#mail-form .strong").click()
    says(page.locator("#settings"), f"{address} に6桁のコードを送りました")
    assert page.evaluate("document.activeElement.id") == "mail_code"
    page.locator("#mail_code").fill(mailed(page).translate(FULL_WIDTH))
    page.locator("#mail-code-form .strong").click()
    says(page.locator("#settings .said-there"), f"{address} に変更しました")


def login(page: Any, address: str) -> None:
    """To the end of a log-in by mail."""
    page.locator("#door-ways summary").click()
    page.locator("#login-form #address").fill(address)
    page.locator("#login-form .strong").click()
    page.locator("#code").fill(mailed(page))
    page.locator("#code-form .strong").click()


def test_an_address_is_changed_and_the_old_one_undoes_it(
    visit: Visit, demo: ServerProcess, link: str
) -> None:
    visit.forgive("409", "401")
    aki = visit.person(link, "aki", **PHONE)
    sheet = settings(aki)
    says(sheet.locator("#mail-now"), "アドレスはまだありません")
    aki.locator("#mail-form .strong").click()
    says(aki.locator("#mail_new-fault"), "入力")
    aki.locator("#mail_new").fill("nobody")
    aki.locator("#mail-form .strong").click()
    says(aki.locator("#mail_new-fault"), "形をお確かめください")
    # A phone company's address, typed in full width, is told about and taken all the same.
    told = sheet.locator("#mail-form [role=status]")
    aki.locator("#mail_new").fill("ａｋｉ＠docomo.ne.jp")
    says(told, "携帯電話会社のアドレスです")
    aki.locator("#mail_new").fill("aki@docomo.ne.jp.example.com")
    assert told.text_content() == ""
    moved(aki, "aki@example.com")
    says(sheet.locator("#mail-now"), "いまのアドレス: aki@example.com")
    aki.locator("#mail_new").fill("AKI@example.com")
    aki.locator("#mail-form .strong").click()
    says(aki.locator("#mail_new-fault"), "いまと同じ")
    # Somebody who found the phone open.
    moved(aki, "thief@example.org")
    says(sheet.locator("#mail-now"), "thief@example.org")
    own = visit.page(link, visit.context())
    login(own, "aki@example.com")
    says(own.locator("#door-forms h2"), "アドレスは変更されています")
    assert own.evaluate("document.activeElement.textContent") == "アドレスは変更されています"
    own.locator("#undo-form .strong").click()
    says(own.locator("#me"), "あきさん")
    # Whoever had changed it is out.
    aki.locator("#door:visible").wait_for()
    settings(own)
    says(own.locator("#mail-now"), "いまのアドレス: aki@example.com")
    thief = visit.page(link, visit.context())
    thief.locator("#door-ways summary").click()
    thief.locator("#login-form #address").fill("thief@example.org")
    thief.locator("#login-form .strong").click()
    says(thief.locator(".demo-mail pre"), "取り消されました")


def test_the_other_devices_are_told_of_a_change(visit: Visit, demo: ServerProcess, link: str) -> None:
    aki, other = visit.person(link, "aki"), visit.person(link, "aki", **PHONE)
    haru = visit.person(link, "haru")
    settings(aki)
    moved(aki, "aki@example.com")
    notice = other.locator("#notice", has_text="変更されました")
    notice.wait_for()
    assert "前のアドレスでログインすると取り消せます" in notice.text_content()
    # It is nobody else's business: what is said to haru after it comes alone.
    post(aki, demo.url, "post.create", text="引っ越した", nonce="moved")
    says(haru.locator("#feed-posts .post-text"), "引っ越した")
    assert haru.locator("#notice").text_content() == ""


@pytest.mark.parametrize("language", ["ja", "en"])
def test_a_further_device_scans_and_is_in(
    visit: Visit, demo: ServerProcess, link: str, language: str
) -> None:
    visit.forgive("404")
    aki = visit.person(link, "aki")
    entry(aki, "menu-sessions")
    aki.locator("#sessions-add").click()
    offer = aki.locator("#sessions-offer")
    says(offer, "一度だけ使えます")
    picture = offer.locator("img")
    assert picture.evaluate("async (qr) => { await qr.decode(); return qr.naturalWidth; }") > 0
    assert picture.get_attribute("alt") == "端末を追加するQRコード"
    url = aki.locator("#device-link").input_value()
    phone = visit.page(url, visit.context(**PHONE))
    says(phone.locator("#device-as"), "あきさんとして")
    assert token_of(url) not in phone.url
    if language == "en":
        phone.get_by_text("English").click()
        says(phone.locator("#device-as"), "as あき")
    phone.locator("#device-form .strong").click()
    phone.locator("#house:visible").wait_for()
    says(aki.locator("#sessions-said"), "新しい端末でログインがありました")
    # The demo itself made one.
    count(aki.locator("#sessions-list .listed"), 3)
    assert offer.is_hidden()
    # It worked once.
    late = visit.page(url, visit.context(**PHONE))
    says(late.locator("#device-gone"), "もう使えません")
    assert token_of(url) not in demo.log_text()
