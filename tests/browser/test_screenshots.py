"""The pictures of the README, made from the running page: `./test screenshots` writes them to `docs/images`.

Any other run draws the same scenes and looks whether everything is on them, but compares no pixels: fonts differ from
machine to machine.
"""

from __future__ import annotations

import os
import re
import struct
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import DESKTOP, PHONE, Visit
from tests.browser.test_first_page import count, enter_room, line, post
from tests.browser.test_join import invite, says
from tests.support.server import ServerProcess

ROOT = Path(__file__).resolve().parent.parent.parent
IMAGES = ROOT / "docs/images"
BYTES_MAX = 150_000
SCALE = 1.5
NAMES = ("home", "talk", "phone", "profile", "invited")
GROUPS = (
    ("月を見る会", "mio", ("ken", "haru", "aki"), ("雲、切れてきた", "ベランダから見えてる 🌕")),
    ("朝の駅まで走る", "ken", ("aki", "haru"), ("あした6時、南口で", "雨なら中止で")),
)
EVENING = (
    ("haru", "今日このあと、映画いく人いる?", None),
    ("mio", "行きたい。何観る?", None),
    ("haru", "『汽車を待つ』。20:40 の回、まだ席ある", None),
    ("ken", "仕事おわった。20時半に着けると思う", None),
    ("mio", "じゃあ4人で取っちゃうね", 2),
    ("haru", "たのんだ!", None),
)

POSTS = (
    ("ken", "今日の最寄り駅、夕焼けがすごい。30秒だけ立ち止まった", None, None),
    ("haru", "映画、20:40の回とれた! 泣く準備して行く", None, None),
    ("mio", "いいなあ。ハンカチ2枚ね", 1, None),
    ("haru", "結末まで話すと……", None, "spoiler"),
    ("mio", "ベランダでコーヒー。雲が切れて月が出てきた 🌕", None, None),
)


@pytest.fixture
def scene(visit: Visit, demo: ServerProcess, link: str) -> dict[str, str]:
    """People who have been talking for a while; ids by handle, the group under `room`."""
    pages = {handle: visit.person(link, handle) for handle in ("haru", "mio", "ken")}
    ids = {handle: post(page, demo.url, "account.get", handle=handle)["id"] for handle, page in pages.items()}
    ids["aki"] = post(pages["haru"], demo.url, "account.get", handle="aki")["id"]
    ids["room"] = post(pages["haru"], demo.url, "room.list")["rooms"][0]["id"]
    for title, founder, others, lines in GROUPS:
        accounts = [ids[handle] for handle in others]
        made = post(pages[founder], demo.url, "room.create", title=title, accounts=accounts, nonce=title)
        for text in lines:
            post(pages[founder], demo.url, "room.send", room=made["id"], text=text, nonce=text)
    dm = post(pages["mio"], demo.url, "room.open", account=ids["aki"])
    post(pages["mio"], demo.url, "room.send", room=dm["id"], text="傘、うちに忘れてるよ", nonce="dm")
    sent: list[str] = []
    for number, (handle, text, reply) in enumerate(EVENING):
        fields = {"reply_to": sent[reply]} if reply is not None else {}
        said = post(
            pages[handle], demo.url, "room.send", room=ids["room"], text=text, nonce=f"e{number}", **fields
        )
        sent.append(said["message"])
    shared: list[str] = []
    for number, (handle, text, reply, mask) in enumerate(POSTS):
        fields = {"mask": mask} | ({"reply_to": shared[reply]} if reply is not None else {})
        made = post(pages[handle], demo.url, "post.create", text=text, nonce=f"p{number}", **fields)
        shared.append(made["post"])
    for handle, stamp in (("haru", "suteki"), ("ken", "suteki"), ("haru", "sugoi")):
        post(pages[handle], demo.url, "reaction.add", post=shared[-1], stamp=stamp)
        post(pages[handle], demo.url, "reaction.add", post=shared[1 if handle == "ken" else 0], kind="like")
    about = {
        "bio": "駅と月と、夜の散歩。\n写真をすこし。",
        "status": "🌙 帰り道",
        "links": ["https://example.org/haru"],
    }
    post(pages["haru"], demo.url, "account.update", **about)
    for page in pages.values():
        page.context.close()
    return ids


def keep(page: Any, name: str) -> bytes:
    """The picture of a scene: looked at, and written down where that was asked for."""
    page.wait_for_function("() => document.fonts.status === 'loaded'")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    picture = page.screenshot(animations="disabled", caret="hide")
    width, height = struct.unpack(">II", picture[16:24])
    assert width > 300
    assert height > 600
    # One colour all over would be a picture of nothing.
    assert len(picture) > 10_000
    assert len(picture) <= BYTES_MAX
    if os.environ.get("TSUDOI_SCREENSHOTS") == "1":
        IMAGES.mkdir(exist_ok=True)
        (IMAGES / f"{name}.png").write_bytes(picture)
    return picture


@pytest.mark.browser
@pytest.mark.timeout(90)
def test_the_pictures_are_made(visit: Visit, link: str, scene: dict[str, str]) -> None:
    desk = visit.person(link, "aki", **DESKTOP)
    enter_room(desk)
    desk.locator("#composer-text").fill("ポップコーン係やります。")
    desk.keyboard.press("Enter")
    line(desk, "ポップコーン係").wait_for()
    desk.locator(".room .unread").nth(2).wait_for()
    desk.wait_for_function("() => document.querySelectorAll('.room .unread').length === 3")
    pictures = [keep(desk, "talk")]
    walker = visit.person(link, "aki", **PHONE, device_scale_factor=SCALE)
    walker.locator("#way-home").click()
    walker.locator("#feed-posts .chip", has_text="すてき").wait_for()
    count(walker.locator("#feed-posts .post"), len(POSTS))
    pictures.append(keep(walker, "home"))

    phone = visit.person(link, "mio", **PHONE, device_scale_factor=SCALE, color_scheme="dark")
    enter_room(phone)
    line(phone, "ポップコーン係").wait_for()
    phone.locator("#log").evaluate("each => { each.scrollTop = each.scrollHeight; }")
    phone.locator("#fresh").wait_for(state="hidden")
    pictures.append(keep(phone, "phone"))

    english = visit.browser.new_context(
        locale="en-GB", timezone_id="Asia/Tokyo", **PHONE, device_scale_factor=SCALE
    )
    page = visit.page(link, english)
    page.locator("[data-handle=ken]").click()
    enter_room(page)
    page.locator("#lines .who button", has_text="はる").first.click()
    says(page.locator("#profile"), "You follow each other")
    pictures.append(keep(page, "profile"))

    guest = visit.page(invite(desk)[0], visit.context(**PHONE, device_scale_factor=SCALE))
    guest.locator("#open").click()
    says(guest.locator("#gate"), "あきさんからの招待です")
    pictures.append(keep(guest, "invited"))
    assert len(set(pictures)) == len(NAMES)


def test_the_readme_shows_them() -> None:
    shown = re.findall(r"docs/images/(\w+)\.png", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert set(shown) == set(NAMES)
    for name in NAMES:
        assert 10_000 < (IMAGES / f"{name}.png").stat().st_size <= BYTES_MAX
