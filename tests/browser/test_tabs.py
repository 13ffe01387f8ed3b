"""Tabs of one browser share one socket, and what one writes is everybody's (FEATURES §11)."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.browser.conftest import DESKTOP, LOSS, Visit
from tests.browser.test_first_page import count, enter_room, line, post, said, state, write
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.timeout(90)]

LIVE = "つながっています"
NO_LOCKS = "Object.defineProperty(Navigator.prototype, 'locks', { value: undefined });"
# A page that the system has put to sleep: it holds its lock and says nothing.
ASLEEP = """
window.BroadcastChannel = class extends BroadcastChannel {
  postMessage(message) { if (!window.asleep) super.postMessage(message); }
};
"""


def another_tab(visit: Visit, page: Any) -> Any:
    """One more tab of the same browser, inside."""
    tab = visit.page(page.url.partition("#")[0], page.context)
    tab.locator("#house:visible").wait_for()
    return tab


def texts(page: Any) -> list[str]:
    """The lines of the open room, as they stand."""
    found: list[str] = page.locator("#lines .line .text").all_text_contents()
    return found


def test_two_tabs_have_one_socket_and_the_second_goes_on(visit: Visit, link: str) -> None:
    haru, first = visit.person(link, "haru"), visit.person(link, "aki")
    second, third = another_tab(visit, first), another_tab(visit, first)
    assert visit.open_sockets() == 2, "one of each browser"
    for page in (haru, first, second, third):
        enter_room(page)
        state(page, LIVE)
    before = texts(haru)
    write(second, "二枚目から")
    for page in (haru, first, second, third):
        line(page, "二枚目から").wait_for()
    write(haru, "はるから")
    for page in (first, second, third):
        line(page, "はるから").wait_for()

    first.close()
    gone = time.monotonic()
    write(haru, "引っ越し中")
    write(second, "まだいる?")
    for page in (haru, second, third):
        line(page, "引っ越し中").wait_for()
        line(page, "まだいる?").wait_for()
    assert time.monotonic() - gone < 5, "another tab takes over at once"
    assert visit.open_sockets() == 2
    write(haru, "いるよ")
    write(third, "三枚目から")
    expected = ["二枚目から", "はるから", "引っ越し中", "まだいる?", "いるよ", "三枚目から"]
    for page in (haru, second, third):
        line(page, "いるよ").wait_for()
        line(page, "三枚目から").wait_for()
        state(page, LIVE)
        assert sorted(texts(page)[len(before) :]) == sorted(expected)
    assert texts(second) == texts(third) == texts(haru)


def test_leaders_go_one_after_another_while_lines_come(visit: Visit, demo: ServerProcess, link: str) -> None:
    haru = visit.person(link, "haru")
    room = post(haru, demo.url, "room.list")["rooms"][0]["id"]
    tabs = [visit.person(link, "aki")]
    tabs += [another_tab(visit, tabs[0]) for _ in range(3)]
    for tab in tabs:
        enter_room(tab)
        state(tab, LIVE)
    before = texts(tabs[-1])
    said: list[str] = []

    def talk(lines: int) -> None:
        for _ in range(lines):
            said.append(f"途切れない {len(said)}")
            post(haru, demo.url, "room.send", room=room, text=said[-1], nonce=said[-1])

    for tab in tabs[:-1]:
        talk(5)
        tab.close()
        talk(5)
    last = tabs[-1]
    line(last, said[-1]).wait_for()
    assert texts(last)[len(before) :] == said
    assert visit.open_sockets() == 2


def test_a_killed_server_is_waited_for_by_all_tabs(visit: Visit, demo: ServerProcess, link: str) -> None:
    visit.forgive(*LOSS)
    first = visit.person(link, "aki")
    second = another_tab(visit, first)
    haru = visit.person(link, "haru")
    for page in (first, second, haru):
        enter_room(page)
    demo.kill()
    for page in (first, second):
        state(page, "電波待ち")
    write(second, "トンネルの中")
    second.locator("#pending .fate", has_text="未送信").wait_for()
    demo.start()
    for page in (first, second, haru):
        state(page, LIVE)
        line(page, "トンネルの中").wait_for()
        count(line(page, "トンネルの中"), 1)
    count(second.locator("#pending .line"), 0)
    assert visit.open_sockets() == 2


def test_without_locks_each_tab_has_its_own_socket(visit: Visit, demo: ServerProcess, link: str) -> None:
    context = visit.context(**DESKTOP)
    context.add_init_script(NO_LOCKS)
    first = visit.page(link, context)
    first.locator("[data-handle=aki]").click()
    first.locator("#house:visible").wait_for()
    second = another_tab(visit, first)
    assert visit.open_sockets() == 2
    for page in (first, second):
        enter_room(page)
        state(page, LIVE)
    write(second, "別々の線で")
    for page in (first, second):
        line(page, "別々の線で").wait_for()
        count(line(page, "別々の線で"), 1)
    first.close()
    write(second, "まだ話せる")
    line(second, "まだ話せる").wait_for()


def test_a_leader_that_sleeps_is_not_waited_for(visit: Visit, link: str) -> None:
    context = visit.context(**DESKTOP)
    context.add_init_script(ASLEEP)
    first = visit.page(link, context)
    first.locator("[data-handle=aki]").click()
    first.locator("#house:visible").wait_for()
    first.evaluate("window.asleep = true")
    second = another_tab(visit, first)
    enter_room(second)
    state(second, LIVE)
    write(second, "起きている方で")
    line(second, "起きている方で").wait_for()
    # Awake again, the first one follows.
    first.evaluate("window.asleep = false")
    enter_room(first)
    line(first, "起きている方で").wait_for()
    write(first, "起きた")
    line(second, "起きた").wait_for()
    assert said(first)[-2:] == said(second)[-2:] == ["起きている方で", "起きた"]


def test_whoever_comes_in_anew_comes_in_everywhere(visit: Visit, link: str) -> None:
    first = visit.person(link, "aki")
    enter_room(first)
    second = another_tab(visit, first)
    # The demo's link leads to its door.
    second.goto(link)
    second.locator("[data-handle=mio]").click()
    second.locator("#me", has_text="みおさん").wait_for()
    first.locator("#me", has_text="みおさん").wait_for()
    enter_room(second)
    enter_room(first)
    write(first, "みおです")
    line(second, "みおです").wait_for()
    assert said(first) == said(second)
    assert second.locator(".own", has_text="みおです").count() == 1


def test_where_locks_are_withheld_a_tab_is_alone(visit: Visit, link: str) -> None:
    context = visit.context(**DESKTOP)
    context.add_init_script(
        "LockManager.prototype.request = () => Promise.reject(new DOMException('', 'SecurityError'));"
    )
    page = visit.page(link, context)
    page.locator("[data-handle=aki]").click()
    page.locator("#house:visible").wait_for()
    enter_room(page)
    state(page, LIVE)
    write(page, "ひとりで")
    line(page, "ひとりで").wait_for()
    count(page.locator("#pending .line"), 0)
    assert said(page)[-1] == "ひとりで"
    assert visit.open_sockets() == 1
