"""Answers that come late, or after something else was asked, in a real browser: nothing stands twice, nothing in the wrong
place, and nothing of one account is left for the next."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.conftest import DESKTOP, Visit
from tests.browser.test_first_page import count, post
from tests.browser.test_home import act, card, pour, share, shown
from tests.browser.test_join import entry, says
from tests.browser.test_places import found
from tests.browser.test_polling import person_of
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.timeout(90)]

POLL_MS = 50


class Held:
    """A browser that gets the answers to some questions when the test says so. `asked` are the operations it asked for."""

    def __init__(self, visit: Visit) -> None:
        self.context = visit.context(**DESKTOP)
        self.asked: list[str] = []
        self.kept: list[tuple[Any, str]] = []
        self._which: Callable[[str, Any], bool] = lambda op, d: False
        self._sockets: list[Any] = []
        self.context.route_web_socket("**/gateway", self._gate)

    def _gate(self, socket: Any) -> None:
        server = socket.connect_to_server()
        held: set[int] = set()

        def asks(frame: str) -> None:
            told = json.loads(frame)
            self.asked.append(told.get("op", ""))
            if self._which(told.get("op", ""), told.get("d")):
                held.add(told["id"])
            server.send(frame)

        def answers(frame: str) -> None:
            if json.loads(frame).get("id") in held:
                self.kept.append((socket, frame))
            else:
                socket.send(frame)

        socket.on_message(asks)
        server.on_message(answers)
        self._sockets.append(socket)

    def hold(self, op: str, **fields: Any) -> None:
        """Keep back what answers this from now on."""
        self._which = lambda asked, d: asked == op and fields.items() <= d.items()

    def wait(self, page: Any, number: int) -> None:
        """Until so many answers are kept back."""
        for _ in range(300):
            if len(self.kept) >= number:
                return
            page.wait_for_timeout(POLL_MS)
        raise AssertionError(f"{len(self.kept)} of {number} answers came")

    def release(self) -> None:
        """Let them come, and keep back no more."""
        self._which = lambda op, d: False
        for socket, frame in self.kept:
            socket.send(frame)
        self.kept.clear()

    def refuse(self, code: str) -> None:
        """Answer with an error instead, and keep back no more."""
        self.kept = [
            (socket, json.dumps({"id": json.loads(frame)["id"], "error": {"code": code, "message": code}}))
            for socket, frame in self.kept
        ]
        self.release()

    def drop(self) -> None:
        """End the link; the page begins another."""
        socket = self._sockets.pop()
        socket.close(code=1011)


@pytest.fixture
def held(visit: Visit) -> Held:
    """See the class."""
    return Held(visit)


def test_what_is_told_while_a_thread_is_read_stands_there_only_if_it_belongs(
    visit: Visit, held: Held, link: str
) -> None:
    aki, haru = person_of(visit, link, held.context, "aki"), visit.person(link, "haru")
    share(haru, "始まり")
    says(aki.locator("#feed-posts .post-text"), "始まり")
    held.hold("timeline.list", which="thread")
    act(aki, "始まり", "reply")
    held.wait(aki, 1)
    share(haru, "別の話")
    says(aki.locator("#feed-posts .post-text").first, "別の話")
    act(haru, "始まり", "reply")
    haru.locator("#reply_text").wait_for()
    share(haru, "続き", "reply")
    says(aki.locator("#feed-posts .post-text").first, "続き")
    held.release()
    count(aki.locator("#thread .post"), 2)
    assert aki.locator("#thread .post .post-text").all_text_contents() == ["始まり", "続き"]


def test_a_place_that_was_closed_before_it_came_is_not_watched(
    visit: Visit, held: Held, demo: ServerProcess, link: str
) -> None:
    aki = person_of(visit, link, held.context, "aki")
    found(aki, "夜の散歩")
    place = post(aki, demo.url, "community.list")["communities"][0]["id"]
    aki.keyboard.press("Escape")
    post(aki, demo.url, "post.create", text="月が出た", nonce="1", community=place)
    button = card(aki, "月が出た").locator(".post-place")
    button.wait_for()
    held.hold("community.get")
    held.asked.clear()
    button.click()
    held.wait(aki, 1)
    aki.keyboard.press("Escape")
    held.release()
    entry(aki, "menu-places")
    count(aki.locator("#places [data-place]"), 1)
    assert "channel.watch" not in held.asked


def test_a_list_that_is_asked_for_twice_stands_once(
    visit: Visit, held: Held, demo: ServerProcess, link: str
) -> None:
    aki, haru = person_of(visit, link, held.context, "aki"), visit.person(link, "haru")
    places = [
        post(haru, demo.url, "community.create", name=name, nonce=name)["id"] for name in ("夜の散歩", "窓")
    ]
    post(aki, demo.url, "community.join", community=places[0])
    held.hold("community.list")
    entry(aki, "menu-places")
    held.wait(aki, 1)
    post(aki, demo.url, "community.join", community=places[1])
    held.wait(aki, 2)
    held.release()
    count(aki.locator("#places [data-place]"), 2)
    # Both answers have come by the time that a third one has.
    aki.locator("#places [data-which=open]").click()
    count(aki.locator("#places [data-place]"), 2)
    aki.locator("#places [data-which=mine]").click()
    count(aki.locator("#places [data-place]"), 2)
    listed = aki.locator("#places [data-place]").evaluate_all("rows => rows.map((row) => row.dataset.place)")
    assert sorted(listed) == sorted(places)


def test_an_error_that_comes_late_says_nothing_of_somebody_else(
    visit: Visit, held: Held, demo: ServerProcess, link: str
) -> None:
    aki, haru, ken = (
        person_of(visit, link, held.context, "aki"),
        visit.person(link, "haru"),
        visit.person(link, "ken"),
    )
    share(haru, "はるの話")
    share(ken, "けんの話")
    first = post(aki, demo.url, "account.get", handle="haru")["id"]
    count(aki.locator("#feed-posts .post"), 2)
    held.hold("account.get", account=first)
    card(aki, "はるの話").locator(".post-who").click()
    held.wait(aki, 1)
    aki.keyboard.press("Escape")
    card(aki, "けんの話").locator(".post-who").click()
    says(aki.locator("#profile .profile-head"), "@ken")
    held.refuse("not_found")
    says(aki.locator("#profile-list .post-text"), "けんの話")
    # Drawn anew, it is still the same person's.
    aki.locator("#profile .profile-more button").first.click()
    says(aki.locator("#profile .notes"), "ミュート")
    says(aki.locator("#profile .profile-head"), "@ken")
    assert aki.locator("#profile .fault").all_text_contents() == [""] * aki.locator("#profile .fault").count()
    muted = post(aki, demo.url, "mute.list")["accounts"]
    assert [each["handle"] for each in muted] == ["ken"]


def test_a_page_that_failed_is_read_by_one_tap(
    visit: Visit, held: Held, demo: ServerProcess, link: str
) -> None:
    aki = person_of(visit, link, held.context, "aki")
    pour(aki, demo.url, map(str, range(35)))
    aki.reload()
    count(aki.locator("#feed-posts .post"), 30)
    held.hold("timeline.list")
    aki.locator("#feed").evaluate("each => { each.scrollTop = each.scrollHeight; }")
    held.wait(aki, 1)
    held.refuse("unavailable")
    aki.locator("#feed-posts .feed-end .fault").wait_for()
    aki.locator("#feed-posts .feed-end button").click()
    count(aki.locator("#feed-posts .post"), 35)
    assert shown(aki) == [str(number) for number in range(34, -1, -1)]
    assert aki.locator("#feed-posts .feed-end .fault").count() == 0


def test_a_timeline_that_could_not_be_read_is_read_with_the_next_link(
    visit: Visit, held: Held, link: str
) -> None:
    visit.forgive("WebSocket")
    held.hold("timeline.list")
    aki = person_of(visit, link, held.context, "aki")
    held.wait(aki, 1)
    held.refuse("unavailable")
    aki.locator("#feed-posts .feed-end .fault").wait_for()
    held.drop()
    count(aki.locator("#feed-posts .feed-end .fault"), 0)
    says(aki.locator("#feed-posts .feed-end"), "まだ")
    assert held.asked.count("timeline.list") == 2


def test_what_was_begun_stays_with_what_it_answers(visit: Visit, demo: ServerProcess, link: str) -> None:
    aki = visit.person(link, "aki")
    first = post(aki, demo.url, "post.create", text="ひとつめ", nonce="1")["post"]
    post(aki, demo.url, "post.create", text="ふたつめ", nonce="2", reply_to=first)
    act(aki, "ひとつめ", "reply")
    count(aki.locator("#thread .post"), 2)
    # Faster than anybody: before the words were kept, another post is to be answered.
    aki.evaluate("""() => {
        const field = document.getElementById('reply_text');
        field.value = '書きかけ';
        field.dispatchEvent(new Event('input', { bubbles: true }));
        [...document.querySelectorAll('#thread .act-reply')].at(-1).click();
    }""")
    kept = "id => Object.entries(localStorage).some(([key, value]) => key.endsWith(`post.reply.${id}`) && JSON.parse(value).text === '書きかけ')"
    aki.wait_for_function(kept, arg=first)
    assert aki.locator("#reply_text").input_value() == "", "the other answer begins empty"


def test_nothing_of_one_account_is_left_for_the_next(visit: Visit, demo: ServerProcess, link: str) -> None:
    aki, haru = visit.person(link, "aki"), visit.person(link, "haru")
    post(haru, demo.url, "post.create", text="犯人は執事", nonce="1", mask="spoiler")
    aki.locator("#home_text").click()
    says(aki.locator("#home-form .post-reach"), "フォロワー 3人に届きます。ほかの人も読めます。")
    # It is asked again whenever one comes to write.
    post(aki, demo.url, "account.update", private=True)
    aki.locator("#feed-posts .post-masked button").click()
    says(aki.locator("#feed-posts .post-text"), "執事")
    aki.locator("#home_text").click()
    says(aki.locator("#home-form .post-reach"), "フォロワー 3人に届きます。ほかの人には見えません。")
    entry(aki, "log-out")
    aki.locator("#ask-do").click()
    aki.locator("[data-handle=ken]").click()
    says(aki.locator("#feed-posts .post-masked"), "ネタバレを含みます")
    assert aki.locator("#home-form .post-reach").text_content() == ""


def test_what_is_before_ones_eyes_counts_as_read_however_often_it_is_drawn(
    visit: Visit, demo: ServerProcess, link: str
) -> None:
    aki, haru = visit.person(link, "aki"), visit.person(link, "haru")
    made = post(aki, demo.url, "post.create", text="見られる", nonce="1")
    one = made["post"]
    says(haru.locator("#feed-posts .post-text"), "見られる")
    for turn in range(60):
        post(aki, demo.url, "reaction.remove" if turn % 2 else "reaction.add", post=one, kind="like")
        read_at = post(haru, demo.url, "timeline.list", which="follow")["read_at"]
        if read_at:
            break
        haru.wait_for_timeout(300)
    assert read_at == made["at"]
