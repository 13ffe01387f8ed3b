"""People in a real browser: profiles, follows, blocks, reports, settings, groups (FEATURES §2, §6, §9)."""

from __future__ import annotations

import io
import json
import sqlite3
import zipfile
from contextlib import closing
from typing import Any

import pytest

from tests.browser.conftest import DESKTOP, PHONE, Visit
from tests.browser.test_access import Judge
from tests.browser.test_first_page import ROOM, count, enter_room, line, post, write
from tests.browser.test_join import entry, invite, says
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.timeout(90)]


def profile(page: Any, handle: str, name: str) -> Any:
    """Somebody's profile, opened by tapping their name beside a line of the open room."""
    page.locator("#lines .who button", has_text=name).first.click()
    page.locator("#profile .profile-head", has_text=f"@{handle}").wait_for()
    return page.locator("#profile")


def stranger(visit: Visit, demo: ServerProcess, handle: str, name: str) -> Any:
    """A page of somebody who is new and follows nobody."""
    token = demo.run_cli("account", "create", handle, "--name", name)["token"]
    context = visit.context(**DESKTOP)
    context.add_cookies([{"name": "tsudoi_session", "value": token, "url": demo.url}])
    page = visit.page(demo.url, context)
    page.locator("#house:visible").wait_for()
    return page


def test_a_profile_is_written_and_read(visit: Visit, link: str) -> None:
    aki, haru = visit.person(link, "aki"), visit.person(link, "haru", **PHONE)
    entry(haru, "menu-me")
    haru.locator("#profile .strong").click()
    own = haru.locator("#own-form")
    own.locator("#name").fill("はるか")
    own.locator("#status").fill("🌙 帰り道")
    own.locator("#bio").fill("月と電車。\n写真も。")
    own.locator("#link_0").fill("javascript:alert(1)")
    own.locator("[type=submit]").click()
    says(own.locator("#link_0-fault"), "https://")
    own.locator("#link_0").fill("https://example.org/haru")
    own.locator("#bio").fill("あ" * 301)
    own.locator("[type=submit]").click()
    says(own.locator("#bio-fault"), "300文字まで")
    own.locator("#bio").fill("月と電車。\n写真も。")
    own.locator("[type=submit]").click()
    says(haru.locator("#profile .profile-status"), "🌙 帰り道")
    haru.keyboard.press("Escape")
    says(haru.locator("#me"), "はるかさん")

    enter_room(aki)
    sheet = profile(aki, "haru", "はる")
    says(sheet.locator(".profile-name"), "はるか")
    assert sheet.locator(".bio").text_content() == "月と電車。\n写真も。"
    out = sheet.locator(".profile-links a")
    assert out.get_attribute("href") == "https://example.org/haru"
    assert "noreferrer" in out.get_attribute("rel")
    says(sheet, "たがいにフォローしています")
    # Whoever was shown by the old name is shown by the new one.
    aki.keyboard.press("Escape")
    aki.locator("#lines .who", has_text="はるか").first.wait_for()
    # Lists of those who follow each other are open to both.
    sheet = profile(aki, "haru", "はるか")
    sheet.get_by_role("button", name="フォロワー").click()
    says(aki.locator("#ties"), "@mio")
    # A person in a list leads to their profile; from there one talks.
    aki.locator("#ties .person-open", has_text="@mio").click()
    says(sheet, "@mio")
    sheet.get_by_role("button", name="話す", exact=True).click()
    says(aki.locator("#room-title"), "みお")
    count(aki.locator("dialog[open]"), 0)
    aki.locator("#people-button", has_text="プロフィール").click()
    says(sheet, "@mio")


def test_a_screen_that_could_not_be_fetched_is_fetched_when_wanted(visit: Visit, link: str) -> None:
    visit.forgive("ERR_FAILED")
    context = visit.context(**DESKTOP)
    away: list[str] = []

    def lost(route: Any) -> None:
        away.append(route.request.url)
        route.abort()

    context.route("**/settings.js", lost)
    aki = visit.page(link, context)
    aki.locator("[data-handle=aki]").click()
    aki.locator(".room").first.wait_for()
    entry(aki, "menu-settings")
    says(aki.locator("#notice"), "つながっていません")
    assert away, "it was tried"
    assert aki.locator("#settings[open]").count() == 0
    context.unroute("**/settings.js")
    entry(aki, "menu-settings")
    aki.locator("#settings[open] #privacy-settings").wait_for()


