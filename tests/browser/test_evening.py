"""A whole evening of two people: a link, a sign-up, a group, a tunnel, and an end (FEATURES §12, J1, J6, J21).

One of them sits at a desk, the other holds a phone of 360 × 640 and writes by an input method throughout.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.conftest import LOSS, PHONE, Visit
from tests.browser.test_first_page import count, enter_room, line, said, state, to_rooms, write
from tests.browser.test_home import share
from tests.browser.test_join import FULL_WIDTH, entry, give_address, invite, says
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


class Fingers:
    """Types as a person who writes Japanese does: what is read first, then what it becomes."""

    def __init__(self, page: Any) -> None:
        self._page = page
        self._keys = page.context.new_cdp_session(page)

    def convert(self, reading: str, text: str) -> None:
        """Convert `reading`; the Enter that ends the conversion goes to the input method, not to the page."""
        end = {"selectionStart": len(reading), "selectionEnd": len(reading)}
        self._keys.send("Input.imeSetComposition", {"text": reading, **end})
        for kind in ("rawKeyDown", "keyUp"):
            self._keys.send(
                "Input.dispatchKeyEvent",
                {"type": kind, "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 229},
            )
        self._keys.send("Input.insertText", {"text": text})

    def into(self, field: str, reading: str, text: str) -> None:
        """The same into a field that is empty."""
        self._page.locator(field).tap()
        self._page.locator(field).fill("")
        self.convert(reading, text)
        assert self._page.locator(field).input_value() == text


def sign_up(page: Any, fingers: Fingers) -> None:
    """From the link to the house, everything typed in full width."""
    page.locator("#open").tap()
    page.locator("#join-form .strong").tap()
    code = give_address(page, "nao@example.org")
    fingers.into("#code", code, code.translate(FULL_WIDTH))
    page.locator("#code-form .strong").tap()
    fingers.into("#handle", "なお", "ｎａｏ＿７")
    fingers.into("#name", "なお", "直")
    page.locator("#profile-form .strong").tap()
    page.locator("#privacy-form .strong").tap()
    page.locator("#house:visible").wait_for()


def fits(page: Any) -> None:
    """Nothing scrolls sideways on the phone."""
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_an_evening(visit: Visit, demo: ServerProcess, link: str) -> None:
    visit.forgive(*LOSS, "403")
    aki = visit.person(link, "aki")
    share(aki, "ようこそ、集いへ")
    url, _ = invite(aki)
    aki.keyboard.press("Escape")
    context = visit.context(**PHONE)
    nao = visit.page(url, context)
    fingers = Fingers(nao)
    sign_up(nao, fingers)
    says(nao.locator("#me"), "直さん")
    says(aki.locator("#notice"), "直さんが参加しました")
    # A home in which the inviter's words stand already (J1).
    says(nao.locator("#feed-posts .post-text"), "ようこそ、集いへ")
    fits(nao)

    # Aki follows back, as one does, and makes a group of two.
    aki.locator("#new-button").click()
    aki.locator("#dm-handle").fill("nao_7")
    aki.locator("#dm-form [type=submit]").click()
    aki.locator("#people-button", has_text="プロフィール").click()
    aki.locator("#profile").get_by_role("button", name="フォローする").click()
    says(aki.locator("#profile"), "たがいにフォローしています")
    says(nao.locator("#notice"), "あきさんにフォローされました")
    aki.keyboard.press("Escape")
    nao.locator("#home_text").tap()
    fingers.convert("きました", "来ました")
    nao.keyboard.press("Enter")
    assert nao.locator(".post-pending li").count() == 0
    nao.locator("#home-form [type=submit]").tap()
    nao.locator(".post-pending [data-act=hurry]").tap()
    says(nao.locator("#feed-posts .post-text").first, "来ました")
    says(aki.locator("#feed-posts .post-text").first, "来ました")
    fits(nao)
    aki.locator("#new-button").click()
    aki.locator("#group-title").fill("夜の散歩")
    aki.locator("#group-people .choice", has_text="直").click()
    aki.locator("#group-form [type=submit]").click()
    says(aki.locator("#room-title"), "夜の散歩")

    to_rooms(nao)
    nao.locator(".room", has_text="夜の散歩").tap()
    nao.locator("#composer-text:visible").wait_for()
    fits(nao)
    nao.locator("#composer-text").tap()
    fingers.convert("いまからでる", "今から出る")
    # The Enter belonged to the conversion: nothing has left yet.
    count(line(aki, "今から出る"), 0)
    nao.locator("#send").tap()
    line(aki, "今から出る").wait_for()
    count(nao.locator("#pending .line"), 0)

    # A tunnel: what is written there is kept, and arrives once. Chromium that is offline does not always tell of a socket's end.
    demo.kill()
    context.set_offline(True)
    state(nao, "電波待ち")
    nao.locator("#composer-text").tap()
    fingers.convert("とんねるのなか", "トンネルの中")
    nao.locator("#send").tap()
    nao.locator("#pending .fate", has_text="未送信").wait_for()
    write(aki, "もう着いた")
    demo.start()
    context.set_offline(False)
    for page in (aki, nao):
        state(page, "つながっています")
        count(line(page, "トンネルの中"), 1)
        count(line(page, "もう着いた"), 1)
        count(page.locator("#pending .line"), 0)
        assert sorted(said(page)[-2:]) == ["もう着いた", "トンネルの中"]
    assert said(aki) == said(nao), "not the same order for both"

    # It does not end well: a block from the phone, which the other never learns of.
    nao.locator("#lines .who button", has_text="あき").first.tap()
    nao.locator("#profile").get_by_role("button", name="ブロックする").tap()
    nao.locator("#ask-do").tap()
    says(nao.locator("#profile"), "ブロック中")
    fits(nao)
    nao.locator("#profile header .icon").tap()
    nao.locator("#lines .folded").first.wait_for()
    count(line(nao, "もう着いた"), 0)
    write(aki, "怒った?")
    line(aki, "怒った?").wait_for()
    count(nao.locator("#lines .folded"), 2)
    nao.locator("#composer-text").tap()
    fingers.convert("おやすみ", "おやすみ")
    nao.locator("#send").tap()
    line(aki, "おやすみ").wait_for()
    # To aki the room is as it was; only the person cannot be found any more, as if they had gone.
    aki.locator("#lines .who button", has_text="直").first.click()
    says(aki.locator("#profile"), "見つかりません")


def test_in_every_field_enter_belongs_to_an_open_conversion(visit: Visit, link: str) -> None:
    page = visit.person(link, "aki", **PHONE)
    fingers = Fingers(page)
    page.evaluate(
        "() => { window.left = []; addEventListener('submit', (e) => window.left.push(e.target.id), true); }"
    )
    entry(page, "menu-me")
    page.locator("#profile .strong").tap()
    for name in ("name", "status", "bio"):
        fingers.into(f"#own-form #{name}", "てすと", "試し")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    entry(page, "menu-contact")
    fingers.into("#contact_words", "てすと", "試し")
    page.keyboard.press("Escape")
    enter_room(page)
    page.locator("#people-button").tap()
    fingers.into("#room_title", "てすと", "試し")
    page.keyboard.press("Escape")
    page.locator("#back").tap()
    page.locator("#new-button").tap()
    fingers.into("#group-title", "てすと", "試し")
    fingers.into("#dm-handle", "あき", "＠ｈａｒｕ")
    fingers.into("#invite_code", "０", "００００ー００００ー００００")
    assert page.evaluate("() => window.left") == []
    # A conversion in full width still names the person.
    page.locator("#dm-form [type=submit]").tap()
    says(page.locator("#room-title"), "はる")
