"""The page in a real browser: people talk, input methods are left in peace, trains enter tunnels (FEATURES §11)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.browser.conftest import DESKTOP, LOSS, PHONE, Visit
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.timeout(90)]

ROOM = "はじめての集い"


def to_rooms(page: Any) -> None:
    """To the list of rooms, which a phone shows alone."""
    page.locator("#house:visible").wait_for()
    if page.locator("#way-rooms").is_visible():
        page.locator("#way-rooms").click()


def enter_room(page: Any, title: str = ROOM) -> None:
    """Open a room from the list."""
    to_rooms(page)
    page.locator(".room", has_text=title).click()
    page.locator("#composer-text:visible").wait_for()
    page.locator("#lines .line").first.wait_for()


def write(page: Any, text: str) -> None:
    """Write a line and send it with the button."""
    page.locator("#composer-text").fill(text)
    page.locator("#send").click()


def line(page: Any, text: str) -> Any:
    """Lines of the room, acknowledged, with this text."""
    return page.locator("#lines .line", has=page.locator(".text", has_text=text))


def said(page: Any) -> list[str]:
    """The words of all lines on the screen, in their order."""
    return [text.strip() for text in page.locator("#lines .line .text").all_text_contents()]


def state(page: Any, words: str) -> None:
    """Wait until the page says this of its link."""
    from playwright.sync_api import expect

    # Told as the text that stands there, and not as one that is missing.
    expect(page.locator("#link-text")).to_contain_text(words)
    expect(page.locator("#link-text")).to_be_visible()


def count(locator: Any, number: int) -> None:
    """Wait until so many are there."""
    from playwright.sync_api import expect

    expect(locator).to_have_count(number)


def has_value(page: Any, text: str) -> None:
    """Wait until the composer holds exactly this."""
    from playwright.sync_api import expect

    expect(page.locator("#composer-text")).to_have_value(text)


def test_two_people_talk(visit: Visit, link: str) -> None:
    aki, haru = visit.person(link, "aki"), visit.person(link, "haru")
    assert aki.locator(".unread").first.text_content().startswith("3")
    enter_room(aki)
    count(aki.locator(".unread"), 0)

    aki.locator("#composer-text").fill("着いたよ")
    aki.keyboard.press("Enter")
    line(aki, "着いたよ").wait_for()
    count(aki.locator("#pending .line"), 0)
    # The other one has the room not open: the count tells.
    haru.locator(".room", has_text="あきさん: 着いたよ").wait_for()
    haru.locator(".unread", has_text="4").wait_for()

    enter_room(haru)
    assert "集まれた!" in haru.locator(".line", has=haru.locator(".mark")).text_content()
    theirs = line(haru, "着いたよ")
    theirs.hover()
    theirs.get_by_role("button", name="返信").click()
    haru.keyboard.type("はやい!")
    haru.keyboard.press("Shift+Enter")
    haru.keyboard.type("いま行く")
    haru.keyboard.press("Enter")
    answer = line(aki, "いま行く")
    answer.wait_for()
    assert answer.locator(".text").text_content() == "はやい!\nいま行く"
    assert "あなた 着いたよ" in answer.locator(".quote").text_content()

    mine = line(haru, "いま行く")
    mine.hover()
    mine.get_by_role("button", name="削除").click()
    haru.locator("#ask-do").click()
    for page in (aki, haru):
        page.locator(".gone", has_text="削除された発言").wait_for()
        count(line(page, "いま行く"), 0)
    # Seen is read: the count goes.
    count(haru.locator(".unread"), 0)
    assert haru.title() == "Tsudoi"


def test_words_are_text_and_never_markup(visit: Visit, link: str) -> None:
    aki = visit.person(link, "aki")
    enter_room(aki)
    write(aki, "<img src=x onerror=alert(1)><b>太字?</b>")
    text = line(aki, "太字?").locator(".text")
    assert text.text_content() == "<img src=x onerror=alert(1)><b>太字?</b>"
    assert text.locator("*").count() == 0


def test_enter_belongs_to_an_open_conversion(visit: Visit, link: str) -> None:
    aki, haru = visit.person(link, "aki"), visit.person(link, "haru")
    enter_room(aki)
    enter_room(haru)
    keys = aki.context.new_cdp_session(aki)

    def enter(key_code: int) -> None:
        for kind in ("rawKeyDown", "keyUp"):
            keys.send(
                "Input.dispatchKeyEvent",
                {"type": kind, "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": key_code},
            )

    aki.locator("#composer-text").focus()
    keys.send("Input.imeSetComposition", {"text": "きょう", "selectionStart": 3, "selectionEnd": 3})
    has_value(aki, "きょう")
    enter(13)
    enter(229)
    # A line that arrives meanwhile leaves the conversion alone.
    write(haru, "まだかな")
    line(aki, "まだかな").wait_for()
    has_value(aki, "きょう")
    keys.send("Input.imeSetComposition", {"text": "きょうは", "selectionStart": 4, "selectionEnd": 4})
    has_value(aki, "きょうは")
    keys.send("Input.insertText", {"text": "今日は"})
    has_value(aki, "今日は")
    # Safari's Enter at the end of a conversion: not composing any more, but still the input method's.
    enter(229)
    has_value(aki, "今日は")
    count(line(aki, "今日は"), 0)
    count(aki.locator("#pending .line"), 0)

    enter(13)
    line(aki, "今日は").wait_for()
    line(haru, "今日は").wait_for()
    has_value(aki, "")
    assert said(aki)[-2:] == said(haru)[-2:] == ["まだかな", "今日は"]


def test_on_touch_enter_breaks_the_line(visit: Visit, link: str) -> None:
    aki = visit.person(link, "aki", **PHONE)
    enter_room(aki)
    aki.locator("#composer-text").tap()
    aki.keyboard.type("一行目")
    aki.keyboard.press("Enter")
    aki.keyboard.type("二行目")
    has_value(aki, "一行目\n二行目")
    aki.locator("#send").tap()
    line(aki, "二行目").wait_for()
    assert line(aki, "二行目").locator(".text").text_content() == "一行目\n二行目"


def test_a_killed_server_is_waited_for_and_the_line_comes_once(
    visit: Visit, demo: ServerProcess, link: str
) -> None:
    visit.forgive(*LOSS)
    aki, haru = visit.person(link, "aki"), visit.person(link, "haru", **PHONE)
    enter_room(aki)
    enter_room(haru)
    write(haru, "トンネルの前")
    line(aki, "トンネルの前").wait_for()

    demo.kill()
    state(aki, "電波待ち")
    write(aki, "トンネルの中")
    aki.locator("#pending .waiting", has_text="トンネルの中").wait_for()
    assert aki.locator("#pending .fate").text_content() == "未送信"

    # A reload neither loses the line nor doubles it, whether it had left before or not.
    demo.start()
    aki.reload()
    enter_room(aki)
    for page in (aki, haru):
        state(page, "つながっています")
        count(line(page, "トンネルの中"), 1)
    count(aki.locator("#pending .line"), 0)
    write(haru, "出た")
    line(aki, "出た").wait_for()
    assert line(aki, "トンネルの").count() == line(haru, "トンネルの").count() == 2


def test_a_lost_answer_is_asked_for_again_and_nothing_doubles(visit: Visit, link: str) -> None:
    aki, haru = visit.person(link, "aki"), visit.person(link, "haru")
    enter_room(haru)
    sent: list[dict[str, Any]] = []
    cut: list[Any] = []

    def between(socket: Any) -> None:
        server = socket.connect_to_server()

        def up(frame: str) -> None:
            told = json.loads(frame)
            if told.get("op") == "room.send":
                sent.append(told["d"])
            server.send(frame)

        def down(frame: str) -> None:
            told = json.loads(frame)
            # The server has kept the line; its answer and its push get lost with the link.
            if sent and not cut and ("seq" in told or "message" in (told.get("ok") or {})):
                cut.append(socket)
                server.close()
                socket.close(code=1011)
            elif socket not in cut:
                socket.send(frame)

        socket.on_message(up)
        server.on_message(down)

    aki.route_web_socket("**/gateway", between)
    aki.reload()
    enter_room(aki)
    write(aki, "一度だけ")
    line(aki, "一度だけ").wait_for()
    count(aki.locator("#pending .line"), 0)
    count(line(aki, "一度だけ"), 1)
    write(aki, "その次")
    line(haru, "その次").wait_for()
    count(line(haru, "一度だけ"), 1)
    assert len(sent) == 3
    assert sent[0] == sent[1]


def post(page: Any, url: str, operation: str, **request: Any) -> Any:
    """An operation by HTTP as the person of the page."""
    done = page.context.request.post(f"{url}/api/v1/{operation}", data=request, headers={"origin": url})
    assert done.ok, done.text()
    return done.json()["ok"]


def test_nothing_moves_under_the_thumb(visit: Visit, demo: ServerProcess, link: str) -> None:
    haru = visit.person(link, "haru", **PHONE)
    room = post(haru, demo.url, "room.list")["rooms"][0]["id"]
    for who in ("aki", "mio"):
        writer = visit.person(link, who)
        for number in range(50):
            text = f"{who}の{number}番目の話。少し長めに書いて、何行かになるようにしておきます。"
            post(writer, demo.url, "room.send", room=room, text=text, nonce=f"{who}{number}")

    enter_room(haru)
    haru.locator(".mark").wait_for()
    haru.locator("#fresh", has_text="いちばん新しい所へ").wait_for()
    log = haru.locator("#log")
    mark = haru.locator(".line", has=haru.locator(".mark"))
    mark.wait_for()

    def top() -> float:
        place: float = mark.evaluate("each => each.getBoundingClientRect().top")
        return place

    before = top()
    post(writer, demo.url, "room.send", room=room, text="遠くの新しい話", nonce="far")
    haru.locator("#fresh", has_text="新着 1 件").wait_for()
    assert abs(top() - before) < 1
    # Towards the past, then all the way to the newest.
    log.evaluate("each => { each.scrollTop = 0; }")
    haru.locator("#history-start:visible").wait_for()
    haru.locator("#fresh").click()
    line(haru, "遠くの新しい話").wait_for()
    count(haru.locator("#fresh:visible"), 0)
    beneath = "each => each.scrollHeight - each.clientHeight - each.scrollTop"
    assert log.evaluate(beneath) < 2
    # At the end one stays at the end.
    post(writer, demo.url, "room.send", room=room, text="いちばん新しい話", nonce="newest")
    line(haru, "いちばん新しい話").wait_for()
    assert log.evaluate(beneath) < 2
    # Into the past by pages: what is in view stays where it is while older lines come in above it.
    log.evaluate("each => { each.scrollTop = 200; }")
    haru.locator("#lines .line", has_text="akiの10番目").wait_for(state="attached")
    assert log.evaluate("each => each.scrollTop") > 1_000
    assert [text[:-1] for text in haru.locator("#lines .day").all_text_contents()] == ["きょ"]


def test_a_stranger_asks_first(visit: Visit, demo: ServerProcess, link: str) -> None:
    token = demo.run_cli("account", "create", "sora", "--name", "そら")["token"]
    context = visit.context(**DESKTOP)
    context.add_cookies([{"name": "tsudoi_session", "value": token, "url": demo.url}])
    sora, aki = visit.page(demo.url, context), visit.person(link, "aki")
    sora.locator("#new-button").click()
    sora.locator("#dm-handle").fill("@aki")
    sora.locator("#dm-form [type=submit]").click()
    sora.locator("#room-note", has_text="リクエスト").wait_for()
    write(sora, "はじめまして。写真展で会ったそらです")
    line(sora, "はじめまして").wait_for()
    # One word is all; what the server refuses stays here with the reason, until it is taken back.
    sora.locator("#room-note", has_text="返事があると続きを話せます").wait_for()
    write(sora, "もうひとつ")
    sora.locator(".refused .fate", has_text="未送信").wait_for()
    assert "一度だけ送れます" in sora.locator(".refusal").text_content()
    sora.get_by_role("button", name="取り消す").click()
    count(sora.locator("#pending .line"), 0)

    asked = aki.locator("#requested .asked", has_text="そら")
    asked.locator(".asked-text", has_text="写真展").wait_for()
    asked.get_by_role("button", name="話す").click()
    line(aki, "はじめまして").wait_for()
    count(aki.locator("#requested .asked"), 0)
    write(aki, "もちろん覚えてる")
    line(sora, "もちろん覚えてる").wait_for()
    count(sora.locator("#room-note:visible"), 0)


def test_a_group_is_founded(visit: Visit, link: str) -> None:
    aki, mio = visit.person(link, "aki"), visit.person(link, "mio")
    enter_room(aki)
    aki.locator("#new-button").click()
    aki.locator("#group-title").fill("日曜の散歩")
    aki.locator("#group-people .choice", has_text="みお").click()
    aki.locator("#group-form [type=submit]").click()
    aki.locator("#room-title", has_text="日曜の散歩").wait_for()
    enter_room(mio, "日曜の散歩")
    mio.locator(".told", has_text="あきさんがあなたを迎えました").wait_for()
    aki.locator("#people-button").click()
    aki.locator("#add-people .choice", has_text="けん").click()
    aki.locator("#add-do").click()
    mio.locator(".told", has_text="あきさんがけんさんを迎えました").wait_for()
    mio.locator("#people-button", has_text="3 人").wait_for()
    told = [text for text in mio.locator(".told").all_text_contents() if "迎えました" in text]
    assert len(told) == 2
    assert ["けんさん" in text for text in told] == [False, True]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_page_does_not_scroll_sideways(visit: Visit, link: str, scheme: str) -> None:
    def fits() -> None:
        width, shown = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert (width, shown) == (360, 360)
        inner = page.locator("#log").evaluate("each => each.scrollWidth - each.clientWidth")
        assert inner == 0

    page = visit.page(link, visit.context(**PHONE, color_scheme=scheme))
    page.locator("[data-handle=ken]").wait_for()
    fits()
    page.locator("[data-handle=ken]").click()
    page.locator("#home_text").wait_for()
    fits()
    to_rooms(page)
    page.locator(".room").wait_for()
    fits()
    enter_room(page)
    write(page, "https://example.org/" + "a" * 200 + " " + "ながい" * 60)
    line(page, "example.org").wait_for()
    fits()
    page.locator("#people-button").click()
    page.locator("#people[open]").wait_for()
    fits()
    page.keyboard.press("Escape")
    page.locator("#back").click()
    page.locator(".room").wait_for()
    page.locator("#new-button").click()
    fits()


def test_another_person_from_the_same_browser(visit: Visit, link: str) -> None:
    page = visit.person(link, "aki")
    enter_room(page)
    write(page, "あきです")
    line(page, "あきです").wait_for()
    page.reload()
    page.locator("#me", has_text="あきさん").wait_for()
    page.locator("#leave").click()
    page.locator("[data-handle=mio]").click()
    page.locator("#me", has_text="みおさん").wait_for()
    enter_room(page)
    count(page.locator(".row:not(.own)", has_text="あきです"), 1)
    assert page.locator(".own", has_text="あきです").count() == 0


def test_who_deletes_their_account_leaves_their_lines_without_a_name(visit: Visit, link: str) -> None:
    ken, aki = visit.person(link, "ken"), visit.person(link, "aki")
    enter_room(aki)
    line(aki, "見た。でかい").wait_for()
    visit.forgive("401")
    delete = "fetch('/api/v1/account.delete', {method: 'POST', body: '{}'}).then((answer) => answer.status)"
    assert ken.evaluate(delete) == 200
    aki.reload()
    enter_room(aki)
    aki.locator(".who", has_text="退会した人の発言").wait_for()
    line(aki, "見た。でかい").wait_for()
    assert "けん" not in aki.locator("#lines .who").all_text_contents()


def test_without_key_the_page_says_what_to_open(visit: Visit, demo: ServerProcess, link: str) -> None:
    visit.forgive("401", "403")
    page = visit.page(demo.url)
    page.locator("#door-text", has_text="ターミナルに表示されたリンク").wait_for()
    page = visit.page(link[:-3] + "xxx")
    page.locator("#door-text", has_text="新しいリンクを開いてください").wait_for()
    # The right link, opened in the page that stands there already.
    page.goto(link)
    page.locator(".person").first.wait_for()
    assert sorted(each.get_attribute("data-handle") for each in page.locator("[data-handle]").all()) == [
        "aki",
        "haru",
        "ken",
        "mio",
    ]


def test_without_a_demo_the_door_offers_log_in_and_codes(visit: Visit) -> None:
    visit.forgive("401", "404")
    with ServerProcess({}) as server:
        page = visit.page(server.url)
        page.locator("#login-form").wait_for()
        page.locator("#invite-form").wait_for()
        assert "招待制" in page.locator("#door-text").text_content()
        visit.leave()