def test_a_private_account_lets_people_in_one_by_one(visit: Visit, demo: ServerProcess, link: str) -> None:
    aki = visit.person(link, "aki")
    entry(aki, "menu-settings")
    aki.locator("#private").check()
    aki.locator("#privacy-settings [value=everyone][name=presence_to]").check()
    aki.locator("#privacy-settings [type=submit]").click()
    says(aki.locator("#settings"), "保存しました")
    aki.keyboard.press("Escape")
    me = post(aki, demo.url, "account.get", handle="aki")
    assert (me["private"], me["settings"]["presence_to"]) == (True, "everyone")

    sora, umi = stranger(visit, demo, "sora", "そら"), stranger(visit, demo, "umi", "うみ")
    for page in (sora, umi):
        page.locator("#new-button").click()
        page.locator("#dm-handle").fill("＠ａｋｉ")
        page.locator("#dm-form [type=submit]").click()
        page.locator("#people-button", has_text="プロフィール").click()
        page.get_by_role("button", name="フォローを申し込む").click()
        says(page.locator("#profile"), "申し込みました")
        page.get_by_role("button", name="申し込みを取り消す").wait_for()
    says(aki.locator("#notice"), "うみさんからフォローの申し込み")
    says(aki.locator("#menu-badge"), "2")
    entry(aki, "menu-ties")
    rows = aki.locator("#ties .person-row")
    count(rows, 2)
    rows.filter(has_text="そら").get_by_role("button", name="承認する").click()
    count(rows, 1)
    rows.filter(has_text="うみ").get_by_role("button", name="見送る").click()
    says(aki.locator("#ties"), "届いているフォローの申し込みはありません")
    count(aki.locator("#menu-badge:visible"), 0)
    says(sora.locator("#notice"), "フォローを承認しました")
    says(sora.locator("#profile"), "フォローをやめる")
    aki.locator("#ties .tab", has_text="フォロワー").click()
    says(aki.locator("#ties"), "@sora")
    sora.get_by_role("button", name="フォローをやめる").click()
    sora.locator("#ask-do").click()
    sora.get_by_role("button", name="フォローを申し込む").wait_for()


def test_a_block_folds_lines_and_tells_nobody(visit: Visit, demo: ServerProcess, link: str) -> None:
    aki, ken = visit.person(link, "aki"), visit.person(link, "ken")
    enter_room(aki)
    enter_room(ken)
    write(ken, "おーい")
    line(aki, "おーい").wait_for()
    sheet = profile(aki, "ken", "けん")
    sheet.get_by_role("button", name="ブロックする").click()
    says(aki.locator("#ask-text"), "相手には伝わりません")
    aki.locator("#ask-do").click()
    says(sheet, "ブロック中")
    count(sheet.get_by_role("button", name="フォローする"), 0)
    aki.keyboard.press("Escape")
    folded = aki.locator("#lines .folded", has_text="ブロックしている人の発言")
    count(folded, 2)
    count(line(aki, "おーい"), 0)
    # The room stays whole for both; neither sees a difference in the other's room.
    write(ken, "聞こえる?")
    count(folded, 3)
    says(aki.locator(".room", has_text=ROOM), "ブロックしている人の発言")
    write(aki, "みんなに")
    line(ken, "みんなに").wait_for()
    folded.last.get_by_role("button", name="見る").click()
    line(aki, "聞こえる?").wait_for()
    count(folded, 2)
    # Another device knows as well, and so does this one after a reload.
    aki.reload()
    enter_room(aki)
    count(folded, 3)
    entry(aki, "menu-ties")
    aki.locator("#ties .tab", has_text="ブロック中").click()
    aki.get_by_role("button", name="ブロックをやめる").click()
    says(aki.locator("#ties"), "ブロックしている人はいません")
    aki.keyboard.press("Escape")
    line(aki, "おーい").wait_for()
    count(folded, 0)

    sheet = profile(aki, "ken", "けん")
    sheet.get_by_role("button", name="ミュートする").click()
    says(sheet, "ミュート中")
    aki.keyboard.press("Escape")
    count(aki.locator("#lines .folded", has_text="ミュートしている人の発言"), 3)
    entry(aki, "menu-ties")
    aki.locator("#ties .tab", has_text="ミュート中").click()
    aki.get_by_role("button", name="ミュートをやめる").click()
    says(aki.locator("#ties"), "ミュートしている人はいません")
    assert ken.locator("#lines .folded").count() == 0, "whoever is blocked sees a difference"


