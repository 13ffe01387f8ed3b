"""The gate in a real browser: by link, by typed code, by mail; interrupted, refused, signed out (J1, J2, J16)."""

from __future__ import annotations

import json
import re
import urllib.request
from typing import Any

import pytest

from tests.browser.conftest import DESKTOP, PHONE, Visit
from tests.browser.test_first_page import count, enter_room
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.timeout(90)]

FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")
CODE = re.compile(r"^    (\d{6})$", re.MULTILINE)


def says(locator: Any, text: str) -> None:
    """Wait until this stands there."""
    from playwright.sync_api import expect

    expect(locator).to_contain_text(text)


def entry(page: Any, name: str) -> None:
    """An entry of the menu."""
    page.locator("#menu-button").click()
    page.locator(f"#{name}").click()


def invite(page: Any, room: str = "") -> tuple[str, str]:
    """Issue an invite as a person does: its link and its code. The dialog stays open."""
    entry(page, "menu-invites")
    if room:
        page.get_by_label(f"部屋「{room}」へ").check()
    page.locator("#invite-make-do").click()
    page.locator("#invite-made:visible").wait_for()
    return page.locator("#invite-link").input_value(), page.locator("#invite-code").text_content()


def token_of(url: str) -> str:
    """The secret of a link."""
    return url.partition("#")[2].partition("&")[0]


def tap(page: Any) -> None:
    """Open the invite, and join."""
    page.locator("#open").click()
    page.locator("#join-form .strong").click()


def give_address(page: Any, address: str) -> str:
    """The first step; the code that came, as the demo shows it."""
    page.locator("#address").fill(address)
    page.locator("#adult").check()
    page.locator("#terms").check()
    page.locator("#address-form .strong").click()
    return mailed(page)


def mailed(page: Any) -> str:
    """The code in the mail that the demo shows."""
    mail = page.locator(".demo-mail pre", has_text=CODE)
    mail.wait_for()
    found = CODE.search(mail.text_content())
    assert found
    return found[1]


def finish(page: Any, code: str, handle: str, name: str) -> None:
    """From the code to the house."""
    page.locator("#code").fill(code)
    page.locator("#code-form .strong").click()
    page.locator("#handle").fill(handle)
    page.locator("#name").fill(name)
    page.locator("#profile-form .strong").click()
    page.locator("#privacy-form .strong").click()
    page.locator("#house:visible").wait_for()
    says(page.locator("#me"), f"{name}さん")


def test_a_newcomer_comes_by_a_link_with_a_reload_on_the_way(
    visit: Visit, demo: ServerProcess, link: str
) -> None:
    visit.forgive("403")
    aki = visit.person(link, "aki")
    url, _ = invite(aki)
    qr = aki.locator("#invite-qr")
    assert qr.evaluate("async (qr) => { await qr.decode(); return qr.naturalWidth; }") > 0
    aki.locator("#invite-copy").click()
    says(aki.locator("#invites-said"), "コピーしました")
    context = visit.context(**PHONE)
    asked: list[Any] = []

    def note(request: Any) -> None:
        asked.append(request)

    context.on("request", note)
    mio = visit.page(url, context)
    mio.locator("#open").wait_for()
    assert mio.url == f"{demo.url}/i"
    # Nothing was asked before the tap, and the page of all invites is the same.
    assert not any("/api/" in request.url for request in asked)
    assert "あき" not in mio.locator("body").text_content()
    mio.reload()
    mio.locator("#open").click()
    says(mio.locator("#gate"), "あきさんからの招待です")
    says(mio.locator("#gate"), "招待した人に、参加したことが伝わります")
    assert mio.locator("#follow").is_checked()
    mio.locator("#join-form .strong").click()
    mio.locator("#address").fill("new@example.org")
    mio.locator("#address-form .strong").click()
    says(mio.locator("#adult-fault"), "18歳以上")
    # The mail app ends the browser; what was typed and where one was is still there.
    mio.reload()
    assert mio.locator("#address").input_value() == "new@example.org"
    give_address(mio, "new@example.org")
    mio.goto(url)
    code = mailed(mio)
    assert mio.get_by_text("いまひらいた招待ではじめる").count() == 0
    assert mio.locator("#code-again").is_disabled()
    mio.locator("#code").fill("１２３")
    mio.locator("#code-form .strong").click()
    says(mio.locator("#code-fault"), "コードがちがう")
    finish(mio, code.translate(FULL_WIDTH), "ｎｅｗ＿１", "新しい人")
    says(aki.locator("#notice"), "新しい人さんが参加しました")
    says(aki.locator("#invites-list"), "使われました")
    assert not any(token_of(url) in request.url.partition("#")[0] for request in asked)
    assert not any(token_of(url) in request.headers.get("referer", "") for request in asked)
    assert token_of(url) not in demo.log_text()
    created = next(request for request in asked if request.url.endswith("account.create"))
    assert created.post_data_json["follow_inviter"] is True
    assert created.post_data_json["presence_to"] == "mutuals"
    assert created.post_data_json["cookie"] is True
    assert [(cookie["name"], cookie["httpOnly"]) for cookie in context.cookies()] == [
        ("tsudoi_session", True)
    ]
    assert mio.evaluate("document.cookie") == ""
    kept = mio.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert "tsd_" not in kept
    assert token_of(url) not in kept
    assert "tsudoi.attempt" not in kept


