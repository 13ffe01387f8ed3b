"""Home in a real browser: what is shared now, live, read, answered, passed on and taken back (FEATURES §3, §11)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from tests.browser.conftest import LINK, LOSS, PHONE, Visit
from tests.browser.test_first_page import count, post
from tests.browser.test_join import entry, says
from tests.browser.test_places import Cut, found
from tests.browser.test_polling import person_of
from tests.browser.test_reading import TASK_MS, busiest_ms
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

POSTS = 1_000
FAST = {"TSUDOI_OPERATIONS_PER_S": "4000", "TSUDOI_OPERATIONS_BURST": "8000"}
FILL = """async (posts) => {
    const post = async (n) => {
        const text = `${n}番目のできごと。` + '少し長めに書いて、何行かになるように。'.repeat(n % 4);
        const answer = await fetch('/api/v1/post.create', { method: 'POST', body: JSON.stringify({ text, nonce: `fill-${n}` }) });
        if (!answer.ok) throw new Error(await answer.text());
    };
    for (let n = 0; n < posts; n += 20) await Promise.all(Array.from({ length: 20 }, (_, at) => post(n + at)));
}"""
FIRST = """() => {
    const top = document.getElementById('feed').getBoundingClientRect().top;
    const first = [...document.querySelectorAll('#feed-posts > .post')].find((each) => each.getBoundingClientRect().bottom > top + 20);
    return [first.dataset.id, first.getBoundingClientRect().bottom];
}"""
HOW_MANY = "document.getElementById('feed-posts').childElementCount"
PLACE = "id => document.querySelector(`#feed-posts [data-id='${id}']`)?.getBoundingClientRect().bottom"


def home(page: Any) -> Any:
    """To the timeline, wherever one is."""
    page.locator("#way-home").click()
    page.locator("#feed-posts .feed-end").wait_for(state="attached")
    return page.locator("#feed-posts")


def share(page: Any, text: str, name: str = "home") -> None:
    """Post it at once."""
    page.locator(f"#{name}_text").fill(text)
    page.locator(f"#{name}-form [type=submit]").click()
    page.locator(".post-pending [data-act=hurry]:visible").click()


def shown(page: Any, number: int | None = None) -> list[str]:
    """The words on the timeline, the newest first; waits until so many are there."""
    if number is not None:
        count(page.locator("#feed-posts .post .post-text"), number)
    return list(page.locator("#feed-posts .post .post-text").all_text_contents())


def card(page: Any, text: str, within: str = "#feed-posts") -> Any:
    """The post with these words."""
    return page.locator(f"{within} .post", has=page.locator(".post-text", has_text=text))


def pour(page: Any, url: str, texts: Iterable[str], **fields: Any) -> None:
    """Post all of them by HTTP: as many as one may in a second, and then more slowly."""
    for text in texts:
        body = {"text": text, "nonce": text, **fields}
        to = f"{url}/api/v1/post.create"
        while (done := page.context.request.post(to, data=body, headers={"origin": url})).status == 429:
            page.wait_for_timeout(200)
        assert done.ok, done.text()


def act(page: Any, text: str, what: str, within: str = "#feed-posts") -> None:
    """Do something with a post."""
    card(page, text, within).locator(f".act-{what}").click()


def test_what_one_shares_is_on_a_followers_screen_and_gone_when_deleted(visit: Visit, link: str) -> None:
    aki, haru = visit.person(link, "aki"), visit.person(link, "haru", **PHONE)
    theirs = home(haru)
    aki.locator("#home_text").click()
    says(aki.locator("#home-form .post-reach"), "フォロワー 3人に届きます。ほかの人も読めます。")
    share(aki, "海まで歩いた")
    share(aki, "いい風")
    says(theirs.locator(".post-text").first, "いい風")
    assert shown(haru, 2) == shown(aki, 2) == ["いい風", "海まで歩いた"]
    act(aki, "いい風", "remove")
    aki.locator("#ask-do").click()
    count(theirs.locator(".post"), 1)
    assert shown(haru, 1) == shown(aki, 1) == ["海まで歩いた"]


def test_a_post_can_be_taken_back_before_it_leaves_and_leaves_by_itself(
    visit: Visit, demo: ServerProcess, link: str
) -> None:
    aki = visit.person(link, "aki")
    aki.locator("#home_text").fill("やっぱりやめた")
    aki.locator("#home_mask").select_option("spoiler")
    aki.locator("#home-form [type=submit]").click()
    says(aki.locator(".post-pending"), "まもなく投稿します")
    aki.locator(".post-pending [data-act=undo]").click()
    count(aki.locator(".post-pending li"), 0)
    assert aki.locator("#home_text").input_value() == "やっぱりやめた"
    assert aki.locator("#home_mask").input_value() == "spoiler"
    aki.locator("#home_text").fill("こちらは出す")
    aki.locator("#home_mask").select_option("")
    aki.locator("#home-form [type=submit]").click()
    # Nobody does anything: after its seconds it has left.
    aki.locator("#feed-posts .post").wait_for()
    count(aki.locator("#feed-posts .post"), 1)
    count(aki.locator(".post-pending li"), 0)
    posts = post(aki, demo.url, "timeline.list", which="follow")["posts"]
    assert [each["text"] for each in posts] == ["こちらは出す"]


def test_what_was_written_in_a_tunnel_leaves_once_over_a_reload(
    visit: Visit, demo: ServerProcess, link: str
) -> None:
    visit.forgive(*LOSS)
    aki = visit.person(link, "aki")
    aki.locator("#home_text").fill("書きかけの")
    demo.kill()
    aki.locator("#link:not([data-state=live])").wait_for(state="attached")
    aki.locator("#home_text").fill("トンネルから")
    aki.locator("#home-form [type=submit]").click()
    aki.locator(".post-pending [data-act=hurry]").click()
    says(aki.locator(".post-pending"), "未送信")
    demo.start()
    aki.reload()
    count(aki.locator("#feed-posts .post"), 1)
    count(aki.locator(".post-pending li"), 0)
    aki.reload()
    count(aki.locator("#feed-posts .post"), 1)
    assert shown(aki) == ["トンネルから"]


def test_answers_quotes_and_passing_on(visit: Visit, demo: ServerProcess, link: str) -> None:
    aki, haru = visit.person(link, "aki"), visit.person(link, "haru", **PHONE)
    theirs = home(haru)
    share(aki, "映画を見た")
    act(haru, "映画を見た", "reply")
    haru.locator("#reply_text").wait_for()
    share(haru, "どうだった?", "reply")
    says(haru.locator("#thread .post-text").last, "どうだった?")
    haru.keyboard.press("Escape")
    # The answer stands in aki's own timeline, and leads back to what it answers.
    says(card(aki, "どうだった?"), "返信です")
    says(card(aki, "映画を見た").locator(".act-reply"), "1")
    card(aki, "どうだった?").locator(".post-answers button").click()
    count(aki.locator("#thread .post"), 2)
    assert aki.locator("#thread .post .post-text").all_text_contents() == ["映画を見た", "どうだった?"]
    share(aki, "泣いた", "reply")
    says(aki.locator("#thread .post-text").last, "泣いた")
    aki.keyboard.press("Escape")
    act(haru, "映画を見た", "quote")
    haru.locator("#quote_text").fill("見に行く")
    haru.locator("#quote-form [type=submit]").click()
    haru.locator("#home-write [data-act=hurry]").click()
    says(card(aki, "見に行く").locator(".post-quoted"), "あき 映画を見た")
    act(haru, "映画を見た", "repost")
    haru.locator("#ask-do").click()
    says(aki.locator("#feed-posts .post-passed"), "はるさんがリポスト")
    count(theirs.locator(".post-passed"), 1)
    # What is passed on or quoted goes with the post it was.
    original = next(
        each
        for each in post(aki, demo.url, "timeline.list", which="follow")["posts"]
        if each["text"] == "映画を見た"
    )
    post(aki, demo.url, "post.delete", post=original["id"])
    count(theirs.locator(".post-absent"), 2)
    assert "映画を見た" not in " ".join(theirs.locator(".post").all_text_contents())


def test_reactions_are_counted_for_all_and_named_to_the_author(visit: Visit, link: str) -> None:
    aki, haru = visit.person(link, "aki"), visit.person(link, "haru", **PHONE)
    home(haru)
    share(aki, "猫がいた")
    act(haru, "猫がいた", "like")
    says(card(aki, "猫がいた").locator(".act-like"), "1")
    act(haru, "猫がいた", "stamp")
    haru.locator("[data-stamp=kawaii]").click()
    says(card(aki, "猫がいた").locator(".chip"), "かわいい 1")
    assert card(haru, "猫がいた").locator(".chip").get_attribute("aria-pressed") == "true"
    assert card(aki, "猫がいた").locator(".chip").get_attribute("aria-pressed") == "false"
    # Another stamp takes the place of the first.
    act(haru, "猫がいた", "stamp")
    haru.locator("[data-stamp=suteki]").click()
    says(card(aki, "猫がいた").locator(".chip"), "すてき 1")
    count(card(aki, "猫がいた").locator(".chip"), 1)
    count(card(haru, "猫がいた").locator(".act-who"), 0)
    act(aki, "猫がいた", "who")
    says(aki.locator("#who .person-row").first, "すてき")
    assert "@haru" in (aki.locator("#who").text_content() or "")
    aki.keyboard.press("Escape")
    card(haru, "猫がいた").locator(".chip").click()
    count(card(aki, "猫がいた").locator(".chip"), 0)


def test_a_mask_stands_before_the_words(visit: Visit, link: str) -> None:
    aki, haru = visit.person(link, "aki"), visit.person(link, "haru")
    aki.locator("#home_text").fill("犯人は執事")
    aki.locator("#home_mask").select_option("spoiler")
    aki.locator("#home-form [type=submit]").click()
    aki.locator(".post-pending [data-act=hurry]").click()
    says(haru.locator("#feed-posts .post-masked"), "ネタバレを含みます")
    assert "執事" not in (haru.locator("#feed-posts").text_content() or "")
    haru.locator("#feed-posts .post-masked button").click()
    says(haru.locator("#feed-posts .post-text"), "犯人は執事")


def test_nothing_moves_while_one_reads_and_what_is_new_comes_by_one_tap(
    visit: Visit, demo: ServerProcess, link: str
) -> None:
    aki, haru = visit.person(link, "aki"), visit.person(link, "haru", **PHONE)
    for number in range(12):
        post(aki, demo.url, "post.create", text=f"{number}回目", nonce=str(number))
        aki.wait_for_timeout(150)
    theirs = home(haru)
    count(theirs.locator(".post"), 12)
    haru.locator("#feed").evaluate("each => { each.scrollTop = 500; }")
    place, before = haru.evaluate(FIRST)
    for text in ("新しい話", "もうひとつ"):
        share(aki, text)
    says(haru.locator("#feed-fresh"), "2")
    # Something above what is read goes, and what is read stays where it is.
    act(aki, "11回目", "remove")
    aki.locator("#ask-do").click()
    count(theirs.locator(".post"), 11)
    assert abs(haru.evaluate(PLACE, place) - before) < 1
    haru.locator("#feed-fresh").tap()
    count(theirs.locator(".post"), 13)
    assert shown(haru)[:2] == ["もうひとつ", "新しい話"]
    assert haru.locator("#feed").evaluate("each => each.scrollTop") == 0


def test_how_far_one_has_read_is_known_on_every_device(visit: Visit, demo: ServerProcess, link: str) -> None:
    aki, haru = visit.person(link, "aki"), visit.person(link, "haru")
    share(aki, "読まれる")
    says(haru.locator("#feed-posts .post-text"), "読まれる")
    for _ in range(50):
        if post(haru, demo.url, "timeline.list", which="follow")["read_at"]:
            break
        haru.wait_for_timeout(200)
    else:
        pytest.fail("what stood before somebody's eyes never counted as read")
    haru.close()
    share(aki, "まだ読まれない")
    share(aki, "これもまだ")
    count(aki.locator("#feed-posts .post"), 3)
    elsewhere = visit.person(link, "haru", **PHONE)
    theirs = home(elsewhere)
    count(theirs.locator(".post"), 3)
    says(theirs.locator(".mark"), "ここから未読")
    order = theirs.locator(":scope > li:not(.feed-end)").evaluate_all(
        "rows => rows.map((row) => row.querySelector('.post-text')?.textContent ?? '-')"
    )
    assert order == ["これもまだ", "まだ読まれない", "-", "読まれる"]


def test_whom_one_follows_decides_what_one_reads(visit: Visit, demo: ServerProcess, link: str) -> None:
    aki, haru = visit.person(link, "aki"), visit.person(link, "haru")
    share(aki, "聞こえる?")
    theirs = home(haru)
    count(theirs.locator(".post"), 1)
    account = post(haru, demo.url, "account.get", handle="aki")["id"]
    post(haru, demo.url, "follow.remove", account=account)
    count(theirs.locator(".post"), 0)
    share(aki, "聞こえない")
    count(aki.locator("#feed-posts .post"), 2)
    assert shown(haru) == []
    post(haru, demo.url, "follow.add", account=account)
    count(theirs.locator(".post"), 2)
    share(aki, "また聞こえる")
    says(theirs.locator(".post-text").first, "また聞こえる")
    post(haru, demo.url, "block.add", account=account)
    count(theirs.locator(".post"), 0)


def test_who_was_blocked_reads_nothing_more_and_is_not_told(
    visit: Visit, demo: ServerProcess, link: str
) -> None:
    aki, haru, ken = (visit.person(link, who) for who in ("aki", "haru", "ken"))
    share(aki, "みんなへ")
    says(haru.locator("#feed-posts .post-text"), "みんなへ")
    notice = haru.locator("#notice").text_content()
    post(aki, demo.url, "block.add", account=post(aki, demo.url, "account.get", handle="haru")["id"])
    share(aki, "ひとりをのぞいて")
    share(ken, "別の話")
    says(haru.locator("#feed-posts .post-text").first, "別の話")
    assert shown(haru) == ["別の話", "みんなへ"]
    assert haru.locator("#notice").text_content() == notice
    haru.reload()
    says(haru.locator("#feed-posts .post-text"), "別の話")
    count(haru.locator("#feed-posts .post"), 1)


def test_the_profile_shows_what_somebody_shares_live(visit: Visit, demo: ServerProcess, link: str) -> None:
    aki, haru = visit.person(link, "aki"), visit.person(link, "haru")
    share(aki, "ひとこと")
    post(haru, demo.url, "follow.remove", account=post(haru, demo.url, "account.get", handle="aki")["id"])
    haru.locator("#home-tabs [data-tab=search]").click()
    haru.locator("#home_words").fill("ひとこと")
    haru.locator("#home-seek [type=submit]").click()
    haru.locator("#home-found button").click()
    haru.locator("#thread .post-who").click()
    says(haru.locator("#profile-list .post-text").first, "ひとこと")
    share(aki, "ふたこと")
    says(haru.locator("#profile-list .post-text").first, "ふたこと")
    assert haru.locator("#profile-list .post-text").all_text_contents() == ["ふたこと", "ひとこと"]
    assert shown(haru) == [], "whom one only looks at stands on the profile alone"
    post(aki, demo.url, "account.update", private=True)
    haru.reload()
    entry(haru, "menu-ties")
    haru.keyboard.press("Escape")
    haru.locator("#home-tabs [data-tab=search]").click()
    haru.locator("#home_words").fill("ひとこと")
    haru.locator("#home-seek [type=submit]").click()
    says(haru.locator("#home-search > .quiet"), "見つかりません")


def test_a_community_in_which_much_is_said_is_one_card(visit: Visit, browser: Any) -> None:
    with ServerProcess({"TSUDOI_BUSY_POSTS_PER_MIN": "3"}, ("demo",)) as server:
        link = server.wait_for_log(LINK)
        aki, haru = visit.person(link, "aki"), visit.person(link, "haru")
        found(aki, "実況")
        place = post(aki, server.url, "community.list")["communities"][0]["id"]
        post(haru, server.url, "community.join", community=place)
        for number in range(8):
            post(aki, server.url, "post.create", community=place, text=f"{number}点", nonce=str(number))
            aki.wait_for_timeout(120)
        haru.locator("#feed-busy button", has_text="「実況」がにぎわっています").click()
        says(haru.locator("#places .post .post-text").first, "7点")
        assert haru.locator("#places .post .post-text").all_text_contents() == [
            f"{n}点" for n in range(7, -1, -1)
        ]
        visit.leave()


def test_discover_says_why(visit: Visit, demo: ServerProcess, link: str) -> None:
    aki, haru, ken = (visit.person(link, who) for who in ("aki", "haru", "ken"))
    found(aki, "夜の散歩")
    place = post(aki, demo.url, "community.list")["communities"][0]["id"]
    for page in (aki, haru):
        if page is haru:
            post(page, demo.url, "community.join", community=place)
        post(page, demo.url, "account.update", communities_shown=True)
    ken.locator("#home-tabs [data-tab=discover]").click()
    says(ken.locator("#home-discover .person-row"), "夜の散歩")
    told = ken.locator("#home-discover .note")
    says(told, "さんがいます")
    assert all(name in (told.text_content() or "") for name in ("あき", "はる"))
    ken.locator("#home-discover button").click()
    says(ken.locator("#places-title"), "夜の散歩")


def test_a_tunnel_makes_no_gap(visit: Visit, demo: ServerProcess, link: str) -> None:
    cut = Cut(visit)
    aki, haru = visit.person(link, "aki"), person_of(visit, link, cut.context, "haru")
    share(aki, "はじめ")
    says(haru.locator("#feed-posts .post-text"), "はじめ")
    cut.away(haru)
    pour(aki, demo.url, map(str, range(45)))
    cut.back()
    says(haru.locator("#feed-posts .post-text").first, "44")
    haru.locator("#feed").evaluate("each => { each.scrollTop = each.scrollHeight; }")
    count(haru.locator("#feed-posts .post"), 46)
    assert shown(haru) == [*(str(number) for number in range(44, -1, -1)), "はじめ"]


def test_a_conversion_is_left_in_peace(visit: Visit, link: str) -> None:
    aki, haru = visit.person(link, "aki"), visit.person(link, "haru", **PHONE)
    home(haru)
    haru.locator("#home_text").click()
    session = haru.context.new_cdp_session(haru)
    session.send("Input.imeSetComposition", {"text": "うみ", "selectionStart": 2, "selectionEnd": 2})
    share(aki, "ひとつめ")
    says(haru.locator("#feed-posts .post-text"), "ひとつめ")
    haru.keyboard.press("Enter")
    assert haru.evaluate("document.activeElement.id") == "home_text"
    count(haru.locator(".post-pending li"), 0)
    session.send("Input.insertText", {"text": "海"})
    assert "海" in haru.locator("#home_text").input_value()
    # What was begun is there after a reload.
    haru.wait_for_function(
        "() => Object.entries(localStorage).some(([key, kept]) => key.startsWith('tsudoi.draft.') && kept.includes('海'))"
    )
    haru.reload()
    haru.locator("#home_text").wait_for()
    assert "海" in haru.locator("#home_text").input_value()


@pytest.fixture(scope="module")
def long_life(browser: Any) -> Iterator[str]:
    """The link of a demo in which haru has posted a thousand times."""
    with ServerProcess(FAST, ("demo",)) as server:
        visit = Visit(browser)
        link = server.wait_for_log(LINK)
        visit.person(link, "haru").evaluate(FILL, POSTS)
        visit.leave()
        yield link


def test_a_thousand_posts_scroll_without_a_long_task(
    visit: Visit, long_life: str, record_property: Callable[[str, object], None]
) -> None:
    page = visit.person(long_life, "aki", **PHONE)
    visit.browser.start_tracing(page=page, categories=["toplevel", "disabled-by-default-thread_time"])
    theirs = home(page)
    box = page.locator("#feed").bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 200)
    # A locator's search through a thousand posts is a long task of the page's thread itself, so none looks meanwhile.
    for _ in range(2_000):
        if page.evaluate(HOW_MANY) >= POSTS:
            break
        page.mouse.wheel(0, 2_400)
        page.wait_for_function("() => new Promise((go) => requestAnimationFrame(() => go(true)))")
    busy_ms, wall_ms = busiest_ms(visit.browser.stop_tracing())
    count(theirs.locator(".post"), POSTS)
    count(page.locator("#feed-posts .post", has_text=re.compile(r"(^|\D)0番目のできごと")), 1)
    record_property("longest task, processor ms", round(busy_ms, 1))
    record_property("longest task, wall ms", round(wall_ms, 1))
    assert busy_ms <= TASK_MS


def test_a_thread_opens_at_the_answer_that_was_asked_for(
    visit: Visit, demo: ServerProcess, link: str
) -> None:
    aki, ken = visit.person(link, "aki"), visit.person(link, "ken", **PHONE)
    first = post(aki, demo.url, "post.create", text="しりとり", nonce="first")["post"]
    pour(aki, demo.url, (f"{number}番" for number in range(45)), reply_to=first)
    theirs = home(ken)
    says(theirs.locator(".post-text").first, "44番")
    card(ken, "44番").locator(".post-answers button").click()
    says(ken.locator("#thread .post.shown"), "44番")
    count(ken.locator("#thread .post"), 46)
    # Somebody whom one does not hear answers: the thread goes on all the same.
    post(ken, demo.url, "follow.remove", account=post(ken, demo.url, "account.get", handle="mio")["id"])
    mio = visit.person(link, "mio")
    post(mio, demo.url, "post.create", text="ん", nonce="mio", reply_to=first)
    says(ken.locator("#thread .post .post-text").last, "ん")
    assert ken.locator("#thread .post .post-text").all_text_contents() == [
        "しりとり",
        *(f"{number}番" for number in range(45)),
        "ん",
    ]