def test_reports_and_words_reach_the_operators(visit: Visit, demo: ServerProcess, link: str) -> None:
    aki = visit.person(link, "aki", **PHONE)
    enter_room(aki)
    theirs = line(aki, "見た。でかい")
    theirs.locator(".text").tap()
    theirs.get_by_role("button", name="通報").tap()
    aki.locator("#report-form [type=submit]").click()
    says(aki.locator("#reason-fault"), "入力してください")
    aki.get_by_label("いやがらせ").check()
    aki.locator("#report_words").fill("でかいと言いすぎ")
    aki.locator("#report-form [type=submit]").click()
    says(aki.locator("#contact-thanks"), "受付番号")
    first = aki.locator("#contact-thanks").text_content().split(": ")[1]
    aki.keyboard.press("Escape")
    sheet = profile(aki, "ken", "けん")
    sheet.get_by_role("button", name="通報").click()
    says(aki.locator("#contact"), "けんさんを通報")
    aki.get_by_label("命や身体").check()
    aki.locator("#report-form [type=submit]").click()
    says(aki.locator("#contact-thanks"), "ありがとうございます")
    for _ in range(2):
        aki.keyboard.press("Escape")
    aki.locator("#people-button").click()
    aki.locator("#group-report").click()
    aki.get_by_label("そのほか").check()
    aki.locator("#report-form [type=submit]").click()
    says(aki.locator("#contact-thanks"), "ありがとうございます")
    for _ in range(2):
        aki.keyboard.press("Escape")
    entry(aki, "menu-contact")
    aki.locator("#contact_words").fill("文字を大きくしたいです")
    aki.locator("#contact-form [type=submit]").click()
    says(aki.locator("#contact-thanks"), "受付番号")
    reports = demo.run_cli("report", "list")["reports"]
    assert {(report["kind"], report["reason"]) for report in reports} >= {
        ("message", "offensive"),
        ("account", "danger"),
        ("room", "other"),
    }
    assert first in {report["id"] for report in reports}


def test_a_group_is_kept_by_its_people(visit: Visit, demo: ServerProcess, link: str) -> None:
    aki, haru = visit.person(link, "aki"), visit.person(link, "haru", **PHONE)
    enter_room(aki)
    enter_room(haru)
    aki.locator("#people-button").click()
    aki.locator("#room_title").fill("月の集い")
    aki.get_by_label("はじめから全部").check()
    aki.locator("#room-form [type=submit]").click()
    for page in (aki, haru):
        says(page.locator("#room-title"), "月の集い")
    haru.locator(".told", has_text="あきさんが部屋の名前を「月の集い」に変えました").wait_for()
    room = post(aki, demo.url, "room.list")["rooms"][0]
    assert room["reading"] == "all"
    # What newcomers read is its creator's to say; everybody may leave. What is known of the people is kept fresh while
    # one looks at it, around what one is typing.
    aki.locator("#people-button").click()
    aki.locator("#room_title").fill("まだ書いている")
    haru.locator("#people-button").click()
    haru.locator("#room-form").wait_for()
    count(haru.get_by_label("はじめから全部"), 0)
    haru.locator("#group-leave").click()
    haru.locator("#ask-do").click()
    count(haru.locator(".room", has_text="月の集い"), 0)
    assert haru.locator("body").get_attribute("data-view") == "rooms"
    aki.locator(".told", has_text="はるさんがそっと退出しました").wait_for()
    says(aki.locator("#people-button"), "3 人")
    count(aki.locator("#people-list .person-row"), 3)
    assert aki.locator("#room_title").input_value() == "まだ書いている"