def test_a_code_typed_at_the_door_and_a_log_in_by_mail(visit: Visit, link: str) -> None:
    visit.forgive("401", "404", "409")
    aki = visit.person(link, "aki")
    enter_room(aki)
    _, code = invite(aki, "はじめての集い")
    mio = visit.page(link)
    mio.locator("#door-ways summary").click()
    mio.locator("#invite_code").fill("0000-0000-0000")
    mio.locator("#invite-form .strong").click()
    says(mio.locator("#invite_code-fault"), "この招待は使えません")
    mio.locator("#invite_code").fill(code.lower().replace("-", "ー").translate(FULL_WIDTH))
    mio.locator("#invite-form .strong").click()
    says(mio.locator("#what"), "部屋「はじめての集い」")
    mio.locator("#join-form .strong").click()
    mio.locator("#code-form, #address-form").wait_for()
    sent = give_address(mio, "haru@example.org")
    mio.locator("#code").fill(sent)
    mio.locator("#code-form .strong").click()
    mio.locator("#handle").fill("haru")
    mio.locator("#name").fill("もうひとりのはる")
    mio.locator("#profile-form .strong").click()
    mio.locator("#privacy-form .strong").click()
    # Taken: told beside the field, with everything else as it was.
    says(mio.locator("#handle-fault"), "使われています")
    assert mio.locator("#name").input_value() == "もうひとりのはる"
    mio.locator("#handle").fill("haru_2")
    mio.locator("#profile-form .strong").click()
    mio.locator("#privacy-form .strong").click()
    enter_room(mio)

    entry(mio, "log-out")
    mio.locator("#ask-do").click()
    says(mio.locator("#door-text"), "ログアウトしました")
    mio.locator("#door-ways summary").click()
    mio.locator("#login-form #address").fill("haru@example.org")
    mio.locator("#login-form .strong").click()
    again = mio.locator(".demo-mail pre")
    says(again, "コード")
    mio.wait_for_function(
        "sent => !document.querySelector('.demo-mail pre').textContent.includes(sent)", arg=sent
    )
    mio.locator("#code").fill(mailed(mio))
    mio.locator("#code-form .strong").click()
    says(mio.locator("#me"), "もうひとりのはるさん")


