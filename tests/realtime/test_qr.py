"""QR codes as SVG: the right modules, in the right place, and nothing else."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
import segno

from realtime import qr

LINK = "https://tsudoi.example/i#Zk3q9xT1uV5wY7zA0bC2dE4f"
SVG = "{http://www.w3.org/2000/svg}"
ALLOWED = {f"{SVG}{name}" for name in ("svg", "rect", "path", "g", "text")}
RUN = re.compile(r"M(\d+) (\d+)h(\d+)v1h-(\d+)z")


def modules(path: str) -> set[tuple[int, int]]:
    """Dark modules of a path, which holds nothing but runs."""
    assert RUN.sub("", path) == ""
    runs = [tuple(map(int, found)) for found in RUN.findall(path)]
    assert all(out == back for _, _, out, back in runs)
    return {(x + n, y) for x, y, length, _ in runs for n in range(length)}


def expected(text: str) -> set[tuple[int, int]]:
    rows = segno.make_qr(text, error="m").matrix
    return {(x + 4, y + 4) for y, row in enumerate(rows) for x, dark in enumerate(row) if dark}


def parsed(picture: str) -> ET.Element:
    """The picture as a tree of harmless elements."""
    root = ET.fromstring(picture)
    for element in root.iter():
        assert element.tag in ALLOWED
        assert not [name for name in element.attrib if name.startswith(("on", "style")) or "href" in name]
    return root


@pytest.mark.parametrize("text", [LINK, "A", "集い" * 30, "<script>alert(1)</script>"])
def test_the_modules_are_those_of_the_code_within_a_quiet_zone(text: str) -> None:
    root = parsed(qr.svg(text))
    assert root.get("role") == "img"
    path = root.find(f"{SVG}path")
    assert path is not None
    assert modules(path.attrib["d"]) == expected(text)
    side = len(segno.make_qr(text, error="m").matrix) + 8
    assert root.get("viewBox") == f"0 0 {side} {side}"
    rect = root.find(f"{SVG}rect")
    assert rect is not None
    assert (rect.get("fill"), path.get("fill"), rect.get("width")) == ("#fff", "#000", str(side))


def test_a_link_makes_a_small_picture() -> None:
    assert len(qr.svg(LINK)) < 12_000


def test_too_much_text_is_refused() -> None:
    with pytest.raises(ValueError, match=r"."):
        qr.svg("x" * 5_000)


def test_a_sheet_is_a4_with_the_same_modules() -> None:
    root = parsed(qr.printable(LINK, "月を見る会"))
    assert (root.get("width"), root.get("height")) == ("210mm", "297mm")
    path = root.find(f".//{SVG}path")
    assert path is not None
    assert modules(path.attrib["d"]) == expected(LINK)
    assert [text.text for text in root.iter(f"{SVG}text")] == ["月を見る会"]


@pytest.mark.parametrize(
    "caption",
    ["</text><script>alert(1)</script>", '"><a href="//x">', "&lt;b&gt;", "a & b", "a\x00b\x1b\ufffe\ud800"],
)
def test_a_caption_is_words_only(caption: str) -> None:
    root = parsed(qr.printable(LINK, caption))
    shown = "".join(text.text or "" for text in root.iter(f"{SVG}text"))
    assert shown.replace(" ", "") == re.sub("[\x00-\x1f\ufffe\ud800 ]", "", caption)


def test_a_long_caption_is_broken_between_words_and_ends() -> None:
    texts = list(parsed(qr.printable(LINK, "A summer evening by the river with friends")).iter(f"{SVG}text"))
    assert [text.text for text in texts] == ["A summer evening by the river", "with friends"]
    japanese = [text.text or "" for text in parsed(qr.printable(LINK, "集" * 200)).iter(f"{SVG}text")]
    assert [len(line) for line in japanese] == [17, 17, 17, 17]
    assert japanese[-1].endswith("…")
    assert all(float(text.get("y", "0")) < qr.PAPER_MM[1] - 10 for text in texts)