def test_an_operator_invites_many_and_prints_the_sheet(visit: Visit, demo: ServerProcess, link: str) -> None:
    aki = visit.person(link, "aki")
    invite(aki)
    # Members have one use; nothing else is offered to them.
    count(aki.locator("#invite-many input"), 0)
    operator = demo.run_cli("account", "create", "ope", "--name", "運ぶ人")
    visit.leave()
    demo.stop()
    (kept,) = demo.data.glob("*.sqlite3")
    with closing(sqlite3.connect(kept)) as database:
        database.execute("update account set role = 'operator' where handle = 'ope'")
        database.commit()
    demo.start()
    context = visit.context(**DESKTOP)
    context.add_cookies([{"name": "tsudoi_session", "value": operator["token"], "url": demo.url}])
    page = visit.page(demo.url, context)
    page.locator("#house:visible").wait_for()
    entry(page, "menu-invites")
    page.locator("#invite_uses").fill("三十")
    page.locator("#invite-make-do").click()
    says(page.locator("#invites-fault"), "数をお確かめください")
    page.locator("#invite_uses").fill("３０")
    page.locator("#invite_days").fill("２")
    page.locator("#invite-make-do").click()
    page.locator("#invite-made:visible").wait_for()
    says(page.locator("#invites-list"), "30 回のうち 0 回")
    code = page.locator("#invite-code").text_content()
    page.evaluate("() => { window.print = () => { window.printed = true; }; }")
    page.locator("#invite-print").click()
    assert page.evaluate("() => window.printed")
    page.emulate_media(media="print")
    paper = page.locator("#paper")
    assert paper.is_visible()
    says(paper, code)
    assert paper.locator("p, h1").all_text_contents()[2].startswith("カメラで")
    assert not page.locator("#house").is_visible()
    assert not page.locator("#invites").is_visible()
    assert paper.locator("img").evaluate("async (qr) => { await qr.decode(); return qr.naturalWidth; }") > 0
    # One page of A4, no more.
    assert page.pdf(format="A4").count(b"/Type /Page\n") == 1
    page.emulate_media(media="screen")
    page.keyboard.press("Escape")


def test_ones_data_comes_as_a_zip_and_one_can_go(visit: Visit, demo: ServerProcess, link: str) -> None:
    visit.forgive("401", "429")
    aki, haru = visit.person(link, "aki"), visit.person(link, "haru")
    entry(aki, "menu-settings")
    with aki.expect_download() as download:
        aki.locator("#export").click()
    says(aki.locator("#settings"), "ダウンロードしました")
    with zipfile.ZipFile(io.BytesIO(download.value.path().read_bytes())) as packed:
        whole = "".join(packed.read(name).decode() for name in packed.namelist())
        assert "集まれた!" in whole
        assert all(
            json.loads(packed.read(name)) is not None for name in packed.namelist() if name.endswith(".json")
        )
    aki.locator("#export").click()
    says(aki.locator("#settings > .fault"), "少し間をおいて")

    aki.locator("#hide").click()
    aki.locator("#ask-do").click()
    says(aki.locator("#settings"), "いま、アカウントを隠しています")
    assert not haru.context.request.post(
        f"{demo.url}/api/v1/account.get", data={"handle": "aki"}, headers={"origin": demo.url}
    ).ok
    aki.locator("#show-again").click()
    aki.locator("#hide").wait_for()
    assert post(haru, demo.url, "account.get", handle="aki")["name"] == "あき"

    aki.locator("#delete-account").click()
    says(aki.locator("#ask-text"), "14日")
    aki.locator("#ask-do").click()
    says(aki.locator("#notice"), "アカウントを削除しました")
    aki.locator("#door:visible").wait_for()
    assert not any(cookie["name"] == "tsudoi_session" for cookie in aki.context.cookies())


def test_a_member_enters_a_room_by_a_typed_code(visit: Visit, demo: ServerProcess, link: str) -> None:
    aki, sora = visit.person(link, "aki"), stranger(visit, demo, "sora", "そら")
    enter_room(aki)
    aki.locator("#people-button").click()
    aki.locator("#group-invite").click()
    aki.get_by_label(f"部屋「{ROOM}」へ").check()
    aki.locator("#invite-make-do").click()
    aki.locator("#invite-made:visible").wait_for()
    code = aki.locator("#invite-code").text_content()
    # What is shown once is gone with its dialog.
    aki.keyboard.press("Escape")
    count(aki.locator("#invite-code:empty"), 1)
    assert code not in aki.locator("body").inner_html()
    sora.locator("#new-button").click()
    sora.locator("#invite_code").fill(code.lower())
    sora.locator("#invite-form [type=submit]").click()
    says(sora.locator("#what"), ROOM)
    sora.locator("#join-form .strong", has_text="部屋に入る").click()
    says(sora.locator("#room-title"), ROOM)
    says(aki.locator("#notice"), "そらさんが参加しました")


