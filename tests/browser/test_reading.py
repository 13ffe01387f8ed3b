"""Reading in a real browser: a room of a thousand lines, both ways, and nothing moves under the thumb (FEATURES §11)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.browser.conftest import LINK, PHONE, Visit
from tests.browser.test_first_page import count, enter_room, line, post, said
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

LINES = 1_040
TASK_MS = 50
KEPT = 350
FAST = {"TSUDOI_OPERATIONS_PER_S": "2000", "TSUDOI_OPERATIONS_BURST": "4000"}
FILL = """async ({ room, lines }) => {
    const post = async (n) => {
        const text = `${n}番目の話。` + '少し長めに書いて、何行かになるようにしておきます。'.repeat(n % 4);
        const body = JSON.stringify({ room, text, nonce: `fill-${n}` });
        const answer = await fetch('/api/v1/room.send', { method: 'POST', body });
        if (!answer.ok) throw new Error(await answer.text());
        return (await answer.json()).ok.message;
    };
    const first = await post(0);
    for (let n = 1; n < lines; n += 20) await Promise.all(Array.from({ length: 20 }, (_, at) => post(n + at)));
    return first;
}"""
WATCH = """() => {
    window.long = [];
    new PerformanceObserver((list) => window.long.push(...list.getEntries().map((e) => e.duration))).observe({ entryTypes: ['longtask'] });
}"""
FIRST = """() => {
    const top = document.getElementById('log').getBoundingClientRect().top;
    const first = [...document.querySelectorAll('#lines > li')].find((each) => each.getBoundingClientRect().bottom > top + 60);
    return [first.dataset.id, first.getBoundingClientRect().bottom];
}"""
PLACE = "id => document.querySelector(`[data-id='${id}']`)?.getBoundingClientRect().bottom"


@pytest.fixture(scope="module")
def long_room(browser: Any) -> Iterator[tuple[str, str]]:
    """The link of a demo in whose room haru has said a thousand lines, and the id of the first of them."""
    with ServerProcess(FAST, ("demo",)) as server:
        visit = Visit(browser)
        link = server.wait_for_log(LINK)
        haru = visit.person(link, "haru")
        room = post(haru, server.url, "room.list")["rooms"][0]["id"]
        first = haru.evaluate(FILL, {"room": room, "lines": LINES})
        post(
            haru,
            server.url,
            "room.send",
            room=room,
            text="いちばんはじめの話って?",
            nonce="re",
            reply_to=first,
        )
        visit.leave()
        yield link, first


def wheel_until(page: Any, by: int, there: Callable[[], bool]) -> float:
    """Turn the wheel until one is there; how many seconds it took."""
    box = page.locator("#log").bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 200)
    began = time.monotonic()
    while not there():
        assert time.monotonic() - began < 60, "the wheel never got there"
        page.mouse.wheel(0, by)
        page.wait_for_function("() => new Promise((go) => requestAnimationFrame(() => go(true)))")
    return time.monotonic() - began


def busiest_ms(trace: bytes) -> tuple[float, float]:
    """The longest task of any page's main thread: in processor time, and by the wall clock."""
    events = json.loads(trace)["traceEvents"]
    names = [event for event in events if event.get("name") == "thread_name"]
    main = {(e["pid"], e["tid"]) for e in names if e["args"].get("name") == "CrRendererMain"}
    tasks = [
        e for e in events if e.get("ph") == "X" and "RunTask" in e["name"] and (e["pid"], e["tid"]) in main
    ]
    # What other programs take of the processor is not the page's doing: a thread's own time says what is.
    timed = [e for e in tasks if "tdur" in e]
    assert len(timed) > 100
    return max(e["tdur"] for e in timed) / 1_000, max(e["dur"] for e in tasks) / 1_000


def test_a_thousand_lines_scroll_without_a_long_task(
    visit: Visit, long_room: tuple[str, str], record_property: Callable[[str, object], None]
) -> None:
    page = visit.person(long_room[0], "aki", **PHONE)
    page.evaluate(WATCH)
    visit.browser.start_tracing(page=page, categories=["toplevel", "disabled-by-default-thread_time"])
    enter_room(page)
    rows = page.locator("#lines > li")
    page.locator("#fresh", has_text="いちばん新しい所へ").click()
    up_s = wheel_until(page, -1_800, page.locator("#history-start").is_visible)
    count(page.locator("#lines", has_text="0番目の話"), 1)
    assert rows.count() <= KEPT
    down_s = wheel_until(page, 1_800, lambda: page.locator("#lines", has_text="はじめの話って?").count() > 0)
    assert rows.count() <= KEPT
    busy_ms, wall_ms = busiest_ms(visit.browser.stop_tracing())
    record_property("longest task, processor ms", round(busy_ms, 1))
    record_property("longest task, wall ms", round(wall_ms, 1))
    record_property("long tasks", page.evaluate("() => window.long"))
    record_property("up and down, s", [round(up_s, 1), round(down_s, 1)])
    assert busy_ms <= TASK_MS


def test_history_comes_in_without_a_move(visit: Visit, long_room: tuple[str, str]) -> None:
    page = visit.person(long_room[0], "mio", **PHONE)
    enter_room(page)
    page.locator("#fresh", has_text="いちばん新しい所へ").click()
    count(page.locator("#lines", has_text="はじめの話って?"), 1)
    log = page.locator("#log")
    # Nine pages up: from the fourth on, lines beneath are let go of at the same time.
    for _ in range(9):
        oldest = page.locator("#lines > li").first.get_attribute("data-id")
        log.evaluate("each => { each.scrollTop = 120; }")
        place, before = page.evaluate(FIRST)
        page.wait_for_function("id => document.querySelector('#lines > li').dataset.id !== id", arg=oldest)
        assert abs(page.evaluate(PLACE, place) - before) < 1
    assert page.locator("#lines > li").count() <= KEPT
    # And down again: what is let go of above moves nothing either.
    for _ in range(3):
        newest = page.locator("#lines > li").last.get_attribute("data-id")
        log.evaluate("each => { each.scrollTop = each.scrollHeight - each.clientHeight - 120; }")
        place, before = page.evaluate(FIRST)
        page.wait_for_function(
            "id => document.querySelector('#lines > li:last-child').dataset.id !== id", arg=newest
        )
        assert abs(page.evaluate(PLACE, place) - before) < 1


def test_a_quote_leads_to_its_line_wherever_it_stands(visit: Visit, long_room: tuple[str, str]) -> None:
    from playwright.sync_api import expect

    link, first = long_room
    page = visit.person(link, "ken", **PHONE)
    enter_room(page)
    page.locator("#fresh", has_text="いちばん新しい所へ").click()
    reply = line(page, "はじめの話って?")
    # The quoted line is on none of the pages read so far, and its words are there all the same.
    count(page.locator(f"[data-id='{first}']"), 0)
    reply.locator(".quote", has_text="はるさん 0番目の話").tap()
    target = page.locator(f"[data-id='{first}']")
    expect(target).to_be_focused()
    expect(target).to_be_in_viewport()
    # What is around it stands there too, and the way back is one tap.
    count(page.locator("#lines", has_text="集まれた!"), 1)
    page.locator("#fresh").tap()
    expect(reply).to_be_in_viewport()
    count(target, 0)
    assert sum("はじめの話って?" in text for text in said(page)) == 1