def test_a_dead_link_says_why(visit: Visit, link: str) -> None:
    visit.forgive("404")
    aki = visit.person(link, "aki")
    leaked, _ = invite(aki)
    aki.locator("#invites-list").get_by_role("button", name="出し直す").click()
    aki.locator("#ask-do").click()
    says(aki.locator("#invites-list"), "取り消しました")
    fresh = aki.locator("#invite-link").input_value()
    assert token_of(fresh) != token_of(leaked)
    mio = visit.page(leaked)
    mio.locator("#open").click()
    says(mio.locator("#dead"), "取り消されています")
    says(mio.locator("#gate"), "送ってくれた人に")
    # The new link, pasted into the same tab; taken by somebody, it is used for everybody else.
    mio.goto(fresh)
    tap(mio)
    mio.locator("#address-form").wait_for()
    ken = visit.page(fresh)
    ken.locator("#open").click()
    says(ken.locator("#dead"), "もう使われています")
    # A third invite while one is on its way: one may go on, or change over.
    third, _ = (aki.keyboard.press("Escape"), invite(aki))[1]
    mio.goto(third)
    mio.locator("#address-form").wait_for()
    mio.get_by_text("いまひらいた招待ではじめる").click()
    tap(mio)
    mio.locator("#address-form").wait_for()
    # Revoked under way: the sign-up says so instead of going on.
    for left in (1, 0):
        aki.locator("#invites-list").get_by_role("button", name="取り消す").first.click()
        aki.locator("#ask-do").click()
        count(aki.locator("#invites-list [data-state=live]"), left)
    mio.reload()
    says(mio.locator("#gate"), "招待が取り消されました")


def test_a_member_enters_the_room_of_an_invite(visit: Visit, link: str) -> None:
    aki = visit.person(link, "aki")
    enter_room(aki)
    url, _ = invite(aki, "はじめての集い")
    service, _ = (aki.keyboard.press("Escape"), invite(aki))[1]
    ken = visit.person(link, "ken")
    page = visit.page(url, ken.context)
    page.locator("#open").click()
    page.locator("#join-form .strong", has_text="部屋に入る").click()
    says(page.locator("#room-title"), "はじめての集い")
    page.goto(service)
    page.locator("#open").click()
    says(page.locator("#gate"), "もう参加しています")
    assert page.locator("#join-form").count() == 0, "there is nothing to join"


def test_ended_sessions_leave_the_page_at_once(visit: Visit, link: str) -> None:
    visit.forgive("401")
    phone, desk = visit.person(link, "aki", **PHONE), visit.person(link, "aki")
    tab = visit.page(link, desk.context)
    tab.locator("#house:visible").wait_for()
    entry(phone, "menu-sessions")
    phone.locator(".listed").nth(1).wait_for()
    other = phone.locator(".listed[data-current=false]")
    other.get_by_role("button", name="ログアウトさせる").first.click()
    phone.locator("#ask-do").click()
    says(phone.locator("#sessions-said"), "1 台")
    for page in (desk, tab):
        says(page.locator("#door-text"), "ログインが切れました")
    phone.keyboard.press("Escape")

    second = visit.page(link, phone.context)
    second.locator("#house:visible").wait_for()
    entry(phone, "log-out")
    phone.locator("#ask-do").click()
    says(phone.locator("#door-text"), "ログアウトしました")
    says(second.locator("#door-text"), "ログインが切れました")
    # Nothing of the house is left in sight anywhere.
    assert [page.locator("#house").is_visible() for page in (desk, tab, phone, second)] == [False] * 4


def test_a_log_in_is_told_to_the_other_devices(visit: Visit, link: str) -> None:
    mio = visit.page(invite(visit.person(link, "aki"))[0])
    tap(mio)
    finish(mio, give_address(mio, "mio@example.org"), "mio_2", "みおみお")
    other = visit.page(link)
    other.locator("#door-ways summary").click()
    other.locator("#address").fill("ＭＩＯ@example.org")
    other.locator("#login-form .strong").click()
    other.locator(".demo-mail pre", has_text="コード").wait_for()
    other.reload()
    # The page was ended by the mail app; the door still waits for the code.
    if not other.locator("#code").is_visible():
        other.locator("#door-ways summary").click()
    other.locator("#code").fill(mailed(other))
    other.locator("#code-form .strong").click()
    says(other.locator("#me"), "みおみおさん")
    says(mio.locator("#notice"), "新しい端末でログインがありました")
    # Both sessions go on.
    assert [page.locator("#house").is_visible() for page in (other, mio)] == [True, True]


