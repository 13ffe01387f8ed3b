"""Recovery codes in a real browser: offered, made, shown once, typed at the door (FEATURES §2)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import PHONE, Visit
from tests.browser.test_devices import settings
from tests.browser.test_first_page import count, post
from tests.browser.test_join import says
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.timeout(90)]

OFFERED = "予備のコードをつくれます"


@pytest.fixture
def demo_settings() -> dict[str, str]:
    """Everybody here is old enough to be offered some."""
    return {"TSUDOI_RECOVERY_OFFER_S": "0"}


def made(page: Any) -> list[str]:
    """The codes that are shown."""
    page.locator("#recovery-codes").wait_for()
    return page.locator("#recovery-codes").input_value().split("\n")  # type: ignore[no-any-return]  # a string


def at_the_door(visit: Visit, link: str) -> Any:
    """A stranger's phone where one types a recovery code."""
    page = visit.page(link, visit.context(**PHONE))
    page.locator("#door-ways summary").click()
    page.get_by_role("button", name="メールを使えないとき").click()
    page.locator("#recovery-form").wait_for()
    return page


def full_width(text: str) -> str:
    """As a Japanese input method leaves it."""
    return "".join(chr(ord(c) + 0xFEE0) for c in text)


def enter(page: Any, handle: str, code: str) -> None:
    """Type both and go."""
    page.locator("#recovery_handle").fill(handle)
    page.locator("#recovery_code").fill(code)
    page.locator("#recovery-form .strong").click()


def test_somebody_without_mail_gets_in_by_a_code(visit: Visit, demo: ServerProcess, link: str) -> None:
    visit.forgive("422", "403")
    aki = visit.person(link, "aki", **PHONE)
    says(aki.locator("#notice"), OFFERED)
    sheet = settings(aki)
    says(sheet.locator("#recovery-now"), "まだありません")
    sheet.locator("#recovery-make").click()
    codes = made(aki)
    assert len(codes) == 8
    assert aki.evaluate("document.activeElement.id") == "recovery-shown"
    says(sheet.locator("#recovery-now"), "のこり 8 個")
    with aki.expect_download() as coming:
        sheet.get_by_role("button", name="ファイルに保存").click()
    assert coming.value.suggested_filename == "tsudoi-recovery.txt"
    assert all(code in Path(coming.value.path()).read_text() for code in codes)
    # They are shown once.
    aki.keyboard.press("Escape")
    settings(aki)
    says(sheet.locator("#recovery-now"), "のこり 8 個")
    count(aki.locator("#recovery-codes"), 0)
    aki.keyboard.press("Escape")

    door = at_the_door(visit, link)
    assert door.evaluate("document.activeElement.id") == "recovery_handle"
    door.locator("#recovery-form .strong").click()
    says(door.locator("#recovery_handle-fault"), "入力")
    enter(door, "あき", codes[0])
    says(door.locator("#recovery_handle-fault"), "半角の英小文字")
    for handle in ("haru", "nobody_here"):
        enter(door, handle, codes[0])
        says(door.locator("#recovery_code-fault"), "組み合わせがちがう")
    enter(door, "＠Ａｋｉ", full_width(codes[0].lower()))
    says(door.locator("#me"), "あきさん")
    says(aki.locator("#notice"), "新しい端末でログインがありました")
    settings(door)
    says(door.locator("#recovery-now"), "のこり 7 個")
    assert all(code not in demo.log_text() for code in codes)

    late = at_the_door(visit, link)
    enter(late, "aki", codes[0])
    says(late.locator("#recovery_code-fault"), "使われたコード")
    # Another language leaves one where one is, and what was typed.
    late.get_by_text("English").first.click()
    says(late.locator("#recovery-form .strong"), "Log in")
    assert late.locator("#recovery_handle").input_value() == "aki"
    late.get_by_role("button", name="Log in by mail").click()
    late.locator("#login-form").wait_for()


def test_new_ones_and_logging_out_elsewhere_end_those_before(
    visit: Visit, demo: ServerProcess, link: str
) -> None:
    visit.forgive("403")
    aki = visit.person(link, "aki")
    sheet = settings(aki)
    sheet.locator("#recovery-make").click()
    old = made(aki)[0]
    sheet.locator("#recovery-make").click()
    says(aki.locator("#ask-text"), "前のコードはすべて使えなくなります")
    aki.locator("#ask-do").click()
    aki.wait_for_function("old => !document.getElementById('recovery-codes').value.includes(old)", arg=old)
    codes = made(aki)
    assert len(codes) == 8
    assert old not in codes
    door = at_the_door(visit, link)
    enter(door, "aki", old)
    says(door.locator("#recovery_code-fault"), "組み合わせがちがう")
    post(aki, demo.url, "session.revoke_all", others=True)
    enter(door, "aki", codes[0])
    says(door.locator("#recovery_code-fault"), "組み合わせがちがう")
    assert door.locator("#house").is_hidden()
    assert post(aki, demo.url, "recovery.get") == {"left": 0, "made_at": None, "due": True}


def test_they_are_offered_once_in_a_while(visit: Visit, demo: ServerProcess, link: str) -> None:
    aki = visit.person(link, "aki")
    says(aki.locator("#notice"), OFFERED)
    aki.reload()
    # What is told of settings is known as soon as they open: nothing was said by then.
    settings(aki)
    assert OFFERED not in aki.locator("#notice").text_content()
    aki.evaluate(
        """() => {
        const told = JSON.parse(localStorage.getItem('tsudoi.recovery'));
        localStorage.setItem('tsudoi.recovery', JSON.stringify({ ...told, at: told.at - 31 * 86400000 }));
    }"""
    )
    aki.reload()
    says(aki.locator("#notice"), OFFERED)
