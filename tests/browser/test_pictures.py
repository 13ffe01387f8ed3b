"""Pictures in a real browser: chosen, described, sent, seen by others, kept over reloads, gone with their line (FEATURES §3, §6)."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image

from tests.browser.conftest import PHONE, Visit
from tests.browser.test_first_page import count, enter_room, line, post, said, write
from tests.browser.test_home import act, card, home, share
from tests.browser.test_kept import until_kept
from tests.browser.test_places import Cut
from tests.support.pictures import file_of, plain
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.timeout(90)]

SHOWN = "(image) => image.complete && image.naturalWidth > 0"


def choose(page: Any, *files: bytes, kind: str = "image/png", form: str = "#composer") -> None:
    """Choose files, as with the button."""
    given = [{"name": f"{n}.png", "mimeType": kind, "buffer": data} for n, data in enumerate(files)]
    page.locator(f"{form} input[type=file]").set_input_files(given)


def ready(page: Any, number: int = 1, form: str = "#composer") -> None:
    """Wait until so many are up."""
    count(page.locator(f"{form} .picks li"), number)
    page.locator(f"{form} .picks-said", has_text="用意ができました").wait_for()


def loaded(image: Any) -> None:
    """Wait until an image shows something."""
    image.scroll_into_view_if_needed()
    image.evaluate("(image) => image.decode()")
    assert image.evaluate(SHOWN)


def holding(page: Any, addresses: str) -> list[Any]:
    """What is asked of these addresses waits here until it is let go on."""
    held: list[Any] = []

    def hold(route: Any) -> None:
        held.append(route)

    page.context.route(addresses, hold)
    return held


def status_of(page: Any, address: str) -> int:
    """What the server says of a picture to who is in this page, whatever the browser has kept."""
    return int(page.evaluate("(address) => fetch(address).then((answer) => answer.status)", address))


def test_a_picture_is_sent_and_seen_and_gone(visit: Visit, link: str) -> None:
    aki, haru = visit.person(link, "aki"), visit.person(link, "haru", **PHONE)
    for page in (aki, haru):
        enter_room(page)
    choose(aki, plain("PNG", (900, 600)), plain("JPEG", (300, 400)))
    ready(aki, 2)
    aki.get_by_role("textbox", name="1 枚目の説明").fill("赤い夕焼け")
    write(aki, "見て")
    for page in (aki, haru):
        images = line(page, "見て").locator(".pictures img")
        count(images, 2)
        assert images.first.get_attribute("alt") == "赤い夕焼け"
        assert images.last.get_attribute("alt") == "写真 2/2(説明なし)"
        loaded(images.first)
    count(aki.locator(".picks li"), 0)
    count(aki.locator("#pending .line"), 0)

    # Large, and on to the next: by key, by button, by Escape.
    line(haru, "見て").get_by_role("button", name="赤い夕焼け").click()
    large = haru.locator("#picture-view[open] img")
    loaded(large)
    assert large.evaluate("(image) => image.naturalWidth") == 900
    assert haru.locator("#picture-view p").text_content() == "赤い夕焼け"
    haru.keyboard.press("ArrowRight")
    haru.locator("#picture-view img[alt*='2/2']").wait_for()
    haru.get_by_role("button", name="前の写真").click()
    haru.locator("#picture-view img[alt='赤い夕焼け']").wait_for()
    haru.keyboard.press("Escape")
    count(haru.locator("#picture-view[open]"), 0)
    line(haru, "見て").get_by_role("button", name="赤い夕焼け").click()
    large.wait_for()

    # Deleted while somebody looks at it: gone from the screen, and from the server for whoever asks again.
    visit.forgive("Failed to load resource")
    address = line(aki, "見て").locator(".pictures img").first.get_attribute("src")
    assert [status_of(page, address) for page in (aki, haru)] == [200, 200]
    line(aki, "見て").hover()
    line(aki, "見て").get_by_role("button", name="削除").click()
    aki.locator("#ask-do").click()
    count(haru.locator("#picture-view[open]"), 0)
    for page in (aki, haru):
        count(page.locator(".pictures"), 0)
        assert [status_of(page, each) for each in (address, address.removesuffix("/preview"))] == [404, 404]


def test_a_picture_may_go_without_a_word_and_moves_nothing(visit: Visit, link: str) -> None:
    aki, haru = visit.person(link, "aki"), visit.person(link, "haru")
    enter_room(aki)
    choose(aki, plain("PNG", (500, 300)))
    ready(aki)
    aki.locator("#send").click()
    aki.locator("#lines .pictures").wait_for()
    # Before it is looked at, the list says what there is.
    haru.locator(".room", has_text="写真 1 枚").wait_for()
    held = holding(haru, "**/media/**")
    enter_room(haru)
    place = haru.locator("#lines .picture")
    place.wait_for()
    before = place.bounding_box()
    haru.wait_for_function("() => document.querySelector('#lines .picture img')")
    while not held:
        haru.wait_for_timeout(20)
    held.pop().continue_()
    loaded(haru.locator("#lines .picture img"))
    after = place.bounding_box()
    assert before is not None
    assert (before["width"], before["height"]) == (after["width"], after["height"])
    assert abs(before["width"] / before["height"] - 500 / 300) < 0.05


def test_what_is_no_picture_is_told_and_taken_out(visit: Visit, link: str) -> None:
    visit.forgive("422", "413")
    aki = visit.person(link, "aki")
    enter_room(aki)
    choose(aki, b"this is a text that calls itself a picture", plain())
    aki.locator(".pick-fault", has_text="写真として読めない").wait_for()
    aki.locator("#composer-text").fill("どう?")
    aki.keyboard.press("Enter")
    count(line(aki, "どう?"), 0)
    aki.get_by_role("button", name="1 枚目を外す").click()
    count(aki.locator(".picks li"), 1)
    aki.locator("#send").click()
    count(line(aki, "どう?").locator(".pictures img"), 1)
    choose(aki, *[plain()] * 5)
    aki.locator(".picks-said", has_text="4 枚まで").wait_for()
    count(aki.locator(".picks li"), 4)
    choose(aki, plain())
    count(aki.locator(".picks li"), 4)
    assert said(aki).count("どう?") == 1


def test_large_photographs_are_made_smaller_before_they_leave(visit: Visit, link: str) -> None:
    aki = visit.person(link, "aki")
    enter_room(aki)
    photograph = file_of(Image.effect_noise((3_000, 2_000), 60).convert("RGB"), "JPEG", quality=95)
    # Browsers do not show a tool what a file's request carries.
    aki.evaluate(
        "() => { const { send } = XMLHttpRequest.prototype;"
        " XMLHttpRequest.prototype.send = function (body) { window.sizes = [body.size]; return send.call(this, body); }; }"
    )
    choose(aki, photograph, kind="image/jpeg")
    ready(aki)
    (size,) = aki.evaluate("() => window.sizes")
    assert 0 < size < len(photograph) * 0.8


def test_pasted_and_dropped_ones_are_taken_too(visit: Visit, link: str) -> None:
    aki = visit.person(link, "aki")
    enter_room(aki)
    for kind, place in (("paste", "#composer-text"), ("drop", "#log")):
        aki.evaluate(
            """([kind, place, bytes]) => {
              const data = new DataTransfer();
              data.items.add(new File([new Uint8Array(bytes)], "a.png", { type: "image/png" }));
              const options = { bubbles: true, cancelable: true };
              const event = kind === "paste"
                ? new ClipboardEvent(kind, { ...options, clipboardData: data })
                : new DragEvent(kind, { ...options, dataTransfer: data });
              document.querySelector(place).dispatchEvent(event);
            }""",
            [kind, place, list(plain())],
        )
    ready(aki, 2)
    aki.locator("#send").click()
    count(aki.locator("#lines .pictures img"), 2)
    loaded(aki.locator("#lines .pictures img").first)
    assert aki.locator(".picks li").count() == 0


def test_who_sends_too_early_has_it_sent_when_it_is_there(visit: Visit, link: str) -> None:
    aki = visit.person(link, "aki")
    enter_room(aki)
    held = holding(aki, "**/media")
    choose(aki, plain())
    aki.locator("#composer-text").fill("もうすぐ")
    aki.keyboard.press("Enter")
    aki.locator(".picks-said", has_text="用意ができたら送信します").wait_for()
    count(line(aki, "もうすぐ"), 0)
    while not held:
        aki.wait_for_timeout(20)
    held.pop().continue_()
    count(line(aki, "もうすぐ").locator(".pictures img"), 1)
    assert said(aki).count("もうすぐ") == 1
    assert held == [], "it went up once"


def test_pictures_of_a_draft_and_of_an_unsent_line_survive_a_reload(visit: Visit, link: str) -> None:
    cut = Cut(visit)
    aki = visit.page(link, cut.context)
    aki.locator("[data-handle=aki]").click()
    enter_room(aki)
    choose(aki, plain())
    ready(aki)
    aki.get_by_role("textbox", name="1 枚目の説明").fill("書きかけの海")
    aki.locator("#composer-text").fill("書きかけ")
    until_kept(aki, "draft", "書きかけの海")
    aki.reload()
    enter_room(aki)
    count(aki.locator(".picks li"), 1)
    assert aki.get_by_role("textbox", name="1 枚目の説明").input_value() == "書きかけの海"
    loaded(aki.locator(".picks img"))
    cut.away(aki)
    aki.locator("#send").click()
    until_kept(aki, "line", "書きかけの海")
    cut.back()
    aki.reload()
    enter_room(aki)
    image = line(aki, "書きかけ").locator(".pictures img")
    count(image, 1)
    assert image.get_attribute("alt") == "書きかけの海"
    count(aki.locator(".picks li"), 0)


def test_what_waited_too_long_is_told(visit: Visit, demo: ServerProcess, link: str) -> None:
    cut = Cut(visit)
    visit.forgive("404")
    aki = visit.page(link, cut.context)
    aki.locator("[data-handle=aki]").click()
    enter_room(aki)
    choose(aki, plain())
    ready(aki)
    until_kept(aki, "draft", "image/webp")
    (picture,) = aki.evaluate(
        "() => Object.entries(localStorage).filter(([key]) => key.startsWith('tsudoi.draft'))"
        ".flatMap(([, draft]) => JSON.parse(draft).pictures.map(({ id }) => id))"
    )
    cut.away(aki)
    write(aki, "まにあう?")
    cut.context.set_offline(False)
    # Shown elsewhere meanwhile: to the server it is as gone as one that waited too long.
    post(aki, demo.url, "post.create", text="さきに", nonce="n", pictures=[{"id": picture}])
    cut.back()
    aki.locator("#pending .refusal", has_text="時間がたったので").wait_for()
    aki.get_by_role("button", name="取り消す").click()
    count(aki.locator("#pending .line"), 0)
    assert "まにあう?" not in said(aki)


def test_who_saves_data_gets_pictures_by_asking(visit: Visit, link: str) -> None:
    aki = visit.person(link, "aki")
    enter_room(aki)
    choose(aki, plain())
    ready(aki)
    write(aki, "重いよ")
    line(aki, "重いよ").locator(".pictures img").wait_for()
    context = visit.context()
    context.add_init_script(
        "Object.defineProperty(navigator, 'connection', { value: { saveData: true, effectiveType: '4g' } })"
    )
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url) if "/media/" in request.url else None)
    haru = visit.page(link, context)
    haru.locator("[data-handle=haru]").click()
    enter_room(haru)
    place = line(haru, "重いよ").locator(".picture")
    assert "写真を見る" in place.text_content()
    assert asked == []
    place.click()
    loaded(line(haru, "重いよ").locator(".pictures img"))
    assert len(asked) == 1
    assert asked[0].endswith("/preview")
    count(haru.locator("#picture-view[open]"), 0)
    place.click()
    haru.locator("#picture-view[open]").wait_for()


def test_a_post_shows_pictures_too(visit: Visit, link: str) -> None:
    aki, haru = visit.person(link, "aki"), visit.person(link, "haru", **PHONE)
    home(haru)
    home(aki)
    aki.locator("#home_text").click()
    choose(aki, plain("PNG", (900, 600)), form="#home-form")
    ready(aki, form="#home-form")
    aki.locator("#home-form").get_by_role("textbox", name="1 枚目の説明").fill("赤い夕焼け")
    aki.locator("#home_text").fill("空")
    aki.locator("#home-form [type=submit]").click()
    # Taken back before it left: words and pictures are to be written on.
    count(aki.locator(".post-pending .picture"), 1)
    aki.locator(".post-pending [data-act=undo]").click()
    count(aki.locator("#home-form .picks li"), 1)
    description = aki.locator("#home-form").get_by_role("textbox", name="1 枚目の説明")
    assert description.input_value() == "赤い夕焼け"
    # And over a reload.
    until_kept(aki, "draft", "赤い夕焼け")
    aki.reload()
    home(aki)
    count(aki.locator("#home-form .picks li"), 1)
    share(aki, "空")
    for page in (aki, haru):
        image = card(page, "空").locator(".pictures img")
        count(image, 1)
        assert image.get_attribute("alt") == "赤い夕焼け"
        loaded(image)
    count(aki.locator("#home-form .picks li"), 0)
    card(haru, "空").locator(".picture").click()
    loaded(haru.locator("#picture-view[open] img"))
    visit.forgive("Failed to load resource")
    address = card(aki, "空").locator(".pictures img").get_attribute("src")
    act(aki, "空", "remove")
    aki.locator("#ask-do").click()
    count(haru.locator("#picture-view[open]"), 0)
    count(haru.locator("#feed-posts .pictures"), 0)
    assert [status_of(page, address) for page in (aki, haru)] == [404, 404]
    # A picture alone is a post as well.
    choose(aki, plain(), form="#home-form")
    ready(aki, form="#home-form")
    share(aki, "")
    count(haru.locator("#feed-posts .pictures"), 1)
    count(haru.locator("#feed-posts .post-text"), 0)
