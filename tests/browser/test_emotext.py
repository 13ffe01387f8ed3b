"""Emotext in a real browser: the page's twin of the engine, what Chromium makes of a score, and how a player behaves."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from realtime.emotext import resolve
from realtime.emotext_catalogue import CATALOGUE
from realtime.emotext_score import compile_score
from realtime.emotext_svg import BASE_PX, svg_of
from tests.browser.conftest import DESKTOP, Visit
from tests.browser.test_access import Judge
from tests.browser.test_first_page import count, post
from tests.support.emotext import VECTORS
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

TWIN = """async ([catalogue, vectors]) => {
  const { compile, effectsOf, sample, seedOf } = await import("/web/emotext.js");
  return vectors.map(({ text, effects, id, at }) => {
    const seed = seedOf(id);
    const score = compile(text, effectsOf(catalogue, effects), seed);
    return {
      text, effects, id, seed,
      duration_ms: score.duration_ms, size: score.size, graphemes: score.graphemes, rest: score.rest,
      moving: score.moving,
      delays: score.layers.map((layer) => layer.delays), signs: score.layers.map((layer) => layer.signs),
      at: at.map(({ t }) => ({ t, ...sample(score, t) })),
    };
  });
}"""

# What the browser itself computes of the animations, in em: [a, b, c, d, e, f, hue, opacity, blur].
COMPUTED = """async (vectors) => {
  const { put } = await import(document.querySelector("script[src]").src.replace("emotextgallery", "emotextplayer"));
  const number = (text, name) => Number((text.match(new RegExp(`${name}\\\\((-?[\\\\d.e-]+)`)) ?? [0, 0])[1]);
  const read = (element, em) => {
    const { transform, filter, opacity } = getComputedStyle(element);
    const { a, b, c, d, e, f } = new DOMMatrix(transform);
    return [a, b, c, d, e / em, f / em, number(filter, "hue-rotate"), Number(opacity), number(filter, "blur") / em];
  };
  const place = document.querySelector("#gallery .emo-stage");
  const found = [];
  for (const { text, effects, id, at } of vectors) {
    const still = document.createElement("p");
    still.textContent = text;
    place.replaceChildren(still);
    const stage = await put(still, { id, emotext: effects }, true);
    stage.again();
    const em = parseFloat(getComputedStyle(still).fontSize);
    found.push(at.map(({ t }) => {
      stage.freeze(t);
      const over = still.querySelector(".emo-over");
      const ground = over.querySelector(".emo-ground");
      return {
        t,
        graphemes: [...over.querySelectorAll(".emo-piece")].map((unit) => read(unit, em)),
        marks: [...over.querySelectorAll("svg")].map((mark) => read(mark, em)),
        ground: ground ? Number(getComputedStyle(ground).opacity) : 0,
      };
    }));
    stage.leave();
  }
  return found;
}"""


def vectors() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(VECTORS.read_text(encoding="utf-8"))
    return found


def check_same(kept: list[dict[str, Any]], made: list[dict[str, Any]], within: float) -> None:
    """All moments of a vector."""
    for a, b in zip(kept, made, strict=True):
        assert a["ground"] == pytest.approx(b["ground"], abs=within)
        for which in ("graphemes", "marks"):
            assert len(a[which]) == len(b[which])
            for expected, found in zip(a[which], b[which], strict=True):
                assert found == pytest.approx(expected, abs=within), (a["t"], which)


def test_the_pages_twin_says_what_the_reference_says(visit: Visit, server: ServerProcess) -> None:
    page = visit.page(f"{server.url}/emotext")
    made = page.evaluate(TWIN, [msgspec.to_builtins(CATALOGUE), vectors()])
    for old, new in zip(vectors(), made, strict=True):
        assert {**old, "at": 0} == {**new, "at": 0}
        check_same(old["at"], new["at"], 2e-5)


def test_the_browser_moves_everything_where_the_reference_says(visit: Visit, server: ServerProcess) -> None:
    page = gallery(visit, server)
    kept = [each for each in vectors() if each["at"]]
    for old, new in zip(kept, page.evaluate(COMPUTED, kept), strict=True):
        # Computed values have six digits, and pixels stand between them and em.
        check_same(old["at"], new, 2e-3)


# What moves does so for minutes instead of seconds, so that no test has to be quick.
SLOWLY = """() => {
  const animate = Element.prototype.animate;
  Element.prototype.animate = function (...how) {
    const made = animate.apply(this, how);
    made.playbackRate = 0.01;
    return made;
  };
}"""


# What the browser computes of a picture's own animations, for each grapheme, as in COMPUTED.
PICTURED = """([moments, em]) => {
  const number = (text, name) => Number((text.match(new RegExp(`${name}\\\\((-?[\\\\d.e-]+)`)) ?? [0, 0])[1]);
  const plays = document.getAnimations();
  return moments.map((t) => {
    for (const play of plays) {
      play.pause();
      play.currentTime = t;
    }
    return [...document.querySelectorAll("g > text")].map((text) => {
      let matrix = new DOMMatrix();
      let [hue, opacity, blur] = [0, 1, 0];
      for (let g = text.parentNode; g.classList.length; g = g.parentNode) {
        const style = getComputedStyle(g);
        matrix = new DOMMatrix(style.transform).multiply(matrix);
        hue += number(style.filter, "hue-rotate");
        opacity *= Number(style.opacity);
        blur += number(style.filter, "blur") / em;
      }
      const { a, b, c, d, e, f } = matrix;
      return [a, b, c, d, e / em, f / em, hue, opacity, blur];
    });
  });
}"""


def test_a_picture_moves_where_the_reference_says(visit: Visit) -> None:
    page = visit.context().new_page()
    for each in vectors():
        # Words from right to left stand in another order than the one they are numbered in.
        if not each["at"] or "ש" in each["text"]:
            continue
        score = compile_score(each["text"], resolve(CATALOGUE, each["effects"]), each["seed"])
        page.set_content(svg_of(score, CATALOGUE.shapes))
        moments = [moment["t"] for moment in each["at"]]
        found = page.evaluate(PICTURED, [moments, BASE_PX * score.size])
        for moment, poses in zip(each["at"], found, strict=True):
            for expected, pose in zip(moment["graphemes"], poses, strict=True):
                assert pose == pytest.approx(expected, abs=2e-3), (each["effects"], moment["t"])


def test_a_picture_is_drawn_where_pages_show_it(visit: Visit, demo: ServerProcess, link: str) -> None:
    aki = visit.person(link, "aki")
    made = post(aki, demo.url, "post.create", text="海!", nonce="e", emotext=["super_big", "love"])
    seen = post(aki, demo.url, "emotext.preview", text="海!", emotext=["shine"])
    shown = """async (src) => {
      const image = new Image();
      image.src = src;
      await image.decode();
      return [image.naturalWidth, image.naturalHeight];
    }"""
    for address in (f"/posts/{made['post']}.svg", f"/emotext/{seen['signed']}.svg"):
        width, height = aki.evaluate(shown, address)
        assert width > 300
        assert height > 60
    # Opened by itself nothing of it is against its own policy: the browser would complain.
    visit.page(f"{demo.url}/emotext/{seen['signed']}.svg").locator("text").first.wait_for()


def gallery(visit: Visit, server: ServerProcess, **options: Any) -> Any:
    """The gallery with all effects on it."""
    page = visit.page(f"{server.url}/emotext", visit.context(**{**DESKTOP, **options}))
    page.locator("#gallery li").nth(len(CATALOGUE.effects) - 1).wait_for()
    return page


# Where the ink of a single letter stands when a score is drawn, against where it stands at rest: (x, y) in em and its strength.
DRAWN = """async ([catalogue, id, effects, moments]) => {
  const from = document.querySelector("script[src]").src;
  const { Canvas } = await import(from.replace("emotextgallery", "emotextcanvas"));
  const { compile, effectsOf, sample, seedOf } = await import(from.replace("emotextgallery", "emotext"));
  const score = compile("●", effectsOf(catalogue, effects), seedOf(id));
  const over = document.createElement("p");
  document.body.append(over);
  over.style.cssText = "font-size: 40px; color: black";
  const painter = new Canvas(over, { ...score, marks: [], ground: null }, catalogue.shapes);
  painter.place([{ left: 100, top: 100, width: 40, height: 56 }], { left: 0, top: 0, width: 240, height: 256 });
  const canvas = over.querySelector("canvas");
  const ink = () => {
    const { data, width, height } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let [sum, x, y] = [0, 0, 0];
    for (let n = 0; n < width * height; n++) {
      const alpha = data[4 * n + 3];
      sum += alpha;
      x += alpha * (n % width);
      y += alpha * Math.floor(n / width);
    }
    return [x / sum / 40, y / sum / 40, sum];
  };
  painter.draw(9999);
  const rest = ink();
  return moments.map((t) => {
    painter.draw(t);
    const now = ink();
    const [[a, b, , , e, f, , opacity]] = sample(score, t).graphemes;
    return [[now[0] - rest[0], now[1] - rest[1], now[2] / rest[2]], [e, f, opacity * (a * a + b * b)]];
  });
}"""


@pytest.mark.parametrize("effects", [["hoppy"], ["super_shake"], ["hoppy", "love"], ["down"]], ids="+".join)
def test_what_is_drawn_stands_where_the_reference_says(
    visit: Visit, server: ServerProcess, effects: list[str]
) -> None:
    page = gallery(visit, server)
    moments = [0, 130, 290, 777, 1210, 2500, 4400]
    asked = [msgspec.to_builtins(CATALOGUE), "01KAFV4A2B7C3D4E5F6G7H8J9K", effects, moments]
    found = page.evaluate(DRAWN, asked)
    assert len({tuple(now) for now, _ in found}) > 3, "it moves"
    for (x, y, ink), (e, f, strength) in found:
        # The steps of its tables are 8 ms, and ink is counted in whole pixels; a round letter turns about its own middle or near it.
        assert (x, y) == pytest.approx((e, f), abs=0.04)
        assert ink == pytest.approx(strength, abs=0.08)


def test_the_gallery_shows_all_without_an_account(visit: Visit, server: ServerProcess) -> None:
    page = gallery(visit, server)
    page.evaluate(SLOWLY)
    assert page.locator("#gallery [data-effect]").all_inner_texts() == [each.ja for each in CATALOGUE.effects]
    page.locator("[data-effect=hoppy]").click()
    page.locator("li[data-id=hoppy] .emo-moving").wait_for()
    # The words are read once, whole; what moves is not read at all.
    moved = page.locator("li[data-id=hoppy] .emo")
    assert moved.locator(".emo-words").inner_text() == "ぴょんぴょん"
    assert moved.locator(".emo-over").get_attribute("aria-hidden") == "true"
    moved.get_by_role("button", name="動きを止める").click()
    count(page.locator(".emo-moving"), 0)
    moved.get_by_role("button", name="もう一度動かす").click()
    page.locator("li[data-id=hoppy] .emo-moving").wait_for()
    page.get_by_role("button", name="English").click()
    page.get_by_role("button", name="Flustered").wait_for()
    assert Judge(page).all() == []


def test_who_wants_less_motion_sees_plain_words(visit: Visit, server: ServerProcess) -> None:
    page = gallery(visit, server, reduced_motion="reduce")
    page.locator("[data-effect=super_big]").click()
    assert page.locator("#calm").inner_text() == "端末の設定で動きを減らしているので、文字は動きません"
    assert page.locator(".emo").count() == 0
    size = "(p) => getComputedStyle(p).fontSize"
    plain = page.locator("li[data-id=shake] .emo-stage p").evaluate(size)
    assert page.locator("li[data-id=super_big] .emo-stage p").evaluate(size) == plain


LINES = """async ([width, text, effects]) => {
  const { put } = await import(document.querySelector("script[src]").src.replace("emotextgallery", "emotextplayer"));
  const place = document.querySelector("#gallery .emo-stage");
  place.style.cssText = "display: block; padding: 16px";
  place.style.width = `${width}px`;
  const boxes = (p) => {
    const found = [];
    const node = document.createTreeWalker(p, NodeFilter.SHOW_TEXT).nextNode();
    const range = document.createRange();
    const from = p.getBoundingClientRect();
    for (const { segment, index } of new Intl.Segmenter().segment(text)) {
      if (!segment.trim()) continue;
      range.setStart(node, index);
      range.setEnd(node, index + segment.length);
      const rect = [...range.getClientRects()].filter(({ width }) => width).at(-1);
      found.push([rect.left - from.left, rect.top - from.top, rect.width, rect.height]);
    }
    return { boxes: found, height: p.offsetHeight };
  };
  const p = document.createElement("p");
  p.textContent = text;
  place.replaceChildren(p);
  const size = { big: 1.5, super_big: 2.2 }[effects[0]] ?? 1;
  p.style.fontSize = `${size}em`;
  const still = boxes(p);
  p.style.fontSize = "";
  const stage = await put(p, { id: "", emotext: effects }, true);
  stage.again();
  const moving = boxes(p.querySelector(".emo-words"));
  const units = [...p.querySelectorAll(".emo-piece")].map(({ style }) => [style.left, style.top, style.width, style.height].map(parseFloat));
  const first = boxes(p).boxes;
  stage.rest();
  const rested = { ...boxes(p), height: p.offsetHeight };
  stage.leave();
  return { still, moving: { ...moving, boxes: first, height: p.offsetHeight }, units, rested };
}"""
JAPANESE = (
    "「今から観る?」と、きいてみた。すぐに「行く!」と返ってきて、うれしかった。ああ、集いっていいな…。" * 3
)


@pytest.mark.parametrize(
    "effects", [["hoppy", "shine"], ["big", "shake"], ["super_big", "uruuru"]], ids="+".join
)
def test_lines_break_as_they_do_in_still_text(
    visit: Visit, server: ServerProcess, effects: list[str]
) -> None:
    page = gallery(visit, server, viewport={"width": 360, "height": 640})
    for text in (JAPANESE[:149], "Are you coming? It begins at nine, bring snacks — 楽しみ!\n\n待ってる。"):
        found = page.evaluate(LINES, [300, text, effects])
        for when in ("moving", "rested"):
            assert found[when]["height"] == found["still"]["height"]
            assert found[when]["boxes"] == [pytest.approx(box, abs=0.05) for box in found["still"]["boxes"]]
        assert len({box[1] for box in found["still"]["boxes"]}) > 2
        # Every piece stands above the one that it stands for; of a long text there are no pieces, it is drawn.
        pieces = found["still"]["boxes"] if len(found["still"]["boxes"]) <= 60 else []
        assert found["units"] == [pytest.approx(box, abs=0.05) for box in pieces]
        assert (pieces == []) == (len(text) == 149)


CROWD = """async (count) => {
  const { put } = await import(document.querySelector("script[src]").src.replace("emotextgallery", "emotextplayer"));
  const list = document.querySelector("#gallery");
  const made = Array.from({ length: count }, (_, n) => Object.assign(document.createElement("p"), { textContent: `今から観る ${n}。ひとあつまれ` }));
  list.replaceChildren(...made);
  await Promise.all(made.map((p, n) => put(p, { id: `${n}`, emotext: ["hoppy"] }, true)));
}"""


def test_twelve_move_at_once_and_what_is_not_seen_waits(visit: Visit, server: ServerProcess) -> None:
    page = gallery(visit, server)
    page.evaluate(SLOWLY)
    page.evaluate(CROWD, 15)
    count(page.locator(".emo-moving"), 12)
    # Whoever stops one lets another begin.
    page.locator(".emo-moving .emo-key").first.click()
    count(page.locator(".emo-moving"), 12)
    count(page.locator(".emo:not(.emo-moving)"), 3)
    # Letters of so many texts are not each an element: some are drawn.
    assert page.locator(".emo-over > canvas").count() > 6
    assert 0 < page.locator(".emo-piece").count() <= 60


def test_what_leaves_the_sight_pauses_and_goes_on(visit: Visit, server: ServerProcess) -> None:
    page = gallery(visit, server)
    page.evaluate(SLOWLY)
    page.evaluate(CROWD, 1)
    page.locator(".emo-moving").wait_for()
    states = "[...new Set(document.querySelector('.emo-over').getAnimations({subtree: true}).map((each) => each.playState))]"
    assert page.evaluate(states) == ["running"]
    page.locator("#gallery").evaluate("(list) => (list.style.marginTop = '5000px')")
    page.wait_for_function(f"() => {states}.join() === 'paused'")
    page.locator("#gallery").evaluate("(list) => (list.style.marginTop = '0')")
    page.wait_for_function(f"() => {states}.join() === 'running'")


def test_what_went_by_takes_no_room_from_what_is_seen(visit: Visit, server: ServerProcess) -> None:
    page = gallery(visit, server)
    page.evaluate(SLOWLY)
    high = "for (const p of document.querySelectorAll('#gallery > p')) p.style.height = '{}px'"
    rows = page.locator("#gallery > p")
    # The second time in place of others, which are gone from the page with all that moved in them.
    for _ in range(2):
        page.evaluate(CROWD, 30)
        page.evaluate(high.format(400))
        for number in range(30):
            rows.nth(number).scroll_into_view_if_needed()
            count(rows.nth(number).locator(".emo-over"), 1)
    # Of those that went by nothing moves, and they do not become more elements than a browser likes.
    moving = "document.getAnimations().filter((each) => each.playState === 'running').map((each) => each.effect.target.closest('.emo').textContent)"
    assert 0 < page.evaluate(f"new Set({moving}).size") <= 12
    assert 0 < page.locator(".emo-piece").count() <= 60
    # Back among too many, whoever has no turn shows still words.
    page.evaluate(high.format(10))
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_function(f"() => new Set({moving}).size === 12")
    count(page.locator(".emo-moving"), 12)
    count(page.locator(".emo:not(.emo-moving)"), 18)


# A browser that is busy tells late what is out of sight: frames of the screen go by before.
BUSY = """() => {
  const Swift = IntersectionObserver;
  window.IntersectionObserver = class extends Swift {
    constructor(tell) { super((...told) => setTimeout(tell, 300, ...told)); }
  };
}"""


def test_what_is_taken_out_of_the_page_is_let_go_though_the_browser_is_busy(
    visit: Visit, server: ServerProcess
) -> None:
    context = visit.context(**DESKTOP)
    context.add_init_script(f"({BUSY})()")
    page = visit.page(f"{server.url}/emotext", context)
    page.locator("#gallery li").nth(len(CATALOGUE.effects) - 1).wait_for()
    page.evaluate(SLOWLY)
    for _ in range(2):
        page.evaluate(CROWD, 15)
        count(page.locator(".emo-moving"), 12)
        assert page.locator(".emo-over canvas").count() > 0, "some are drawn, some are elements"
    # Nothing that was drawn for those who are gone went wrong, as the fixture sees.
    page.evaluate("() => new Promise((go) => setTimeout(go, 500))")
    count(page.locator(".emo-moving"), 12)


def test_everything_rests_in_the_end(visit: Visit, server: ServerProcess) -> None:
    page = gallery(visit, server)
    page.locator("[data-effect=love]").click()
    moved = page.locator("li[data-id=love] .emo-moving")
    moved.wait_for()
    # To just before the end, so that the test need not wait for it.
    page.evaluate(
        "for (const each of document.querySelector('.emo-over').getAnimations({subtree: true})) each.currentTime = 4990"
    )
    count(moved, 0)
    count(page.locator("li[data-id=love] .emo-over"), 0)
    assert (
        page.locator("li[data-id=love] .emo-words").evaluate("(words) => getComputedStyle(words).opacity")
        == "1"
    )


def test_what_the_page_does_not_know_is_plain_text(visit: Visit, server: ServerProcess) -> None:
    page = gallery(visit, server)
    told = page.evaluate(
        """async () => {
          const { put } = await import(document.querySelector("script[src]").src.replace("emotextgallery", "emotextplayer"));
          const p = Object.assign(document.createElement("p"), { textContent: "未来から" });
          document.body.append(p);
          return [await put(p, { id: "", emotext: ["twirl"] }, true), p.outerHTML];
        }"""
    )
    assert told == [None, "<p>未来から</p>"]