def test_a_profile_shows_where_its_person_is_inside(visit: Visit, demo: ServerProcess, link: str) -> None:
    aki, haru = visit.person(link, "aki"), visit.person(link, "haru", **PHONE)
    for name in ("夜の散歩", "窓"):
        post(aki, demo.url, "community.create", name=name, nonce=name)
    person = post(haru, demo.url, "account.get", handle="aki")["id"]
    entry(haru, "menu-ties")
    haru.locator("#ties .person-open", has_text="@aki").click()
    head = haru.locator("#profile .profile-name")
    says(head, "あき")
    shown = haru.locator("#profile-places button")
    assert shown.count() == 0, "not until it is said"
    haru.keyboard.press("Escape")
    entry(aki, "menu-settings")
    aki.locator("#communities_shown").check()
    aki.locator("#privacy-settings [type=submit]").click()
    aki.keyboard.press("Escape")
    haru.locator("#ties .person-open", has_text="@aki").click()
    count(shown, 2)
    assert shown.all_inner_texts() == ["窓", "夜の散歩"]
    assert Judge(haru).dialog() == []
    shown.last.click()
    says(haru.locator("#places-title"), "夜の散歩")
    haru.locator("#place-standing").wait_for()
    assert haru.locator("#places .person-open").count() == 0
    assert post(haru, demo.url, "community.list", account=person)["next"] is None
    # In one's own order, by keys as well.
    entry(aki, "menu-me")
    aki.get_by_role("button", name="ならべかえる").click()
    assert aki.evaluate("document.activeElement.ariaLabel") == "窓 を下へ"
    aki.keyboard.press("Enter")
    says(aki.locator("#profile [role=status]", has_text="番目"), "窓 は 2 番目")
    assert aki.evaluate("document.activeElement.ariaLabel") == "窓 を上へ"
    assert Judge(aki).dialog() == []
    aki.locator("#place-order-done").click()
    says(aki.locator("#profile-places button").first, "夜の散歩")
    haru.keyboard.press("Escape")
    haru.keyboard.press("Escape")
    haru.locator("#ties .person-open", has_text="@aki").click()
    says(shown.first, "夜の散歩")
    assert shown.all_inner_texts() == ["夜の散歩", "窓"]


def test_a_nickname_is_shown_to_oneself_everywhere(visit: Visit, demo: ServerProcess, link: str) -> None:
    aki, other = visit.person(link, "aki"), visit.person(link, "aki", **PHONE)
    haru = visit.person(link, "haru")
    post(haru, demo.url, "post.create", text="夜の散歩", nonce="walk")
    says(aki.locator("#feed-posts .post .post-head"), "はる")
    enter_room(aki)
    sheet = profile(aki, "haru", "はる")
    aki.get_by_text("あだ名をつける").click()
    assert aki.evaluate("document.activeElement.id") == "nickname"
    aki.locator("#nickname").fill("は" * 31)
    aki.locator("#nickname-form .strong").click()
    says(aki.locator("#nickname-fault"), "30")
    aki.locator("#nickname").fill("はるちゃん")
    aki.locator("#nickname-form .strong").click()
    says(sheet.locator(".profile-name"), "はるちゃん")
    says(sheet.locator("#own-name"), "もとの名前: はる")
    aki.keyboard.press("Escape")
    says(aki.locator("#lines .who").first, "はるちゃん")
    aki.locator("#way-home").click()
    says(aki.locator("#feed-posts .post .post-head"), "はるちゃん")
    # On the other device, live and after a reload; for nobody else.
    enter_room(other)
    says(other.locator("#lines"), "はるちゃん")
    other.reload()
    other.locator("#way-rooms").click()
    enter_room(other)
    says(other.locator("#lines"), "はるちゃん")
    enter_room(haru)
    assert "はるちゃん" not in haru.locator("body").text_content()
    aki.locator("[data-tab=search]").click()
    aki.locator("[data-kind=people]").click()
    aki.locator("#home_words").fill("ハルチャン")
    aki.locator("#home-seek [type=submit]").click()
    says(aki.locator("#home-found button"), "はるちゃん")
    aki.locator("[data-tab=follow]").click()
    enter_room(aki)
    profile(aki, "haru", "はるちゃん")
    aki.get_by_text("あだ名をつける").click()
    aki.locator("#nickname").fill("")
    aki.locator("#nickname-form .strong").click()
    count(aki.locator("#own-name"), 0)
    says(aki.locator(".profile-name"), "はる")
    aki.keyboard.press("Escape")
    assert "はるちゃん" not in aki.locator("body").text_content()
