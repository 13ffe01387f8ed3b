"""The page of /docs: nothing inline, nothing from elsewhere, readable colours, and drawn by a real browser."""

from __future__ import annotations

import functools
import json
import os
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from gateway.asyncapi import asyncapi_document
from gateway.openapi import openapi_document
from realtime.closes import MEANINGS
from realtime.events import EVENTS
from realtime.settings import Limits
from realtime.table import OPERATIONS
from tests.support.chromium import find_chromium

WEB = Path(__file__).resolve().parent.parent.parent / "gateway/web"
HTML, CSS, JS = ((WEB / f"docs.{kind}").read_text(encoding="utf-8") for kind in ("html", "css", "js"))
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'"
NARROW = {"width": 360, "height": 740}


def test_nothing_is_inline() -> None:
    assert "<style" not in HTML
    assert not re.search(r"\s(style|on[a-z]+)=", HTML)
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", HTML))
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", JS)
    assert not re.search(r"setAttribute\(\s*[\"'](style|on)", JS)


def test_nothing_comes_from_elsewhere() -> None:
    for source in (HTML, CSS, JS):
        assert not re.search(r"https?:|url\(|@import|[\"']//", source)


def test_the_page_knows_ids_as_the_code_does() -> None:
    pattern = re.search(r'ID_PATTERN = "(.*)"', JS)
    assert pattern is not None
    assert (
        openapi_document("", Limits())["components"]["schemas"]["RoomRef"]["properties"]["room"]["pattern"]
        == pattern[1]
    )


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb (WCAG 2.2)."""
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_words_stand_out_in_both_schemes() -> None:
    schemes = [
        dict(re.findall(r"--(\w+): (#\w{6});", block)) for block in re.findall(r":root \{(.*?)\}", CSS, re.S)
    ]
    assert len(schemes) == 2
    for scheme in schemes:
        for ink in ("ink", "soft", "link", "good", "warn"):
            for ground in ("paper", "sheet", "mark"):
                light, dark = sorted((luminance(scheme[ink]), luminance(scheme[ground])), reverse=True)
                assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, ground)


class Pages(BaseHTTPRequestHandler):
    """The page, its two files and the two documents, under a strict policy."""

    def do_GET(self) -> None:
        """Serve one of them."""
        found = pages().get(self.path)
        self.send_response(200 if found else 404)
        if found:
            self.send_header("Content-Type", found[0])
            self.send_header("Content-Security-Policy", POLICY)
        self.end_headers()
        self.wfile.write(found[1].encode() if found else b"")

    def log_message(self, *_: Any) -> None:
        """Silence."""


@functools.cache
def pages() -> dict[str, tuple[str, str]]:
    """Path → type and text."""
    return {
        "/docs": ("text/html", HTML),
        "/web/docs.css": ("text/css", CSS),
        "/web/docs.js": ("text/javascript", JS),
        "/openapi.json": ("application/json", json.dumps(openapi_document("1.2.3", Limits()))),
        "/asyncapi.json": ("application/json", json.dumps(asyncapi_document("1.2.3", Limits()))),
    }


@pytest.fixture
def page() -> Iterator[Any]:
    """The page in Chromium, 360 px wide; complaints of the browser fail the test."""
    chromium = find_chromium()
    if chromium is None:
        (pytest.fail if os.environ.get("TSUDOI_TEST_STRICT") == "1" else pytest.skip)("no Chromium on PATH")
    from playwright.sync_api import sync_playwright

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    complaints: list[str] = []
    try:
        with sync_playwright() as play:
            browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            opened = browser.new_page(viewport=NARROW)
            opened.on(
                "console",
                lambda message: complaints.append(message.text) if message.type == "error" else None,
            )
            opened.on("pageerror", lambda error: complaints.append(str(error)))
            opened.goto(f"http://127.0.0.1:{server.server_port}/docs")
            opened.wait_for_selector("#shapes")
            yield opened
            browser.close()
    finally:
        server.shutdown()
        server.server_close()
    assert [each for each in complaints if "favicon" not in each and "404" not in each] == []


@pytest.mark.browser
def test_the_page_shows_everything_and_can_be_searched(page: Any) -> None:
    shown = page.eval_on_selector_all("#operations details", "all => all.map((each) => each.id)")
    assert sorted(shown) == sorted(f"op-{name}" for name in OPERATIONS)
    shown = page.eval_on_selector_all("#events details", "all => all.map((each) => each.id)")
    assert sorted(shown) == sorted(f"event-{name}" for name in (*EVENTS, "skip"))
    assert page.locator("#closes tbody tr").count() == len(MEANINGS)

    width = "document.documentElement.scrollWidth"
    page.eval_on_selector_all("details", "all => all.forEach((each) => { each.open = true; })")
    assert page.evaluate(width) <= NARROW["width"]
    page.eval_on_selector_all("details", "all => all.forEach((each) => { each.open = false; })")

    page.keyboard.press("/")
    page.keyboard.type("room.send")
    assert page.locator("#op-room\\.send").is_visible()
    assert not page.locator("#op-clock\\.read").is_visible()
    page.keyboard.press("Escape")
    assert page.locator("#op-clock\\.read").is_visible()

    page.evaluate("location.hash = '#op-room.send'")
    page.wait_for_selector("#op-room\\.send[open]")
    text = page.inner_text("#op-room\\.send")
    assert "POST /api/v1/room.send" in text
    assert "text_too_long" in text
