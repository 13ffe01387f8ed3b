"""Communities in a real browser: found, found again, joined, posted to, live in two browsers (FEATURES §3, §5, §11)."""

from __future__ import annotations

from typing import Any

import pytest

from realtime.text import short_text_cost
from tests.browser.conftest import DESKTOP, LOSS, PHONE, Visit
from tests.browser.test_first_page import count, post
from tests.browser.test_join import entry, says
from tests.browser.test_polling import person_of
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.timeout(90)]
TEXTS = (
    "",
    "集い",
    "👨‍👩‍👧‍👦👍🏽",
    "が",
    "क्षि",
    "見て https://example.org/a/very/long/path/that/goes/on ね",
    "http://a.jp、http://b.jp",
    "a\r\nb",
)


def places(page: Any) -> Any:
    """The communities, opened from the menu."""
    entry(page, "menu-places")
    page.locator("#places[open]").wait_for()
    return page.locator("#places")


def found(page: Any, name: str) -> Any:
    """A new community, shown to its founder."""
    sheet = places(page)
    sheet.locator("summary").click()
    sheet.locator("#place_name").fill(name)
    sheet.locator("#place_purpose").fill("窓から見えたもの")
    sheet.locator("#place-form [type=submit]").click()
    says(sheet.locator("#places-title"), name)
    return sheet


def say(sheet: Any, text: str) -> None:
    """Post it."""
    sheet.locator("#post_text").fill(text)
    sheet.locator("#post-form [type=submit]").click()
    sheet.locator(".post-pending [data-act=hurry]").click()


def texts(sheet: Any) -> list[str]:
    """The posts on the screen, the newest first."""
    return list(sheet.locator(".post .post-text").all_text_contents())


class Cut:
    """A browser whose links can be cut while the server lives. Being offline does not end a socket that stands."""

    def __init__(self, visit: Visit) -> None:
        visit.forgive(*LOSS, "Failed to load")
        self.context = visit.context(**DESKTOP)
        self._sockets: list[Any] = []
        self._away = False
        self.context.route_web_socket("**/gateway", self._gate)

    def _gate(self, socket: Any) -> None:
        if self._away:
            socket.close(code=1011)
        else:
            socket.connect_to_server()
            self._sockets.append(socket)

    def away(self, page: Any) -> None:
        """Into a tunnel; returns when the page has noticed."""
        self._away = True
        self.context.set_offline(True)
        for socket in self._sockets:
            socket.close(code=1011)
        self._sockets.clear()
        page.locator("#link:not([data-state=live])").wait_for(state="attached")

    def back(self) -> None:
        """Out of it."""
        self._away = False
        self.context.set_offline(False)


def test_a_place_is_found_read_joined_and_posted_to_live(visit: Visit, link: str) -> None:
    aki, haru = visit.person(link, "aki"), visit.person(link, "haru", **PHONE)
    mine = found(aki, "電車の窓")
    say(mine, "海が見えた")
    count(mine.locator(".post"), 1)
    theirs = places(haru)
    theirs.locator("[data-which=open]").click()
    theirs.locator("#place_words").fill("窓")
    theirs.locator("#place-search [type=submit]").click()
    theirs.locator("[data-place]", has_text="電車の窓").click()
    says(theirs.locator(".post .post-text").first, "海が見えた")
    # To look on is not to be inside, and what is said comes all the same.
    count(theirs.locator("#post_text"), 0)
    say(mine, "次は山")
    says(theirs.locator(".post .post-text").first, "次は山")
    theirs.locator("#place-standing").click()
    theirs.locator("#post_text").wait_for()
    say(theirs, "こちらは雨")
    says(mine.locator(".post .post-text").first, "こちらは雨")
    assert texts(mine) == texts(theirs) == ["こちらは雨", "次は山", "海が見えた"]
    mine.locator(".post", has_text="次は山").locator(".act-remove").click()
    aki.locator("#ask-do").click()
    count(theirs.locator(".post"), 2)
    assert texts(theirs) == ["こちらは雨", "海が見えた"]
    # Only one's own can be deleted.
    count(theirs.locator(".act-remove"), 1)
    theirs.locator("#place-standing").click()
    count(theirs.locator("#post_text"), 0)


def test_what_is_being_written_stays_while_posts_come(visit: Visit, link: str) -> None:
    aki, haru = visit.person(link, "aki"), visit.person(link, "haru")
    mine = found(aki, "書きかけ")
    theirs = places(haru)
    theirs.locator("[data-which=open]").click()
    theirs.locator("[data-place]", has_text="書きかけ").click()
    theirs.locator("#place-standing").click()
    theirs.locator("#post_text").click()
    session = haru.context.new_cdp_session(haru)
    session.send("Input.imeSetComposition", {"text": "うみ", "selectionStart": 2, "selectionEnd": 2})
    say(mine, "ひとつめ")
    count(theirs.locator(".post"), 1)
    # The conversion is still open, in the same field.
    assert haru.evaluate("document.activeElement.id") == "post_text"
    session.send("Input.insertText", {"text": "海"})
    assert theirs.locator("#post_text").input_value() == "海"
    count(theirs.locator(".post"), 1)


