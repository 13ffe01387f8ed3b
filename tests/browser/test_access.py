"""For everybody: rules for the eye, the keyboard and the screen reader, on every screen (FEATURES §11).

axe-core judges each screen in both colour schemes, both languages and at three sizes. It is injected through the
debugging protocol; the page's own policy stays as strict as it is in production.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import product
from typing import Any

import pytest

from tests.browser.conftest import Visit
from tests.browser.test_first_page import enter_room, line, post, write
from tests.browser.test_join import entry, invite
from tests.browser.test_pictures import choose, ready
from tests.browser.test_places import found
from tests.support.pictures import plain
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

SIZES = ((360, 640), (768, 1024), (1280, 800))
LANGUAGES = ("ja", "en")
SCHEMES = ("light", "dark")
# The last one is a page enlarged to four times its size (WCAG 1.4.10).
LOOKS = (*product(SCHEMES, LANGUAGES, SIZES), ("light", "ja", (320, 256)))
# Every pair of two choices once: enough for what stands above the page.
PAIRS = tuple(
    (SCHEMES[other], LANGUAGES[other ^ (n == 1)], size) for n, size in enumerate(SIZES) for other in (0, 1)
)
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
    # A dialog is a region of its own, and the page behind it is inert.
    "rules": {"region": {"enabled": False}},
}
SPEAK = """language => import(document.querySelector('script[type=module]').src.replace(/[a-z]+\\.js$/, 'language.js'))
    .then(({ choose }) => choose(language))"""
JUDGE = """options => axe.run(document.activeElement.closest('dialog') ?? document, options).then(({ violations }) =>
    violations.map(({ id, help, nodes }) => `${id}: ${help} ${nodes.map((n) => n.html.slice(0, 120)).join(' | ')}`))"""


class Judge:
    """Looks at a page in every look."""

    def __init__(self, page: Any) -> None:
        from axe_playwright_python.base import AXE_SCRIPT

        self._page = page
        page.evaluate(AXE_SCRIPT)

    def all(self) -> list[str]:
        """What is wrong with what is shown now, in every look."""
        return self._in(LOOKS)

    def dialog(self) -> list[str]:
        """What is wrong with what stands above the page now, in each pair of colours, language and size."""
        return self._in(PAIRS)

    def _in(self, looks: Sequence[tuple[str, str, tuple[int, int]]]) -> list[str]:
        faults = []
        for scheme, language, (width, height) in looks:
            self._page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            self._page.set_viewport_size({"width": width, "height": height})
            self._page.evaluate(SPEAK, language)
            found = list(self._page.evaluate(JUDGE, RULES))
            if not self._page.evaluate("document.documentElement.scrollWidth <= innerWidth"):
                found.append("scrolls sideways")
            faults += [f"{scheme} {language} {width}: {fault}" for fault in found]
        return faults


def test_the_ways_in_keep_the_rules(visit: Visit, link: str) -> None:
    url, _ = invite(visit.person(link, "aki"))
    page = visit.page(link)
    page.locator("[data-handle=aki]").wait_for()
    judge = Judge(page)
    assert judge.all() == []
    page.locator("#door-ways summary").click()
    page.locator("#login-form").wait_for()
    assert judge.all() == []
    page.locator("#login-form ~ .links .link").click()
    page.locator("#recovery-form").wait_for()
    assert judge.all() == []
    page = visit.page(url)
    judge = Judge(page)
    page.locator("#open").click()
    page.locator("#join-form").wait_for()
    assert judge.all() == []
    page.locator("#join-form .strong").click()
    page.locator("#address-form").wait_for()
    page.locator("#address-form .strong").click()
    assert judge.all() == []


def test_the_page_of_a_further_device_keeps_the_rules(visit: Visit, demo: ServerProcess, link: str) -> None:
    aki = visit.person(link, "aki")
    offered = post(aki, demo.url, "session.offer")["link"]
    aki.context.close()
    page = visit.page(f"{demo.url}{offered[offered.index('/d#') :]}")
    page.locator("#device-form").wait_for()
    assert Judge(page).all() == []


@pytest.fixture
def talk(visit: Visit, demo: ServerProcess, link: str) -> Any:
    """Aki's page with a room in which there is everything: somebody blocked, a reply, a deleted line, an unread mark."""
    haru, ken = visit.person(link, "haru"), visit.person(link, "ken")
    aki = visit.person(link, "aki")
    room = post(aki, demo.url, "room.list")["rooms"][0]["id"]
    told = post(haru, demo.url, "room.send", room=room, text="8時に駅で", nonce="1")
    post(ken, demo.url, "room.send", room=room, text="了解", nonce="2", reply_to=told["message"])
    gone = post(ken, demo.url, "room.send", room=room, text="まちがい", nonce="3")
    post(ken, demo.url, "message.delete", message=gone["message"])
    mio = post(aki, demo.url, "account.get", handle="mio")["id"]
    post(aki, demo.url, "block.add", account=mio)
    post(
        haru,
        demo.url,
        "account.update",
        bio="月と電車",
        status="🌙 帰り道",
        links=["https://example.org/haru"],
    )
    aki.reload()
    aki.locator(".room").wait_for()
    haru.context.close()
    ken.context.close()
    return aki


