"""Stamps under lines in a real browser: left, seen by the other, taken back, kept over a reload (FEATURES §6)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.conftest import PHONE, Visit
from tests.browser.test_access import Judge
from tests.browser.test_first_page import count, enter_room, line, post, write
from tests.browser.test_join import says
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.timeout(90)]


def chip(page: Any, text: str, stamp: str) -> Any:
    """A stamp under the line with this text."""
    return line(page, text).locator(f".chip[data-stamp={stamp}]")


def stamp(page: Any, text: str, which: str) -> None:
    """Leave a stamp by the line's tools."""
    line(page, text).hover()
    line(page, text).get_by_role("button", name="スタンプ", exact=True).first.click()
    page.locator(f"#line-stamps [data-stamp={which}]").click()


def test_two_people_stamp_a_line(visit: Visit, demo: ServerProcess, link: str) -> None:
    from playwright.sync_api import expect

    aki, haru = visit.person(link, "aki"), visit.person(link, "haru")
    for page in (aki, haru):
        enter_room(page)
    write(aki, "今から観る?")
    line(haru, "今から観る?").wait_for()
    stamp(haru, "今から観る?", "ikitai")
    for page in (aki, haru):
        says(chip(page, "今から観る?", "ikitai"), "いきたい 1")
    expect(chip(haru, "今から観る?", "ikitai")).to_have_attribute("aria-pressed", "true")
    expect(chip(aki, "今から観る?", "ikitai")).to_have_attribute("aria-pressed", "false")
    expect(chip(aki, "今から観る?", "ikitai")).to_have_attribute("aria-label", "いきたい(はるさん)")
    # A tap on what stands there joins in, and on one's own takes it back.
    chip(aki, "今から観る?", "ikitai").click()
    says(chip(haru, "今から観る?", "ikitai"), "いきたい 2")
    stamp(haru, "今から観る?", "sugoi")
    for page in (aki, haru):
        says(chip(page, "今から観る?", "ikitai"), "いきたい 1")
        says(chip(page, "今から観る?", "sugoi"), "すごい 1")
    chip(haru, "今から観る?", "sugoi").click()
    count(chip(aki, "今から観る?", "sugoi"), 0)
    aki.reload()
    aki.locator("#house:visible").wait_for()
    enter_room(aki)
    says(chip(aki, "今から観る?", "ikitai"), "いきたい 1")
    assert Judge(aki).all() == []
    # Whose lines are folded in a group, their stamps are not shown either.
    mine = post(haru, demo.url, "account.get", handle="aki")["id"]
    post(haru, demo.url, "mute.add", account=mine)
    haru.reload()
    haru.locator("#house:visible").wait_for()
    enter_room(haru)
    haru.locator(".folded").first.wait_for()
    count(haru.locator(".chip"), 0)


def test_the_keyboard_and_the_thumb_reach_the_stamps(visit: Visit, link: str) -> None:
    aki, phone = visit.person(link, "aki"), visit.person(link, "haru", **PHONE)
    for page in (aki, phone):
        enter_room(page)
    write(aki, "おつかれ")
    line(phone, "おつかれ").click()
    line(phone, "おつかれ").get_by_role("button", name="スタンプ", exact=True).first.click()
    phone.locator("#line-stamps [data-stamp=otsukare]").click()
    says(chip(aki, "おつかれ", "otsukare"), "おつかれさま 1")
    aki.locator("#log").focus()
    aki.keyboard.press("ArrowUp")
    aki.keyboard.press("Tab")
    assert aki.evaluate("document.activeElement.dataset.stamp") == "otsukare"
    aki.keyboard.press("Enter")
    says(chip(phone, "おつかれ", "otsukare"), "おつかれさま 2")
    line(phone, "おつかれ").get_by_role("button", name="スタンプ", exact=True).first.click()
    assert Judge(phone).dialog() == []
