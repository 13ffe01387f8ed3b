"""Who is here, in real browsers: dots, last visits, here now, who writes (FEATURES §7, §11)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.browser.conftest import PHONE, Visit
from tests.browser.test_access import Judge
from tests.browser.test_first_page import enter_room, line, post, write
from tests.browser.test_join import entry, says
from tests.browser.test_places import Cut, found, places
from tests.browser.test_polling import person_of
from tests.browser.test_tabs import another_tab
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

# Far more than anything takes, for a slow machine.
TOLD_MS = 40_000
SWIFT = {"TSUDOI_PRESENCE_GRACE_S": "0.3", "TSUDOI_PRESENCE_PACE_S": "0.5"}
SEEN = """seen => {
    Object.defineProperty(document, 'visibilityState', { value: seen ? 'visible' : 'hidden', configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
}"""
# Keeps whatever stands in an element from now on.
LISTEN = """(head) => {
    head.shown = [head.textContent];
    new MutationObserver(() => head.shown.push(head.textContent)).observe(head, { childList: true, characterData: true, subtree: true });
}"""
WHERE = """() => ['room-head', 'log', 'composer', 'rooms', 'typing'].map((id) => {
    const { x, y, width, height } = document.getElementById(id).getBoundingClientRect();
    return [id, x, y, width, height];
})"""


@pytest.fixture
def demo_settings() -> dict[str, str]:
    """Whoever leaves is gone soon, and others see one change soon after another; the true pace is judged without a page."""
    return SWIFT


def is_so(locator: Any, text: str) -> None:
    """Wait until exactly this stands there."""
    from playwright.sync_api import expect

    expect(locator).to_have_text(text, timeout=TOLD_MS)


def dot(place: Any, state: str) -> None:
    """Wait until a dot has this shape."""
    from playwright.sync_api import expect

    expect(place.locator(".dot")).to_have_attribute("data-state", state, timeout=TOLD_MS)


def dm(page: Any, demo: ServerProcess, handle: str, text: str = "やあ") -> str:
    """The DM of this page's person with another one, with a line in it."""
    other = post(page, demo.url, "account.get", handle=handle)["id"]
    room: str = post(page, demo.url, "room.open", account=other)["id"]
    post(page, demo.url, "room.send", room=room, text=text, nonce=text)
    return room


def row(page: Any, name: str) -> Any:
    """Somebody's row in the list of rooms."""
    return page.locator("#rooms .room", has=page.locator(".room-name", has_text=name))


def open_dm(page: Any, name: str) -> Any:
    """Open the DM with somebody; the line in its head that says how they are."""
    row(page, name).click()
    page.locator("#lines .line").first.wait_for()
    return page.locator("#room-here")


class Frames:
    """What pages said on their sockets: operations and what came with them."""

    def __init__(self, page: Any) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []
        page.on("websocket", lambda socket: socket.on("framesent", self._keep))

    def _keep(self, frame: Any) -> None:
        told = json.loads(frame)
        self.sent.append((told.get("op", ""), told.get("d", {})))

    def of(self, op: str) -> list[dict[str, Any]]:
        """The requests of an operation, in order."""
        return [d for each, d in self.sent if each == op]


def test_a_dot_comes_changes_its_shape_and_goes(visit: Visit, demo: ServerProcess, link: str) -> None:
    aki = visit.person(link, "aki")
    dm(aki, demo, "haru")
    dot(row(aki, "はる"), "offline")
    head = open_dm(aki, "はる")
    is_so(head, "オフライン")
    before = aki.evaluate(WHERE)
    haru = visit.person(link, "haru", **PHONE)
    dot(row(aki, "はる"), "online")
    is_so(head, "オンライン")
    is_so(row(aki, "はる").locator(".dot"), "オンライン")
    # The other one opens the same conversation, and puts the phone away.
    open_dm(haru, "あき")
    is_so(head, "いまここにいます")
    haru.evaluate(SEEN, False)
    is_so(head, "離席中")
    dot(row(aki, "はる"), "idle")
    haru.evaluate(SEEN, True)
    is_so(head, "いまここにいます")
    haru.context.close()
    is_so(head, "最終ログイン5分以内")
    dot(row(aki, "はる"), "offline")
    assert aki.evaluate(WHERE) == before, "nothing moves"


def test_one_word_for_each_change(visit: Visit, demo: ServerProcess, link: str) -> None:
    haru = visit.person(link, "haru")
    room = dm(haru, demo, "aki")
    context = visit.context()
    aki = visit.page("about:blank", context)
    frames = Frames(aki)
    aki.goto(link)
    aki.locator("[data-handle=aki]").click()
    aki.locator("#house:visible").wait_for()
    head = open_dm(aki, "はる")
    is_so(head, "オンライン")
    says(aki.locator("#own .unseen"), "オンライン")
    aki.keyboard.type("こんにちは、どうしてる?")
    line(aki, "やあ").hover()
    seen = open_dm(haru, "あき")
    is_so(seen, "いまここにいます")
    assert [d["presence"] for d in frames.of("connect")] == ["online"]
    assert frames.of("presence.set") == [{"active": True, "place": f"room:{room}"}]
    asked = frames.of("presence.watch")
    assert len(asked) <= 4
    haru_id = post(haru, demo.url, "account.get", handle="haru")["id"]
    assert haru_id in asked[-1]["accounts"]
    # Others' coming and going is no reason to read rooms anew.
    before = len(frames.of("room.list"))
    haru.evaluate(SEEN, False)
    is_so(head, "離席中")
    assert len(frames.of("room.list")) == before


def test_writing_is_seen_by_an_open_conversion_and_not_for_nothing(
    visit: Visit, demo: ServerProcess, link: str
) -> None:
    from playwright.sync_api import expect

    aki = visit.person(link, "aki")
    haru = visit.page("about:blank", visit.context())
    frames = Frames(haru)
    haru.goto(link)
    haru.locator("[data-handle=haru]").click()
    haru.locator("#house:visible").wait_for()
    for page in (aki, haru):
        enter_room(page)
    before = aki.evaluate(WHERE)
    keys = haru.context.new_cdp_session(haru)
    haru.locator("#composer-text").focus()
    keys.send("Input.imeSetComposition", {"text": "きょう", "selectionStart": 3, "selectionEnd": 3})
    is_so(aki.locator("#typing"), "はるさんが入力中")
    is_so(aki.locator("#typing-heard"), "はるさんが入力中")
    assert aki.evaluate(WHERE) == before, "nothing moves"
    keys.send("Input.imeSetComposition", {"text": "きょうは", "selectionStart": 4, "selectionEnd": 4})
    expect(haru.locator("#composer-text")).to_have_value("きょうは")
    keys.send("Input.insertText", {"text": "今日は"})
    # Emptied: nobody writes any more.
    haru.locator("#composer-text").fill("")
    is_so(aki.locator("#typing"), "")
    told = [d["on"] for d in frames.of("room.typing")]
    assert told[0] is True
    assert told.count(False) <= 1, "taken back once, unless it was over by itself"
    haru.locator("#composer-text").fill("   ")
    haru.locator("#composer-text").fill("")
    write(haru, "いま書いた")
    line(aki, "いま書いた").wait_for()
    is_so(aki.locator("#typing"), "")
    assert all(d["on"] for d in frames.of("room.typing")[len(told) :]), "what was sent ends it by itself"
    # Somebody muted is not told of, and whoever leaves the room writes no more.
    mute(aki, demo, "haru", "add")
    haru.locator("#composer-text").press_sequentially("まだ", delay=3_100)
    aki.locator("#composer-text").fill("きこえない")
    is_so(haru.locator("#typing"), "あきさんが入力中")
    is_so(aki.locator("#typing"), "")
    aki.locator("#way-home").click()
    is_so(haru.locator("#typing"), "")


def mute(page: Any, demo: ServerProcess, handle: str, verb: str) -> None:
    """Mute somebody on this page, or end it."""
    account = post(page, demo.url, "account.get", handle=handle)["id"]
    post(page, demo.url, f"mute.{verb}", account=account)
    page.evaluate(SEEN, True)
    page.locator("#lines .folded").first.wait_for()


def test_a_group_tells_who_looks_at_it_and_a_profile_leads_there(
    visit: Visit, demo: ServerProcess, link: str
) -> None:
    aki = visit.person(link, "aki", **PHONE)
    others = [visit.person(link, handle) for handle in ("haru", "mio", "ken")]
    enter_room(aki)
    here = aki.locator("#room-here")
    is_so(here, "オンライン 3人")
    enter_room(others[0])
    is_so(here, "いまここ: はるさん")
    for page in others[1:]:
        enter_room(page)
    is_so(here, "いまここ: はるさん、みおさん、ほか1人")
    aki.locator("#people-button").click()
    people = aki.locator("#people .person-row")
    is_so(people.filter(has_text="@mio").locator(".presence"), "オンライン")
    dot(people.filter(has_text="@mio"), "online")
    aki.keyboard.press("Escape")
    aki.locator("#back").click()
    entry(aki, "menu-ties")
    aki.locator("#ties .person-open", has_text="@haru").click()
    way = aki.locator("#profile .profile-head .presence").get_by_role("button")
    is_so(way, "「はじめての集い」にいます")
    way.click()
    says(aki.locator("#room-title"), "はじめての集い")
    assert aki.locator("dialog[open]").count() == 0


def test_a_community_tells_of_its_crowd(visit: Visit, demo: ServerProcess, link: str) -> None:
    aki, *others = (visit.person(link, handle) for handle in ("aki", "haru", "mio"))
    crowd = found(aki, "夜の散歩").locator("#place-here")
    is_so(crowd, "いま 数人(あなた)")
    for page in others:
        sheet = places(page)
        sheet.locator("[data-which=open]").click()
        sheet.locator("[data-place]", has_text="夜の散歩").click()
    says_all(crowd, "いま 3人", "はるさん", "みおさん", "あなた")
    assert crowd.inner_text().count("さん") == 2
    others[0].keyboard.press("Escape")
    is_so(crowd, "いま 数人(あなた、みおさん)")
    # The same from the other side, and of whoever left nothing.
    there = others[1].locator("#place-here")
    is_so(there, "いま 数人(あきさん、あなた)")
    assert "はるさん" not in crowd.inner_text() + there.inner_text()


def says_all(locator: Any, *texts: str) -> None:
    """Wait until all of this stands there."""
    from playwright.sync_api import expect

    for text in texts:
        expect(locator).to_contain_text(text, timeout=TOLD_MS)


def test_without_a_link_nobody_is_told_to_be_gone(visit: Visit, demo: ServerProcess, link: str) -> None:
    cut = Cut(visit)
    aki, haru = person_of(visit, link, cut.context, "aki"), visit.person(link, "haru")
    dm(haru, demo, "aki")
    head = open_dm(aki, "はる")
    is_so(head, "オンライン")
    head.evaluate(LISTEN)
    cut.away(aki)
    is_so(head, "わからない")
    dot(row(aki, "はる"), "unknown")
    is_so(row(aki, "はる").locator(".dot"), "わからない")
    cut.back()
    is_so(head, "オンライン")
    dot(row(aki, "はる"), "online")
    shown = set(head.evaluate("(head) => head.shown"))
    assert shown == {"オンライン", "わからない"}, "nothing was made up meanwhile"


def test_tabs_are_one_person(visit: Visit, demo: ServerProcess, link: str) -> None:
    haru, first = visit.person(link, "haru"), visit.person(link, "aki")
    dm(haru, demo, "aki")
    head = open_dm(haru, "あき")
    second = another_tab(visit, first)
    is_so(open_dm(second, "はる"), "いまここにいます")
    is_so(head, "いまここにいます")
    first.evaluate(SEEN, False)
    second.evaluate(SEEN, False)
    is_so(head, "離席中")
    second.evaluate(SEEN, True)
    is_so(head, "いまここにいます")
    # The tab that has the socket goes; the one in sight goes on.
    first.close()
    write(second, "まだいるよ")
    line(haru, "まだいるよ").wait_for()
    is_so(head, "いまここにいます")
    is_so(second.locator("#room-here"), "いまここにいます")
    second.close()
    is_so(head, "最終ログイン5分以内")
    other = post(haru, demo.url, "account.get", handle="aki")["id"]
    told = post(haru, demo.url, "presence.get", accounts=[other])
    assert told["people"] == {other: {"state": "offline", "seen": "5m", "doing": None}}


def test_a_last_visit_grows_older_on_the_screen(visit: Visit, demo: ServerProcess, link: str) -> None:
    aki = visit.person(link, "aki")
    haru = visit.person(link, "haru")
    dm(haru, demo, "aki")
    head = open_dm(aki, "はる")
    open_dm(haru, "あき")
    is_so(head, "いまここにいます")
    post(haru, demo.url, "account.update", presence_to="nobody")
    is_so(head, "最終ログイン5分以内")
    # Fifty minutes later by the page's own clock.
    aki.evaluate("() => { const real = Date.now; Date.now = () => real() + 50 * 60_000; }")
    aki.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")
    is_so(head, "最終ログイン1時間以内")
    # The page counts by itself: the server was asked nothing, and would say what it said.
    other = post(aki, demo.url, "account.get", handle="haru")["id"]
    told = post(aki, demo.url, "presence.get", accounts=[other])
    assert told["people"][other] == {"state": "offline", "seen": "5m", "doing": None}


def test_presence_keeps_the_rules(visit: Visit, demo: ServerProcess, link: str) -> None:
    aki, haru = visit.person(link, "aki"), visit.person(link, "haru")
    dm(haru, demo, "aki")
    post(haru, demo.url, "post.create", text="ここにいる", nonce="1")
    dot(aki.locator("#feed-posts .post").first, "online")
    open_dm(aki, "はる")
    haru.locator("#composer-text").wait_for(state="attached")
    open_dm(haru, "あき")
    is_so(aki.locator("#room-here"), "いまここにいます")
    haru.locator("#composer-text").press_sequentially("かいてる", delay=20)
    is_so(aki.locator("#typing"), "はるさんが入力中")
    judge = Judge(aki)
    assert judge.all() == []
    aki.locator("#own").click()
    aki.locator("#visibility [data-to=mutuals][aria-pressed=true]").wait_for()
    assert judge.dialog() == []
    aki.keyboard.press("Escape")
    aki.locator("#people-button").click()
    # Judged in both languages, it may speak either now.
    aki.locator("#profile .profile-more button").nth(1).click()
    aki.locator("#exception [data-to=null][aria-pressed=true]").wait_for()
    assert judge.dialog() == []
    aki.keyboard.press("Escape")
    aki.keyboard.press("Escape")
    post(
        aki,
        demo.url,
        "presence.except",
        account=post(aki, demo.url, "account.get", handle="ken")["id"],
        shown=False,
    )
    entry(aki, "menu-settings")
    aki.locator("#exceptions .person-row").wait_for()
    assert judge.dialog() == []