def test_the_house_keeps_the_rules(talk: Any) -> None:
    judge = Judge(talk)
    assert judge.all() == []
    enter_room(talk)
    talk.locator(".folded").first.wait_for()
    assert judge.all() == []
    talk.locator("#menu-button").click()
    assert judge.dialog() == []
    talk.keyboard.press("Escape")
    for name, shown in (
        ("menu-me", "#profile .profile-head"),
        ("menu-ties", "#ties .person-row"),
        ("menu-settings", "#privacy-settings"),
        ("menu-sessions", "#sessions .listed"),
        ("menu-contact", "#contact-form"),
    ):
        entry(talk, name)
        talk.locator(shown).first.wait_for()
        if name == "menu-sessions":
            talk.locator("#sessions-add").click()
            talk.locator("#device-link").wait_for()
        if name == "menu-settings":
            talk.locator("#recovery-make").click()
            talk.locator("#recovery-codes").wait_for()
        assert judge.dialog() == []
        talk.keyboard.press("Escape")


def test_what_opens_above_the_house_keeps_the_rules(talk: Any) -> None:
    enter_room(talk)
    judge = Judge(talk)
    talk.locator("#people-button").click()
    talk.locator("#room-form").wait_for()
    assert judge.dialog() == []
    talk.locator("#people .person-open", has_text="@haru").click()
    talk.locator("#profile .bio").wait_for()
    assert judge.dialog() == []
    talk.locator("#profile .profile-more .link").last.click()
    talk.locator("#report-form").wait_for()
    assert judge.dialog() == []
    for _ in range(3):
        talk.keyboard.press("Escape")
    entry(talk, "menu-me")
    talk.locator("#profile .strong").click()
    talk.locator("#own-form").wait_for()
    assert judge.dialog() == []
    talk.keyboard.press("Escape")
    talk.keyboard.press("Escape")
    talk.locator("#new-button:visible").click()
    assert judge.dialog() == []
    talk.keyboard.press("Escape")
    invite(talk)
    assert judge.dialog() == []
    talk.keyboard.press("Escape")
    sheet = found(talk, "電車の窓")
    sheet.locator("#post_text").fill("海が見えた")
    sheet.locator("#post-form [type=submit]").click()
    assert judge.dialog() == []
    sheet.locator(".post").wait_for()
    assert judge.dialog() == []
    sheet.locator(".link").first.click()
    sheet.locator("[data-place]").wait_for()
    assert judge.dialog() == []


@pytest.fixture
def shared(visit: Visit, demo: ServerProcess, link: str) -> Any:
    """Mio's page with a timeline in which there is everything: an answer, a quote, a mask, a stamp, somebody muted."""
    aki, haru, ken = (visit.person(link, who) for who in ("aki", "haru", "ken"))
    first = post(aki, demo.url, "post.create", text="@mio 海 https://example.org/a", nonce="1")["post"]
    post(haru, demo.url, "post.create", text="いいね", reply_to=first, nonce="1")
    post(haru, demo.url, "post.create", text="ここだよ", quote_of=first, nonce="2")
    post(haru, demo.url, "post.create", text="犯人は執事", mask="spoiler", nonce="3")
    post(haru, demo.url, "post.create", repost_of=first, nonce="4")
    post(ken, demo.url, "post.create", text="きこえない", nonce="1")
    post(haru, demo.url, "reaction.add", post=first, stamp="kawaii")
    post(haru, demo.url, "reaction.add", post=first, kind="like")
    mio = visit.person(link, "mio")
    post(mio, demo.url, "mute.add", account=post(mio, demo.url, "account.get", handle="ken")["id"])
    mio.reload()
    mio.locator("#feed-posts .chip").first.wait_for()
    mio.locator("#feed-posts .folded").wait_for()
    for page in (aki, haru, ken):
        page.context.close()
    return mio