def test_what_is_unfolded_stays_when_all_is_said_again(visit: Visit, link: str) -> None:
    from tests.browser.test_access import SPEAK

    sheet = places(visit.person(link, "aki"))
    sheet.locator("summary").click()
    sheet.locator("#place_name").fill("朝の会")
    sheet.page.evaluate(SPEAK, "en")
    says(sheet.locator("summary"), "Found a community")
    assert sheet.locator("#place_name").is_visible()
    assert sheet.locator("#place_name").input_value() == "朝の会"


def test_149_characters_fit_and_the_page_counts_as_the_server_does(visit: Visit, link: str) -> None:
    aki = visit.person(link, "aki")
    sheet = found(aki, "短いことば")
    sheet.locator("#post_text").fill("あ" * 150)
    says(sheet.locator("#post-form .post-left.over"), "-0.7")
    sheet.locator("#post-form [type=submit]").click()
    says(sheet.locator("#post_text-fault"), "149.3文字まで")
    assert sheet.locator("#post_text").input_value() == "あ" * 150
    sheet.locator("#post_text").fill("あ" * 149)
    says(sheet.locator("#post-form .post-left"), "0.3")
    sheet.locator("#post-form [type=submit]").click()
    sheet.locator(".post-pending [data-act=hurry]").click()
    count(sheet.locator(".post"), 1)
    counted = aki.evaluate(
        "async (texts) => { const { cost } = await import('/web/short.js'); return texts.map(cost); }",
        list(TEXTS),
    )
    assert counted == [short_text_cost(text.replace("\r\n", "\n")) for text in TEXTS]


def test_posts_are_found_by_a_word_and_a_reconnect_misses_nothing(visit: Visit, link: str) -> None:
    cut = Cut(visit)
    aki, haru = visit.person(link, "aki"), person_of(visit, link, cut.context, "haru")
    mine = found(aki, "電波のないところ")
    say(mine, "ﾋﾞｰﾙがおいしい")
    count(mine.locator(".post"), 1)
    sought(haru, "びーる")
    haru.locator("#home-found button", has_text="おいしい").click()
    haru.locator("#thread .post-place", has_text="電波のないところ").click()
    theirs = haru.locator("#places")
    says(theirs.locator("#places-title"), "電波のないところ")
    count(theirs.locator(".post"), 1)
    cut.away(haru)
    say(mine, "聞こえないあいだ")
    count(mine.locator(".post"), 2)
    assert texts(theirs) == ["ﾋﾞｰﾙがおいしい"]
    cut.back()
    count(theirs.locator(".post"), 2)
    assert texts(theirs) == ["聞こえないあいだ", "ﾋﾞｰﾙがおいしい"]


def test_more_than_a_page_of_missed_posts_leaves_no_gap_in_what_is_shown(
    visit: Visit, demo: ServerProcess, link: str
) -> None:
    cut = Cut(visit)
    aki, haru = visit.person(link, "aki"), person_of(visit, link, cut.context, "haru")
    mine = found(aki, "長いトンネル")
    say(mine, "はじめ")
    count(mine.locator(".post"), 1)
    place = post(aki, demo.url, "community.list")["communities"][0]["id"]
    theirs = places(haru)
    theirs.locator("[data-which=open]").click()
    theirs.locator("[data-place]", has_text="長いトンネル").click()
    says(theirs.locator(".post .post-text").first, "はじめ")
    cut.away(haru)
    for number in range(40):
        # As many as one may post in a second, and then more slowly.
        while post_status(aki, demo.url, place, str(number)) == 429:
            aki.wait_for_timeout(200)
    cut.back()
    says(theirs.locator(".post .post-text").first, "39")
    assert texts(theirs) == [str(number) for number in range(39, 9, -1)]
    theirs.get_by_role("button", name="もっと見る").click()
    count(theirs.locator(".post"), 41)
    assert texts(theirs) == [*(str(number) for number in range(39, -1, -1)), "はじめ"]


def post_status(page: Any, url: str, place: str, text: str) -> int:
    """Try to post, as the person of the page."""
    body = {"community": place, "text": text, "nonce": text}
    done = page.context.request.post(f"{url}/api/v1/post.create", data=body, headers={"origin": url})
    return int(done.status)


def sought(page: Any, words: str) -> None:
    """Look for posts at home."""
    page.locator("#home-tabs [data-tab=search]").click()
    page.locator("#home_words").fill(words)
    page.locator("#home-seek [type=submit]").click()


def test_words_that_are_nowhere_are_said_to_be_nowhere(visit: Visit, link: str) -> None:
    aki = visit.person(link, "aki")
    aki.locator("#home-tabs [data-tab=search]").click()
    says(aki.locator("#home-search > .quiet"), "ことばを入れてさがします")
    sought(aki, "どこにもない")
    says(aki.locator("#home-search > .quiet"), "見つかりません")
    assert aki.locator("#home-found").count() == 0


def test_people_and_communities_are_found_by_their_names(visit: Visit, link: str) -> None:
    aki, haru = visit.person(link, "aki"), visit.person(link, "haru")
    found(aki, "窓ぎわ")
    sought(haru, "窓")
    haru.locator("[data-kind=places]").click()
    says(haru.locator("#home-found"), "窓ぎわ")
    haru.locator("#home_words").fill("あき")
    haru.locator("[data-kind=people]").click()
    haru.locator("#home-seek [type=submit]").click()
    haru.locator("#home-found button", has_text="@aki").wait_for()
    assert haru.locator("#home-found button").count() == 1, "nobody else is called so"
    haru.locator("#home-found button").click()
    says(haru.locator("#profile .profile-head"), "@aki")