def test_enter_belongs_to_an_open_conversion(visit: Visit, link: str) -> None:
    visit.forgive("404")
    page = visit.page(link)
    page.locator("#door-ways summary").click()
    page.locator("#invite_code").focus()
    keys = page.context.new_cdp_session(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    def enter(key_code: int) -> None:
        for kind in ("rawKeyDown", "keyUp"):
            keys.send(
                "Input.dispatchKeyEvent",
                {
                    "type": kind,
                    "key": "Enter",
                    "code": "Enter",
                    "windowsVirtualKeyCode": key_code,
                    "text": "\r",
                },
            )

    keys.send("Input.imeSetComposition", {"text": "ａｂｃ", "selectionStart": 3, "selectionEnd": 3})
    enter(13)
    keys.send("Input.insertText", {"text": "ａｂｃ"})
    enter(229)
    assert page.locator("#invite_code").input_value() == "ａｂｃ"
    assert not any("invite.get" in url for url in asked)
    page.keyboard.press("Enter")
    says(page.locator("#invite_code-fault"), "この招待は使えません")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_gate_fits_a_small_phone(visit: Visit, link: str, scheme: str) -> None:
    aki = visit.person(link, "aki", **DESKTOP)
    url, _ = invite(aki)
    page = visit.page(url, visit.context(**PHONE, color_scheme=scheme))

    def fits(what: str) -> None:
        page.locator(what).first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        wide = "[...document.querySelectorAll('dialog[open]')].every(d => d.scrollWidth <= d.clientWidth)"
        assert page.evaluate(wide)

    fits("#open")
    page.locator("#open").click()
    fits("#join-form")
    page.locator("#join-form .strong").click()
    fits("#address-form")
    code = give_address(page, "a" * 60 + "@example.org")
    fits("#code-form")
    page.locator("#code").fill(code)
    page.locator("#code-form .strong").click()
    fits("#profile-form")
    page.locator("#handle").fill("m" * 20)
    page.locator("#name").fill("み" * 30)
    page.locator("#profile-form .strong").click()
    fits("#privacy-form")
    page.locator("#privacy-form .strong").click()
    fits("#house:visible")
    entry(page, "menu-invites")
    page.locator("#invite-make-do").click()
    fits("#invite-made:visible")
    page.keyboard.press("Escape")
    entry(page, "menu-sessions")
    fits("#sessions .listed")


def test_new_terms_are_shown_before_one_goes_on(visit: Visit) -> None:
    visit.forgive("401", "404", "409")
    server = ServerProcess({"TSUDOI_SMTP_URL": "smtp://127.0.0.1:9", "TSUDOI_MAIL_FROM": "a@example.org"})
    with server:
        host = server.run_cli("account", "create", "host")
        page = visit.page(f"{server.url}/i#{issued(server, host['token'])}")
        tap(page)
        page.locator("#address").fill("new@example.org")
        page.locator("#adult").check()
        page.locator("#terms").check()
        changed = {"code": "conflict", "message": "", "retry_ms": None, "details": {"terms": "2"}}
        page.route(
            "**/account.address", lambda route: route.fulfill(status=409, json={"error": changed}), times=1
        )
        page.locator("#address-form .strong").click()
        says(page.locator("#terms-fault"), "新しくなりました")
        says(page.locator("#address-form"), "第2版")
        assert not page.locator("#terms").is_checked()
        assert page.locator("#adult").is_checked()
        assert page.locator("#address").input_value() == "new@example.org"
        visit.leave()


def issued(server: ServerProcess, token: str) -> str:
    """The token of an invite made by HTTP."""
    request = urllib.request.Request(
        f"{server.url}/api/v1/invite.create",
        b'{"nonce": "1"}',
        {"authorization": f"Bearer {token}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return token_of(json.load(answer)["ok"]["link"])