def test_the_timeline_keeps_the_rules(shared: Any) -> None:
    judge = Judge(shared)
    shared.locator("#home_text").fill("書きかけ")
    assert judge.all() == []
    shared.locator("#feed-posts .act-stamp").first.click()
    shared.locator("#stamps .chip").first.wait_for()
    assert judge.dialog() == []
    shared.keyboard.press("Escape")
    shared.locator("#feed-posts .post-answers button").first.click()
    shared.locator("#thread .post").nth(1).wait_for()
    assert judge.dialog() == []
    shared.keyboard.press("Escape")
    shared.locator("#feed-posts .act-quote").first.click()
    shared.locator("#quote_text").wait_for()
    assert judge.dialog() == []
    shared.keyboard.press("Escape")
    for tab in ("discover", "search"):
        shared.locator(f"#home-tabs [data-tab={tab}]").click()
        shared.locator(f"#home-{tab} .quiet").first.wait_for()
        assert judge.all() == []


def test_the_arrows_walk_through_the_timeline(shared: Any) -> None:
    from playwright.sync_api import expect

    shared.locator("#home_text").focus()
    shared.keyboard.press("ArrowDown")
    expect(shared.locator("#home_text")).to_be_focused()
    shared.locator("#skip").focus()
    shared.keyboard.press("Enter")
    assert focused(shared) == "feed-posts"
    posts = shared.locator("#feed-posts .post")
    shared.keyboard.press("ArrowDown")
    expect(posts.first).to_be_focused()
    shared.keyboard.press("ArrowDown")
    expect(posts.nth(1)).to_be_focused()
    shared.keyboard.press("Tab")
    expect(posts.nth(1).locator("button").first).to_be_focused()
    like = posts.nth(1).locator(".act-like")
    like.focus()
    shared.keyboard.press("Enter")
    # The post is drawn anew around the focus.
    expect(posts.nth(1).locator(".act-like[aria-pressed=true]")).to_be_focused()


def focused(page: Any) -> str:
    """What has the focus: its id, or its class, or its words."""
    return str(
        page.evaluate(
            "(({ id, className, textContent }) => id || className || textContent)(document.activeElement)"
        )
    )


def test_pictures_keep_the_rules(visit: Visit, link: str) -> None:
    page = visit.person(link, "aki")
    enter_room(page)
    choose(page, *[plain("PNG", (500, 300))] * 3)
    ready(page, 3)
    page.get_by_role("textbox", name="1 枚目の説明").fill("赤い夕焼け")
    judge = Judge(page)
    assert judge.all() == []
    page.evaluate(SPEAK, "ja")
    write(page, "見て")
    line(page, "見て").locator(".pictures img").nth(2).wait_for()
    assert judge.all() == []
    page.evaluate(SPEAK, "ja")
    # By keyboard as well: the line, its pictures, the large one, and back.
    page.locator("#log").focus()
    page.keyboard.press("ArrowUp")
    first = line(page, "見て").locator(".picture").first
    while not first.evaluate("(button) => button === document.activeElement"):
        page.keyboard.press("Tab")
        assert line(page, "見て").locator(":focus").count() == 1, "the pictures are stops of their line"
    page.keyboard.press("Enter")
    page.locator("#picture-view[open]").wait_for()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    page.locator("#picture-view").wait_for(state="hidden")
    assert first.evaluate("(button) => button === document.activeElement")
    page.keyboard.press("Enter")
    assert judge.dialog() == []


def test_the_keyboard_reaches_everything_and_finds_back(visit: Visit, link: str) -> None:
    from playwright.sync_api import expect

    page = visit.person(link, "aki")
    page.keyboard.press("Tab")
    assert focused(page) == "skip"
    expect(page.locator("#skip")).to_be_in_viewport()
    page.keyboard.press("Enter")
    assert focused(page) == "feed-posts"
    page.locator(".room").first.wait_for()
    page.locator("#new-button").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.locator("#lines .line").first.wait_for()
    expect(page.locator("#composer-text")).to_be_focused()

    # Beside the words stand the ways to make them move, and to pictures.
    page.keyboard.press("Shift+Tab")
    expect(page.get_by_role("button", name="文字の動き")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(page.get_by_role("button", name="写真を添える")).to_be_focused()
    # One stop for all lines; the arrows walk, and only where one stands are there more stops.
    page.keyboard.press("Shift+Tab")
    assert focused(page) == "log"
    page.keyboard.press("ArrowUp")
    last = page.locator("#lines .line").last
    expect(last).to_be_focused()
    page.keyboard.press("ArrowUp")
    mio = page.locator("#lines .line", has_text="今日の月")
    expect(mio).to_be_focused()
    page.keyboard.press("Tab")
    expect(mio.locator(".who button")).to_be_focused()
    page.keyboard.press("Enter")
    page.locator("#profile .profile-head", has_text="@mio").wait_for()
    page.keyboard.press("Escape")
    expect(mio.locator(".who button")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#composer-text")).to_be_focused()
    page.locator("#reply:visible").wait_for()
    page.keyboard.press("Escape")
    page.locator("#reply").wait_for(state="hidden")

    # Dialogs give the focus back, also where what opened them is gone.
    page.locator("#menu-button").focus()
    page.keyboard.press("Enter")
    page.locator("#menu[open]").wait_for()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.locator("#profile .profile-head").wait_for()
    page.keyboard.press("Escape")
    expect(page.locator("#menu-button")).to_be_focused()
    write(page, "消える話")
    mine = line(page, "消える話")
    mine.wait_for()
    mine.locator(".tool", has_text="削除").focus()
    page.keyboard.press("Enter")
    page.locator("#ask-do").click()
    page.locator(".gone").wait_for()
    page.wait_for_function("() => document.activeElement !== document.body")


def test_what_a_screen_reader_is_told(visit: Visit, demo: ServerProcess, link: str) -> None:
    from playwright.sync_api import expect

    aki, haru = visit.person(link, "aki"), visit.person(link, "haru")
    enter_room(aki)
    room = post(aki, demo.url, "room.list")["rooms"][0]["id"]
    heard = aki.locator("#heard")
    # What was there already is not read aloud, nor is what one says oneself.
    write(aki, "ひとりごと")
    line(aki, "ひとりごと").wait_for()
    expect(heard).to_be_empty()
    post(haru, demo.url, "room.send", room=room, text="ついた", nonce="0")
    expect(heard).to_have_text("はるさん: ついた")
    together = """room => Promise.all([1, 2, 3, 4, 5].map((n) => fetch('/api/v1/room.send', {
        method: 'POST', body: JSON.stringify({ room, text: `${n}軒目`, nonce: String(n) }) })))"""
    haru.evaluate(together, room)
    # Together, not one after the other: how many there were, and the last ones.
    expect(heard).to_have_text(
        re.compile(r"新着 [45] 件. はるさん: \d軒目 / はるさん: \d軒目 / はるさん: \d軒目")
    )
    assert heard.get_attribute("aria-live") == "polite"
    assert aki.locator("#log").get_attribute("role") == "log"

    expect(aki.locator("#house")).to_match_aria_snapshot(
        """
        - main:
          - button "本文へ移る"
          - heading "集い Tsudoi" [level=1]
          - status: つながっています
          - button "メニュー"
          - navigation "部屋":
            - heading "部屋" [level=2]
            - button "新しく話す"
            - list:
              - listitem:
                - button /はじめての集い/
          - region "はじめての集い":
            - heading "はじめての集い" [level=2]
            - button "この部屋の人 (4 人)"
            - log "はじめての集い の発言":
              - list:
                - listitem:
                  - paragraph: きょう
                  - paragraph: あなたが「はじめての集い」をつくりました
            - textbox "発言を書く"
            - button "送信"
        """
    )
    entry(aki, "menu-settings")
    aki.locator("#privacy-settings").wait_for()
    expect(aki.locator("#settings")).to_match_aria_snapshot(
        """
        - dialog "設定":
          - banner:
            - heading "設定" [level=2]
            - button "閉じる"
          - heading "ことば" [level=3]
          - group "ことば":
            - button "日本語" [pressed]
            - button "English"
          - heading "公開範囲" [level=3]
          - checkbox "フォローを承認制にする"
          - group "オンラインかどうかを見られる人":
            - radio "たがいにフォローしている人" [checked]
            - radio "だれでも"
            - radio "だれにも見せない"
          - paragraph:
            - button "保存する"
        """
    )


def test_the_page_can_be_installed_and_is_soon_there(visit: Visit, link: str) -> None:
    page = visit.person(link, "aki")
    chromium = page.context.new_cdp_session(page)
    assert chromium.send("Page.getAppManifest")["errors"] == []
    faults = chromium.send("Page.getInstallabilityErrors")["installabilityErrors"]
    # The tests' windows keep nothing; that is all that stands against it.
    assert [fault["errorId"] for fault in faults] == ["in-incognito"]
    took = []
    for _ in range(5):
        page.reload()
        page.locator(".room").first.wait_for()
        took.append(page.evaluate("performance.now()"))
    # Seen and usable, rooms and all; the best of five, because other tests run beside this one.
    assert min(took) <= 1_000, took
